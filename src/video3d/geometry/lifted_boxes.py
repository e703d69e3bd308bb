"""From boxes in pictures to boxes in the world: what depth shows in each, and what several pictures agree on.

    boxes in frames ─▶ the surface in each, by depth ─▶ one thing from several frames ─▶ upright boxes around what was seen

A box in a picture holds more than its thing: wall and floor behind it, and what stands before it. The thing is taken for the
surface that most of the box's middle shows, and all that hangs together with it without a jump in depth; the floor, where its height
is known, does not count. What is left of the background another view tells: a point that it sees outside its own box of the thing
is none of it. Where a mask says which pixels show the thing, it decides, and depth has only what the mask leaks to take away
(``lifted_masks``).

Nothing here has a length of its own: a world that is scaled gives scaled boxes. The size is that of what was seen, so a thing that was
seen from one side only comes out too thin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from video3d.geometry.boxes import iou_3d_matrix
from video3d.geometry.lifted_masks import check_mask, shown_at, without_leaks
from video3d.geometry.rigid import inverse_rigid, is_known, pixel_rays, project, scale_k, transform_points
from video3d.types import Box3D, Detection, PosedClip, World
from video3d.types.detector import SeenBox

_SIDE = 40  # places across a box that are looked at
_AROUND = 0.25  # of its sides, around it
_SPARSE = 0.5  # of the pixels of a box with depth: with less its gaps are closed
_GAP_PX = 4.0
_GAP_SPACING = 0.75  # of the mean spacing of what is known, where that is wider: a LiDAR's rings
_LEAST = 12  # places on a thing
_PART = 0.02  # of a box's places, for what is no speck
_JUMP = 0.15  # of a thing's size: a larger step in depth is between two surfaces
_DEEP = 0.5  # sizes behind or before its main surface: no longer the thing
_FOOT = 0.04  # of a thing's size over what it stands on is taken for that
_FOOT_MOST_M = 0.05
_FLAT = 0.15  # of a box's places over what it stands on: with less the thing lies flat
_TRIM = 1.0  # percent off each end of an extent
_CLOSE = 0.03  # of a rectangle's side: points as close to it are on it
_MOST = 600  # points that tell a direction
_SAME_IOU = 0.1
NEAR = 0.5
"""``apart`` up to which two boxes of one name are of one thing."""
_SUREST = 3
_DISAGREE = 0.3  # of the other views that see a point outside their box of the thing
_MARGIN = 0.04  # of a box's sides, around it
_HIDDEN = 0.05  # nearer by this share of the depth hides a place


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lifted:
    """What depth shows in one box of one frame.

    Attributes:
        seen: the box; its frame is the position in the clip.
        points_world: places on the thing's surface.
        box: upright, around them.
    """

    seen: SeenBox
    points_world: Float64[np.ndarray, "n 3"]
    box: Box3D


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiftedThing:
    """A thing that boxes of several frames agree on.

    Attributes:
        found: its box, name, and score: the mean over the frames that look at its middle, 0 where a frame does and has no box of it.
        frames: positions in the clip of the frames that have a box of it.
        sure: that at least one of its three surest boxes is right, were they independent: 1 - (1 - a)(1 - b)(1 - c).
    """

    found: Detection
    frames: tuple[int, ...]
    sure: float


def lift_boxes(
    seen: Sequence[SeenBox],
    clip: PosedClip,
    *,
    looked: Sequence[int],
    floor_z: float | None,
    largest_m: Mapping[str, float] | None = None,
) -> tuple[LiftedThing, ...]:
    """Things in the world from boxes in frames, those of the highest score first; boxes without depth or pose are left out.

    A thing has an upright box around what was seen of it.

    Args:
        seen: boxes in pixels of ``clip.rgb``, ``frame`` being the position in the clip.
        clip: with depth, intrinsics and poses in its world, +z up.
        looked: positions in the clip of all frames that boxes were looked for in.
        floor_z: height of the floor; None: not known.
        largest_m: how large things of some names may be, see ``lift_box``.

    >>> from video3d.types import World
    >>> depth = np.full((1, 40, 40), 4.0, np.float32); depth[0, 10:30, 15:25] = 2.0
    >>> clip = PosedClip(
    ...     frame_index=np.array([0]), time_s=np.zeros(1), rgb=np.zeros((1, 40, 40, 3), np.uint8), depth_m=depth,
    ...     k_px=np.array([[[40.0, 0, 20], [0, 40, 20], [0, 0, 1]]]), world_from_camera=np.eye(4)[None],
    ...     piece=np.array([0]), world=World(metric=True))
    >>> cup = SeenBox(frame=0, label="cup", score=0.8, box_px=(14.0, 9.0, 26.0, 31.0))
    >>> [thing] = lift_boxes([cup], clip, looked=[0], floor_z=None)
    >>> thing.found.box.center_world.round(1).tolist(), thing.found.score, thing.frames
    ([0.0, 0.0, 2.0], 0.8, (0,))
    """
    tried = (lift_box(box, clip, floor_z, (largest_m or {}).get(box.label, np.inf)) for box in seen)
    lifted = [one for one in tried if one is not None]
    things = [_thing([lifted[i] for i in group], clip, looked, floor_z) for group in same_things(lifted)]
    return tuple(sorted(things, key=lambda one: (-one.found.score, one.found.box.center_world.tolist())))


def lift_box(seen: SeenBox, clip: PosedClip, floor_z: float | None = None, largest_m: float = np.inf) -> Lifted | None:
    """What depth shows in one box, or of its mask; None where that is too little, or the frame has no place in the world.

    Args:
        seen: the box, in pixels of ``clip.rgb``.
        clip: with depth, intrinsics and poses.
        floor_z: height of the floor; None: not known.
        largest_m: how large the thing may be; what would make it larger lies behind it. For worlds in metres.

    Raises:
        ValueError: a mask that is not of a frame of this size.
    """
    check_mask(seen.mask, clip.size_hw)
    frame, pose = seen.frame, clip.world_from_camera[seen.frame]
    if clip.piece[frame] != 0 or not (is_known(pose) and is_known(clip.k_px[frame])):
        return None
    depth = clip.depth_m[frame]
    k_px = scale_k(clip.k_px[frame], clip.size_hw, (depth.shape[0], depth.shape[1]))
    left, top, right, bottom = np.array(_window(seen)) * np.tile(depth.shape[::-1] / np.array(clip.size_hw[::-1]), 2)
    rows, columns = _places(top, bottom, depth.shape[0]), _places(left, right, depth.shape[1])
    row, column = (index.reshape(-1) for index in np.meshgrid(rows, columns, indexing="ij"))
    shown = core = (column + 0.5 > left) & (column + 0.5 < right) & (row + 0.5 > top) & (row + 0.5 < bottom)
    if seen.mask is not None:
        shown, core = shown_at(seen.mask, row, column, (depth.shape[0], depth.shape[1]), clip.size_hw)
    below = (column + 0.5 > left) & (column + 0.5 < right) & (row + 0.5 >= bottom)
    z = _closed(depth[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])[row - rows[0], column - columns[0]]
    points = transform_points(pose, pixel_rays(k_px, row, column) * z[:, None])
    size = z * max((right - left) / k_px[0, 0], (bottom - top) / k_px[1, 1])  # of the thing, were it this far
    if clip.world.metric:
        z[size > largest_m] = np.nan
    low = _of_what_it_stands_on(points[:, 2], size, shown, below, floor_z, clip.world)
    z[low if seen.mask is None else ~shown | (low & ~core)] = np.nan
    grid = (len(rows), len(columns))
    label = _hanging_together(z.reshape(grid), _JUMP * size.reshape(grid)).reshape(-1)
    if seen.mask is None:
        on = _fitting(label, row + 0.5, column + 0.5, z, size, shown, np.array([left, top, right, bottom]))
    else:
        on = without_leaks(label, z, size, core)
    if on.sum() < _LEAST:
        return None
    return Lifted(seen=seen, points_world=points[on], box=box_around(points[on], floor_z))


def box_around(points_world: Float64[np.ndarray, "n 3"], floor_z: float | None = None) -> Box3D:
    """The upright box around all but the outermost points of what was seen of a thing, along its sides.

    Its foot goes down to the floor where that is near: the lowest points of a thing were taken for floor.
    """
    yaw = _heading(points_world[:, :2])
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    low, high = np.percentile(points_world @ turn, [_TRIM, 100 - _TRIM], axis=0)
    if floor_z is not None and low[2] - floor_z < 0.15 * (high[2] - low[2]):
        low[2] = min(low[2], floor_z)
    least = max(0.01 * float((high - low).max()), 1e-9)
    return Box3D(center_world=turn @ ((low + high) / 2), size_m=np.maximum(high - low, least), world_from_box=turn)


def _heading(xy: Float64[np.ndarray, "n 2"]) -> float:
    """Direction in radians of the rectangle to whose sides points lie closest, seen from above.

    Of a thing mostly two sides are seen, and the smallest rectangle around an L leans (Zhang et al., "Efficient L-Shape Fitting for
    Vehicle Detection Using Laser Scanners", 2017, whose criterion of closeness this is).
    """
    xy = xy[:: max(1, len(xy) // _MOST)]
    angle = np.radians(np.arange(0.0, 90.0, 3.0))
    axes = np.stack([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # along or across, x or y, angle
    place = np.stack([xy @ axis for axis in axes])  # along or across, point, angle
    low, high = np.percentile(place, [_TRIM, 100 - _TRIM], axis=1)
    away = np.minimum(np.abs(place - low[:, None]), np.abs(high[:, None] - place)).min(axis=0)
    side = max(float(np.sqrt((high - low).prod(axis=0).min())), 1e-9)
    return float(angle[(1 / np.maximum(away / side, _CLOSE)).mean(axis=0).argmax()])


def apart(a: Box3D, b: Box3D) -> float:
    """How far the middles of two boxes are from each other, in their longest sides (the mean of both)."""
    return float(np.linalg.norm(a.center_world - b.center_world) / ((a.size_m.max() + b.size_m.max()) / 2))


def same_things(lifted: Sequence[Lifted]) -> list[list[int]]:
    """Which boxes show one thing: of one name, in one place, no two of one frame. The order of the boxes does not matter.

    The nearest to each other are joined first.
    """
    boxes = [one.box for one in lifted]
    shared = iou_3d_matrix(boxes, boxes) if boxes else np.zeros((0, 0))
    pairs = []
    for i, a in enumerate(lifted):
        for j in range(i + 1, len(lifted)):
            b = lifted[j]
            if a.seen.label != b.seen.label or a.seen.frame == b.seen.frame:
                continue
            away = apart(a.box, b.box)
            if away <= NEAR or shared[i, j] >= _SAME_IOU:
                pairs.append((away, sorted([(a.seen.frame, a.seen.box_px), (b.seen.frame, b.seen.box_px)]), i, j))
    group = list(range(len(lifted)))
    frames = [{one.seen.frame} for one in lifted]
    for _, _, i, j in sorted(pairs):
        one, other = group[i], group[j]
        if one != other and not frames[one] & frames[other]:
            frames[one] |= frames[other]
            group = [one if g == other else g for g in group]
    return [[i for i, g in enumerate(group) if g == name] for name in dict.fromkeys(group)]


def _thing(members: list[Lifted], clip: PosedClip, looked: Sequence[int], floor_z: float | None) -> LiftedThing:
    members = sorted(members, key=lambda one: one.seen.frame)
    points = np.concatenate([one.points_world for one in members])
    kept = points[_agreed(points, members, clip)]
    box = box_around(kept if len(kept) >= _LEAST else points, floor_z)
    score = {one.seen.frame: one.seen.score for one in members}
    others = [frame for frame in looked if frame not in score and _looks_at(box, clip, frame)]
    found = Detection(
        box=box, label=members[0].seen.label, score=float(sum(score.values()) / (len(score) + len(others)))
    )
    wrong = np.prod([1 - one for one in sorted(score.values(), reverse=True)[:_SUREST]])
    return LiftedThing(found=found, frames=tuple(score), sure=float(1 - wrong))


def _window(seen: SeenBox) -> tuple[float, float, float, float]:
    """The box that is just around the mask, which knows better, else the one that was seen."""
    return seen.box_px if seen.mask is None else seen.mask.box_px


def _places(low: float, high: float, num: int) -> Int64[np.ndarray, "n"]:
    """Rows or columns of a depth map that are looked at for a box from ``low`` to ``high``, with some of what is around it."""
    around = max(_AROUND * (high - low), 2.0)
    first, last = max(0, int(low - around)), min(num, int(np.ceil(high + around)))
    return np.arange(first, max(last, first + 1), max(1, int((high - low) // _SIDE)))


def _closed(depth: Float32[np.ndarray, "h w"]) -> Float64[np.ndarray, "h w"]:
    """Depth with NaN where unknown; where most is, as between a LiDAR's rings, the nearest that is known stands for it."""
    known = np.isfinite(depth) & (depth > 0)
    z = np.where(known, depth, np.nan).astype(np.float64)
    if not known.any() or known.mean() >= _SPARSE:
        return z
    from scipy.ndimage import distance_transform_edt

    away, nearest = np.empty(z.shape), np.empty((2, *z.shape), np.int32)
    distance_transform_edt(~known, return_indices=True, distances=away, indices=nearest)
    gap = max(_GAP_PX, _GAP_SPACING * float(known.mean()) ** -0.5)
    return np.where(away <= gap, z[nearest[0], nearest[1]], np.nan)


def _of_what_it_stands_on(
    height: Float64[np.ndarray, "n"],
    size: Float64[np.ndarray, "n"],
    within: Bool[np.ndarray, "n"],
    below: Bool[np.ndarray, "n"],
    floor_z: float | None,
    world: World,
) -> Bool[np.ndarray, "n"]:
    """Places that are no part of a thing by their height: of the floor, or a level top that is seen right below it."""
    known = within & np.isfinite(size)
    if not known.any():
        return known
    usual = float(np.median(size[known]))
    foot = min(_FOOT * usual, _FOOT_MOST_M) if world.metric else _FOOT * usual
    support = -np.inf if floor_z is None else floor_z
    under = height[below & (np.abs(size - usual) < usual / 2)]
    if world.gravity_aligned and under.size >= _LEAST:
        low, high = np.percentile(under, [20, 80])
        if high - low < foot and (height[known] > high + foot).mean() > 0.3:
            support = max(support, float(high))
    low = height < support + foot
    return ~low if (known & ~low).sum() < _FLAT * known.sum() else low  # nearly all of it: a rug


def _hanging_together(z: Float64[np.ndarray, "r c"], jump: Float64[np.ndarray, "r c"]) -> Int64[np.ndarray, "r c"]:
    """The number of the surface that each place is on, -1 without depth: steps to the side without a jump in depth."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = np.arange(z.size).reshape(z.shape)
    ends = []
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        with np.errstate(invalid="ignore"):
            smooth = np.abs(z[one] - z[other]) < jump[one]
        ends.append(np.stack([number[one][smooth], number[other][smooth]]))
    a, b = np.concatenate(ends, axis=1)
    _, label = connected_components(coo_array((np.ones(a.size), (a, b)), shape=(z.size, z.size)), directed=False)
    return np.where(np.isfinite(z), label.reshape(z.shape), -1).astype(np.int64)


def _fitting(
    label: Int64[np.ndarray, "n"],
    y: Float64[np.ndarray, "n"],
    x: Float64[np.ndarray, "n"],
    z: Float64[np.ndarray, "n"],
    size: Float64[np.ndarray, "n"],
    within: Bool[np.ndarray, "n"],
    box: Float64[np.ndarray, "4"],
) -> Bool[np.ndarray, "n"]:
    """The places in a box that are on its thing: the surface whose outline fits the box best, and others that make it fit better.

    What is behind the thing, and what stands before it, goes on beyond the box.
    """
    area = float((box[2:] - box[:2]).prod())

    def fit(on: Bool[np.ndarray, "n"]) -> float:
        low, high = np.percentile(np.stack([x[on], y[on]]), [1, 99], axis=1)
        shared = np.clip(np.minimum(high, box[2:]) - np.maximum(low, box[:2]), 0, None).prod()
        return float(shared / ((high - low).prod() + area - shared + 1e-9))

    count = np.bincount(label[within & (label >= 0)], minlength=1)
    least = max(3.0, _PART * within.sum())
    parts = {int(name): label == name for name in np.flatnonzero(count >= least)}
    if not parts:
        return np.zeros(len(label), bool)
    fits = {name: fit(on) for name, on in parts.items()}
    first = max(fits, key=lambda name: (fits[name], count[name]))
    chosen, best = parts.pop(first), fits[first]
    middle, reach = float(np.median(z[chosen])), float(np.median(size[chosen]))
    for on in (parts[name] for name in sorted(parts, key=lambda name: -count[name])):
        if abs(float(np.median(z[on])) - middle) < _DEEP * reach and (better := fit(chosen | on)) > best + 0.01:
            chosen, best = chosen | on, better
    return chosen & within


def _in_frame(
    points_world: Float64[np.ndarray, "n 3"], clip: PosedClip, frame: int
) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n"], Float32[np.ndarray, "n"]]:
    """Where a frame shows points (pixels of ``clip.rgb``, NaN outside), their depth, and the depth that it has there."""
    px, z = project(transform_points(inverse_rigid(clip.world_from_camera[frame]), points_world), clip.k_px[frame])
    size = np.array([clip.size_hw[1], clip.size_hw[0]], dtype=np.float64)
    with np.errstate(invalid="ignore"):
        outside = ~((px >= 0) & (px < size)).all(axis=1)
    px[outside] = np.nan
    depth = clip.depth_m[frame]
    at = np.nan_to_num(px * (depth.shape[1], depth.shape[0]) / size).astype(np.int64)
    return px, z, np.where(outside, np.float32(np.nan), depth[at[:, 1], at[:, 0]])


def _agreed(points: Float64[np.ndarray, "n 3"], members: Sequence[Lifted], clip: PosedClip) -> Bool[np.ndarray, "n"]:
    """Points that few of the views of a thing see beside their box of it."""
    beside, sees = np.zeros((2, len(points)))
    for one in members:
        px, z, there = _in_frame(points, clip, one.seen.frame)
        left, top, right, bottom = _window(one.seen)
        more = _MARGIN * np.array([right - left, bottom - top])
        with np.errstate(invalid="ignore"):
            inside = ((px >= np.array([left, top]) - more) & (px <= np.array([right, bottom]) + more)).all(axis=1)
            shown = there >= (1 - _HIDDEN) * z
        sees += shown
        beside += shown & ~inside
    return beside <= _DISAGREE * sees


def _looks_at(box: Box3D, clip: PosedClip, frame: int) -> bool:
    """Whether a frame looks at the middle of a box, with nothing before it."""
    if clip.piece[frame] != 0 or not (is_known(clip.world_from_camera[frame]) and is_known(clip.k_px[frame])):
        return False
    _, z, there = _in_frame(box.center_world[None], clip, frame)
    return bool(there[0] >= z[0] - float(np.linalg.norm(box.size_m)) / 2)
