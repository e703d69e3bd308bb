"""Reads recordings: one file a format, frame sampling."""

from video3d.video.colour_camera import register_colour, with_colour_notes
from video3d.video.probe import describe
from video3d.video.read import forget, open_recording, read_clip
from video3d.video.sample import sample_max_coverage, sample_uniform

__all__ = [
    "describe",
    "forget",
    "open_recording",
    "read_clip",
    "register_colour",
    "sample_max_coverage",
    "sample_uniform",
    "with_colour_notes",
]
