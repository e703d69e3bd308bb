"""Boxes from points alone, in rooms whose truth is known."""

import numpy as np
import pytest
from box_rooms import furnished, on_faces, shell, upright_box

from video3d.geometry.boxes import iou_3d_matrix, points_in_box
from video3d.geometry.proposals import ProposalOptions, propose_boxes


def best_overlap(boxes, proposals) -> np.ndarray:
    return iou_3d_matrix(boxes, [one.box for one in proposals]).max(axis=1)


@pytest.mark.parametrize("floor_z", [0.0, None])
@pytest.mark.parametrize("density", [100.0, 400.0])
def test_things_that_stand_apart_are_found(floor_z, density):
    overlaps, num = [], 0
    for seed in range(4):
        points, boxes = furnished(seed, density=density)
        found = propose_boxes(points, floor_z=floor_z)
        overlaps.append(best_overlap(boxes, found))
        num += len(found)
    overlap = np.concatenate(overlaps)
    assert (overlap >= 0.25).mean() >= 0.9 and (overlap >= 0.5).mean() >= 0.9
    assert num <= 1.5 * overlap.size  # neither walls nor noise


def test_the_same_points_give_the_same_boxes_whatever_is_unknown_beside_them():
    points, _ = furnished(1, density=100)
    one, other = propose_boxes(points, floor_z=0.0), propose_boxes(points, floor_z=0.0)
    assert len(one) == len(other) > 0
    for a, b in zip(one, other, strict=True):
        assert a.score == b.score and np.array_equal(a.members, b.members)
        assert np.array_equal(a.box.center_world, b.box.center_world)
    mixed = np.full((2 * len(points), 3), np.nan)
    mixed[::2] = points
    mixed[1] = np.inf
    again = propose_boxes(mixed, floor_z=0.0)
    assert [a.score for a in again] == [a.score for a in one]
    assert np.array_equal(again[0].members, 2 * one[0].members)


def test_members_lie_in_their_box_and_scores_fall():
    points, _ = furnished(2, density=100)
    found = propose_boxes(points, floor_z=0.0)
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True) and 0 < min(scores) <= max(scores) < 1
    for one in found:
        assert points_in_box(points[one.members], one.box, margin_m=0.1).mean() > 0.9
        assert np.array_equal(one.members, np.unique(one.members))
        assert np.allclose(one.box.world_from_box[2], [0, 0, 1])


def test_what_stands_on_a_table_is_found_and_so_is_the_table():
    rng = np.random.default_rng(0)
    top = upright_box((2.5, 2.0), (1.4, 0.9, 0.04), 0.4, bottom=0.71)
    turn = top.world_from_box
    legs = [
        upright_box((top.center_world + turn @ np.array([x, y, 0]))[:2], (0.07, 0.07, 0.71), 0.4)
        for x in (-0.62, 0.62) for y in (-0.38, 0.38)
    ]  # fmt: skip
    things = [
        upright_box((top.center_world + turn @ np.array([-0.4, 0.1, 0]))[:2], (0.25, 0.2, 0.3), 1.0, bottom=0.75),
        upright_box((top.center_world + turn @ np.array([0.35, -0.1, 0]))[:2], (0.3, 0.22, 0.15), 0.2, bottom=0.75),
    ]
    points = np.concatenate(
        [shell((5, 4, 2.6), 400, rng)] + [on_faces(box, 2000, rng) for box in [top, *legs, *things]]
    ) + rng.normal(0, 0.003, 3)  # fmt: skip
    found = propose_boxes(points, floor_z=0.0, options=ProposalOptions(cell_m=0.06))
    table = upright_box((2.5, 2.0), (1.4, 0.9, 0.75), 0.4)
    assert (best_overlap([table, *things], found) >= 0.5).all()


def test_views_count_for_the_score_and_for_nothing_else():
    points, _ = furnished(3, density=100)
    few, many = (propose_boxes(points, floor_z=0.0, frame=np.arange(len(points)) % n) for n in (1, 8))
    assert len(few) == len(many) and few[0].score < many[0].score


def test_a_world_whose_up_is_unknown_has_boxes_along_the_walls():
    points, boxes = furnished(4, density=300)
    c, s = np.cos(0.5), np.sin(0.5)
    tilt = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    level = propose_boxes(points)
    tilted = propose_boxes(points @ tilt.T, gravity_aligned=False)
    assert (best_overlap(boxes, level) >= 0.5).mean() >= 0.9
    truth = [
        type(box)(center_world=tilt @ box.center_world, size_m=box.size_m, world_from_box=tilt @ box.world_from_box)
        for box in boxes
    ]
    assert (best_overlap(truth, tilted) >= 0.25).mean() >= 0.7


@pytest.mark.parametrize("floor_z", [0.0, None])
def test_an_empty_room_and_no_points_have_no_things(floor_z):
    rng = np.random.default_rng(0)
    assert propose_boxes(shell((5, 4, 2.6), 200, rng), floor_z=floor_z) == ()
    for points in (np.zeros((0, 3)), np.full((30, 3), np.nan), np.zeros((3, 3), dtype=np.float32)):
        assert propose_boxes(points, floor_z=floor_z) == ()
    same = propose_boxes(np.ones((50, 3)), floor_z=floor_z)  # one place seen fifty times
    assert same == ()


@pytest.mark.shared
def test_a_real_kitchen_has_things_of_plausible_size(shared_data):
    from video3d.estimate.complete import complete_geometry
    from video3d.geometry.gravity import align_to_gravity
    from video3d.geometry.lift import lift_patches
    from video3d.geometry.resize import resize_clip
    from video3d.video import open_recording, read_clip

    clip = align_to_gravity(complete_geometry(read_clip(open_recording(shared_data / "seven_scenes_kitchen"), 12)))
    clip = resize_clip(clip, (240, 320))
    points = lift_patches(clip, 8).points_world
    found = propose_boxes(
        points.reshape(-1, 3), frame=np.arange(len(points)).repeat(points[0, ..., 0].size), floor_z=0.0
    )
    sizes = np.array([one.box.size_m for one in found])
    assert 5 <= len(found) <= 80 and sizes.max() <= 4.0
    assert ((sizes.max(axis=1) > 0.15) & (sizes.max(axis=1) < 1.5)).sum() >= 4
