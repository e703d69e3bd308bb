"""What others do on a street: they brake to lines and turn as asked, around the last frame, and clips hold every act."""

from itertools import pairwise

import numpy as np
import pytest
from staged_drives import drive_clip, library

pytest.importorskip("mujoco")

from video3d.data.simulate.drives import DRIVES
from video3d.data.simulate.drives_acts import brake_to, turn_at_junction, wait_at_junction
from video3d.data.simulate.drives_draft import Draft
from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.scenarios import SCENARIOS
from video3d.data.simulate.stage import StageConfig
from video3d.data.simulate.street_plan import draw_plan
from video3d.data.simulate.traffic import Mover
from video3d.data.simulate.traffic_path import rotated, straight_path


def _draft(seed: int, *, junction: bool = True) -> Draft:
    rng = np.random.default_rng(seed)
    plan = draw_plan(rng, junction=junction, crossing=not junction, before_m=45.0, after_m=50.0)
    return Draft(rng, library(), StageConfig(), plan)


def _turned_deg(mover: Mover, begin_s: float, end_s: float, change: float) -> float:
    return float(np.degrees(np.diff(mover.pose(np.array([begin_s, end_s]), change)[:, 2])[0]))


def _speed(mover: Mover, time_s: float, change: float) -> float:
    step = np.diff(mover.pose(np.array([time_s - 0.02, time_s + 0.02]), change)[:, :2], axis=0)[0]
    return float(np.linalg.norm(step)) / 0.04


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("turn", ["left", "right"])
def test_a_turn_has_begun_at_the_last_frame_and_goes_on(quarters: int, turn: str) -> None:
    draft = _draft(quarters)
    assert turn_at_junction(draft, quarters, "left" if turn == "left" else "right") is not None
    (mover,), last, sign = draft.movers, draft.last_s, 1 if turn == "left" else -1
    for change in (0.0, 0.02, -0.02):
        assert sign * _turned_deg(mover, last - 1.0, last, change) > 3.0
        assert sign * _turned_deg(mover, last, last + 2.0, change) > 20.0
    whole = sign * _turned_deg(mover, 0.0, last + 8.0, 0.0)
    assert whole == pytest.approx(90.0, abs=0.5)
    come = mover.pose(np.array([0.0]))[0, 2] - quarters * np.pi / 2
    assert abs((come + np.pi) % (2 * np.pi) - np.pi) < np.radians(40.0)


@pytest.mark.parametrize("seed", range(6))
def test_who_brakes_slows_in_sight_and_stands_before_the_line(seed: int) -> None:
    draft = _draft(seed, junction=False)
    path = draft.plan.lane(-1)
    line = path.distance_of((draft.plan.stop_back_x_m(), 0.0))
    assert brake_to(draft, path, line) is not None
    (mover,), last = draft.movers, draft.last_s
    for change in (0.0, 0.02, -0.02):
        begin, now, later = (_speed(mover, last + t, change) for t in (-1.0, -0.1, 1.9))
        assert now < 0.93 * begin and later < 0.6 * now and now > 1.5
    front = float(mover.start_m + mover.profile.distance(60.0)) + mover.half_m[0]
    assert 0.3 - 1e-6 <= line - front <= 1.0 + 0.5


@pytest.mark.parametrize("quarters", range(4))
def test_who_waits_at_a_junction_keeps_out_of_it(quarters: int) -> None:
    draft = _draft(10 + quarters)
    assert wait_at_junction(draft, quarters) is not None
    (mover,) = draft.movers
    end = mover.pose(np.array([60.0]))[0]
    bumper = end[:2] + mover.half_m[0] * np.array([np.cos(end[2]), np.sin(end[2])])
    assert np.abs(bumper).max() > draft.plan.half_m


def test_four_quarter_turns_lead_back_and_each_keeps_to_the_right() -> None:
    path = straight_path((-30.0, -1.6), (30.0, -1.6))
    for quarters in range(4):
        x, y, yaw = rotated(path, quarters).at(20.0)
        right = np.array([np.sin(yaw), -np.cos(yaw)])
        assert float(np.array([x, y]) @ right) == pytest.approx(1.6)
    assert rotated(path, 4).at(20.0) == pytest.approx(path.at(20.0))


@pytest.mark.parametrize("name", ["watch_junction", "walk_street", "static_street", "drive_signal", "drive_turn"])
def test_most_clips_have_one_person_who_can_be_named(name: str) -> None:
    num = [sum(o.category in ("person", "cyclist") for o in drive_clip(name, seed).scene.objects) for seed in range(8)]
    assert sum(n == 1 for n in num) >= 5 and max(num) <= 2


def test_at_a_junction_cars_turn_both_ways_and_wait() -> None:
    seen = set()
    for seed in range(10):
        staged = drive_clip("watch_junction", seed)
        assert staged.drive is not None
        data = load_mujoco().MjData(staged.scene.model)
        poses = []
        last = float(staged.times_s[-1])
        for time in (last - 1.0, last, last + 2.0):
            staged.drive(staged.scene.model, data, time, 0.0)
            poses.append(np.concatenate([data.mocap_pos, data.mocap_quat], axis=1))
        for placed in staged.scene.objects:
            if placed.motion != "scripted" or placed.kind != "vehicle":
                continue
            row = int(staged.scene.model.body_mocapid[staged.scene.model.body(placed.body).id])
            yaw = [2 * np.arctan2(p[row, 6], p[row, 3]) for p in poses]
            turned = float(np.degrees((yaw[2] - yaw[1] + np.pi) % (2 * np.pi) - np.pi))
            way = [float(np.linalg.norm(b[row, :2] - a[row, :2])) for a, b in pairwise(poses)]
            if abs(turned) > 20.0:
                seen.add("left" if turned > 0 else "right")
            elif way[1] / 2 < 0.6 * way[0]:
                seen.add("waits")
    assert seen >= {"left", "right", "waits"}


def test_shares_add_up_and_what_turns_is_drawn_more_often() -> None:
    shares = {name: share for name, (_, share) in SCENARIOS.items()}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert sum(shares[name] for name in DRIVES) == pytest.approx(0.32)
    assert shares["drive_turn"] > shares["drive_signal"] > shares["drive_straight"]
