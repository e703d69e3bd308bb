"""How fast 32 frames of a 60 s 1080p video with long groups of pictures are read, beside what one would write instead.

    python benchmarks/decode.py                 # makes the video once (about a minute), then measures
    python benchmarks/decode.py --video own.mp4 --frames 64

Compared, all giving the same evenly spread frames as RGB: ``video3d`` (index and decoding, told apart), PyAV decoding
everything from the beginning, PyAV seeking anew for every frame, and OpenCV with CAP_PROP_POS_FRAMES (skipped when it
is not installed). Each is checked against the frames of the full decoding.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from video3d.video.sample import sample_uniform
from video3d.video.video_file import open_recording


def make_video(path: Path, *, seconds: int = 60, height: int = 1080, width: int = 1920, gop: int = 250) -> None:
    """Writes an H.264 video of a textured plane that pans and brightens, 30 frames a second."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (height // 4 + 200, width // 4 + 400, 3), np.uint8)
    texture = np.repeat(np.repeat(noise, 8, 0), 8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = width, height, "yuv420p", gop
        stream.options = {"preset": "veryfast", "crf": "23", "keyint_min": str(gop), "sc_threshold": "0"}
        for i in range(seconds * 30):
            y, x = int(200 + 180 * np.sin(i / 70)), int(300 + 280 * np.cos(i / 90))
            view = texture[y : y + height, x : x + width] // 2 + int(40 + 40 * np.sin(i / 40))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(view, np.uint8), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def decode_everything(path: Path, indices: list[int]) -> np.ndarray:
    """From the beginning, keeping the wanted."""
    wanted, kept = set(indices), {}
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for i, frame in enumerate(container.decode(video=0)):
            if i in wanted:
                kept[i] = frame.to_ndarray(format="rgb24")
    return np.stack([kept[i] for i in indices])


def seek_every_time(path: Path, indices: list[int]) -> np.ndarray:
    """A seek to the keyframe before each wanted frame, though it may be behind the current position."""
    kept = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        assert stream.average_rate is not None and stream.time_base is not None
        for i in indices:
            pts = round(i / stream.average_rate / stream.time_base)
            container.seek(pts, stream=stream)
            kept.append(next(f for f in container.decode(stream) if (f.pts or 0) >= pts).to_ndarray(format="rgb24"))
    return np.stack(kept)


def opencv(path: Path, indices: list[int]) -> np.ndarray:
    """CAP_PROP_POS_FRAMES before each read."""
    import cv2

    capture, kept = cv2.VideoCapture(str(path)), []
    for i in indices:
        capture.set(cv2.CAP_PROP_POS_FRAMES, i)
        kept.append(cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB))
    return np.stack(kept)


def main() -> None:
    """Prints one line a way."""
    parser = argparse.ArgumentParser(description="Times the reading of video frames.")
    parser.add_argument("--video", type=Path, default=Path(tempfile.gettempdir()) / "video3d_decode_1080p_gop250.mp4")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    if not args.video.exists():
        print(f"making {args.video} ...", file=sys.stderr)
        make_video(args.video)
    started = time.perf_counter()
    recording = open_recording(args.video)
    index_s = time.perf_counter() - started
    indices = [int(i) for i in sample_uniform(recording.num_frames, args.frames)]
    print(f"{args.video.name}: {recording.num_frames} frames of {recording.size_hw[1]}x{recording.size_hw[0]}")
    print(f"index of the whole file {index_s:.2f} s (once)")
    ways: dict[str, Callable[[], np.ndarray]] = {
        "video3d": lambda: recording.load_rgb(indices),
        "decode everything": lambda: decode_everything(args.video, indices),
        "seek every time": lambda: seek_every_time(args.video, indices),
        "opencv": lambda: opencv(args.video, indices),
    }
    truth = decode_everything(args.video, indices)
    for name, way in ways.items():
        times = []
        try:
            for _ in range(args.repeats):
                started = time.perf_counter()
                got = way()
                times.append(time.perf_counter() - started)
        except ImportError:
            print(f"{name:18} not installed")
            continue
        off = np.abs(got.astype(np.int16) - truth).mean(axis=(1, 2, 3))
        print(f"{name:18} {min(times):6.2f} s   wrong frames {int((off > 5).sum())} of {len(indices)}")


if __name__ == "__main__":
    main()
