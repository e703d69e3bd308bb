"""The mesh of a flat picture: a façade, a road, the paper of a wall with holes for doors and windows."""

import numpy as np
from jaxtyping import Float64, Int32

Cut = tuple[float, float, float, float]
"""A hole: from and to along the panel's right, from and to along its up, metres."""


def panel_mesh(
    origin_m: Float64[np.ndarray, "3"],
    right_m: Float64[np.ndarray, "3"],
    up_m: Float64[np.ndarray, "3"],
    *,
    cell_m: float | None = None,
    cuts: tuple[Cut, ...] = (),
) -> tuple[Float64[np.ndarray, "v 3"], Int32[np.ndarray, "t 3"], Float64[np.ndarray, "v 2"]]:
    """Vertices, faces and texture coordinates (0..1 over the whole panel) of a rectangle, seen from the side of ``right x up``.

    Args:
        origin_m: its lower left corner.
        right_m: its lower edge.
        up_m: its left edge.
        cell_m: no cell of the mesh is larger: where light is worked out at vertices, that is how fine it is. None: no limit.
        cuts: holes.

    >>> right, up = np.array([4.0, 0, 0]), np.array([0, 0, 2.0])
    >>> vertices, faces, uv = panel_mesh(np.zeros(3), right, up, cuts=((1.0, 2.0, 0.0, 1.0),))
    >>> len(faces), vertices.max(0).tolist(), uv.max(0).tolist()  # 3 x 2 cells without the one that is cut
    (10, [4.0, 0.0, 2.0], [1.0, 1.0])
    """
    width, height = float(np.linalg.norm(right_m)), float(np.linalg.norm(up_m))
    across = _lines(width, cell_m, tuple(v for cut in cuts for v in cut[:2]))
    along = _lines(height, cell_m, tuple(v for cut in cuts for v in cut[2:]))
    u, v = np.meshgrid(across, along)
    uv = np.stack([u.ravel() / width, v.ravel() / height], axis=1)
    vertices = origin_m + uv[:, :1] * right_m + uv[:, 1:] * up_m
    x, y = (across[:-1] + across[1:]) / 2, (along[:-1] + along[1:]) / 2
    drawn = np.ones((len(y), len(x)), dtype=bool)
    for left, end, bottom, top in cuts:
        drawn &= ~(((y > bottom) & (y < top))[:, None] & ((x > left) & (x < end))[None])
    row, column = np.nonzero(drawn)
    first = row * len(across) + column
    second, third, fourth = first + 1, first + len(across) + 1, first + len(across)
    corners = np.stack([first, second, third, first, third, fourth], axis=1)
    return vertices, corners.reshape(-1, 3).astype(np.int32), uv


def _lines(length_m: float, cell_m: float | None, edges_m: tuple[float, ...]) -> Float64[np.ndarray, "n"]:
    """Places along a side where cells begin and end."""
    num = 1 if cell_m is None else max(1, int(np.ceil(length_m / cell_m)))
    even = np.linspace(0.0, length_m, num + 1)
    edges = [e for e in sorted(edges_m) if 1e-4 < e < length_m - 1e-4]
    # An even line that is all but an edge is left out, so that no cell is a sliver.
    kept = [e for e in even[1:-1] if all(abs(e - edge) > 0.02 for edge in edges)]
    return np.unique(np.array([0.0, *kept, *edges, length_m]))
