"""Boxes that are believed, fitted to depth maps of simple rooms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray_cast_room import look_at

from video3d.geometry.boxes import iou_3d
from video3d.geometry.fitted_box import SeenSurface, fit_box, on_top, seen_surface
from video3d.geometry.rigid import pixel_rays, scale_k
from video3d.types import Box3D, PosedClip, World

HW, GRID = (112, 112), (16, 16)


def box(center, size, degrees=0.0) -> Box3D:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    return Box3D(center_world=np.array(center, float), size_m=np.array(size, float), world_from_box=turn)


def film(solids, eyes, at, k=100.0):
    """What cameras see of boxes on a floor in a hall: depth maps, and which box each pixel shows (-1: none)."""
    k_px = np.array([[k, 0, 56], [0, k, 56], [0, 0, 1.0]])
    row, column = (index.reshape(-1) for index in np.indices(HW))
    depth, shown, poses = [], [], []
    hall = box((0, 0, 1.5), (12, 12, 3))
    for eye in eyes:
        pose = look_at(eye, at)
        rays = pixel_rays(k_px, row, column) @ pose[:3, :3].T
        z, which = np.full(len(rays), np.inf), np.full(len(rays), -1)
        for number, solid in enumerate([hall, *solids], start=-1):
            origin, along = (pose[:3, 3] - solid.center_world) @ solid.world_from_box, rays @ solid.world_from_box
            with np.errstate(divide="ignore", invalid="ignore"):
                ends = np.stack([(side * solid.size_m / 2 - origin) / along for side in (-1, 1)])
            enter, leave = ends.min(axis=0).max(axis=1), ends.max(axis=0).min(axis=1)
            hit = np.where(number < 0, leave, enter)
            nearer = (leave > np.maximum(enter, 0)) & (hit > 0) & (hit < z)
            z, which = np.where(nearer, hit, z), np.where(nearer, number, which)
        depth.append(z.reshape(HW)), shown.append(which.reshape(HW)), poses.append(pose)
    num = len(poses)
    clip = PosedClip(
        frame_index=np.arange(num), time_s=np.arange(num) / 2, rgb=np.zeros((num, *HW, 3), np.uint8),
        depth_m=np.array(depth, np.float32), k_px=np.tile(k_px, (num, 1, 1)), world_from_camera=np.array(poses),
        piece=np.zeros(num, np.int64), world=World(metric=True, gravity_aligned=True),
    )  # fmt: skip
    side = HW[0] // GRID[0]
    share = (np.array(shown) == 0).reshape(num, GRID[0], side, GRID[1], side).mean(axis=(2, 4))
    return clip, share.reshape(-1)


def surface_of(clip) -> SeenSurface:
    found = seen_surface(clip, 0.0, scale_k(clip.k_px, HW, GRID), GRID)
    assert found is not None
    return found


AROUND = [(2.0, 1.5, 1.6), (-1.8, 1.6, 1.7), (-1.7, -1.9, 1.5), (2.1, -1.6, 1.6)]


def test_a_crate_seen_from_all_sides_gets_the_box_that_it_has() -> None:
    true = box((0.1, -0.1, 0.3), (0.9, 0.5, 0.6), 20)
    clip, own = film([true], AROUND, (0.1, -0.1, 0.3))
    believed = box((0.16, -0.05, 0.36), (0.75, 0.62, 0.7), 2)
    fit = fit_box(believed, surface_of(clip), own)
    assert fit.known.all()
    assert iou_3d(fit.box, true) > 0.88 and iou_3d(believed, true) < 0.6
    np.testing.assert_allclose(fit.box.size_m, true.size_m, atol=0.04)
    np.testing.assert_allclose(fit.box.world_from_box, true.world_from_box, atol=0.03)  # its own x is still its x


def test_what_no_camera_sees_keeps_the_size_that_is_believed() -> None:
    true = box((0.0, 0.0, 0.3), (0.9, 0.6, 0.6))
    clip, own = film([true], [(-0.5, -2.4, 0.4), (0.5, -2.4, 0.4)], (0, 0, 0.3))  # below its top, before its front
    believed = box((0.0, 0.1, 0.3), (0.9, 0.7, 0.6))
    fit = fit_box(believed, surface_of(clip), own)
    assert fit.known[0, 1] and not fit.known[1, 1]
    assert fit.box.size_m[1] == pytest.approx(0.7)
    front = fit.box.center_world - fit.box.world_from_box[:, 1] * fit.box.size_m[1] / 2
    assert front[1] == pytest.approx(-0.3, abs=0.04)


def test_a_neighbour_that_touches_it_is_none_of_it() -> None:
    true, beside = box((0.0, 0.0, 0.4), (0.6, 0.6, 0.8)), box((0.55, 0.0, 0.4), (0.5, 0.6, 0.8))
    clip, own = film([true, beside], AROUND, (0.2, 0, 0.4))
    fit = fit_box(box((0.03, 0.02, 0.4), (0.66, 0.6, 0.8)), surface_of(clip), own)
    assert not fit.known[1, 0]
    assert fit.box.size_m[0] == pytest.approx(0.66)
    assert iou_3d(fit.box, true) > 0.8


def test_what_hides_the_rest_does_not_make_it_shorter() -> None:
    true, before = box((0.0, 0.0, 0.4), (1.6, 0.6, 0.8)), box((0.6, -0.9, 0.6), (1.0, 0.3, 1.2))
    clip, own = film([true, before], [(-0.2, -2.6, 1.0), (-0.1, -2.6, 1.1)], (0, 0, 0.4))
    fit = fit_box(box((0.0, 0.0, 0.4), (1.5, 0.6, 0.8)), surface_of(clip), own)
    assert fit.box.size_m[0] == pytest.approx(1.5) and not fit.known[1, 0]


@given(st.floats(-180, 180), st.sampled_from([0, 90, 180, 270]), st.floats(-0.3, 0.3))
@settings(max_examples=20, deadline=None)
def test_a_thing_with_a_flat_top_is_as_large_as_the_top_that_is_there(yaw: float, turned: float, aside: float) -> None:
    tops = (box((0.0, 0.0, 0.72), (2.8, 0.9, 0.01), yaw), box((0.0, 0.0, 0.4), (4.0, 4.0, 0.01)))
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    believed = box((aside * c, aside * s, 0.36), (1.2, 0.7, 0.78), yaw + turned + 10)
    fit = on_top(believed, tops)
    assert fit is not None
    along, across = (0, 1) if turned % 180 == 0 else (1, 0)
    assert fit.size_m[along] == pytest.approx(2.8) and fit.size_m[across] == pytest.approx(0.9)
    assert fit.center_world == pytest.approx([0.0, 0.0, (0.72 - 0.03) / 2])
    assert fit.world_from_box[:, 0] @ believed.world_from_box[:, 0] > 0.98  # its front is where it was
    assert on_top(box((0.0, 3.0, 0.36), (1.2, 0.7, 0.72), yaw), tops[:1]) is None or abs(c) < 0.5  # beside it
    assert on_top(box((0.0, 0.0, 1.2), (1.2, 0.7, 0.3)), tops) is None  # higher


def test_a_top_that_is_far_larger_or_smaller_is_another_things() -> None:
    counter, own = box((0.0, 0.0, 0.7), (3.0, 0.6, 0.01)), box((1.2, 0.1, 0.6), (0.5, 0.4, 0.01))
    side_table = box((1.2, 0.1, 0.3), (0.45, 0.45, 0.6))
    fit = on_top(side_table, (counter, own))
    assert fit is not None and fit.size_m[:2] == pytest.approx([0.5, 0.4])
    assert on_top(side_table, (counter,)) is None
    assert on_top(box((0.0, 0.0, 0.36), (2.0, 1.0, 0.72)), (box((0.1, 0.0, 0.72), (0.3, 0.2, 0.01)),)) is None
    assert (
        on_top(box((0.0, 0.0, 0.75), (2.0, 1.0, 0.1)), (box((0.0, 0.0, 0.72), (2.0, 1.0, 0.01)),)) is None
    )  # below it


def test_where_no_patch_shows_it_the_box_is_the_believed_one() -> None:
    clip, own = film([box((0, 0, 0.3), (0.9, 0.5, 0.6))], AROUND, (0, 0, 0.3))
    believed = box((0.1, 0.0, 0.3), (0.8, 0.6, 0.6), 10)
    fit = fit_box(believed, surface_of(clip), np.zeros_like(own))
    assert fit.box is believed and fit.places == 0 and not fit.known.any()
    far = box((40.0, 0.0, 0.3), (0.8, 0.6, 0.6))
    assert fit_box(far, surface_of(clip), own).box is far


def test_depth_that_is_not_known_or_not_well_fits_nothing() -> None:
    clip, _ = film([box((0, 0, 0.3), (0.9, 0.5, 0.6))], AROUND[:1], (0, 0, 0.3))
    k_patch = scale_k(clip.k_px, HW, GRID)
    unsure = PosedClip(**{name: getattr(clip, name) for name in clip.__slots__} | {"depth_log_sigma": np.full_like(clip.depth_m, 0.1)})  # fmt: skip
    unseen = PosedClip(**{name: getattr(clip, name) for name in clip.__slots__} | {"depth_m": np.full_like(clip.depth_m, np.nan)})  # fmt: skip
    assert seen_surface(unsure, 0.0, k_patch, GRID) is None
    assert seen_surface(unseen, 0.0, k_patch, GRID) is None
    assert seen_surface(clip, 0.0, k_patch * np.nan, GRID) is None
