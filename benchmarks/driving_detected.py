"""What a detector finds on a road, lifted by depth, against labels: a row of ``driving.py``."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from video3d.answers.detected import ASKED
from video3d.answers.driving import ON_THE_ROAD, drive
from video3d.answers.driving_ego import instants
from video3d.answers.facts import scene_facts
from video3d.geometry.boxes import box_corners
from video3d.geometry.lifted_boxes import lift_box, lift_boxes
from video3d.geometry.rigid import inverse_rigid, is_known, project, transform_points
from video3d.types import PosedClip
from video3d.types.detector import Detector, SeenBox
from video3d.vocabulary import LARGEST_M

RIGHT = {
    "car": ("car", "van"),
    "van": ("van", "car", "truck", "bus"),
    "truck": ("truck", "van"),
    "bus": ("bus",),
    "tram": ("tram", "train", "bus"),
    "trailer": ("trailer", "truck"),
    "construction vehicle": ("construction vehicle", "truck"),
    "person": ("person",),
    "person_sitting": ("person",),
    "pedestrian": ("person",),
    "cyclist": ("bicycle", "person", "cyclist"),
    "bicycle": ("bicycle",),
    "motorcycle": ("motorcycle",),
}
"""Kinds of labels that a detector has a name for, and the names that are right; other labels do not count here."""
_HIDDEN_SHARE = 0.5  # of a box that lies where nothing is labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A label as it is looked for: kind, level distance, bearing of its middle, half its width in degrees; whether it counts."""

    kind: str
    distance: float
    bearing_deg: float
    half_deg: float
    counts: bool


@dataclass(slots=True)
class Found:
    """What was found of labels, and what was found besides."""

    labels: int = 0
    found: int = 0
    misnamed: int = 0
    boxes: int = 0
    without_depth: int = 0
    claimed: int = 0
    twice: int = 0
    uncounted: int = 0
    false: int = 0
    distance: list[float] = field(default_factory=list)
    bearing: list[float] = field(default_factory=list)

    def row(self, what: str) -> dict[str, Any]:
        """Counts, and medians and worst of absolute errors."""
        worst = {"distance_m": self.distance, "bearing_deg": self.bearing}
        errors = {
            name: [round(float(f(np.abs(v))), 3) for f in (np.median, np.max)] if v else [None, None]
            for name, v in worst.items()
        }
        counts = ("labels", "found", "misnamed", "boxes", "without_depth", "claimed", "twice", "uncounted", "false")
        return {"what": what, **{name: getattr(self, name) for name in counts}, **errors}


def look_now(
    detector: Detector, clip: PosedClip, ordered: bool, unlabelled: Sequence[Sequence[float]]
) -> tuple[list[SeenBox], list[int]]:
    """Boxes of what is on a road in the frames of the last instant, and those frames.

    Args:
        detector: that is asked for all that it may be asked for.
        clip: in a driving world.
        ordered: its frames are one walk.
        unlabelled: regions in pixels; boxes that lie in them by more than half are left out.
    """
    usable = is_known(clip.k_px)
    frames = [f for f in instants(clip, ordered=ordered)[-1] if usable[f]]
    seen = [replace(one, frame=frames[one.frame]) for one in detector(clip.rgb[frames], ASKED)]
    seen = [one for one in seen if one.label.split()[-1] in ON_THE_ROAD]
    return [one for one in seen if not any(_share(one.box_px, other) > _HIDDEN_SHARE for other in unlabelled)], frames


def judge_seen(
    clip: PosedClip, ordered: bool, seen: Sequence[SeenBox], frames: Sequence[int], places: Sequence[Place], sums: Found
) -> list[str]:
    """Adds what boxes, lifted as of the last instant, have to do with labels; what was said of each, in words.

    A claim is of a label where it is in its direction and within 2 m or 10 % of its distance; each label has one claim, first
    those with a right name, and each claim one label.
    """
    facts = scene_facts(clip, sequence=ordered)
    things = lift_boxes(seen, clip, looked=frames, floor_z=facts.floor_z, largest_m=LARGEST_M)
    sums.boxes += len(seen)
    sums.without_depth += sum(
        lift_box(one, clip, facts.floor_z, LARGEST_M.get(one.label, np.inf)) is None for one in seen
    )
    said = drive(clip, facts, [one.found for one in things])
    claims = [one for one in said.distance_to_objects if one.name is not None]
    sums.claimed += len(claims)
    sums.labels += sum(one.counts for one in places)
    pairs = []
    for c, claim in enumerate(claims):
        for p, place in enumerate(places):
            off = claim.distance - place.distance
            near = abs(_turn(claim.bearing_deg - place.bearing_deg)) <= place.half_deg + 1
            if near and abs(off) <= max(2.0, 0.1 * place.distance):
                pairs.append((claim.name not in RIGHT.get(place.kind, ()), not place.counts, abs(off), c, p))
    words = ["false"] * len(claims)
    taken: set[int] = set()
    for wrong, uncounted, _, c, p in sorted(pairs):
        if words[c] != "false":
            continue
        claim, place = claims[c], places[p]
        if p in taken:
            words[c] = "twice"  # unless another label is there for it
            continue
        taken.add(p)
        words[c] = "uncounted" if uncounted else "misnamed" if wrong else "found"
        if words[c] == "found":
            sums.distance.append(claim.distance - place.distance)
            sums.bearing.append(_turn(claim.bearing_deg - place.bearing_deg))
    for word in words:
        setattr(sums, word, getattr(sums, word) + 1)
    return [
        f"{word}: {one.name} {one.confidence:.2f}, {one.distance:.1f} m, {one.bearing_deg:.1f} deg"
        for word, one in zip(words, claims, strict=True)
    ]


def draw_seen(clip: PosedClip, seen: Sequence[SeenBox], frames: Sequence[int], path: Path) -> None:
    """The frames of the last instant under each other: what the detector saw in red, what was lifted of it in blue."""
    height = clip.size_hw[0]
    picture = Image.fromarray(np.concatenate(list(clip.rgb[list(frames)])))
    pen = ImageDraw.Draw(picture)
    for one in seen:
        down = list(frames).index(one.frame) * height
        left, top, right, bottom = one.box_px
        pen.rectangle((left, top + down, right, bottom + down), outline="red", width=2)
        pen.text((left, top + down - 12), f"{one.label} {one.score:.2f}", fill="yellow")
        lifted = lift_box(one, clip)
        if lifted is None:
            continue
        corners = transform_points(inverse_rigid(clip.world_from_camera[one.frame]), box_corners(lifted.box))
        px, _ = project(corners, clip.k_px[one.frame])
        for a in range(8):
            for b in (a ^ 1, a ^ 2, a ^ 4):
                if b > a and np.isfinite(px[[a, b]]).all():
                    pen.line([(float(x), float(y) + down) for x, y in px[[a, b]]], fill="#40a0ff", width=1)
    picture.save(path)


def _share(box: Sequence[float], other: Sequence[float]) -> float:
    """Of a box that lies in another."""
    inside = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    return float(np.clip(inside, 0, None).prod() / max(np.prod(np.subtract(box[2:], box[:2])), 1e-9))


def _turn(degrees: float) -> float:
    return (degrees + 180) % 360 - 180
