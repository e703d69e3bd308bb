"""Where a camera's vehicle is, where it heads and how it moves; and a clip's world made one that can be driven in.

A vehicle may carry several cameras. Frames of one instant that look elsewhere are a rig; its first camera is the one that looks
ahead (readers of rigs put it first), and stands for the vehicle.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from video3d.answers.trajectory import Trajectory, yaw_steps_deg
from video3d.geometry.rigid import is_known, pixel_rays, scale_k, transform_points
from video3d.geometry.road import RoadSurface, fit_road
from video3d.types import GeometryStatus, PosedClip, World

INSTANT_S, _RIG_M, _ELSEWHERE_RAD = 0.08, 5.0, np.radians(20.0)
_LATELY_S = 1.0
_STILL_SHARE = 0.1  # of a camera's height: a shorter step says nothing of the direction of travel
_MAX_MOUNT_DEG = 45.0  # between the viewing axis and the direction of travel; beyond it the camera looks elsewhere
_POINTS_A_FRAME = 30_000
_SMEAR = 14.0  # change of ln(depth) a radian: the tangent of 86 degrees
_ROAD_FRAMES = 8
_SAME_SCALE = 0.02  # a road that was fitted again may be off by this much
_UP_TILT = {"measured": np.radians(12.0), "estimated": np.radians(15.0), "unknown": np.radians(25.0)}
DEPTH_ERROR = 0.05
"""Of estimated depth, besides its scale: how far the surface of a road is bent by it. What estimators say of themselves has the
scale's error in it, which bends nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The last instant of a clip.

    Attributes:
        frame: position in the clip of the camera that stands for the vehicle.
        frames: positions of all cameras of the instant.
        ahead: unit vector, where the vehicle heads in the world.
    """

    frame: int
    frames: tuple[int, ...]
    ahead: Float64[np.ndarray, "3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """How the vehicle moves, in units and seconds; NaN where times are not known.

    Attributes:
        speed: path length over time, all of the clip.
        yaw_rate_deg_s: net turn over time, all of the clip, positive to the left.
        travelled: path length.
        speed_now: over the last second.
        curvature: of the way over the last second, 1 / radius, positive to the left; 0 where it stands still.
        frames: positions in the clip that it rests on.
    """

    speed: float
    yaw_rate_deg_s: float
    travelled: float
    speed_now: float
    curvature: float
    frames: tuple[int, ...]


def instants(clip: PosedClip, *, ordered: bool) -> list[tuple[int, ...]]:
    """Positions of the frames of every instant, in order; the frames of one walk are an instant each.

    Args:
        clip: its frames with a pose in piece 0 count.
        ordered: the frames are one walk in order of time.
    """
    frames = np.flatnonzero((clip.piece == 0) & is_known(clip.world_from_camera))
    groups: list[list[int]] = []
    for frame in frames.tolist():
        if not ordered and groups and _together(clip, groups[-1], frame):
            groups[-1].append(frame)
        else:
            groups.append([frame])
    return [tuple(group) for group in groups]


def _together(clip: PosedClip, group: list[int], frame: int) -> bool:
    """Whether a frame is of the instant of others: at their time, on the same vehicle, and looking elsewhere than each."""
    poses = clip.world_from_camera
    time = np.abs(clip.time_s[group] - clip.time_s[frame]).max()
    apart = np.linalg.norm(poses[group, :3, 3] - poses[frame, :3, 3], axis=1).max()
    cosine = (poses[group, :3, 2] @ poses[frame, :3, 2]).max()
    far = apart > _RIG_M if clip.world.metric else False
    return bool(time <= INSTANT_S and not far and cosine < np.cos(_ELSEWHERE_RAD))


def vehicle_path(clip: PosedClip, *, ordered: bool) -> Trajectory | None:
    """Every known pose of the camera that stands for the vehicle, over the time of the frames read; None: it cannot be told.

    A walk has every pose of the recording. A rig has that of its first camera at each instant, where all instants have as many.
    """
    groups = instants(clip, ordered=ordered)
    if not groups:
        return None
    whole = len({len(group) for group in groups}) == 1 and (len(groups) == 1 or len(groups[0]) > 1)
    if not ordered and not whole:
        return None
    first = np.array([group[0] for group in groups])
    index, time, poses = clip.frame_index[first], clip.time_s[first], clip.world_from_camera[first]
    if ordered and clip.path is not None:
        path = clip.path
        within = (path.frame_index >= index.min()) & (path.frame_index <= index.max())
        index, time, poses = path.frame_index[within], path.time_s[within], path.world_from_camera[within]
    order = np.argsort(index, kind="stable")
    return Trajectory(
        frame_index=index[order].astype(np.int64),
        time_s=time[order],
        world_from_camera=poses[order],
        level=clip.world.gravity_aligned,
    )


def now_of(clip: PosedClip, path: Trajectory | None, *, ordered: bool, least_step: float) -> Now | None:
    """The last instant and where the vehicle heads: the viewing axis, turned by what the axis and the way differ by.

    A camera is mounted at some angle, and in a bend the way lags behind the heading. So the angle between the way and the mean
    heading of each step is taken, and its median added to the last heading. None without a pose.

    Args:
        clip: the clip.
        path: from ``vehicle_path``.
        ordered: the frames are one walk.
        least_step: shorter steps do not say where the vehicle heads.
    """
    groups = instants(clip, ordered=ordered)
    if not groups:
        return None
    frame = groups[-1][0]
    pose = clip.world_from_camera[frame]
    up = np.array([0.0, 0.0, 1.0]) if clip.world.gravity_aligned else -pose[:3, 1]
    axis = pose[:3, 2]
    offset = 0.0
    if path is not None and path.num_poses > 1:
        offset = _mount_rad(path, up, least_step)
    return Now(frame=frame, frames=groups[-1], ahead=_turned(axis, up, offset))


def _turned(vector: Float64[np.ndarray, "3"], up: Float64[np.ndarray, "3"], angle: float) -> Float64[np.ndarray, "3"]:
    """The part of a vector that is square to ``up``, turned about it and of length 1."""
    level = vector - (vector @ up) * up
    level = level / max(float(np.linalg.norm(level)), 1e-12)
    return np.cos(angle) * level + np.sin(angle) * np.cross(up, level)


def _mount_rad(path: Trajectory, up: Float64[np.ndarray, "3"], least_step: float) -> float:
    """Median angle from the viewing axis to the way, to the left; 0 where the vehicle hardly moves or looks elsewhere."""
    center, axes = path.centers, path.world_from_camera[:, :3, 2]
    kept = [0]
    for i in range(1, path.num_poses):
        if np.linalg.norm(center[i] - center[kept[-1]]) >= least_step:
            kept.append(i)
    if len(kept) < 2:
        return 0.0
    step, mean = np.diff(center[kept], axis=0), axes[kept][1:] + axes[kept][:-1]
    step, mean = (v - (v @ up)[:, None] * up for v in (step, mean))
    angle = np.arctan2(np.cross(mean, step) @ up, (mean * step).sum(axis=1))
    middle = float(np.median(angle))
    return middle if abs(middle) < np.radians(_MAX_MOUNT_DEG) else 0.0


def motion_of(clip: PosedClip, path: Trajectory | None, *, least_step: float) -> Motion | None:
    """How the vehicle moves; None without two poses of it.

    Args:
        clip: whose frames are told.
        path: from ``vehicle_path``.
        least_step: a way that is shorter over the last second is none.
    """
    if path is None or path.num_poses < 2:
        return None
    step = np.linalg.norm(np.diff(path.centers, axis=0), axis=1)
    turn = yaw_steps_deg(path)
    nan = float("nan")
    times = bool(np.isfinite(path.time_s).all()) and path.time_s[-1] > path.time_s[0]
    seconds = float(path.time_s[-1] - path.time_s[0]) if times else nan
    late = path.time_s[1:] > path.time_s[-1] - _LATELY_S + 1e-6 if times else np.arange(step.size) >= step.size - 3
    if not late.any():
        late[-1] = True
    way = float(step[late].sum())
    late_s = float(np.diff(path.time_s)[late].sum()) if times else nan
    frames = np.flatnonzero(np.isin(clip.frame_index, path.frame_index))
    return Motion(
        speed=float(step.sum()) / seconds,
        yaw_rate_deg_s=float(turn.sum()) / seconds,
        travelled=float(step.sum()),
        speed_now=way / late_s,
        curvature=float(np.radians(turn[late].sum()) / way) if way > least_step else 0.0,
        frames=tuple(frames.tolist()),
    )


def frame_points(clip: PosedClip, frame: int, most: int = _POINTS_A_FRAME) -> Float64[np.ndarray, "n 3"]:
    """World points of the pixels of a frame whose depth is known; of a dense map an even grid of about ``most``.

    Estimated depth runs smoothly from a thing to what is behind it. Where depth changes across the picture as it would on a surface
    seen from within 4 degrees of its plane, there is none, and those pixels are left out.
    """
    depth = clip.depth_m[frame]
    if clip.status.depth == "estimated" and depth.shape[1] > 1:
        change = np.gradient(np.log(depth), axis=1) * clip.k_px[frame, 0, 0] * depth.shape[1] / clip.size_hw[1]
        depth = np.where(np.abs(change) > _SMEAR, np.nan, depth)
    known = int(np.isfinite(depth).sum())
    step = max(1, int(np.sqrt(known / most)))
    k_px = scale_k(clip.k_px[frame], clip.size_hw, (depth.shape[0], depth.shape[1]))
    row, column = np.nonzero(np.isfinite(depth[step // 2 :: step, step // 2 :: step]))
    row, column = row * step + step // 2, column * step + step // 2
    z = depth[row, column].astype(np.float64)
    return transform_points(clip.world_from_camera[frame], pixel_rays(k_px, row, column) * z[:, None])


def find_road(clip: PosedClip, now: Now, *, ordered: bool) -> RoadSurface | None:
    """The road at the last instant, from the last frames; None where none was seen."""
    groups = instants(clip, ordered=ordered)[-_ROAD_FRAMES:]
    usable = is_known(clip.k_px)
    points = [frame_points(clip, f, 12_000) for group in groups for f in group if usable[f]]
    if not points:
        return None
    pose = clip.world_from_camera[now.frame]
    aligned = clip.world.gravity_aligned
    return fit_road(
        np.concatenate(points),
        camera=pose[:3, 3],
        ahead=now.ahead,
        up=np.array([0.0, 0.0, 1.0]) if aligned else -pose[:3, 1],
        max_tilt_rad=float(_UP_TILT[clip.status.gravity if aligned else "unknown"]),
        depth_error=0.0 if clip.status.depth == "measured" else DEPTH_ERROR,
    )


def least_step(clip: PosedClip) -> float:
    """How far a vehicle must move for its way to say something: 0.3 m, or without a scale 2 % of the median depth."""
    if clip.world.metric:
        return 0.3
    known = clip.depth_m[np.isfinite(clip.depth_m)]
    return 0.02 * float(np.median(known)) if known.size else 0.0


def driving_world(
    clip: PosedClip, *, ordered: bool = True, camera_height_m: float | None = None
) -> tuple[PosedClip, Float64[np.ndarray, "4 4"]]:
    """A clip in a world that can be driven in, +z up, and the similarity that took piece 0 there. What is so already stays.

    Three gaps are filled, each with a note: no pose at all (the last frame with depth is a world of its own), no gravity (up is
    the normal of the road, whose slope then stays unknown), and a scale that is not measured, if the height of the camera over the
    road is given: then lengths are metres by that height. Without a road that was seen, the last two stay.

    Args:
        clip: complete geometry, after ``align_to_gravity``.
        ordered: the frames are one walk in order of time.
        camera_height_m: height of the camera over the road, if the user knows it.
    """
    clip = _alone(clip)
    if camera_height_m is not None and clip.world.metric and clip.status.scale == "measured":
        clip, camera_height_m = _noted(clip, "camera height: not used, for the scale is measured"), None
    if clip.world.gravity_aligned and camera_height_m is None:
        return clip, np.eye(4)
    path = vehicle_path(clip, ordered=ordered)
    now = now_of(clip, path, ordered=ordered, least_step=least_step(clip))
    road = find_road(clip, now, ordered=ordered) if now is not None else None
    if road is None:
        if camera_height_m is not None:
            clip = _noted(clip, "camera height: not used, for no road was seen under it")
        return clip, np.eye(4)
    notes = []
    world, status = clip.world, clip.status
    moved, factor = np.eye(4), 1.0
    if not world.gravity_aligned:
        moved = road.road_from_world
        world = replace(world, gravity_aligned=True, origin="on the road under the last camera, x ahead")
        status = replace(status, gravity="estimated")
        notes.append("gravity: +z is the normal of the road, whose slope is not known")
    off = 1.0 if camera_height_m is None else camera_height_m / road.camera_height
    if camera_height_m is not None and not (world.metric and abs(off - 1) <= _SAME_SCALE):
        factor = off
        was = f"it was {road.camera_height:.3g} {'m by estimate' if world.metric else 'x'}"
        world, status = replace(world, metric=True), replace(status, scale="estimated")
        notes.append(f"scale: from a camera {camera_height_m:g} m over the road, as given; {was}")
    if not notes:
        return clip, np.eye(4)
    new_from_world = np.diag([factor, factor, factor, 1.0]) @ moved
    status = replace(status, notes=(*status.notes, *notes))
    return _moved(clip, moved, factor, world, status), new_from_world


def _noted(clip: PosedClip, note: str) -> PosedClip:
    return replace(clip, status=replace(clip.status, notes=(*clip.status.notes, note)))


def _alone(clip: PosedClip) -> PosedClip:
    """Where no frame has a pose, the last one with depth as a world of its own: that of its camera."""
    posed = (clip.piece == 0) & is_known(clip.world_from_camera)
    usable = np.flatnonzero(np.isfinite(clip.depth_m).any(axis=(1, 2)) & is_known(clip.k_px))
    if posed.any() or not usable.size:
        return clip
    frame = int(usable[-1])
    poses, piece = clip.world_from_camera.copy(), clip.piece.copy()
    poses[frame], piece[frame] = np.eye(4), 0
    note = f"poses: unknown; frame {clip.frame_index[frame]} is a world of its own"
    status = replace(clip.status, notes=(*clip.status.notes, note))
    world = World(metric=clip.world.metric, origin=f"camera of frame {clip.frame_index[frame]}")
    return replace(clip, world_from_camera=poses, piece=piece, world=world, up_world=None, status=status, path=None)


def _moved(
    clip: PosedClip, new_from_world: Float64[np.ndarray, "4 4"], factor: float, world: World, status: GeometryStatus
) -> PosedClip:
    """A clip whose piece 0 is moved, then scaled."""

    def carried(poses: Float64[np.ndarray, "n 4 4"]) -> Float64[np.ndarray, "n 4 4"]:
        out = new_from_world @ poses
        out[:, :3, 3] *= factor
        return out

    mine = np.flatnonzero(clip.piece == 0)
    poses, depth = clip.world_from_camera.copy(), clip.depth_m.copy()
    poses[mine] = carried(poses[mine])
    depth[mine] *= np.float32(factor)
    path = clip.path
    if path is not None:
        path = replace(path, world_from_camera=carried(path.world_from_camera))
    up = np.array([0.0, 0.0, 1.0])
    return replace(clip, world_from_camera=poses, depth_m=depth, world=world, up_world=up, status=status, path=path)
