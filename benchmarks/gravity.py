"""Which way is up, found from depth and poses, against what the recordings measured.

    python benchmarks/gravity.py DATA_DIR [--simulated DATASET_DIR --num 40] [--camera] [--depth NAME] [--json]

The kitchen's truth is its gravity-direction.txt, forgotten for the estimate; the office's is the normal of the plane that
RANSAC finds lowest and square to up of the device within 10 degrees. Rows: measured depth and measured poses, at 8, 16 and
32 frames; with ``--camera``, poses by structure from motion (from colour alone) under measured depth. With ``--depth``, a name
that ``video3d --depth`` knows (``nano``, ``video``, ``video:none``, ...), measured depth is taken away and each of these rows
comes again, at 32 frames, with depth so estimated. Simulated clips have exact depth and poses in a world whose +z is up; the
world is turned at random first, and ``noise`` rows bend depth by 2 % (smoothly) and turn poses by 0.5 degrees. Columns:
clips, clips whose up was found, error in degrees (median, 90th percentile, greatest), the error that the estimate states.

As measured. The file of the kitchen is 2.0 degrees off its own floor, of which the estimate is within 0.3:

    up of                              clips  found   median    p90    max  stated
    kitchen, 8 frames                      1      1     1.94   1.94   1.94    0.90
    kitchen, 16 frames                     1      1     1.91   1.91   1.91    0.89
    kitchen, 32 frames                     1      1     1.76   1.76   1.76    0.89
    kitchen, 32 frames, estimated poses     1      1     2.01   2.01   2.01    0.88
    office, 8 frames                       1      1     0.25   0.25   0.25    0.77
    office, 16 frames                      1      1     0.15   0.15   0.15    0.80
    office, 32 frames                      1      1     0.08   0.08   0.08    0.79
    office, 32 frames, estimated poses     1      1     0.24   0.24   0.24    0.80
    simulated, exact                      40     40     0.03   0.07   0.09    0.63
    simulated, noise                      40     40     0.17   0.32   0.51    0.73
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import zoom
from scipy.spatial.transform import Rotation

from video3d.estimate.complete import complete_geometry
from video3d.estimate.depth import depth_parts
from video3d.geometry.gravity import gravity_alignment
from video3d.geometry.rigid import transform_points, unproject
from video3d.pipeline import load_depth
from video3d.types import GeometryStatus, InputError, PosedClip, Recording, World
from video3d.video import forget, open_recording, read_clip, register_colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; errors in degrees, NaN where no clip's up was found."""

    what: str
    clips: int
    found: int
    median_deg: float
    p90_deg: float
    max_deg: float
    stated_deg: float

    def line(self) -> str:
        """As the table shows it."""
        return (
            f"{self.what:<40}{self.clips:>6}{self.found:>7}{self.median_deg:>9.2f}{self.p90_deg:>7.2f}{self.max_deg:>7.2f}"
            f"{self.stated_deg:>8.2f}"
        )


def up_error_deg(clip: PosedClip, up: np.ndarray) -> tuple[float, float] | None:
    """Degrees between up as it is found in a clip and the true one in its world, and what the estimate states; None: not found."""
    alignment = gravity_alignment(replace(clip, up_world=None, world=replace(clip.world, gravity_aligned=False)))
    if alignment.status == "unknown":
        return None
    cosine = alignment.aligned_from_world[2, :3] @ up / np.linalg.norm(up)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))), float(np.degrees(alignment.error_rad))


def true_up(recording: Recording) -> np.ndarray:
    """Up in the world of a recording's poses: what it measured, else the normal of its floor."""
    # The office's device levels its world, y up; the floor tells it to a fraction of a degree.
    return floor_normal(recording, np.array([0.0, 1.0, 0.0])) if recording.up_world is None else recording.up_world


def up_among(clip: PosedClip, recording: Recording, up: np.ndarray) -> np.ndarray:
    """The true up in the world of estimated poses, by the rotations of the frames that have both; NaN without any."""
    main = np.flatnonzero(clip.piece == 0)
    truth = recording.world_from_camera[clip.frame_index[main], :3, :3]
    return np.einsum("fij,fkj,k->fi", clip.world_from_camera[main, :3, :3], truth, up).sum(axis=0)


def judged(what: str, clips: list[tuple[PosedClip, np.ndarray]]) -> Row:
    """Errors of up against the truth of every clip."""
    both = [found for clip, up in clips if (found := up_error_deg(clip, up)) is not None]
    errors, stated = [error for error, _ in both], [own for _, own in both]
    some = errors or [np.nan]
    return Row(
        what=what,
        clips=len(clips),
        found=len(errors),
        median_deg=float(np.median(some)),
        p90_deg=float(np.percentile(some, 90)),
        max_deg=float(np.max(some)),
        stated_deg=float(np.median(stated or [np.nan])),
    )


def floor_normal(recording: Recording, rough_up: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Normal of the floor by RANSAC (2 cm) on measured depth of 24 frames, among the lowest tenth of all points."""
    clip = read_clip(recording, 24)
    step = 8
    k_px = np.array(clip.k_px)
    k_px[:, :2] *= clip.depth_m.shape[2] / clip.size_hw[1] / step
    points = transform_points(
        clip.world_from_camera, unproject(clip.depth_m[:, step // 2 :: step, step // 2 :: step], k_px)
    )
    points = points.reshape(-1, 3).astype(np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    height = points @ rough_up
    points = points[height < np.percentile(height, 5) + 0.35]
    rng, best, most = np.random.default_rng(seed), rough_up, 0
    for _ in range(2000):
        a, b, c = points[rng.choice(len(points), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal)
        if length < 1e-3:
            continue
        normal *= np.sign(normal @ rough_up) / length
        inside = int((np.abs((points - a) @ normal) < 0.02).sum())
        if inside > most and normal @ rough_up > np.cos(np.radians(10)):
            best, most = normal, inside
            on = points[np.abs((points - a) @ normal) < 0.02]
            refined = np.linalg.svd(on - on.mean(axis=0), full_matrices=False)[2][2]
            best = refined * np.sign(refined @ rough_up)
    return best


def real(name: str, recording: Recording, up: np.ndarray, *, camera: bool, depth: str | None) -> Iterator[Row]:
    """Rows of one recording."""
    for count in (8, 16, 32):
        yield judged(f"{name}, {count} frames", [(complete_geometry(read_clip(recording, count)), up)])
    if camera:
        yield _moved(name, recording, up, complete_geometry(read_clip(forget(recording, ["poses"]), 32)))
    if depth is not None:
        network, views = depth_parts(depth)
        estimator = load_depth(network)
        for lost in (["depth"], ["depth", "poses"])[: 1 + camera]:
            clip = read_clip(forget(recording, lost), 32)
            posed = complete_geometry(clip, depth_estimator=estimator, video_depth=views)
            if "poses" in lost:
                yield _moved(name, recording, up, posed, f", {depth}")
            else:
                yield judged(f"{name}, 32 frames, {depth}", [(posed, up)])


def _moved(name: str, recording: Recording, up: np.ndarray, posed: PosedClip, how: str = "") -> Row:
    """The row of a clip whose poses were estimated, in a world of their own."""
    count = int((posed.piece == 0).sum())
    return judged(f"{name}, {count} frames, est. poses{how}", [(posed, up_among(posed, recording, up))])


def simulated(root: Path, count: int, *, noisy: bool, seed: int = 0) -> list[tuple[PosedClip, np.ndarray]]:
    """Clips of the simulator, turned at random; bent and jittered where ``noisy``."""
    from video3d.data.store import open_dataset

    data = open_dataset(root)
    ids = data.clip_ids()
    rng, clips = np.random.default_rng(seed), []
    for clip_id in [ids[i] for i in np.linspace(0, len(ids) - 1, count).round().astype(int)]:
        stored = data.clip(clip_id)
        truth = stored.truth
        depth = np.array(stored.depth_m, dtype=np.float32)
        turn = Rotation.random(random_state=rng)
        poses = truth.world_from_camera.copy()
        poses[:, :3, :] = turn.as_matrix() @ poses[:, :3, :]
        if noisy:
            poses[:, :3, :3] = (
                poses[:, :3, :3]
                @ Rotation.from_rotvec(np.radians(0.5) / np.sqrt(3) * rng.normal(size=(len(poses), 3))).as_matrix()
            )
            for i in range(len(depth)):
                bend = zoom(rng.normal(0, 0.02, (4, 5)), (depth.shape[1] / 4, depth.shape[2] / 5), order=3)
                depth[i] *= np.exp(bend).astype(np.float32)
        clips.append(
            (
                PosedClip(
                    frame_index=np.arange(len(poses)),
                    time_s=truth.times_s,
                    rgb=stored.rgb,
                    depth_m=depth,
                    k_px=truth.k_px,
                    world_from_camera=poses,
                    piece=np.zeros(len(poses), dtype=np.int64),
                    world=World(metric=True),
                    status=GeometryStatus(),
                ),
                turn.as_matrix() @ np.array([0.0, 0.0, 1.0]),
            )
        )
    return clips


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--simulated", type=Path, help="a data set of the simulator")
    parser.add_argument("--num", type=int, default=40, help="clips of it")
    parser.add_argument("--camera", action="store_true", help="poses by structure from motion too")
    parser.add_argument("--depth", help="estimated depth too: nano, video, video:none, ...")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = []

    def show(row: Row) -> None:
        rows.append(row)
        if not options.json:
            print(row.line(), flush=True)

    if not options.json:
        print(f"{'up of':<40}{'clips':>6}{'found':>7}{'median':>9}{'p90':>7}{'max':>7}{'stated':>8}")
    try:
        for name, folder in (("kitchen", "seven_scenes_kitchen"), ("office", "hololens_office")):
            if not (options.data_dir / folder).is_dir():
                print(f"{name}: left out, not there", file=sys.stderr)
                continue
            recording = register_colour(open_recording(options.data_dir / folder))
            up, blind = true_up(recording), replace(recording, up_world=None)
            for row in real(name, blind, up, camera=options.camera, depth=options.depth):
                show(row)
        if options.simulated is not None:
            for noisy in (False, True):
                clips = simulated(options.simulated, options.num, noisy=noisy)
                show(judged("simulated, noise" if noisy else "simulated, exact", clips))
    except InputError as error:
        parser.error(str(error))
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
