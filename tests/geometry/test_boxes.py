"""Oriented IoU against closed forms, Monte Carlo and the axioms of overlap."""

import numpy as np
import pytest

from video3d.geometry.boxes import (
    axis_aligned_iou,
    box_corners,
    box_from_bounds,
    intersection_volumes,
    iou_3d,
    iou_3d_matrix,
    points_in_box,
)
from video3d.types import Box3D


def random_rotation(rng):
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return rotation * np.sign(np.linalg.det(rotation))


def turn(axis, angle):
    """Rotation about a coordinate axis."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    rotation = np.eye(3)
    rotation[i, i] = rotation[j, j] = c
    rotation[i, j], rotation[j, i] = -s, s
    return rotation


def random_box(rng, spread=0.6, rotation=None):
    return Box3D(
        center_world=rng.uniform(-spread, spread, 3),
        size_m=rng.uniform(0.2, 2.0, 3),
        world_from_box=random_rotation(rng) if rotation is None else rotation,
    )


def moved(box, rotation, shift):
    return Box3D(
        center_world=rotation @ box.center_world + shift,
        size_m=box.size_m,
        world_from_box=rotation @ box.world_from_box,
    )


def test_corners_span_the_box(rng):
    for _ in range(20):
        box = random_box(rng)
        corners = box_corners(box)
        np.testing.assert_allclose(corners.mean(axis=0), box.center_world, atol=1e-12)
        np.testing.assert_allclose(np.ptp(corners @ box.world_from_box, axis=0), box.size_m)
        np.testing.assert_allclose(
            (corners[7] - corners[0]) @ box.world_from_box, box.size_m, err_msg="low to high in the box's axes"
        )


def test_points_in_a_box_are_convex_combinations_of_its_corners(rng):
    for _ in range(10):
        box = random_box(rng)
        inside = rng.dirichlet(np.ones(8), size=50) @ box_corners(box)
        assert points_in_box(inside, box).all()
        outside = box.center_world + (inside - box.center_world) + 1.01 * box.world_from_box[:, 0] * box.size_m[0]
        assert not points_in_box(outside, box).any()
    assert points_in_box(np.array([[0.0, 0.0, 1.05]]), box_from_bounds(np.zeros(3), np.ones(3)), margin_m=0.06).all()


def test_oriented_iou_of_axis_aligned_boxes_is_the_closed_form(rng):
    boxes_a = [random_box(rng, rotation=np.eye(3)) for _ in range(12)]
    boxes_b = [random_box(rng, rotation=np.eye(3)) for _ in range(15)]
    bounds = [
        np.array([box.center_world + sign * box.size_m / 2 for box in boxes])
        for boxes in (boxes_a, boxes_b)
        for sign in (-1, 1)
    ]
    np.testing.assert_allclose(iou_3d_matrix(boxes_a, boxes_b), axis_aligned_iou(*bounds), atol=1e-8)


def test_oriented_iou_agrees_with_counting_points(rng):
    for _ in range(12):
        a, b = random_box(rng), random_box(rng)
        points = (rng.uniform(-0.5, 0.5, (40_000, 3)) * a.size_m) @ a.world_from_box.T + a.center_world
        share = points_in_box(points, b).mean()
        volume = intersection_volumes([a], [b])[0, 0] / a.size_m.prod()
        assert volume == pytest.approx(share, abs=4 * np.sqrt(0.25 / 40_000))


def test_known_overlaps():
    cube = box_from_bounds(np.full(3, -0.5), np.full(3, 0.5))
    turned = moved(cube, turn(2, np.pi / 4), np.zeros(3))
    assert iou_3d(cube, turned) == pytest.approx(1 / np.sqrt(2), abs=1e-8)  # two squares share an octagon
    # A corner of the turned cube, sqrt(1/2) from its axis, reaches 0.2 into the first one: a triangle of area 0.2^2.
    corner = moved(cube, turn(2, np.pi / 4), np.array([0.5 + np.sqrt(0.5) - 0.2, 0, 0]))
    assert intersection_volumes([cube], [corner])[0, 0] == pytest.approx(0.04, abs=1e-8)
    half = moved(cube, turn(0, np.pi / 2), np.array([0.5, 0, 0]))
    assert iou_3d(cube, half) == pytest.approx(1 / 3, abs=1e-8)
    # Half of a cube lies beyond a plane through its centre and square to its diagonal.
    z = np.ones(3) / np.sqrt(3)
    x = np.array([1.0, -1.0, 0.0]) / np.sqrt(2)
    slab = Box3D(center_world=5 * z, size_m=np.full(3, 10.0), world_from_box=np.stack([x, np.cross(z, x), z], axis=1))
    assert intersection_volumes([cube], [slab])[0, 0] == pytest.approx(0.5, abs=1e-7)


def test_iou_is_symmetric_bounded_and_one_with_itself(rng):
    boxes = [random_box(rng) for _ in range(25)]
    iou = iou_3d_matrix(boxes, boxes)
    np.testing.assert_allclose(iou, iou.T, atol=1e-7)
    np.testing.assert_allclose(np.diag(iou), 1, atol=1e-7)
    assert iou.min() >= 0
    assert iou.max() <= 1
    assert (iou > 0.01).mean() > 0.3  # the boxes do meet


def test_iou_does_not_change_when_the_world_moves(rng):
    for _ in range(20):
        a, b = random_box(rng), random_box(rng)
        rotation, shift = random_rotation(rng), rng.uniform(-50, 50, 3)
        assert iou_3d(moved(a, rotation, shift), moved(b, rotation, shift)) == pytest.approx(iou_3d(a, b), abs=1e-7)


def test_iou_does_not_depend_on_which_axis_is_called_x(rng):
    for _ in range(20):
        a, b = random_box(rng), random_box(rng)
        renamed = Box3D(
            center_world=a.center_world, size_m=a.size_m[[1, 2, 0]], world_from_box=a.world_from_box[:, [1, 2, 0]]
        )
        assert iou_3d(a, renamed) == pytest.approx(1, abs=1e-7)
        assert iou_3d(renamed, b) == pytest.approx(iou_3d(a, b), abs=1e-7)


def test_boxes_that_touch_or_are_apart_share_nothing(rng):
    for _ in range(50):
        a = random_box(rng)
        for axis in range(3):
            step = a.world_from_box[:, axis] * a.size_m[axis]
            assert iou_3d(a, moved(a, np.eye(3), step)) == 0
            assert iou_3d(a, moved(a, np.eye(3), 1.5 * step)) == 0
            assert iou_3d(a, moved(a, np.eye(3), step / 2)) == pytest.approx(1 / 3, abs=1e-7)


def test_faces_in_common_and_edges_in_faces_are_counted_once():
    cube = box_from_bounds(np.full(3, -0.5), np.full(3, 0.5))
    for angle in np.linspace(0, np.pi / 2, 7):
        # Top and bottom in common. Each side of one unit square is cut into h cos, h and h sin, with h the longest side
        # of the corners that the other square cuts off: four triangles of legs h cos and h sin are lost.
        c, s = np.cos(angle), np.sin(angle)
        area = 1 - 2 * c * s / (1 + c + s) ** 2
        assert intersection_volumes([cube], [moved(cube, turn(2, angle), np.zeros(3))])[0, 0] == pytest.approx(
            area, abs=1e-7
        )
    inscribed = Box3D(
        center_world=np.zeros(3),
        size_m=np.array([np.sqrt(0.5), np.sqrt(0.5), 1.0]),
        world_from_box=turn(2, np.pi / 4),
    )
    assert intersection_volumes([cube], [inscribed])[0, 0] == pytest.approx(0.5, abs=1e-7)


@pytest.mark.parametrize("angle", [1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-4])
def test_nearly_parallel_boxes_lose_no_more_than_their_angle(rng, angle):
    for _ in range(50):
        a = random_box(rng)
        b = moved(a, turn(int(rng.integers(3)), angle), np.zeros(3))
        assert iou_3d(a, b) == pytest.approx(1, abs=30 * angle + 1e-6)


def test_thin_boxes_keep_their_digits():
    for thickness in (1e-3, 1e-6, 1e-9):
        sheet = box_from_bounds(np.zeros(3), np.array([1.0, 1.0, thickness]))
        shifted = moved(sheet, np.eye(3), np.array([0.5, 0.0, 0.0]))
        assert iou_3d(sheet, shifted) == pytest.approx(1 / 3, abs=1e-7)


def test_a_box_inside_another_has_the_ratio_of_volumes(rng):
    for _ in range(20):
        big = random_box(rng)
        small = Box3D(
            center_world=big.center_world, size_m=np.full(3, big.size_m.min() / 2), world_from_box=random_rotation(rng)
        )
        assert iou_3d(big, small) == pytest.approx(small.size_m.prod() / big.size_m.prod(), abs=1e-7)


def test_axis_aligned_iou_of_boxes_without_volume_is_zero():
    flat = np.zeros((1, 3))
    assert axis_aligned_iou(flat, flat, flat, flat).tolist() == [[0.0]]
    assert iou_3d_matrix([], [box_from_bounds(np.zeros(3), np.ones(3))]).shape == (0, 1)
