"""Writes small videos whose every frame carries its number in black and white bars, so that exactness can be asserted."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import av.codec
import numpy as np

MILLISECONDS = Fraction(1, 1000)


def has_encoder(codec: str) -> bool:
    try:
        av.codec.Codec(codec, "w")
    except ValueError:
        return False
    return True


def numbered_picture(number: int, size_hw: tuple[int, int]) -> np.ndarray:
    """Eight bars, left to right the bits of the number from the lowest; the top eighth is red."""
    bits = np.array([number >> b & 1 for b in range(8)], np.uint8) * 235
    picture = np.repeat(bits[np.arange(size_hw[1]) * 8 // size_hw[1]][None, :, None], 3, axis=2)
    picture = np.repeat(picture, size_hw[0], axis=0)
    picture[: size_hw[0] // 8] = (235, 0, 0)
    return picture


def number_in(rgb: np.ndarray) -> int:
    """The number that an upright frame carries."""
    height, width = rgb.shape[:2]
    middle = rgb[height // 2].mean(axis=-1)
    return sum(int(middle[width * (2 * b + 1) // 16] > 127) << b for b in range(8))


def write_video(
    path: Path,
    codec: str = "libx264",
    *,
    num_frames: int = 60,
    size_hw: tuple[int, int] = (64, 128),
    pts_ms: Iterable[int] | None = None,
    gop: int = 12,
    num_b: int | None = None,
    rotation_deg: int | None = None,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    muxer_options: dict[str, str] | None = None,
    form: str | None = None,
) -> Path:
    """Frame i is shown at ``pts_ms[i]``, 40 ms apart by default."""
    times = [40 * i for i in range(num_frames)] if pts_ms is None else list(pts_ms)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=form, options=muxer_options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = size_hw[1], size_hw[0], pix_fmt
        stream.gop_size = gop
        if num_b is not None:
            stream.max_b_frames = num_b
        if rotation_deg is not None:
            stream.set_display_rotation(rotation_deg)
        base = Fraction(1, 25) if pts_ms is None else MILLISECONDS  # AVI and MPEG-2 take nothing but the frame rate
        stream.codec_context.time_base = base
        for i, time_ms in enumerate(times):
            frame = av.VideoFrame.from_ndarray(numbered_picture(i, size_hw), format="rgb24")
            frame.pts, frame.time_base = round(time_ms * MILLISECONDS / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """A tenth of a second of silence, in whatever container the name asks for."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
