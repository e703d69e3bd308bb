"""What a video file holds, from its packets alone: number of frames, their times, keyframes, and what is damaged.

Nothing is decoded. A frame's identity is its presentation timestamp (pts), so variable frame rates, edit lists and
reordered B-frames come out right. Containers without such timestamps (AVI with B-frames, raw H.264) are marked
``ordinal``: their frames can only be counted from the beginning.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import av
import av.container
import av.video
import numpy as np
from av.error import ArgumentError, FFmpegError, InvalidDataError
from av.stream import Disposition
from jaxtyping import Bool, Float64, Int64

from video3d.types import InputError
from video3d.video.images import check_size

# Demuxers that follow a text to other files or addresses, or draw text as pictures. Still images are read elsewhere.
_REFUSED = frozenset(
    (
        *(
            "concat",
            "dash",
            "ffmetadata",
            "hls",
            "imf",
            "rtp",
            "rtsp",
            "sap",
            "sdp",
            "vapoursynth",
            "webm_dash_manifest",
        ),
        *("adf", "bin", "idf", "tedcaptions", "tty", "xbin"),
        *("data", "ico", "image2", "image2pipe", "lavfi", "rawvideo"),
    )
)
# Codecs whose packets never begin with zeros; those that do are holes that an interrupted download left.
_NEVER_ZERO = frozenset(("av1", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "vp9", "vvc"))
# What PyAV raises on damaged files: FFmpeg's complaints, and its own slips on streams that appear and lists that end.
FAILURES = (FFmpegError, OSError, ValueError, LookupError, ArithmeticError, RuntimeError, MemoryError)
NO_TIME = np.iinfo(np.int64).min  # a packet without the timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoIndex:
    """Where every frame is.

    Attributes:
        stream: number of the video stream in the container.
        ordinal: the container has no presentation timestamps; frames must be counted.
        pts: timestamp of every frame, ascending; the frame's number when ``ordinal``.
        time_s: seconds of every frame from the first; NaN when the container has no timestamps at all.
        position: place of every frame's packet in decoding order.
        packet_pts: timestamps of all packets in decoding order, also of those that show no frame.
        packet_dts: decoding timestamps of all packets.
        packet_size: their sizes in bytes: with the pts they tell packets apart.
        is_key: which packets are keyframes.
        is_damaged: which packets are cut off or zeroed.
        notes: what is damaged or missing.
    """

    stream: int
    ordinal: bool
    pts: Int64[np.ndarray, "f"]
    time_s: Float64[np.ndarray, "f"]
    position: Int64[np.ndarray, "f"]
    packet_pts: Int64[np.ndarray, "p"]
    packet_dts: Int64[np.ndarray, "p"]
    packet_size: Int64[np.ndarray, "p"]
    is_key: Bool[np.ndarray, "p"]
    is_damaged: Bool[np.ndarray, "p"]
    notes: tuple[str, ...]

    def start_for(self, frame: int) -> int:
        """Position of the last keyframe from which ``frame`` can be decoded.

        A keyframe of an open group is followed by frames that are shown before it and need the group before, so it
        must precede the frame in both orders.
        """
        keys = np.flatnonzero(self.is_key[: self.position[frame] + 1])
        keys = keys[self.packet_pts[keys] <= self.pts[frame]]
        return int(keys[-1]) if keys.size else 0

    def without_first(self, num: int) -> "VideoIndex":
        """The same without the first frames, which do not decode."""
        if num == 0:
            return self
        return replace(
            self,
            pts=self.pts[num:],
            time_s=self.time_s[num:] - self.time_s[num],
            position=self.position[num:],
            notes=(*self.notes, f"the first {num} of {self.pts.size} frames are damaged and left out"),
        )


@contextmanager
def open_container(path: Path) -> Iterator[av.container.InputContainer]:
    """The container of a local file. Errors: ``InputError`` for whatever FFmpeg cannot open, or must not."""
    options = {"format_whitelist": _accepted_formats(), "protocol_whitelist": "file"}
    try:
        container = av.open(str(path), options=options, metadata_errors="replace")
    except FAILURES as error:
        raise InputError(path, expected="a video that FFmpeg can open", got=_what_is_there(path, error)) from error
    with container:
        yield container


def read_index(path: Path) -> VideoIndex:
    """Demuxes the whole file once, without decoding. Errors: ``InputError`` when there is no readable video in it."""
    with open_container(path) as container:
        stream = _video_stream(container, path)
        (pts, dts, size), (is_key, shown, damaged), cut_short = _packets(container, stream)
        is_avi, codec, delay = (
            container.format.name == "avi",
            stream.codec_context.name,
            stream.codec_context.has_b_frames,
        )
        width_px, height_px = stream.codec_context.width, stream.codec_context.height
        pixel_shape = stream.codec_context.sample_aspect_ratio
        tick_s, rate = float(stream.time_base or 0), float(stream.average_rate or 0)
        num_said, said_s, number = stream.frames, (container.duration or 0) / av.time_base, stream.index
    # In AVI the timestamps of these two codecs are in decoding order. Where they jump back, two recordings were joined.
    unordered = is_avi and codec in ("h264", "hevc") and bool(delay)
    ordinal = unordered or bool((pts == NO_TIME).any()) or bool((np.diff(pts[is_key & ~damaged]) <= 0).any())
    if ordinal:
        position = np.flatnonzero(shown & ~damaged)
        timed = bool((dts[position] != NO_TIME).all() and (np.diff(dts[position]) > 0).all())
        time_s = dts[position] * tick_s if timed else np.full(position.size, np.nan)
        frame_pts = np.arange(position.size)
    else:
        usable = shown & ~damaged & ~_after_damage(pts, is_key, damaged)
        frame_pts, first = np.unique(pts[usable], return_index=True)
        position = np.flatnonzero(usable)[first]
        time_s = frame_pts * tick_s
    if width_px and height_px:  # 0 until a frame is decoded, for some formats
        check_size((height_px, width_px), path)
    num = position.size
    if num == 0:
        raise InputError(path, expected="a video", got="no frame that can be decoded", do="copy the file again")
    time_s = time_s - time_s[0]
    num_there = int(shown.sum())
    num_said = max(num_said - int((~shown).sum()), num_there)
    notes = []
    if num_said > num:
        notes.append(f"the file says that it has {num_said} frames, {num} can be read: it is cut short or damaged")
    elif cut_short or said_s - (time_s[-1] + (1 / rate if rate else 0)) > max(1.0, 0.05 * said_s):
        notes.append(
            f"the file says that it lasts {said_s:.1f} s, its frames end at {time_s[-1]:.1f} s: it is cut short"
        )
    if pixel_shape and pixel_shape != 1:
        notes.append(f"pixels are not square ({pixel_shape} as wide as high): fx and fy of this camera differ")
    if ordinal:
        notes.append("the container has no presentation times: frames are counted from the beginning, which is slow")
    return VideoIndex(
        stream=number,
        ordinal=ordinal,
        pts=frame_pts.astype(np.int64),
        time_s=time_s,
        position=position.astype(np.int64),
        packet_pts=pts,
        packet_dts=dts,
        packet_size=size,
        is_key=is_key,
        is_damaged=damaged,
        notes=tuple(notes),
    )


def _packets(
    container: av.container.InputContainer, stream: av.video.VideoStream
) -> tuple[
    tuple[Int64[np.ndarray, "p"], ...],
    tuple[Bool[np.ndarray, "p"], ...],
    bool,
]:
    """(pts, dts, size) and (keyframe?, shown?, damaged?) of every packet, and whether reading ended in an error."""
    rows: list[tuple[int, int, int, bool, bool, bool]] = []
    never_zero = stream.codec_context.name in _NEVER_ZERO
    cut_short = False
    try:
        for packet in container.demux(stream):
            if not packet.size:  # the empty packet that ends a stream, or a dropped frame of AVI
                continue
            damaged = packet.is_corrupt or (never_zero and not any(memoryview(packet)[:8]))
            pts = NO_TIME if packet.pts is None else packet.pts
            dts = NO_TIME if packet.dts is None else packet.dts
            # What an edit list cuts away is decoded for the frames after it, but never shown.
            rows.append((pts, dts, packet.size, packet.is_keyframe, not packet.is_discard, damaged))
    except FAILURES:
        cut_short = True
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    integers = tuple(np.array(c, np.int64) for c in columns[:3])
    return integers, tuple(np.array(c, bool) for c in columns[3:]), cut_short


def _after_damage(
    pts: Int64[np.ndarray, "p"], is_key: Bool[np.ndarray, "p"], damaged: Bool[np.ndarray, "p"]
) -> Bool[np.ndarray, "p"]:
    """Packets that lack what they build upon: from the beginning or from damage to the next whole keyframe.

    Frames after that keyframe in decoding order but shown before it lean on what is gone, too.
    """
    lost = np.zeros(pts.shape, bool)
    if not is_key.any():  # streams that refresh bit by bit have no keyframes at all
        return lost
    broken, floor = True, NO_TIME
    for i in range(pts.size):
        if damaged[i]:
            broken = True
        elif broken and is_key[i]:
            broken, floor = False, pts[i]
        lost[i] = broken or pts[i] < floor
    return lost


def _video_stream(container: av.container.InputContainer, path: Path) -> av.video.VideoStream:
    """The largest video stream that is not the cover of a music file. Errors: ``InputError`` when there is none."""
    streams = [s for s in container.streams.video if s.codec_context is not None and not _is_cover(s)]
    if not streams:
        known = sorted({s.type for s in container.streams})
        undecodable = any(not _is_cover(s) for s in container.streams.video)
        got = "a video codec without a decoder" if undecodable else f"only {', '.join(known) or 'an empty container'}"
        raise InputError(path, expected="a file with a video stream", got=got)
    return max(streams, key=lambda s: s.codec_context.width * s.codec_context.height)


def _is_cover(stream: av.video.VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


@cache
def _accepted_formats() -> str:
    """Comma-separated names of the demuxers that may be tried."""
    names = []
    for name in sorted(av.formats_available):
        try:
            demuxer = av.ContainerFormat(name, "r")
        except ValueError:  # a muxer only
            continue
        if not (demuxer.no_file or name.endswith("_pipe") or name in _REFUSED):
            names.append(name)
    return ",".join(names)


def _what_is_there(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "a file that may not be read"
    if path.is_file() and path.stat().st_size == 0:
        return "an empty file"
    if isinstance(error, ArgumentError | InvalidDataError):  # no demuxer that may be tried knows it, or the one fails
        return "content of no video format, or a file cut short"
    return str(getattr(error, "strerror", None) or error)[:120]
