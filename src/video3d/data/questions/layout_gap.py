"""Gaps between things on the floor: how wide they are, and what fits through them."""

from collections.abc import Iterable
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from video3d.data.questions.arrangement import floor_gap_m, footprint, z_interval
from video3d.data.questions.asking import MANY, ask
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.layout_metric import bin_of
from video3d.data.questions.references import Reference
from video3d.data.questions.relations_world import FLAT, still_named
from video3d.data.questions.wording import Wordings, number, pick, shuffled, yes_no
from video3d.data.truth import GROUND, SceneTruth
from video3d.geometry.rigid import is_known
from video3d.types import Box3D

_WIDTHS_M = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

_GAP = Wordings(
    en=(
        "How wide is the free gap between {a} and {b} on the floor, in metres?",
        "What is the width of the passage between {a} and {b}, in metres?",
        "How many metres of free floor are there between {a} and {b} where they are closest?",
        "How broad is the opening between {a} and {b}, in metres?",
    ),
    zh=(
        "{a}和{b}之间的空隙有多宽（米）？",
        "{a}与{b}之间的通道宽多少米？",
        "{a}和{b}最近处之间的空地有多少米？",
    ),
)
_FIT = Wordings(
    en=(
        "Could a robot {width} m wide pass between {a} and {b}?",
        "Would a robot that is {width} m wide fit through the gap between {a} and {b}?",
        "Is there room for a {width} m wide robot to drive between {a} and {b}?",
        "Can a cart {width} m wide be pushed between {a} and {b}?",
    ),
    zh=(
        "一个{width}米宽的机器人能从{a}和{b}之间通过吗？",
        "{a}和{b}之间的空隙够一个{width}米宽的机器人通过吗？",
        "宽{width}米的推车能从{a}和{b}之间推过去吗？",
    ),
)


def _standing(truth: SceneTruth) -> list[Reference]:
    return [
        r
        for r in still_named(truth)
        if truth.object(r.object_id).supported_by == GROUND and truth.object(r.object_id).kind != "structure"
    ]


def _nearest_on_floor(a: Box3D, b: Box3D) -> tuple[Float64[np.ndarray, "2"], Float64[np.ndarray, "2"]]:
    """The nearest points of two footprints that do not meet: a corner of one and a point on an edge of the other."""
    best, points = np.inf, (a.center_world[:2], b.center_world[:2])
    for first, second, swap in ((footprint(a), footprint(b), False), (footprint(b), footprint(a), True)):
        edges = np.roll(second, -1, axis=0) - second
        offset = first[:, None] - second[None]  # corners edges 2
        share = np.clip((offset * edges).sum(-1) / (edges * edges).sum(-1), 0, 1)
        foot = second + share[..., None] * edges
        away = np.linalg.norm(first[:, None] - foot, axis=-1)
        i, j = np.unravel_index(int(away.argmin()), away.shape)
        if away[i, j] < best:
            best = float(away[i, j])
            points = (foot[i, j], first[i]) if swap else (first[i], foot[i, j])
    return points


def _clear_between(truth: SceneTruth, a: Reference, b: Reference) -> bool:
    """Whether nothing else stands in the gap between two things."""
    start, end = _nearest_on_floor(truth.object(a.object_id).box(), truth.object(b.object_id).box())
    along = end - start
    length = float(np.linalg.norm(along))
    heading = np.arctan2(along[1], along[0])
    c, s = np.cos(heading), np.sin(heading)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    middle = np.append((start + end) / 2, 0.0)
    passage = Box3D(center_world=middle, size_m=np.array([length, 0.6, 1.0]), world_from_box=turn)
    for thing in truth.objects:
        if thing.object_id in (a.object_id, b.object_id) or thing.category in FLAT:
            continue
        if not bool(is_known(thing.world_from_object[-1])):
            return False
        box = thing.box()
        if z_interval(box)[0] < 1.0 and floor_gap_m(box, passage) < 0.02:
            return False
    return True


def gap(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Width of the free gap between two things on the floor; whether a robot of a width fits through.

    The width differs from the gap by 25 % or more, either way with equal chance.
    """
    made = 0
    for pair in shuffled(rng, list(combinations(_standing(truth), 2))):
        a, b = shuffled(rng, pair)
        value = floor_gap_m(truth.object(a.object_id).box(), truth.object(b.object_id).box())
        if not truth.complete or not 0.2 < value < 3 or made >= MANY // 2 or not _clear_between(truth, a, b):
            continue
        made += 1
        answer = number(value, "m", max(0.12, 0.15 * value), digits=2 if value < 1 else 1)
        key = bin_of(value, 0.5, 0.8, 1.2, 2.0)
        yield ask(truth, rng, "layout.gap", _GAP, answer, key, about=(a, b), a=a, b=b)
        # Widths and gaps are of the same few sizes, so that neither a width nor the answer tells the other.
        fits = bool(rng.integers(2))
        widths = [w for w in _WIDTHS_M if (value >= 1.25 * w if fits else w >= 1.25 * value)]
        if widths and value < 1.1:
            width = f"{pick(rng, widths):.1f}"
            answer, key = yes_no(fits, ("能", "不能")), "yes" if fits else "no"
            yield ask(truth, rng, "layout.fit", _FIT, answer, key, about=(a, b), a=a, b=b, width=width)
