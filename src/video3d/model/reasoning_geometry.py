"""Geometry that the 3D reasoning module computes exactly instead of learning it: all in float32.

Everything given to a network here is the same after any turn of the world about the vertical and any shift of it: distances,
heights, angles between things, and what an observer sees. Vectors stay apart and turn with the world.
"""

import math

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from video3d.model.reasoning_types import Observers, Things

LENGTH_CODES = 3
PAIR_LENGTHS, PAIR_PLAIN = 23, 6
PAIR_WIDTH = LENGTH_CODES * PAIR_LENGTHS + PAIR_PLAIN
"""Width of ``pair_features``."""
SIZE_WIDTH = 4
"""Width of ``size_features``."""
_CORNERS = ((-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0))


def length_code(length_m: Float32[Tensor, "*s"]) -> Float32[Tensor, "*s 3"]:
    """A signed length at three scales: contact (decimetres), reach (metres), and without bound.

    >>> length_code(torch.tensor([0.0])).tolist()
    [[0.0, 0.0, 0.0]]
    """
    return torch.stack([(length_m / 0.1).tanh(), (length_m / 1.0).tanh(), length_m.asinh() / 3], -1)


def unit_heading(yaw_rad: Float32[Tensor, "*s"]) -> Float32[Tensor, "*s 2"]:
    """Horizontal unit vector of an angle about +z from the x axis."""
    return torch.stack([yaw_rad.cos(), yaw_rad.sin()], -1)


def quarter_turn(vector: Float32[Tensor, "*s 2"]) -> Float32[Tensor, "*s 2"]:
    """A horizontal vector turned to the left by 90 degrees."""
    return torch.stack([-vector[..., 1], vector[..., 0]], -1)


def into_frame(vector: Float32[Tensor, "*s 2"], yaw_rad: Float32[Tensor, "*s"]) -> Float32[Tensor, "*s 2"]:
    """A horizontal vector's parts along a heading and to the left of it."""
    ahead = unit_heading(yaw_rad)
    return torch.stack([(vector * ahead).sum(-1), (vector * quarter_turn(ahead)).sum(-1)], -1)


def soft_unit(vector: Float32[Tensor, "*s c"], softness: float) -> Float32[Tensor, "*s c"]:
    """The vector's direction, shorter where the vector is not much longer than ``softness``; smooth at zero."""
    return vector / (vector.square().sum(-1, keepdim=True) + softness**2).sqrt()


def scene_center(points_world: Float32[Tensor, "b n 3"], placed: Bool[Tensor, "b n"]) -> Float32[Tensor, "b 3"]:
    """Mean of the placed points; 0 without any."""
    total = torch.where(placed[..., None], points_world, 0.0).sum(1)
    return total / placed.sum(1, keepdim=True).clamp_min(1)


def distance_to_things(
    points_world: Float32[Tensor, "b n 3"], placed: Bool[Tensor, "b n"], things: Things
) -> Float32[Tensor, "b r n"]:
    """Metres from every token to the surface of every box, 0 inside; to the point for a point; 0 for tokens without place."""
    points = torch.where(placed[..., None], points_world, 0.0)
    offset = points[:, None] - things.center_world[:, :, None]  # b r n 3
    level = into_frame(offset[..., :2], things.yaw_rad[:, :, None].expand(offset.shape[:-1]))
    local = torch.cat([level, offset[..., 2:]], -1)
    beyond = (local.abs() - things.size_m[:, :, None] / 2).clamp_min(0)
    return torch.where(placed[:, None], beyond.square().sum(-1).sqrt(), 0.0)


def farthest_points(
    points: Float32[Tensor, "b n 3"], placed: Bool[Tensor, "b n"], num: int
) -> tuple[Int64[Tensor, "b {num}"], Bool[Tensor, "b {num}"]]:
    """Indices of placed points, each the farthest from all before it, and which of them are no repetition.

    The first is the farthest from the origin (where the scene's centre is). Deterministic: the first index wins where two are
    equally far, so which of two twins is taken may change when rounding does. (Farthest point sampling: Eldar et al., "The
    farthest point strategy for progressive image sampling", 1997; as seeds of boxes: 3DETR, arXiv 2109.08141.)
    """
    nearest = torch.where(placed, points.square().sum(-1), -1.0)
    chosen, fresh = [], []
    for number in range(num):
        far, index = nearest.max(1)
        chosen.append(index)
        fresh.append(far > (1e-6 if number else -0.5))
        seed = points.gather(1, index[:, None, None].expand(-1, 1, 3))
        apart = torch.where(placed, (points - seed).square().sum(-1), -1.0)
        nearest = torch.minimum(nearest, apart) if number else apart
    return torch.stack(chosen, 1), torch.stack(fresh, 1)


def size_features(things: Things) -> Float32[Tensor, "b r 4"]:
    """Height, larger and smaller side on logarithmic scales (0 for a point), and whether it is a box.

    The same for both ways to describe a box: with its sides exchanged and a quarter turn more.
    """
    is_box = (things.size_m > 0).all(-1)
    sides = things.size_m[..., :2]
    sizes = torch.stack([things.size_m[..., 2], sides.amax(-1), sides.amin(-1)], -1)
    logs = (sizes.clamp_min(1e-2) / 0.5).log() / 3
    return torch.cat([torch.where(is_box[..., None], logs, 0.0), is_box[..., None].float()], -1)


def _footprint(things: Things) -> Float32[Tensor, "b r 4 2"]:
    """The four corners of each box seen from above, in the world."""
    ahead = unit_heading(things.yaw_rad)
    along, across = ahead * things.size_m[..., :1] / 2, quarter_turn(ahead) * things.size_m[..., 1:2] / 2
    return torch.stack([things.center_world[..., :2] + i * along + j * across for i, j in _CORNERS], -2)


def _outside(points: Float32[Tensor, "b r p 2"], box: Things) -> Float32[Tensor, "b r p 2"]:
    """How far points lie beyond each pair of a footprint's sides, negative within."""
    local = into_frame(points - box.center_world[:, :, None, :2], box.yaw_rad[..., None].expand(points.shape[:-1]))
    return local.abs() - box.size_m[:, :, None, :2] / 2


def footprint_gap(a: Things, b: Things) -> Float32[Tensor, "b r"]:
    """Horizontal metres between two boxes, exactly; 0 where they overlap seen from above.

    Two convex polygons that are apart are nearest at a corner of one of them; whether they are apart is told by the four
    directions of their sides (separating axes).
    """
    corners_a, corners_b = _footprint(a), _footprint(b)
    nearest, apart = [], []
    for corners, box in ((corners_a, b), (corners_b, a)):
        beyond = _outside(corners, box)
        nearest.append(beyond.clamp_min(0).square().sum(-1).sqrt().amin(-1))
        yaw = box.yaw_rad[..., None].expand(corners.shape[:-1])
        local = into_frame(corners - box.center_world[:, :, None, :2], yaw)
        half = box.size_m[..., :2] / 2
        apart.append(((local.amin(-2) > half) | (local.amax(-2) < -half)).any(-1))
    return torch.where(apart[0] | apart[1], torch.minimum(nearest[0], nearest[1]), 0.0)


def box_gap(a: Things, b: Things) -> Float32[Tensor, "b r"]:
    """Metres between the nearest points of two upright boxes; 0 where they touch or share room."""
    half = (a.size_m[..., 2] + b.size_m[..., 2]) / 2
    above = ((a.center_world[..., 2] - b.center_world[..., 2]).abs() - half).clamp_min(0)
    return (footprint_gap(a, b).square() + above.square()).sqrt()


def _bearings(
    things: Things, observer: Observers
) -> tuple[Float32[Tensor, "b r"], Float32[Tensor, "b r"], Float32[Tensor, "b r"], Float32[Tensor, "b r 5 2"]]:
    """Bearing of the centre, how far the box reaches right and left of it (rad), and centre and corners ahead and to the left."""
    corners = torch.cat([things.center_world[:, :, None, :2], _footprint(things)], -2)
    offset = corners - observer.position_world[:, :, None, :2]
    level = into_frame(offset, observer.yaw_rad[..., None].expand(offset.shape[:-1]))
    angle = torch.atan2(level[..., 1], level[..., 0])
    turn = _wrap(angle - angle[..., :1])
    return angle[..., 0], turn.amin(-1), turn.amax(-1), level


def _wrap(angle_rad: Float32[Tensor, "*s"]) -> Float32[Tensor, "*s"]:
    return torch.remainder(angle_rad + math.pi, 2 * math.pi) - math.pi


def pair_features(a: Things, b: Things, observer: Observers) -> Float32[Tensor, "b r 75"]:
    """How a lies to b: gaps, heights, footprints, and what an observer sees of both; 0 for the latter without observer.

    The things must hold no NaN (``Things.filled``).
    """
    low_a, high_a = (a.center_world[..., 2] + sign * a.size_m[..., 2] / 2 for sign in (-1, 1))
    low_b, high_b = (b.center_world[..., 2] + sign * b.size_m[..., 2] / 2 for sign in (-1, 1))
    offset = a.center_world - b.center_world
    a_over_b = _outside(a.center_world[:, :, None, :2], b)[:, :, 0].amax(-1)  # negative: a's centre is over b
    b_over_a = _outside(b.center_world[:, :, None, :2], a)[:, :, 0].amax(-1)
    a_within_b = _outside(_footprint(a), b).amax((-1, -2))  # negative: all of a is over b
    b_within_a = _outside(_footprint(b), a).amax((-1, -2))
    lengths = [
        *(offset[..., 2], offset[..., :2].norm(dim=-1), offset.norm(dim=-1)),
        *(box_gap(a, b), footprint_gap(a, b)),
        *(low_a - high_b, low_b - high_a, low_a - low_b, high_a - high_b),
        *(low_a - (low_b + high_b) / 2, low_b - (low_a + high_a) / 2),
        *(a_over_b, b_over_a, a_within_b, b_within_a),
    ]
    seen = observer.known
    observer = Observers(
        position_world=torch.where(seen[..., None], observer.position_world, 0.0),
        yaw_rad=torch.where(seen, observer.yaw_rad, 0.0),
    )
    bearing_a, right_a, left_a, level_a = _bearings(a, observer)
    bearing_b, right_b, left_b, level_b = _bearings(b, observer)
    ahead, aside = (level_a[..., 0, :] - level_b[..., 0, :]).unbind(-1)
    turn = _wrap(bearing_a - bearing_b)
    shared = torch.minimum(turn + left_a, left_b) - torch.maximum(turn + right_a, right_b)
    narrower = torch.minimum(left_a - right_a, left_b - right_b)
    near_a, far_a = level_a[..., 0].amin(-1), level_a[..., 0].amax(-1)
    near_b, far_b = level_b[..., 0].amin(-1), level_b[..., 0].amax(-1)
    observed = [
        *(ahead, aside, near_a - far_b, near_b - far_a, near_a - near_b, far_a - far_b),
        *(level_a[..., 0, 0], level_b[..., 0, 0]),
    ]
    plain = torch.stack(
        [
            *(turn.sin(), turn.cos(), (turn / 0.15).tanh(), (shared / 0.1).tanh()),
            (shared / narrower.clamp_min(1e-3)).clamp(-2, 2),
            torch.ones_like(turn),
        ],
        -1,
    )
    always = length_code(torch.stack(lengths, -1)).flatten(-2)
    others = torch.cat([length_code(torch.stack(observed, -1)).flatten(-2), plain], -1)
    return torch.cat([always, torch.where(seen[..., None], others, 0.0)], -1)
