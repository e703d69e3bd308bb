"""Frames, times and points in a question."""

import numpy as np
import pytest

from video3d.answers.numerals import read_chinese, read_number
from video3d.answers.references import FrameRef, find_references, plain, resolve_frame


@pytest.mark.parametrize(
    ("text", "by", "value"),
    [
        ("in frame 12", "index", 12),
        ("frame #7", "index", 7),
        ("Frame no. 3", "index", 3),
        ("frame number 000012", "index", 12),
        ("frame[5]", "index", 5),
        ("frame_8", "index", 8),
        ("frame zero", "index", 0),
        ("frame twenty-one", "index", 21),
        ("frame one hundred and five", "index", 105),
        ("image 4", "index", 4),
        ("the first frame", "share", 0),
        ("the very last frame", "share", 1),
        ("the middle image", "share", 0.5),
        ("the 12th frame", "index", 11),
        ("the third picture", "index", 2),
        ("the second-to-last frame", "from_end", 1),
        ("at 5.2 s", "time", 5.2),
        ("at 3 seconds into the video", "time", 3),
        ("at the 4-second mark", "time", 4),
        ("at t=2.5", "time", 2.5),
        ("at 1:05", "time", 65),
        ("2.5 s into the clip", "time", 2.5),
        ("at the end of the video", "share", 1),
        ("halfway through the recording", "share", 0.5),
        ("第12帧", "index", 12),
        ("第十二帧", "index", 11),
        ("第一帧", "share", 0),
        ("最后一帧", "share", 1),
        ("中间帧", "share", 0.5),
        ("第5.2秒", "time", 5.2),
        ("3秒时", "time", 3),
    ],
)
def test_a_frame_is_found_however_it_is_named(text, by, value):
    found = find_references(plain(f"how far is it {text}?"))
    assert found.frames == (FrameRef(by=by, value=float(value)),)
    assert not any(c.isdigit() for c in found.text)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("between frame 10 and frame 50", 10, 50),
        ("from frame 10 to 50", 10, 50),
        ("between frames 10 and 50", 10, 50),
        ("in frames 10-50", 10, 50),
        ("frames ten and fifty", 10, 50),
        ("from image 10 through image 50", 10, 50),
        ("从第10帧到第50帧", 10, 50),
        ("第10到50帧", 10, 50),
    ],
)
def test_a_stretch_is_its_two_ends(text, first, last):
    found = find_references(plain(text))
    assert [(f.by, f.value) for f in found.frames] == [("index", first), ("index", last)]


def test_windows_at_either_end():
    assert find_references("in the first 10 frames").frames == (
        FrameRef(by="share", value=0.0),
        FrameRef(by="index", value=9.0),
    )
    assert find_references("over the last 3 seconds").frames == (
        FrameRef(by="time_from_end", value=3.0),
        FrameRef(by="share", value=1.0),
    )
    assert [f.value for f in find_references("between 2 s and 5.5 s").frames] == [2.0, 5.5]


@pytest.mark.parametrize(
    "text",
    [
        "pixel (320, 240)",
        "pixel (320,240)",
        "(x=320, y=240)",
        "x = 320 and y = 240",
        "x 320 y 240",
        "u=320, v=240",
        "[320, 240]",
        "pixel 320,240",
        "pixel 320 240",
        "point at 320, 240",
        "row 240, column 320",
        "column 320, row 240",
        "(320 px, 240 px)",
        "320 px from the left and 240 px from the top",
        "240 down and 320 across",
        "PIXEL（320，240）",
        "像素(320,240)",
        "坐标 320,240",
    ],
)
def test_a_pixel_is_found_however_it_is_written(text):
    found = find_references(plain(f"how far is {text}"))
    assert [(p.x, p.y, p.unit) for p in found.points] == [(320.0, 240.0, "px")]
    assert not any(c.isdigit() for c in found.text)


@pytest.mark.parametrize(
    ("text", "x", "y"),
    [
        ("the centre of the image", 0.5, 0.5),
        ("the center of frame 12", 0.5, 0.5),
        ("the middle of the picture", 0.5, 0.5),
        ("the image center", 0.5, 0.5),
        ("the central pixel", 0.5, 0.5),
        ("the centre point of the last frame", 0.5, 0.5),
        ("(0.25, 0.75)", 0.25, 0.75),
        ("(25%, 75%)", 0.25, 0.75),
        ("the top-left corner", 0.0, 0.0),
        ("the lower right corner of the image", 1.0, 1.0),
        ("图像中心", 0.5, 0.5),
        ("画面的正中央", 0.5, 0.5),
    ],
)
def test_places_in_the_picture(text, x, y):
    points = find_references(plain(f"how far is {text}")).points
    assert [(p.x, p.y, p.unit) for p in points] == [(x, y, "share")]


def test_the_centre_of_a_room_is_no_pixel():
    assert find_references("how far is the table in the centre of the room").points == ()
    assert find_references("the middle of the video").points == ()


def test_whole_numbers_of_one_are_pixels():
    assert find_references("pixel (1, 1)").points[0].unit == "px"


def test_numerals():
    assert [read_number(t) for t in ("zero", "nineteen", "forty two", "three hundred")] == [0, 19, 42, 300]
    assert [read_chinese(t) for t in ("十", "二十一", "三百", "一百二十", "零", "两")] == [10, 21, 300, 120, 0, 2]


def test_resolving():
    time_s = np.array([0.0, 1.0, 2.0, np.nan, 4.0])
    assert resolve_frame(FrameRef(by="index", value=4.0), 5) == 4
    assert resolve_frame(FrameRef(by="index", value=5.0), 5) is None
    assert resolve_frame(FrameRef(by="from_end", value=1.0), 5) == 3
    assert resolve_frame(FrameRef(by="share", value=1.0), 5) == 4
    assert resolve_frame(FrameRef(by="time", value=1.9), 5, time_s) == 2
    assert resolve_frame(FrameRef(by="time_from_end", value=2.0), 5, time_s) == 2
    assert resolve_frame(FrameRef(by="time", value=9.0), 5, time_s) is None
    assert resolve_frame(FrameRef(by="time", value=1.0), 5) is None
    assert resolve_frame(FrameRef(by="share", value=0.0), 0) is None
