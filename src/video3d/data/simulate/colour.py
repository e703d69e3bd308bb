"""One colour word for a surface, only where nobody would use another.

Colours are judged in CIELAB, by lightness, chroma and hue (CIE 15:2004). Between the words lie gaps of no name: a beige chair is
neither brown nor white, and no question calls it either.
"""

import numpy as np
from jaxtyping import Float64, Int64

from video3d.data.simulate.asset import MeshPart
from video3d.vocabulary import COLORS

_NAMES = tuple(color.name for color in COLORS)
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.9505, 1.0, 1.089])  # D65
# Word: hues in degrees from, to (ascending around the circle), lightness from, to, chroma from, to.
_REGIONS = {
    "red": (12, 42, 22, 60, 42, 200),
    "orange": (50, 72, 55, 82, 55, 200),
    "yellow": (82, 108, 74, 100, 45, 200),
    "green": (118, 172, 24, 85, 26, 200),
    "blue": (252, 309, 14, 66, 26, 200),
    "purple": (312, 336, 14, 52, 26, 200),
    "pink": (342, 378, 62, 88, 22, 200),
    "brown": (42, 80, 14, 45, 13, 48),
    "white": (0, 360, 87, 101, 0, 7),
    "grey": (0, 360, 42, 70, 0, 6),
    "black": (0, 360, 0, 17, 0, 7),
}
_SHARE = 0.8  # of the surface


def lab(rgb: Float64[np.ndarray, "p 3"]) -> Float64[np.ndarray, "p 3"]:
    """CIELAB (D65) of sRGB colours, 0..1."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    ratio = linear @ _TO_XYZ.T / _WHITE
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (ratio * 24389 / 27 + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def color_indices(rgb: Float64[np.ndarray, "p 3"]) -> Int64[np.ndarray, "p"]:
    """Index into ``COLORS`` of every colour that has an undisputed name, -1 for the others."""
    lightness, a, b = lab(rgb).T
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    found = np.full(len(rgb), -1, dtype=np.int64)
    for word, (h0, h1, l0, l1, c0, c1) in _REGIONS.items():
        turned = (hue - h0) % 360
        inside = (turned <= h1 - h0) & (lightness >= l0) & (lightness <= l1) & (chroma >= c0) & (chroma <= c1)
        found[inside] = _NAMES.index(word)
    return found


def color_word(rgb: tuple[float, float, float]) -> str | None:
    """The word for one colour, or None.

    >>> color_word((0.8, 0.1, 0.1)), color_word((0.85, 0.8, 0.7))
    ('red', None)
    """
    index = int(color_indices(np.array([rgb], dtype=np.float64))[0])
    return None if index < 0 else _NAMES[index]


def parts_color(parts: tuple[MeshPart, ...], *, lacquered: bool = False) -> str | None:
    """The word for a whole shape: at least four fifths of its surface, by area and with its pictures, have that word.

    A vehicle (``lacquered``) is called by its body's colour: what is black or grey on it, tyres, glass and trim, does not count
    if the body is coloured and at least two fifths of the surface.
    """
    area_of = np.zeros(len(_NAMES))
    whole = 0.0
    for part in parts:
        tri = part.vertices_m[part.faces].astype(np.float64)
        area = np.linalg.norm(np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0]), axis=1) / 2
        whole += float(area.sum())
        if part.rgba[3] < 0.7:
            continue  # glass has no colour of its own, but counts as surface
        if part.texture is None or part.uv is None:
            index = color_indices(np.array([part.rgba[:3]], dtype=np.float64))
            if index[0] >= 0:
                area_of[index[0]] += float(area.sum())
            continue
        height, width = part.texture.shape[:2]
        # Nine places a triangle.
        weights = np.array([[i, j, 5 - i - j] for i in range(1, 4) for j in range(1, 5 - i)], dtype=np.float64) / 5
        uv = np.einsum("wk,tkd->twd", weights, part.uv[part.faces].astype(np.float64)) % 1.0
        x = np.clip((uv[..., 0] * width).astype(np.int64), 0, width - 1)
        y = np.clip(((1 - uv[..., 1]) * height).astype(np.int64), 0, height - 1)
        index = color_indices(part.texture[y, x].reshape(-1, 3).astype(np.float64) / 255)
        share = np.repeat(area / len(weights), len(weights))
        area_of += np.bincount(index[index >= 0], weights=share[index >= 0], minlength=len(_NAMES))
    best = int(area_of.argmax())
    if whole > 0 and area_of[best] >= _SHARE * whole:
        return _NAMES[best]
    if lacquered and whole > 0:
        plain = [_NAMES.index(word) for word in ("black", "grey", "white")]
        bright = area_of.copy()
        bright[plain] = 0.0
        best = int(bright.argmax())
        if bright[best] >= 0.4 * whole and bright[best] >= 0.85 * bright.sum():
            return _NAMES[best]
    return None
