"""References: words that single out one object for a person who sees the frames shown.

``refer`` gives "the chair" if nothing else in the whole clip could be called a chair, "the red ball" if only its colour tells
it apart, and None otherwise. Things not seen count too: a second chair outside the picture makes "the chair" doubtful as soon as
somebody knows the room.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from video3d import vocabulary
from video3d.data.questions.confusion import colors_clash, confused, nameable
from video3d.data.questions.visibility import MIN_FRAMES, ever_seen, well_seen
from video3d.data.truth import SceneTruth

_UPPER = {"tv": "TV", "tv stand": "TV stand", "dvd player": "DVD player", "rubik's cube": "Rubik's cube"}
_UPPER["christmas tree"] = "Christmas tree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Words for one object; fits the slots of ``wording.Wordings``.

    Attributes:
        object_id: whom it means.
        en: with its article: ``the red ball``.
        zh: ``红色的球``.
        bare_en: without article: ``red ball``.
        measure: Chinese measure word, for "一个红色的球".
        category: as in the truth.
        colored: the colour was needed.
    """

    object_id: int
    en: str
    zh: str
    bare_en: str
    measure: str
    category: str
    colored: bool = False


TWO_COLORED = frozenset({"truck"})
"""Kinds whose parts have colours of their own: a blue cab hides the white box behind it, and nobody knows which is meant."""


def name_of(category: str, color: str | None = None) -> tuple[str, str] | None:
    """Bare words in both languages, or None where the vocabulary has none.

    >>> name_of("ball", "red"), name_of("flux capacitor")
    (('red ball', '红色的球'), None)
    """
    try:
        entry = vocabulary.category(category)
        shade = None if color is None else vocabulary.color(color)
    except KeyError:
        return None
    en = _UPPER.get(entry.name, entry.name)
    return (en, entry.zh) if shade is None else (f"{shade.name} {en}", f"{shade.zh}的{entry.zh}")


def refer(
    truth: SceneTruth, object_id: int, *, frames: Sequence[int] | None = None, min_frames: int = MIN_FRAMES
) -> Reference | None:
    """Words that single out an object, or None where there are none or it is not seen well enough.

    Args:
        truth: the clip's.
        object_id: whom to name.
        frames: frames that must each show it well; None asks only for ``min_frames`` frames anywhere in the clip.
        min_frames: frames that must show it well overall; 0 turns the test of visibility off.
    """
    thing = truth.object(object_id)
    if not nameable(thing.category):
        return None
    if min_frames > 0 and not well_seen(truth, object_id, frames=frames, min_frames=min_frames):
        return None
    rivals = [o for o in truth.objects if o.object_id != object_id and confused(o.category, thing.category)]
    color = None
    if rivals:
        # A rival that is never seen and has no one colour cannot be taken for "the red one" on the screen.
        doubtful = [o for o in rivals if o.color is not None or ever_seen(truth, o.object_id)]
        if (
            thing.color is None
            or thing.category in TWO_COLORED
            or any(colors_clash(thing.color, o.color) for o in doubtful)
        ):
            return None
        color = thing.color
    named = name_of(thing.category, color)
    if named is None:
        return None
    return Reference(
        object_id=object_id,
        en=f"the {named[0]}",
        zh=named[1],
        bare_en=named[0],
        measure=vocabulary.category(thing.category).measure_zh,
        category=thing.category,
        colored=color is not None,
    )


def referable(
    truth: SceneTruth, *, frames: Sequence[int] | None = None, min_frames: int = MIN_FRAMES
) -> dict[int, Reference]:
    """All objects that can be singled out, in the order of ``truth.objects``."""
    found = {o.object_id: refer(truth, o.object_id, frames=frames, min_frames=min_frames) for o in truth.objects}
    return {object_id: reference for object_id, reference in found.items() if reference is not None}
