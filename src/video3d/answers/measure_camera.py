"""Questions about how the camera moves: path, displacement, speed, height, turning, direction, tilt."""

from dataclasses import replace

import numpy as np

from video3d.answers.facts import SceneFacts, weakest
from video3d.answers.look_up import read_frame
from video3d.answers.measure_moments import higher, one_turn, pace, reach, returns
from video3d.answers.measure_path import evidence, height, length_basis, opened, span_words, speed, stretch, travel
from video3d.answers.measurement import CannotTell, Measurement, Speaker, quantity, speaker
from video3d.answers.question import CLOSING, OPENING, MetricQuestion
from video3d.answers.trajectory import moved_from_start, path_length, roll_deg, tilt_deg, turning
from video3d.types import PosedClip

_NEAR_FRAMES, _NEAR_SHARE = 3, 0.02  # how far away the pose of a neighbour may stand in for a frame's own
_TURNED_DEG = 2.0  # less is not called a turn
_STILL_SHARE, _STILL_M = 0.01, 0.02  # moves by less than a share of the scene's depth, or so many metres, are none


def measure_camera(question: MetricQuestion, clip: PosedClip, facts: SceneFacts) -> Measurement:
    """Answers a question about the camera; the kinds whose name begins with ``camera_``.

    Raises:
        CannotTell: what it needs is not known.
    """
    make = {
        "camera_height": height,
        "camera_travel": travel,
        "camera_displacement": travel,
        "camera_speed": speed,
        "camera_turn": _turn,
        "camera_direction": _direction,
        "camera_tilt": _tilt,
        "camera_moving": _moving,
        "camera_reach": reach,
        "camera_return": returns,
        "camera_higher": higher,
        "camera_pace": pace,
    }[question.kind]
    frames = [read_frame(ref, clip, facts) for ref in question.frames]
    if facts.trajectory.num_poses == 0:
        raise CannotTell(
            "The camera's poses are not known: the recording has none and none could be estimated.",
            "相机位姿未知：录像没有位姿，也无法估计。",
        )
    speak, near_enough = speaker(question, facts), 0
    if facts.trajectory.ordered:  # structure from motion may skip frames of a walk; its neighbour is almost there
        near_enough = max(_NEAR_FRAMES, round(_NEAR_SHARE * facts.num_frames))
    posed = [facts.trajectory.nearest(frame, near_enough) for frame in frames]
    used = [frame if near is None else near for frame, near in zip(frames, posed, strict=True)]
    if len(used) == 2 and used[0] == used[1] and question.frames in (OPENING, CLOSING):  # of a recording of few frames
        whole = facts.trajectory.frame_index
        ends = whole[:2] if question.frames == OPENING else whole[-2:]
        used = frames = [int(ends[0]), int(ends[-1])]
    found = make(question, facts, speak, used)
    said = "".join(
        speak.say(
            f" (Frame {a} has no known pose; frame {b} beside it stands in.)",
            f"（第{a}帧位姿未知，以邻近的第{b}帧代替。）",
        )
        for a, b in zip(frames, used, strict=True)
        if a != b
    )
    return replace(found, text=found.text + said)


def _turn(question: MetricQuestion, facts: SceneFacts, speak: Speaker, frames: list[int]) -> Measurement:
    if question.aspect in ("first", "last") and (found := one_turn(question, facts, speak, frames)) is not None:
        return found
    path = stretch(facts, frames)
    turn = turning(path)
    total = turn.left + turn.right
    choice = "left" if turn.net >= _TURNED_DEG else "right" if turn.net <= -_TURNED_DEG else ""
    chinese = {"left": "向左", "right": "向右", "": ""}
    net = speak.angle(turn.net)
    span = span_words(path, frames, speak)
    lead = ""
    if question.polar:
        right = choice == question.expects if question.expects else bool(choice) or total >= 2 * _TURNED_DEG
        lead = speak.say("Yes: " if right else "No: ", "是：" if right else "否：")
    swung = min(turn.left, turn.right) >= _TURNED_DEG
    parts = speak.say(
        f"{speak.angle(turn.left)} to the left and {speak.angle(turn.right)} to the right in all",
        f"累计向左 {speak.angle(turn.left)}、向右 {speak.angle(turn.right)}",
    )
    if question.aspect == "total" and swung:
        way = speak.say(f" {choice}" if choice else "", chinese[choice])
        text = speak.say(
            f"{lead}{span}the camera turns by {speak.angle(total)} in all ({parts}); from the first view to the last it is {net}{way}.",
            f"{lead}{span}相机共转动 {speak.angle(total)}（{parts}）；从最初到最后的朝向{way}相差 {net}。",
        )
    elif choice:
        text = speak.say(
            f"{lead}{span}the camera turns {choice} by {net}" + (f" overall ({parts})." if swung else "."),
            f"{lead}{span}相机总体{chinese[choice]}转了 {net}" + (f"（{parts}）。" if swung else "。"),
        )
    elif swung:
        text = speak.say(
            f"{lead}{span}the camera turns both ways, {parts}, and ends within {net} of where it first looked.",
            f"{lead}{span}相机左右都有转动，{parts}，最后与最初朝向相差 {net}。",
        )
    else:
        text = speak.say(
            f"{lead}{span}the camera hardly turns: {net} overall.", f"{lead}{span}相机几乎没有转动：总体 {net}。"
        )
    if not facts.trajectory.level:
        text += speak.say(
            " (Seen along the camera's own upright axis; which way is up is not known.)",
            "（按相机自身的竖直轴；重力方向未知。）",
        )
    values = [
        quantity("turn", turn.net, "deg"),
        quantity("turn_left", turn.left, "deg"),
        quantity("turn_right", turn.right, "deg"),
        quantity("turn_total", total, "deg"),
    ]
    word = speak.say(choice, chinese[choice])
    return Measurement(
        text=opened(text),
        source="measurement",
        kind=question.kind,
        quantities=tuple(values[3:] + values[:3] if question.aspect == "total" else values),
        evidence=evidence(path),
        key=speak.angle(total) if question.aspect == "total" and swung else net,
        choice=word,
        not_chosen=tuple(
            speak.say(en, zh) for en, zh in (("left", "向左"), ("right", "向右")) if choice and en != choice
        ),
        basis=facts.status.poses,
    )


_WORDS = {
    "forward": "向前", "back": "向后", "left": "向左", "right": "向右", "up": "向上", "down": "向下",
}  # fmt: skip
_AXIS_NAMES = (("forward or back", "前后"), ("left or right", "左右"), ("up or down", "上下"))
_AXES = {"forward": (0, 1), "back": (0, -1), "left": (1, 1), "right": (1, -1), "up": (2, 1), "down": (2, -1)}


def _direction(question: MetricQuestion, facts: SceneFacts, speak: Speaker, frames: list[int]) -> Measurement:
    path = stretch(facts, frames)
    if not path.ordered:
        raise CannotTell("These are single photographs and no walk.", "这些是单张照片而非连续录像。")
    step = moved_from_start(path)
    parts = {name: float(step[axis] * sign) for name, (axis, sign) in _AXES.items()}
    known = {"up", "down"} if question.aspect in ("vertical", "up", "down") else set(parts)
    if question.aspect in ("forward", "back"):
        known = {"forward", "back"}
    if question.aspect in ("left", "right", "sideways"):
        known = {"left", "right"}
    asked = _asked_axes(question.text, question.language) or known
    if question.polar and question.expects:
        asked = {n for n in parts if _AXES[n][0] == _AXES[question.expects][0]}
    choice = max(asked & known or known, key=lambda n: parts[n])
    value = parts[choice]
    vertical = _AXES[choice][0] == 2
    if vertical and known == {"up", "down"} and not path.level:
        raise CannotTell("Which way is up is not known here.", "此处不知道竖直方向。")
    still = value < max(_threshold(facts), 0.0)
    span = span_words(path, frames, speak)
    words = sorted((n for n in parts if parts[n] > 0), key=lambda n: -parts[n])
    total = speak.say(
        ", ".join(f"{speak.length(parts[n])} {n}" for n in words),
        "、".join(f"{_WORDS[n]} {speak.length(parts[n])}" for n in words),
    )
    seen = speak.say("as seen from where it starts", "以起始视角计")
    lead = ""
    if question.polar and question.expects:
        yes = choice == question.expects and not still
        lead = speak.say("Yes: " if yes else "No: ", "是：" if yes else "否：")
    if still:
        axis = speak.say(*_AXIS_NAMES[_AXES[choice][0]])
        text = speak.say(
            f"{lead}{span}the camera hardly moves {axis}: {speak.length(value)} {choice} ({total}, {seen}).",
            f"{lead}{span}相机几乎没有{axis}移动：{_WORDS[choice]} {speak.length(value)}（{total}，{seen}）。",
        )
    else:
        text = speak.say(
            f"{lead}{span}the camera moves {choice} by {speak.length(value)} from start to end ({total}, {seen}).",
            f"{lead}{span}相机从开始到结束{_WORDS[choice]}移动 {speak.length(value)}（{total}，{seen}）。",
        )
    values = [quantity(n, parts[n], facts.unit) for n in ("forward", "left", "up")]
    opposite = next(n for n in _AXES if _AXES[n] == (_AXES[choice][0], -_AXES[choice][1]))
    return Measurement(
        text=opened(text) + speak.relative(),
        source="measurement",
        kind=question.kind,
        quantities=(quantity(choice, value, facts.unit), *(q for q in values if q.name != choice)),
        evidence=evidence(path),
        key=speak.length(value) if question.amount else "",
        choice="" if still else speak.say(choice, _WORDS[choice]),
        not_chosen=(speak.say(opposite, _WORDS[opposite]),),
        basis=length_basis(facts),
    )


def _asked_axes(text: str, language: str) -> set[str]:
    """The directions that a question offers to choose from ("left or right"), with their opposites."""
    low = text.lower()
    stems = _WORDS if language == "zh" else {n: n for n in _WORDS}
    named = {n for n, word in stems.items() if (word[-1] if language == "zh" else word) in low}
    if "sideways" in low:
        named |= {"left", "right"}
    return {n for n in _AXES if any(_AXES[n][0] == _AXES[m][0] for m in named)}


def _threshold(facts: SceneFacts) -> float:
    """Motion below this is none: the noise of poses and of a hand."""
    if facts.world.metric:
        return _STILL_M
    return _STILL_SHARE * facts.depth.median if facts.depth is not None else 0.0


def _tilt(question: MetricQuestion, facts: SceneFacts, speak: Speaker, frames: list[int]) -> Measurement:
    path = facts.trajectory
    if not path.level:
        raise CannotTell("Which way is up is not known here, so the camera's tilt is not either.",
                         "此处不知道竖直方向，无法给出相机倾角。")  # fmt: skip
    if len(frames) == 1:
        place = path.position(frames[0])
        if place is None:
            raise CannotTell(
                f"The camera's pose in frame {frames[0]} is not known.", f"第{frames[0]}帧的相机位姿未知。"
            )
        path = path.between(frames[0], frames[0])
    elif len(frames) >= 2:
        path = stretch(facts, frames)
    tilt, roll = tilt_deg(path), roll_deg(path)
    mean = float(tilt.mean())
    choice = "up" if mean > 2 else "down" if mean < -2 else "level"
    expects = question.expects if question.expects in ("up", "down") else ""
    lead = ""
    if question.polar:
        yes = choice == expects if expects else choice != "level"
        lead = speak.say("Yes: " if yes else "No: ", "是：" if yes else "否：")
    when = (
        speak.say(f"in frame {frames[0]} ", f"第{frames[0]}帧时")
        if len(frames) == 1
        else span_words(path, frames, speak)
    )
    looks = {
        "up": speak.say(f"looks up by {speak.angle(mean)}", f"向上仰 {speak.angle(mean)}"),
        "down": speak.say(f"looks down by {speak.angle(mean)}", f"向下俯 {speak.angle(mean)}"),
        "level": speak.say(f"looks level, within {speak.angle(mean)}", f"基本水平，偏差 {speak.angle(mean)}"),
    }[choice]
    often = "" if path.num_poses == 1 else speak.say(
        f" on average (from {tilt.min():.0f} to {tilt.max():.0f} degrees; up is positive)",
        f"（平均；范围 {tilt.min():.0f} 到 {tilt.max():.0f} 度，向上为正）",
    )  # fmt: skip
    lean = float(roll[np.abs(roll).argmax()])
    text = f"{lead}{when}" + speak.say(f"the camera {looks}{often}", f"相机{looks}{often}")
    if question.aspect == "roll":
        text += speak.say(f"; it is rolled by at most {speak.angle(lean)}", f"；最大横滚 {speak.angle(lean)}")
    values = [quantity("tilt", mean, "deg"), quantity("roll", lean, "deg")]
    return Measurement(
        text=opened(text) + speak.say(".", "。"),
        source="measurement",
        kind=question.kind,
        quantities=tuple(values[::-1] if question.aspect == "roll" else values),
        evidence=evidence(path),
        key=speak.angle(lean if question.aspect == "roll" else mean),
        choice=""
        if question.aspect == "roll"
        else speak.say(choice, {"up": "向上", "down": "向下", "level": "水平"}[choice]),
        not_chosen=tuple(speak.say(w, z) for w, z in (("up", "向上"), ("down", "向下")) if w != choice),
        basis=weakest(facts.status.poses, facts.status.gravity),
    )


def _moving(question: MetricQuestion, facts: SceneFacts, speak: Speaker, frames: list[int]) -> Measurement:
    path = stretch(facts, frames)
    turn = turning(path)
    reach = float(np.linalg.norm(path.centers - path.centers[0], axis=1).max())
    moves, turns = reach >= _threshold(facts), max(turn.left, turn.right) >= _TURNED_DEG
    length = path_length(path)
    span = span_words(path, frames, speak)
    yes = (moves or turns) == (question.aspect != "still")
    lead = speak.say("Yes: " if yes else "No: ", "是：" if yes else "否：") if question.polar else ""
    if moves:
        text = speak.say(
            f"{lead}{span}the camera is moving: it travels {speak.length(length)}.",
            f"{lead}{span}相机在移动：共移动 {speak.length(length)}。",
        )
    elif turns:
        text = speak.say(
            f"{lead}{span}the camera turns on the spot, {speak.angle(turn.left)} to the left and "
            f"{speak.angle(turn.right)} to "
            f"the right; its place changes by {speak.length(reach)} at most.",
            f"{lead}{span}相机原地转动：向左 {speak.angle(turn.left)}、向右 {speak.angle(turn.right)}；位置变化至多 "
            f"{speak.length(reach)}。",
        )
    else:
        text = speak.say(
            f"{lead}{span}the camera stands still: its place changes by {speak.length(reach)} at most.",
            f"{lead}{span}相机静止：位置变化至多 {speak.length(reach)}。",
        )
    return Measurement(
        text=opened(text) + speak.relative(),
        source="measurement",
        kind=question.kind,
        quantities=(quantity("reach", reach, facts.unit), quantity("path_length", length, facts.unit)),
        evidence=evidence(path),
        choice=speak.say(
            "moving" if moves else "turns" if turns else "still", "移动" if moves else "转动" if turns else "静止"
        ),
        not_chosen=(speak.say("still", "静止"),) if moves or turns else (speak.say("moving", "在移动"),),
        basis=length_basis(facts),
    )
