"""Uniform steps, and greedy coverage against the plain greedy, brute force and its axioms."""

from itertools import combinations

import numpy as np
import pytest

from video3d.geometry.voxels import visible_voxels
from video3d.types import InputError
from video3d.video.sample import greedy_coverage, sample_max_coverage, sample_uniform


def random_views(rng, frames, voxels, share):
    """Sets of voxels; each frame sees a run of them, as neighbouring places, and a few others."""
    views = []
    for _ in range(frames):
        length = int(rng.integers(0, max(2, int(share * voxels))))
        start = int(rng.integers(0, voxels))
        run = (start + np.arange(length)) % voxels
        views.append(np.unique(np.concatenate([run, rng.integers(0, voxels, 3)])).astype(np.int64))
    return views


def plain_greedy(views, num_frames, priority):
    """Gains of the greedy written with sets, every gain computed anew each round."""
    sets, covered, chosen, gains = [set(view.tolist()) for view in views], set(), [], []
    for _ in range(num_frames):
        left = [f for f in range(len(sets)) if f not in chosen]
        best = max(left, key=lambda f: (len(sets[f] - covered), -priority[f]))
        gain = len(sets[best] - covered)
        if gain == 0:
            break
        chosen.append(best)
        gains.append(gain)
        covered |= sets[best]
    return chosen, gains


def coverage_of(views, frames):
    return len(set().union(*(views[f].tolist() for f in frames)))


@pytest.mark.parametrize("num_total", [1, 2, 3, 7, 32, 100, 997])
def test_uniform_steps_hold_the_ends_and_grow(num_total):
    for num_frames in (1, 2, 3, 5, 16, 31, 32, 33, 996, 997, 5000):
        indices = sample_uniform(num_total, num_frames)
        assert indices.size == min(num_total, num_frames)
        assert (np.diff(indices) > 0).all()
        assert indices.min() >= 0
        assert indices.max() < num_total
        if indices.size > 1:
            assert (indices[0], indices[-1]) == (0, num_total - 1)
            assert np.ptp(np.diff(indices)) <= 1  # even but for rounding


@pytest.mark.parametrize(("num_total", "num_frames"), [(0, 4), (-1, 4), (5, 0), (5, -2)])
def test_uniform_refuses_nothing_of_nothing(num_total, num_frames):
    with pytest.raises(InputError):
        sample_uniform(num_total, num_frames)


def test_greedy_coverage_gains_what_the_plain_greedy_gains(rng):
    for case in range(60):
        views = random_views(rng, int(rng.integers(1, 25)), int(rng.integers(2, 80)), rng.uniform(0.05, 0.6))
        wanted = int(rng.integers(1, len(views) + 1))
        sample = greedy_coverage(views, wanted, seed=case)
        priority = np.argsort(np.random.default_rng(case).permutation(len(views)))
        chosen, gains = plain_greedy(views, wanted, priority)
        assert sample.chosen[: len(chosen)].tolist() == chosen
        assert sample.gains[: len(gains)].tolist() == gains
        assert not sample.gains[len(gains) :].any()
        assert sample.num_voxels == coverage_of(views, range(len(views)))
        assert sample.coverage == pytest.approx(coverage_of(views, sample.indices) / sample.num_voxels)


def test_greedy_coverage_keeps_its_bound_of_the_best(rng):
    for _ in range(40):
        views = random_views(rng, 9, 40, 0.35)
        for wanted in (1, 2, 3, 4):
            best = max(coverage_of(views, frames) for frames in combinations(range(9), wanted))
            got = coverage_of(views, greedy_coverage(views, wanted).indices)
            assert got >= (1 - (1 - 1 / wanted) ** wanted) * best - 1e-9  # at least 1 - 1/e
            if wanted == 1:
                assert got == best


def test_gains_shrink_and_coverage_grows(rng):
    views = random_views(rng, 30, 300, 0.2)
    gains = greedy_coverage(views, 30).gains
    assert (np.diff(gains) <= 0).all()
    shares = [greedy_coverage(views, n).coverage for n in range(1, 31)]
    assert (np.diff(shares) >= 0).all()
    assert shares[-1] == 1


def test_the_order_and_names_of_voxels_do_not_matter(rng):
    views = random_views(rng, 20, 200, 0.2)
    names = rng.permutation(10_000)[:200].astype(np.int64)
    renamed = [rng.permutation(names[view]) for view in views]
    np.testing.assert_array_equal(greedy_coverage(renamed, 6).chosen, greedy_coverage(views, 6).chosen)


def test_a_ratio_stops_as_soon_as_it_is_reached(rng):
    views = random_views(rng, 40, 400, 0.15)
    for ratio in (0.3, 0.9, 0.95, 1.0):
        sample = greedy_coverage(views, 40, ratio=ratio)
        assert sample.coverage >= ratio
        if sample.indices.size > 1:
            assert greedy_coverage(views, sample.indices.size - 1).coverage < ratio
    assert greedy_coverage(views, 2, ratio=1.0).indices.size == 2  # the number asked for is the limit


@pytest.mark.parametrize("ratio", [0.0, -1.0, 1.01, float("nan")])
def test_a_ratio_is_a_share(ratio):
    with pytest.raises(InputError, match="ratio"):
        greedy_coverage([np.array([1])], 1, ratio=ratio)


def test_the_seed_decides_between_equals_and_nothing_else():
    equal = [np.array([i]) for i in range(20)]
    first = [int(greedy_coverage(equal, 1, seed=seed).indices[0]) for seed in range(40)]
    assert len(set(first)) > 8
    assert first == [int(greedy_coverage(equal, 1, seed=seed).indices[0]) for seed in range(40)]
    unequal = [np.arange(i + 1) for i in range(20)]
    assert {int(greedy_coverage(unequal, 1, seed=seed).indices[0]) for seed in range(20)} == {19}


def test_frames_that_see_nothing_come_last():
    nothing = np.zeros(0, dtype=np.int64)
    views = [nothing, np.array([1, 2]), nothing, np.array([2]), nothing, np.array([1])]
    assert greedy_coverage(views, 3).indices.tolist() == [1, 3, 5]
    assert greedy_coverage(views, 1).indices.tolist() == [1]
    assert greedy_coverage(views, 9).indices.tolist() == [0, 1, 2, 3, 4, 5]


def test_frames_that_only_fill_up_are_far_from_the_others():
    same = [np.array([7])] * 11
    sample = greedy_coverage(same, 3, seed=1)
    first = int(sample.chosen[0])
    farthest = 0 if first > 5 else 10
    assert first == 5 or sample.chosen[1] == farthest
    assert sample.gains.tolist() == [1, 0, 0]
    assert np.diff(sample.indices).min() >= 2


def test_nothing_seen_at_all_is_sampled_evenly():
    sample = greedy_coverage([np.zeros(0, dtype=np.int64)] * 9, 3)
    assert sample.indices.tolist() == [0, 4, 8]
    assert (sample.coverage, sample.num_voxels) == (0.0, 0)
    with pytest.raises(InputError, match="recording"):
        greedy_coverage([], 3)


def corridor(frames):
    """A camera that looks sideways at a wall while it moves along, and stands still for the first half of the time."""
    depth_m = np.full((frames, 24, 32), 2.0, dtype=np.float32)
    k_px = np.repeat(np.array([[[32.0, 0, 16], [0, 32, 12], [0, 0, 1]]]), frames, axis=0)
    poses = np.repeat(np.eye(4)[None], frames, axis=0)
    poses[:, 0, 3] = np.maximum(0, np.arange(frames) - frames // 2) * 0.4
    return depth_m, k_px, poses


def test_frames_are_spent_where_something_new_is_seen():
    depth_m, k_px, poses = corridor(30)
    sample = sample_max_coverage(depth_m, k_px, poses, 5)
    assert (sample.indices >= 15).sum() >= 4  # only one look at what stood still for half of the time
    assert (np.diff(sample.indices) > 0).all()
    views = [visible_voxels(d, k, p, 0.1) for d, k, p in zip(depth_m, k_px, poses, strict=True)]
    assert sample.coverage == pytest.approx(coverage_of(views, sample.indices) / coverage_of(views, range(30)))
    assert sample.coverage > coverage_of(views, sample_uniform(30, 5)) / coverage_of(views, range(30))


def test_frames_without_pose_or_depth_are_not_chosen():
    depth_m, k_px, poses = corridor(12)
    depth_m[3], poses[7], k_px[9] = np.nan, np.nan, np.nan
    sample = sample_max_coverage(depth_m, k_px, poses, 9)
    assert sample.indices.tolist() == [0, 1, 2, 4, 5, 6, 8, 10, 11]
    assert sample_max_coverage(depth_m * np.nan, k_px, poses, 4).indices.tolist() == [0, 4, 7, 11]
