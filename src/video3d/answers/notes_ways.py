"""Notes on ways: beside the camera's line of sight, which way to turn, after a turn, along walls."""

import re

import numpy as np

from video3d.answers.noted import Noted, ends, in_view_frame, metres
from video3d.answers.notes_motion import bearing, heading_rad
from video3d.answers.surfaces import to_wall_m

LANE_M = 1.6  # half way between what is in a lane and what is beside it
_WAY_M = 0.4  # half width of what somebody needs who goes straight on
_TURN = re.compile(
    r"(?:\b(left|right) (?:by )?)?(\d+) degrees(?: (?:to the )?(left|right|clockwise|counter-?clockwise|anti-?clockwise))?"
)
SECTORS = ("straight ahead", "ahead to the left", "to the left", "behind to the left", "behind", "behind to the right", "to the right", "ahead to the right")  # fmt: skip


def beside_the_way(noted: Noted) -> list[str]:
    """Along and beside the camera's line of sight on the floor: sides of the road, lanes, and what is met going straight on."""
    heading = heading_rad(noted.eye)
    said, first = [], []
    for name, place in zip(noted.names, noted.places, strict=True):
        local = in_view_frame(place.box, noted.eye[:2, 3], heading)
        near, left = max(float(local[:, 0].min()), 0.0), float(local[:, 1].mean())
        lane = "in our lane" if abs(left) < LANE_M else "left of our lane" if left > 0 else "right of our lane"
        said.append(f"{name} {metres(near)} m along, {metres(abs(left))} m {'left' if left > 0 else 'right'}, {lane}")
        aside = max(0.0, float(local[:, 1].min()), -float(local[:, 1].max()))
        first.append((aside > _WAY_M, near if aside <= _WAY_M else aside, name))
    return [
        f"on the way: {'; '.join(said)}",
        *([f"met first straight ahead: {min(first)[2]}"] if len(first) > 1 else []),
    ]


def to_go(noted: Noted) -> list[str]:
    """Which way to turn to go to each."""
    lines = []
    for name, place in zip(noted.names, noted.places, strict=True):
        turn = bearing(noted.eye, place.box.center_world[:2])
        way = (
            "go straight on"
            if abs(turn) < 23
            else "turn around"
            if abs(turn) > 147
            else f"turn {'left' if turn > 0 else 'right'}"
        )
        lines.append(f"to go to {name}: {way}")
    return lines


def asked_turn(text: str) -> float | None:
    """The degrees that somebody turns in a question, positive to the left; None where it says none."""
    asked = _TURN.search(text)
    return None if asked is None else float(asked[2]) * (-1 if (asked[1] or asked[3]) in ("right", "clockwise") else 1)


def turned(noted: Noted) -> list[str]:
    """What is ahead after a turn on the spot."""
    turn = asked_turn(noted.text)
    if turn is None:
        return []
    off = [abs((bearing(noted.eye, one.box.center_world[:2]) - turn + 180) % 360 - 180) for one in noted.places]
    return [f"ahead after the turn: {noted.names[int(np.argmin(off))]}"]


def sectors(noted: Noted) -> list[str]:
    """In which of eight directions each is, from the camera."""
    said = []
    for name, place in zip(noted.names, noted.places, strict=True):
        turn = bearing(noted.eye, place.box.center_world[:2])
        said.append(f"{name} is {SECTORS[round(turn / 45) % 8]}")
    return [", ".join(said)]


def wall_distances(noted: Noted) -> list[str]:
    """How far each thing is from the nearest wall that was seen."""
    away = [far for place in noted.places if (far := to_wall_m(place.box, noted.facts.surfaces)) is not None]
    if len(away) < len(noted.places):
        return []
    said = [f"{name} {metres(far)} m" for name, far in zip(noted.names, away, strict=True)]
    return [f"from a wall: {', '.join(said)}", *ends(noted, "nearest to a wall", "farthest from a wall", away)]


def clock_hours(noted: Noted) -> list[str]:
    """At which hour of a clock face around the camera each is."""
    hours = []
    for name, place in zip(noted.names, noted.places, strict=True):
        hour = round(-bearing(noted.eye, place.box.center_world[:2]) / 30) % 12 or 12
        hours.append(f"{name} {hour} o'clock")
    return [", ".join(hours)]
