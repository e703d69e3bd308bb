"""All questions that are true of a clip: every subtype asked in turn."""

import hashlib
from collections.abc import Iterator

import numpy as np

from video3d.data.questions.action import ACTION_GENERATORS
from video3d.data.questions.candidate import Candidate, Generator
from video3d.data.questions.captions import CAPTION_GENERATORS
from video3d.data.questions.grounding import GROUNDING_GENERATORS
from video3d.data.questions.layout import LAYOUT_GENERATORS
from video3d.data.questions.physics import PHYSICS_GENERATORS
from video3d.data.questions.relations import RELATION_GENERATORS
from video3d.data.truth import SceneTruth

GENERATORS: tuple[Generator, ...] = (
    *RELATION_GENERATORS,
    *LAYOUT_GENERATORS,
    *PHYSICS_GENERATORS,
    *ACTION_GENERATORS,
    *GROUNDING_GENERATORS,
    *CAPTION_GENERATORS,
)
"""One a subtype, in a fixed order."""


def candidates(truth: SceneTruth) -> Iterator[Candidate]:
    """Every question that is true and answerable of a clip; wordings are drawn by the clip's id, so they are always the same.

    Each subtype draws from a stream of its own: a change in one leaves the others' words as they were.
    """
    digest = hashlib.sha256(truth.clip_id.encode()).digest()
    seed = int.from_bytes(digest[:8], "little")
    for number, generator in enumerate(GENERATORS):
        yield from generator(truth, np.random.default_rng([seed, number]))
