"""Depth from many views, on a rendered room whose depth is known exactly: walls, a floor and a board, all with texture."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from textured_room import FOCAL_PX, K_PX, PLANES, SIZE_HW, render, turned, walk
from tqdm import tqdm

from video3d.estimate import multi_view
from video3d.estimate.multi_view import SourceViews, VideoDepth, refine_depth
from video3d.types.depth import DepthEstimate

SMALL_HW = (120, 160)
K_SMALL = np.diag([0.5, 0.5, 1.0]) @ K_PX
RANGE_M = (1.0, 9.0)


def exact_depth(world_from_camera: np.ndarray) -> np.ndarray:
    """z-depth of the room's nearest plane through the centre of every pixel of the small frames."""
    h, w = SMALL_HW
    v, u = np.mgrid[:h, :w] + 0.5
    rays = np.stack([(u - w / 2) * 2 / FOCAL_PX, (v - h / 2) * 2 / FOCAL_PX, np.ones_like(u)], axis=-1)
    rays = rays @ world_from_camera[:3, :3].T
    eye, nearest = world_from_camera[:3, 3], np.full((h, w), np.inf)
    for point, along, down, half in PLANES:
        a, b = np.array(along, float), np.array(down, float)
        normal = np.cross(a, b)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = ((np.array(point) - eye) @ normal) / (rays @ normal)
            offset = eye + rays * t[..., None] - np.array(point)
        hit = np.isfinite(t) & (t > 0.05) & (t < nearest)
        if half is not None:
            hit &= (np.abs(offset @ a) < half) & (np.abs(offset @ b) < half)
        nearest = np.where(hit, t, nearest)
    return nearest.astype(np.float32)


@dataclass(frozen=True)
class Room:
    rgb: np.ndarray
    poses: np.ndarray
    depth: np.ndarray

    @property
    def k_px(self) -> np.ndarray:
        return np.tile(K_SMALL, (len(self.rgb), 1, 1))

    def sources(self, index: np.ndarray) -> SourceViews:
        return SourceViews(
            load_rgb=lambda wanted: self.rgb[index[list(wanted)]],
            size_hw=SMALL_HW,
            k_px=self.k_px[index],
            world_from_camera=self.poses[index],
        )

    def refined(self, frames: list[int], prior: DepthEstimate | None = None, **changes: Any) -> VideoDepth:
        given: dict[str, Any] = {
            "rgb": self.rgb[frames],
            "k_px": self.k_px[frames],
            "world_from_camera": self.poses[frames],
            "depth_range": np.tile(RANGE_M, (len(frames), 1)),
            "sources": self.sources(np.arange(len(self.rgb))),
        }
        return refine_depth(prior=prior, **(given | changes))


@pytest.fixture(scope="module")
def room() -> Room:
    poses = walk(12)
    large = np.stack([render(pose, seed=i) for i, pose in enumerate(poses)]).astype(np.float32)
    h, w = SIZE_HW
    small = large.reshape(len(poses), h // 2, 2, w // 2, 2, 3).mean(axis=(2, 4))
    return Room(np.round(small).astype(np.uint8), poses, np.stack([exact_depth(pose) for pose in poses]))


def flat_prior(room: Room, frames: list[int], log_sigma: float = 0.5) -> DepthEstimate:
    """One depth a frame, 20 % too far."""
    values = np.median(room.depth[frames], axis=(1, 2), keepdims=True) * np.ones_like(room.depth[frames]) * 1.2
    values = values.astype(np.float32)
    return DepthEstimate(values=values, kind="metric_depth", log_sigma=np.full_like(values, log_sigma))


def error(refined: VideoDepth, truth: np.ndarray) -> np.ndarray:
    return np.abs(np.log(refined.depth.values / truth))


@pytest.fixture(scope="module")
def alone(room: Room) -> VideoDepth:
    return room.refined([3, 6, 9])


def test_depth_comes_from_the_views_alone(room: Room, alone: VideoDepth) -> None:
    truth = room.depth[[3, 6, 9]]
    known = np.isfinite(alone.depth.values)
    assert known.mean() > 0.9
    off = error(alone, truth)[known]
    assert np.median(off) < 0.02
    assert (off < 0.1).mean() > 0.9
    assert alone.num_views.min() >= 4


def test_error_shrinks_as_more_frames_see_the_surface(room: Room) -> None:
    frames = [5]
    prior = flat_prior(room, frames)
    off = [
        float(error(room.refined(frames, prior, sources=room.sources(np.array(index))), room.depth[frames]).mean())
        for index in ([5], [5, 6], [2, 4, 5, 6, 8])
    ]
    assert off[0] > 1.5 * off[1] > 1.5 * 1.1 * off[2]


def test_stated_uncertainty_is_that_of_the_errors(room: Room) -> None:
    frames = [3, 6, 9]
    refined = room.refined(frames, flat_prior(room, frames))
    sigma = refined.depth.log_sigma
    assert sigma is not None
    off = error(refined, room.depth[frames])
    assert 0.5 < np.median(sigma) / (1.4826 * np.median(off)) < 8  # exact poses and clean pictures: better than stated
    surest = sigma <= np.quantile(sigma, 0.5)
    assert np.sqrt((off[surest] ** 2).mean()) < np.sqrt((off[~surest] ** 2).mean())


def test_a_better_prior_makes_depth_better(room: Room) -> None:
    frames = [3, 9]
    rng = np.random.default_rng(0)
    few = room.sources(np.array([3, 4]))
    good = room.depth[frames] * np.exp(rng.normal(0, 0.02, (2, 1, 1))).astype(np.float32)
    prior = DepthEstimate(values=good, kind="metric_depth", log_sigma=np.full_like(good, 0.03))
    better = error(room.refined(frames, prior, sources=few), room.depth[frames]).mean()
    assert better < 0.6 * error(room.refined(frames, flat_prior(room, frames), sources=few), room.depth[frames]).mean()


def test_a_blank_wall_stays_at_the_prior(room: Room) -> None:
    frames = [4, 7]
    blank = np.full_like(room.rgb, 128)
    sources = SourceViews(
        load_rgb=lambda wanted: blank[list(wanted)], size_hw=SMALL_HW, k_px=room.k_px, world_from_camera=room.poses
    )
    prior = flat_prior(room, frames, log_sigma=0.2)
    refined = room.refined(frames, prior, rgb=blank[frames], sources=sources)
    np.testing.assert_allclose(refined.depth.values, prior.values, rtol=1e-5)
    assert refined.depth.log_sigma is not None
    np.testing.assert_allclose(refined.depth.log_sigma, 0.2, rtol=1e-3)
    assert not refined.by_evidence.any()
    unknown = room.refined(frames, None, rgb=blank[frames], sources=sources)
    assert np.isnan(unknown.depth.values).all()


def test_what_moves_is_found_and_left_to_the_prior(room: Room) -> None:
    """A patch that looks different in every frame: no depth explains it."""
    rgb = room.rgb.copy()
    noise = np.random.default_rng(1).integers(0, 256, (len(rgb), 12, 12, 1)).repeat(4, axis=1).repeat(4, axis=2)
    rgb[:, 40:88, 60:108] = noise
    moving = Room(rgb, room.poses, room.depth)
    frames = [5]
    prior = DepthEstimate(
        values=room.depth[frames], kind="metric_depth", log_sigma=np.full_like(room.depth[frames], 0.2)
    )
    refined = moving.refined(frames, prior)
    inside = np.s_[0, 46:82, 66:102]
    assert refined.dynamic[inside].mean() > 0.6
    assert refined.dynamic.mean() < 2 * 48 * 48 / room.depth[0].size
    assert error(refined, room.depth[frames])[inside].mean() < 0.1
    assert room.refined(frames, prior).dynamic.mean() < 0.05


def test_where_the_world_is_and_how_it_is_turned_changes_nothing(room: Room, alone: VideoDepth) -> None:
    moved_from_world = np.eye(4)
    moved_from_world[:3, :3] = turned(1.1, 0.4)
    moved_from_world[:3, 3] = [300.0, -20.0, 7.0]
    moved = Room(room.rgb, moved_from_world @ room.poses, room.depth)
    values = moved.refined([3, 6, 9]).depth.values
    close = np.isclose(values, alone.depth.values, rtol=5e-3, equal_nan=True)
    assert close.mean() > 0.99  # float32 rounding may decide between two planes that are as good


def test_depth_has_the_unit_of_the_poses(room: Room, alone: VideoDepth) -> None:
    poses = room.poses.copy()
    poses[:, :3, 3] *= 7
    scaled = Room(room.rgb, poses, room.depth).refined([3, 6, 9], depth_range=np.tile(7 * np.array(RANGE_M), (3, 1)))
    assert np.isclose(scaled.depth.values, 7 * alone.depth.values, rtol=5e-3, equal_nan=True).mean() > 0.99


def test_the_same_again(room: Room, alone: VideoDepth) -> None:
    again = room.refined([3, 6, 9])
    np.testing.assert_array_equal(again.depth.values, alone.depth.values)
    assert again.depth.log_sigma is not None
    assert alone.depth.log_sigma is not None
    np.testing.assert_array_equal(again.depth.log_sigma, alone.depth.log_sigma)


@pytest.mark.parametrize("what", ["still", "one frame", "no poses", "no K", "absurd K", "no range"])
def test_without_a_second_view_the_prior_remains(room: Room, what: str) -> None:
    frames = [5] if what == "one frame" else [4, 5, 6]
    prior = flat_prior(room, frames)
    k_px, poses = room.k_px[frames], room.poses[frames]
    if what == "still":
        poses = np.tile(poses[:1], (len(frames), 1, 1))
    elif what == "no poses":
        poses = np.full_like(poses, np.nan)
    elif what == "no K":
        k_px = np.full_like(k_px, np.nan)
    elif what == "absurd K":
        k_px = np.tile(np.diag([0.0, -3.0, 1.0]), (len(frames), 1, 1))
    changes: dict[str, Any] = {"k_px": k_px, "world_from_camera": poses, "sources": None}
    if what == "no range":
        changes = {"depth_range": np.full((3, 2), np.nan)}
        nothing = room.refined(frames, None, **changes)
        assert np.isnan(nothing.depth.values).all()
        assert (nothing.num_views == 0).all()
        return
    refined = room.refined(frames, prior, **changes)
    np.testing.assert_allclose(refined.depth.values, prior.values, rtol=1e-6)
    assert (refined.num_views == 0).all()
    assert not refined.by_evidence.any()
    assert not refined.dynamic.any()


def test_frames_without_a_pose_keep_their_prior_beside_those_with_one(room: Room) -> None:
    frames = [4, 5, 6]
    prior = flat_prior(room, frames)
    poses = room.poses[frames].copy()
    poses[1] = np.nan
    refined = room.refined(frames, prior, world_from_camera=poses)
    np.testing.assert_allclose(refined.depth.values[1], prior.values[1], rtol=1e-6)
    assert refined.num_views[1] == 0 < refined.num_views[0]


def test_inverse_depth_is_no_prior(room: Room) -> None:
    wrong = DepthEstimate(values=room.depth[[5]], kind="inverse_depth")
    with pytest.raises(ValueError, match="expected metric_depth"):
        room.refined([5], wrong)


def test_what_is_shown_as_done_ends_at_all_of_it(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[tqdm] = []

    class Kept(tqdm):
        def __init__(self, **options: Any) -> None:
            super().__init__(**(options | {"file": io.StringIO(), "delay": 0.0, "mininterval": 0.0}))
            bars.append(self)

        def update(self, n: float | None = 1) -> bool | None:
            assert n is not None
            assert n > 0
            return super().update(n)

    monkeypatch.setattr(multi_view, "tqdm", Kept)
    room.refined([2, 5, 8])
    (bar,) = bars
    assert bar.n == pytest.approx(bar.total)
    assert "depth of 3 frames from many views (--depth none leaves it out): 100 %" in bar.fp.getvalue()
