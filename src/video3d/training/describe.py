"""What stands where, as questions and answers from a clip's truth: how scene tokens become words before anything harder is asked.

A caption names ten things in a hundred words and says of few where they are. These ask of one thing or one place at a time:
"What is at (1.2, 0.4, 0.5)?" "A chair." Only of things that are seen, stay where they are, and are the only ones of their name.
"""

import zlib
from collections import Counter

import numpy as np

from video3d.data.questions.arrangement import is_still
from video3d.data.questions.confusion import nameable
from video3d.data.questions.references import name_of
from video3d.data.questions.visibility import ever_seen
from video3d.data.questions.wording import article, capitalized
from video3d.data.truth import ObjectTruth, SceneTruth


def described(truth: SceneTruth, most: int, seed: int) -> list[tuple[str, str]]:
    """At most so many questions and answers, drawn by the seed and the clip; places in metres in the clip's world.

    Args:
        truth: of the clip.
        most: of them.
        seed: of what is drawn.
    """
    rng = np.random.default_rng([seed, zlib.crc32(truth.clip_id.encode())])
    seen = [thing for thing in truth.objects if ever_seen(truth, thing.object_id)]
    names = Counter(thing.category for thing in seen)
    alone = [
        thing
        for thing in seen
        if names[thing.category] == 1 and nameable(thing.category) and is_still(truth, thing.object_id)
    ]
    told = [pair for thing in alone for pair in _of(thing)]
    return [told[at] for at in rng.permutation(len(told))[:most]]


def _of(thing: ObjectTruth) -> list[tuple[str, str]]:
    named = name_of(thing.category)
    if named is None:
        return []
    x, y, z = (round(float(value), 1) + 0.0 for value in thing.world_from_object[-1, :3, 3])
    place = f"({x:.1f}, {y:.1f}, {z:.1f}) m"
    return [
        (f"What is at {place}?", f"{capitalized(article(named[0]))}."),
        (f"Where is the middle of the {named[0]}?", f"At {place}."),
    ]
