"""Answers against the truth of a room that is known by hand, and honest words where nothing is known."""

import dataclasses

import numpy as np
import pytest
from box_room import ALL_MEASURED, K_PX, POSES, TIME_S, look, make_clip, see

from video3d.answers.facts import scene_facts
from video3d.answers.look_up import local_depth
from video3d.answers.measure import measure
from video3d.answers.question import parse_question
from video3d.types import GeometryStatus


@pytest.fixture(scope="module")
def walk():
    clip = make_clip()
    return clip, scene_facts(clip)


def ask(text, clip, facts=None):
    question = parse_question(text)
    assert question is not None, text
    return measure(question, clip, scene_facts(clip) if facts is None else facts)


def value(found, name=None):
    values = {q.name: q.value for q in found.quantities}
    return found.quantities[0].value if name is None else values[name]


def world_point(frame, column, row):
    depth = see(POSES[frame])[row, column]
    point = depth * np.array([(column + 0.5 - K_PX[0, 2]) / 60, (row + 0.5 - K_PX[1, 2]) / 60, 1.0])
    return POSES[frame][:3, :3] @ point + POSES[frame][:3, 3]


def test_distance_and_depth(walk):
    depth = float(see(POSES[4])[30, 10])
    far = float(np.linalg.norm(world_point(4, 10, 30) - POSES[4][:3, 3]))
    found = ask("How far is pixel (10, 30) in frame 4?", *walk)
    assert found.source == "measurement"
    assert value(found, "range") == pytest.approx(far, rel=0.01)
    assert value(found, "depth") == pytest.approx(depth, rel=0.01)
    assert found.quantities[0].name == "range"
    assert found.quantities[0].unit == "m"
    assert f"{far:.2f} m" in found.text
    assert f"{depth:.2f} m" in found.text
    assert found.evidence.frames == (4,)
    assert found.evidence.points_px[0].x_px == 10.5
    assert found.evidence.points_world[0] == pytest.approx(world_point(4, 10, 30), abs=0.02)
    assert ask("What is the depth at pixel (10, 30) of frame 4?", *walk).quantities[0].name == "depth"


def test_pixels_are_those_of_the_recording_whatever_the_size_of_the_depth(walk):
    clip, _ = walk
    large = dataclasses.replace(
        clip,
        rgb=np.zeros((11, 120, 160, 3), np.uint8),
        k_px=clip.k_px * np.array([2.0, 2.0, 1.0])[:, None],
    )
    small = ask("How far is pixel (10, 30) in frame 4?", *walk)
    same = ask("How far is pixel (20, 60) in frame 4?", large)
    assert value(same, "depth") == pytest.approx(value(small, "depth"))
    assert value(same) == pytest.approx(value(small), rel=0.02)


def test_nearer(walk):
    clip, facts = walk
    ranges = [np.linalg.norm(world_point(3, c, r) - POSES[3][:3, 3]) for c, r in ((5, 10), (40, 55))]
    assert ranges[1] < ranges[0]
    found = ask("Which is nearer in frame 3, (5, 10) or (40, 55)?", clip, facts)
    assert found.choice == "pixel (40, 55)"
    assert found.text.startswith("Pixel (40, 55) is nearer in frame 3")
    assert value(found) == 2
    assert ask("Which is farther in frame 3, (5, 10) or (40, 55)?", clip, facts).choice == "pixel (5, 10)"
    assert ask("Is (5, 10) nearer than (40, 55) in frame 3?", clip, facts).text.startswith(
        "No: pixel (40, 55) is nearer"
    )
    assert ask("Is (40, 55) nearer than (5, 10) in frame 3?", clip, facts).text.startswith("Yes: ")
    much = ask("How much nearer is (40, 55) than (5, 10) in frame 3?", clip, facts)
    assert much.quantities[0].name == "difference"
    assert value(much) == pytest.approx(ranges[0] - ranges[1], rel=0.02)


def test_point_to_point_in_one_frame_and_across_frames(walk):
    one, two, other = world_point(3, 5, 10), world_point(3, 40, 55), world_point(9, 20, 20)
    within = ask("How far apart are (5, 10) and (40, 55) in frame 3?", *walk)
    assert value(within) == pytest.approx(np.linalg.norm(one - two), rel=0.01)
    assert value(within, "distance_vertical") == pytest.approx(abs(one[2] - two[2]), abs=0.02)
    across = ask("What is the distance between pixel (5, 10) of frame 3 and pixel (20, 20) of frame 9?", *walk)
    assert value(across) == pytest.approx(np.linalg.norm(one - other), rel=0.01)
    assert across.evidence.frames == (3, 9)
    flat = ask("What is the horizontal distance between (5, 10) and (40, 55) in frame 3?", *walk)
    assert value(flat) == pytest.approx(np.hypot(*(one - two)[:2]), rel=0.02)


def test_one_view_needs_no_pose():
    clip = make_clip()
    blind = dataclasses.replace(clip, world_from_camera=np.full((11, 4, 4), np.nan), piece=np.full(11, -1))
    found = ask("How far apart are (5, 10) and (40, 55) in frame 3?", blind)
    assert found.source == "measurement"
    assert value(found) == pytest.approx(np.linalg.norm(world_point(3, 5, 10) - world_point(3, 40, 55)), rel=0.01)
    across = ask("What is the distance between pixel (5, 10) of frame 3 and pixel (20, 20) of frame 9?", blind)
    assert across.source == "unknown"
    assert "pose" in across.text


def test_the_camera_of_another_frame(walk):
    found = ask("How far is the camera in frame 8 from the point at pixel (5, 10) of frame 3?", *walk)
    assert value(found) == pytest.approx(np.linalg.norm(world_point(3, 5, 10) - POSES[8][:3, 3]), rel=0.01)


def test_height_of_points(walk):
    depth = see(POSES[5])
    v, u = np.mgrid[:60, :80]
    rays = np.stack([(u + 0.5 - 40) / 60, (v + 0.5 - 30) / 60, np.ones((60, 80))], axis=-1) @ POSES[5][:3, :3].T
    z = 1.4 + depth * rays[..., 2]
    level = np.abs(z - 0.75) < 1e-4
    inner = level[1:-1, 1:-1] & level[:-2, 1:-1] & level[2:, 1:-1] & level[1:-1, :-2] & level[1:-1, 2:]
    rows, columns = np.nonzero(inner)
    on_table = (int(columns[columns.size // 2]) + 1, int(rows[rows.size // 2]) + 1)
    found = ask(f"How high above the floor is pixel {on_table} in frame 5?", *walk)
    assert value(found) == pytest.approx(0.75, abs=0.04)
    higher = ask(f"Which is higher in frame 5, {on_table} or (40, 2)?", *walk)
    assert higher.choice == "pixel (40, 2)"
    flat = ask(f"Is the surface at pixel {on_table} in frame 5 horizontal or vertical?", *walk)
    assert flat.choice == "horizontal"
    assert ask("Is the surface at pixel (40, 5) in frame 5 horizontal?", *walk).text.startswith("No: the surface")


def test_camera_height(walk):
    heights = POSES[:, 2, 3]
    found = ask("How high is the camera above the floor?", *walk)
    assert value(found) == pytest.approx(heights.mean(), abs=0.03)
    assert value(ask("What is the maximum height of the camera?", *walk)) == pytest.approx(1.5, abs=0.03)
    assert value(ask("How high is the camera in frame 10?", *walk)) == pytest.approx(1.5, abs=0.03)
    assert value(ask("How high is the camera at the start?", *walk)) == pytest.approx(1.4, abs=0.03)


def test_travel_displacement_and_speed(walk):
    length = 1.8 + np.hypot(0.2, 0.1)
    assert value(ask("How far did the camera travel?", *walk)) == pytest.approx(length)
    direct = ask("How far is the end of the camera path from its start?", *walk)
    assert value(direct) == pytest.approx(np.hypot(2.0, 0.1))
    assert value(ask("How far does the camera travel between frame 2 and frame 5?", *walk)) == pytest.approx(0.6)
    assert value(ask("How far did the camera move between frame 2 and frame 5?", *walk)) == pytest.approx(0.6)
    assert value(ask("How far did the camera travel between 1 s and 2.5 s?", *walk)) == pytest.approx(0.6)
    assert value(ask("How fast is the camera?", *walk)) == pytest.approx(length / 5)
    assert ask("How fast is the camera?", *walk).quantities[0].unit == "m/s"


@pytest.mark.parametrize("sign", [1, -1])
def test_turning_left_is_positive(sign):
    poses = np.stack([look((2.5, 1.0, 1.4), 30 + sign * 12.0 * i) for i in range(11)])
    clip = make_clip(poses=poses)
    found = ask("Does the camera turn left or right?", clip)
    assert value(found) == pytest.approx(120 * sign)
    assert found.choice == ("left" if sign > 0 else "right")
    assert f"turns {found.choice} by 120 degrees" in found.text
    assert ask("Is the camera turning left?", clip).text.startswith("Yes" if sign > 0 else "No")
    part = ask("How many degrees does the camera turn between frame 2 and frame 4?", clip)
    assert value(part) == pytest.approx(24 * sign)
    chinese = ask("相机向左转还是向右转？", clip)
    assert ("向左转了 120 度" if sign > 0 else "向右转了 120 度") in chinese.text


@pytest.mark.parametrize(
    ("step", "word"),
    [((0.5, 0, 0), "forward"), ((-0.5, 0, 0), "back"), ((0, 0.5, 0), "left"), ((0, -0.5, 0), "right")],
)
def test_direction_in_the_frame_of_the_first_camera(step, word):
    poses = np.stack([look(tuple(np.array([2.5, 0.7, 1.4]) + np.array(step) * i / 10), 0) for i in range(11)])
    found = ask("In which direction does the camera move?", make_clip(poses=poses))
    assert found.choice == word
    assert value(found) == pytest.approx(0.5)


def test_up_and_down(walk):
    found = ask("How much higher is the camera at the end than at the start?", *walk)
    assert value(found) == pytest.approx(0.1)
    assert found.choice == "higher"
    assert ask("Did the camera rise?", *walk).text.startswith("Yes")
    assert ask("Does the camera move up or down between frame 0 and frame 5?", *walk).choice == ""
    tilt = ask("Is the camera tilted down in frame 3?", *walk)
    assert tilt.text.startswith("Yes")
    assert value(tilt) == pytest.approx(-20)


def test_moving_or_still(walk):
    assert ask("Is the camera moving?", *walk).text.startswith("Yes")
    assert ask("Is the camera static?", *walk).text.startswith("No")
    still = make_clip(poses=np.stack([look((1.0, 1.0, 1.4), 40)] * 5))
    assert ask("Is the camera moving?", still).text.startswith("No")
    assert ask("Is the camera static?", still).text.startswith("Yes")
    turning = make_clip(poses=np.stack([look((1.0, 1.0, 1.4), 10.0 * i) for i in range(5)]))
    assert "turns on the spot" in ask("Is the camera moving?", turning).text


def test_depth_range(walk):
    clip, facts = walk
    nearest = ask("How far is the nearest thing in frame 0?", clip, facts)
    rays = np.linalg.norm(np.stack(np.broadcast_arrays(
        (np.arange(80) + 0.5 - 40) / 60, ((np.arange(60) + 0.5 - 30) / 60)[:, None], 1.0)), axis=0)  # fmt: skip
    assert value(nearest) == pytest.approx((see(POSES[0]) * rays).min(), rel=0.03)
    assert value(ask("How far can you see?", clip, facts)) == pytest.approx((clip.depth_m * rays).max(), rel=0.03)
    assert value(ask("What is the median depth of frame 2?", clip, facts)) == pytest.approx(np.median(see(POSES[2])))
    assert ask("In which frame is the camera highest?", clip, facts).key == "frame 10"


def test_a_lone_pixel_is_not_the_nearest_thing(walk):
    clip = make_clip()
    clip.depth_m[0, 30, 30] = 0.05
    assert value(ask("How far is the nearest thing?", clip)) > 0.5


def test_the_recording(walk):
    assert value(ask("How long is the video?", *walk)) == 5
    assert value(ask("How many frames are there?", *walk)) == 11
    assert value(ask("What is the frame rate?", *walk)) == pytest.approx(2)


def test_every_sentence_is_in_the_language_of_the_question(walk):
    for text in ("第4帧像素(10,30)离相机多远？", "相机一共走了多远？", "房间有多大？", "第99帧像素(10,30)离相机多远？"):
        found = ask(text, *walk)
        assert any("\u4e00" <= c <= "\u9fff" for c in found.text)
        assert "the" not in found.text


UNKNOWN = {
    "How far is pixel (80, 10) in frame 3?": "outside the image",
    "How far is pixel (10, -1) in frame 3?": "outside the image",
    "How far is pixel (10, 10) in frame 99?": "frames 0 to 10",
    "How far is the centre of the image at 99 s?": "lasts 5.0 s",
    "How high is the ceiling?": "ceiling was not seen",
    "How far does the camera move between frame 3 and frame 99?": "frames 0 to 10",
}


@pytest.mark.parametrize("text", UNKNOWN)
def test_what_is_asked_wrongly_is_said(text):
    low = make_clip(poses=np.stack([look((0.5 + 0.2 * i, 0.6, 1.4), 90, tilt_deg=-45) for i in range(11)]))
    found = ask(text, low)
    assert found.source == "unknown"
    assert UNKNOWN[text] in found.text
    assert found.quantities == ()


def test_a_frame_that_was_not_read():
    some = np.array([0, 5, 10])
    clip = make_clip(poses=POSES[some], frame_index=some, time_s=TIME_S[some])
    found = ask("How far is pixel (10, 10) in frame 4?", clip)
    assert found.source == "unknown"
    assert "nearest is frame 5" in found.text


def test_holes_in_depth():
    clip = make_clip()
    clip.depth_m[3, 30, 10] = np.nan
    near = ask("How far is pixel (10, 30) in frame 3?", clip)
    assert near.source == "measurement"
    assert "taken from 1 pixel away" in near.text
    clip.depth_m[3, 20:40, :20] = np.nan
    assert "no depth at pixel (10, 30)" in ask("How far is pixel (10, 30) in frame 3?", clip).text
    clip.depth_m[3] = np.nan
    assert "Frame 3 has no depth" in ask("How far is pixel (10, 30) in frame 3?", clip).text
    assert ask("How far is the nearest thing in frame 3?", clip).source == "unknown"


def test_an_edge_is_not_averaged_away():
    depth = np.full((40, 400), 2.0, np.float32)
    depth[:, 200:] = 4.0
    assert [local_depth(depth, c, 20)[0] for c in (198, 199, 200, 201)] == [2, 2, 4, 4]
    depth[20, 199] = np.nan
    assert local_depth(depth, 199, 20) == (2.0, 1)


def test_without_scale_lengths_are_relative():
    clip = make_clip(metric=False, status=dataclasses.replace(ALL_MEASURED, scale="unknown", poses="estimated"))
    found = ask("How far did the camera travel?", clip)
    assert found.quantities[0].unit == "x"
    assert "units" in found.text
    assert " m " not in found.text
    assert "scale of this recording is not known" in found.text
    assert "尺度未知" in ask("相机一共走了多远？", clip).text
    assert ask("Which is nearer in frame 3, (5, 10) or (40, 55)?", clip).choice == "pixel (40, 55)"


def test_pieces_without_a_common_scale_are_not_compared():
    piece = np.zeros(11, np.int64)
    piece[6:] = 1
    clip = make_clip(metric=False, piece=piece)
    text = "Which is nearer, pixel (5, 10) of frame 3 or pixel (40, 55) of frame 8?"
    assert ask(text, clip).source == "unknown"
    assert ask(text, make_clip(piece=piece)).source == "measurement"  # metric: straight from each camera
    across = ask(
        "What is the distance between pixel (5, 10) of frame 3 and pixel (5, 10) of frame 8?", make_clip(piece=piece)
    )
    assert across.source == "unknown"


def test_without_gravity_heights_are_unknown_but_distances_are_not():
    clip = make_clip(level=False)
    for text in ("How high is the camera?", "How high is (5, 10) in frame 3?", "How big is the room?",
                 "Is the surface at (5, 10) in frame 3 level?", "Did the camera rise?", "How much is the camera tilted?"):  # fmt: skip
        found = ask(text, clip)
        assert found.source == "unknown", text
        assert "up" in found.text
    assert ask("How far is pixel (5, 10) in frame 3?", clip).source == "measurement"
    turn = ask("Does the camera turn left or right?", clip)
    assert turn.choice == "left"
    assert "own upright axis" in turn.text


def test_without_floor_the_height_under_the_camera_is_said():
    poses = np.stack([look((2.5, 0.7, 1.4), 90, tilt_deg=20) for _ in range(3)])  # looks up: no floor
    found = ask("How high is pixel (40, 30) in frame 1?", make_clip(poses=poses))
    assert found.source == "unknown"
    assert "above the camera" in found.text
    assert "floor was not seen" in ask("How high is the camera?", make_clip(poses=poses)).text


def test_without_poses_the_camera_is_not_spoken_of():
    clip = make_clip(level=False, status=GeometryStatus(depth="measured", intrinsics="measured"))
    blind = dataclasses.replace(clip, world_from_camera=np.full((11, 4, 4), np.nan), piece=np.full(11, -1))
    for text in ("How far did the camera travel?", "Is the camera moving?", "Does the camera turn left or right?"):
        assert ask(text, blind).source == "unknown"
    assert ask("How far is pixel (5, 10) in frame 3?", blind).source == "measurement"


def test_a_missing_pose_is_named():
    clip = make_clip()
    clip.world_from_camera[4] = np.nan
    clip.piece[4] = -1
    found = ask("How high is the camera in frame 4?", clip)
    assert value(found) == pytest.approx(1.4, abs=0.03)
    assert "Frame 4 has no known pose" in found.text
    clip.world_from_camera[:9] = np.nan
    clip.piece[:9] = -1
    found = ask("Does the camera turn left between frame 4 and frame 10?", clip)
    assert found.source == "unknown"
    assert "frame 4" in found.text


def test_estimates_are_called_estimates():
    clip = make_clip(status=dataclasses.replace(ALL_MEASURED, depth="estimated"))
    found = ask("How far is pixel (10, 30) in frame 4?", clip)
    assert "about" in found.text
    assert found.basis == "estimated"


def test_photographs_have_no_path():
    clip = make_clip()
    found = ask("How far did the camera travel?", clip, scene_facts(clip, sequence=False))
    assert found.source == "unknown"
    apart = ask("How far apart are the cameras of frames 1 and 2?", clip, scene_facts(clip, sequence=False))
    assert value(apart) == pytest.approx(0.2)


def test_no_times_no_speed():
    clip = make_clip(time_s=np.full(11, np.nan))
    for text in ("How fast is the camera?", "How long is the video?", "How far is the image centre at 2 s?"):
        found = ask(text, clip)
        assert found.source == "unknown"
