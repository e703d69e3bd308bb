"""Notes on what comes next: how things and the camera move, where they will be, what they meet."""

import math
from collections.abc import Sequence

import numpy as np

from video3d.answers.noted import Noted, metres, way_of
from video3d.answers.notes_motion import Mover, floor_gaps, heading_rad, meets, mover, turn_between
from video3d.geometry.boxes import nearest_point
from video3d.types import Box3D
from video3d.vocabulary import category

_LARGE = ("vehicle", "person", "animal")
"""Kinds that move far enough between frames for depth to show it."""
_MOTION_S = 3.0
"""How far ahead a touch is looked for."""


def movers_of(noted: Noted) -> list[Mover | None]:
    """How each thing that was found moves; None where too few frames show it."""
    until, measured = float(noted.clip.time_s[-1]), noted.clip.status.depth == "measured"
    return [
        mover(track, place.box, until, shown=measured and category(thing.category).kind in _LARGE)
        for thing, track, place in zip(noted.things, noted.find.follow(tuple(noted.things)), noted.places, strict=True)
    ]


def others_than(noted: Noted, box: Box3D) -> list[Box3D]:
    """All things that were found but the one at a place."""
    boxes = [place.box for _, place in noted.find.count(None)] + [place.box for place in noted.places]
    far = [
        np.abs(one.center_world - box.center_world) / np.maximum(np.minimum(one.size_m, box.size_m), 1e-3)
        for one in boxes
    ]
    return [one for one, away in zip(boxes, far, strict=True) if float(away.max()) > 0.5]


def _speeds(noted: Noted, movers: Sequence[Mover | None]) -> list[str]:
    lines = []
    heading = heading_rad(noted.eye)
    for name, one in zip(noted.names, movers, strict=True):
        if one is None:
            continue
        if not one.moves:
            lines.append(f"{name} stands still")
            continue
        turn = math.degrees(turn_between(heading, math.atan2(one.velocity_m_s[1], one.velocity_m_s[0])))
        way = ("away from the camera", "to the left", "toward the camera", "to the right")[round(turn / 90) % 4]
        falls = f", falling {metres(-float(one.velocity_m_s[2]))} m/s" if one.velocity_m_s[2] < -0.3 else ""
        slows = ", slowing" if one.slows else ""
        lines.append(f"{name} moves {metres(one.speed_m_s)} m/s {way}{falls}{slows}")
    return lines


def motion(noted: Noted) -> list[str]:
    """How things move, where they will be, and what they meet."""
    movers = movers_of(noted)
    lines = _speeds(noted, movers)
    moving = [(at, one) for at, one in enumerate(movers) if one is not None and one.moves]
    if len(moving) > 1:
        by_speed = sorted(moving, key=lambda pair: -pair[1].speed_m_s)
        lines.append(f"fastest: {noted.names[by_speed[0][0]]}; slowest: {noted.names[by_speed[-1][0]]}")
    none = np.zeros((1, 2))
    for at, one in moving[:1]:  # the first that a question names is what it is about
        ahead, met, first = [], [], []
        for other, place in enumerate(noted.places):
            if other == at:
                continue
            there = movers[other] or place.box
            later = there.after(noted.ahead_s) if isinstance(there, Mover) else there
            ahead.append((float(floor_gaps(one.after(noted.ahead_s), later, none)[0]), noted.names[other]))
            seconds, least = meets(one, there, _MOTION_S)
            first += [(seconds, noted.names[other])] if seconds is not None else []
            met.append(f"meets {noted.names[other]} in {seconds:.1f} s" if seconds is not None else f"passes {noted.names[other]} at {metres(least)} m")  # fmt: skip
        if met:
            lines.append(f"{noted.names[at]} going on: {', '.join(met)}; first {min(first)[1] if first else 'nothing'}")
            near = ", ".join(f"{name} {metres(gap)} m" for gap, name in sorted(ahead))
            lines.append(f"in {noted.ahead_s:g} s nearest to {noted.names[at]}: {near}")
    return lines


def camera_ahead(noted: Noted) -> list[str]:
    """How the camera moves, where it will be, and what it then is near to and sees."""
    camera = noted.camera
    if camera is None:
        return []
    speed = math.hypot(camera.ahead_m_s, camera.left_m_s)
    turns = f"turning {'left' if camera.turn_deg_s > 0 else 'right'} {abs(camera.turn_deg_s):.0f} deg/s"
    lately = " slowing" if camera.change_m_s2 < -0.5 else " speeding up" if camera.change_m_s2 > 0.5 else ""
    way = "back" if camera.ahead_m_s < -0.5 * speed else "ahead" if camera.ahead_m_s > 0.5 * speed else "sideways"
    turned = f"turned {'left' if camera.turned_deg > 0 else 'right'} {abs(camera.turned_deg):.0f} deg"
    lines = [
        f"the camera in all: moved {metres(camera.moved_m)} m, {turned}",
        f"the camera now: moves {metres(speed)} m/s {way}{lately}, {turns}",
    ]
    if noted.names:
        place, heading = camera.after(noted.ahead_s)
        later: list[tuple[float, str]] = []
        movers = movers_of(noted)
        for at, one in enumerate(noted.places):
            moving = movers[at]
            box = moving.after(noted.ahead_s) if moving is not None and moving.moves else one.box
            offset = box.center_world[:2] - place
            level = np.array([place[0], place[1], box.center_world[2]])
            far = float(np.linalg.norm(nearest_point(box, level)[:2] - place))
            turn = math.degrees(turn_between(heading, math.atan2(float(offset[1]), float(offset[0]))))
            later.append((far, f"{noted.names[at]} {metres(far)} m {way_of(turn)}{'' if abs(turn) < half_view(noted) else ' out of view'}"))  # fmt: skip
        lines.append(f"in {noted.ahead_s:g} s from the camera: {', '.join(said for _, said in sorted(later))}")
    return lines


def half_view(noted: Noted) -> float:
    """Degrees from the middle of the picture to its side; all around where the intrinsics are not known, for then nothing is known to be out of view."""
    k = noted.clip.k_px[-1]
    return math.degrees(math.atan(noted.clip.rgb.shape[2] / 2 / float(k[0, 0]))) if np.isfinite(k).all() else 360.0
