"""Questions about image points: distance, nearness, height, distance from one another, slope of the surface."""

import math

import numpy as np

from video3d.answers.facts import SceneFacts, weakest
from video3d.answers.look_up import SeenPoint, look_up, point_evidence, read_frame, surface_normal
from video3d.answers.measurement import CannotTell, Measurement, Speaker, finite, quantity, speaker
from video3d.answers.question import MetricQuestion
from video3d.types import PosedClip, Status

_LEVEL_DEG, _UPRIGHT_DEG = 15.0, 75.0


def measure_points(question: MetricQuestion, clip: PosedClip, facts: SceneFacts) -> Measurement:
    """Answers a question about image points; the kinds whose name begins with ``point_`` or ``surface_``.

    Raises:
        CannotTell: what it needs is not known.
    """
    speak = speaker(question, facts)
    seen = [look_up(ref, clip, facts) for ref in question.points]
    if not facts.world.metric and len({p.frame for p in seen}) > 1:
        pieces = {int(clip.piece[p.position]) for p in seen}
        if len(pieces) > 1 or pieces == {-1}:
            raise CannotTell(
                "These frames are in different pieces of the reconstruction, each with a scale of its own, so "
                "distances in "
                "them cannot be compared.",
                "这些帧属于重建的不同部分，各有自己的尺度，无法比较。",
            )
    make = {
        "point_distance": _distance,
        "point_nearer": _nearer,
        "point_to_point": _to_point,
        "point_height": _height,
        "point_higher": _higher,
        "surface_orientation": _slope,
    }[question.kind]
    return make(question, clip, facts, speak, seen)


def _name(point: SeenPoint, seen: list[SeenPoint], speak: Speaker) -> str:
    """A point in words, with its frame where the question speaks of several."""
    where = f"({point.column}, {point.row})"
    if len({p.frame for p in seen}) == 1:
        return speak.say(f"pixel {where}", f"像素 {where}")
    return speak.say(f"pixel {where} of frame {point.frame}", f"第{point.frame}帧像素 {where}")


def _caveats(question: MetricQuestion, seen: list[SeenPoint], speak: Speaker) -> str:
    """What must be said besides: no frame named, depth borrowed from beside the pixel, no scale."""
    said = ""
    if question.points and all(ref.frame is None for ref in question.points):
        said += speak.say(
            f" (No frame was named, so this is frame {seen[0].frame}.)", f"（未指明帧，取第{seen[0].frame}帧。）"
        )
    for point in seen:
        if point.borrowed_px:
            said += speak.say(
                f" (Pixel ({point.column}, {point.row}) has no depth of its own; it was taken from {point.borrowed_px} "
                f"{'pixel' if point.borrowed_px == 1 else 'pixels'} away.)",
                f"（像素 ({point.column}, {point.row}) 自身没有深度，取自 {point.borrowed_px} 像素之外。）",
            )
    return said + speak.relative()


def _about(facts: SceneFacts, speak: Speaker) -> str:
    """A word of caution where the depth is estimated."""
    return speak.say("about ", "约 ") if facts.status.depth == "estimated" else ""


def _depth_basis(facts: SceneFacts) -> tuple[Status, ...]:
    return (facts.status.depth, *((facts.status.scale,) if facts.world.metric else ()))


def _distance(
    question: MetricQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker, seen: list[SeenPoint]
) -> Measurement:
    if question.frames:
        return _distance_from_elsewhere(question, clip, facts, speak, seen)
    deep, about = question.aspect == "depth", _about(facts, speak)
    values, sentences = [], []
    for number, point in enumerate(seen):
        suffix = f"_{number + 1}" if len(seen) > 1 else ""
        values += [
            quantity(f"range{suffix}", point.range, facts.unit),
            quantity(f"depth{suffix}", point.depth, facts.unit),
        ]
        spoken = (speak.length(point.range), speak.length(point.depth))
        place = _name(point, [point], speak)
        if deep:
            sentences.append(
                speak.say(
                    f"The depth at {place} of frame {point.frame}, along the viewing axis, is {about}{spoken[1]}; "
                    f"in a straight line it is {spoken[0]} from the camera.",
                    f"第{point.frame}帧{place}处沿光轴的深度{about or '为 '}{spoken[1]}，到相机的直线距离为 "
                    f"{spoken[0]}。",
                )
            )
        else:
            sentences.append(
                speak.say(
                    f"The point at {place} of frame {point.frame} is {about}{spoken[0]} from the camera in a "
                    f"straight line "
                    f"(its depth along the viewing axis is {spoken[1]}).",
                    f"第{point.frame}帧{place}处的点到相机的直线距离{about or '为 '}{spoken[0]}（沿光轴的深度为 "
                    f"{spoken[1]}）。",
                )
            )
    if deep:
        values = [*values[1::2], *values[::2]]
    return Measurement(
        text=speak.say(" ", "").join(sentences) + _caveats(question, seen, speak),
        source="measurement",
        kind=question.kind,
        quantities=tuple(values),
        evidence=point_evidence(seen),
        key=speak.length(seen[0].depth if deep else seen[0].range),
        basis=weakest(*_depth_basis(facts)),
    )


def _distance_from_elsewhere(
    question: MetricQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker, seen: list[SeenPoint]
) -> Measurement:
    """How far the camera of one frame is from a point seen in another."""
    frame = read_frame(question.frames[0], clip, facts)
    place = facts.trajectory.position(frame)
    if place is None or not np.isfinite(seen[0].point_world).all():
        raise _no_pose(frame if place is None else seen[0].frame)
    far = float(np.linalg.norm(facts.trajectory.centers[place] - seen[0].point_world))
    text = speak.say(
        f"The camera in frame {frame} is {speak.length(far)} from the point at {_name(seen[0], seen, speak)} of frame "
        f"{seen[0].frame}, in a straight line.",
        f"第{frame}帧的相机到第{seen[0].frame}帧{_name(seen[0], seen, speak)}处的点的直线距离为 {speak.length(far)}。",
    )
    return Measurement(
        text=text + _caveats(question, seen, speak),
        source="measurement",
        kind=question.kind,
        quantities=(quantity("range", far, facts.unit),),
        evidence=point_evidence(seen),
        key=speak.length(far),
        basis=weakest(*_depth_basis(facts), facts.status.poses),
    )


def _no_pose(frame: int) -> CannotTell:
    return CannotTell(
        f"The camera's pose in frame {frame} is not known, so places in it cannot be compared with other frames or "
        f"with "
        "the floor.",
        f"第{frame}帧的相机位姿未知，无法与其他帧或地面比较。",
    )


def _nearer(
    question: MetricQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker, seen: list[SeenPoint]
) -> Measurement:
    farther = question.aspect == "farther"
    order = sorted(range(len(seen)), key=lambda i: -seen[i].range if farther else seen[i].range)
    best, second = seen[order[0]], seen[order[1]]
    gap = abs(second.range - best.range)
    names = {i: _name(seen[i], seen, speak) for i in range(len(seen))}
    rest = speak.say(" and ", "、").join(
        f"{speak.length(seen[i].range)} {speak.say('for', '——')} {names[i]}" for i in order[1:]
    )
    same = gap <= 0.005 * best.range
    word = speak.say("farther" if farther else "nearer", "更远" if farther else "更近")
    lead = ""
    if question.polar:
        lead = speak.say(
            "Yes: " if order[0] == 0 and not same else "No: ", "是：" if order[0] == 0 and not same else "否："
        )
    where = "" if len({p.frame for p in seen}) > 1 else speak.say(f" in frame {best.frame}", f"（第{best.frame}帧）")
    if same:
        text = speak.say(
            f"{lead}{names[order[0]]} and {names[order[1]]} are equally far{where}: {speak.length(best.range)} "
            f"from the camera, "
            f"and {rest}; the difference is {speak.length(gap)}.",
            f"{lead}{names[order[0]]}与{names[order[1]]}距离相同{where}：到相机 {speak.length(best.range)}，{rest}；"
            f"相差 {speak.length(gap)}。",
        )
    else:
        text = speak.say(
            f"{lead}{names[order[0]]} is {word}{where}: {speak.length(best.range)} from the camera, against {rest}; "
            f"the difference is {speak.length(gap)}.",
            f"{lead}{names[order[0]]}{word}{where}：到相机 {speak.length(best.range)}，而 {rest}；相差 "
            f"{speak.length(gap)}。",
        )
    values = [quantity(f"range_{i + 1}", p.range, facts.unit) for i, p in enumerate(seen)]
    values += [quantity(f"depth_{i + 1}", p.depth, facts.unit) for i, p in enumerate(seen)]
    difference = quantity("difference", gap, facts.unit)
    chosen = quantity("choice", order[0] + 1, "index")
    head = [difference, chosen] if question.amount else [chosen, difference]
    return Measurement(
        text=text[0].upper() + text[1:] + _caveats(question, seen, speak),
        source="measurement",
        kind=question.kind,
        quantities=(*([difference] if same else head), *values),
        evidence=point_evidence(seen),
        key=speak.length(gap) if question.amount else "",
        choice="" if same else names[order[0]],
        not_chosen=tuple(names[i] for i in order[1:]),
        basis=weakest(*_depth_basis(facts)),
    )


def _to_point(
    question: MetricQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker, seen: list[SeenPoint]
) -> Measurement:
    first, second = seen[0], seen[1]
    one_view = first.frame == second.frame
    in_world = all(np.isfinite(p.point_world).all() for p in seen[:2])
    if not one_view and not in_world:
        raise _no_pose(next(p.frame for p in seen if not np.isfinite(p.point_world).all()))
    if one_view:
        step = second.point_camera - first.point_camera
        if in_world:
            step = clip.world_from_camera[first.position][:3, :3] @ step
    else:
        step = second.point_world - first.point_world
    level = facts.world.gravity_aligned and in_world
    far = float(np.linalg.norm(step))
    flat = float(np.hypot(step[0], step[1])) if level else float("nan")
    rise = float(step[2]) if level else float("nan")
    wanted = question.aspect or "straight"
    if wanted != "straight" and not level:
        raise CannotTell("Which way is up is not known here, so a horizontal or vertical distance is not either.",
                         "此处不知道竖直方向，无法给出水平或竖直距离。")  # fmt: skip
    value = {"straight": far, "horizontal": flat, "vertical": abs(rise)}[wanted]
    pair = f"{_name(first, seen, speak)}{speak.say(' and ', '与')}{_name(second, seen, speak)}"
    where = speak.say(f" in frame {first.frame}", f"（第{first.frame}帧）") if one_view else ""
    kind = speak.say(
        {"straight": "in a straight line", "horizontal": "horizontally", "vertical": "in height"}[wanted],
        {"straight": "直线距离", "horizontal": "水平距离", "vertical": "高度差"}[wanted],
    )
    about = _about(facts, speak)
    text = speak.say(
        f"The points at {pair}{where} are {about}{speak.length(value)} apart {kind}.",
        f"{pair}{where}两点的{kind}{about or '为 '}{speak.length(value)}。",
    )
    if level and wanted == "straight":
        text += speak.say(
            f" Horizontally it is {speak.length(flat)}, in height {speak.length(abs(rise))}.",
            f"水平 {speak.length(flat)}，高差 {speak.length(abs(rise))}。",
        )
    values = {"straight": far, "horizontal": flat, "vertical": abs(rise)}
    names = [wanted, *(n for n in values if n != wanted)]
    return Measurement(
        text=text + _caveats(question, seen, speak),
        source="measurement",
        kind=question.kind,
        quantities=finite([quantity(f"distance_{n}", values[n], facts.unit) for n in names]),
        evidence=point_evidence(seen),
        key=speak.length(value),
        basis=weakest(*_depth_basis(facts), *(() if one_view else (facts.status.poses,))),
    )


def _over_floor(point: SeenPoint, clip: PosedClip, facts: SceneFacts, speak: Speaker) -> float:
    if not facts.world.gravity_aligned:
        raise CannotTell(
            "Which way is up is not known here, so heights are not either.", "此处不知道竖直方向，无法给出高度。"
        )
    if not np.isfinite(point.point_world).all():
        raise _no_pose(point.frame)
    if facts.floor_z is None:
        below = float(point.point_world[2] - clip.world_from_camera[point.position, 2, 3])
        en, zh = ("below", "低") if below < 0 else ("above", "高")
        raise CannotTell(
            f"The floor was not seen, so heights over it are not known. The point at pixel ({point.column}, "
            f"{point.row}) of "
            f"frame {point.frame} is {speak.length(abs(below))} {en} the camera.",
            f"没有看到地面，无法给出离地高度。第{point.frame}帧像素 ({point.column}, {point.row}) 处的点比相机"
            f"{zh} {speak.length(abs(below))}。",
        )
    return float(point.point_world[2] - facts.floor_z)


def _height(
    question: MetricQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker, seen: list[SeenPoint]
) -> Measurement:
    heights = [_over_floor(p, clip, facts, speak) for p in seen]
    about = _about(facts, speak)
    sentences = [
        speak.say(
            f"The point at {_name(p, [p], speak)} of frame {p.frame} is {about}{speak.length(h)} above the floor.",
            f"第{p.frame}帧{_name(p, [p], speak)}处的点离地面{about or ' '}{speak.length(h)}。",
        )
        for p, h in zip(seen, heights, strict=True)
    ]
    return Measurement(
        text=speak.say(" ", "").join(sentences) + _caveats(question, seen, speak),
        source="measurement",
        kind=question.kind,
        quantities=tuple(
            quantity("height" if len(seen) == 1 else f"height_{i + 1}", h, facts.unit) for i, h in enumerate(heights)
        ),
        evidence=point_evidence(seen),
        key=speak.length(heights[0]),
        basis=facts.floor_source,
    )


def _higher(
    question: MetricQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker, seen: list[SeenPoint]
) -> Measurement:
    if not facts.world.gravity_aligned:
        raise CannotTell(
            "Which way is up is not known here, so heights are not either.", "此处不知道竖直方向，无法比较高低。"
        )
    for point in seen:
        if not np.isfinite(point.point_world).all():
            raise _no_pose(point.frame)
    lower = question.aspect == "lower"
    z = [float(p.point_world[2]) for p in seen]
    order = sorted(range(len(seen)), key=lambda i: z[i] if lower else -z[i])
    gap = abs(z[order[0]] - z[order[1]])
    word = speak.say("lower" if lower else "higher", "更低" if lower else "更高")
    names = [_name(p, seen, speak) for p in seen]
    lead = (
        speak.say("Yes: " if order[0] == 0 else "No: ", "是：" if order[0] == 0 else "否：") if question.polar else ""
    )
    text = speak.say(
        f"{lead}{names[order[0]]} is {word} than {names[order[1]]} by {speak.length(gap)}.",
        f"{lead}{names[order[0]]}比{names[order[1]]}{word} {speak.length(gap)}。",
    )
    values = [quantity("choice", order[0] + 1, "index"), quantity("difference", gap, facts.unit)]
    values = values[::-1] if question.amount else values
    if facts.floor_z is not None:
        values += [quantity(f"height_{i + 1}", h - facts.floor_z, facts.unit) for i, h in enumerate(z)]
    return Measurement(
        text=text[0].upper() + text[1:] + _caveats(question, seen, speak),
        source="measurement",
        kind=question.kind,
        quantities=tuple(values),
        evidence=point_evidence(seen),
        key=speak.length(gap) if question.amount else "",
        choice=names[order[0]],
        not_chosen=tuple(names[i] for i in order[1:]),
        basis=weakest(*_depth_basis(facts), facts.status.poses, facts.status.gravity),
    )


def _slope(
    question: MetricQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker, seen: list[SeenPoint]
) -> Measurement:
    point = seen[0]
    if not facts.world.gravity_aligned:
        raise CannotTell(
            "Which way is up is not known here, so slopes are not either.", "此处不知道竖直方向，无法判断坡度。"
        )
    if not np.isfinite(point.point_world).all():
        raise _no_pose(point.frame)
    normal = surface_normal(point, clip)
    if normal is None:
        raise CannotTell(
            f"The surface around pixel ({point.column}, {point.row}) of frame {point.frame} is not flat or its "
            f"depth is too "
            "noisy to tell its slope.",
            f"第{point.frame}帧像素 ({point.column}, {point.row}) 周围不平整或深度噪声太大，无法判断坡度。",
        )
    angle = math.degrees(math.acos(min(1.0, abs(float(clip.world_from_camera[point.position][2, :3] @ normal)))))
    level, upright = angle <= _LEVEL_DEG, angle >= _UPRIGHT_DEG
    choice = speak.say("horizontal" if level else "vertical" if upright else "sloped",
                       "水平" if level else "竖直" if upright else "倾斜")  # fmt: skip
    asked = [c for c, words in (("horizontal", "horizontal|level|flat"), ("vertical", "vertical|upright"))
             if any(w in question.text.lower() for w in words.split("|"))]  # fmt: skip
    lead = (
        ("Yes: " if asked[0] == choice else "No: ")
        if question.polar and len(asked) == 1 and speak.language == "en"
        else ""
    )
    text = speak.say(
        f"{lead}the surface at {_name(point, seen, speak)} of frame {point.frame} is {choice}, "
        f"{speak.angle(angle)} from level.",
        f"第{point.frame}帧{_name(point, seen, speak)}处的表面是{choice}的：与水平面夹角 {speak.angle(angle)}。",
    )
    return Measurement(
        text=text[0].upper() + text[1:] + _caveats(question, seen, speak),
        source="measurement",
        kind=question.kind,
        quantities=(quantity("slope", angle, "deg"),),
        evidence=point_evidence(seen),
        key=speak.angle(angle),
        choice=choice,
        not_chosen=tuple({"horizontal", "vertical", "水平", "竖直"} - {choice}),
        basis=weakest(*_depth_basis(facts), facts.status.poses, facts.status.gravity),
    )
