"""Boxes in pictures lifted by depth: cuboids on a floor before a wall, seen exactly, with the boxes around their masks."""

from dataclasses import replace

import numpy as np
import pytest
from box_rooms import upright_box
from hypothesis import given, settings
from hypothesis import strategies as st
from ray_cast_room import intrinsics, look_at
from scipy.ndimage import binary_dilation

from video3d.geometry.boxes import box_corners, iou_3d, points_in_box
from video3d.geometry.lifted_boxes import lift_box, lift_boxes
from video3d.types import PosedClip, World
from video3d.types.detector import SeenBox, SeenMask

HW = (60, 80)


def photograph(things, eyes, target=(0.0, 0.0, 0.4)):
    """A clip of boxes on the floor of a round place with a wall 4 m from its middle, and the number of the box at each pixel."""
    v, u = np.mgrid[: HW[0], : HW[1]] + 0.5
    camera = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(intrinsics(HW)).T
    poses, depths, masks = [], [], []
    for eye in eyes:
        pose = look_at(np.array(eye, float), target)
        rays = camera @ pose[:3, :3].T
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(rays[..., 2] < 0, -eye[2] / rays[..., 2], np.inf)
            a, b = (rays[..., :2] ** 2).sum(-1), rays[..., :2] @ np.array(eye[:2])
            z = np.minimum(z, (-b + np.sqrt(b**2 - a * (np.dot(eye[:2], eye[:2]) - 16.0))) / a)
            mask = np.zeros(HW, int)
            for number, box in enumerate(things, 1):
                start, way = (np.array(eye) - box.center_world) @ box.world_from_box, rays @ box.world_from_box
                ends = np.stack([(s * box.size_m / 2 - start) / way for s in (-1, 1)])
                enter, leave = ends.min(0).max(-1), ends.max(0).min(-1)
                hit = (enter < leave) & (enter > 0) & (enter < z)
                z, mask = np.where(hit, enter, z), np.where(hit, number, mask)
        poses.append(pose)
        depths.append(z.astype(np.float32))
        masks.append(mask)
    num = len(poses)
    clip = PosedClip(
        frame_index=np.arange(num), time_s=np.arange(num) * 1.0, rgb=np.zeros((num, *HW, 3), np.uint8),
        depth_m=np.array(depths), k_px=np.repeat(intrinsics(HW)[None], num, 0), world_from_camera=np.array(poses),
        piece=np.zeros(num, np.int64), world=World(metric=True, gravity_aligned=True),
    )  # fmt: skip
    return clip, np.array(masks)


def seen_boxes(masks, labels, score=0.9):
    found = []
    for frame, mask in enumerate(masks):
        for number, label in enumerate(labels, 1):
            row, column = np.nonzero(mask == number)
            if row.size > 40:
                box = (column.min() + 0.0, row.min() + 0.0, column.max() + 1.0, row.max() + 1.0)
                found.append(SeenBox(frame=frame, label=label, score=score, box_px=tuple(map(float, box))))
    return found


def around(num, height=1.5, radius=2.8, first=0.3):
    return [(radius * np.cos(first + a), radius * np.sin(first + a), height) for a in np.arange(num) * 2 * np.pi / num]


CUBOID = st.tuples(*(st.floats(0.3, 1.2) for _ in range(3)), st.floats(0, 3.1), st.floats(-0.5, 0.5))


@settings(max_examples=15, deadline=None)
@given(CUBOID)
def test_a_cuboid_seen_from_around_has_its_place_and_size(cuboid):
    *size, yaw, x = cuboid
    truth = upright_box((x, 0.1), size, yaw)
    clip, masks = photograph([truth], around(3))
    [thing] = lift_boxes(seen_boxes(masks, ["crate"]), clip, looked=range(3), floor_z=0.0)
    box = thing.found.box
    assert iou_3d(box, truth) > 0.75
    assert np.linalg.norm(box.center_world - truth.center_world) < 0.06
    assert thing.found.score == pytest.approx(0.9)
    assert thing.frames == (0, 1, 2) and thing.sure == pytest.approx(1 - 0.1**3)


@settings(max_examples=15, deadline=None)
@given(CUBOID)
def test_from_one_side_it_is_what_was_seen_and_no_more(cuboid):
    *size, yaw, x = cuboid
    truth = upright_box((x, 0.1), size, yaw)
    clip, masks = photograph([truth], around(1))
    [thing] = lift_boxes(seen_boxes(masks, ["crate"]), clip, looked=[0], floor_z=0.0)
    box = thing.found.box
    assert np.prod(box.size_m) < 1.05 * np.prod(truth.size_m)
    assert points_in_box(box.center_world, truth)
    assert box.center_world[2] + box.size_m[2] / 2 == pytest.approx(truth.size_m[2], abs=0.06)


PAIR = [upright_box((0.55, 0.0), (0.6, 0.6, 0.8), 0.4), upright_box((-0.55, 0.0), (0.6, 0.6, 0.8), 0.9)]


def pair(labels=("chair", "chair")):
    clip, masks = photograph(PAIR, around(5, first=1.0))
    return clip, seen_boxes(masks, labels)


def test_two_of_one_name_stay_two_and_two_names_in_one_place_as_well():
    clip, seen = pair()
    found = lift_boxes(seen, clip, looked=range(5), floor_z=0.0)
    assert len(found) == 2
    for truth in PAIR:
        assert max(iou_3d(one.found.box, truth) for one in found) > 0.6
    twice = [*seen, *(replace(one, label="stool") for one in seen)]
    assert sorted(one.found.label for one in lift_boxes(twice, clip, looked=range(5), floor_z=0.0)) == [
        "chair", "chair", "stool", "stool",
    ]  # fmt: skip


def test_the_order_of_the_boxes_does_not_matter(rng):
    clip, seen = pair()
    first = lift_boxes(seen, clip, looked=range(5), floor_z=0.0)
    for _ in range(4):
        again = lift_boxes([seen[i] for i in rng.permutation(len(seen))], clip, looked=range(5), floor_z=0.0)
        assert [one.found.label for one in again] == [one.found.label for one in first]
        for one, other in zip(again, first, strict=True):
            assert box_corners(one.found.box) == pytest.approx(box_corners(other.found.box))
            assert one.found.score == pytest.approx(other.found.score)
            assert (one.frames, one.sure) == (other.frames, pytest.approx(other.sure))


@pytest.mark.parametrize("scale, yaw", [(1.0, np.pi / 2), (0.3, 0.0), (7.0, np.pi), (2.0, 0.7)])
def test_a_world_that_is_scaled_and_turned_has_its_boxes_scaled_and_turned(scale, yaw):
    clip, seen = pair()
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    turn[:3, 3] = 3.0, -2.0, 0.5
    poses = turn @ clip.world_from_camera
    poses[:, :3, 3] *= scale
    one, other = (replace(clip, world=World(gravity_aligned=True)) for _ in range(2))
    other = replace(other, depth_m=(clip.depth_m * np.float32(scale)), world_from_camera=poses)
    here = [thing.found for thing in lift_boxes(seen, one, looked=range(5), floor_z=0.0)]
    there = [thing.found for thing in lift_boxes(seen, other, looked=range(5), floor_z=0.5 * scale)]
    assert len(here) == len(there) == 2
    for a in here:
        center = scale * (turn[:3, :3] @ a.box.center_world + turn[:3, 3])
        b = min(there, key=lambda b: np.linalg.norm(b.box.center_world - center))
        assert b.box.center_world == pytest.approx(center, abs=0.03 * scale)
        assert np.prod(b.box.size_m) == pytest.approx(scale**3 * np.prod(a.box.size_m), rel=0.15)


def test_a_frame_that_looks_there_and_says_nothing_makes_a_thing_less_sure():
    clip, masks = photograph(PAIR[:1], around(4))
    seen = seen_boxes(masks, ["chair"], score=0.8)
    for looked, score in ((range(4), 0.2), ([0], 0.8)):
        [thing] = lift_boxes(seen[:1], clip, looked=looked, floor_z=0.0)
        assert thing.found.score == pytest.approx(score)
        assert thing.sure == pytest.approx(0.8) and thing.frames == (0,)  # that one box is right, whatever others say


def test_a_thing_is_as_sure_as_that_one_of_its_three_surest_boxes_is_right(rng):
    clip, masks = photograph(PAIR[:1], around(5))
    seen = seen_boxes(masks, ["chair"])
    for _ in range(5):
        scores = rng.uniform(0.05, 0.95, 5)
        order = rng.permutation(5)
        boxes = [replace(seen[i], score=float(scores[i])) for i in order]
        [thing] = lift_boxes(boxes, clip, looked=range(5), floor_z=0.0)
        assert thing.sure == pytest.approx(1 - np.prod(1 - np.sort(scores)[-3:]))
        assert thing.found.score == pytest.approx(scores.mean()) and thing.frames == (0, 1, 2, 3, 4)
        [two] = lift_boxes(boxes[:2], clip, looked=range(5), floor_z=0.0)
        assert two.sure == pytest.approx(1 - np.prod(1 - scores[order[:2]]))
        assert two.frames == tuple(sorted(order[:2].tolist()))


def test_those_of_the_highest_score_come_first():
    clip, masks = photograph(PAIR, around(5, first=1.0))
    score = {"stool": 0.5, "chair": 0.9}
    seen = [replace(one, score=score[one.label]) for one in seen_boxes(masks, ["stool", "chair"])]
    found = lift_boxes(seen, clip, looked=range(5), floor_z=0.0)
    assert [one.found.label for one in found] == ["chair", "stool"] and found[0].found.score > found[1].found.score


def test_the_wall_behind_does_not_count_and_what_stands_before_is_not_the_thing_behind():
    clip, masks = photograph(PAIR, [(2.8, 0.1, 1.0), (2.7, 0.9, 1.2), (2.5, -0.9, 1.2)])
    loose = [
        replace(one, box_px=(max(0.0, left - 4), max(0.0, t - 4), min(80.0, r + 4), min(60.0, b + 2)))
        for one in seen_boxes(masks, ["near chair", "far chair"])
        for left, t, r, b in [one.box_px]
    ]
    lifted = [one.found for one in lift_boxes(loose, clip, looked=range(3), floor_z=0.0)]
    found = {one.label: one.box for one in lifted}
    assert max(found["near chair"].size_m) < 1.2 and iou_3d(found["near chair"], PAIR[0]) > 0.4


def test_without_depth_or_a_place_nothing_is_lifted():
    clip, seen = pair()
    for change in (
        {"depth_m": np.full_like(clip.depth_m, np.nan)},
        {"world_from_camera": np.full_like(clip.world_from_camera, np.nan)},
        {"k_px": np.full_like(clip.k_px, np.nan)},
        {"piece": np.full(5, -1)},
    ):
        assert lift_boxes(seen, replace(clip, **change), looked=range(5), floor_z=None) == ()
    assert lift_boxes((), clip, looked=range(5), floor_z=0.0) == ()


def test_depth_between_the_rings_of_a_lidar_is_enough(rng):
    clip, seen = pair()
    rings = np.zeros(HW, bool)
    rings[::3] = True
    sparse = np.where(rings & (rng.random((5, *HW)) < 0.5), clip.depth_m, np.float32(np.nan))
    found = lift_boxes(seen, replace(clip, depth_m=sparse), looked=range(5), floor_z=0.0)
    assert len(found) == 2
    for truth in PAIR:
        assert max(iou_3d(one.found.box, truth) for one in found) > 0.5


def test_what_lies_flat_is_not_taken_for_the_floor_that_it_lies_on():
    rug = upright_box((0.3, 0.2), (1.2, 0.8, 0.012), 0.5)
    clip, masks = photograph([rug], around(3))
    [thing] = lift_boxes(seen_boxes(masks, ["rug"]), clip, looked=range(3), floor_z=0.0)
    box = thing.found.box
    assert np.linalg.norm(box.center_world[:2] - rug.center_world[:2]) < 0.15
    assert box.size_m[2] < 0.05 and 0.7 < max(box.size_m) < 1.9


def test_what_would_make_a_thing_too_large_lies_behind_it():
    clip, masks = photograph(PAIR[:1], around(1))
    [seen] = seen_boxes(masks, ["person"])
    left, _, right, _ = seen.box_px
    beyond = (masks == 1) & (np.arange(HW[1]) < left + 0.67 * (right - left))
    clip = replace(clip, depth_m=np.where(beyond, clip.depth_m * np.float32(3), clip.depth_m))
    [far] = lift_boxes([seen], clip, looked=[0], floor_z=None)
    [near] = lift_boxes([seen], clip, looked=[0], floor_z=None, largest_m={"person": 1.5})
    eye = clip.world_from_camera[0, :3, 3]
    away = np.linalg.norm(PAIR[0].center_world - eye)
    assert np.linalg.norm(far.found.box.center_world - eye) > 2 * away
    assert np.linalg.norm(near.found.box.center_world - eye) == pytest.approx(away, abs=0.4)
    scaled = replace(clip, world=World(gravity_aligned=True))  # without metres nothing is too large
    for case, largest in ((clip, {"car": 1.5}), (scaled, {"person": 1.5})):
        [same] = lift_boxes([seen], case, looked=[0], floor_z=None, largest_m=largest)
        assert same.found.box.center_world == pytest.approx(far.found.box.center_world)
    assert lift_boxes([seen], clip, looked=[0], floor_z=None, largest_m={"person": 0.1}) == ()


# With masks


def with_masks(seen, masks, leak=0):
    """The boxes of ``seen_boxes`` of one label each a number, with their masks."""
    numbers = {label: number for number, label in enumerate(dict.fromkeys(one.label for one in seen), 1)}
    found = []
    for one in seen:
        shows = masks[one.frame] == numbers[one.label]
        shows = binary_dilation(shows, np.ones((3, 3)), iterations=leak) if leak else shows
        found.append(replace(one, mask=SeenMask.of(shows)))
    return found


@settings(max_examples=10, deadline=None)
@given(CUBOID, st.integers(0, 1))
def test_a_mask_gives_a_cuboid_its_place_and_size_though_it_leaks(cuboid, leak):
    *size, yaw, x = cuboid
    truth = upright_box((x, 0.1), size, yaw)
    clip, masks = photograph([truth], around(3))
    [thing] = lift_boxes(with_masks(seen_boxes(masks, ["crate"]), masks, leak), clip, looked=range(3), floor_z=0.0)
    assert iou_3d(thing.found.box, truth) > 0.75
    assert np.linalg.norm(thing.found.box.center_world - truth.center_world) < 0.06


def trellis(behind_m=2.12):
    """One frame of a chair's back of three slats and a rail, 2 m away, with a wall right behind it; and which pixels are the chair's."""
    shows = np.zeros(HW, bool)
    for column in (20, 36, 52):
        shows[10:50, column : column + 8] = True
    shows[10:16, 20:60] = True
    depth = np.where(shows, np.float32(2.0), np.float32(behind_m))
    clip = PosedClip(
        frame_index=np.arange(1), time_s=np.zeros(1), rgb=np.zeros((1, *HW, 3), np.uint8), depth_m=depth[None],
        k_px=intrinsics(HW)[None], world_from_camera=look_at(np.array([0.0, -2, 1]), (0.0, 0.0, 1.0))[None],
        piece=np.zeros(1, np.int64), world=World(metric=True, gravity_aligned=True),
    )  # fmt: skip
    return clip, shows, SeenBox(frame=0, label="chair", score=0.9, box_px=(20.0, 10.0, 60.0, 50.0))


def depths(lifted):
    return lifted.points_world[:, 1] + 2  # the camera looks along y


def test_what_is_seen_through_a_thing_is_not_of_it_where_a_mask_says_so():
    clip, shows, seen = trellis()
    alone = lift_box(seen, clip, None)
    assert depths(alone).max() > 2.1  # a box cannot tell slats from a wall that is so near
    masked = lift_box(replace(seen, mask=SeenMask.of(shows)), clip, None)
    assert depths(masked) == pytest.approx(2.0, abs=1e-6)
    assert len(masked.points_world) == shows.sum()  # all of it, and nothing else
    assert masked.box.size_m[:2].min() < 0.05 < alone.box.size_m[:2].min()


def test_a_mask_decides_where_the_box_is_beside_its_thing():
    clip, shows, seen = trellis()
    mask = SeenMask.of(shows)
    exact = lift_box(replace(seen, mask=mask), clip, None)
    moved = lift_box(replace(seen, box_px=(26.0, 18.0, 70.0, 58.0), mask=mask), clip, None)
    assert box_corners(moved.box) == pytest.approx(box_corners(exact.box))


@pytest.mark.parametrize("behind_m", [2.5, 3.5])
def test_what_a_mask_leaks_onto_the_wall_is_not_of_the_thing(behind_m):
    clip, shows, seen = trellis(behind_m)
    leaks = binary_dilation(shows, np.ones((3, 3)))
    lifted = lift_box(replace(seen, mask=SeenMask.of(leaks)), clip, None)
    assert depths(lifted) == pytest.approx(2.0, abs=1e-6)
    assert len(lifted.points_world) == shows.sum()


def test_what_is_nothing_but_edge_is_still_the_thing():
    clip, _, seen = trellis()
    thin = np.zeros(HW, bool)
    thin[10:50, 30] = thin[20, 20:60] = True
    lifted = lift_box(replace(seen, mask=SeenMask.of(thin)), clip, None)
    assert len(lifted.points_world) == thin.sum()


def test_a_thin_part_apart_from_the_rest_is_kept_where_it_is_as_far():
    clip, _, seen = trellis(2.0)
    clip.depth_m[0, 30:34] = 1.0  # something before it
    shows = np.zeros(HW, bool)
    shows[10:30, 20:60], shows[34:50, 22] = True, True
    lifted = lift_box(replace(seen, mask=SeenMask.of(shows)), clip, None)
    assert len(lifted.points_world) == shows.sum()
    clip.depth_m[0, 34:] = 2.4  # what only the edge shows and is farther is a leak
    assert len(lift_box(replace(seen, mask=SeenMask.of(shows)), clip, None).points_world) == 20 * 40


def test_depth_of_another_size_than_the_frame_has_the_mask_in_its_place():
    clip, shows, seen = trellis()
    large = replace(
        clip, rgb=np.zeros((1, 120, 160, 3), np.uint8), k_px=intrinsics((120, 160))[None]
    )  # depth stays as it is
    mask = SeenMask.of(np.kron(shows, np.ones((2, 2), bool)))
    lifted = lift_box(replace(seen, box_px=(40.0, 20.0, 120.0, 100.0), mask=mask), large, None)
    assert depths(lifted) == pytest.approx(2.0, abs=1e-6) and len(lifted.points_world) == shows.sum()


@pytest.mark.parametrize(
    "top, left, hw", [(0, 0, (61, 10)), (0, 75, (5, 6)), (-1, 0, (5, 5)), (3, -2, (5, 5)), (0, 0, (0, 4))]
)
def test_a_mask_that_is_not_of_such_a_frame_is_refused(top, left, hw):
    clip, _, seen = trellis()
    with pytest.raises(ValueError, match="is not within a frame of 60 x 80"):
        lift_box(replace(seen, mask=SeenMask(top=top, left=left, shows=np.ones(hw, bool))), clip, None)
