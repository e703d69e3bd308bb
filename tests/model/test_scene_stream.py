"""A scene fed frame by frame is the scene merged at once, in bounded memory."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from video3d.model.scene_stream import SceneAccumulator
from video3d.model.tokens import GridTokens, merge_by_voxel
from video3d.types import InputError


def made(num_frames: int, per_frame: int, seed: int, spread_m: float, unplaced: float, gaps: bool) -> GridTokens:
    draw = torch.Generator().manual_seed(seed)
    m = num_frames * per_frame
    number = torch.arange(num_frames) if not gaps else torch.randint(1, 4, (num_frames,), generator=draw).cumsum(0)
    frame = number.repeat_interleave(per_frame)
    # The camera walks: each frame sees its own surroundings and some of those before.
    points = torch.randn(m, 3, generator=draw) * spread_m + frame[:, None] * 0.1 * spread_m
    points[torch.rand(m, generator=draw) < unplaced] = math.nan
    weight = torch.rand(m, generator=draw)
    distance = torch.rand(m, generator=draw) * 5
    distance[torch.rand(m, generator=draw) < 0.1] = math.nan
    time = frame * 0.25
    time[frame == number[0]] = math.nan
    return GridTokens(
        content=torch.randn(1, m, 6, generator=draw),
        points_world=points[None],
        weight=weight[None],
        frame=frame[None],
        mask=torch.ones(1, m, dtype=torch.bool),
        distance_m=distance[None],
        time_s=time[None],
    )


def until(grid: GridTokens, frame: int) -> GridTokens:
    keep = grid.frame[0] <= frame
    names = ("content", "points_world", "weight", "frame", "mask", "distance_m", "time_s")
    return GridTokens(**{name: getattr(grid, name)[:, keep] for name in names})


def assert_same(one, other) -> None:
    assert torch.equal(one.mask, other.mask) and torch.equal(one.num_views, other.num_views)
    torch.testing.assert_close(one.content, other.content, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(one.points_world, other.points_world, atol=1e-5, rtol=1e-6, equal_nan=True)
    torch.testing.assert_close(one.seen_s, other.seen_s, equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(
    num_frames=st.integers(1, 12),
    per_frame=st.integers(1, 60),
    seed=st.integers(0, 1000),
    spread_m=st.sampled_from([0.05, 0.5, 3.0, 40.0]),
    unplaced=st.sampled_from([0.0, 0.2, 1.0]),
    cap=st.sampled_from([None, 1, 2, 5, 16, 40, 200]),
    max_unplaced=st.sampled_from([0, 1, 3, 32]),
    gaps=st.booleans(),
)
def test_a_stream_is_what_merging_at_once_gives_at_every_moment(
    num_frames, per_frame, seed, spread_m, unplaced, cap, max_unplaced, gaps
):
    grid = made(num_frames, per_frame, seed, spread_m, unplaced, gaps)
    sizes = {"voxel_m": 0.2, "max_tokens": cap, "max_unplaced": max_unplaced}
    scene = SceneAccumulator(**sizes)
    for number in torch.unique(grid.frame).tolist():
        here = grid.frame[0] == number
        scene.add(
            grid.content[0, here], grid.points_world[0, here], grid.weight[0, here], grid.distance_m[0, here],
            float(grid.time_s[0, here][0]), frame=number,
        )  # fmt: skip
        if (number + seed) % 3 == 0:  # asking in between changes nothing
            assert_same(scene.tokens(), merge_by_voxel(until(grid, number), **sizes))
    assert scene.num_frames == num_frames
    assert_same(scene.tokens(), merge_by_voxel(grid, **sizes))
    whole = SceneAccumulator(**sizes)
    whole.add_frames(grid)
    assert_same(whole.tokens(), scene.tokens())


def test_memory_follows_the_scene_and_not_the_number_of_frames():
    grid = made(6, 200, 0, 1.0, 0.1, False)
    scene = SceneAccumulator(voxel_m=0.2)
    sizes = []
    for play in range(4):
        for number in range(6):
            here = grid.frame[0] == number
            scene.add(
                grid.content[0, here], grid.points_world[0, here], grid.weight[0, here], time_s=play * 6.0 + number
            )
        sizes.append((scene.num_voxels, scene.num_bytes))
    assert sizes[0][0] == sizes[3][0] and sizes[3][1] <= 1.2 * sizes[0][1]
    views = scene.tokens().num_views
    assert int(views.max()) > 6


def test_memory_stays_under_the_cap_on_a_walk_without_end():
    scene = SceneAccumulator(voxel_m=0.1, max_tokens=64)
    draw = torch.Generator().manual_seed(0)
    for step in range(80):
        points = torch.rand(50, 3, generator=draw) * 2 + torch.tensor([2.0 * step, 0, 0])
        scene.add(torch.ones(50, 8), points, torch.ones(50), time_s=float(step))
        assert scene.num_voxels <= 8 * 64
        assert scene.num_bytes < 300_000
    assert scene.voxel_m > 0.1
    tokens = scene.tokens()
    assert 48 <= tokens.mask.shape[1] <= 64
    assert float(tokens.seen_s[..., 1].max()) == 79.0


def test_what_cannot_be_added_is_refused_and_leaves_the_scene_as_it_was():
    scene = SceneAccumulator(voxel_m=0.2)
    with pytest.raises(ValueError, match="at least one frame"):
        scene.tokens()
    here = torch.zeros(1, 3)
    scene.add(torch.ones(1, 4), here, torch.ones(1), frame=3)
    before = scene.tokens()
    with pytest.raises(InputError, match="within"):
        scene.add(torch.ones(1, 4), here + 1e9, torch.ones(1))
    with pytest.raises(ValueError, match="width 4"):
        scene.add(torch.ones(1, 5), here, torch.ones(1))
    with pytest.raises(ValueError, match="above 3"):
        scene.add(torch.ones(1, 4), here, torch.ones(1), frame=3)
    assert_same(scene.tokens(), before)
    assert scene.num_frames == 1


def test_half_precision_comes_back_as_it_went_in():
    scene = SceneAccumulator(voxel_m=0.2)
    scene.add(torch.ones(2, 4, dtype=torch.bfloat16), torch.zeros(2, 3), torch.ones(2))
    assert scene.tokens().content.dtype == torch.bfloat16
