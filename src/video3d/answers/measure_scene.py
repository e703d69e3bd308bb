"""Questions about the room, the depth in the frames, and the recording itself."""

import math

import numpy as np
from jaxtyping import Float32, Float64

from video3d.answers.facts import SceneFacts, one_unit, weakest
from video3d.answers.look_up import clip_position, read_frame
from video3d.answers.measurement import CannotTell, Measurement, Speaker, finite, quantity, speaker
from video3d.answers.question import MetricQuestion
from video3d.types import Evidence, ImagePoint, PosedClip

_SUPPORT = 5  # of the nine pixels of a block, how many must agree
_AGREE = 0.05


def measure_scene(question: MetricQuestion, clip: PosedClip, facts: SceneFacts) -> Measurement:
    """Answers ``room_size``, ``depth_range``, ``frame_of``, ``duration`` and ``num_frames``.

    Raises:
        CannotTell: what it needs is not known.
    """
    make = {
        "room_size": _room,
        "depth_range": _depth_range,
        "frame_of": _frame_of,
        "duration": _duration,
        "num_frames": _num_frames,
    }[question.kind]
    return make(question, clip, facts, speaker(question, facts))


def _room(question: MetricQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker) -> Measurement:
    room = facts.room
    if room is None:
        if facts.depth is None:
            raise CannotTell("There is no depth, so the size of the room is not known.", "没有深度，无法得到房间大小。")
        if facts.trajectory.num_poses == 0:
            raise CannotTell("The camera's poses are not known, so the views cannot be put together into a room.",
                             "相机位姿未知，无法拼合出房间。")  # fmt: skip
        raise CannotTell("Which way is up is not known here, so the size of the room is not either.",
                         "此处不知道竖直方向，无法给出房间大小。")  # fmt: skip
    if question.aspect == "ceiling" and not room.has_ceiling:
        floor = "the floor" if room.has_floor else "the lowest place seen"
        raise CannotTell(
            f"The ceiling was not seen, so its height is not known; what was seen reaches "
            f"{speak.length(room.height)} above "
            f"{floor}.",
            f"没有看到天花板，高度未知；所见最高处离{'地面' if room.has_floor else '最低处'} "
            f"{speak.length(room.height)}。",
        )
    area, volume = room.length * room.width, room.length * room.width * room.height
    unit = facts.unit
    values = {
        "length": quantity("length", room.length, unit),
        "width": quantity("width", room.width, unit),
        "height": quantity("height", room.height, unit),
        "area": quantity("area", area, f"{unit}^2"),
        "volume": quantity("volume", volume, f"{unit}^3"),
    }
    squared, cubed = (
        (f"{area:.1f} m²", f"{volume:.1f} m³")
        if unit == "m"
        else (f"{area:.2f} square units", f"{volume:.2f} cubic units")
    )
    length, width, height = speak.length(room.length), speak.length(room.width), speak.length(room.height)
    tall = speak.say(
        f"{'it is' if room.has_ceiling else 'what was seen reaches'} {height} "
        + ("high" if room.has_ceiling else f"above {'the floor' if room.has_floor else 'the lowest place seen'}"),
        f"{'高' if room.has_ceiling else '所见最高处离' + ('地面' if room.has_floor else '最低处')} {height}",
    )
    if question.aspect in ("ceiling", "height"):
        key, head = height, "height"
        if room.has_ceiling and room.has_floor:
            text = speak.say(f"The ceiling is {height} above the floor.", f"天花板离地面 {height}。")
        else:
            unseen = "" if room.has_ceiling else speak.say("; the ceiling was not seen", "；没有看到天花板")
            text = f"{tall[0].upper()}{tall[1:]}{unseen}{speak.say('.', '。')}"
    elif question.aspect in ("length", "width"):
        key, head = {"length": (length, "length"), "width": (width, "width")}[question.aspect]
        word = {"length": "long", "width": "wide"}[question.aspect]
        text = speak.say(
            f"The part of the room that was seen is {key} {word} (it covers {length} by {width}).",
            f"所见部分的房间{'长' if head == 'length' else '宽'} {key}（范围 {length} × {width}）。",
        )
    elif question.aspect in ("area", "volume"):
        key, head = {"area": (squared, "area"), "volume": (cubed, "volume")}[question.aspect]
        text = speak.say(
            f"The part of the room that was seen covers {length} by {width}, {squared}"
            + (f"; {tall}, which makes {cubed}." if head == "volume" else "."),
            f"所见部分的房间为 {length} × {width}，面积 {squared}"
            + (f"；{tall}，体积 {cubed}。" if head == "volume" else "。"),
        )
    else:
        key, head = length, "length"
        text = speak.say(
            f"The part of the room that was seen is {length} long and {width} wide ({squared}); {tall}.",
            f"所见部分的房间长 {length}、宽 {width}（{squared}）；{tall}。",
        )
    return Measurement(
        text=text + speak.relative(),
        source="measurement",
        kind=question.kind,
        quantities=(values[head], *(v for n, v in values.items() if n != head)),
        evidence=Evidence(frames=tuple(int(i) for i in clip.frame_index[clip.piece == 0])),
        key=key,
        basis=facts.scene_source,
    )


def frame_ends(
    depth: Float32[np.ndarray, "dh dw"], ray: Float64[np.ndarray, "dh dw"] | None
) -> tuple[tuple[float, int, int], tuple[float, int, int]] | None:
    """Nearest and farthest place of a depth map as (distance, column, row); None without depth.

    Single pixels lie: at edges a depth camera sees points in the air. Nearest and farthest are taken over blocks of 3x3
    pixels of which five are known and all agree within 5 %.

    Args:
        depth: z-depth, NaN unknown.
        ray: straight-line distance of a pixel at z-depth 1; None for z-depth itself.
    """
    rows, columns = depth.shape[0] // 3, depth.shape[1] // 3
    if rows == 0 or columns == 0:
        known = depth[np.isfinite(depth)]
        return None if known.size == 0 else ((float(known.min()), 0, 0), (float(known.max()), 0, 0))
    far = depth if ray is None else depth * ray
    blocks = far[: rows * 3, : columns * 3].reshape(rows, 3, columns, 3)
    count = np.isfinite(blocks).sum(axis=(1, 3))
    low = np.where(np.isfinite(blocks), blocks, np.inf).min(axis=(1, 3))
    high = np.where(np.isfinite(blocks), blocks, -np.inf).max(axis=(1, 3))
    with np.errstate(invalid="ignore"):
        sure = (count >= _SUPPORT) & (high - low <= _AGREE * low)
    if not sure.any():
        return None
    nearest = np.unravel_index(np.where(sure, low, np.inf).argmin(), low.shape)
    farthest = np.unravel_index(np.where(sure, high, -np.inf).argmax(), high.shape)
    return (
        (float(low[nearest]), int(nearest[1]) * 3 + 1, int(nearest[0]) * 3 + 1),
        (float(high[farthest]), int(farthest[1]) * 3 + 1, int(farthest[0]) * 3 + 1),
    )


def _ends(clip: PosedClip, positions: list[int]) -> list[tuple[int, float, int, int, float, int, int]]:
    """(position, nearest, its column and row, farthest, its column and row) of frames with depth, straight-line."""
    height, width = clip.depth_m.shape[1:]
    scale_x, scale_y = clip.size_hw[1] / width, clip.size_hw[0] / height
    found, rays = [], None
    for number, position in enumerate(positions):
        k = clip.k_px[position]
        if rays is None or (number and not np.array_equal(k, clip.k_px[positions[number - 1]])):
            rays = None
            if np.isfinite(k).all():
                x = ((np.arange(width) + 0.5) * scale_x - k[0, 2]) / k[0, 0]
                y = ((np.arange(height) + 0.5) * scale_y - k[1, 2]) / k[1, 1]
                rays = np.sqrt(1.0 + x[None, :] ** 2 + y[:, None] ** 2)
        ends = frame_ends(clip.depth_m[position], rays)
        if ends is not None:
            near, far = ends
            found.append((position, *near, *far))
    return found


def _image_point(clip: PosedClip, position: int, column: int, row: int) -> ImagePoint:
    height, width = clip.depth_m.shape[1:]
    return ImagePoint(
        frame=int(clip.frame_index[position]),
        x_px=(column + 0.5) * clip.size_hw[1] / width,
        y_px=(row + 0.5) * clip.size_hw[0] / height,
    )


def _depth_range(question: MetricQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker) -> Measurement:
    if facts.depth is None:
        raise CannotTell("There is no depth, so distances are not known.", "没有深度，距离未知。")
    frame = read_frame(question.frames[0], clip, facts) if question.frames else None
    every = [int(i) for i in np.flatnonzero(one_unit(clip))]
    positions = every if frame is None else [clip_position(frame, clip)]
    sample = clip.depth_m[positions][:, 1::2, 1::2] if frame is None else clip.depth_m[positions]
    known = sample[np.isfinite(sample)]
    ends = _ends(clip, positions)
    if known.size == 0 or not ends:
        raise CannotTell(f"Frame {frame} has no depth.", f"第{frame}帧没有深度。")
    nearest, farthest = min(ends, key=lambda e: e[1]), max(ends, key=lambda e: e[4])
    median, mean = float(np.median(known)), float(known.mean(dtype=np.float64))
    points = {
        "nearest": _image_point(clip, nearest[0], *nearest[2:4]),
        "farthest": _image_point(clip, farthest[0], *farthest[5:7]),
    }
    values = {"nearest": nearest[1], "farthest": farthest[4], "median": median, "mean": mean}
    where = speak.say(f"in frame {frame}", f"第{frame}帧中") if frame is not None else speak.say(
        f"in the {clip.num_frames} frames read", f"在读取的 {clip.num_frames} 帧中"
    )  # fmt: skip

    def end(name: str) -> str:
        p = points[name]
        spot = f"({int(p.x_px)}, {int(p.y_px)})"
        return speak.say(
            f"{speak.length(values[name])} from the camera, at pixel {spot} of frame {p.frame}",
            f"到相机 {speak.length(values[name])}，位于第{p.frame}帧像素 {spot}",
        )

    if question.aspect in ("nearest", "farthest"):
        text = speak.say(
            f"The {question.aspect} point {where} is {end(question.aspect)}.",
            f"{where}{'最近' if question.aspect == 'nearest' else '最远'}的点{end(question.aspect)}。",
        )
        key = speak.length(values[question.aspect])
    elif question.aspect in ("median", "mean"):
        name = speak.say(question.aspect, {"median": "中位", "mean": "平均"}[question.aspect])
        text = speak.say(
            f"The {name} depth {where} is {speak.length(values[question.aspect])}.",
            f"{where}的{name}深度为 {speak.length(values[question.aspect])}。",
        )
        key = speak.length(values[question.aspect])
    else:
        text = speak.say(
            f"Distances {where} run from {speak.length(nearest[1])} to {speak.length(farthest[4])}; the median "
            f"depth is "
            f"{speak.length(median)}.",
            f"{where}的距离从 {speak.length(nearest[1])} 到 {speak.length(farthest[4])}；深度中位数为 "
            f"{speak.length(median)}。",
        )
        key = speak.length(nearest[1])
    spots = tuple(points[n] for n in ([question.aspect] if question.aspect in points else points))
    head = question.aspect if question.aspect in values else "nearest"
    return Measurement(
        text=text + speak.relative(),
        source="measurement",
        kind=question.kind,
        quantities=finite([quantity(n, values[n], facts.unit) for n in [head, *(n for n in values if n != head)]]),
        evidence=Evidence(frames=tuple(sorted({p.frame for p in spots})), points_px=spots),
        key=key,
        basis=facts.depth.source,
    )


def _frame_of(question: MetricQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker) -> Measurement:
    if question.aspect in ("highest", "lowest"):
        path = facts.trajectory
        if not path.level or path.num_poses == 0:
            raise CannotTell("Poses or the direction of gravity are not known here, so heights are not either.",
                             "此处位姿或竖直方向未知，无法比较高度。")  # fmt: skip
        z = path.centers[:, 2]
        place = int(z.argmax() if question.aspect == "highest" else z.argmin())
        frame, value = int(path.frame_index[place]), float(z[place]) - (facts.floor_z or 0.0)
        over = facts.floor_z is not None
        text = speak.say(
            f"The camera is {question.aspect} in frame {frame}"
            + (f", {speak.length(value)} above the floor." if over else "."),
            f"相机在第{frame}帧{'最高' if question.aspect == 'highest' else '最低'}"
            + (f"，离地面 {speak.length(value)}。" if over else "。"),
        )
        values = [quantity("frame", frame, "frame"), *([quantity("height", value, facts.unit)] if over else [])]
        evidence = Evidence(frames=(frame,))
        basis = facts.floor_source if over else weakest(facts.status.poses, facts.status.gravity)
    else:
        if facts.depth is None:
            raise CannotTell("There is no depth, so distances are not known.", "没有深度，距离未知。")
        ends = _ends(clip, [int(i) for i in np.flatnonzero(one_unit(clip))])
        if not ends:
            raise CannotTell("No surface was seen clearly enough.", "没有看到足够清晰的表面。")
        near = question.aspect == "nearest"
        best = min(ends, key=lambda e: e[1]) if near else max(ends, key=lambda e: e[4])
        value, spot = (best[1], best[2:4]) if near else (best[4], best[5:7])
        point = _image_point(clip, best[0], int(spot[0]), int(spot[1]))
        frame = point.frame
        text = speak.say(
            f"Of the {clip.num_frames} frames read, frame {frame} holds the {question.aspect} point: "
            f"{speak.length(value)} from "
            f"the camera, at pixel ({int(point.x_px)}, {int(point.y_px)}).",
            f"在读取的 {clip.num_frames} 帧中，第{frame}帧有{'最近' if near else '最远'}的点：到相机 "
            f"{speak.length(value)}，位于像素 "
            f"({int(point.x_px)}, {int(point.y_px)})。",
        )
        values = [quantity("frame", frame, "frame"), quantity("range", value, facts.unit)]
        evidence, basis = Evidence(frames=(frame,), points_px=(point,)), facts.depth.source
    return Measurement(
        text=text + speak.relative(),
        source="measurement",
        kind=question.kind,
        quantities=tuple(values),
        evidence=evidence,
        key=speak.frame(frame),
        basis=basis,
    )


def _duration(question: MetricQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker) -> Measurement:
    known = facts.time_s[np.isfinite(facts.time_s)]
    if known.size < 2:
        raise CannotTell(
            f"The recording does not say when its {facts.num_frames} frames were taken.",
            f"录像没有说明其 {facts.num_frames} 帧的拍摄时间。",
        )
    seconds = float(known.max() - known.min())
    text = speak.say(
        f"The recording lasts {speak.seconds(seconds)}, from its first frame to its last ({facts.num_frames} frames).",
        f"录像从第一帧到最后一帧共 {speak.seconds(seconds)}（{facts.num_frames} 帧）。",
    )
    return Measurement(
        text=text,
        source="measurement",
        kind=question.kind,
        quantities=(quantity("duration", seconds, "s"), quantity("num_frames", facts.num_frames, "frames")),
        key=speak.seconds(seconds),
        basis="measured",
    )


def _num_frames(question: MetricQuestion, clip: PosedClip, facts: SceneFacts, speak: Speaker) -> Measurement:
    known = facts.time_s[np.isfinite(facts.time_s)]
    seconds = float(known.max() - known.min()) if known.size >= 2 else math.nan
    rate = (facts.num_frames - 1) / seconds if seconds > 0 else math.nan
    count = speak.say(f"{facts.num_frames} frames", f"{facts.num_frames} 帧")
    values = [quantity("num_frames", facts.num_frames, "frames"), quantity("frame_rate", rate, "frames/s")]
    if question.aspect == "rate":
        if math.isnan(rate):
            raise CannotTell(
                f"The recording does not say when its {count} were taken.", f"录像没有说明其 {count}的拍摄时间。"
            )
        key = speak.say(f"{rate:.1f} frames a second", f"每秒 {rate:.1f} 帧")
        text = speak.say(f"The recording has {key} ({count} in {speak.seconds(seconds)}).",
                         f"录像{key}（{speak.seconds(seconds)}共 {count}）。")  # fmt: skip
        values = values[::-1]
    else:
        key = count
        text = speak.say(f"The recording has {count}; {clip.num_frames} of them were read.",
                         f"录像共有 {count}，其中读取了 {clip.num_frames} 帧。")  # fmt: skip
    return Measurement(
        text=text,
        source="measurement",
        kind=question.kind,
        quantities=finite(values),
        key=key,
        basis="measured",
    )
