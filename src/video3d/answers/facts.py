"""What geometry knows of a scene before anything is asked: depth, the camera's path, the room, its surfaces.

Lengths are metres where the world is metric, else the world's one unknown unit, written ``x``. Every group says where
it comes from: ``measured`` only if all it rests on was measured, else ``estimated``. What is not known is None.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.answers.surfaces import Extent, Surface, find_surfaces, room_extent
from video3d.answers.trajectory import Trajectory, duration_s, path_length, tilt_deg, turning
from video3d.geometry.flatness import flat_tiles
from video3d.geometry.gravity import clip_floor
from video3d.geometry.rigid import scale_k
from video3d.geometry.voxels import voxel_downsample
from video3d.types import Detection, GeometryStatus, PosedClip, Status, World

_MAX_POINTS = 500_000
_VOXEL_M = 0.05
_MAX_TILE_FRAMES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthFacts:
    """Z-depth over all frames read.

    Attributes:
        median: half of the known pixels are nearer.
        near: 5 % of the known pixels are nearer.
        far: 5 % of the known pixels are farther.
        valid_share: share of pixels whose depth is known, 0..1.
        source: where it comes from.
    """

    median: float
    near: float
    far: float
    valid_share: float
    source: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFacts:
    """How the camera moved. Angles in degrees, left and up positive; NaN where unknown.

    Attributes:
        length: along the path, over every pose that is known.
        displacement: from the first to the last pose in a straight line.
        duration_s: seconds between them, NaN without times.
        mean_speed: length over duration, NaN without times.
        height_first: camera height over the floor at the first pose; NaN without a floor, like the next three.
        height_mean: mean over the poses.
        height_min: lowest.
        height_max: highest.
        turn_net: heading at the end against the start.
        turn_left: sum of all swings to the left.
        turn_right: sum of all swings to the right.
        tilt_mean: viewing axis over the horizontal; NaN where up is not known.
        num_poses: how many poses this rests on.
        source: of the lengths.
    """

    length: float
    displacement: float
    duration_s: float
    mean_speed: float
    height_first: float
    height_mean: float
    height_min: float
    height_max: float
    turn_net: float
    turn_left: float
    turn_right: float
    tilt_mean: float
    num_poses: int
    source: Status


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SceneFacts:
    """Everything geometry tells of a scene.

    Attributes:
        world: of the clip.
        status: of the clip.
        unit: ``m``, or ``x`` where the scale is not known.
        depth: None without depth.
        path: None without two poses, or where the frames are no walk.
        trajectory: every known pose of piece 0.
        floor_z: height of the floor in the world, None where none was seen or up is not known.
        floor_source: of the floor and heights over it.
        room: extent of what was seen, None without depth, poses and gravity.
        surfaces: floor, ceiling, level tops and walls.
        objects: detections; none unless a detector ran.
        scene_source: of room and surfaces.
        num_frames: frames of the recording, not only those read.
        time_s: time of every frame of the recording, NaN where unknown.
    """

    world: World
    status: GeometryStatus
    unit: str
    trajectory: Trajectory
    num_frames: int
    time_s: Float64[np.ndarray, "f"]
    depth: DepthFacts | None = None
    path: PathFacts | None = None
    floor_z: float | None = None
    floor_source: Status = "unknown"
    room: Extent | None = None
    surfaces: tuple[Surface, ...] = ()
    objects: tuple[Detection, ...] = ()
    scene_source: Status = "unknown"
    notes: tuple[str, ...] = field(default=())

    def lines(self) -> tuple[str, ...]:
        """The facts in words, one a line, as the prompt gives them."""
        from video3d.answers.prompt import fact_lines

        return fact_lines(self)


def weakest(*statuses: Status) -> Status:
    """The status of something made of several: unknown beats estimated beats measured.

    >>> weakest("measured", "estimated")
    'estimated'
    """
    return "unknown" if "unknown" in statuses else "estimated" if "estimated" in statuses else "measured"


def scene_facts(
    clip: PosedClip,
    *,
    all_world_from_camera: Float64[np.ndarray, "n 4 4"] | None = None,
    all_time_s: Float64[np.ndarray, "n"] | None = None,
    num_frames: int | None = None,
    sequence: bool = True,
    objects: tuple[Detection, ...] = (),
) -> SceneFacts:
    """Measures a scene whose geometry is complete, after ``align_to_gravity``. Under a second for 32 frames of 480x640.

    The length of a path depends on how many poses it is read from: a walk is shorter in 32 samples than in 600. Where
    the recording has a pose for every frame, pass them all; lengths, turns and speeds then use every one.

    Args:
        clip: frames with depth and poses, at the recording's size. Frames of other pieces than 0 are left out.
        all_world_from_camera: pose of every frame of the recording in the clip's world, NaN where unknown (and for
            frames outside piece 0); None takes the poses of the clip.
        all_time_s: time of every frame of the recording.
        num_frames: frames of the recording, where the two arguments before do not tell.
        sequence: the frames are one walk in order of time.
        objects: what a detector found.

    >>> from video3d.types import World
    >>> pose = np.tile(np.eye(4), (2, 1, 1)); pose[1, 2, 3] = 1.5
    >>> clip = PosedClip(
    ...     frame_index=np.array([0, 9]), time_s=np.array([0.0, 3.0]), rgb=np.zeros((2, 6, 8, 3), np.uint8),
    ...     depth_m=np.full((2, 6, 8), 2.0, np.float32), k_px=np.tile([[8.0, 0, 4], [0, 8, 3], [0, 0, 1]], (2, 1, 1)),
    ...     world_from_camera=pose, piece=np.array([0, 0]), world=World(metric=True))
    >>> facts = scene_facts(clip)
    >>> facts.path.length, facts.path.mean_speed, facts.depth.median, facts.room
    (1.5, 0.5, 2.0, None)
    """
    poses = np.where((clip.piece == 0)[:, None, None], clip.world_from_camera, np.nan)
    index, every, time_s = clip.frame_index, poses, clip.time_s
    if all_world_from_camera is not None:
        every = all_world_from_camera
        index = np.arange(every.shape[0])
        time_s = all_time_s if all_time_s is not None else _spread(clip, every.shape[0])
    posed = np.isfinite(every).all(axis=(1, 2))
    order = np.argsort(index[posed], kind="stable")
    trajectory = Trajectory(
        frame_index=index[posed][order].astype(np.int64),
        time_s=time_s[posed][order],
        world_from_camera=every[posed][order],
        level=clip.world.gravity_aligned,
        ordered=sequence,
    )
    known_counts = [n for n in (num_frames, None if all_time_s is None else all_time_s.size) if n is not None]
    total = max([*known_counts, int(index.max(initial=-1)) + 1, int(clip.frame_index.max(initial=-1)) + 1])
    depth = _depth_facts(clip)
    floor_z, room, surfaces = _scene(clip, poses, trajectory) if depth is not None else (None, None, ())
    scene_source = weakest(clip.status.depth, clip.status.poses, clip.status.intrinsics, clip.status.gravity)
    return SceneFacts(
        world=clip.world,
        status=clip.status,
        unit="m" if clip.world.metric else "x",
        trajectory=trajectory,
        num_frames=total,
        time_s=all_time_s if all_time_s is not None else _spread(clip, total),
        depth=depth,
        path=_path_facts(trajectory, floor_z, clip.status),
        floor_z=floor_z,
        floor_source=scene_source if floor_z is not None else "unknown",
        room=room,
        surfaces=surfaces,
        objects=objects,
        scene_source=scene_source if room is not None else "unknown",
    )


def _spread(clip: PosedClip, num_frames: int) -> Float64[np.ndarray, "f"]:
    """The clip's times at their places in the recording, NaN between."""
    time_s = np.full(num_frames, np.nan)
    inside = clip.frame_index < num_frames
    time_s[clip.frame_index[inside]] = clip.time_s[inside]
    return time_s


def one_unit(clip: PosedClip) -> Bool[np.ndarray, "f"]:
    """Frames whose depths are in one unit: all of a metric world, else those of piece 0, for each has its own scale."""
    same = clip.piece == 0
    return np.ones(clip.num_frames, dtype=bool) if clip.world.metric or not same.any() else same


def _depth_facts(clip: PosedClip) -> DepthFacts | None:
    frames = np.flatnonzero(one_unit(clip))
    height, width = clip.depth_m.shape[1:]
    stride = max(1, int(np.sqrt(frames.size * height * width / _MAX_POINTS)))
    sample = clip.depth_m[frames, stride // 2 :: stride, stride // 2 :: stride]
    known = sample[np.isfinite(sample)]
    if known.size == 0:
        return None
    near, median, far = np.percentile(known, [5, 50, 95])
    source = weakest(clip.status.depth, clip.status.scale) if clip.world.metric else clip.status.depth
    return DepthFacts(
        median=float(median), near=float(near), far=float(far), valid_share=known.size / sample.size, source=source
    )


def _path_facts(trajectory: Trajectory, floor_z: float | None, status: GeometryStatus) -> PathFacts | None:
    if trajectory.num_poses < 2 or not trajectory.ordered:
        return None
    length, seconds, turn = path_length(trajectory), duration_s(trajectory), turning(trajectory)
    nan = float("nan")
    heights = trajectory.centers[:, 2] - (nan if floor_z is None else floor_z)
    return PathFacts(
        length=length,
        displacement=float(np.linalg.norm(trajectory.centers[-1] - trajectory.centers[0])),
        duration_s=seconds,
        mean_speed=length / seconds if seconds > 0 else nan,
        height_first=float(heights[0]),
        height_mean=float(heights.mean()),
        height_min=float(heights.min()),
        height_max=float(heights.max()),
        turn_net=turn.net,
        turn_left=turn.left,
        turn_right=turn.right,
        tilt_mean=float(tilt_deg(trajectory).mean()) if trajectory.level else nan,
        num_poses=trajectory.num_poses,
        source=weakest(status.poses, status.scale) if status.scale != "unknown" else status.poses,
    )


def _scene(
    clip: PosedClip, poses: Float64[np.ndarray, "f 4 4"], trajectory: Trajectory
) -> tuple[float | None, Extent | None, tuple[Surface, ...]]:
    """Floor, room and surfaces: only where poses are known and +z points up."""
    usable = np.isfinite(poses).all(axis=(1, 2)) & np.isfinite(clip.k_px).all(axis=(1, 2))
    if not (clip.world.gravity_aligned and usable.any()):
        return None, None, ()
    k_px = scale_k(clip.k_px, clip.size_hw, clip.depth_m.shape[1:])
    frames = np.flatnonzero(usable)
    points = _sample_points(clip, k_px, poses, frames)
    if points.shape[0] < 100:
        return None, None, ()
    cameras = trajectory.centers[:, 2] if trajectory.num_poses else poses[usable, 2, 3]
    metric = clip.world.metric
    floor = clip_floor(clip)
    floor_z = None if floor is None else floor.height
    # Without a scale, the camera's height over the floor stands for 1.5 m, to know what is large and what is small.
    unit_m = 1.0
    if not metric:
        span = float(np.median(cameras)) - (floor_z if floor_z is not None else float(np.percentile(points[:, 2], 5)))
        unit_m = 1.5 / max(span, 1e-9)
    some = frames[np.linspace(0, frames.size - 1, min(frames.size, _MAX_TILE_FRAMES)).astype(np.int64)]
    tiles = flat_tiles(clip.depth_m[some], k_px[some], poses[some])
    places = voxel_downsample(points * unit_m, _VOXEL_M) / unit_m
    surfaces = find_surfaces(tiles, places, floor_z=floor_z, unit_m=unit_m)
    ceiling = next((s.z for s in surfaces if s.kind == "ceiling"), None)
    return floor_z, room_extent(places, floor_z=floor_z, ceiling_z=ceiling), surfaces


def _sample_points(
    clip: PosedClip,
    k_px: Float64[np.ndarray, "f 3 3"],
    poses: Float64[np.ndarray, "f 4 4"],
    frames: Int64[np.ndarray, "u"],
) -> Float64[np.ndarray, "n 3"]:
    """World points of a regular sample of the pixels with known depth."""
    height, width = clip.depth_m.shape[1:]
    stride = max(1, int(np.ceil(np.sqrt(frames.size * height * width / _MAX_POINTS))))
    row = np.arange(stride // 2, height, stride)
    column = np.arange(stride // 2, width, stride)
    points = []
    for frame in frames:
        z = clip.depth_m[frame][np.ix_(row, column)].astype(np.float64)
        k, pose = k_px[frame], poses[frame]
        x = (column + 0.5 - k[0, 2]) / k[0, 0] * z
        y = (row[:, None] + 0.5 - k[1, 2]) / k[1, 1] * z
        known = np.isfinite(z)
        points.append(np.stack([x[known], y[known], z[known]], axis=1) @ pose[:3, :3].T + pose[:3, 3])
    return np.concatenate(points)
