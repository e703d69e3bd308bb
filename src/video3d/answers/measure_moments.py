"""Which moment of the camera's path is one that stands out: farthest from the start, fastest, the first turn, back where it began."""

import numpy as np
from jaxtyping import Float64

from video3d.answers.facts import SceneFacts, weakest
from video3d.answers.measure_path import evidence, length_basis, opened, span_words, stretch
from video3d.answers.measurement import CannotTell, Measurement, Speaker, quantity
from video3d.answers.question import MetricQuestion
from video3d.answers.trajectory import Trajectory, moved_from_start, rates, swings, yaw_steps_deg
from video3d.types import Evidence

_NEAR_SHARE = 0.25
"""Of the farthest that a camera gets from its start: an end within so much of it is said to be near the start."""
_WINDOW_S, _WINDOW_FRAMES = 0.5, 15.0  # over less, the noise of poses counts as speed; frames where no time is known
_SAME_HEIGHT_M, _SAME_HEIGHT_SHARE = 0.02, 0.01  # of metres, of the scene's depth where there are none


def reach(question: MetricQuestion, facts: SceneFacts, speak: Speaker, frames: list[int]) -> Measurement:
    """How far from its start the camera gets at most, and when."""
    path = stretch(facts, frames)
    _walked(path)
    away = np.linalg.norm(path.centers - path.centers[0], axis=1)
    place = int(away.argmax())
    far, frame = float(away[place]), int(path.frame_index[place])
    step = moved_from_start(path.between(int(path.frame_index[0]), frame)) if place else np.zeros(3)
    ways = ((step[0], "forward", "向前"), (-step[0], "back", "向后"), (step[1], "left", "向左"), (-step[1], "right", "向右"),
            (step[2], "up", "向上"), (-step[2], "down", "向下"))  # fmt: skip
    parts = sorted((way for way in ways if way[0] > 0), key=lambda way: -way[0])
    seen = (
        speak.say("it stays where it is", "它没有移动")
        if not parts
        else speak.say(
            ", ".join(f"{speak.length(value)} {name}" for value, name, _ in parts) + " as seen from where it starts",
            "、".join(f"{name}{speak.length(value)}" for value, _, name in parts) + "，以起始视角计",
        )
    )
    when = _when(path, place, speak)
    span = span_words(path, frames, speak)
    if question.aspect == "when":
        text = speak.say(
            f"{span}the camera is farthest from its start in {when}: {speak.length(far)} away ({seen}).",
            f"{span}相机在{when}离起点最远：{speak.length(far)}（{seen}）。",
        )
    else:
        text = speak.say(
            f"{span}the camera gets {speak.length(far)} from its start at most, in {when} ({seen}).",
            f"{span}相机离起点最远 {speak.length(far)}，在{when}（{seen}）。",
        )
    values = [quantity("reach", far, facts.unit), quantity("frame", frame, "frame")]
    return Measurement(
        text=opened(text) + speak.relative(),
        source="measurement",
        kind=question.kind,
        quantities=tuple(values[::-1] if question.aspect == "when" else values),
        evidence=Evidence(
            frames=(int(path.frame_index[0]), frame), points_world=(_point(path, 0), _point(path, place))
        ),
        key=speak.frame(frame) if question.aspect == "when" else speak.length(far),
        basis=length_basis(facts),
    )


def returns(question: MetricQuestion, facts: SceneFacts, speak: Speaker, frames: list[int]) -> Measurement:
    """Whether the camera ends near where it starts, against how far away it has been."""
    path = stretch(facts, [])
    _walked(path)
    away = np.linalg.norm(path.centers - path.centers[0], axis=1)
    end, far = float(away[-1]), float(away.max())
    near = end <= _NEAR_SHARE * far
    yes = near != (question.aspect == "far")
    text = speak.say(
        f"{'Yes' if yes else 'No'}: the camera ends {speak.length(end)} from where it started; at most it was {speak.length(far)} away.",
        f"{'是' if yes else '否'}：相机结束时离起点 {speak.length(end)}；最远时离起点 {speak.length(far)}。",
    )
    return Measurement(
        text=text + speak.relative(),
        source="measurement",
        kind=question.kind,
        quantities=(quantity("displacement", end, facts.unit), quantity("reach", far, facts.unit)),
        evidence=evidence(path),
        key=speak.length(end),
        basis=length_basis(facts),
    )


def higher(question: MetricQuestion, facts: SceneFacts, speak: Speaker, frames: list[int]) -> Measurement:
    """In which of two frames the camera is higher, and by how much; the frame that is compared comes first."""
    path = facts.trajectory
    if not path.level:
        raise CannotTell("Which way is up is not known here.", "此处不知道竖直方向。")
    places = [path.position(frame) for frame in frames]
    for frame, place in zip(frames, places, strict=True):
        if place is None:
            raise CannotTell(f"The camera's pose in frame {frame} is not known.", f"第{frame}帧的相机位姿未知。")
    one, other = (float(path.centers[place, 2]) for place in places if place is not None)
    above = one - other
    same = abs(above) < _no_height(facts)
    word = speak.say("higher" if above > 0 else "lower", "高" if above > 0 else "低")
    lead = ""
    if question.polar:
        yes = not same and (above > 0) == (question.aspect == "higher")
        lead = speak.say("Yes: " if yes else "No: ", "是：" if yes else "否：")
    in_one, in_other = speak.frame(frames[0]), speak.frame(frames[1])
    text = speak.say(
        f"{lead}in {in_one} the camera is {speak.length(abs(above))} {word} than in {in_other}"
        + (", which is hardly any difference." if same else "."),
        f"{lead}相机在{in_one}比在{in_other}{word} {speak.length(abs(above))}" + ("，几乎没有差别。" if same else "。"),
    )
    compares = question.amount or question.polar
    chosen = frames[0] if (above > 0) == (question.aspect == "higher") else frames[1]
    return Measurement(
        text=opened(text) + speak.relative(),
        source="measurement",
        kind=question.kind,
        quantities=(quantity("difference", above, facts.unit),),
        evidence=Evidence(frames=tuple(frames)),
        key=speak.length(abs(above)),
        choice="" if same else word if compares else speak.frame(chosen),
        basis=weakest(length_basis(facts), facts.status.gravity),
    )


def pace(question: MetricQuestion, facts: SceneFacts, speak: Speaker, frames: list[int]) -> Measurement:
    """When the camera moves fastest or slowest, or turns fastest; counted by frames where their times are not known."""
    path = stretch(facts, frames)
    _walked(path)
    timed = bool(np.isfinite(path.time_s).all()) and float(path.time_s[-1]) > float(path.time_s[0])
    clock = path.time_s if timed else path.frame_index.astype(np.float64)
    turns = question.aspect == "turning"
    steps: Float64[np.ndarray, "k"] = (
        np.abs(yaw_steps_deg(path)) if turns else np.linalg.norm(np.diff(path.centers, axis=0), axis=1)
    )
    first, last, rate = rates(clock, steps, _WINDOW_S if timed else _WINDOW_FRAMES)
    if not rate.size:
        raise CannotTell("Too few camera poses are known here.", "此处已知的相机位姿太少。")
    at = int(rate.argmin() if question.aspect == "slowest" else rate.argmax())
    begin, end = int(first[at]), int(last[at])
    value = float(rate[at])
    amount = f"{value:.{0 if timed else 1}f} " + speak.say("degrees", "度") if turns else speak.length(value)
    amount += speak.say(" a second", "每秒") if timed else speak.say(" a frame", "每帧")
    most = {
        "fastest": speak.say("moves fastest", "移动最快"),
        "slowest": speak.say("moves slowest", "移动最慢"),
        "turning": speak.say("turns fastest", "转动最快"),
    }[question.aspect]
    one, other = _when(path, begin, speak), _when(path, end, speak)
    text = speak.say(
        f"{span_words(path, frames, speak)}the camera {most} between {one} and {other}: {amount}.",
        f"{span_words(path, frames, speak)}相机在{one}到{other}之间{most}：{amount}。",
    )
    if not timed:
        text += speak.say(
            " (The recording does not say when its frames were taken; they count as evenly spaced.)",
            "（录像没有时间信息，按各帧间隔相等计算。）",
        )
    unit = ("deg" if turns else facts.unit) + ("/s" if timed else "/frame")
    return Measurement(
        text=opened(text) + ("" if turns else speak.relative()),
        source="measurement",
        kind=question.kind,
        quantities=(quantity("frame", int(path.frame_index[begin]), "frame"), quantity("rate", value, unit)),
        evidence=Evidence(frames=(int(path.frame_index[begin]), int(path.frame_index[end]))),
        key=speak.frame(int(path.frame_index[begin])),
        basis=facts.status.poses if turns else length_basis(facts),
    )


def one_turn(question: MetricQuestion, facts: SceneFacts, speak: Speaker, frames: list[int]) -> Measurement | None:
    """The first or the last turn to one side; None where the camera hardly turns."""
    path = stretch(facts, frames)
    _walked(path)
    found = swings(path)
    if not found:
        return None
    first = question.aspect == "first"
    swing = found[0] if first else found[-1]
    chinese = {"left": "向左", "right": "向右"}
    choice, opposite = ("left", "right") if swing.turn_deg > 0 else ("right", "left")
    lead = ""
    if question.polar:
        yes = choice == question.expects if question.expects else True
        lead = speak.say("Yes: " if yes else "No: ", "是：" if yes else "否：")
    begin, end = int(path.frame_index[swing.first]), int(path.frame_index[swing.last])
    text = speak.say(
        f"{lead}{span_words(path, frames, speak)}the camera {'first' if first else 'last'} turns {choice}, by "
        f"{speak.angle(swing.turn_deg)} (from frame {begin} to frame {end})",
        f"{lead}{span_words(path, frames, speak)}相机{'先' if first else '最后'}{chinese[choice]}转 "
        f"{speak.angle(swing.turn_deg)}（第{begin}帧到第{end}帧）",
    )
    if first and len(found) > 1:
        text += speak.say(f", then {opposite} by {speak.angle(found[1].turn_deg)}",
                          f"，然后{chinese[opposite]}转 {speak.angle(found[1].turn_deg)}")  # fmt: skip
    return Measurement(
        text=opened(text) + speak.say(".", "。"),
        source="measurement",
        kind=question.kind,
        quantities=(quantity("turn", swing.turn_deg, "deg"),),
        evidence=Evidence(frames=(begin, end)),
        key=speak.angle(swing.turn_deg),
        choice=speak.say(choice, chinese[choice]),
        not_chosen=(speak.say(opposite, chinese[opposite]),),
        basis=facts.status.poses,
    )


def _walked(path: Trajectory) -> None:
    """Photographs of a place in any order have no first turn, and no farthest moment."""
    if not path.ordered:
        raise CannotTell("These are single photographs and no walk, so the camera has no path.",
                         "这些是单张照片而非连续录像，相机没有路径。")  # fmt: skip


def _no_height(facts: SceneFacts) -> float:
    """A difference in height below this is none: the noise of poses and of a hand."""
    if facts.world.metric:
        return _SAME_HEIGHT_M
    return _SAME_HEIGHT_SHARE * facts.depth.median if facts.depth is not None else 0.0


def _when(path: Trajectory, place: int, speak: Speaker) -> str:
    """A moment: its frame, and its time where that is known."""
    seconds = float(path.time_s[place])
    frame = speak.frame(int(path.frame_index[place]))
    return (
        frame
        if np.isnan(seconds)
        else frame + speak.say(f" (at {speak.seconds(seconds)})", f"（{speak.seconds(seconds)}）")
    )


def _point(path: Trajectory, place: int) -> tuple[float, float, float]:
    x, y, z = path.centers[place].tolist()
    return x, y, z
