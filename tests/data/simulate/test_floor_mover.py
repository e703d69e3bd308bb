"""What drives over the floor: where the camera looks for it, and that it is the only one of its name."""

import numpy as np
import pytest

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.camera_paths import CameraWay
from video3d.data.simulate.floor_mover import MOVERS, FloorMover
from video3d.data.simulate.floor_plan import Footprint
from video3d.data.simulate.primitives import primitive_assets
from video3d.data.simulate.stage import StageConfig, StagingFailed
from video3d.data.simulate.tours import stage_tour_mover


def make_mover() -> FloorMover:
    """0.2 x 0.3 x 0.2 m, from (-1.5, 0) along +x for 3 m at 0.5 m/s."""
    swept = Footprint(object_id=4, center_m=(0.0, 0.0), half_m=(0.1, 1.65), yaw_rad=np.pi / 2, bottom_m=0.0, top_m=0.2)
    return FloorMover(
        object_id=4, body="object4", start_m=np.array([-1.5, 0.0]), way=np.array([1.0, 0.0]), yaw_rad=np.pi / 2,
        speed_mps=0.5, length_m=3.0, swept=swept,
    )  # fmt: skip


def test_the_gaze_follows_it_and_the_hand_still_sways():
    times = np.arange(0.0, 6.0, 0.02)
    sway = 0.01 * np.sin(2 * np.pi * 0.5 * times)
    way = CameraWay(
        kind="stand", target_id=4, times_s=times, eye_m=np.tile([0.0, -2.0, 1.5], (300, 1)), yaw_rad=np.pi / 2 + sway,
        pitch_rad=np.full(300, -0.3), roll_rad=np.zeros(300),
    )  # fmt: skip
    mover = make_mover()
    followed = mover.followed(way)
    toward = np.array([np.arctan2(2.0, mover.place(float(t))[0]) for t in times])
    off = followed.yaw_rad - toward
    assert 0.005 < np.abs(off).max() < 0.011
    assert np.degrees(followed.yaw_rad[0] - followed.yaw_rad[-1]) == pytest.approx(73.7, abs=1.5), "2 atan(1.5 / 2)"
    assert followed.pitch_rad.min() < followed.pitch_rad[0] < -0.25, "nearer is looked at more steeply"
    assert np.array_equal(followed.eye_m, way.eye_m)


def test_what_is_watched_is_where_it_drives_while_it_is_shown():
    watched = make_mover().watched(2.0)
    assert watched.center_m == pytest.approx((-1.0, 0.0))
    assert max(watched.half_m) < 0.2 and watched.object_id == 4


def test_it_is_the_only_one_of_its_name():
    library = AssetLibrary(assets=primitive_assets(), furnished=False, digest="made here")
    staged = 0
    for seed in range(8):
        try:
            clip = stage_tour_mover(np.random.default_rng(seed), library, StageConfig())
        except StagingFailed:
            continue
        staged += 1
        mover = clip.scene.object(clip.must_see[0])
        names = [placed.category for placed in clip.scene.objects]
        assert mover.category in MOVERS and names.count(mover.category) == 1
    assert staged >= 4
