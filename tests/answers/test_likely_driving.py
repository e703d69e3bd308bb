"""What geometry concludes about vehicles: they brake to a stop, take corners, and drive straight on in spite of how places err."""

from dataclasses import replace

import numpy as np
import pytest
from noting import box, notes, track_of

TIMES = np.arange(8) / 5
CAR = (4.4, 1.8, 1.5)


def _drives(places, sigma_m=0.05):
    return replace(track_of([0, 0, 0.75], [0, 0, 0], frames=8), time_s=TIMES, center_world=np.asarray(places, dtype=np.float64), sigma_m=np.full(8, sigma_m), moved=np.full(8, True))  # fmt: skip


def _brakes(from_x, speed, change):
    x = from_x + speed * TIMES - change * TIMES**2 / 2
    return _drives(np.stack([x, np.full(8, 12.0), np.full(8, 0.75)], 1))


def _asked(text, change, apart_m):
    """A car that is slower by ``change`` each second and now has 5 m/s, ``apart_m`` from a bus."""
    last = TIMES[-1]
    track = _brakes(-8.0, 5.0 + change * last, change)
    x = float(track.center_world[-1][0]) + CAR[0] / 2 + apart_m + 5.0
    boxes = {"car": box([0.0, 12.0, 0.75], CAR), "bus": box([x, 12.0, 1.6], (10.0, 2.5, 3.2))}
    return notes(text, boxes, tracks={"car": track})


@pytest.mark.parametrize(("change", "apart_m", "hits"), [(0.0, 4.0, "yes"), (4.0, 4.0, "no"), (4.0, 2.0, "yes")])
def test_a_car_that_brakes_to_a_stop_before_something_does_not_hit_it(change, apart_m, hits):
    assert (
        _asked("Will the car hit the bus within 3 seconds?", change, apart_m) == f"likely: {hits}"
    )  # stops after 25/8 m


def test_a_car_that_brakes_is_there_later_than_one_that_does_not():
    asked = "How long will it take until the car touches the bus, in seconds?"
    steady, braking = (float(_asked(asked, change, 2.0).split()[1]) for change in (0.0, 4.0))
    assert steady == pytest.approx(0.4, abs=0.11)
    assert braking == pytest.approx((5 - np.sqrt(25 - 16)) / 4, abs=0.11)


@pytest.mark.parametrize(("change", "said"), [(0.0, "the car keeps moving"), (4.0, "the car comes to a stop")])
def test_what_happens_next_to_a_car_that_brakes_is_that_it_stops(change, said):
    asked = "What happens next to the car, within 3 seconds of the last frame? Options: the car keeps moving; the car comes to a stop; the car hits the bus."
    assert _asked(asked, change, 40.0) == f"likely: {said}"


def _turning(rate_deg_s, from_s):
    """5 m/s away from the camera, turning from a moment on."""
    heading = np.radians(90 + rate_deg_s * np.clip(TIMES - from_s, 0, None))
    step = 5.0 * 0.2 * np.stack([np.cos(heading), np.sin(heading), np.zeros(8)], 1)
    return np.array([0.0, 12.0, 0.75]) + np.cumsum(step, 0)


NEXT = "What will the car do next, within 2 seconds? Options: it turns right; it turns left; it drives straight on without braking; it brakes."
WAY = "Which way will the {} be moving 1 second after the last frame, seen from the camera? Options: to the left; to the right; toward the camera; away from the camera."


@pytest.mark.parametrize(("rate", "next_", "way"), [
    (0.0, "it drives straight on without braking", "away from the camera"),
    (20.0, "it turns left", "to the left"), (-20.0, "it turns right", "to the right"),
])  # fmt: skip
def test_a_car_that_has_begun_to_turn_will_be_on_the_corner(rate, next_, way):
    car = {"car": box([0.0, 12.0, 0.75], (1.8, 4.4, 1.5))}
    track = {"car": _drives(_turning(rate, 0.5))}
    assert notes(NEXT, car, tracks=track) == f"likely: {next_}"
    assert notes(WAY.format("car"), car, tracks=track) == f"likely: {way}"


def test_what_is_no_vehicle_takes_no_corner():
    ball = {"ball": box([0.0, 12.0, 0.1], (0.2, 0.2, 0.2))}
    track = {"ball": _drives(_turning(20.0, 0.5))}
    assert notes(WAY.format("ball"), ball, tracks=track) == "likely: away from the camera"


def test_a_turn_within_the_error_of_places_is_none():
    car = {"car": box([0.0, 12.0, 0.75], (1.8, 4.4, 1.5))}
    track = {"car": _drives(_turning(20.0, 0.5), sigma_m=1.0)}
    assert notes(NEXT, car, tracks=track) == "likely: it drives straight on without braking"
