"""Reads a video file: any container and codec that FFmpeg decodes. It gives frames and their times, and no more.

Frames are upright: the rotation that a phone writes beside the pixels is applied. Pixels are taken to be square.
"""

from pathlib import Path

import av.video

from video3d.types import InputError, Recording
from video3d.video.images import IMAGE_SUFFIXES, check_size, is_image
from video3d.video.video_decode import VideoFrames, decode_frames
from video3d.video.video_index import VideoIndex, open_container, read_index

FORMAT = "video"
_STARTS_TRIED = 8

VIDEO_SUFFIXES = frozenset(
    (
        *(
            ".mp4",
            ".m4v",
            ".mov",
            ".qt",
            ".mkv",
            ".webm",
            ".avi",
            ".ts",
            ".mts",
            ".m2ts",
            ".mpg",
            ".mpeg",
            ".vob",
            ".3gp",
        ),
        *(".3g2", ".flv", ".wmv", ".asf", ".ogv", ".ogg", ".gif", ".mxf", ".h264", ".264", ".h265", ".265", ".hevc"),
        *(".ivf", ".mjpeg", ".mjpg", ".y4m", ".rm", ".rmvb", ".dv", ".nut", ".apng"),
    )
)


def detect(path: Path) -> bool:
    """Whether ``path`` is a file with a video's name, or one of any other name that FFmpeg opens; images are not."""
    if not path.is_file():
        return False
    suffix = path.suffix.lower()
    return suffix in VIDEO_SUFFIXES or (suffix not in IMAGE_SUFFIXES and not is_image(path) and _opens(path))


def open_recording(path: Path) -> Recording:
    """Opens a video file: its packets are counted and its first frame is decoded.

    Errors: ``InputError`` for what is no video, holds no frame that decodes, or has frames of absurd size.
    """
    if is_image(path):
        raise InputError(
            path, expected="a video", got="a still image under a video's name", do="give it its own suffix"
        )
    index, first = _first_picture(path, read_index(path))
    rotation_deg = round(first.rotation) % 360
    notes = list(index.notes)
    if rotation_deg % 90:
        notes.append(f"the file asks to be turned by {rotation_deg} degrees; only quarter turns are applied")
        rotation_deg = 0
    elif rotation_deg:
        notes.append(f"frames are turned upright by {rotation_deg} degrees counterclockwise as the file asks")
    size_hw = (first.height, first.width) if rotation_deg % 180 == 0 else (first.width, first.height)
    check_size(size_hw, path)
    return Recording(
        source=path,
        format=FORMAT,
        size_hw=size_hw,
        time_s=index.time_s,
        frame_names=tuple(map(str, range(index.pts.size))),
        load_rgb=VideoFrames(path, index, size_hw, rotation_deg),
        notes=tuple(notes),
    )


def _opens(path: Path) -> bool:
    try:
        with open_container(path) as container:
            return bool(container.streams.video or container.streams.audio)
    except InputError:
        return False


def _first_picture(path: Path, index: VideoIndex) -> tuple[VideoIndex, av.video.VideoFrame]:
    """The first frame that decodes, and the index from there on: damage at the beginning costs only what it hit."""
    pictures: list[av.video.VideoFrame] = []
    is_start = index.is_key[index.position] if not index.ordinal else index.position < 0
    starts = [0, *(int(i) for i in is_start.nonzero()[0] if i > 0)]
    for start in starts[:_STARTS_TRIED]:
        try:
            decode_frames(path, index, [start], lambda _, picture: pictures.append(picture))
        except InputError:
            continue
        return index.without_first(start), pictures[0]
    raise InputError(path, expected="a video that decodes", got="damaged data", do="copy or convert the file again")
