"""Merging by voxel against a plain loop, its caps, its order and its gradients."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from video3d.geometry.voxels import voxel_keys
from video3d.model.octree import OFFSET, as_nodes, give_way, level_under, morton_codes, nodes_above
from video3d.model.tokens import NEAR_M, GridTokens, MergedTokens, merge_by_voxel
from video3d.types import InputError

SIDE_M = 0.25


def room_points(num: int, rng: np.random.Generator, size=(6.0, 5.0, 2.6)) -> np.ndarray:
    """Points on the walls, floor and ceiling of a room, shifted so that coordinates of both signs occur."""
    size = np.array(size)
    points = rng.random((num, 3)) * size
    axis = rng.integers(0, 3, num)
    points[np.arange(num), axis] = rng.integers(0, 2, num) * size[axis]
    return (points - size / 3).astype(np.float32)


def made_grid(num_frames=5, per_frame=40, width=4, *, seed=0, unplaced=0.1, size=(3.0, 2.0, 1.5)) -> GridTokens:
    rng = np.random.default_rng(seed)
    m = num_frames * per_frame
    points = room_points(m, rng, size)
    points[rng.random(m) < unplaced] = np.nan
    weight = rng.uniform(0, 1, m).astype(np.float32)
    weight[rng.random(m) < 0.05] = 0
    distance = rng.uniform(0.2, 6, m).astype(np.float32)
    distance[rng.random(m) < 0.1] = np.nan
    frame = np.repeat(np.arange(num_frames), per_frame)
    time = (frame * 0.5).astype(np.float32)
    time[frame == 1] = np.nan
    return GridTokens(
        content=torch.from_numpy(rng.normal(size=(1, m, width)).astype(np.float32)),
        points_world=torch.from_numpy(points)[None],
        weight=torch.from_numpy(weight)[None],
        frame=torch.from_numpy(frame)[None],
        mask=torch.ones(1, m, dtype=torch.bool),
        distance_m=torch.from_numpy(distance)[None],
        time_s=torch.from_numpy(time)[None],
    )


def merged_by_hand(grid: GridTokens, side: float) -> dict[tuple, dict]:
    """Voxel indices, or the frame, -> what the merged token has to be (as many spans as frames)."""
    groups: dict[tuple, list[int]] = {}
    points, weight = grid.points_world[0].double().numpy(), grid.weight[0].numpy()
    for i in range(len(points)):
        placed = np.isfinite(points[i]).all() and weight[i] > 0
        key = tuple(np.floor(points[i] / side).astype(int)) if placed else ("frame", int(grid.frame[0, i]))
        groups.setdefault(key, []).append(i)
    found = {}
    for key, members in groups.items():
        distance = np.nan_to_num(grid.distance_m[0, members].double().numpy(), nan=2.0)
        w = np.ones(len(members)) if key[0] == "frame" else weight[members] / (distance**2 + NEAR_M**2)
        times = grid.time_s[0, members].numpy()
        found[key] = {
            "content": (grid.content[0, members].double().numpy() * w[:, None]).sum(0) / w.sum(),
            "point": (points[members] * w[:, None]).sum(0) / w.sum(),
            "num_views": len({int(grid.frame[0, i]) for i in members}),
            "first": min(int(grid.frame[0, i]) for i in members),
            "seen": (np.nan, np.nan) if np.isnan(times).all() else (np.nanmin(times), np.nanmax(times)),
        }
    return found


def rows(merged: MergedTokens, i: int = 0) -> range:
    return range(int((~merged.mask[i]).sum()), merged.mask.shape[1])


@pytest.mark.parametrize("seed", range(3))
def test_every_merged_token_is_the_weighted_mean_of_what_fell_into_its_voxel(seed):
    grid = made_grid(seed=seed)
    merged = merge_by_voxel(grid, voxel_m=SIDE_M)
    expected = merged_by_hand(grid, SIDE_M)
    assert merged.mask.all() and merged.mask.shape[1] == len(expected)
    frames_of_unplaced = sorted(key[1] for key in expected if key[0] == "frame")
    found_unplaced = []
    for i in rows(merged):
        point = merged.points_world[0, i].numpy()
        if np.isnan(point).all():
            wanted = expected["frame", frames_of_unplaced[len(found_unplaced)]]
            found_unplaced.append(i)
        else:
            wanted = expected[tuple(np.floor(point.astype(np.float64) / SIDE_M).astype(int))]
            np.testing.assert_allclose(point, wanted["point"], atol=1e-5)
        np.testing.assert_allclose(merged.content[0, i].numpy(), wanted["content"], atol=1e-5)
        assert int(merged.num_views[0, i]) == wanted["num_views"]
        np.testing.assert_allclose(merged.seen_s[0, i].numpy(), wanted["seen"])
    assert len(found_unplaced) == len(frames_of_unplaced)


def test_tokens_stand_in_the_order_in_which_they_were_first_seen():
    grid = made_grid(num_frames=8)
    merged = merge_by_voxel(grid, voxel_m=SIDE_M)
    expected = merged_by_hand(grid, SIDE_M)
    placed = [
        tuple(np.floor(p.astype(np.float64) / SIDE_M).astype(int))
        for p in merged.points_world[0].numpy()
        if p[0] == p[0]
    ]
    first = [expected[key]["first"] for key in placed]
    assert first == sorted(first)


def test_more_frames_leave_the_order_of_what_was_there():
    grid = made_grid(num_frames=8, unplaced=0.0)
    part = [int((grid.frame[0] < n).sum()) for n in (4, 8)]
    short, long = (
        merge_by_voxel(
            GridTokens(
                content=torch.arange(n).float()[None, :, None],
                points_world=torch.floor(grid.points_world[:, :n] / SIDE_M) * SIDE_M + SIDE_M / 2,
                weight=torch.ones(1, n),
                frame=grid.frame[:, :n],
                mask=grid.mask[:, :n],
            ),
            voxel_m=SIDE_M,
        )
        for n in part
    )
    num = short.mask.shape[1]
    torch.testing.assert_close(long.points_world[:, :num], short.points_world)


def test_the_order_of_the_input_does_not_matter():
    grid = made_grid()
    order = torch.randperm(grid.mask.shape[1], generator=torch.Generator().manual_seed(1))
    mixed = GridTokens(
        content=grid.content[:, order],
        points_world=grid.points_world[:, order],
        weight=grid.weight[:, order],
        frame=grid.frame[:, order],
        mask=grid.mask,
        distance_m=grid.distance_m[:, order],
        time_s=grid.time_s[:, order],
    )
    for cap in (None, 60):
        one, other = (merge_by_voxel(it, voxel_m=SIDE_M, max_tokens=cap) for it in (grid, mixed))
        torch.testing.assert_close(one.content, other.content, atol=1e-5, rtol=1e-5)
        assert torch.equal(one.num_views, other.num_views)


def test_scenes_of_a_batch_are_padded_at_the_left_and_do_not_mix():
    grids = [made_grid(seed=1), made_grid(seed=2, size=(8.0, 6.0, 2.0))]
    both = GridTokens(
        **{
            name: torch.cat([getattr(grid, name) for grid in grids])
            for name in ("content", "points_world", "weight", "frame", "mask", "distance_m", "time_s")
        }
    )
    merged = merge_by_voxel(both, voxel_m=SIDE_M)
    for i, grid in enumerate(grids):
        alone = merge_by_voxel(grid, voxel_m=SIDE_M)
        n = alone.mask.shape[1]
        assert merged.mask[i].tolist() == [False] * (merged.mask.shape[1] - n) + [True] * n
        torch.testing.assert_close(merged.content[i, -n:], alone.content[0])
        torch.testing.assert_close(merged.points_world[i, -n:], alone.points_world[0], equal_nan=True)
        assert torch.equal(merged.num_views[i, -n:], alone.num_views[0])
    pad = ~merged.mask
    assert pad.any() and (merged.content[pad] == 0).all() and merged.points_world[pad].isnan().all()
    assert merged.seen_s[pad].isnan().all() and (merged.num_views[pad] == 0).all()


def test_padding_counts_for_nothing_whatever_it_holds():
    grid = made_grid()
    hidden = grid.frame < 2
    poisoned = GridTokens(
        content=torch.where(hidden[..., None], math.nan, grid.content),
        points_world=torch.where(hidden[..., None], math.inf, grid.points_world),
        weight=torch.where(hidden, math.nan, grid.weight),
        frame=torch.where(hidden, -7, grid.frame),
        mask=~hidden,
        distance_m=grid.distance_m,
        time_s=torch.where(hidden, math.inf, grid.time_s),
    )
    keep = ~hidden[0]
    alone = GridTokens(
        **{
            n: getattr(grid, n)[:, keep]
            for n in ("content", "points_world", "weight", "frame", "mask", "distance_m", "time_s")
        }
    )
    one, other = (merge_by_voxel(it, voxel_m=SIDE_M) for it in (poisoned, alone))
    torch.testing.assert_close(one.content, other.content)
    torch.testing.assert_close(one.points_world, other.points_world, equal_nan=True)
    assert torch.equal(one.num_views, other.num_views)


def test_no_tokens_at_all_is_an_empty_scene():
    grid = made_grid()
    nothing = GridTokens(
        content=grid.content, points_world=grid.points_world, weight=grid.weight, frame=grid.frame, mask=~grid.mask
    )
    for cap in (None, 8):
        assert merge_by_voxel(nothing, voxel_m=SIDE_M, max_tokens=cap).content.shape == (1, 0, 4)


@pytest.mark.parametrize("cap", [1, 2, 7, 40, 64, 100])
def test_a_cap_holds_is_used_and_covers(cap):
    rng = np.random.default_rng(0)
    points = torch.from_numpy(room_points(6000, rng))[None]
    m = points.shape[1]
    grid = GridTokens(
        content=torch.ones(1, m, 2), points_world=points, weight=torch.ones(1, m), mask=torch.ones(1, m, dtype=torch.bool),
        frame=torch.arange(m)[None] // 100,
    )  # fmt: skip
    full = merge_by_voxel(grid, voxel_m=SIDE_M)
    merged = merge_by_voxel(grid, voxel_m=SIDE_M, max_tokens=cap)
    num = merged.mask.shape[1]
    assert cap - 7 <= num <= cap and merged.points_world.isfinite().all()
    torch.testing.assert_close(merged.content, torch.ones(1, num, 2), atol=1e-4, rtol=0)
    kept, all_of_them = merged.points_world[0].numpy(), full.points_world[0].numpy()
    drawn = all_of_them[rng.choice(len(all_of_them), num, replace=False)]
    if cap >= 7:
        assert cKDTree(kept).query(all_of_them)[0].mean() < cKDTree(drawn).query(all_of_them)[0].mean()


def test_the_level_is_the_finest_whose_parents_are_few_enough():
    codes = torch.unique(morton_codes(torch.from_numpy(room_points(4000, np.random.default_rng(3))), 0.1))
    for most in (1, 5, 50, 500, 5000):
        level = level_under(codes, most)
        at = torch.unique_consecutive(codes >> 3 * level)
        assert len(torch.unique_consecutive(at >> 3)) <= most
        assert level == 0 or len(at) > most
        merged = give_way(at, most)
        left = len(torch.unique(torch.where(merged, at & ~7, at)))
        assert left <= most and (left > most - 8 or left == len(at))


def test_tokens_without_a_place_share_spans_of_frames():
    num_frames = 100
    grid = GridTokens(
        content=torch.arange(num_frames).float()[None, :, None].repeat(1, 1, 2),
        points_world=torch.full((1, num_frames, 3), math.nan),
        weight=torch.ones(1, num_frames),
        frame=torch.arange(num_frames)[None] + 5,
        mask=torch.ones(1, num_frames, dtype=torch.bool),
        time_s=torch.arange(num_frames).float()[None],
    )
    merged = merge_by_voxel(grid, voxel_m=SIDE_M, max_unplaced=32)
    assert merged.mask.shape[1] == 25 and merged.points_world.isnan().all()
    assert merged.num_views.tolist() == [[4] * 25]
    assert merged.content[0, :2, 0].tolist() == [1.5, 5.5] and merged.seen_s[0, 1].tolist() == [4, 7]
    assert merge_by_voxel(grid, voxel_m=SIDE_M, max_unplaced=0).mask.shape[1] == 0
    assert merge_by_voxel(grid, voxel_m=SIDE_M, max_tokens=32).mask.shape[1] == 4  # an eighth


@pytest.mark.parametrize("cap", [None, 40])
def test_gradients_reach_the_content_by_weight(cap):
    grid = made_grid()
    content = grid.content.clone().requires_grad_()
    live = GridTokens(
        content=content, points_world=grid.points_world, weight=grid.weight, frame=grid.frame, mask=grid.mask,
        distance_m=grid.distance_m, time_s=grid.time_s,
    )  # fmt: skip
    merged = merge_by_voxel(live, voxel_m=SIDE_M, max_tokens=cap)
    merged.content.sum().backward()
    assert content.grad is not None and (content.grad > 0).all()
    assert float(content.grad.sum()) == pytest.approx(merged.content.numel(), rel=1e-5)


def test_half_precision_content_is_summed_in_float32_and_points_stay_exact():
    grid = made_grid()
    half = GridTokens(
        content=grid.content.bfloat16(), points_world=grid.points_world, weight=grid.weight, frame=grid.frame,
        mask=grid.mask, distance_m=grid.distance_m,
    )  # fmt: skip
    one, other = merge_by_voxel(grid, voxel_m=SIDE_M), merge_by_voxel(half, voxel_m=SIDE_M)
    assert other.content.dtype == torch.bfloat16
    assert torch.equal(one.points_world.nan_to_num(), other.points_world.nan_to_num())
    torch.testing.assert_close(one.content, other.content.float(), atol=2e-2, rtol=2e-2)


def test_codes_sort_voxels_as_the_house_cuts_them_and_coarser_ones_are_prefixes():
    points = torch.from_numpy(room_points(2000, np.random.default_rng(5)) * 3)
    codes = morton_codes(points, 0.1)
    keys = voxel_keys(points.numpy(), 0.1)
    same = torch.from_numpy(keys)[:, None] == torch.from_numpy(keys)
    assert torch.equal(codes[:, None] == codes, same)
    coarse = (torch.floor(points.double() / 0.1).long() + OFFSET) >> 1
    together = (coarse[:, None] == coarse).all(-1)
    assert torch.equal((codes >> 3)[:, None] == codes >> 3, together)
    level_0 = torch.unique(codes)
    nodes = nodes_above(level_0, 0)
    assert torch.equal(nodes, torch.unique(nodes)) and int(nodes[0]) == 1
    assert torch.isin(as_nodes(level_0 >> 6, 2), nodes).all()


def test_a_point_beyond_the_grid_is_one_line():
    with pytest.raises(InputError, match="look for a wrong pose"):
        morton_codes(torch.tensor([[1e9, 0, 0]]), 0.1)


@pytest.mark.parametrize("wrong", [{"voxel_m": 0.0}, {"voxel_m": math.nan}, {"max_tokens": 0}, {"max_unplaced": -1}])
def test_sizes_that_nothing_can_be_merged_by_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        merge_by_voxel(made_grid(), **({"voxel_m": 0.2} | wrong))
