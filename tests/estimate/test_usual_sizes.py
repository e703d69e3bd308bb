"""Metres from the usual sizes of what is seen: right on worlds whose unit is known, and silent where too little is seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from jaxtyping import UInt8

from video3d.estimate.usual_sizes import (
    MAX_SIGMA,
    NANO_SIGMA,
    NETWORK_SIGMA,
    USUAL,
    SizeWitness,
    fit_sizes,
    in_metres,
    witnesses_of,
)
from video3d.types import CameraPath, GeometryStatus, PosedClip, World
from video3d.types.detector import SeenBox
from video3d.vocabulary import normalise

HEIGHT, WIDTH, FOCAL_PX = 120, 160, 100.0


@dataclass(frozen=True)
class _Sees:
    """A detector that sees given boxes."""

    boxes: tuple[SeenBox, ...]
    name: str = "given"
    most_frames: int = 8

    def __call__(self, rgb: UInt8[np.ndarray, "f h w 3"], names: Sequence[str]) -> tuple[SeenBox, ...]:
        return tuple(one for one in self.boxes if one.label in names and one.frame < len(rgb))


def clip_at(depth: float, frames: int = 4, *, metric: bool = False, pieces: Sequence[int] | None = None) -> PosedClip:
    """Frames that look at a wall, ``depth`` units away, one unit of path between them."""
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, 0, 3] = np.arange(frames)
    piece = np.zeros(frames, np.int64) if pieces is None else np.array(pieces)
    k_px = np.tile(np.array([[FOCAL_PX, 0, WIDTH / 2], [0, FOCAL_PX, HEIGHT / 2], [0, 0, 1]]), (frames, 1, 1))
    return PosedClip(
        frame_index=np.arange(frames),
        time_s=np.arange(frames) / 10,
        rgb=np.zeros((frames, HEIGHT, WIDTH, 3), np.uint8),
        depth_m=np.full((frames, HEIGHT // 2, WIDTH // 2), depth, np.float32),
        k_px=k_px,
        world_from_camera=poses,
        piece=piece,
        world=World(metric=metric),
        status=GeometryStatus(
            depth="estimated",
            intrinsics="estimated",
            poses="estimated",
            scale="estimated" if metric else "unknown",
            notes=() if metric else ("scale: unknown; lengths are right up to one factor",),
        ),
        path=CameraPath(frame_index=np.arange(frames), time_s=np.arange(frames) / 10, world_from_camera=poses),
        depth_log_sigma=np.full((frames, HEIGHT // 2, WIDTH // 2), 0.1, np.float32),
    )


def seen_as(name: str, away_m: float, frame: int, *, score: float = 0.9, times: float = 1.0) -> SeenBox:
    """The box of a thing of its usual size (times a factor) so far away, in the middle of the picture."""
    usual = USUAL[name]
    long = times * usual.metres * FOCAL_PX / away_m
    wide, tall = (long, 0.8 * long) if usual.side != "height" else (0.33 * long, long)
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    (left, top), (right, bottom) = middle - np.array([wide, tall]) / 2, middle + np.array([wide, tall]) / 2
    return SeenBox(frame=frame, label=name, score=score, box_px=(float(left), float(top), float(right), float(bottom)))


@pytest.mark.parametrize("unit_m", [0.1, 1.0, 7.0])
def test_any_unit_becomes_metres(unit_m: float) -> None:
    """Chairs and cups 1.5 m away, in a world whose unit is ``unit_m`` metres."""
    sees = _Sees(tuple(seen_as(name, 1.5, frame) for name in ("chair", "cup") for frame in range(4)))
    before = clip_at(1.5 / unit_m)
    after = in_metres(before, lambda: sees)
    assert after.world.metric
    assert after.status.scale == "estimated"
    np.testing.assert_allclose(after.depth_m, 1.5, rtol=1e-4)
    np.testing.assert_allclose(after.world_from_camera[:, 0, 3], unit_m * np.arange(4), rtol=1e-4)
    assert after.path is not None
    np.testing.assert_allclose(after.path.world_from_camera[:, 0, 3], unit_m * np.arange(4), rtol=1e-4)
    [note] = [one for one in after.status.notes if one.startswith("scale:")]
    assert "chair" in note
    assert "8 boxes" in note
    np.testing.assert_allclose(before.depth_m, 1.5 / unit_m, rtol=1e-6)  # what came in is as it was


def test_a_network_is_one_witness_more() -> None:
    """Where it says half a metre for a metre, what is seen pulls, but not the whole way."""
    sees = _Sees(tuple(seen_as(name, 2.0, frame) for name in ("chair", "keyboard") for frame in range(4)))
    after = in_metres(clip_at(1.0, metric=True), lambda: sees)
    nano, other = float(after.depth_m[0, 0, 0]), in_metres(clip_at(1.0, metric=True), lambda: sees, network="a/b")
    assert 1.5 < float(other.depth_m[0, 0, 0]) < nano < 2.0  # the embedded one is believed the least
    assert any("the depth network, whose lengths are taken times" in one for one in after.status.notes)


def test_pieces_with_a_unit_of_their_own_are_left_out() -> None:
    sees = _Sees(tuple(seen_as("laptop", 1.0, frame) for frame in range(4)))
    after = in_metres(clip_at(2.0, pieces=(0, 0, 1, -1)), lambda: sees)
    assert after.piece.tolist() == [0, 0, -1, -1]
    assert np.isnan(after.depth_m[2:]).all()
    assert np.isnan(after.world_from_camera[2:]).all()
    assert after.depth_log_sigma is not None
    assert np.isnan(after.depth_log_sigma[2:]).all()
    np.testing.assert_allclose(after.depth_m[:2], 1.0, rtol=1e-4)
    network = in_metres(clip_at(2.0, pieces=(0, 0, 1, -1), metric=True), lambda: sees)  # one bias for all
    assert network.piece.tolist() == [0, 0, 1, -1]


@pytest.mark.parametrize(
    "boxes",
    [
        (),
        (seen_as("cup", 1.0, 0),),  # alone, cups differ by too much
        (seen_as("laptop", 1.0, 0, score=0.6),),  # one frame, unsure
        tuple(seen_as("laptop", 1.0, frame, score=0.4) for frame in range(4)),
        tuple(seen_as("tv", 1.0, frame) for frame in range(4)),  # of any size
        tuple(seen_as("person", 3.5, frame) for frame in range(4)),  # who may walk, or be a child
        tuple(seen_as("car", 4.0, frame) for frame in range(4)),
        tuple(replace(seen_as("laptop", 1.0, frame), box_px=(0.0, 30.0, 34.0, 60.0)) for frame in range(4)),  # cut
        tuple(replace(seen_as("person", 4.0, i), box_px=(60.0, 40.0, 100.0, 80.0)) for i in range(4)),  # sits
    ],
)
def test_too_little_says_nothing(boxes: tuple[SeenBox, ...]) -> None:
    clip = clip_at(2.0)
    assert in_metres(clip, lambda: _Sees(boxes)) is clip


@pytest.mark.parametrize("field", ["scale", "poses"])
def test_what_was_measured_is_left_alone(field: str) -> None:
    """And no detector is loaded for it."""

    def never() -> None:
        raise AssertionError("asked for a detector")

    clip = clip_at(2.0)
    clip = replace(clip, status=replace(clip.status, **{field: "measured"}))
    assert in_metres(clip, never) is clip


def test_no_detector_and_no_depth() -> None:
    clip = clip_at(2.0)
    assert in_metres(clip, lambda: None) is clip
    blind = replace(clip, depth_m=np.full_like(clip.depth_m, np.nan))
    assert in_metres(blind, lambda: _Sees((seen_as("laptop", 1.0, 0),))) is blind


def test_depth_behind_a_hole_does_not_count() -> None:
    """A box of which hardly anything has depth tells nothing; one with holes tells the same."""
    box = seen_as("laptop", 1.0, 0)
    clip = clip_at(2.0)
    holes = clip.depth_m.copy()
    holes[:, ::2] = np.nan
    [witness] = witnesses_of([box, replace(box, frame=1)], replace(clip, depth_m=holes))
    assert witness.log_factor == pytest.approx(math.log(0.5), abs=1e-6)
    holes[:, 20:40, 25:55] = np.nan
    assert witnesses_of([box, replace(box, frame=1)], replace(clip, depth_m=holes)) == ()


def test_one_false_witness_among_four_moves_little() -> None:
    """A "laptop" that is none, of half the size of one."""
    right = [SizeWitness(name=name, log_factor=0.0, sigma=0.15, boxes=3) for name in ("cup", "chair", "book")]
    fit = fit_sizes([*right, SizeWitness(name="laptop", log_factor=0.7, sigma=0.15, boxes=2)])
    assert fit is not None
    assert 0 < math.log(fit.factor) < 0.1
    agreed = fit_sizes(right)
    assert agreed is not None
    assert agreed.sigma < fit.sigma  # who disagrees makes all less sure
    assert agreed.factor == pytest.approx(1.0)


def test_the_sigma_is_that_of_what_comes_out() -> None:
    """Axiom: over drawn sizes, the error of ln factor in units of its sigma has a spread of about one."""
    rng = np.random.default_rng(0)
    off = []
    for _ in range(400):
        kinds = rng.choice(sorted(USUAL), size=4, replace=False)
        fit = fit_sizes(
            [SizeWitness(name=k, log_factor=float(rng.normal(0, USUAL[k].sigma)), sigma=USUAL[k].sigma, boxes=2) for k in kinds]
        )  # fmt: skip
        assert fit is not None
        off.append(math.log(fit.factor) / fit.sigma)
    assert 0.75 < float(np.std(off)) < 1.15


def test_table_is_of_known_names_and_sane() -> None:
    for name, usual in USUAL.items():
        assert normalise(name) in (name, None)  # what the vocabulary has no name for has the detector's
        assert 0.05 < usual.metres < 4.0
        assert 0.05 < usual.sigma < 0.5
    assert 0 < MAX_SIGMA < NETWORK_SIGMA < NANO_SIGMA
