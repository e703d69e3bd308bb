"""ARKitScenes: walks through homes with an iPad, LiDAR depth, poses registered to a laser scan.

Layout of one scan (``raw`` or ``3dod``, there in a folder ``<id>_frames``): ``lowres_wide/<id>_<seconds>.png``
(256x192) or ``vga_wide/`` (640x480, taken where present), ``<those>_intrinsics/<id>_<seconds>.pincam``,
``lowres_depth/`` (256x192 PNG, millimetres, 0 unknown) and ``lowres_wide.traj``. Pages of the format: DATA.md,
raw/README.md and threedod/benchmark_scripts of https://github.com/apple/ARKitScenes.

- Axes: OpenCV (x right, y down, z forward). A row of the .traj is seconds, rotation vector, translation, and maps
  world to camera (tenFpsDataLoader.py inverts it); it is inverted here.
- World: z up (x right, y forward; issues 78 and 81 of that repository), metres, the laser scan's origin.
- Poses come at 10 Hz, images at up to 60: a pose between two that are at most 0.25 s apart is interpolated, others
  are NaN.
- ``.pincam`` is width, height, fx, fy, cx, cy. Apple does not say where pixel centres are; principal points lie about
  half the width (not half a pixel less), so they are taken as counted with centres at +0.5.
- Frames are stored as the sensor lies, often sideways. The poses say where up is, so the reader turns the whole
  recording by quarter turns until up is up (the data set's ``sky_direction`` column is known to be wrong for some
  scans).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64

from video3d.geometry.rigid import inverse_rigid
from video3d.types import InputError, LoadDepth, LoadRgb, Recording, World
from video3d.video.images import DepthFiles, depth_files, list_images, rgb_files
from video3d.video.pose_formats import poses_from_rotation_vectors
from video3d.video.registration import register
from video3d.video.text_files import numbers, read_numbers, read_rows
from video3d.video.upright import TurnedDepth, TurnedRgb, turn_k, turn_poses, turn_size, turns_of_poses

_COLOR_FOLDERS = ("vga_wide", "lowres_wide")
_SAME_TIME_S = 0.005  # file names and trajectories round the same clock differently, by about a millisecond
_MAX_GAP_S = 0.25
_MAX_K_AGE_S = 0.5


def detect(path: Path) -> bool:
    """Whether the folder, or the one ``*_frames`` in it, holds colour frames with ``.pincam`` intrinsics."""
    try:
        return _scan(path) is not None
    except OSError:
        return False


def open_recording(path: Path) -> Recording:
    """Open one scan. Frames without a depth map at their time have all-NaN depth.

    Errors: ``InputError`` when there are no images, a file name has no time, or intrinsics are missing or of another
    size.
    """
    scan = _scan(path)
    if scan is None:
        raise InputError(path, expected="folders vga_wide or lowres_wide with their _intrinsics", got="other content")
    root, folder = scan
    images = list_images(root / folder)
    if not images:
        raise InputError(root / folder, expected="images", got="none")
    clock_s = _times(images)
    images = [images[i] for i in np.argsort(clock_s, kind="stable")]
    clock_s = np.sort(clock_s)
    load_rgb = rgb_files(images)
    k_px = _intrinsics(root / f"{folder}_intrinsics", clock_s, load_rgb.size_hw)
    load_depth_m, depth_hw, notes = _depth(root, clock_s, k_px[0], load_rgb.size_hw)
    poses, pose_notes = _poses(root / "lowres_wide.traj", clock_s)
    up_world = np.array([0.0, 0.0, 1.0])
    turns = 0 if poses is None else turns_of_poses(poses, up_world)
    rgb: LoadRgb = load_rgb
    if turns:
        pose_notes += (f"frames turned by {90 * turns} degrees counter-clockwise to stand upright",)
        rgb = TurnedRgb(load=load_rgb, turns=turns)
        load_depth_m = None if load_depth_m is None else TurnedDepth(load=load_depth_m, turns=turns)
    return Recording(
        source=path,
        format="arkit",
        size_hw=turn_size(load_rgb.size_hw, turns),
        time_s=clock_s - clock_s[0],
        frame_names=tuple(f"{folder}/{p.name}" for p in images),
        load_rgb=rgb,
        load_depth_m=load_depth_m,
        depth_size_hw=None if depth_hw is None else turn_size(depth_hw, turns),
        k_px=np.stack([turn_k(k, load_rgb.size_hw, turns) for k in k_px]),
        world_from_camera=None if poses is None else turn_poses(poses, turns),
        up_world=None if poses is None else up_world,
        world=World(metric=True, gravity_aligned=poses is not None, origin="the laser scan's"),
        notes=notes + pose_notes,
    )


def _scan(path: Path) -> tuple[Path, str] | None:
    """The folder of a scan and the colour folder to take."""
    inner = sorted(path.glob("*_frames"))[:1] if path.is_dir() else []
    for root in (path, *inner):
        for folder in _COLOR_FOLDERS:
            if (root / folder).is_dir() and (root / f"{folder}_intrinsics").is_dir():
                return root, folder
    return None


def _times(files: list[Path]) -> Float64[np.ndarray, "f"]:
    """Seconds on the device's clock, the last part of each name."""
    return np.array([float(numbers([p.stem.rsplit("_", 1)[-1]], p)[0]) for p in files])


def _nearest(times_s: Float64[np.ndarray, "m"], clock_s: Float64[np.ndarray, "f"]) -> Int64[np.ndarray, "f"]:
    """Index of the entry of sorted ``times_s`` that is nearest to each time of ``clock_s``."""
    after = np.clip(np.searchsorted(times_s, clock_s), 0, len(times_s) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(times_s[before] - clock_s) <= np.abs(times_s[after] - clock_s), before, after)


def _intrinsics(
    folder: Path, clock_s: Float64[np.ndarray, "f"], size_hw: tuple[int, int]
) -> Float64[np.ndarray, "f 3 3"]:
    """K of the file nearest in time to each frame; it changes slowly, with focus."""
    files = sorted(folder.glob("*.pincam"))
    if not files:
        raise InputError(folder, expected=".pincam files", got="none")
    times_s = _times(files)
    order = np.argsort(times_s, kind="stable")
    nearest = _nearest(times_s[order], clock_s)
    age_s = np.abs(times_s[order][nearest] - clock_s)
    if (age_s > _MAX_K_AGE_S).any():
        frame = int(np.argmax(age_s))
        expected = f"a .pincam within {_MAX_K_AGE_S} s of every frame"
        raise InputError(folder, expected=expected, got=f"the nearest {age_s[frame]:.2f} s from frame {frame}")
    read = {int(i): _read_pincam(files[int(i)], size_hw) for i in np.unique(order[nearest])}
    return np.stack([read[int(i)] for i in order[nearest]])


def _read_pincam(path: Path, size_hw: tuple[int, int]) -> Float64[np.ndarray, "3 3"]:
    """K at ``size_hw``; the file may speak of another size of the same shape (a smaller copy)."""
    values = read_numbers(path)
    if values.size != 6 or not (values[2] > 0 and values[3] > 0):
        raise InputError(path, expected="width height fx fy cx cy with fx, fy > 0", got=values.tolist()[:8])
    width, height, fx, fy, cx, cy = values
    if min(width, height) < 1 or abs(width * size_hw[0] - height * size_hw[1]) > max(size_hw):
        expected = f"intrinsics for frames of the shape {size_hw[1]} x {size_hw[0]} px"
        raise InputError(path, expected=expected, got=f"{width:g} x {height:g}")
    scale = np.array([[size_hw[1] / width], [size_hw[0] / height], [1.0]])
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]) * scale


def _depth(
    root: Path, clock_s: Float64[np.ndarray, "f"], rgb_k_px: Float64[np.ndarray, "3 3"], rgb_hw: tuple[int, int]
) -> tuple[LoadDepth | None, tuple[int, int] | None, tuple[str, ...]]:
    """Depth at each frame's time in the colour frame's view; LiDAR depth has the view of ``lowres_wide``."""
    files = list_images(root / "lowres_depth") if (root / "lowres_depth").is_dir() else []
    if not files:
        return None, None, ()
    times_s = _times(files)
    order = np.argsort(times_s, kind="stable")
    nearest = _nearest(times_s[order], clock_s)
    matched = np.abs(times_s[order][nearest] - clock_s) <= _SAME_TIME_S
    maps = depth_files([files[int(i)] for i in order])
    notes = (
        () if matched.all() else (f"{int((~matched).sum())} of {len(clock_s)} frames have no depth map at their time",)
    )
    load: LoadDepth = _DepthAtTime(maps=maps, index=tuple(np.where(matched, nearest, -1).tolist()))
    depth_k_px = rgb_k_px * np.array([[maps.size_hw[1] / rgb_hw[1]], [maps.size_hw[0] / rgb_hw[0]], [1.0]])
    if (root / "lowres_wide_intrinsics").is_dir():
        depth_k_px = _intrinsics(root / "lowres_wide_intrinsics", clock_s[:1], maps.size_hw)[0]
    load, registered = register(
        load, depth_hw=maps.size_hw, depth_k_px=depth_k_px, rgb_hw=rgb_hw, rgb_k_px=rgb_k_px, thing=root
    )
    return load, maps.size_hw, notes + registered


@dataclass(frozen=True, slots=True, kw_only=True)
class _DepthAtTime:
    """Depth map of each frame; -1 stands for none."""

    maps: DepthFiles
    index: tuple[int, ...]

    def __call__(self, indices: Sequence[int]) -> Float32[np.ndarray, "f dh dw"]:
        depth_m = np.full((len(indices), *self.maps.size_hw), np.nan, np.float32)
        there = [slot for slot, i in enumerate(indices) if self.index[i] >= 0]
        depth_m[there] = self.maps([self.index[indices[slot]] for slot in there])
        return depth_m


def _poses(
    path: Path, clock_s: Float64[np.ndarray, "f"]
) -> tuple[Float64[np.ndarray, "f 4 4"] | None, tuple[str, ...]]:
    """world_from_camera at each time of ``clock_s``, None without a trajectory."""
    if not path.exists():
        return None, ()
    rows = [numbers(words, f"{path}: line {line}") for line, words in read_rows(path)]
    if not rows or any(row.size != 7 for row in rows):
        raise InputError(path, expected="rows of 7 numbers (time, rotation vector, translation)", got="other rows")
    table = np.stack(rows)
    table = table[np.argsort(table[:, 0], kind="stable")]
    table = table[np.concatenate([[True], np.diff(table[:, 0]) > 0])]
    world_from_camera = inverse_rigid(poses_from_rotation_vectors(table[:, 1:4], table[:, 4:7]))
    poses = _interpolated(table[:, 0], world_from_camera, clock_s)
    known = np.isfinite(poses[:, 0, 0])
    exact = np.abs(table[_nearest(table[:, 0], clock_s), 0] - clock_s) <= _SAME_TIME_S
    notes = ()
    if between := int((known & ~exact).sum()):
        notes += (f"poses of {between} of {len(clock_s)} frames are interpolated between measured ones",)
    if lost := int((~known).sum()):
        notes += (f"{lost} of {len(clock_s)} frames have no pose near their time",)
    return poses, notes


def _interpolated(
    times_s: Float64[np.ndarray, "m"], poses: Float64[np.ndarray, "m 4 4"], clock_s: Float64[np.ndarray, "f"]
) -> Float64[np.ndarray, "f 4 4"]:
    """Poses at ``clock_s``: rotation by slerp, position along the line; NaN beyond the ends and in gaps over 0.25 s."""
    from scipy.spatial.transform import Rotation

    after = np.clip(np.searchsorted(times_s, clock_s), 0, len(times_s) - 1)
    before = np.maximum(after - 1, 0)
    gap_s = times_s[after] - times_s[before]
    share = np.clip((clock_s - times_s[before]) / np.where(gap_s > 0, gap_s, 1.0), 0.0, 1.0)
    # A frame a rounding error away from a measured pose has that pose, at the ends and beside gaps too.
    share = np.where(np.abs(clock_s - times_s[before]) <= _SAME_TIME_S, 0.0, share)
    share = np.where(np.abs(clock_s - times_s[after]) <= _SAME_TIME_S, 1.0, share)
    on_pose = (share == 0.0) & (np.abs(clock_s - times_s[before]) <= _SAME_TIME_S)
    on_pose |= (share == 1.0) & (np.abs(clock_s - times_s[after]) <= _SAME_TIME_S)
    within = (clock_s >= times_s[0]) & (clock_s <= times_s[-1]) & (gap_s <= _MAX_GAP_S)
    start = Rotation.from_matrix(poses[before, :3, :3])
    turn = (start.inv() * Rotation.from_matrix(poses[after, :3, :3])).as_rotvec()
    out = np.tile(np.eye(4), (len(clock_s), 1, 1))
    out[:, :3, :3] = (start * Rotation.from_rotvec(turn * share[:, None])).as_matrix()
    out[:, :3, 3] = poses[before, :3, 3] * (1 - share[:, None]) + poses[after, :3, 3] * share[:, None]
    out[~(on_pose | within)] = np.nan
    return out
