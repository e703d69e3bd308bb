"""Voxels as Morton codes: what lies together in space gets numbers that lie together, and coarser voxels are prefixes.

The bits of a voxel's three indices are interleaved (Morton, 1966), 20 bits each, so that a code fits an int64 and a grid
of 0.2 m reaches 69 km to either side of the origin. A voxel of twice the side holds eight, and its code is theirs without
the last three bits: ``code >> 3``. So merging early, late or in parts comes to the same voxels. ``geometry.voxels`` packs
indices one behind the other, which lacks this, and works on numpy.

Level 0 is the finest; level l has sides of ``voxel_m * 2**l``. A *node* is a code with a leading 1 that tells its level
(Warren and Salmon, "A parallel hashed oct-tree N-body algorithm", 1993): voxels of all levels in one array of integers.
"""

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from video3d.types import InputError

BITS = 20
OFFSET = 0x55555
"""Added to indices: 0101..., a third of the way along coarse voxels of every level. With a power of two the world's origin,
which is in the middle of most scenes, would be a corner of them, and eight voxels would meet there at every level."""
_SPREAD = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)
"""Shifts and masks that put two zeros behind each of 21 bits."""
_HASH = 0x1E3779B97F4A7C15  # odd, its bits as mixed as the golden ratio's (Knuth, vol. 3, 6.4)


def morton_codes(points_world: Float32[Tensor, "m 3"], voxel_m: float) -> Int64[Tensor, "m"]:
    """Code of the voxel that each point falls in, ``floor(point / voxel_m)`` as in ``geometry.voxels``.

    Computed in float64: divided in float32, a point near a face would change sides between machines.

    Args:
        points_world: metres, all finite.
        voxel_m: side of a voxel in metres.

    Raises:
        InputError: a point lies beyond the grid.

    >>> codes = morton_codes(torch.tensor([[0.1, 0.1, 0.1], [0.19, 0.1, 0.1], [0.21, 0.1, 0.1]]), 0.2)
    >>> (codes == codes[0]).tolist()
    [True, True, False]
    """
    index = torch.floor(points_world.double() / voxel_m)
    if index.numel() and not bool((index.abs() <= OFFSET).all()):
        raise InputError(
            "points_world",
            expected=f"places within {OFFSET:,} voxels of the world's origin",
            got=f"one {float(index.abs().max()):.3g} voxels away",
            do="look for a wrong pose or depth unit, or take a larger voxel",
        )
    bits = index.long() + OFFSET
    for shift, mask in _SPREAD:
        bits = (bits | (bits << shift)) & mask
    return (bits[:, 0] << 2) | (bits[:, 1] << 1) | bits[:, 2]


def nodes_above(codes: Int64[Tensor, "v"], level: int) -> Int64[Tensor, "p"]:
    """The nodes of voxels and of all coarser voxels that hold them, sorted, without repeats.

    Args:
        codes: sorted codes of ``level``.
        level: that level.
    """
    found = []
    for coarser in range(level, BITS + 1):
        found.append(codes | (1 << 3 * (BITS - coarser)))
        codes = torch.unique_consecutive(codes >> 3)
    return torch.cat(found[::-1])  # a coarser node is the smaller number


def as_nodes(codes: Int64[Tensor, "v"], level: int) -> Int64[Tensor, "v"]:
    """The node of each voxel of a level."""
    return codes | (1 << 3 * (BITS - level))


def level_under(codes: Int64[Tensor, "v"], most: int) -> int:
    """The finest level whose *parents* are at most ``most``: what has to be kept to choose ``most`` voxels well.

    At most 8 times as many voxels are kept, about 4 times on surfaces.

    Args:
        codes: sorted codes of level 0, without repeats.
        most: at least 1.
    """
    level, parents = 0, torch.unique_consecutive(codes >> 3)
    while len(parents) > most:
        level, parents = level + 1, torch.unique_consecutive(parents >> 3)
    return level


def give_way(codes: Int64[Tensor, "v"], most: int) -> Bool[Tensor, "v"]:
    """Which voxels are to merge into their parents so that at most ``most`` are left, and the scene stays well covered.

    Everything is covered by the parents; what is left of the number splits those again that hold the most voxels, and so
    hide the most detail. Among equals a hash decides and not the place, or one side of the room would be fine and the
    other coarse.

    Measured on the surfaces of a synthetic room of 8 x 6 x 2.6 m with 12 boxes, 18,802 voxels of 0.1 m: mean distance of
    the voxels from the nearest token, and the largest, in cm.

        tokens                                     500       1000      2000      4000
        parents alone (a coarser voxel)          29.5/58   29.5/58   15.1/28   15.1/28
        this                                     25.0/57   16.8/43   13.0/25    8.5/22
        farthest-point selection                 23.8/46   17.0/32   12.1/22    8.5/14
        random                                   29.2/95   21.0/81   14.7/51   10.0/33

    Farthest points cover as well on average and better at worst, but throw away what the others show, need all voxels of a
    video at once (nothing can be merged before the last frame is known) and walk through them once for every token.

    Args:
        codes: sorted codes without repeats, whose parents are at most ``most``.
        most: at least 1.
    """
    if len(codes) <= most:
        return torch.zeros_like(codes, dtype=torch.bool)
    parents, parent_of, children = torch.unique_consecutive(codes >> 3, return_inverse=True, return_counts=True)
    by_hash = torch.argsort((parents * _HASH) >> 16, stable=True)
    order = by_hash[torch.argsort(children[by_hash], descending=True, stable=True)]
    total = len(parents) + (children[order] - 1).cumsum(0)
    merged = torch.ones_like(parents, dtype=torch.bool)
    merged[order] = total > most
    return merged[parent_of]
