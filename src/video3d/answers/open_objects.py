"""Objects that a detector of the user's finds by their names, beside those that the model finds."""

from collections.abc import Sequence

from video3d.answers.detected import ASKED, detect
from video3d.answers.facts import SceneFacts
from video3d.answers.named import SAME_IOU
from video3d.answers.named_question import mentions
from video3d.answers.references import plain
from video3d.answers.task import Asked
from video3d.answers.wishes import thing_names
from video3d.geometry.boxes import iou_3d_matrix
from video3d.geometry.lifted_boxes import NEAR, apart
from video3d.types import Detection, PosedClip
from video3d.types.detector import Detector
from video3d.vocabulary import normalise

_MOST_SAID = 6


def names_for(asked: Asked) -> tuple[str, ...]:
    """What a detector is asked for: the things that the query names, else all things of the vocabulary; in English.

    >>> from video3d.answers.task import understand
    >>> names_for(understand("find a path to the espresso machine")), names_for(understand("红色的椅子在哪里？"))
    (('espresso machine',), ('red chair',))
    >>> names_for(understand("Which is nearer to the camera, the chair or the espresso machine?"))
    ('chair', 'espresso machine')
    >>> len(names_for(understand("where can I put a vase?"))) > 200
    True
    """
    named: list[str] = []
    if asked.task == "navigation":
        named = [where for where in (asked.wishes.goal, asked.wishes.start) if isinstance(where, str)]
    elif asked.task == "scene":
        text = plain(asked.query)
        named = list(thing_names(text))
        known = [text[start:end] for start, end, _ in mentions(text)]
        named += [one for one in known if not any(one in name for name in named)]
    english = tuple(dict.fromkeys(name for said in named if (name := _english(said))))
    return english or ASKED


def found_by(
    detector: Detector, names: Sequence[str], clip: PosedClip, facts: SceneFacts, known: Sequence[Detection]
) -> tuple[tuple[Detection, ...], tuple[str, ...]]:
    """What a detector finds, lifted by depth, before what is known already and is not the same; and what is to be said of it.

    Args:
        detector: of things in pictures.
        names: what it is asked for.
        clip: with complete geometry.
        facts: of it: the floor.
        known: what else was found, in the same world.
    """
    detected = detect(detector, names, clip, facts.floor_z)
    if not detected.looked:
        return tuple(known), (f"objects: {detector.name} was not asked, for no frame has depth, a pose and intrinsics",)
    things = sorted((one.found for one in detected.at(clip.num_frames - 1)), key=lambda one: -one.score)
    what = f"{len(names)} names" if len(names) > _MOST_SAID else ", ".join(names)
    notes = [
        f"objects: {detector.name} was asked for {what} in {len(detected.looked)} frames; {len(detected.seen)} boxes, lifted by depth, are "
        f"{len(things)} things, as large as what was seen of them"
    ]
    if things and not clip.world.gravity_aligned:
        notes.append("objects: boxes that were lifted stand along the world's z, for which way is up is not known")
    return (*things, *_others(known, things)), tuple(notes)


def _others(known: Sequence[Detection], things: Sequence[Detection]) -> list[Detection]:
    """What is known and is none of the things."""
    if not known or not things:
        return list(known)
    shared = iou_3d_matrix([one.box for one in known], [one.box for one in things])

    def same(one: Detection, other: Detection) -> bool:
        return normalise(one.label) == normalise(other.label) and apart(one.box, other.box) <= NEAR

    return [
        one for i, one in enumerate(known) if shared[i].max() < SAME_IOU and not any(same(one, two) for two in things)
    ]


def _english(said: str) -> str:
    """A name in English, as it was said where it is English already; "" for one that is in no language that is known here."""
    if said.isascii():
        return said
    found = mentions(plain(said))
    return "" if not found else " ".join(filter(None, (found[0][2].color, found[0][2].category)))
