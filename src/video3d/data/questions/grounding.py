"""Grounding: a phrase, and the box of what it means; or "none" where nothing fits.

Phrases name a thing by its kind and colour, by what it stands on or is nearest to, or as the leftmost, nearest or tallest of its
kind. Of the things of a kind that a relational phrase chooses among, all must be seen well, and the chosen one by a clear margin.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from video3d import vocabulary
from video3d.data.questions.arrangement import bearing_deg, gap_m, is_still, upright_box
from video3d.data.questions.asking import MANY, ask
from video3d.data.questions.candidate import Candidate
from video3d.data.questions.confusion import colors_clash, confused, nameable
from video3d.data.questions.layout_place import box_answer, when_said
from video3d.data.questions.references import Reference, name_of, referable
from video3d.data.questions.relation_classes import support_chain
from video3d.data.questions.relations_world import still_named
from video3d.data.questions.visibility import ever_seen, seen_mask, well_seen
from video3d.data.questions.wording import Said, Wordings, at_most, pick, shuffled
from video3d.data.row import Answer, ShortText, Text
from video3d.data.truth import GROUND, ObjectTruth, SceneTruth

_FIND = Wordings(
    en=(
        "Find {a} {when}. Answer with its box in the world frame of the camera poses (metres, +z up), or none.",
        'Which 3D box, in the world frame of the camera poses, does "{a}" refer to {when}? Say none if there is no such thing.',
        "Ground this phrase in the scene {when}: {a}. Give a box in metres in the world frame of the poses (+z up), or none.",
        "Locate {a} {when}, as a box in the world frame in which the camera poses are given; none if it is not there.",
    ),
    zh=(
        "找出{when}的{a}，用相机位姿世界坐标系（米，+z向上）中的三维框回答；没有就答“没有”。",
        "{when}，“{a}”指的是哪个三维框（相机位姿的世界坐标系）？如果没有这样的东西，请回答“没有”。",
        "在场景中定位{when}的{a}：给出位姿世界坐标系（+z向上，单位米）中的框，不存在则答“没有”。",
    ),
)
_NONE: tuple[Answer, Text] = (
    ShortText(accept=["nothing", "there is none", "no such object"]),
    {"en": "none", "zh": "没有"},
)
_STILL = Said("in the video", "视频中")
# What one might look for in a clip of either kind without being told that it is there.
_SOUGHT: dict[str, str] = {
    "indoor": "chair, table, sofa, bed, bookcase, desk, floor lamp, piano, tv, laptop, potted plant, trash can, bottle, cup, book, ball, "
    "box, teddy bear, backpack, clock, picture, mirror, refrigerator, guitar, window, door, rug, pillow, vase, basket, stove, fan, "
    "telephone, umbrella, wardrobe, bathtub",
    "street": "car, bus, truck, van, bicycle, motorcycle, person, dog, traffic light, traffic sign, traffic cone, bench, tree, "
    "fire hydrant, mailbox, street lamp, crossing, bus stop, cyclist, bollard, tram",
}


def phrase(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """The box of a thing named by its kind, or by its colour and kind."""
    for a in at_most(rng, list(referable(truth).values()), MANY):
        when = when_said(truth, a.object_id)
        if when is not None:
            yield _found(truth, rng, "grounding.phrase", Said(a.en, a.zh), truth.object(a.object_id), when, (a,))


def _found(
    truth: SceneTruth,
    rng: np.random.Generator,
    subtype: str,
    said: Said,
    thing: ObjectTruth,
    when: Said,
    about: Sequence[Reference],
    at: int | None = None,
) -> Candidate:
    if at is None:
        asked = ask(
            truth,
            rng,
            subtype,
            _FIND,
            box_answer(thing.box()),
            thing.category,
            about=about,
            frame="world",
            a=said,
            when=when,
        )
    else:
        answer = box_answer(thing.box(at))
        asked = ask(
            truth, rng, subtype, _FIND, answer, thing.category, about=about, at=at, frame="world", a=said, when=when
        )
    return asked


def _kinds(truth: SceneTruth) -> list[tuple[str, list[ObjectTruth]]]:
    """Categories of which two to five still things are seen well, and none badly, and nothing seen passes for one."""
    kinds = []
    for category in sorted({o.category for o in truth.objects}):
        same = [o for o in truth.objects if o.category == category]
        alike = [o for o in truth.objects if o.category != category and confused(o.category, category)]
        clear = all(well_seen(truth, o.object_id) and is_still(truth, o.object_id) for o in same)
        if (
            nameable(category)
            and 2 <= len(same) <= 5
            and clear
            and not any(ever_seen(truth, o.object_id) for o in alike)
        ):
            kinds.append((category, same))
    return kinds


def _reference(thing: ObjectTruth) -> Reference:
    named = name_of(thing.category) or (thing.category, thing.category)
    measure = vocabulary.category(thing.category).measure_zh
    return Reference(
        object_id=thing.object_id,
        en=f"the {named[0]}",
        zh=named[1],
        bare_en=named[0],
        measure=measure,
        category=thing.category,
    )


def relational(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """One of several of a kind, told by an anchor: nearest to it (next 0.4 m and 30 % farther), farthest from it, or on it."""
    anchors = still_named(truth)
    for category, same in _kinds(truth):
        en, zh = name_of(category) or (category, category)
        others = [r for r in anchors if not confused(r.category, category)]
        for anchor in at_most(rng, others, 3):
            box = truth.object(anchor.object_id).box()
            on = [o for o in same if o.supported_by == anchor.object_id]
            chained = [o for o in same if anchor.object_id in support_chain(truth, o.object_id)]
            if len(on) == 1 == len(chained):
                said = Said(f"the {en} on {anchor.en}", f"{anchor.zh}上的{zh}")
                about = (_reference(on[0]), anchor)
                yield _found(truth, rng, "grounding.relational", said, on[0], _STILL, about)
            gaps = np.array([gap_m(o.box(), box) for o in same])
            farthest = bool(rng.integers(2))
            order = np.argsort(-gaps if farthest else gaps)
            near, far = sorted((float(gaps[order[0]]), float(gaps[order[1]])))
            if far - near < max(0.4, 0.3 * near):
                continue
            degree = _degree(len(same), farthest)
            said = Said(f"the {en} {degree.en} {anchor.en}", f"离{anchor.zh}{degree.zh}的{zh}")
            chosen = same[int(order[0])]
            yield _found(truth, rng, "grounding.relational", said, chosen, _STILL, (_reference(chosen), anchor))


def _degree(count: int, farthest: bool) -> Said:
    if count == 2:
        return Said("farther from", "较远") if farthest else Said("nearer to", "较近")
    return Said("farthest from", "最远") if farthest else Said("nearest to", "最近")


def superlative(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """The leftmost or rightmost (8 degrees), tallest (20 %) or largest (60 % by volume) of its kind."""
    at = truth.num_frames - 1
    for category, same in _kinds(truth):
        en, zh = name_of(category) or (category, category)
        # Which is leftmost is told by the last frame, which must show them all.
        if all(bool(seen_mask(truth, o.object_id)[at]) for o in same):
            bearings = [bearing_deg(truth, at, o.box(at).center_world) for o in same]
            known = [b for b in bearings if b is not None]
            order = np.argsort(known)[::-1]
            for rank, word, chinese in ((0, "leftmost", "最左边"), (-1, "rightmost", "最右边")):
                step = 1 if rank == 0 else -2
                if len(known) == len(same) and abs(known[order[rank]] - known[order[step]]) > 8:
                    said = Said(f"the {word} {en} as the camera sees it", f"从相机看{chinese}的{zh}")
                    chosen = same[int(order[rank])]
                    when = Said("in the last frame", "最后一帧中")
                    yield _found(truth, rng, "grounding.superlative", said, chosen, when, (_reference(chosen),), at)
        extents = [upright_box(o.box())[1] for o in same]
        measures = (
            ([float(e[2]) for e in extents], 1.2, ("tallest", "taller"), ("最高", "较高")),
            ([float(e.prod()) for e in extents], 1.6, ("largest", "larger"), ("最大", "较大")),
        )
        for values, margin, english, chinese_words in measures:
            order = np.argsort(values)[::-1]
            if values[int(order[0])] >= margin * values[int(order[1])]:
                word = int(len(same) == 2)
                said = Said(f"the {english[word]} {en}", f"{chinese_words[word]}的{zh}")
                chosen = same[int(order[0])]
                yield _found(truth, rng, "grounding.superlative", said, chosen, _STILL, (_reference(chosen),))


def none(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """Phrases that nothing in the clip fits: a kind that is not there, a colour that none of its kind has, a wrong support."""
    if not truth.complete:
        return
    absent = [
        c
        for c in _SOUGHT[truth.domain].split(", ")
        if nameable(c) and not any(confused(o.category, c) or c in o.category or o.category in c for o in truth.objects)
    ]
    for category in at_most(rng, absent, 3):
        named = name_of(category)
        if named is not None:
            yield _nothing(truth, rng, Said(f"the {named[0]}", named[1]), f"kind_{category}")
    yield from _wrong_color(truth, rng)
    yield from _wrong_support(truth, rng)


def _nothing(truth: SceneTruth, rng: np.random.Generator, said: Said, group: str) -> Candidate:
    from dataclasses import replace

    made = ask(truth, rng, "grounding.none", _FIND, _NONE, "none", about=(), frame="world", a=said, when=_STILL)
    frames = tuple(range(truth.num_frames))  # that something is not there, only all frames together show
    return replace(made, evidence_frames=frames, group=f"{made.subtype}:{group.replace(' ', '_')}")


def _wrong_color(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    colors = sorted({o.color for o in truth.objects if o.color is not None} | {"red", "blue", "green", "yellow"})
    for a in at_most(rng, list(referable(truth).values()), MANY):
        thing = truth.object(a.object_id)
        alike = [o for o in truth.objects if confused(o.category, thing.category)]
        fitting = [c for c in colors if thing.color is not None and not any(colors_clash(c, o.color) for o in alike)]
        named = name_of(thing.category, pick(rng, fitting)) if fitting else None
        if named is not None:
            yield _nothing(truth, rng, Said(f"the {named[0]}", named[1]), f"color_{a.object_id}")


def _wrong_support(truth: SceneTruth, rng: np.random.Generator) -> Iterable[Candidate]:
    """For example "the book on the chair" where the only book is on the table: the chair carries nothing that passes for a book."""
    named = list(referable(truth).values())
    carriers = {o.supported_by for o in truth.objects} - {None, GROUND}
    small = [r for r in named if truth.object(r.object_id).supported_by in carriers]
    bases = [r for r in named if r.object_id in carriers]
    for a in at_most(rng, small, 3):
        chain = support_chain(truth, a.object_id)
        free = [
            b
            for b in shuffled(rng, bases)
            if b.object_id not in chain
            and b is not a
            and not any(
                confused(o.category, a.category) and b.object_id in support_chain(truth, o.object_id)
                for o in truth.objects
            )
            and gap_m(truth.object(a.object_id).box(), truth.object(b.object_id).box()) > 0.2
        ]
        if free:
            said = Said(f"{a.en} on {free[0].en}", f"{free[0].zh}上的{a.zh}")
            yield _nothing(truth, rng, said, f"support_{a.object_id}")


GROUNDING_GENERATORS = (phrase, relational, superlative, none)
