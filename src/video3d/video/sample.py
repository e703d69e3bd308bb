"""Which frames to read: evenly in time, or so that together they see as much of the scene as they can.

Maximum coverage asks for the k frames whose sets of seen voxels have the largest union. That is NP-hard; taking the
frame that adds most, again and again, reaches at least 1 - 1/e of the best (Nemhauser, Wolsey and Fisher, 1978), and
Video-3D LLM (Zheng et al., CVPR 2025) samples its frames so. Here the gains are never computed again: an index from
each voxel to the frames that see it takes every newly covered voxel off the gains of those frames, so that the whole
selection touches each (frame, voxel) pair at most twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from video3d.geometry.voxels import visible_voxels
from video3d.types import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSample:
    """The frames that maximum coverage chose.

    Attributes:
        indices: the frames in order of time.
        chosen: the same frames in the order they were chosen, the most useful first.
        gains: voxels that each of ``chosen`` added; 0 for a frame that only fills up the number asked for.
        coverage: share of all voxels seen in the recording that these frames see, 0..1; 0 if no voxel is seen at all.
        num_voxels: voxels seen in the recording.
    """

    indices: Int64[np.ndarray, "k"]
    chosen: Int64[np.ndarray, "k"]
    gains: Int64[np.ndarray, "k"]
    coverage: float
    num_voxels: int


def _check_count(num_frames: int) -> None:
    if num_frames < 1:
        raise InputError("num_frames", expected="at least 1", got=num_frames)


def sample_uniform(num_total: int, num_frames: int, *, rig: int = 1) -> Int64[np.ndarray, "k"]:
    """Frames at even steps, the first and the last among them; all of them if there are no more than asked for.

    One frame alone is the middle one. Of a rig whole instants are taken, as many as fit in ``num_frames``; where not even one
    does, its first cameras.

    Args:
        num_total: frames of the recording.
        num_frames: how many to take, at most.
        rig: cameras that fire together, see ``Recording``.

    Raises:
        InputError: a recording without frames, or fewer than one frame asked for.

    >>> sample_uniform(10, 4).tolist(), sample_uniform(3, 8).tolist(), sample_uniform(9, 1).tolist()
    ([0, 3, 6, 9], [0, 1, 2], [4])
    >>> sample_uniform(15, 8, rig=3).tolist(), sample_uniform(15, 2, rig=3).tolist()
    ([0, 1, 2, 12, 13, 14], [6, 7])
    """
    _check_count(num_frames)
    if rig > 1:
        first = rig * sample_uniform(num_total // rig, max(1, num_frames // rig))
        return (first[:, None] + np.arange(min(rig, num_frames))).ravel()
    if num_total < 1:
        raise InputError("recording", expected="at least 1 frame", got=f"{num_total} frames")
    if num_frames >= num_total:
        return np.arange(num_total, dtype=np.int64)
    if num_frames == 1:
        return np.array([(num_total - 1) // 2], dtype=np.int64)
    steps = np.arange(num_frames, dtype=np.int64)
    return (2 * steps * (num_total - 1) + (num_frames - 1)) // (2 * (num_frames - 1))  # rounded, in integers


def _ids(keys: Int64[np.ndarray, "n"]) -> tuple[Int64[np.ndarray, "n"], int]:
    """Keys renumbered from 0, and how many different ones there are."""
    distinct, ids = np.unique(keys, return_inverse=True)
    return ids.reshape(-1).astype(np.int64), distinct.size


def _fill_up(chosen: list[int], num_frames: int, sees: Sequence[bool]) -> list[int]:
    """Frames to add up to ``num_frames``: the farthest in time from all others; frames that see nothing come last."""
    num_total = len(sees)
    nearest = np.full(num_total, num_total, dtype=np.int64)
    times = np.arange(num_total)
    for frame in chosen:
        np.minimum(nearest, np.abs(times - frame), out=nearest)
    rank = nearest + np.where(sees, num_total + 1, 0)
    added: list[int] = []
    while len(chosen) + len(added) < num_frames:
        rank[chosen + added] = -1
        frame = int(rank.argmax())
        added.append(frame)
        distance = np.abs(times - frame)
        rank = np.where(rank < 0, -1, np.minimum(rank, distance + np.where(sees, num_total + 1, 0)))
    return added


def greedy_coverage(
    voxels: Sequence[Int64[np.ndarray, "_"]], num_frames: int, *, ratio: float | None = None, seed: int = 0
) -> FrameSample:
    """Frames that together see the most voxels, chosen greedily.

    For recordings too long to hold all their depth: get each frame's voxels with ``visible_voxels`` as it is read.

    Args:
        voxels: for every frame the set of voxels it sees: keys without repeats, empty where pose or depth is missing.
        num_frames: frames wanted. All frames of the recording if it has no more. When every voxel is covered before,
            the rest are the frames farthest in time from the chosen ones; those that see nothing come last.
        ratio: stop as soon as this share of all voxels is covered, with fewer frames than ``num_frames``.
        seed: decides between frames of equal gain.

    Raises:
        InputError: no frames, fewer than one asked for, or a ratio outside (0, 1].

    >>> views = [np.array([1, 2]), np.array([2, 3, 4]), np.array([4]), np.array([5])]
    >>> sample = greedy_coverage(views, 3)
    >>> sample.indices.tolist(), sample.gains.tolist(), sample.coverage
    ([0, 1, 3], [3, 1, 1], 1.0)
    >>> greedy_coverage(views, 3, ratio=0.6).indices.tolist()
    [1]
    """
    _check_count(num_frames)
    num_total = len(voxels)
    if ratio is not None and not 0 < ratio <= 1:
        raise InputError("ratio", expected="a share above 0 and up to 1", got=ratio, do="0.95 is usual")
    sizes = np.array([keys.size for keys in voxels], dtype=np.int64)
    if num_total == 0 or not sizes.any():
        even = sample_uniform(num_total, num_frames)
        return FrameSample(indices=even, chosen=even, gains=np.zeros_like(even), coverage=0.0, num_voxels=0)
    ids, num_voxels = _ids(np.concatenate(list(voxels)))
    first = np.r_[0, np.cumsum(sizes)]  # voxels of frame f: ids[first[f] : first[f + 1]]
    seen_by = np.repeat(np.arange(num_total), sizes)[np.argsort(ids, kind="stable")]
    num_seers = np.bincount(ids, minlength=num_voxels)
    first_seer = np.cumsum(num_seers) - num_seers  # frames that see voxel v: seen_by[first_seer[v] :][: num_seers[v]]

    wanted = min(num_frames, num_total)
    enough = num_voxels if ratio is None else int(np.ceil(ratio * num_voxels - 1e-9))
    by_preference = np.random.default_rng(seed).permutation(num_total)
    gain = sizes[by_preference]  # indexed like by_preference, so that argmax breaks ties by it
    place = np.argsort(by_preference)
    covered = np.zeros(num_voxels, dtype=bool)
    chosen: list[int] = []
    gains: list[int] = []
    num_covered = 0
    while len(chosen) < wanted and num_covered < enough:
        best = int(gain.argmax())
        frame = int(by_preference[best])
        mine = ids[first[frame] : first[frame + 1]]
        new = mine[~covered[mine]]
        covered[new] = True
        # Frames that see the new voxels, one entry for each voxel they see: the runs of seen_by, joined.
        runs = num_seers[new]
        offset = np.cumsum(runs) - runs
        losers = seen_by[np.repeat(first_seer[new] - offset, runs) + np.arange(runs.sum())]
        gain -= np.bincount(place[losers], minlength=num_total)
        chosen.append(frame)
        gains.append(int(new.size))
        num_covered += int(new.size)
    if ratio is None:
        chosen += _fill_up(chosen, wanted, (sizes > 0).tolist())
        gains += [0] * (wanted - len(gains))
    order = np.array(chosen, dtype=np.int64)
    return FrameSample(
        indices=np.sort(order),
        chosen=order,
        gains=np.array(gains, dtype=np.int64),
        coverage=num_covered / num_voxels,
        num_voxels=num_voxels,
    )


def sample_max_coverage(
    depth_m: Float32[np.ndarray, "f h w"],
    k_px: Float64[np.ndarray, "f 3 3"],
    world_from_camera: Float64[np.ndarray, "f 4 4"],
    num_frames: int,
    *,
    voxel_m: float = 0.1,
    ratio: float | None = None,
    seed: int = 0,
    pixel_stride: int = 1,
) -> FrameSample:
    """Frames that together see the most of the scene's voxels.

    Frames of different pieces share no world: pass only those of one piece, or NaN poses for the others. Without one
    frame that has pose and depth the sample is uniform in time and its coverage 0.

    Args:
        depth_m: z-depth in metres, NaN unknown.
        k_px: intrinsics at the size of the depth maps.
        world_from_camera: poses, NaN unknown. A frame without pose or depth is taken only when nothing else is left.
        num_frames: frames wanted, see ``greedy_coverage``.
        voxel_m: side of a voxel in metres; the paper takes 0.1.
        ratio: stop as soon as this share of all voxels is covered.
        seed: decides between frames of equal gain.
        pixel_stride: read every n-th pixel of every n-th row.

    Raises:
        InputError: see ``greedy_coverage`` and ``visible_voxels``.

    >>> depth_m = np.full((3, 12, 16), 2.0, dtype=np.float32)
    >>> k_px = np.tile(np.array([[16.0, 0, 8], [0, 16, 6], [0, 0, 1]]), (3, 1, 1))
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[2, 0, 3] = 5.0
    >>> sample = sample_max_coverage(depth_m, k_px, poses, 2)
    >>> sample.coverage, 2 in sample.indices
    (1.0, True)
    """
    voxels = [
        visible_voxels(depth, k, pose, voxel_m, pixel_stride=pixel_stride)
        for depth, k, pose in zip(depth_m, k_px, world_from_camera, strict=True)
    ]
    return greedy_coverage(voxels, num_frames, ratio=ratio, seed=seed)
