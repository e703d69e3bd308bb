"""Action in the street: what the car with the camera, other vehicles and people on foot do next.

A car's next move is asked where the frames show why: it brakes already, the light ahead is red, or something slower or on foot
is in its lane; it turns already; or nothing keeps it from going on. Others are asked about where they go on as they did.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from jaxtyping import Float64

from video3d.data.questions.candidate import Candidate
from video3d.data.questions.events import (
    at,
    camera_speed_mps,
    heading_axes,
    last_shown_s,
    next_touch,
    settled,
    speed_mps,
)
from video3d.data.questions.movers import asked_span_s, late_references, made, seconds
from video3d.data.questions.references import referable
from video3d.data.questions.visibility import seen_mask
from video3d.data.questions.wording import Said, Wordings, choice
from video3d.data.truth import ObjectTruth, Rollout, SceneTruth

_EGO = Wordings(
    en=(
        "What does the car with the camera do in the {t} after the last frame?",
        "What will the car you are riding in do next, within {t}?",
        "In the next {t}, how does the camera car behave?",
        "After the last frame, what is the next action of the car that carries the camera ({t})?",
    ),
    zh=(
        "最后一帧之后{t}内，载着相机的车会怎么做？",
        "接下来{t}里，自车会采取什么行动？",
        "视频结束后的{t}里，相机所在的车会怎样行驶？",
    ),
)
_VEHICLE = Wordings(
    en=(
        "What does {a} do in the {t} after the last frame?",
        "What will {a} do next, within {t}?",
        "In the next {t}, how does {a} behave?",
        "After the last frame, what is the next action of {a} ({t})?",
    ),
    zh=(
        "最后一帧之后{t}内，{a}会怎么做？",
        "接下来{t}里，{a}会采取什么行动？",
        "视频结束后的{t}里，{a}会怎样行驶？",
    ),
)
_PERSON = Wordings(
    en=(
        "What does {a} do in the {t} after the last frame, seen from the camera's last direction?",
        "As seen by the camera in the last frame, what will {a} do in the next {t}?",
        "Seen from the last camera position, how does {a} move in the {t} after the video?",
        "From the viewpoint of the last frame, what does {a} do next, within {t}?",
    ),
    zh=(
        "从最后一帧相机的方向看，{a}在接下来{t}内会做什么？",
        "以最后一帧的视角为准，{a}在{t}内会怎样移动？",
        "从相机最后的位置看，视频结束后{t}里{a}会怎么走？",
    ),
)

_TURNING = ("car", "van")
"""What is seen to turn as well as to brake and to go on: of a bus the name alone would tell that it does not turn."""
Drive = Literal["slow", "on", "left", "right", "stand"]
DRIVES: dict[Drive, Said] = {
    "slow": Said("it brakes", "刹车减速"),
    "on": Said("it drives straight on without braking", "不减速，继续直行"),
    "left": Said("it turns left", "左转"),
    "right": Said("it turns right", "右转"),
}
Walk = Literal["left", "right", "along", "still"]
WALKS: dict[Walk, Said] = {
    "left": Said("walks across to the left", "横着向左走"),
    "right": Said("walks across to the right", "横着向右走"),
    "along": Said("walks toward or away from the camera", "朝相机或远离相机方向走"),
    "still": Said("stands still", "站着不动"),
}


def driving(speed_before: float, speed_after: float, turned_deg: float) -> Drive | None:
    """What a vehicle does, from its speed before and after and its turn; None between two answers.

    >>> driving(8.0, 3.0, 0.0), driving(8.0, 8.0, 1.0), driving(5.0, 5.0, 40.0), driving(8.0, 7.0, 0.0)
    ('slow', 'on', 'left', None)
    """
    if speed_before < 1.5:
        return "stand" if max(speed_before, speed_after) < 0.2 else None
    if abs(turned_deg) > 20.0:
        return "left" if turned_deg > 0 else "right"
    if abs(turned_deg) > 7.0:
        return None
    if speed_after < 0.6 * speed_before:
        return "slow"
    return "on" if speed_after > 0.92 * speed_before else None


def _yaw_deg(direction: Float64[np.ndarray, "n 3"]) -> float:
    """Turn of a horizontal direction over time, degrees, positive to the left."""
    yaw = np.unwrap(np.arctan2(direction[:, 1], direction[:, 0]))
    return float(np.degrees(yaw[-1] - yaw[0]))


def _span(rollout: Rollout, begin_s: float, end_s: float) -> slice:
    return slice(at(rollout, begin_s), at(rollout, end_s) + 1)


def ego_driving(truth: SceneTruth, rollout: Rollout, begin_s: float, end_s: float) -> Drive | None:
    """What the car with the camera does between two times."""
    ahead = rollout.world_from_camera[_span(rollout, begin_s, end_s), :3, 2]
    if not np.isfinite(ahead).all() or len(ahead) < 2:
        return None
    before = camera_speed_mps(rollout, begin_s - 0.15)  # what the frames shown can tell
    return driving(before, camera_speed_mps(rollout, end_s - 0.15), _yaw_deg(ahead))


def ego_action(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """What the car with the camera does next, where the cause shows."""
    span = asked_span_s(truth, 2.0)
    if truth.viewer != "car" or span is None or truth.num_frames < 3:
        return
    now = last_shown_s(truth)
    drive: Drive | None = settled(truth, lambda r: ego_driving(truth, r, now, now + span))
    if drive is None or drive == "stand" or not _cause_shows(truth, drive, now):
        return
    order: tuple[Drive, ...] = ("slow", "on", "left", "right")
    seen = [] if truth.signal is None else [truth.signal.object_id]
    yield made(
        truth,
        "action.ego_action",
        _EGO.render(rng, t=seconds(span)),
        choice(rng, [DRIVES[d] for d in order], order.index(drive)),
        drive,
        [i for i in seen if bool(seen_mask(truth, i).any())],
        group="ego",
    )


def _cause_shows(truth: SceneTruth, drive: Drive, now: float) -> bool:
    """Whether the frames shown tell why the car does what it does next."""
    rollout = truth.rollouts[0]
    begin = max(float(truth.times_s[0]) + 0.15, now - 1.0)
    if now - begin < 0.3:
        return False
    turned = _yaw_deg(rollout.world_from_camera[_span(rollout, begin, now), :3, 2])
    pace = camera_speed_mps(rollout, now - 0.15) / max(camera_speed_mps(rollout, begin), 0.1)
    light = truth.signal
    light_seen = light is not None and bool(seen_mask(truth, light.object_id)[-3:].any())
    stopping = light is not None and light.shown[-1] in ("red", "yellow")
    blocked = _blocks_lane(truth, now)
    if drive in ("left", "right"):
        return abs(turned) > 3.0 and (turned > 0) == (drive == "left")
    if drive == "slow":
        return pace < 0.93 or (stopping and light_seen) or blocked
    return pace > 0.95 and not stopping and not blocked and abs(turned) < 5.0


def _blocks_lane(truth: SceneTruth, now: float) -> bool:
    """Whether something that is seen, slower than the camera, is in its lane within four seconds' way."""
    axes = heading_axes(truth.world_from_camera[-1])
    if axes is None:
        return False
    rollout, here = truth.rollouts[0], truth.world_from_camera[-1, :3, 3]
    pace = camera_speed_mps(rollout, now - 0.15)
    for column, thing in enumerate(truth.objects):
        if thing.kind not in ("vehicle", "person", "animal") or not bool(seen_mask(truth, thing.object_id)[-2:].any()):
            continue
        offset = thing.world_from_object[-1, :3, 3] - here
        along, aside = float(offset @ axes[0]), abs(float(offset @ axes[1]))
        width = 1.8 if thing.kind == "vehicle" else 3.5  # people who are about to step into the lane count
        if 0 < along < max(10.0, 4.0 * pace) and aside < width and speed_mps(rollout, column, now) < pace - 1.0:
            return True
    return False


def vehicle_action(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """What another vehicle does next, where it does so already in the last frames."""
    span = asked_span_s(truth, 2.0)
    if span is None or truth.domain != "street":
        return
    now = last_shown_s(truth)
    order: tuple[Drive, ...] = ("slow", "on", "left", "right")
    for object_id, said in late_references(truth).items():
        thing = truth.object(object_id)
        if thing.category not in _TURNING or thing.motion == "static":
            continue
        column = truth.index(object_id)
        drive_of: Callable[[Rollout], Drive | None] = lambda r, c=column: _vehicle_driving(r, c, now, now + span)  # noqa: E731
        drive: Drive | None = settled(truth, drive_of)
        if drive is None or drive == "stand" or not _already(truth, thing, column, drive, now):
            continue
        if any(next_touch(r, object_id, now, now + span) is not None for r in truth.rollouts):
            continue  # a crash is no action of its driver
        yield made(
            truth,
            "action.vehicle_action",
            _VEHICLE.render(rng, a=said, t=seconds(span)),
            choice(rng, [DRIVES[d] for d in order], order.index(drive)),
            drive,
            (object_id,),
            group=str(object_id),
        )


def _front(rollout: Rollout, column: int, begin_s: float, end_s: float) -> Float64[np.ndarray, "n 3"]:
    return -rollout.world_from_object[_span(rollout, begin_s, end_s), column, :3, 1]


def _vehicle_driving(rollout: Rollout, column: int, begin_s: float, end_s: float) -> Drive | None:
    front = _front(rollout, column, begin_s, end_s)
    if not np.isfinite(front).all() or len(front) < 2:
        return None
    return driving(speed_mps(rollout, column, begin_s - 0.1), speed_mps(rollout, column, end_s - 0.1), _yaw_deg(front))


def _already(truth: SceneTruth, thing: ObjectTruth, column: int, drive: Drive, now: float) -> bool:
    rollout, begin = truth.rollouts[0], max(0.0, now - 1.0)
    if now - begin < 0.3 or int(seen_mask(truth, thing.object_id)[-4:].sum()) < 2:
        return False
    turned = _yaw_deg(_front(rollout, column, begin, now))
    pace = speed_mps(rollout, column, now - 0.1) / max(speed_mps(rollout, column, begin), 0.1)
    if drive in ("left", "right"):
        return abs(turned) > 3.0 and (turned > 0) == (drive == "left")
    return pace < 0.93 if drive == "slow" else (pace > 0.95 and abs(turned) < 5.0)


def person_action(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """What somebody on foot does next: crosses, walks along or waits; where the last frames show the same or a start of it."""
    span = asked_span_s(truth, 2.0)
    axes = heading_axes(truth.world_from_camera[-1])
    if span is None or axes is None:
        return
    now = last_shown_s(truth)
    order: tuple[Walk, ...] = ("left", "right", "along", "still")
    for object_id, said in referable(truth).items():
        thing = truth.object(object_id)
        if thing.kind != "person" or thing.category == "cyclist" or not bool(seen_mask(truth, object_id)[-4:].any()):
            continue
        column = truth.index(object_id)
        walk_of: Callable[[Rollout], Walk | None] = lambda r, c=column: _walk(r, c, axes, now, now + span)  # noqa: E731
        walk: Walk | None = settled(truth, walk_of)
        begin = max(0.0, now - 1.0)
        if walk is None or now - begin < 0.3 or _walk(truth.rollouts[0], column, axes, begin, now) != walk:
            continue
        yield made(
            truth,
            "action.person_action",
            _PERSON.render(rng, a=said, t=seconds(span)),
            choice(rng, [WALKS[w] for w in order], order.index(walk)),
            walk,
            (object_id,),
            group=str(object_id),
            frame="observer",
        )


def _walk(
    rollout: Rollout,
    column: int,
    axes: tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]],
    begin_s: float,
    end_s: float,
) -> Walk | None:
    path = rollout.world_from_object[_span(rollout, begin_s, end_s), column, :3, 3]
    if not np.isfinite(path).all() or len(path) < 2:
        return None
    step = path[-1] - path[0]
    along, left = abs(float(step @ axes[0])), float(step @ axes[1])
    if float(np.linalg.norm(path - path[0], axis=1).max()) < 0.12:
        return "still"
    pace = float(np.linalg.norm(step)) / (end_s - begin_s)
    if pace < 0.3:
        return None
    if abs(left) > 1.7 * along:
        return "left" if left > 0 else "right"
    return "along" if along > 1.7 * abs(left) else None
