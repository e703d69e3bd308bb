"""Which views to compare a frame with: enough parallax to measure, enough overlap to see the same surface.

Notable: parallax is an angle, the one under which the two cameras are seen from the surface, so that the choice does
not depend on the unit of the world. Too little of it and depth is noise; too much and the two pictures of a surface are
no longer alike. Views are taken one after the other, each worth less the closer it stands to one that was taken: eight
views from one place are one view.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from video3d.geometry.rigid import inverse_k, inverse_rigid, is_known

# Degrees. A window of 5 px on a surface 45 degrees oblique changes its width by 14 % between views 8 degrees apart.
_BEST_PARALLAX_DEG = 8.0
_PARALLAX_OCTAVES = 1.0  # spread of the preference, in factors of two
_MIN_PARALLAX_DEG = 0.7  # of the sensor's noise: at 250 px focal length the disparity between the planes is 3 px
_MIN_OVERLAP = 0.25
_GRID = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewScores:
    """How useful every candidate is to a frame.

    Attributes:
        score: 0 (useless) to 1.
        centre: of every candidate's camera, in units of the frame's typical depth, for telling views apart.
    """

    score: Float64[np.ndarray, "n"]
    centre: Float64[np.ndarray, "n 3"]


def score_views(
    world_from_camera: Float64[np.ndarray, "4 4"],
    k_px: Float64[np.ndarray, "3 3"],
    size_hw: tuple[int, int],
    depths: Float64[np.ndarray, "d"],
    world_from_source: Float64[np.ndarray, "n 4 4"],
    k_source_px: Float64[np.ndarray, "n 3 3"],
) -> ViewScores:
    """Overlap times preference of parallax, over a grid of pixels at the given depths; 0 for a view without a pose."""
    h, w = size_hw
    x, y = np.meshgrid((np.arange(_GRID) + 0.5) * w / _GRID, (np.arange(_GRID) + 0.5) * h / _GRID)
    rays = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3) @ inverse_k(k_px).T
    points = (rays[None] * depths[:, None, None]).reshape(-1, 3)
    usable = is_known(world_from_source) & is_known(k_source_px)
    camera_from_source = inverse_rigid(world_from_camera) @ np.where(
        usable[:, None, None], world_from_source, np.eye(4)
    )
    source_from_camera = inverse_rigid(camera_from_source)
    seen = np.einsum("nij,pj->npi", source_from_camera[:, :3, :3], points) + source_from_camera[:, None, :3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        px = np.einsum("nij,npj->npi", np.where(usable[:, None, None], k_source_px, np.eye(3)), seen)
        px = px[..., :2] / seen[..., 2:]
        inside = (seen[..., 2] > 0) & (px >= 0).all(axis=-1) & (px[..., 0] < w) & (px[..., 1] < h)
    overlap = inside.mean(axis=1)
    centre = camera_from_source[:, :3, 3]
    to_source = points[None] - centre[:, None]
    cosine = (to_source * points).sum(-1) / (
        np.linalg.norm(to_source, axis=-1) * np.linalg.norm(points, axis=-1) + 1e-12
    )
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    count = np.maximum(inside.sum(axis=1), 1)
    parallax = np.where(inside, angle, 0).sum(axis=1) / count
    with np.errstate(divide="ignore"):
        octaves = np.log2(np.maximum(parallax, 1e-6) / _BEST_PARALLAX_DEG)
    score = overlap * np.exp(-0.5 * (octaves / _PARALLAX_OCTAVES) ** 2)
    score[~usable | (parallax < _MIN_PARALLAX_DEG) | (overlap < _MIN_OVERLAP)] = 0
    return ViewScores(score=score, centre=centre / float(np.median(depths)))


def select_views(scores: ViewScores, num_views: int) -> Int64[np.ndarray, "k"]:
    """The most useful views, best first, spread over where they stand; fewer if fewer are any good.

    >>> centre = np.array([[0.1, 0, 0], [0.101, 0, 0], [-0.1, 0, 0], [5.0, 0, 0]])
    >>> select_views(ViewScores(score=np.array([0.9, 0.89, 0.5, 0.0]), centre=centre), 2).tolist()
    [0, 2]
    """
    left = scores.score.copy()
    chosen: list[int] = []
    while len(chosen) < num_views and left.max(initial=0.0) > 0:
        best = int(left.argmax())
        chosen.append(best)
        apart = np.linalg.norm(scores.centre - scores.centre[best], axis=1)
        reach = 0.35 * np.linalg.norm(scores.centre[best])
        left *= 1 - 0.9 * np.exp(-0.5 * (apart / reach) ** 2)
        left[best] = 0
        left[left < 0.01] = 0
    return np.array(chosen, dtype=np.int64)
