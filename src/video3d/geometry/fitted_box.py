"""Boxes that are believed, fitted to the surface that was seen.

    believed box, patches that vote for it ─▶ surface that is its own ─▶ heading ─▶ ends that are seen free beyond ─▶ fitted box

What a network believes of a thing's size is off by a tenth or more, and of the way it stands by fifteen degrees; depth maps know both
better. But a surface has no name: a table's goes on in the chairs under it, a picture's in the wall. So a place counts only where the
patches that look at it say that it is the thing's, as far as such places hang together. A thing's sides are square to where its
upright surfaces face, if most of them agree on it (then most of what people make has corners); and an end of its surface is its own
end only where something was seen to be free right beyond it. Where nothing was, what is beyond was hidden or goes on under another
name: there, what is believed of the size stands, laid against the end that is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.geometry.boxes import points_in_box
from video3d.geometry.depth_views import DepthViews, depth_views, free_votes
from video3d.geometry.rigid import is_known, pixel_rays, transform_points
from video3d.types import Box3D, PosedClip

_MOST_POINTS = 200_000
_SURE_M = 0.03  # standard deviation of depth: with more, an end is no better known than it is believed
_VOXEL_M = 0.02  # places this near each other are one
_JOINED_M = 0.06  # and so near hang together
_FOOT_M = 0.03  # as high over the floor is taken for floor
_AROUND, _AROUND_M = 0.3, 0.2  # of a box's sides and in metres, around it
_OWN, _OWN_INSIDE = 0.6, 0.2
"""Share of the patches that look at a place from which it is the thing's; and in the believed box."""
_LEAST = 25  # places on a thing
_TRIM = 1.0  # percent off each end
_UPRIGHT = 0.25  # largest z of a normal of what is upright
_SQUARE_DEG = 6.0  # normals so near a direction, or square to it, agree on it
_AGREE = 0.55  # of the upright surface of a thing, from which it has a direction (train clips: 96 % are then right to 5 degrees)
_ROOM_AGREE, _ROOM_DEG = 0.4, 15.0
"""Of all upright surface; and how nearly square to it things must be believed to stand, to stand so."""
_FREE = 0.75  # of what is right beyond an end
_BEYOND_M, _BEYOND = 0.045, 0.1  # nearest and farthest (of the side, and at least twice as far) that is looked at there
_OUT, _OUT_M = 0.3, 0.1  # of the side, and metres, on top: an end that would move farther out is another thing's
_IN, _IN_M = 0.15, 0.05  # farther in: more of the thing was seen under another name, or not at all
_UNCLAIMED = 0.05
"""Places that an end would leave outside and that may be the thing's under another name, of those that are."""
_TOP_M = 0.25  # how far from the height where a flat top is believed to be it may be
_LEAST_TOP, _MOST_TOP = (
    0.4,
    4.0,
)  # of the area that it is believed to have; votes of a long table believe in a part of it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenSurface:
    """What depth maps show of a scene above its floor, and the patches that look at it.

    Attributes:
        points_world: places, in metres.
        normals_world: unit, to any side; 0 where not known.
        voxel: number of the small cube that each place is in.
        patch: the four patches whose middles are around each place in its frame, in the order of (frame, row, column).
        weight: of each of the four; they add up to 1.
        num_patches: of all frames.
        direction_deg: of the room's walls or what else is upright, 0..90 from x; None where it has none.
        views: the depth maps.
        floor_z: height of the floor; None: not known.
        tops: level surfaces, as flat boxes with x along their longer side.
    """

    points_world: Float64[np.ndarray, "n 3"]
    normals_world: Float64[np.ndarray, "n 3"]
    voxel: Int64[np.ndarray, "n"]
    patch: Int64[np.ndarray, "n 4"]
    weight: Float64[np.ndarray, "n 4"]
    num_patches: int
    direction_deg: float | None
    views: DepthViews
    floor_z: float | None
    tops: tuple[Box3D, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedBox:
    """A box that was fitted.

    Attributes:
        box: upright.
        known: which of its faces (low and high, along its x, y and z) were seen to be where they are; the others are believed.
        places: number of places on the thing's own surface; 0 where too few were seen, and the box is as it was believed.
    """

    box: Box3D
    known: Bool[np.ndarray, "2 3"]
    places: int


def seen_surface(
    clip: PosedClip,
    floor_z: float | None,
    k_patch: Float64[np.ndarray, "f 3 3"],
    grid_hw: tuple[int, int],
    tops: tuple[Box3D, ...] = (),
) -> SeenSurface | None:
    """The surface of a clip; None where no depth is known, or not well enough to fit anything to it.

    Args:
        clip: in metres, +z up, with depth, intrinsics and poses.
        floor_z: height of the floor; None: not known.
        k_patch: intrinsics of every frame in units of patches.
        grid_hw: rows and columns of patches in a frame.
        tops: level surfaces, as flat boxes with x along their longer side.
    """
    views = depth_views(clip)
    known = (views.sigma <= _SURE_M) & np.isfinite(views.depth) & is_known(k_patch)[views.frame, None, None]
    if not known.any() or min(grid_hw) < 2 or not clip.world.metric:
        return None
    step = max(1, round(float(np.sqrt(views.depth.size / _MOST_POINTS))))
    rows, columns = grid_hw
    parts = []
    for i, frame in enumerate(views.frame):
        row, column = (at * step for at in np.nonzero(known[i, ::step, ::step]))
        rays = pixel_rays(views.k_px[i], row, column)
        points = transform_points(views.world_from_camera[i], rays * views.depth[i, row, column, None])
        normals = _normals(views, i, row, column)
        x, y = (rays @ k_patch[frame].T)[:, :2].T - 0.5  # from the middle of the first patch
        keep = (x > -1) & (y > -1) & (x < columns) & (y < rows)
        if floor_z is not None:
            keep &= points[:, 2] > floor_z + _FOOT_M
        x, y = x[keep].clip(0, columns - 1), y[keep].clip(0, rows - 1)
        left, top = np.minimum(x.astype(np.int64), columns - 2), np.minimum(y.astype(np.int64), rows - 2)
        x, y = x - left, y - top
        first = (int(frame) * rows + top) * columns + left
        patch = np.stack([first, first + 1, first + columns, first + columns + 1], axis=1)
        weight = np.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], axis=1)
        parts.append((points[keep], normals[keep], patch, weight))
    points, normals, patch, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    if not len(points):
        return None
    cell = np.floor(points / _VOXEL_M).astype(np.int64)
    cell -= cell.min(axis=0)
    span = cell.max(axis=0) + 1
    direction = _direction(normals)
    return SeenSurface(
        points_world=points,
        normals_world=normals,
        voxel=(cell[:, 0] * span[1] + cell[:, 1]) * span[2] + cell[:, 2],
        patch=patch,
        weight=weight,
        num_patches=clip.num_frames * rows * columns,
        direction_deg=direction[0] if direction is not None and direction[1] >= _ROOM_AGREE else None,
        views=views,
        floor_z=floor_z,
        tops=tops,
    )


def fit_box(believed: Box3D, surface: SeenSurface, own: Float64[np.ndarray, "p"]) -> FittedBox:
    """A believed box, turned and moved to what was seen of its thing.

    Args:
        believed: upright, in the world of the surface.
        surface: of the scene.
        own: for every patch of all frames, how surely it shows this very thing, 0..1.
    """
    reach = believed.size_m / 2 + _AROUND * believed.size_m + _AROUND_M
    away = np.abs(surface.points_world - believed.center_world)
    near = np.flatnonzero((away <= np.append(np.full(2, np.hypot(*reach[:2])), reach[2])).all(axis=1))
    share = (surface.weight[near] * own[surface.patch[near]]).sum(axis=1)
    _, first, of = np.unique(surface.voxel[near], return_index=True, return_inverse=True)
    share = np.bincount(of.reshape(-1), share) / np.maximum(np.bincount(of.reshape(-1)), 1)
    points, normals = surface.points_world[near[first]], surface.normals_world[near[first]]
    inside = points_in_box(points, believed, margin_m=_VOXEL_M)
    least = np.where(inside, _OWN_INSIDE, _OWN)
    mine = np.flatnonzero(share >= least)
    mine = mine[_together(points[mine])] if len(mine) else mine
    if len(mine) < _LEAST:
        return FittedBox(box=believed, known=np.zeros((2, 3), dtype=bool), places=0)
    turn = _turned(believed.world_from_box, _direction(normals[mine]), surface.direction_deg)
    points = (points - believed.center_world) @ turn
    low, high = np.percentile(points[mine], [_TRIM, 100 - _TRIM], axis=0)
    rest = points[share < least]
    half = believed.size_m / 2
    rest = rest[(np.abs(rest) < half - _VOXEL_M).all(axis=1)]
    known = np.zeros((2, 3), dtype=bool)
    for side, axis in np.ndindex(2, 3):
        end, outward = (low, high)[side][axis], (-1, 1)[side]
        moved = outward * end - half[axis]
        left = outward * rest[:, axis] > outward * end + _VOXEL_M
        side_m = believed.size_m[axis]
        near = -_IN * side_m - _IN_M <= moved <= _OUT * side_m + _OUT_M
        if near and left.sum() <= _UNCLAIMED * len(mine):
            known[side, axis] = _free_beyond(low, high, axis, outward, believed.center_world, turn, surface) >= _FREE
    start = np.where(known[0], low, np.where(known[1], high - believed.size_m, -half))
    stop = np.where(known[1], high, start + believed.size_m)
    floor = -np.inf if surface.floor_z is None else surface.floor_z - believed.center_world[2]
    if start[2] - floor < 0.15 * (stop[2] - start[2]):
        start[2], known[0, 2] = floor, True
    size = np.maximum(stop - start, 0.01)
    center = believed.center_world + turn @ ((start + stop) / 2)
    return FittedBox(box=Box3D(center_world=center, size_m=size, world_from_box=turn), known=known, places=len(mine))


def on_top(believed: Box3D, tops: Sequence[Box3D]) -> Box3D | None:
    """A thing whose flat top is as long as it is, as large as the top that it is believed to have; None where none was seen there.

    Args:
        believed: upright.
        tops: level surfaces that were seen, as flat boxes.
    """
    bottom, high = (float(believed.center_world[2] + side * believed.size_m[2] / 2) for side in (-1, 1))
    area = float(np.prod(believed.size_m[:2]))
    fits = []
    for top in tops:
        local = np.abs(top.world_from_box.T @ (believed.center_world - top.center_world))[:2]
        z, ratio = float(top.center_world[2]), float(np.prod(top.size_m[:2])) / area
        level = abs(z - high) <= _TOP_M and z > bottom + _TOP_M
        if level and _LEAST_TOP <= ratio <= _MOST_TOP and bool((local <= top.size_m[:2] / 2).all()):
            fits.append((abs(float(np.log(ratio))), top))
    if not fits:
        return None
    top = min(fits, key=lambda pair: pair[0])[1]
    yaw = float(np.degrees(np.arctan2(top.world_from_box[1, 0], top.world_from_box[0, 0])))
    own = float(np.degrees(np.arctan2(believed.world_from_box[1, 0], believed.world_from_box[0, 0])))
    quarters = round((own - yaw) / 90)  # its front stays to the side that it is believed to be at
    length, width = (float(side) for side in top.size_m[:2])
    high = float(top.center_world[2])
    return Box3D(
        center_world=np.append(top.center_world[:2], (bottom + high) / 2),
        size_m=np.array([*((length, width) if quarters % 2 == 0 else (width, length)), max(high - bottom, 0.01)]),
        world_from_box=_turn(yaw + 90 * quarters),
    )


def _turn(yaw_deg: float) -> Float64[np.ndarray, "3 3"]:
    c, s = np.cos(np.radians(yaw_deg)), np.sin(np.radians(yaw_deg))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _normals(
    views: DepthViews, i: int, row: Int64[np.ndarray, "n"], column: Int64[np.ndarray, "n"]
) -> Float64[np.ndarray, "n 3"]:
    """Normals at pixels of a depth map, from pixels around them; 0 where one of those is not known."""
    height, width = views.depth.shape[1:]
    reach = max(2, height // 75)

    def at(down: int, right: int) -> Float64[np.ndarray, "n 3"]:
        r, c = (row + down).clip(0, height - 1), (column + right).clip(0, width - 1)
        return pixel_rays(views.k_px[i], r, c) * views.depth[i, r, c, None].astype(np.float64)

    normal = np.cross(at(0, reach) - at(0, -reach), at(reach, 0) - at(-reach, 0))
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    return np.nan_to_num(normal @ views.world_from_camera[i, :3, :3].T)


def _direction(normals: Float64[np.ndarray, "n 3"]) -> tuple[float, float] | None:
    """The direction, 0..90 degrees from x, that most upright surface faces or is square to, and what share of it does."""
    upright = (np.abs(normals[:, 2]) < _UPRIGHT) & normals.any(axis=1)
    if upright.sum() < _LEAST:
        return None
    angle = np.degrees(np.arctan2(normals[upright, 1], normals[upright, 0])) % 90
    count = np.bincount(angle.astype(np.int64) % 90, minlength=90)
    around = sum(np.roll(count, by) for by in range(-4, 5))
    off = _square(angle - float(np.argmax(around)) - 0.5)
    agree = np.abs(off) < _SQUARE_DEG
    return float(np.argmax(around) + 0.5 + off[agree].mean()) % 90, float(agree.mean())


def _square(angle: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """An angle in degrees from the nearest of four directions that are square to each other, -45..45."""
    return (angle + 45) % 90 - 45


def _turned(
    turn: Float64[np.ndarray, "3 3"], own: tuple[float, float] | None, room_deg: float | None
) -> Float64[np.ndarray, "3 3"]:
    """Axes turned to the thing's own direction where it has one, else to the room's where that is near."""
    yaw, by = float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))), 0.0
    if own is not None and own[1] >= _AGREE:
        by = float(_square(np.array([own[0] - yaw]))[0])
    elif room_deg is not None:
        to_room = float(_square(np.array([room_deg - yaw]))[0])
        by = to_room if abs(to_room) <= _ROOM_DEG else 0.0
    return _turn(yaw + by)


def _free_beyond(
    low: Float64[np.ndarray, "3"],
    high: Float64[np.ndarray, "3"],
    axis: int,
    outward: int,
    center: Float64[np.ndarray, "3"],
    turn: Float64[np.ndarray, "3 3"],
    surface: SeenSurface,
) -> float:
    """Of the room right beyond one end of what was seen of a thing (``low`` to ``high`` in its axes), the share that is seen to be free."""
    deep = max(2 * _BEYOND_M, _BEYOND * float(high[axis] - low[axis]))
    share = np.stack(np.meshgrid(*[np.linspace(0.1, 0.9, 7)] * 2, [0.0, 0.5, 1.0]), axis=-1).reshape(-1, 3)
    place = np.empty((len(share), 3))
    a, b = (other for other in range(3) if other != axis)
    place[:, a], place[:, b] = low[a] + share[:, 0] * (high - low)[a], low[b] + share[:, 1] * (high - low)[b]
    beyond = _BEYOND_M + share[:, 2] * (deep - _BEYOND_M)
    place[:, axis] = high[axis] + beyond if outward > 0 else low[axis] - beyond
    return float((free_votes(surface.views, place @ turn.T + center).count > 0).mean())


def _together(points: Float64[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
    """Points of the largest group that hangs together."""
    from scipy.ndimage import label

    cell = np.floor(points / _JOINED_M).astype(np.int64)
    cell -= cell.min(axis=0)
    grid = np.zeros(cell.max(axis=0) + 1, dtype=bool)
    grid[tuple(cell.T)] = True
    parts, _ = label(grid, np.ones((3, 3, 3)))  # pyright: ignore[reportGeneralTypeIssues]
    of = parts[tuple(cell.T)]
    return np.asarray(of == np.bincount(of).argmax())
