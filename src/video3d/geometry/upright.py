"""Which way is up, from how cameras are held and from the surfaces they see.

People hold cameras level: the x axis of a camera is nearly horizontal however far it looks up or down. As a camera
turns, its x axes fan out, and up is the one direction square to all of them. Surfaces are sharper: floors, tables and
ceilings face along up and walls face across it. The two together are needed, for three families of square surfaces
cannot say which of them is the floor.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from video3d.geometry.flatness import FlatTiles

_PITCH_RAD = np.radians(-12.0)  # cameras look down a little
_PITCH_SPREAD_RAD = np.radians(20.0)
_ROLL_SPREAD_RAD = np.radians(4.0)  # at least; what is seen of a camera's roll may make it more
_TURN_RAD = np.radians(60.0)  # after turning this far the roll of a hand is taken as drawn anew
_SLOPE_RAD = np.radians(4.0)  # paths climb by about this
_MAX_ERROR_RAD = np.radians(10.0)
_MIN_TILES = 30
_MIN_SHARE = 0.2
_MIN_HOLD = 0.02
_KERNEL_RAD = np.radians(3.0)
_NARROW = (3.0,) * 6
_WIDE_TO_NARROW = (10.0, 8.0, 6.0, 5.0, 4.0, *_NARROW)
_MODES = 6
_TILE_ERROR_RAD = np.radians(1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpEstimate:
    """A direction, and how it was found.

    Attributes:
        up_world: unit vector.
        error_rad: how far off it may be (one standard deviation, a rough one).
        note: how it was found, in words.
    """

    up_world: Float64[np.ndarray, "3"]
    error_rad: float
    note: str


def _unit(vector: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3"]:
    return vector / max(float(np.linalg.norm(vector)), 1e-300)


def _held_up(rotations: Float64[np.ndarray, "f 3 3"]) -> Float64[np.ndarray, "3"]:
    """Up if every camera were level and looked down by the usual pitch."""
    up_camera = np.array([0.0, -np.cos(_PITCH_RAD), np.sin(_PITCH_RAD)])
    return _unit((rotations @ up_camera).mean(axis=0))


def up_from_poses(world_from_camera: Float64[np.ndarray, "f 4 4"], *, metric: bool = False) -> UpEstimate:
    """Up from camera poses alone, with its error, which is large (20 degrees) for a camera that did not turn.

    Three things are weighed, each by how well it is known: the x axes of the cameras are level; on average cameras look
    down by 12 degrees, give or take 20; and if lengths are metres, a path longer than five is level but for 4 degrees.

    Args:
        world_from_camera: poses, all of them finite, at least one.
        metric: lengths are metres.

    >>> angles = np.radians(np.arange(0, 120, 10))
    >>> poses = np.tile(np.eye(4), (12, 1, 1))
    >>> poses[:, 0, 0] = poses[:, 2, 2] = np.cos(angles)
    >>> poses[:, 0, 2], poses[:, 2, 0] = np.sin(angles), -np.sin(angles)
    >>> up = up_from_poses(poses)  # a level camera that turns by 110 degrees, in a world whose y points down
    >>> bool(up.up_world[1] < -0.99), bool(np.degrees(up.error_rad) < 10)
    (True, True)
    """
    rotations = world_from_camera[:, :3, :3]
    across = rotations[:, :, 0]
    spread = across.T @ across / across.shape[0]
    roll_rad = max(float(np.sqrt(max(np.linalg.eigvalsh(spread)[0], 0.0))), float(_ROLL_SPREAD_RAD))
    steps = np.einsum("fij,fij->f", rotations[1:], rotations[:-1])
    turned_rad = float(np.arccos(np.clip((steps - 1) / 2, -1, 1)).sum())
    draws = min(across.shape[0], 1 + turned_rad / float(_TURN_RAD))
    held = _held_up(rotations)
    information = spread * draws / roll_rad**2 + (np.eye(3) - np.outer(held, held)) / _PITCH_SPREAD_RAD**2
    note = f"level x axes of {across.shape[0]} cameras"
    centers = world_from_camera[:, :3, 3]
    travel = centers - centers.mean(axis=0)
    extent = float(np.linalg.norm(np.ptp(centers, axis=0)))
    if metric and extent > 5.0:
        shape = travel.T @ travel
        information += shape / np.trace(shape) / _SLOPE_RAD**2
        note += f" and a path of {extent:.0f} m taken as level"
    values, axes = np.linalg.eigh(information)
    up = axes[:, 0] if axes[:, 0] @ held >= 0 else -axes[:, 0]
    return UpEstimate(up_world=up, error_rad=float(1 / np.sqrt(values[1] - values[0] + 1e-12)), note=note)


def _held_weight(
    candidates: Float64[np.ndarray, "n 3"], rotations: Float64[np.ndarray, "f 3 3"]
) -> Float64[np.ndarray, "n"]:
    """How likely cameras are held like this if a candidate is up: near level, and looking down rather than up."""
    roll = np.median(np.abs(np.arcsin(np.clip(rotations[:, :, 0] @ candidates.T, -1, 1))), axis=0)
    pitch = np.median(np.arcsin(np.clip(rotations[:, :, 2] @ candidates.T, -1, 1)), axis=0)
    upside_down = np.median(-rotations[:, :, 1] @ candidates.T, axis=0) < -0.1
    likely = np.exp(-0.5 * (roll / np.radians(15)) ** 2 - 0.5 * ((pitch - _PITCH_RAD) / np.radians(35)) ** 2)
    return np.where(upside_down, 0.0, likely)


def _support(
    candidates: Float64[np.ndarray, "n 3"], tiles: FlatTiles, weights: Float64[np.ndarray, "t"], kernel_rad: float
) -> Float64[np.ndarray, "n"]:
    """Weight of the tiles that face along or across a candidate; ceilings count for less, for floors are seen more."""
    cosine = tiles.normals_world @ candidates.T  # t n
    along = np.exp(-0.5 * (np.arccos(np.clip(np.abs(cosine), 0, 1)) / kernel_rad) ** 2) * np.where(cosine < 0, 0.7, 1.0)
    across = np.exp(-0.5 * (np.arcsin(np.clip(cosine, -1, 1)) / kernel_rad) ** 2)
    return weights @ np.maximum(along, across)


def _modes(tiles: FlatTiles, weights: Float64[np.ndarray, "t"]) -> Float64[np.ndarray, "m 3"]:
    """The directions that most surface faces (either way), at least 20 degrees apart."""
    picked = np.linspace(0, weights.size - 1, min(weights.size, 1500)).astype(int)
    normals, weight = tiles.normals_world[picked], weights[picked].copy()
    near = np.abs(normals @ normals.T) > np.cos(np.radians(6))
    found = []
    for _ in range(_MODES):
        votes = near @ weight
        best = int(votes.argmax())
        if votes[best] <= 0:
            break
        cluster = normals[near[best]]
        cluster *= np.sign(cluster @ normals[best])[:, None]
        found.append(_unit((cluster * weight[near[best], None]).sum(axis=0)))
        weight[np.abs(normals @ normals[best]) > np.cos(np.radians(20))] = 0.0
    return np.array(found).reshape(-1, 3)


def _refined(
    up: Float64[np.ndarray, "3"],
    tiles: FlatTiles,
    weights: Float64[np.ndarray, "t"],
    across: Float64[np.ndarray, "3 3"],
    kernels_deg: tuple[float, ...],
) -> tuple[Float64[np.ndarray, "3"], float, float, float]:
    """Up, the shares of surface along and across it, and how firmly they hold it (0..1, in its weakest direction).

    Least squares of the angles between up and the surfaces that face nearly along or across it (Gupta, Arbelaez and
    Malik, CVPR 2013, section 4), with one kernel after the other. The cameras' x axes weigh a hundredth of all surfaces:
    enough to hold the tilt that a single wall leaves free.
    """
    along_share = across_share = hold = 0.0
    total = float(weights.sum())
    for degrees in kernels_deg:
        cosine = tiles.normals_world @ up
        along = np.exp(-0.5 * (np.arccos(np.clip(np.abs(cosine), 0, 1)) / np.radians(degrees)) ** 2)
        level = np.exp(-0.5 * (np.arcsin(np.clip(cosine, -1, 1)) / np.radians(degrees)) ** 2)
        along_share, across_share = float(weights @ along) / total, float(weights @ level) / total
        difference = weights * (level - along) / total
        matrix = (tiles.normals_world * difference[:, None]).T @ tiles.normals_world + 0.01 * across
        values, axes = np.linalg.eigh(matrix)
        up = axes[:, 0] if axes[:, 0] @ up >= 0 else -axes[:, 0]
        hold = float(values[1] - values[0])
    return up, along_share, across_share, hold


def up_from_surfaces(tiles: FlatTiles, world_from_camera: Float64[np.ndarray, "f 4 4"]) -> UpEstimate | None:
    """Up from the surfaces that cameras saw, and from how cameras are held; None where there are too few flat ones.

    Candidates are the directions that most surface faces, those square to two of them, and what the poses say. Each is
    refined; the one with the most surface along and across it wins, weighed by how a camera would be held for it.

    Args:
        tiles: flat pieces of surface.
        world_from_camera: poses of the cameras, all of them finite, at least one.
    """
    if tiles.area.size < _MIN_TILES:
        return None
    # A far wall is large but badly known: no tile weighs more than a few average ones, and to choose, noisy ones less.
    area = np.minimum(tiles.area, 4 * np.median(tiles.area))
    weights = area / (1 + (tiles.error_rad / _TILE_ERROR_RAD) ** 2)
    rotations = world_from_camera[:, :3, :3]
    modes = _modes(tiles, weights)
    first, second = np.triu_indices(modes.shape[0], k=1)
    square = np.cross(modes[first], modes[second])
    length = np.linalg.norm(square, axis=1)
    square = square[length > np.sin(np.radians(20))] / length[length > np.sin(np.radians(20)), None]
    from_poses = up_from_poses(world_from_camera).up_world
    candidates = np.concatenate([modes, -modes, square, -square, from_poses[None], _held_up(rotations)[None]])
    score = _support(candidates, tiles, weights, np.radians(8)) * _held_weight(candidates, rotations)
    x_axes = rotations[:, :, 0].T @ rotations[:, :, 0] / rotations.shape[0]
    refined = [_refined(candidates[index], tiles, weights, x_axes, _WIDE_TO_NARROW) for index in np.argsort(-score)[:8]]
    ups = np.array([up for up, *_ in refined])
    score = _support(ups, tiles, weights, float(_KERNEL_RAD)) * _held_weight(ups, rotations)
    best = int(score.argmax())
    up, along, across, hold = refined[best]
    # One wall alone leaves up free to turn about its normal, and might be a floor seen from straight above.
    if score[best] <= 0 or along + across < _MIN_SHARE or hold < _MIN_HOLD:
        return None
    # Noise goes away in the mean, while what bends the depth map bends all that is near alike: now every tile counts.
    up = _refined(up, tiles, area, x_axes, _NARROW)[0]
    # However many, the surfaces of a direction err together by about a degree: a bent depth map, a wall out of true.
    error_rad = float(np.radians(0.5) / np.sqrt(hold))
    note = f"{tiles.area.size} flat patches, {along:.0%} level and {across:.0%} upright"
    return UpEstimate(up_world=up, error_rad=error_rad, note=note)


def reliable(estimate: UpEstimate) -> bool:
    """Whether up is known well enough to turn a world by it: to about 10 degrees."""
    return bool(estimate.error_rad <= _MAX_ERROR_RAD)
