"""Whether real pixels agree with a recording's cameras: matched patches must lie on each other's epipolar lines."""

import numpy as np
from scipy.ndimage import gaussian_filter

_HALF_PATCH = 7


def epipolar_distances_px(first, second, k_px, second_from_first, *, search_hw, num=80):
    """Distance from the epipolar line of every clear match of a corner of ``first`` within ``search_hw`` in ``second``.

    Grey images; K with pixel centres at +0.5; the same K for both.
    """
    x, y, z = second_from_first[:3, 3]
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ second_from_first[:3, :3]
    inverse_k = np.linalg.inv(k_px)
    fundamental = inverse_k.T @ essential @ inverse_k
    half_h, half_w = search_hw[0] + _HALF_PATCH, search_hw[1] + _HALF_PATCH
    distances = []
    for row, column in _corners(first, num, margin=max(half_h, half_w)):
        patch = first[row - _HALF_PATCH : row + _HALF_PATCH + 1, column - _HALF_PATCH : column + _HALF_PATCH + 1]
        area = second[row - half_h : row + half_h + 1, column - half_w : column + half_w + 1]
        match = _best_match(area, patch)
        if match is not None:
            line = fundamental @ [column + 0.5, row + 0.5, 1]
            at = [column - search_hw[1] + match[1] + 0.5, row - search_hw[0] + match[0] + 0.5, 1]
            distances.append(abs(line @ at) / np.hypot(*line[:2]))
    return np.array(distances)


def _corners(image, num, *, margin):
    """Strong corners, at most one a cell: smallest eigenvalue of the structure tensor."""
    dy, dx = np.gradient(image)
    xx, yy, xy = (gaussian_filter(v, 2) for v in (dx * dx, dy * dy, dx * dy))
    score = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    cells = []
    for row in range(margin, image.shape[0] - margin - 20, 20):
        for column in range(margin, image.shape[1] - margin - 20, 20):
            cell = score[row : row + 20, column : column + 20]
            at = np.unravel_index(cell.argmax(), cell.shape)
            cells.append((cell.max(), row + int(at[0]), column + int(at[1])))
    return [(row, column) for _, row, column in sorted(cells, reverse=True)[:num]]


def _best_match(area, patch):
    """Where the patch fits best by normalised correlation, or None where that is not clear."""
    windows = np.lib.stride_tricks.sliding_window_view(area, patch.shape).reshape(-1, patch.size)
    windows = windows - windows.mean(axis=1, keepdims=True)
    flat = (patch - patch.mean()).ravel()
    score = windows @ flat / (np.linalg.norm(windows, axis=1) * np.linalg.norm(flat) + 1e-6)
    best = int(score.argmax())
    return None if score[best] < 0.9 else divmod(best, area.shape[1] - patch.shape[1] + 1)
