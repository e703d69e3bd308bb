"""The colour of a thing, measured on the pixels that show it, and the word for it.

Words are the eleven basic colour terms of English (Berk and Kay, "Basic Color Terms", 1969), which are those of ``vocabulary``, and
beige, because much that is in rooms is neither brown nor white. Each is a region of CIELAB by hue, lightness and chroma. The borders
are set by hand and checked against the names that people gave colours on screens (Munroe's survey of 2010, whose list is free): of its
names that end in one of these words, four of five fall into that word's region.

A camera's exposure makes one wall white and another grey. So the brightest places of a clip are taken for white before colours are
named; hues are left as they are, for in a room of red cupboards the mean is no grey.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8

from video3d.geometry.box_pixels import BoxPixels
from video3d.types import PosedClip
from video3d.vocabulary import COLORS

BEIGE = "beige"
WORDS: tuple[str, ...] = (*(one.name for one in COLORS), BEIGE)
"""In the order of ``Colors.shares``."""
CHINESE = {one.name: one.zh for one in COLORS} | {BEIGE: "米色"}
ALSO = {"gray": "grey", "tan": BEIGE, "cream": BEIGE, "violet": "purple", "silver": "grey"}
"""What is said for one of the words."""
_BROADER = (("brown", 0.5), ("yellow", 0.25), ("white", 0.25))  # what is called beige, where that is not to choose
# Pairs of words that one surface in light and shade goes between; of others a thing has both.
_NEXT = {frozenset(pair) for pair in (("brown", BEIGE), ("white", BEIGE), ("white", "grey"), ("grey", "black"))} | {
    frozenset(pair) for pair in (("yellow", BEIGE), ("orange", "yellow"), ("brown", "orange"), ("red", "pink"))
}

_CLEAR = 0.5
"""Share of a thing's colour from which it is said alone."""
_SECOND, _BOTH = 0.25, 0.7
"""Shares of a second colour, and of both, from which two are said."""
_HEAD_SURE, _HEAD_SHOWN, _HEAD_OF_MOST = 0.5, 0.15, 0.5
"""How sure the object head is, and how much the pixels show of what it says, for it to choose (``clear_colors``)."""
_BESIDE = 0.4
"""Of what a box holds, so much is what is around it: taken away (chosen on simulated training rooms)."""
_LEAST_AROUND = 50
_LEAST_PIXELS = 12
_MOST_GAIN = 4.0  # what is darker than that was filmed in the dark, and is no white
_WHITE, _BRIGHTEST = 0.9, 98  # linear brightness of the brightest places (a percentile)
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_D65 = np.array([0.9505, 1.0, 1.089])


@dataclass(frozen=True, slots=True, kw_only=True)
class Colors:
    """What colours pixels have.

    Attributes:
        shares: of each of ``WORDS``, 1 together.
        pixels: how many pixels they rest on.
    """

    shares: tuple[float, ...]
    pixels: int

    def of(self, *words: str) -> float:
        """The share of some colours; 0 of a word that is none."""
        return sum(self.shares[WORDS.index(word)] for word in words if word in WORDS)


def brightness_gain(clip: PosedClip) -> float:
    """What linear light is multiplied with so that the brightest places of a clip are white."""
    light = _linear(clip.rgb[:, ::8, ::8].reshape(-1, 3)).mean(axis=1)
    brightest = float(np.percentile(light, _BRIGHTEST))
    return min(_WHITE / brightest, _MOST_GAIN) if brightest > 0 else 1.0


def lab_of(rgb: UInt8[np.ndarray, "n 3"], gain: float = 1.0) -> Float64[np.ndarray, "n 3"]:
    """CIELAB (D65) of sRGB pixels whose light is multiplied by a gain, and cut off where that is more than white.

    >>> (lab_of(np.array([[255, 255, 255], [128, 128, 128]], np.uint8)).round() + 0.0).tolist()  # -0.0 is 0.0
    [[100.0, 0.0, 0.0], [54.0, 0.0, 0.0]]
    """
    ratio = np.clip(_linear(rgb) * gain, 0.0, 1.0) @ _TO_XYZ.T / _D65
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (ratio * 24389 / 27 + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def _linear(rgb: UInt8[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
    value = rgb / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def named_colors(lab: Float64[np.ndarray, "n 3"]) -> np.ndarray:
    """The index into ``WORDS`` of every colour.

    >>> pixels = np.array([[200, 30, 30], [225, 198, 153], [110, 70, 40], [30, 60, 200], [250, 250, 250]], np.uint8)
    >>> [WORDS[i] for i in named_colors(lab_of(pixels))]
    ['red', 'beige', 'brown', 'blue', 'white']
    """
    light, a, b = lab.T
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    found = np.full(len(lab), "grey", dtype="<U6")

    def between(low: int, high: int) -> np.ndarray:
        return (hue >= low) & (hue < high)

    rosy, scarlet, amber, sunny = ~between(22, 345), between(22, 45), between(45, 78), between(78, 114)
    violet = between(303, 345)
    for where, word in (  # what comes later wins
        (rosy | scarlet, "red"),
        (scarlet & (chroma < 32) & (light < 62), "brown"),
        (scarlet & (light >= 62), "pink"),
        ((rosy | (scarlet & (hue < 25))) & (light >= 52), "pink"),
        (rosy & (light < 58) & (chroma < 20), "brown"),
        (amber, "orange"),
        (amber & ((light < 47) | (chroma < 48)), "brown"),
        (amber & (light >= 64) & (chroma < 48), BEIGE),
        (sunny, "yellow"),
        (sunny & (light < 66), "brown"),
        (sunny & (light >= 60) & (chroma < 45), BEIGE),
        (sunny & (light < 70) & (hue >= 100), "green"),
        (between(114, 190), "green"),
        (between(190, 303), "blue"),
        (violet, "purple"),
        (violet & (((light >= 62) & (hue >= 325)) | ((light >= 55) & (hue >= 335))), "pink"),
        (chroma < 9, "grey"),
        ((chroma < 9) & (light >= 75), "white"),
        ((light < 20) & (chroma < 14) | (light < 6), "black"),
    ):
        found[where] = word
    order = np.argsort(WORDS)
    return order[np.searchsorted(WORDS, found, sorter=order)]


def shown_colors(seen: BoxPixels, gain: float) -> Colors | None:
    """The colours of the thing in a box; None where too little of it is seen.

    What a box holds is the thing and some of what is around it, so that is taken away: a black chair in a box half full of floor
    is black, though most pixels are the floor's.

    Args:
        seen: in and around the box.
        gain: of the clip, see ``brightness_gain``.
    """
    inside = seen.weight > 0
    if inside.sum() < _LEAST_PIXELS:
        return None
    index = named_colors(lab_of(seen.rgb, gain))
    shares = np.bincount(index, weights=seen.weight, minlength=len(WORDS)) / seen.weight.sum()
    if seen.around.sum() >= _LEAST_AROUND:
        beside = np.bincount(index[seen.around], minlength=len(WORDS)) / seen.around.sum()
        own = np.maximum(shares - _BESIDE * beside, 0.0)
        shares = own / own.sum()
    return Colors(shares=tuple(float(share) for share in shares), pixels=int(inside.sum()))


def surface_colors(rgb: UInt8[np.ndarray, "n 3"], gain: float) -> Colors | None:
    """The colours of a surface that nothing else is mixed with; None where too little of it is seen."""
    if len(rgb) < _LEAST_PIXELS:
        return None
    shares = np.bincount(named_colors(lab_of(rgb, gain)), minlength=len(WORDS)) / len(rgb)
    return Colors(shares=tuple(float(share) for share in shares), pixels=len(rgb))


def mixed(several: Sequence[Colors]) -> Colors:
    """The colours of several things together, each counted alike."""
    shares = np.mean([one.shares for one in several], axis=0)
    return Colors(shares=tuple(float(share) for share in shares), pixels=sum(one.pixels for one in several))


def clear_colors(seen: Colors, head: tuple[str, float] = ("", 0.0), among: Sequence[str] = ()) -> tuple[str, ...]:
    """The word for what is seen, two where a thing is of two colours, none where it cannot be told.

    The object head knows from patches which pixels are the thing's, but has seen simulated rooms alone; pixels are right about
    what colours there are. So the head chooses among the colours that pixels show, and where they do not show what it says,
    they decide.

    Args:
        seen: by pixels.
        head: the colour that patches vote for, and its share.
        among: colours to choose from, if there are such; those in words of their own are left out.

    >>> of = lambda **share: Colors(shares=tuple(share.get(word, 0.0) for word in WORDS), pixels=100)
    >>> clear_colors(of(red=0.7, grey=0.3)), clear_colors(of(brown=0.45, beige=0.4, grey=0.15))
    (('red',), ('brown', 'beige'))
    >>> clear_colors(of(red=0.6, white=0.4), ("white", 0.9)), clear_colors(of(red=0.3, blue=0.3, grey=0.2, white=0.2))
    (('white',), ())
    """
    shares = dict(zip(WORDS, seen.shares, strict=True))
    offered = tuple(dict.fromkeys(word for one in among if (word := ALSO.get(one, one)) in WORDS))
    if offered:
        if BEIGE not in offered:
            for word, part in _BROADER:
                shares[word] += part * shares[BEIGE]
        shares = {word: shares[word] for word in offered}
    if head[1] >= _HEAD_SURE and shares.get(head[0], 0.0) >= max(_HEAD_SHOWN, _HEAD_OF_MOST * max(shares.values())):
        return (head[0],)
    (first, most), *rest = sorted(shares.items(), key=lambda one: -one[1])
    if offered:
        return (first,) if most >= max(_HEAD_SHOWN, _CLEAR * sum(shares.values())) else ()
    if most >= _CLEAR:
        return (first,)
    second, less = rest[0]
    return (first, second) if less >= _SECOND and most + less >= _BOTH else ()


def in_words(colors: Sequence[str]) -> tuple[str, str]:
    """One colour or two in English and Chinese; of two that light and shade make of one, between which it is.

    >>> in_words(["red"]), in_words(["black", "white"])[0], in_words(["brown", "beige"])
    (('red', '红色'), 'black and white', ('between brown and beige', '介于棕色和米色之间'))
    """
    english, chinese = list(colors), [CHINESE[color] for color in colors]
    if frozenset(colors) in _NEXT:
        return f"between {english[0]} and {english[1]}", f"介于{chinese[0]}和{chinese[1]}之间"
    return " and ".join(english), "和".join(chinese)
