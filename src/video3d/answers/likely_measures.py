"""Conclusions in numbers: gaps, sizes, heights, distances, counts, the room, boxes."""

import math
import re

import numpy as np

from video3d.answers.likely import FAR, METRES, candidates, extreme, pair_of
from video3d.answers.noted import Noted, in_view_frame, level_places, metres, option_with, polar, span, yes_no
from video3d.answers.notes_motion import heading_rad
from video3d.answers.surfaces import to_wall_m
from video3d.geometry.boxes import footprint_gap_m, gap_m
from video3d.geometry.rigid import scale_k
from video3d.types import Box3D

_OTHER_LENGTHS = re.compile(
    r"\b(?:until|moving|moved|moves?|rolls?|rolled|visible|difference|travel\w*|going|walk|drive)\b|\bto get\b|\bhow long (?:has|have|had|does|do|did|will|would|ago)\b"
)
_AGAINST_M = 0.35
_THIN_M = 0.1
_AT_WALL = re.compile(r"\b(?:against|(?:right|close|directly) by|touching|next to|flush with)\b.*\bwalls?\b")
_NOT_AT_WALL = re.compile(r"\b(?:will|would it|away|far|behind|hits?|moves?|going)\b|(?<!\brath)(?<=\w)er than\b")
_LEAST = r"\b(?:smaller|smallest|shorter|shortest|less|least|lower|narrower|narrowest)\b"


_TO_SURFACE = re.compile(r"\b(?:walls?|ceilings?)\b|\b(?:from|to|and) (?:the |a )?(?:floor|road|ground)\b")
"""Measures of what is no thing: not of the one thing that is named beside it."""


def near_far(noted: Noted) -> str | None:
    """Near or far by the limits that the question itself gives."""
    pair = pair_of(noted)
    limits = [float(number) for number in METRES.findall(noted.stem)]
    if (
        pair is None
        or not limits
        or re.search(
            r"\b(?:will|seconds?|angle|too|wide|fits?|pass)\b|\b(?:long|wid|tall|high|bigg|larg|short|low)er than (?:the )?#",
            noted.stem,
        )
    ):
        return None
    gap = gap_m(noted.places[pair[0]].box, noted.places[pair[1]].box)
    if len(limits) > 1:
        near = gap < math.sqrt(limits[0] * limits[1])
        return option_with(noted, "near") if near else option_with(noted, "far")
    if not polar(noted):
        return None
    # "no more than" and "not farther than" mean the reverse of what they contain.
    over = re.search(
        r"(?<!no )(?<!not )\b(?:more|over|above|exceeds?|greater|larger|bigger|wider|beyond|farther|further|at least)\b",
        noted.stem,
    )
    return yes_no((gap > limits[0]) == bool(over))


def gap(noted: Noted) -> str | None:
    """Between the nearest points of two things."""
    pair = pair_of(noted)
    return None if pair is None else f"{metres(gap_m(*(noted.places[at].box for at in pair)))} m"


def _floor_gap(noted: Noted) -> float | None:
    pair = pair_of(noted)
    return None if pair is None else footprint_gap_m(*(noted.places[at].box for at in pair))


def opening(noted: Noted) -> str | None:
    """Free floor between two things."""
    gap = _floor_gap(noted)
    return None if gap is None else f"{metres(gap)} m"


def fits(noted: Noted) -> str | None:
    """Whether something of a width passes between two things."""
    gap, needs = _floor_gap(noted), METRES.search(noted.stem)
    if re.search(r"\btoo\b|\bunable\b|\bimpossible\b|\btall\b|\bhigh\b", noted.stem):
        return None
    return None if gap is None or needs is None or not polar(noted) else yes_no(gap >= float(needs[1]))


def biggest(noted: Noted) -> str | None:
    """Which is at the end of a scale of sizes: height where tallness is asked about, else volume."""
    tall = re.search(r"\b(?:tall|high|short)", noted.stem) is not None
    sizes = {
        at: float(noted.places[at].box.size_m[2]) if tall else math.prod(map(float, noted.places[at].box.size_m))
        for at in candidates(noted)
    }
    return extreme(noted, sizes, re.search(_LEAST, noted.stem) is not None)


def size(noted: Noted) -> str | None:
    """The side of a thing that is asked about."""
    if len(noted.names) != 1 or _OTHER_LENGTHS.search(noted.stem) or _TO_SURFACE.search(noted.stem):
        return None
    size = [float(side) for side in noted.places[0].box.size_m]
    if re.search(r"\b(?:height|high|tall|top)\b", noted.stem):
        return f"{metres(size[2])} m"
    if re.search(r"\b(?:longer|longest|length|long)\b", noted.stem):
        return f"{metres(max(size[:2]))} m"
    if re.search(r"\b(?:shorter|width|wide|narrower)\b", noted.stem):
        return f"{metres(min(size[:2]))} m"
    return None


def height(noted: Noted) -> str | None:
    """From the floor to a thing's underside, or to its top."""
    if len(noted.names) != 1 or noted.facts.floor_z is None or _OTHER_LENGTHS.search(noted.stem):
        return None
    low, high = span(noted, noted.places[0])
    top = re.search(r"\b(?:top|upper|highest point)\b", noted.stem) is not None
    return f"{metres(high if top else low)} m"


def far_from_camera(noted: Noted) -> str | None:
    """From the camera to a thing's middle."""
    if len(noted.names) != 1 or _OTHER_LENGTHS.search(noted.stem) or _TO_SURFACE.search(noted.stem):
        return None
    return f"{metres(float(np.linalg.norm(noted.places[0].box.center_world - noted.eye[:3, 3])))} m"


def along(noted: Noted) -> str | None:
    """Along the camera's line of sight on the floor, to the near end of a thing."""
    local = in_view_frame(noted.places[0].box, noted.eye[:2, 3], heading_rad(noted.eye))
    return f"{metres(max(float(local[:, 0].min()), 0.0))} m"


def wall(noted: Noted) -> str | None:
    """Which thing is nearest to a wall, or farthest from all; or whether one stands against a wall."""
    if polar(noted):
        if len(noted.marks) != 1 or not _AT_WALL.search(noted.stem) or _NOT_AT_WALL.search(noted.stem):
            return None
        far = to_wall_m(noted.places[0].box, noted.facts.surfaces)
        return None if far is None else yes_no(far < _AGAINST_M)
    away = {at: to_wall_m(noted.places[at].box, noted.facts.surfaces) for at in candidates(noted)}
    if any(far is None for far in away.values()):
        return None
    return extreme(noted, {at: far for at, far in away.items() if far is not None}, not FAR.search(noted.stem))  # fmt: skip


def room(noted: Noted) -> str | None:
    """The room's height, area or sides, from the extent of what was seen."""
    room = noted.facts.room
    if noted.names or room is None or not room.has_floor:
        return None
    if re.search(r"\bceiling|\bhigh\b|\bheight\b", noted.stem):
        return f"{room.height:.2f} m" if room.has_ceiling else None
    if re.search(r"square met|\barea\b", noted.stem):
        return f"{room.length * room.width:.0f} square metres"
    if re.search(r"\bshorter\b|\bwidth\b", noted.stem):
        return f"{room.width:.1f} m"
    return f"{room.length:.1f} m" if re.search(r"\blonger\b|\blength\b", noted.stem) else None


def camera_height(noted: Noted) -> str | None:
    """Of the camera over the floor, in the frame asked about."""
    floor = noted.facts.floor_z
    return None if noted.names or floor is None else f"{float(noted.eye[2, 3]) - floor:.2f} m"


_RAYS = 15
_FAR_M = 4.0
_LOW_M, _HIGH_M = 0.1, 1.2
"""What stands between these heights over the floor is in the way of who walks."""


def freest(noted: Noted) -> str | None:
    """Which third of the view has the most free floor before what stands in the way, by the depth of that frame, up to 4 m."""
    at, floor, clip = noted.position, noted.facts.floor_z, noted.clip
    depth = clip.depth_m[at].astype(np.float64)
    k = scale_k(clip.k_px, clip.size_hw, depth.shape)[at]
    if floor is None or not np.isfinite(k).all():
        return None
    rows, columns = np.nonzero(np.isfinite(depth) & (depth > 0))
    z = depth[rows, columns]
    rays = np.stack([(columns + 0.5 - k[0, 2]) / k[0, 0], (rows + 0.5 - k[1, 2]) / k[1, 1], np.ones(len(z))], 1)
    points = (rays * z[:, None]) @ noted.eye[:3, :3].T + noted.eye[:3, 3]
    local = level_places(points[:, :2], noted.eye[:2, 3], heading_rad(noted.eye))
    away, left = np.hypot(*local.T), np.arctan2(local[:, 1], local[:, 0])
    half = math.atan2(depth.shape[1] / 2, float(k[0, 0]))
    ray = np.floor((half - left) / (2 * half) * _RAYS).astype(np.int64)
    stands = (points[:, 2] > floor + _LOW_M) & (points[:, 2] < floor + _HIGH_M)
    reach = np.array([away[stands & (ray == one)].min(initial=_FAR_M) for one in range(_RAYS)])
    thirds = reach.reshape(3, -1).mean(1)
    if np.ptp(thirds) < _LOW_M:
        return None
    best = int(thirds.argmax())
    return option_with(noted, *(("the left", "left"), ("the middle", "straight ahead"), ("the right", "right"))[best])


def box(noted: Noted) -> str | None:
    """A thing's box in the world."""
    return box_words(noted.places[0].box) if len(noted.names) == 1 else None


def box_words(box: Box3D) -> str:
    """A box as answers write it: in centimetres, and in millimetres where a thing is so thin that they count.

    >>> box_words(Box3D(center_world=np.array([1.0, 2.0, 0.02]), size_m=np.array([0.6, 0.4, 0.035]), world_from_box=np.eye(3)))
    'centre (1.000, 2.000, 0.020) m, size 0.600 x 0.400 x 0.035 m, yaw 0 degrees'
    """
    digits = 3 if float(box.size_m.min()) < _THIN_M else 2
    x, y, z, *sides = (f"{value:.{digits}f}" for value in (*box.center_world, *box.size_m))
    yaw = round(math.degrees(math.atan2(box.world_from_box[1, 0], box.world_from_box[0, 0])))
    return f"centre ({x}, {y}, {z}) m, size {' x '.join(sides)} m, yaw {yaw} degrees"


def count(noted: Noted) -> str | None:
    """How many of a kind were found; one at least, for a question that counts things takes it that there are some."""
    if len(noted.things) != 1:
        return None
    found = noted.find.count(noted.things[0].category)
    number = sum(place.color[0] == noted.things[0].color for _, place in found) if noted.things[0].color else len(found)
    return str(max(number, 1))
