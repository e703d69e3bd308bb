"""Action of the camera: how it moved, where it goes next, what it will see.

Where it goes next is asked only where the frames shown support it: it goes on as it did.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from video3d.data.questions.candidate import Candidate
from video3d.data.questions.events import (
    Move,
    at,
    camera_between,
    camera_move,
    heading_axes,
    last_shown_s,
    settled,
    turned_deg,
)
from video3d.data.questions.movers import asked_span_s, gap_m, landmarks, made, nearest_of, seconds, will
from video3d.data.questions.visibility import seen_mask
from video3d.data.questions.wording import Said, Wordings, choice
from video3d.data.truth import Rollout, SceneTruth

_MOTION = Wordings(
    en=(
        "How does the camera move over the frames shown, taken together?",
        "Which describes the camera's movement from the first to the last frame?",
        "What does the camera do in this video?",
        "From the first frame to the last, what has the camera done?",
    ),
    zh=(
        "总体来看，相机在所示画面中是怎样运动的？",
        "从第一帧到最后一帧，相机做了什么运动？",
        "在这段视频里，相机的运动是下列哪一种？",
    ),
)
_NEXT = Wordings(
    en=(
        "What will the camera do in the {t} after the last frame?",
        "What does the camera do next, within {t} of the last frame?",
        "In the next {t}, how will the camera move?",
        "How does the camera's movement continue in the {t} after the video?",
    ),
    zh=(
        "最后一帧之后{t}内，相机会怎样运动？",
        "接下来{t}里，相机会做什么？",
        "视频结束后的{t}里，相机的运动会是哪一种？",
    ),
)
_NEXT_PLACE = Wordings(
    en=(
        "Which of these will the camera be nearest to {t} after the last frame?",
        "{t} after the video ends, which of these is closest to the camera?",
        "If the camera goes on as it does, which of these is it nearest to {t} later?",
        "The camera keeps moving. Which of these will it be closest to after {t}?",
    ),
    zh=(
        "最后一帧之后{t}，相机会离下列哪个物体最近？",
        "视频结束{t}后，下列哪个物体离相机最近？",
        "相机继续这样运动，{t}后它最靠近的是哪一个？",
    ),
)
_VIEW = Wordings(
    en=(
        "Will {a} still be inside the picture {t} after the last frame?",
        "{t} after the video ends, does the camera still have {a} in its field of view?",
        "Does {a} stay within the camera's view for the next {t}?",
        "As the camera moves on, will {a} still be in view {t} after the last frame?",
    ),
    zh=(
        "最后一帧之后{t}，{a}还会在画面范围内吗？",
        "视频结束{t}后，{a}会仍在相机视野里吗？",
        "相机继续运动，{t}后{a}会还在画面里吗？",
    ),
)

MOVES: dict[Move, Said] = {
    "forward": Said("it goes straight forward", "笔直前进"),
    "backward": Said("it goes straight backward", "笔直后退"),
    "left": Said("it turns to the left", "向左转"),
    "right": Said("it turns to the right", "向右转"),
    "still": Said("it stays where it is", "保持不动"),
}


@dataclass(frozen=True, slots=True)
class _Scale:
    """What counts as a turn and as going, for who carries the camera."""

    turn_deg: float
    step_m: float


def _scale(truth: SceneTruth, span_s: float) -> _Scale:
    """Slower carriers need less: a car goes metres a second and turns at junctions."""
    if truth.viewer == "car":
        return _Scale(min(18.0, 9.0 * span_s), 1.0 * span_s)
    return _Scale(min(20.0, 12.0 * span_s), 0.2 * span_s)


def camera_motion(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """How the camera moved over all frames shown."""
    span = float(truth.times_s[-1] - truth.times_s[0])
    if truth.num_frames < 3 or span <= 0.3:
        return
    scale = _scale(truth, span)
    move = camera_move(truth.world_from_camera, turn_deg=max(20.0, scale.turn_deg), step_m=scale.step_m)
    if move is None or move == "backward" or (move in ("left", "right") and not _one_way(truth.world_from_camera)):
        return
    order: tuple[Move, ...] = ("forward", "left", "right", "still")
    yield made(
        truth,
        "action.camera_motion",
        _MOTION.render(rng),
        choice(rng, [MOVES[m] for m in order], order.index(move)),
        move,
        (),
        group="camera",
        frame="observer",
    )


def _one_way(poses: Float64[np.ndarray, "n 4 4"]) -> bool:
    """Whether a turn never goes back by more than a tenth of itself."""
    ahead = poses[:, :2, 2]
    yaw = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    total = yaw[-1] - yaw[0]
    back = np.maximum.accumulate(np.sign(total) * yaw) - np.sign(total) * yaw
    return float(back.max()) <= 0.1 * abs(float(total))


def recent_move(truth: SceneTruth) -> Move | None:
    """What the camera does in the last second shown (at least three frames)."""
    first = int(np.searchsorted(truth.times_s, truth.times_s[-1] - 1.0 - 1e-6))
    first = max(0, min(first, truth.num_frames - 3))
    span = float(truth.times_s[-1] - truth.times_s[first])
    scale = _scale(truth, span)
    return camera_move(truth.world_from_camera[first:], turn_deg=scale.turn_deg, step_m=scale.step_m)


def next_move(truth: SceneTruth, rollout: Rollout, span_s: float) -> Move | None:
    """What the camera does after the last frame."""
    now, scale = last_shown_s(truth), _scale(truth, span_s)
    return camera_move(camera_between(rollout, now, now + span_s), turn_deg=scale.turn_deg, step_m=scale.step_m)


def camera_next(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """What the camera does next, where it goes on as it did."""
    if asked_span_s(truth) is None or truth.num_frames < 3:
        return
    move = settled(truth, lambda r: next_move(truth, r, 1.0))
    if move is None or move == "backward" or recent_move(truth) != move:
        return
    order: tuple[Move, ...] = ("forward", "left", "right", "still")
    yield made(
        truth,
        "action.camera_next",
        _NEXT.render(rng, t=seconds(1.0)),
        choice(rng, [MOVES[m] for m in order], order.index(move)),
        move,
        (),
        group="camera",
        frame="observer",
    )


def extrapolated(truth: SceneTruth, wait_s: float) -> Float64[np.ndarray, "4 4"] | None:
    """Where the camera would be if it went on as over the last half second: same speed along its heading, same rate of turn."""
    if truth.num_frames < 3:
        return None
    first = max(0, min(int(np.searchsorted(truth.times_s, truth.times_s[-1] - 0.5)), truth.num_frames - 3))
    poses, span = truth.world_from_camera[first:], float(truth.times_s[-1] - truth.times_s[first])
    if not np.isfinite(poses).all() or span <= 0 or heading_axes(poses[-1]) is None:
        return None
    rate = turned_deg(poses) / span
    step = (poses[-1, :3, 3] - poses[0, :3, 3]) / span
    middle = np.radians(rate * (wait_s + span) / 2)  # the velocity turns with the camera
    turn, half = _about_up(np.radians(rate * wait_s)), _about_up(middle)
    pose = np.eye(4)
    pose[:3, :3] = turn @ poses[-1, :3, :3]
    pose[:3, 3] = poses[-1, :3, 3] + half @ step * wait_s
    return pose


def _about_up(angle_rad: float) -> Float64[np.ndarray, "3 3"]:
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


_CLEARLY, _CLEARLY_M = 1.2, 0.25
"""How many times, and metres, farther than the nearest thing what is offered beside it is."""


def camera_next_place(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Which thing the camera will be nearest to, where going on as it does leads there too."""
    span = asked_span_s(truth, 2.0)
    guess = None if span is None else extrapolated(truth, span)
    if span is None or guess is None:
        return
    here = truth.world_from_camera[-1, :3, 3]
    if float(np.linalg.norm(guess[:3, 3] - here)) < 0.25:
        return
    said = landmarks(truth)
    poses = {i: truth.object(i).world_from_object[-1] for i in said}
    gaps = sorted((gap_m(guess[:3, 3], poses[i], truth.object(i).size_m), i) for i in said)
    near = [i for gap, i in gaps if gap >= _CLEARLY * gaps[0][0] and gap - gaps[0][0] >= _CLEARLY_M]
    near = [i for _, i in gaps[:1]] + near[:3]  # what is about as near is not offered
    offered = {i: poses[i] for i in near}
    if len(offered) < 2:
        return
    right = settled(truth, lambda r: _nearest_to_camera(truth, r, offered, span))
    if right is None or right != nearest_of(guess[:3, 3], offered, truth, ratio=1.1, margin_m=0.1):
        return
    yield made(
        truth,
        "action.camera_next_place",
        _NEXT_PLACE.render(rng, t=seconds(span)),
        choice(rng, [said[i] for i in near], near.index(right)),
        truth.object(right).category,
        tuple(sorted(near)),
        group="place",
    )


def _nearest_to_camera(
    truth: SceneTruth, rollout: Rollout, offered: dict[int, np.ndarray], wait_s: float
) -> int | None:
    place = rollout.world_from_camera[at(rollout, last_shown_s(truth) + wait_s), :3, 3]
    return nearest_of(place, offered, truth, ratio=1.2) if np.isfinite(place).all() else None


def will_leave_view(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Whether a thing in the last picture is still within the picture some time later; hidden or not does not count."""
    span = asked_span_s(truth, 2.0)
    guess = None if span is None else extrapolated(truth, span)
    if span is None or guess is None:
        return
    if float(np.linalg.norm(guess[:3, 3] - truth.world_from_camera[-1, :3, 3])) < 0.2 and (
        abs(turned_deg(np.stack([truth.world_from_camera[-1], guess]))) < 8.0
    ):
        return  # a camera that stands still loses nothing from sight
    for object_id, said in landmarks(truth).items():
        if not bool(seen_mask(truth, object_id)[-1]):
            continue
        inside = settled(truth, lambda r, i=object_id: _in_view_then(truth, r, i, span))
        if inside is None or _in_picture(truth, truth.object(object_id).world_from_object[-1], guess) not in (
            inside,
            None,
        ):
            continue
        yield made(
            truth,
            "action.will_leave_view",
            _VIEW.render(rng, a=said, t=seconds(span)),
            will(inside),
            "yes" if inside else "no",
            (object_id,),
            group=str(object_id),
            frame="observer",
        )


def _in_view_then(truth: SceneTruth, rollout: Rollout, object_id: int, wait_s: float) -> bool | None:
    when = at(rollout, last_shown_s(truth) + wait_s)
    pose, camera = rollout.world_from_object[when, truth.index(object_id)], rollout.world_from_camera[when]
    return _in_picture(truth, pose, camera, truth.object(object_id).size_m)


def _in_picture(
    truth: SceneTruth,
    world_from_object: Float64[np.ndarray, "4 4"],
    world_from_camera: Float64[np.ndarray, "4 4"],
    size_m: Float64[np.ndarray, "3"] | None = None,
) -> bool | None:
    """Whether an object's centre is well inside the picture of a camera, or its whole box outside; None between."""
    if not (np.isfinite(world_from_object).all() and np.isfinite(world_from_camera).all()):
        return None
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2.0
    extent = np.zeros(3) if size_m is None else size_m
    corners = (signs * extent) @ world_from_object[:3, :3].T + world_from_object[:3, 3]
    points = (np.concatenate([world_from_object[None, :3, 3], corners]) - world_from_camera[:3, 3]) @ world_from_camera[
        :3, :3
    ]
    height, width = truth.size_hw
    ahead = points[:, 2] > 0.1
    pixels = points @ truth.k_px[-1].T
    x, y = (pixels[:, axis] / np.maximum(points[:, 2], 0.1) for axis in (0, 1))
    edge = 0.08 * width
    if ahead[0] and edge < x[0] < width - edge and edge / 2 < y[0] < height - edge / 2:
        return True
    beyond_x = (x < -edge / 2) | ~ahead, (x > width + edge / 2) | ~ahead
    beyond_y = (y < -edge / 2) | ~ahead, (y > height + edge / 2) | ~ahead
    return False if any(bool(side.all()) for side in (*beyond_x, *beyond_y)) else None
