"""Rotations of a camera that only turns: it sees no depth, but how far it turned, and with that its focal length.

All its pictures are one picture seen through K R K^-1. The pairs' homographies give a first guess, their matches the rest.
Hartley, Self-calibration from multiple views with a rotating camera, ECCV 1994.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from video3d.estimate.camera_checks import Pair, best_turning_focal, homographies_as_turns

MAX_RESIDUAL_PX = 1.5
_MATCHES_A_PAIR = 25
_PAIRS_A_FRAME = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Turning:
    """What a turning camera's matches tell.

    Attributes:
        focal_px: the one focal length; the principal point is the middle.
        world_from_camera: rotation of every frame against the first that has one; NaN where no match reaches.
        residual_px: median distance of the matches from where the rotations put them.
    """

    focal_px: float
    world_from_camera: Float64[np.ndarray, "f 3 3"]
    residual_px: float


def turning_camera(
    pairs: Sequence[Pair], num_frames: int, size_hw: tuple[int, int], *, focal_px: float | None = None
) -> Turning | None:
    """Rotations and focal length from verified matches of a camera that only turns; None where they do not fit.

    Args:
        pairs: verified matches of frames; those without a homography are not used.
        num_frames: how many frames the pairs count in.
        size_hw: of the frames, pixels.
        focal_px: the focal length where it is known; then it is kept.
    """
    from scipy.optimize import least_squares
    from scipy.spatial.transform import Rotation

    flat = [pair for pair in pairs if pair.homography is not None]
    if not flat:
        return None
    start_px = focal_px if focal_px is not None else best_turning_focal(flat, size_hw)[0]
    turns = homographies_as_turns(flat, size_hw, start_px)
    guess = _chained(flat, turns, num_frames)
    placed = np.flatnonzero(np.isfinite(guess).all(axis=(1, 2)))
    if len(placed) < 2:
        return None
    row = np.full(num_frames, -1)
    row[placed] = np.arange(len(placed))
    used = _chosen([pair for pair in flat if row[pair.first] >= 0 and row[pair.second] >= 0], num_frames)
    first, second, first_px, second_px = _matches(used, row)
    middle = np.array([size_hw[1] / 2, size_hw[0] / 2])

    def distances(unknown: np.ndarray) -> np.ndarray:
        focal = start_px * np.exp(unknown[0]) if focal_px is None else start_px
        turn = Rotation.from_rotvec(np.vstack([np.zeros(3), unknown[1:].reshape(-1, 3)])).as_matrix()
        rays = np.hstack([(first_px - middle) / focal, np.ones((len(first_px), 1))])
        seen = np.einsum("nij,nj->ni", turn[first], rays)
        seen = np.einsum("nji,nj->ni", turn[second], seen)
        return (seen[:, :2] / np.maximum(seen[:, 2:], 0.05) * focal + middle - second_px).ravel()

    vectors = Rotation.from_matrix(guess[placed[0]].T @ guess[placed[1:]]).as_rotvec()
    start = np.concatenate([[0.0], vectors.ravel()])
    pattern = _pattern(first, second, len(start))
    fit = least_squares(distances, start, loss="soft_l1", jac_sparsity=pattern, x_scale="jac", max_nfev=30)
    residual = float(np.median(np.linalg.norm(distances(fit.x).reshape(-1, 2), axis=1)))
    if residual > MAX_RESIDUAL_PX:
        return None
    rotations = np.full((num_frames, 3, 3), np.nan)
    rotations[placed[0]] = np.eye(3)
    rotations[placed[1:]] = Rotation.from_rotvec(fit.x[1:].reshape(-1, 3)).as_matrix()
    focal = float(start_px * np.exp(fit.x[0])) if focal_px is None else start_px
    return Turning(focal_px=focal, world_from_camera=rotations, residual_px=residual)


def _chained(
    pairs: Sequence[Pair], second_from_first: Float64[np.ndarray, "p 3 3"], num_frames: int
) -> Float64[np.ndarray, "f 3 3"]:
    """World from camera along the pairs with most matches, from the frame with most; NaN where none leads."""
    links: list[list[tuple[int, int, np.ndarray]]] = [[] for _ in range(num_frames)]
    for pair, turn in zip(pairs, second_from_first, strict=True):
        links[pair.first].append((len(pair.first_px), pair.second, turn.T))
        links[pair.second].append((len(pair.first_px), pair.first, turn))
    world = np.full((num_frames, 3, 3), np.nan)
    root = int(np.argmax([sum(count for count, *_ in mine) for mine in links]))
    world[root] = np.eye(3)
    edge = [(count, root, to, turn) for count, to, turn in links[root]]
    while edge:
        best = max(range(len(edge)), key=lambda k: edge[k][0])
        _, here, there, here_from_there = edge.pop(best)
        if np.isfinite(world[there]).all():
            continue
        world[there] = world[here] @ here_from_there
        edge += [(count, there, to, turn) for count, to, turn in links[there]]
    return world


def _chosen(pairs: Sequence[Pair], num_frames: int) -> list[Pair]:
    """For every frame its pairs with most matches and those that turn farthest, which tell the focal length."""
    kept: set[int] = set()
    for frame in range(num_frames):
        mine = [k for k, pair in enumerate(pairs) if frame in (pair.first, pair.second)]
        kept |= set(sorted(mine, key=lambda k: -len(pairs[k].first_px))[:_PAIRS_A_FRAME])
        kept |= set(sorted(mine, key=lambda k: -pairs[k].move_px())[:_PAIRS_A_FRAME])
    return [pairs[k] for k in sorted(kept)]


def _matches(
    pairs: Sequence[Pair], row: Int64[np.ndarray, "f"]
) -> tuple[Int64[np.ndarray, "m"], Int64[np.ndarray, "m"], Float64[np.ndarray, "m 2"], Float64[np.ndarray, "m 2"]]:
    first, second, first_px, second_px = [], [], [], []
    for pair in pairs:
        some = np.unique(np.linspace(0, len(pair.first_px) - 1, _MATCHES_A_PAIR).round().astype(int))
        first.append(np.full(len(some), row[pair.first]))
        second.append(np.full(len(some), row[pair.second]))
        first_px.append(pair.first_px[some])
        second_px.append(pair.second_px[some])
    return (
        np.concatenate(first).astype(np.int64),
        np.concatenate(second).astype(np.int64),
        np.concatenate(first_px),
        np.concatenate(second_px),
    )


def _pattern(first: Int64[np.ndarray, "m"], second: Int64[np.ndarray, "m"], num_unknowns: int) -> object:
    """Which unknowns a distance hangs on: the focal length and the two frames' rotations (the first frame's is fixed)."""
    from scipy.sparse import lil_matrix

    pattern = lil_matrix((2 * len(first), num_unknowns), dtype=np.int8)
    pattern[:, 0] = 1
    rows = np.arange(2 * len(first))
    for frame in (first, second):
        for axis in range(3):
            column = np.repeat(1 + 3 * (frame - 1) + axis, 2)
            free = np.repeat(frame > 0, 2)
            pattern[rows[free], column[free]] = 1
    return pattern
