"""Colour that another camera took than the one stated: a room with a known answer, and a real kitchen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from video3d.types import Recording, World
from video3d.video import forget, open_recording, read_clip, register_colour
from video3d.video.colour_camera import measure_colour_camera

SIZE_HW = (120, 160)
K_PX = np.array([[150.0, 0, 80], [0, 150.0, 60], [0, 0, 1]])


def _wall_depth_and_grey(pose, focal_px, apart_m, wall):
    """Two textured walls that meet in a corner ahead: z-depth and brightness by one ray a pixel."""
    rows, columns = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]] + 0.5
    rays = np.stack([(columns - 80) / focal_px, (rows - 60) / focal_px, np.ones_like(rows)], axis=-1)
    eye = pose[:3, 3] + pose[:3, :3] @ [apart_m, 0, 0]
    world = rays @ pose[:3, :3].T
    nearest, grey = np.full(SIZE_HW, np.inf), np.zeros(SIZE_HW)
    for normal, distance in (((0.6, 0.0, 0.8), 2.4), ((-0.8, 0.0, 0.6), 2.0)):
        t = (distance - eye @ normal) / (world @ np.array(normal))
        hit = (t > 0) & (t < nearest)
        at = eye + world * t[..., None]
        along = at @ np.array([normal[2], 0, -normal[0]])
        texel = wall[np.floor(along * 30).astype(int) % 256, np.floor(at[..., 1] * 30).astype(int) % 256]
        nearest, grey = np.where(hit, t, nearest), np.where(hit, texel, grey)
    for left in (-0.5, 0.2):  # two boards in front, a metre away
        t = (1.0 - eye[2]) / world[..., 2]
        at = eye + world * t[..., None]
        hit = (np.abs(at[..., 0] - left - 0.15) < 0.15) & (np.abs(at[..., 1]) < 0.25)
        texel = wall[np.floor(at[..., 0] * 60).astype(int) % 256, np.floor(at[..., 1] * 60).astype(int) % 256]
        nearest, grey = np.where(hit, t, nearest), np.where(hit, texel, grey)
    return nearest.astype(np.float32), grey


def kinect(focal_px: float, *, apart_m: float = 0.0) -> Recording:
    """A walk whose depth has the stated camera and whose colour has this focal length."""
    wall = np.kron(np.random.default_rng(3).random((64, 64)), np.ones((4, 4))) * 220
    poses = np.tile(np.eye(4), (10, 1, 1))
    for pose, s in zip(poses, np.linspace(-1, 1, 10), strict=True):
        pose[0, 0] = pose[2, 2] = np.cos(0.25 * s)
        pose[0, 2], pose[2, 0] = np.sin(0.25 * s), -np.sin(0.25 * s)
        pose[:3, 3] = 0.3 * s, 0.1 * np.sin(3 * s), 0.2 * s * s
    depth = np.stack([_wall_depth_and_grey(pose, 150.0, 0.0, wall)[0] for pose in poses])
    grey = np.stack([_wall_depth_and_grey(pose, focal_px, apart_m, wall)[1] for pose in poses])
    rgb = np.repeat(grey[..., None], 3, axis=-1).astype(np.uint8)
    return Recording(
        source=Path(f"kinect-{focal_px}-{apart_m}"),
        format="test",
        size_hw=SIZE_HW,
        time_s=np.full(10, np.nan),
        frame_names=tuple(map(str, range(10))),
        load_rgb=lambda indices: rgb[list(indices)],
        load_depth_m=lambda indices: depth[list(indices)],
        depth_size_hw=SIZE_HW,
        k_px=np.tile(K_PX, (10, 1, 1)),
        world_from_camera=poses,
        world=World(metric=True),
        colour_registered=False,
    )


@pytest.mark.parametrize("focal_px", [125.0, 150.0, 170.0])
def test_the_focal_length_of_colour_is_found(focal_px):
    camera = measure_colour_camera(kinect(focal_px))
    assert camera is not None
    assert camera.ratio == pytest.approx(focal_px / 150, rel=0.01)
    assert abs(camera.ratio - focal_px / 150) < 3 * camera.ratio_error
    assert camera.differs == (focal_px != 150)
    assert np.abs(camera.shift_px).max() < 1


def test_a_camera_to_the_right_shows_what_is_there_further_to_the_left():
    camera = measure_colour_camera(kinect(135.0, apart_m=0.05))
    assert camera is not None
    assert -135 * 0.05 / 1.0 < camera.shift_px[0] < -135 * 0.05 / 3.5  # as for what is 1 m and 3.5 m away
    assert camera.ratio == pytest.approx(0.9, rel=0.015)


@pytest.mark.parametrize("focal_px", [135.0, 165.0])
def test_registered_colour_is_what_the_stated_camera_sees(focal_px):
    apart, truth = kinect(focal_px), kinect(150.0)
    mended = register_colour(apart)
    assert mended.colour_registered and mended.notes[-1].startswith("colour: taken by another camera")
    assert np.array_equal(mended.k_px, apart.k_px) and np.array_equal(mended.world_from_camera, apart.world_from_camera)
    seen = np.isfinite(mended.load_depth_m([6])[0])
    assert seen.all() == (focal_px < 150)  # a longer lens sees less than the stated one
    assert seen.mean() > 0.75
    expected = truth.load_rgb([6])[0].astype(float)[seen]
    before = np.abs(apart.load_rgb([6])[0].astype(float)[seen] - expected).mean()
    after = np.abs(mended.load_rgb([6])[0].astype(float)[seen] - expected).mean()
    assert after < 0.4 * before
    np.testing.assert_array_equal(mended.load_depth_m([6])[0][seen], apart.load_depth_m([6])[0][seen])


def test_colour_that_agrees_is_left_as_it_is():
    recording = kinect(150.0)
    checked = register_colour(recording)
    assert checked.colour_registered and "agrees with the stated camera" in checked.notes[-1]
    assert checked.load_rgb is recording.load_rgb and checked.load_depth_m is recording.load_depth_m


@pytest.mark.parametrize("lacking", ["depth", "poses"])
def test_what_cannot_be_told_is_said(lacking):
    checked = register_colour(forget(kinect(135.0), lacking))
    assert not checked.colour_registered and "to tell takes depth and poses" in checked.notes[-1]


def test_colours_that_agree_under_no_camera_tell_nothing():
    recording = kinect(135.0)
    noise = np.random.default_rng(0).integers(0, 255, (10, *SIZE_HW, 3), dtype=np.uint8)
    assert measure_colour_camera(replace(recording, load_rgb=lambda indices: noise[list(indices)])) is None
    flat = np.full((10, *SIZE_HW, 3), 90, np.uint8)
    assert measure_colour_camera(replace(recording, load_rgb=lambda indices: flat[list(indices)])) is None


def test_measured_once_for_a_source():
    reads: list[int] = []
    recording = kinect(135.0)
    load = recording.load_rgb
    counted = replace(recording, source=Path("/"), load_rgb=lambda indices: (reads.extend(indices), load(indices))[1])
    register_colour(counted)
    first = len(reads)
    again = register_colour(counted)
    assert first > 0 and len(reads) == first
    assert again.colour_registered


@pytest.mark.shared
def test_the_kitchens_colour_camera(shared_data):
    recording = open_recording(shared_data / "seven_scenes_kitchen")
    assert not recording.colour_registered
    camera = measure_colour_camera(recording)
    assert camera is not None and camera.differs
    assert camera.ratio * 585 == pytest.approx(525, abs=8)  # a Kinect's colour camera
    assert camera.agreement[1] > 2 * camera.agreement[0]
    mended = register_colour(recording)
    again = measure_colour_camera(mended)
    assert again is not None and not again.differs
    clip = read_clip(mended, 2)
    assert np.array_equal(clip.depth_m, recording.load_depth_m([0, 199]), equal_nan=True)
