"""Looks up what a question names: frames of the recording, image points with their depth and place in the world."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float32, Float64

from video3d.answers.facts import SceneFacts
from video3d.answers.measurement import CannotTell
from video3d.answers.references import FrameRef, PointRef, resolve_frame
from video3d.geometry.rigid import scale_k
from video3d.types import Evidence, ImagePoint, PosedClip

_SAME_SURFACE = 0.02  # neighbours within this share of the depth are on the pixel's own surface
_REACH = 0.012  # how far from a pixel without depth one is looked for, as a share of the image's width
_PATCH = 0.02  # half side of the patch that tells a surface's slope, as a share of the image's width


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPoint:
    """An image point with its depth.

    Attributes:
        frame: index into the recording.
        position: place of the frame in the clip.
        x_px: column at the recording's full size, centres at +0.5.
        y_px: row.
        column: as the user counts, from 0.
        row: as the user counts, from 0.
        depth: z-depth.
        point_camera: the point in the camera's frame.
        point_world: in the world, NaN where the frame has no pose in it.
        borrowed_px: 0 if the pixel has depth of its own, else how far away the depth was taken from, in pixels.
    """

    frame: int
    position: int
    x_px: float
    y_px: float
    column: int
    row: int
    depth: float
    point_camera: Float64[np.ndarray, "3"]
    point_world: Float64[np.ndarray, "3"]
    borrowed_px: int

    @property
    def range(self) -> float:
        """Straight line from the camera."""
        return float(np.linalg.norm(self.point_camera))


def read_frame(ref: FrameRef | None, clip: PosedClip, facts: SceneFacts) -> int:
    """The recording's index of a frame that a question names.

    Raises:
        CannotTell: no such frame, or a time where times are not known.
    """
    last = facts.num_frames - 1
    index = 0 if ref is None else resolve_frame(ref, facts.num_frames, facts.time_s)
    if index is not None:
        return index
    if ref is not None and ref.by in ("time", "time_from_end"):
        known = facts.time_s[np.isfinite(facts.time_s)]
        if known.size == 0:
            raise CannotTell(
                f"The recording does not say when its frames were taken; name a frame, 0 to {last}, instead of a time.",
                f"录像没有时间信息；请用帧号（0 到 {last}）代替时间。",
            )
        end = float(known.max())
        raise CannotTell(
            f"There is no frame at {ref.value:g} s: the recording lasts {end:.1f} s.",
            f"{ref.value:g} 秒处没有画面：录像长 {end:.1f} 秒。",
        )
    value = 0 if ref is None else ref.value
    raise CannotTell(
        f"There is no frame {value:g}: the recording has frames 0 to {last}.",
        f"没有第{value:g}帧：录像只有第 0 到 {last} 帧。",
    )


def clip_position(frame: int, clip: PosedClip) -> int:
    """Where a frame of the recording is in the clip.

    Raises:
        CannotTell: the frame was not read.
    """
    found = np.flatnonzero(clip.frame_index == frame)
    if found.size == 0:
        near = int(clip.frame_index[np.abs(clip.frame_index - frame).argmin()]) if clip.num_frames else 0
        raise CannotTell(
            f"Frame {frame} is not among the {clip.num_frames} frames that were read; the nearest is frame {near}.",
            f"第{frame}帧不在读取的 {clip.num_frames} 帧之内；最近的是第{near}帧。",
        )
    return int(found[0])


def look_up(ref: PointRef, clip: PosedClip, facts: SceneFacts) -> SeenPoint:
    """Depth and place of an image point.

    A pixel with depth of its own takes the median of the 3x3 pixels around it that lie within 2 % of it: on its
    surface, not across an edge. Without, the smallest square of pixels around it that holds three with depth speaks for
    it, at most 1.2 % of the width to each side.

    Raises:
        CannotTell: frame or pixel do not exist, or the depth or the intrinsics there are not known.
    """
    frame = read_frame(ref.frame, clip, facts)
    height, width = clip.size_hw
    x, y = (ref.x * width, ref.y * height) if ref.unit == "share" else (ref.x, ref.y)
    if ref.unit == "share":
        x, y = min(x, width - 1), min(y, height - 1)
    column, row = math.floor(x), math.floor(y)
    if not (0 <= column < width and 0 <= row < height):
        raise CannotTell(
            f"Pixel ({x:g}, {y:g}) is outside the image, which is {width} pixels wide and {height} high: "
            f"x runs from 0 to {width - 1} and y from 0 to {height - 1}.",
            f"像素 ({x:g}, {y:g}) 在图像之外：图像宽 {width}、高 {height}，x 为 0 到 {width - 1}，y 为 0 到 "
            f"{height - 1}。",
        )
    position = clip_position(frame, clip)
    x_px = x if x != column else column + 0.5
    y_px = y if y != row else row + 0.5
    depth_map = clip.depth_m[position]
    scale_x, scale_y = depth_map.shape[1] / width, depth_map.shape[0] / height
    depth, borrowed = local_depth(depth_map, int(x_px * scale_x), int(y_px * scale_y))
    if not math.isfinite(depth):
        if not np.isfinite(depth_map).any():
            raise CannotTell(
                f"Frame {frame} has no depth, so nothing in it can be measured.", f"第{frame}帧没有深度，无法测量。"
            )
        raise CannotTell(
            f"There is no depth at pixel ({column}, {row}) of frame {frame} or around it; try a pixel close by.",
            f"第{frame}帧像素 ({column}, {row}) 及其周围没有深度；请换一个附近的像素。",
        )
    k = clip.k_px[position]
    if not np.isfinite(k).all():
        raise CannotTell(
            "The camera's intrinsics are not known, so the ray of a pixel is not either.",
            "相机内参未知，无法由像素得到方向。",
        )
    point = depth * np.array([(x_px - k[0, 2]) / k[0, 0], (y_px - k[1, 2]) / k[1, 1], 1.0])
    world = np.full(3, np.nan)
    if clip.piece[position] == 0:
        pose = clip.world_from_camera[position]
        world = pose[:3, :3] @ point + pose[:3, 3]
    return SeenPoint(
        frame=frame,
        position=position,
        x_px=float(x_px),
        y_px=float(y_px),
        column=column,
        row=row,
        depth=depth,
        point_camera=point,
        point_world=world,
        borrowed_px=0 if borrowed == 0 else max(1, round(borrowed / scale_x)),
    )


def local_depth(depth: Float32[np.ndarray, "dh dw"], column: int, row: int) -> tuple[float, int]:
    """Depth at a pixel, and how far away it was taken from (0: the pixel's own); NaN where nothing close by is known.

    >>> depth = np.full((9, 200), 2.0, dtype=np.float32); depth[:, 100:] = 5.0; depth[4, 99] = np.nan
    >>> local_depth(depth, 100, 4), local_depth(depth, 50, 4), local_depth(depth, 99, 4)
    ((5.0, 0), (2.0, 0), (2.0, 1))
    """
    own = float(depth[row, column])
    if math.isfinite(own):
        around = depth[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        same = around[np.abs(around - own) <= _SAME_SURFACE * own]
        return float(np.median(same)) if same.size else own, 0
    for radius in range(1, max(2, round(_REACH * depth.shape[1])) + 1):
        around = depth[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1]
        known = np.sort(around[np.isfinite(around)])
        if known.size >= 3:
            # Across an edge the middle of two surfaces is a place where nothing is: take the surface with more pixels.
            jump = np.diff(known)
            cut = np.flatnonzero(jump > 0.05 * known[:-1])
            parts = np.split(known, cut + 1)
            return float(np.median(max(parts, key=len))), radius
    return float("nan"), 0


def point_evidence(seen: list[SeenPoint]) -> Evidence:
    """Frames, pixels and world points, as evidence."""
    return Evidence(
        frames=tuple(sorted({p.frame for p in seen})),
        points_px=tuple(ImagePoint(frame=p.frame, x_px=p.x_px, y_px=p.y_px) for p in seen),
        points_world=tuple(
            (float(p.point_world[0]), float(p.point_world[1]), float(p.point_world[2]))
            for p in seen
            if np.isfinite(p.point_world).all()
        ),
    )


def surface_normal(point: SeenPoint, clip: PosedClip) -> Float64[np.ndarray, "3"] | None:
    """Unit normal, in the camera's frame, of the surface around a point; None where it is not flat.

    Least squares on the points of a patch that lie within 5 % of the point's depth, fitted again to those near the
    plane.
    """
    depth = clip.depth_m[point.position]
    height, width = depth.shape
    k = scale_k(clip.k_px[point.position][None], clip.size_hw, (height, width))[0]
    half = max(2, round(_PATCH * width))
    column, row = int(point.x_px * width / clip.size_hw[1]), int(point.y_px * height / clip.size_hw[0])
    rows = np.arange(max(0, row - half), min(height, row + half + 1))
    columns = np.arange(max(0, column - half), min(width, column + half + 1))
    z = depth[np.ix_(rows, columns)].astype(np.float64)
    x = (columns + 0.5 - k[0, 2]) / k[0, 0] * z
    y = (rows[:, None] + 0.5 - k[1, 2]) / k[1, 1] * z
    near = np.isfinite(z) & (np.abs(z - point.depth) <= 0.05 * point.depth)
    points = np.stack([x[near], y[near], z[near]], axis=1)
    if points.shape[0] < max(6, 0.3 * z.size):
        return None
    normal, spread = np.zeros(3), np.ones(3)
    for _, last in pairwise(range(4)):
        center = points.mean(axis=0)
        spread, axes = np.linalg.eigh((points - center).T @ (points - center) / points.shape[0])
        normal = axes[:, 0]
        if last == 3:
            break
        off = np.abs((points - center) @ normal)
        keep = off <= 2.5 * max(float(np.sqrt(max(spread[0], 0.0))), 1e-9)
        if keep.sum() < 6:
            break
        points = points[keep]
    thick, breadth = np.sqrt(np.maximum(spread[:2], 0.0))
    return normal if breadth > 0 and thick <= 0.35 * breadth else None
