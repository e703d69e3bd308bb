"""What a real camera does to a picture: blur, vignetting, exposure, colour of the light, noise, tone, compression.

In the order in which light meets them: the lens and the movement blur scene light (linear, not sRGB), the lens darkens the
corners, exposure and white balance scale what falls on the sensor, which adds shot and read noise and saturates; then the
tone curve, sRGB and JPEG. Depth and masks are not touched: they are truth, not pictures.
"""

import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

_CODES = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraEffects:
    """One camera's settings for a clip. The defaults change nothing.

    Attributes:
        defocus_px: standard deviation of the lens's blur.
        motion_px: length of the streak, (x, y), of a point while the shutter is open.
        vignette: light lost in the corners, 0..1.
        exposure_ev: in stops; +1 doubles the light.
        white_balance: gain of red and blue against green.
        shot_noise: variance per signal: a signal s in 0..1 has noise of variance ``shot_noise * s``.
        read_noise: standard deviation of the noise in the dark, of full scale.
        gamma: exponent of the tone curve after sRGB; below 1 lifts the shadows.
        jpeg_quality: 1..95, or None for none.
    """

    defocus_px: float = 0.0
    motion_px: tuple[float, float] = (0.0, 0.0)
    vignette: float = 0.0
    exposure_ev: float = 0.0
    white_balance: tuple[float, float] = (1.0, 1.0)
    shot_noise: float = 0.0
    read_noise: float = 0.0
    gamma: float = 1.0
    jpeg_quality: int | None = None


def draw_effects(rng: np.random.Generator, strength: float = 1.0) -> CameraEffects:
    """Draws a camera; ``strength`` scales all of it, 0 draws one that changes nothing but the compression's trace.

    >>> draw_effects(np.random.default_rng(0), 0.0).exposure_ev
    0.0
    """

    def spread(scale: float) -> float:
        return float(strength * scale * np.clip(rng.standard_normal(), -2, 2))

    angle, streak = rng.uniform(0, np.pi), strength * 0.8 * float(rng.exponential()) * float(rng.random() < 0.4)
    warmth = spread(0.06)
    return CameraEffects(
        defocus_px=min(strength * 0.45 * float(rng.random() ** 2), 0.8),
        motion_px=(min(streak, 2.5) * float(np.cos(angle)), min(streak, 2.5) * float(np.sin(angle))),
        vignette=min(strength * float(rng.uniform(0, 0.3)), 0.9),
        exposure_ev=spread(0.2),
        white_balance=(float(np.exp(warmth)), float(np.exp(-warmth + spread(0.02)))),
        shot_noise=strength * float(10 ** rng.uniform(-4.3, -3.0)),
        read_noise=strength * float(rng.uniform(0.0005, 0.004)),
        gamma=float(np.exp(spread(0.06))),
        jpeg_quality=None if rng.random() < 0.3 else int(np.clip(95 - strength * rng.integers(0, 30), 40, 95)),
    )


def apply_effects(
    rgb: UInt8[np.ndarray, "f h w 3"], effects: CameraEffects, rng: np.random.Generator
) -> UInt8[np.ndarray, "f h w 3"]:
    """The frames as that camera would give them; the noise differs from frame to frame and is drawn from ``rng``.

    >>> grey = np.full((1, 4, 4, 3), 100, np.uint8)
    >>> bright = apply_effects(grey, CameraEffects(exposure_ev=1.0), np.random.default_rng(0))
    >>> int(bright[0, 0, 0, 0])  # twice the light is not twice the sRGB value
    138
    """
    gain = np.array([effects.white_balance[0], 1.0, effects.white_balance[1]], np.float32)
    gain *= np.float32(2.0**effects.exposure_ev)
    falloff = _falloff(rgb.shape[1:3], effects.vignette)[..., None] * gain
    encode = _encoder(effects.gamma)
    frames = []
    for frame in rgb:
        light = _DECODE[frame]
        light = _blur(light, effects.defocus_px)
        light = _streak(light, effects.motion_px)
        light = light * falloff
        if effects.shot_noise or effects.read_noise:
            deviation = np.sqrt(effects.shot_noise * light + np.float32(effects.read_noise**2))
            light = light + deviation * rng.standard_normal(light.shape, np.float32)
        shown = encode[(np.clip(light, 0, 1) * _CODES + 0.5).astype(np.uint16)]
        frames.append(shown if effects.jpeg_quality is None else _compress(shown, effects.jpeg_quality))
    return np.stack(frames)


def _to_linear(code: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, from 0..1 to 0..1."""
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _to_srgb(light: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, from 0..1 to 0..1."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


_DECODE = _to_linear(np.arange(256) / 255).astype(np.float32)


def _encoder(gamma: float) -> UInt8[np.ndarray, "codes"]:
    """Table from linear light in 65536 steps to sRGB with the tone curve: a power of every pixel would cost ten times as much."""
    return np.rint(255 * _to_srgb(np.arange(_CODES + 1) / _CODES) ** gamma).astype(np.uint8)


def _falloff(size_hw: tuple[int, ...], vignette: float) -> Float32[np.ndarray, "h w"]:
    """Light that is left, 1 in the middle and 1 - vignette in the corners, by the fourth power of a cosine as lenses have it."""
    height, width = size_hw
    y, x = np.mgrid[:height, :width] + 0.5
    square = ((y / height - 0.5) ** 2 + (x / width - 0.5) ** 2) / 0.5  # 1 in the corners
    tangent_square = (1 - vignette) ** -0.5 - 1  # cos^4 = 1 / (1 + tan^2)^2
    return (1 / (1 + tangent_square * square) ** 2).astype(np.float32)


def _shifted(light: Float32[np.ndarray, "h w 3"], dx: int, dy: int) -> Float32[np.ndarray, "h w 3"]:
    """The picture moved by whole pixels; what comes in at an edge repeats the edge."""
    height, width = light.shape[:2]
    y, x = np.clip(np.arange(height) - dy, 0, height - 1), np.clip(np.arange(width) - dx, 0, width - 1)
    return light[y][:, x]


def _blur(light: Float32[np.ndarray, "h w 3"], deviation_px: float) -> Float32[np.ndarray, "h w 3"]:
    """Gaussian of less than about a pixel: the three taps (a, 1 - 2a, a) with 2a = variance, as often as needed."""
    variance = deviation_px**2
    while variance > 1e-4:
        share = np.float32(min(variance, 0.4) / 2)
        light = (1 - 2 * share) * light + share * (_shifted(light, 1, 0) + _shifted(light, -1, 0))
        light = (1 - 2 * share) * light + share * (_shifted(light, 0, 1) + _shifted(light, 0, -1))
        variance -= 0.4
    return light


def _streak(light: Float32[np.ndarray, "h w 3"], motion_px: tuple[float, float]) -> Float32[np.ndarray, "h w 3"]:
    """Mean of the picture along the way that it moves: at points half a pixel apart, each between four pixels."""
    length = float(np.hypot(*motion_px))
    if length < 0.05:
        return light
    weights: dict[tuple[int, int], float] = {}
    count = 2 * int(np.ceil(length))
    steps = (np.arange(count) + 0.5) / count - 0.5
    for step in steps:
        x, y = step * motion_px[0], step * motion_px[1]
        left, top = int(np.floor(x)), int(np.floor(y))
        for dx, share_x in ((left, 1 - (x - left)), (left + 1, x - left)):
            for dy, share_y in ((top, 1 - (y - top)), (top + 1, y - top)):
                weights[dx, dy] = weights.get((dx, dy), 0.0) + share_x * share_y / len(steps)
    total = np.zeros_like(light)
    for (dx, dy), weight in weights.items():
        if weight > 1e-6:
            total += np.float32(weight) * _shifted(light, dx, dy)
    return total


def _compress(rgb: UInt8[np.ndarray, "h w 3"], quality: int) -> UInt8[np.ndarray, "h w 3"]:
    """JPEG and back."""
    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(rgb).save(held, "JPEG", quality=quality, subsampling=0 if quality >= 85 else 2)
    return np.asarray(Image.open(held).convert("RGB"))
