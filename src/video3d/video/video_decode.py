"""Decodes the wanted frames of a video file and nothing that can be avoided.

It seeks only when a keyframe lies between the last packet fed and the wanted frame, checks where each seek has led
(MPEG-TS overshoots), and else goes on from where it is. Between keyframe and wanted frame, frames that no other frame
builds upon are not decoded. A wanted frame is known by its timestamp, and only wanted frames become RGB.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
import av.container
import av.video
import numpy as np
from jaxtyping import UInt8

from video3d.types import InputError
from video3d.video.video_index import FAILURES, NO_TIME, VideoIndex, open_container

# Decoders that can leave out frames that none builds upon, checked to give the same pixels.
_SKIPS_NONREF = frozenset(("h264", "hevc", "mpeg4", "mpeg2video"))
_MAX_STAND_IN_S = 0.5  # where a packet shows nothing, a player goes on showing the frame before it; not for ever
_MAX_STAND_IN_FRAMES = 5
_PACKETS_TO_LAND = 4

Sink = Callable[[int, av.video.VideoFrame], None]


@dataclass(frozen=True, slots=True)
class VideoFrames:
    """``LoadRgb`` over a video file. Opens it anew in each call, so it may be shared by threads and processes.

    Attributes:
        path: the file.
        index: where its frames are.
        size_hw: upright size of the frames.
        rotation_deg: how far frames must be turned counterclockwise to be upright: 0, 90, 180 or 270.
    """

    path: Path
    index: VideoIndex
    size_hw: tuple[int, int]
    rotation_deg: int

    def __call__(self, indices: Sequence[int]) -> UInt8[np.ndarray, "f h w 3"]:
        """Decodes the frames at ``indices``, in that order.

        Errors: ``InputError`` that names the frame when it cannot be decoded, or comes in another size.
        """
        rgb = np.empty((len(indices), *self.size_hw, 3), np.uint8)
        slots: dict[int, list[int]] = {}
        for slot, frame in enumerate(indices):
            slots.setdefault(int(frame), []).append(slot)

        def sink(number: int, picture: av.video.VideoFrame) -> None:
            turned = self.rotation_deg % 180 != 0
            width, height = (picture.height, picture.width) if turned else (picture.width, picture.height)
            if (height, width) != self.size_hw:
                raise InputError(
                    f"frame {number} of {self.path}",
                    expected=f"{self.size_hw[1]} x {self.size_hw[0]} px as in the first frame",
                    got=f"{width} x {height} px",
                )
            try:
                upright = to_rgb(picture, self.rotation_deg)
            except FAILURES as error:
                raise _undecodable(self.path, number) from error
            for slot in slots[number]:
                rgb[slot] = upright

        decode_frames(self.path, self.index, sorted(slots), sink)
        return rgb


def to_rgb(picture: av.video.VideoFrame, rotation_deg: int) -> UInt8[np.ndarray, "h w 3"]:
    """Upright RGB of a decoded frame."""
    return np.rot90(picture.to_ndarray(format="rgb24"), rotation_deg // 90)


def decode_frames(path: Path, index: VideoIndex, frames: Sequence[int], sink: Sink) -> None:
    """Gives every frame in ``frames`` (ascending, without repeats) to ``sink(frame, picture)``."""
    if not frames:
        return
    reel = _Reel(path, index)
    try:
        (_count if index.ordinal else _fetch)(reel, frames, sink)
    finally:
        reel.close()


def _fetch(reel: "_Reel", frames: Sequence[int], sink: Sink) -> None:
    """Frames by timestamp, from the nearest keyframe each."""
    index = reel.index
    waiting = deque(frames)
    wanted_pts = {int(index.pts[f]) for f in frames}
    shown: av.video.VideoFrame | None = None  # the last picture that came out

    def deliver(picture: av.video.VideoFrame) -> None:
        nonlocal shown
        if picture.pts is None:
            return
        while waiting and index.pts[waiting[0]] <= picture.pts:  # pictures come out in the order of their timestamps
            frame = waiting.popleft()
            exact = index.pts[frame] == picture.pts
            sink(frame, picture if exact else _stand_in(reel, frame, shown))
        shown = picture

    while waiting:
        target = waiting[0]
        start = index.start_for(target)
        if start > reel.at:
            reel.go_to(start)
            shown = None
        elif reel.drained:
            reel.flush()
        while waiting and waiting[0] == target:
            if not reel.more():
                for picture in reel.drain():
                    deliver(picture)
                break
            for picture in reel.feed(wanted_pts):
                deliver(picture)
            if waiting and waiting[0] == target and _run_ends(reel, waiting):
                for picture in reel.drain():  # the decoder holds pictures back to put them in order; no need to wait
                    deliver(picture)
                break
        if waiting and waiting[0] == target:
            sink(waiting.popleft(), _stand_in(reel, target, shown))


def _run_ends(reel: "_Reel", waiting: deque[int]) -> bool:
    """Whether the first that waits is fed, and what is wanted after it begins with a keyframe that is not yet."""
    fed = reel.at > int(reel.index.position[waiting[0]])
    return fed and (len(waiting) < 2 or reel.index.start_for(waiting[1]) >= reel.at)


def _count(reel: "_Reel", frames: Sequence[int], sink: Sink) -> None:
    """Frames by number: everything is decoded from the beginning."""
    waiting, number = deque(frames), -1
    shown: av.video.VideoFrame | None = None
    while waiting:
        more = reel.more()
        for picture in reel.feed(None) if more else reel.drain():
            number += 1
            shown = picture
            if waiting and waiting[0] == number:
                sink(waiting.popleft(), picture)
        if not more:
            break
    for frame in waiting:
        if shown is None or frame - number > _MAX_STAND_IN_FRAMES:
            raise _undecodable(reel.path, frame)
        sink(frame, shown)


def _stand_in(reel: "_Reel", frame: int, shown: av.video.VideoFrame | None) -> av.video.VideoFrame:
    """The picture that a player shows at the time of a frame that gave none. Errors: ``InputError`` if too old."""
    if shown is None or shown.pts is None:
        raise _undecodable(reel.path, frame)
    late = int(reel.index.pts[frame]) - shown.pts
    if late < 0 or late * float(reel.stream.time_base or 0) > _MAX_STAND_IN_S:
        raise _undecodable(reel.path, frame)
    return shown


def _undecodable(path: Path, frame: int) -> InputError:
    return InputError(
        f"frame {frame} of {path}", expected="a picture", got="damaged data", do="copy or convert the file again"
    )


class _Reel:
    """The packets of a file and its decoder. ``at`` is the position (in decoding order) of the packet that is next."""

    def __init__(self, path: Path, index: VideoIndex) -> None:
        self.path, self.index = path, index
        packets = zip(index.packet_pts.tolist(), index.packet_size.tolist(), strict=True)
        self.position_of = {packet: position for position, packet in enumerate(packets)}
        self.seekable = True
        self._open()

    def _open(self) -> None:
        self._context = open_container(self.path)
        self.container = self._context.__enter__()
        streams = self.container.streams
        stream = streams[self.index.stream] if self.index.stream < len(streams) else None
        if not isinstance(stream, av.video.VideoStream):
            self.close()
            raise InputError(self.path, expected="the file that was opened before", got="another one")
        stream.thread_type = "AUTO"
        self.stream, self.decoder = stream, stream.codec_context
        self._rewound()

    def _rewound(self) -> None:
        self._packets: Iterator[av.Packet] = (p for p in self.container.demux(self.stream) if p.size)
        self._held: av.Packet | None = None
        self.at, self.drained = 0, False

    def close(self) -> None:
        """Closes the file."""
        self._context.__exit__(None, None, None)

    def more(self) -> bool:
        """Whether there is another packet."""
        if self._held is None:
            try:
                self._held = next(self._packets, None)
            except FAILURES:  # the end of what can be read of a damaged file
                self._held = None
        return self._held is not None

    def feed(self, wanted_pts: set[int] | None) -> list[av.video.VideoFrame]:
        """Decodes the next packet; with ``wanted_pts``, frames that are neither wanted nor built upon are left out."""
        packet, self._held = self._held, None
        assert packet is not None
        self.at += 1
        if self.at <= self.index.is_damaged.size and self.index.is_damaged[self.at - 1]:
            return []  # the decoder's complaint would cost the pictures before it, too
        if wanted_pts is not None and self.decoder.name in _SKIPS_NONREF:
            self.decoder.skip_frame = "DEFAULT" if packet.pts in wanted_pts else "NONREF"
        try:
            return self.decoder.decode(packet)
        except FAILURES:  # a damaged packet: whether a wanted frame is missing shows later
            return []

    def drain(self) -> list[av.video.VideoFrame]:
        """The pictures that the decoder still holds. Before it takes packets again it must be flushed."""
        self.drained = True
        with suppress(*FAILURES):
            return self.decoder.decode(None)
        return []

    def flush(self) -> None:
        """Makes the decoder forget what it holds."""
        self.decoder.flush_buffers()
        self.drained = False

    def go_to(self, key: int) -> None:
        """Makes the keyframe at position ``key`` the next packet, and the decoder forget."""
        if self.seekable and not (self._seek(key) and self._skip_to(key)):
            self.seekable = False  # nor would the next seek; read on from the beginning, without decoding
            self.close()
            self._open()
        self._skip_to(key)
        self.flush()

    def _skip_to(self, key: int) -> bool:
        """Reads on to position ``key``; whether the packet there is the one that the index has."""
        while self.at < key and self.more():
            self._held = None
            self.at += 1
        index = self.index
        return (
            self.more()
            and self._held is not None
            and (self._held.pts, self._held.size) == (index.packet_pts[key], index.packet_size[key])
        )

    def _seek(self, key: int) -> bool:
        """Whether a seek has led to the keyframe, or to a packet before it."""
        index = self.index
        before = np.flatnonzero(index.is_key[:key])[-1:]
        offsets = [index.packet_pts[key], index.packet_dts[key], *index.packet_dts[before]]
        for offset in dict.fromkeys(int(o) for o in offsets if o != NO_TIME):
            try:
                self.container.seek(offset, stream=self.stream)
            except FAILURES:
                continue
            self._rewound()
            for _ in range(_PACKETS_TO_LAND):
                if not self.more() or self._held is None:
                    break
                at = self.position_of.get((self._held.pts, self._held.size))
                if at is not None:
                    self.at = at
                    break
                self._held = None  # cut in two by the seek, or with a timestamp that was only guessed
            if self._held is not None and self.at <= key:
                return True
        return False
