"""How far, how fast and how high the camera moves."""

import math

import numpy as np

from video3d.answers.facts import SceneFacts, weakest
from video3d.answers.measurement import CannotTell, Measurement, Speaker, finite, quantity
from video3d.answers.question import MetricQuestion
from video3d.answers.trajectory import (
    Trajectory,
    duration_s,
    path_length,
    speeds,
)
from video3d.types import Evidence, Status

_MAX_EVIDENCE = 64
_AROUND_S = 0.5  # to either side of a moment: over less, the noise of poses would count as speed


def stretch(facts: SceneFacts, frames: list[int]) -> Trajectory:
    """The path between the frames that a question names, or all of it.

    Raises:
        CannotTell: a frame has no pose, the frames are no walk, or fewer than two poses are known.
    """
    path = facts.trajectory
    if not path.ordered and len(frames) < 2:
        raise CannotTell(
            "These are single photographs and no walk, so the camera has no path.",
            "这些是单张照片而非连续录像，相机没有路径。",
        )
    for frame in frames:
        if path.position(frame) is None:
            raise CannotTell(f"The camera's pose in frame {frame} is not known.", f"第{frame}帧的相机位姿未知。")
    if len(frames) >= 2:
        path = path.between(frames[0], frames[-1])
    elif len(frames) == 1:
        path = path.between(0, frames[0])
    if path.num_poses < 2:
        raise CannotTell(
            "Only one camera pose is known here, and motion needs two.", "此处只有一个相机位姿，运动至少需要两个。"
        )
    return path


def evidence(path: Trajectory) -> Evidence:
    """The frames a path rests on, thinned, and its two ends."""
    places = np.unique(np.linspace(0, path.num_poses - 1, min(path.num_poses, _MAX_EVIDENCE)).astype(np.int64))
    ends = path.centers[[0, -1]].tolist()
    return Evidence(
        frames=tuple(int(i) for i in path.frame_index[places]),
        points_world=tuple((float(x), float(y), float(z)) for x, y, z in ends),
    )


def span_words(path: Trajectory, frames: list[int], speak: Speaker) -> str:
    """The stretch in words, at the start of a sentence; nothing for the whole recording."""
    if not frames:
        return ""
    first, last = int(path.frame_index[0]), int(path.frame_index[-1])
    return speak.say(f"Between frame {first} and frame {last} ", f"从第{first}帧到第{last}帧，")


def opened(text: str) -> str:
    """The sentence with a capital."""
    return text[0].upper() + text[1:]


def length_basis(facts: SceneFacts) -> Status:
    """Where lengths along the path come from."""
    return weakest(facts.status.poses, *((facts.status.scale,) if facts.world.metric else ()))


def gaps(facts: SceneFacts, path: Trajectory, speak: Speaker) -> str:
    """Says so where poses are missing within a stretch of a recording that should have one for each frame."""
    missing = facts.num_frames - facts.trajectory.num_poses
    if facts.trajectory.num_poses < 0.5 * facts.num_frames:
        return speak.say(
            f" (From the {path.num_poses} poses that are known.)", f"（根据已知的 {path.num_poses} 个位姿。）"
        )
    if missing > 0.05 * facts.num_frames:
        return speak.say(
            f" ({missing} frames have no pose; across them the path counts as straight.)",
            f"（有 {missing} 帧没有位姿，其间按直线计算。）",
        )
    return ""


def travel(question: MetricQuestion, facts: SceneFacts, speak: Speaker, frames: list[int]) -> Measurement:
    """Length of the path, and distance between its ends."""
    path = stretch(facts, frames)
    length = path_length(path) if path.ordered else float("nan")
    direct = float(np.linalg.norm(path.centers[-1] - path.centers[0]))
    seconds = duration_s(path)
    span = span_words(path, frames, speak)
    if question.kind == "camera_travel" and math.isfinite(length):
        over = (
            ""
            if math.isnan(seconds)
            else speak.say(f" in {speak.seconds(seconds)}", f"，用时 {speak.seconds(seconds)}")
        )
        text = speak.say(
            f"{span}the camera travels {speak.length(length)} along its path{over}; its end is "
            f"{speak.length(direct)} from "
            "its start in a straight line.",
            f"{span}相机沿路径共移动 {speak.length(length)}{over}；终点到起点的直线距离为 {speak.length(direct)}。",
        )
        key, head = length, ["path_length", "displacement"]
    else:
        first, last = int(path.frame_index[0]), int(path.frame_index[-1])
        along = "" if math.isnan(length) else speak.say(
            f"; along its path it travels {speak.length(length)}", f"；沿路径共移动 {speak.length(length)}"
        )  # fmt: skip
        where = (
            speak.say(f"The camera positions in frame {first} and frame {last}", f"第{first}帧与第{last}帧的相机位置")
            if frames
            else speak.say("The start and the end of the camera's path", "相机路径的起点与终点")
        )
        text = speak.say(
            f"{where} are {speak.length(direct)} apart in a straight line{along}.",
            f"{where}的直线距离为 {speak.length(direct)}{along}。",
        )
        key, head = direct, ["displacement", "path_length"]
    values = {"path_length": length, "displacement": direct, "duration": seconds}
    units = {"path_length": facts.unit, "displacement": facts.unit, "duration": "s"}
    return Measurement(
        text=opened(text) + gaps(facts, path, speak) + speak.relative(),
        source="measurement",
        kind=question.kind,
        quantities=finite([quantity(n, values[n], units[n]) for n in [*head, "duration"]]),
        evidence=evidence(path),
        key=speak.length(key),
        basis=length_basis(facts),
    )


def speed(question: MetricQuestion, facts: SceneFacts, speak: Speaker, frames: list[int]) -> Measurement:
    """Mean and top speed; of one frame, over the second around it."""
    path = _around(facts, frames[0]) if len(frames) == 1 else stretch(facts, frames)
    length, seconds = path_length(path), duration_s(path)
    if not seconds > 0:
        raise CannotTell(
            f"The recording does not say when its frames were taken, so speed is not known; the camera travels "
            f"{speak.length(length)}.",
            f"录像没有时间信息，无法得到速度；相机共移动 {speak.length(length)}。",
        )
    mean, stretches = length / seconds, speeds(path)
    top = max(float(stretches.max()) if stretches.size else mean, mean)
    fastest = question.aspect == "max"
    value = top if fastest else mean
    span = span_words(path, frames, speak)
    text = speak.say(
        f"{span}the camera moves at {speak.speed(mean)} on average ({speak.length(length)} in "
        f"{speak.seconds(seconds)}), at "
        f"most at {speak.speed(top)}.",
        f"{span}相机的平均速度为 {speak.speed(mean)}（{speak.seconds(seconds)}内移动 {speak.length(length)}），最高 "
        f"{speak.speed(top)}。",
    )
    unit = "m/s" if facts.unit == "m" else "x/s"
    values = [quantity("mean_speed", mean, unit), quantity("max_speed", top, unit)]
    return Measurement(
        text=opened(text) + speak.relative(),
        source="measurement",
        kind=question.kind,
        quantities=(
            *(values[::-1] if fastest else values),
            quantity("path_length", length, facts.unit),
            quantity("duration", seconds, "s"),
        ),
        evidence=evidence(path),
        key=speak.speed(value),
        basis=length_basis(facts),
    )


def _around(facts: SceneFacts, frame: int) -> Trajectory:
    """The path within half a second of a frame, its neighbours at least; where no times are known, between those."""
    whole = stretch(facts, [])
    place = whole.position(frame)
    if place is None:
        raise CannotTell(f"The camera's pose in frame {frame} is not known.", f"第{frame}帧的相机位姿未知。")
    near = np.abs(whole.time_s - whole.time_s[place]) <= _AROUND_S
    near[max(0, place - 1) : place + 2] = True
    used = whole.frame_index[near]
    return whole.between(int(used[0]), int(used[-1]))


def height(question: MetricQuestion, facts: SceneFacts, speak: Speaker, frames: list[int]) -> Measurement:
    """Height over the floor: on average, first, last, lowest, highest, or in one frame."""
    if not facts.world.gravity_aligned:
        raise CannotTell("Which way is up is not known here, so the camera's height is not either.",
                         "此处不知道竖直方向，无法给出相机高度。")  # fmt: skip
    if facts.floor_z is None:
        raise CannotTell("The floor was not seen, so the camera's height over it is not known.",
                         "没有看到地面，无法给出相机离地高度。")  # fmt: skip
    path = facts.trajectory if len(frames) < 2 else stretch(facts, frames)
    over = path.centers[:, 2] - facts.floor_z
    values = {
        "height_mean": float(over.mean()),
        "height_first": float(over[0]),
        "height_last": float(over[-1]),
        "height_min": float(over.min()),
        "height_max": float(over.max()),
    }
    wanted = f"height_{question.aspect or 'mean'}"
    at: int | None = None
    if len(frames) == 1:
        place = path.position(frames[0])
        if place is None:
            raise CannotTell(
                f"The camera's pose in frame {frames[0]} is not known.", f"第{frames[0]}帧的相机位姿未知。"
            )
        values, wanted, at = {"height": float(over[place])} | values, "height", frames[0]
    value = values[wanted]
    about = speak.say("about ", "约 ") if facts.floor_source == "estimated" else ""
    if at is not None or path.num_poses == 1:
        frame = at if at is not None else int(path.frame_index[0])
        text = speak.say(
            f"In frame {frame} the camera is {about}{speak.length(value)} above the floor.",
            f"第{frame}帧时相机离地面{about or ' '}{speak.length(value)}。",
        )
    else:
        lead = speak.say(
            {
                "height_mean": f"the camera is {about}{speak.length(value)} above the floor on average",
                "height_first": f"at the start the camera is {about}{speak.length(value)} above the floor",
                "height_last": f"at the end the camera is {about}{speak.length(value)} above the floor",
                "height_min": f"at its lowest the camera is {about}{speak.length(value)} above the floor",
                "height_max": f"at its highest the camera is {about}{speak.length(value)} above the floor",
            }[wanted],
            {
                "height_mean": "相机平均离地面",
                "height_first": "开始时相机离地面",
                "height_last": "结束时相机离地面",
                "height_min": "相机最低时离地面",
                "height_max": "相机最高时离地面",
            }[wanted]
            + f"{about or ' '}{speak.length(value)}",
        )
        text = span_words(path, frames, speak) + lead
        if wanted in ("height_mean", "height_first"):
            text += speak.say(
                f"; all in all from {speak.length(values['height_min'])} at its lowest to "
                f"{speak.length(values['height_max'])} at its "
                "highest",
                f"，最低 {speak.length(values['height_min'])}，最高 {speak.length(values['height_max'])}",
            )
        text += speak.say(".", "。")
    return Measurement(
        text=opened(text) + speak.relative(),
        source="measurement",
        kind=question.kind,
        quantities=tuple(quantity(n, values[n], facts.unit) for n in [wanted, *(n for n in values if n != wanted)]),
        evidence=Evidence(frames=(at,)) if at is not None else evidence(path),
        key=speak.length(value),
        basis=facts.floor_source,
    )
