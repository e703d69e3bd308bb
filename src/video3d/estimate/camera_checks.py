"""What a reconstruction must pass before it is believed, judged by the matches it was made from.

Notable: incremental mapping can end in a model that explains its own points and is wrong: folded, or two walks glued
by a poster that hangs in both. Its points cannot tell, because what disagreed was left out of them. The matches of
every pair of frames can: they were verified before there was a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

# A homography K R K^-1 is a rotation for the right focal length: measured 0.04 for a camera that turns on the spot,
# 0.26 to 1.4 for walks and for planes passed by.
_TURNED = 0.12
_TURNED_PAIRS = 0.9
_AGREES = 0.6  # share of a pair's matches: right models have nearly all above, seams of wrong ones below


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Verified matches of two frames (positions in the list of frames): pixels in both, centres at +0.5.

    ``homography`` takes pixels of the first to the second where one explains nearly all the matches, else None.
    """

    first: int
    second: int
    first_px: Float64[np.ndarray, "m 2"]
    second_px: Float64[np.ndarray, "m 2"]
    homography: Float64[np.ndarray, "3 3"] | None = None

    def move_px(self) -> float:
        """Median displacement of the matches."""
        return float(np.median(np.linalg.norm(self.first_px - self.second_px, axis=1)))


def only_turns(pairs: Sequence[Pair], size_hw: tuple[int, int]) -> bool:
    """Whether the frames are explained by a camera that turns on the spot, whose pictures tell no depth.

    True if a homography explains nearly every pair with a clear motion, and one focal length makes all of them
    rotations. A plane that is passed by gives homographies too, but no rotations. The principal point is taken as the
    middle. Hartley, Self-calibration from multiple views with a rotating camera, ECCV 1994.
    """
    wide = [p for p in pairs if p.move_px() > 0.03 * max(size_hw)]
    flat = [p.homography for p in wide if p.homography is not None]
    if len(flat) < 3 or len(flat) < _TURNED_PAIRS * len(wide):
        return False
    return best_turning_focal([p for p in wide if p.homography is not None], size_hw)[1] < _TURNED


def best_turning_focal(pairs: Sequence[Pair], size_hw: tuple[int, int]) -> tuple[float, float]:
    """The focal length under which the pairs' homographies are most nearly rotations, and how far they are from that.

    The second number is the part of a homography's change that no rotation explains: its median over pairs, or infinity.
    """
    homographies = np.stack([p.homography for p in pairs if p.homography is not None])
    best = (float("nan"), float("inf"))
    for focal_px in max(size_hw) * np.geomspace(0.4, 2.5, 25):
        turn = _as_turns(homographies, size_hw, float(focal_px))
        stretch = np.linalg.norm(np.swapaxes(turn, 1, 2) @ turn - np.eye(3), axis=(1, 2))
        leftover = float(np.median(stretch / (np.linalg.norm(turn - np.eye(3), axis=(1, 2)) + 1e-9)))
        if leftover < best[1]:
            best = (float(focal_px), leftover)
    return best


def homographies_as_turns(
    pairs: Sequence[Pair], size_hw: tuple[int, int], focal_px: float
) -> Float64[np.ndarray, "p 3 3"]:
    """The rotations second_from_first nearest to the pairs' homographies, all of which must have one."""
    turn = _as_turns(np.stack([p.homography for p in pairs if p.homography is not None]), size_hw, focal_px)
    u, _, vt = np.linalg.svd(turn)
    return u @ vt


def _as_turns(
    homographies: Float64[np.ndarray, "p 3 3"], size_hw: tuple[int, int], focal_px: float
) -> Float64[np.ndarray, "p 3 3"]:
    k_px = np.array([[focal_px, 0, size_hw[1] / 2], [0, focal_px, size_hw[0] / 2], [0, 0, 1]])
    turn = np.linalg.inv(k_px) @ homographies @ k_px
    return turn / np.cbrt(np.linalg.det(turn))[:, None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How a model stands with the matches.

    Attributes:
        share: mean over pairs of the share of matches that agree.
        matches: matches that agree, over all pairs of the largest part.
        part: part every frame belongs to, 0 the largest, -1 without a pose: frames linked by pairs that agree. A right
            model has one.
    """

    share: float
    matches: int
    part: Int64[np.ndarray, "f"]


def agreement(
    pairs: Sequence[Pair],
    camera_from_world: Float64[np.ndarray, "f 4 4"],
    normalised: Sequence[tuple[Float64[np.ndarray, "m 2"], Float64[np.ndarray, "m 2"]]],
    focal_px: float,
    *,
    within_px: float = 3.0,
) -> Agreement:
    """Judge poses by the matches of every pair of frames that has both.

    Args:
        pairs: verified pairs, whatever the model made of them.
        camera_from_world: poses, NaN without.
        normalised: for every pair its pixels as rays (x / z, y / z) in both cameras, distortion removed.
        focal_px: turns distances between rays back into pixels.
        within_px: a match agrees if its first-order (Sampson) distance from the epipolar geometry is less.
    """
    known = np.asarray(np.isfinite(camera_from_world).all(axis=(1, 2)))
    shares, links = [], []
    for pair, (first, second) in zip(pairs, normalised, strict=True):
        if not (known[pair.first] and known[pair.second]) or not len(first):
            continue
        move = camera_from_world[pair.second] @ np.linalg.inv(camera_from_world[pair.first])
        good = sampson_distance(move, first, second) * focal_px < within_px
        shares.append(float(good.mean()))
        if shares[-1] >= _AGREES:
            links.append((pair.first, pair.second, int(good.sum())))
    part = _linked(known, np.array([link[:2] for link in links], dtype=np.int64).reshape(-1, 2))
    return Agreement(
        share=float(np.mean(shares)) if shares else 0.0,
        matches=sum(count for first, _, count in links if part[first] == 0),
        part=part,
    )


def relief_parallax_px(
    world_from_camera: Float64[np.ndarray, "f 4 4"],
    observation_frame: Int64[np.ndarray, "o"],
    observation_depth: Float[np.ndarray, "o"],
    focal_px: float,
) -> float:
    """How far near and far points move against each other over the path, in pixels: what depth and positions rest on.

    The extent of the path (twice the rms distance from its middle) times the focal length times the range of inverse depth
    (10th to 90th percentile, median over frames). Measured: 313 px in the kitchen, 91 or more in other walks; 8 px for a
    hand that holds a camera in one place, whose turning then passes for moving.

    Args:
        world_from_camera: poses of one piece, NaN elsewhere.
        observation_frame: for every point seen, its place among the poses.
        observation_depth: its z-depth in the unit of the poses.
        focal_px: at the size at which the answer is wanted.
    """
    known = np.isfinite(world_from_camera).all(axis=(1, 2))
    centers = world_from_camera[known, :3, 3]
    if len(centers) < 2:
        return 0.0
    extent = 2 * float(np.sqrt(((centers - centers.mean(axis=0)) ** 2).sum(axis=1).mean()))
    ranges = []
    for frame in np.flatnonzero(known):
        depth = observation_depth[observation_frame == frame]
        if len(depth) >= 2:
            near_far = np.percentile(1.0 / depth.astype(np.float64), [10, 90])
            ranges.append(near_far[1] - near_far[0])
    return extent * focal_px * float(np.median(ranges)) if ranges else 0.0


def sampson_distance(
    second_from_first: Float64[np.ndarray, "4 4"], first: Float64[np.ndarray, "m 2"], second: Float64[np.ndarray, "m 2"]
) -> Float64[np.ndarray, "m"]:
    """First-order distance of matched rays from the epipolar geometry of a relative pose, in units of z = 1.

    Hartley and Zisserman, Multiple View Geometry, equation 11.9.

    >>> sideways = np.eye(4)
    >>> sideways[0, 3] = 1.0
    >>> sampson_distance(sideways, np.array([[0.0, 0.0]]), np.array([[0.3, 0.02]])).round(4).tolist()
    [0.0141]
    """
    t = second_from_first[:3, 3] / max(float(np.linalg.norm(second_from_first[:3, 3])), 1e-12)
    cross = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]])
    essential = cross @ second_from_first[:3, :3]
    one = np.ones((len(first), 1))
    a, b = np.hstack([first, one]), np.hstack([second, one])
    line_b, line_a = a @ essential.T, b @ essential
    slope = (line_b[:, :2] ** 2).sum(axis=1) + (line_a[:, :2] ** 2).sum(axis=1)
    return np.abs((b * line_b).sum(axis=1)) / np.sqrt(slope + 1e-18)


def _linked(known: Bool[np.ndarray, "f"], links: Int64[np.ndarray, "l 2"]) -> Int64[np.ndarray, "f"]:
    """Connected parts of the known frames, numbered by falling size; -1 for the others."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(known)
    graph = coo_matrix((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    sizes = np.bincount(label[known], minlength=int(label.max(initial=0)) + 1)
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return np.where(known, rank[label], -1)
