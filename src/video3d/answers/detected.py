"""What a detector sees in a scene, in the world, and how that and what patches vote for become one way of finding things by name.

    boxes in frames ─▶ things, lifted by depth ─┐
    patches ─▶ votes ─▶ things ─────────────────┴─▶ one list, one way to find by name

Both may see the same thing. Where they agree on what it is, votes give its box, for a head that was trained on whole boxes knows of
the half that is not seen, and the surer one its score. Where they do not, the detector is believed: it has seen photographs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from video3d.answers.driving_ego import INSTANT_S
from video3d.answers.named import SAME_IOU, Finders, Sight
from video3d.answers.named_question import Mention
from video3d.answers.named_say import Located
from video3d.geometry.boxes import iou_3d
from video3d.geometry.lifted_boxes import NEAR, LiftedThing, apart, lift_boxes
from video3d.geometry.rigid import is_known
from video3d.types import Box3D, PosedClip
from video3d.types.detector import Detector, KnowsItsNames, SeenBox, even_frames
from video3d.vocabulary import BROADER, CATEGORIES, LARGEST_M, MOVING, category, normalise

_STAGED = {one.name for one in CATEGORIES if one.kind == "experiment"} - {"ball"}  # ramps, dominoes, ...
ASKED = tuple(one.name for one in CATEGORIES if one.name not in _STAGED and (one.kind != "structure" or one.countable))
"""All that a detector may be asked for."""
SURE_OF_IT, SURE_OF_MOVING = 0.7, 0.4
"""``LiftedThing.sure`` from which a thing that nobody asked for is believed to be there; what may move has a few frames to show it."""
SURE_OF_PLACE = 0.95
"""From which what is seen somewhere is nothing else, whatever votes say (docs/results/objects.md)."""
WORKS_FROM = 4
"""Kinds of things that a detector must surely see before what it does not see counts. The embedded one, for which simulated pictures are no
photographs, surely sees so many in 6 of 120 simulated training clips, three in 21 and two in 54; where it sees four, 17 of the 180 names that
it called absent were in the clip."""
_SURER = 0.8  # than votes, which believe it elsewhere


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detected:
    """What a detector sees in a scene.

    Attributes:
        clip: the scene's, in whose world things are.
        looked: positions in it of the frames that were looked at.
        floor_z: height of the floor; None: not known.
        things: that stay where they are, the surest first.
        seen: all boxes, frames being positions in the clip.
        known: of the names that it was asked for, those that it has learned; none for a detector that sees whatever it is asked for.
        overlooked: of these, those whose things it may miss in plain sight.
    """

    clip: PosedClip
    looked: tuple[int, ...]
    floor_z: float | None
    things: tuple[LiftedThing, ...]
    seen: tuple[SeenBox, ...]
    known: frozenset[str] = frozenset()
    overlooked: frozenset[str] = frozenset()

    @property
    def moving(self) -> tuple[SeenBox, ...]:
        """Boxes of what may be elsewhere in another frame."""
        return tuple(one for one in self.seen if _moves(one.label))

    def at(self, position: int) -> tuple[LiftedThing, ...]:
        """All things as of a frame: those that may move as they are at the nearest instant that was looked at."""
        if not self.looked:
            return self.things
        nearest = min(self.looked, key=lambda frame: (abs(frame - position), frame))
        frames = [frame for frame in self.looked if _one_instant(self.clip, frame, nearest)]
        seen = [one for one in self.moving if one.frame in frames]
        largest = {one.label: LARGEST_M.get(normalise(one.label) or "", np.inf) for one in seen}
        here = lift_boxes(seen, self.clip, looked=frames, floor_z=self.floor_z, largest_m=largest)
        return _surest((*self.things, *here))

    def sight(self, name: str) -> Sight | None:
        """What it makes of a name that it knows, where other kinds of things that it surely sees show that it works on such pictures."""
        if name not in self.known or not self.looked:
            return None
        sure = {one.found.label for one in self.things if one.sure >= SURE_OF_IT}
        sure |= {one.label for one in self.moving if one.score >= SURE_OF_IT}
        if len({label for label in sure if not _alike(label, name)}) < WORKS_FROM:
            return None
        alike = [one for one in self.seen if _alike(one.label, name)]
        if not alike:
            return Sight("overlooks" if name in self.overlooked else "absent")
        own = [
            one for one in alike if name in (one.label, BROADER.get(one.label))
        ]  # a chair may be an armchair, or not
        if not own:
            return None
        best = max(own, key=lambda one: one.score)
        return Sight("glimpse", best.frame, best.score)


def looked_at(clip: PosedClip, most: int) -> list[int]:
    """Positions in the clip of frames that have depth, a pose and intrinsics: at most so many, evenly spread, and all of the last instant."""
    usable = (clip.piece == 0) & is_known(clip.world_from_camera) & is_known(clip.k_px)
    frames = [i for i in np.flatnonzero(usable).tolist() if np.isfinite(clip.depth_m[i]).any()]
    if not frames:
        return []
    even = set(even_frames(frames, most))
    return sorted(even | {frame for frame in frames if _one_instant(clip, frame, frames[-1])})


def _one_instant(clip: PosedClip, frame: int, other: int) -> bool:
    """Whether two frames are of one rig's instant, or so near in time that little has moved."""
    return frame == other or bool(abs(clip.time_s[frame] - clip.time_s[other]) <= INSTANT_S)


def detect(detector: Detector, names: Sequence[str], clip: PosedClip, floor_z: float | None) -> Detected:
    """What a detector sees of some names.

    Args:
        detector: of things in pictures.
        names: that it is asked for.
        clip: with complete geometry.
        floor_z: height of the floor; None: not known.
    """
    frames = looked_at(clip, detector.most_frames)
    seen = [replace(one, frame=frames[one.frame]) for one in detector(clip.rgb[frames], names)] if frames else []
    still = [one for one in seen if not _moves(one.label)]
    things = _surest(lift_boxes(still, clip, looked=frames, floor_z=floor_z))
    known = overlooked = frozenset[str]()
    if isinstance(detector, KnowsItsNames):
        known = frozenset(name for name in names if detector.knows(name))
        overlooked = frozenset(name for name in known if detector.overlooks(name))
    return Detected(
        clip=clip,
        looked=tuple(frames),
        floor_z=floor_z,
        things=things,
        seen=tuple(seen),
        known=known,
        overlooked=overlooked,
    )


def joined(find: Finders, detected: Detected) -> Finders:
    """One way to find things by name, of what patches vote for and what a detector sees.

    Args:
        find: by votes.
        detected: by the detector, in the same world.
    """
    last = detected.clip.num_frames - 1

    def locate(asked: Sequence[Mention], position: int) -> list[Located | None]:
        seen = detected.at(position)
        return [_one(thing, voted, seen) for thing, voted in zip(asked, find.locate(asked, position), strict=True)]

    def count(name: str | None) -> tuple[tuple[str, Located], ...]:
        every = together(find.count(None), detected.at(last))
        return tuple((label, place) for label, place in every if name in (None, label, BROADER.get(label)))

    return Finders(locate, count, find.follow, detected.sight)


def together(voted: Sequence[tuple[str, Located]], seen: Sequence[LiftedThing]) -> tuple[tuple[str, Located], ...]:
    """Names and places of all things, the surest first; what both see is there once.

    Args:
        voted: what votes agree on.
        seen: by a detector, the surest first.
    """
    left = dict(enumerate(voted))
    found: list[tuple[str, Located]] = []
    for thing in seen:
        label = normalise(thing.found.label) or thing.found.label
        if thing.sure < (SURE_OF_MOVING if _moves(label) else SURE_OF_IT):
            continue
        place = Located(box=thing.found.box, score=thing.sure, frames=thing.frames)
        same = [at for at, (name, other) in left.items() if _same(other.box, place.box, alike=_alike(name, label))]
        agreeing = [at for at in same if _alike(left[at][0], label)]
        if agreeing:
            name, other = left.pop(min(agreeing, key=lambda at: apart(left[at][1].box, place.box)))
            found.append((name, replace(other, score=max(other.score, place.score))))
        elif not same or thing.sure >= SURE_OF_PLACE:
            left = {at: one for at, one in left.items() if at not in same}
            found.append((label, place))
    return tuple(sorted((*found, *left.values()), key=lambda one: -one[1].score))


def _one(thing: Mention, voted: Located | None, seen: Sequence[LiftedThing]) -> Located | None:
    """Where a named thing is: what is seen of its name, at the place that votes say where they say one."""
    named = [one for one in seen if _alike(one.found.label, thing.category)]
    if voted is not None:
        agreeing = [one for one in named if _same(voted.box, one.found.box, alike=True)]
        if agreeing:
            return replace(voted, score=max(voted.score, *(one.sure for one in agreeing)))
        others = (one for one in seen if one.sure >= SURE_OF_PLACE and not _alike(one.found.label, thing.category))
        if any(iou_3d(voted.box, one.found.box) > SAME_IOU for one in others):
            voted = None  # what is there is something else
    if not named or thing.color is not None:  # a detector does not say which of two chairs is the red one
        return voted
    place = Located(box=named[0].found.box, score=named[0].sure, frames=named[0].frames)
    return place if voted is None or place.score >= max(voted.score, _SURER) else voted


def _surest(things: Sequence[LiftedThing]) -> tuple[LiftedThing, ...]:
    return tuple(sorted(things, key=lambda one: -one.sure))


def _moves(name: str) -> bool:
    known = normalise(name)
    return known is not None and category(known).kind in MOVING


def _alike(name: str, other: str) -> bool:
    """Whether two names may be of one thing: they are the same, or one is a sort of the other.

    >>> _alike("armchair", "chair"), _alike("sofa", "chair"), _alike("office chair", "armchair")
    (True, False, False)
    """
    return name == other or BROADER.get(name) == other or BROADER.get(other) == name


def _same(a: Box3D, b: Box3D, *, alike: bool) -> bool:
    return iou_3d(a, b) > SAME_IOU or (alike and apart(a, b) <= NEAR)
