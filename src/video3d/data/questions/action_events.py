"""Action of movers: what happens next, whether something is about to happen, what is touched next, what happened first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from video3d.data.questions.candidate import Candidate
from video3d.data.questions.events import MARGIN_S, last_shown_s, next_touch, settled, still_at, touching
from video3d.data.questions.movers import (
    GROUND_WORDS,
    Mover,
    around,
    asked_span_s,
    in_the_way,
    key_of,
    made,
    movers,
    seconds,
    will,
    words_for,
)
from video3d.data.questions.physics_motion import next_places
from video3d.data.questions.references import Reference, referable
from video3d.data.questions.visibility import seen_mask
from video3d.data.questions.wording import Bilingual, Said, Wordings, at_most, choice
from video3d.data.truth import GROUND, WALL, Rollout, SceneTruth

_NEXT_EVENT = Wordings(
    en=(
        "What happens next to {a}, within {t} of the last frame?",
        "What happens first to {a} in the {t} after the last frame?",
        "Which of these is the next thing that {a} does in the {t} after the video ends?",
        "In the {t} after the last frame, which of these events involving {a} comes next?",
    ),
    zh=(
        "接下来{t}内，{a}会发生什么？",
        "最后一帧之后{t}内，{a}首先会怎样？",
        "视频结束后的{t}里，下列哪件事会接着发生在{a}身上？",
    ),
)
_ABOUT_TO = Wordings(
    en=(
        "Is this about to happen within {t} of the last frame: {e}?",
        "In the {t} after the last frame, does the following happen: {e}?",
        "Will it happen within {t} after the video ends that {e}?",
        "Is it going to happen in the next {t} that {e}?",
    ),
    zh=(
        "最后一帧之后{t}内，会发生这件事吗：{e}？",
        "接下来{t}内，下面的事会发生吗：{e}？",
        "视频结束后的{t}里，会出现{e}的情况吗？",
    ),
)
_NEXT_CONTACT = Wordings(
    en=(
        "What does {a} touch next, after the last frame?",
        "After the video ends, which of these is the next thing that {a} comes into contact with?",
        "Which of these will {a} touch next?",
        "With what does {a} make its next new contact?",
    ),
    zh=(
        "最后一帧之后，{a}接下来会碰到什么？",
        "视频结束后，{a}下一个接触到的是下列哪一个？",
        "{a}接着会碰上哪一个？",
    ),
)
_NEXT_PLACE = Wordings(
    en=(
        "Which of these will {a} be nearest to {t} after the last frame?",
        "{t} after the video ends, which of these is {a} closest to?",
        "Where will {a} be {t} later: next to which of these?",
        "In {t}, {a} will be closest to which of these?",
    ),
    zh=(
        "最后一帧之后{t}，{a}会离下列哪个物体最近？",
        "视频结束{t}后，{a}最靠近哪一个？",
        "再过{t}，{a}会在下列哪个物体旁边？",
    ),
)
_ORDER = Wordings(
    en=(
        "Which of these happens first in the video?",
        "In the frames shown, which of these comes first?",
        "Which of the two happens earlier in this video?",
        "Put in order of time: which of these is first?",
    ),
    zh=(
        "视频中下列哪件事先发生？",
        "在所示画面里，哪一件事更早发生？",
        "按时间顺序，下列哪件事在前？",
    ),
)

Kind = Literal["hit", "leave", "land", "stop", "on"]


@dataclass(frozen=True, slots=True)
class Event:
    """What a mover does next: hits something, leaves what carries it for the floor, lands on the floor, stops, or goes on."""

    kind: Kind
    other_id: int = GROUND


def next_event_of(truth: SceneTruth, rollout: Rollout, mover: Mover, span_s: float) -> tuple[Event, float] | None:
    """A mover's next event and how long after the last frame; None where it is too soon, too late or two come at once."""
    now = last_shown_s(truth)
    support = mover.thing.supported_by
    found: list[tuple[float, Event]] = []
    for contact in rollout.contacts:
        if mover.object_id not in (contact.first_id, contact.second_id) or not now < contact.begin_s <= now + span_s:
            continue
        other = contact.second_id if contact.first_id == mover.object_id else contact.first_id
        if touching(rollout, mover.object_id, other, now):
            continue
        if other != GROUND:
            found.append((contact.begin_s - now, Event("hit", other)))
        elif support is not None and support > 0:
            found.append((contact.begin_s - now, Event("leave", support)))
        else:
            found.append((contact.begin_s - now, Event("land")))
    for wait in np.arange(0.3, span_s + 1e-9, 0.1):
        if still_at(rollout, mover.column, now + float(wait)) is True:
            found.append((float(wait) - 0.3, Event("stop")))
            break
    if not found:
        return Event("on"), span_s
    found.sort(key=lambda item: item[0])
    if found[0][0] < 0.1 or found[0][0] > span_s - MARGIN_S:
        return None
    if len(found) > 1 and found[1][0] - found[0][0] < 0.12 and found[1][1].kind != "stop":
        return None
    return found[0][1], found[0][0]


def sentence(truth: SceneTruth, mover: Mover, event: Event, said: dict[int, Reference]) -> Said | None:
    """An event as a sentence, without a capital or a full stop; None where its partner has no words."""
    a = mover.said
    floor = GROUND_WORDS[truth.domain]
    if event.kind == "hit":
        b = words_for(truth, event.other_id, said)
        return None if b is None else Said(f"{a.en} hits {b.en}", f"{a.zh}碰到{b.zh}")
    if event.kind == "leave":
        b = said.get(event.other_id)
        return None if b is None else Said(f"{a.en} leaves {b.en} for {floor.en}", f"{a.zh}离开{b.zh}落到{floor.zh}上")
    if event.kind == "land":
        return Said(f"{a.en} lands on {floor.en}", f"{a.zh}落到{floor.zh}上")
    if event.kind == "stop":
        return Said(f"{a.en} comes to a stop without touching anything new", f"{a.zh}没有碰到别的东西就停下来")
    return Said(f"{a.en} keeps moving without touching anything new", f"{a.zh}继续运动，没有碰到别的东西")


def _thinkable(truth: SceneTruth, mover: Mover, said: dict[int, Reference]) -> list[Event]:
    """What a viewer might expect a mover to do."""
    events = [Event("hit", i) for i in in_the_way(truth, mover, said, within_deg=75.0)[:3]]
    support = mover.thing.supported_by
    if support is not None and support > 0:
        events.append(Event("leave", support))
    elif support is None and mover.thing.motion == "dynamic":
        events.append(Event("land"))
    if truth.room is not None:
        events.append(Event("hit", WALL))
    return [*events, Event("stop"), Event("on")]


def next_event(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """What happens next to a mover, among things that might."""
    span = asked_span_s(truth)
    if span is None:
        return
    said = referable(truth)
    for mover in movers(truth, colliding=True):
        event = settled(truth, lambda r, m=mover: _event_only(truth, r, m, span))
        right = None if event is None else sentence(truth, mover, event, said)
        if event is None or right is None:
            continue
        others = [
            e for e in _thinkable(truth, mover, said) if e != event and sentence(truth, mover, e, said) is not None
        ]
        offered = [event, *at_most(rng, others, 3)]
        if len(offered) < 4:
            continue
        words = [w for e in offered if (w := sentence(truth, mover, e, said)) is not None]
        yield made(
            truth,
            "action.next_event",
            _NEXT_EVENT.render(rng, a=mover.said, t=seconds(span)),
            choice(rng, words, 0),
            event.kind,
            (mover.object_id, *sorted({e.other_id for e in offered if e.other_id > 0})),
            group=str(mover.object_id),
        )


def _event_only(truth: SceneTruth, rollout: Rollout, mover: Mover, span_s: float) -> Event | None:
    found = next_event_of(truth, rollout, mover, span_s)
    return None if found is None else found[0]


def about_to_happen(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Whether something that might happen to a mover does so within a second (and if not, then not within two either)."""
    span = asked_span_s(truth)
    if span is None or span < 1.5:
        return
    said = referable(truth)
    for mover in movers(truth, colliding=True):
        for event in _thinkable(truth, mover, said):
            words = sentence(truth, mover, event, said)
            if event.kind in ("on", "stop") or words is None:
                continue
            soon = settled(truth, lambda r, m=mover, e=event: _soon(truth, r, m, e, min(span, 2.0)))
            if soon is None:
                continue
            yield made(
                truth,
                "action.about_to_happen",
                _ABOUT_TO.render(rng, e=words, t=seconds(1.0)),
                will(soon),
                "yes" if soon else "no",
                (mover.object_id, *([event.other_id] if event.other_id > 0 else [])),
                group=f"{mover.object_id}:{event.kind}:{event.other_id}",
            )


def _soon(truth: SceneTruth, rollout: Rollout, mover: Mover, event: Event, no_until_s: float) -> bool | None:
    now = last_shown_s(truth)
    other = event.other_id if event.kind == "hit" else GROUND
    if touching(rollout, mover.object_id, other, now):
        return None
    begun = [
        c.begin_s - now
        for c in rollout.contacts
        if {c.first_id, c.second_id} == {mover.object_id, other} and now < c.begin_s <= now + no_until_s
    ]
    if not begun:
        return False
    return True if 0.1 <= min(begun) <= 0.85 else None


def next_contact(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """What a mover touches next that it does not touch yet."""
    span = asked_span_s(truth)
    if span is None:
        return
    said = referable(truth)
    for mover in movers(truth, colliding=True):
        other = settled(truth, lambda r, m=mover: _next_touched(truth, r, m, span))
        words = None if other is None else words_for(truth, other, said)
        if other is None or words is None:
            continue
        pool = [i for i in in_the_way(truth, mover, said, within_deg=90.0) if i != other][:3]
        pool += around(truth, mover, said, (other, *pool))[: 3 - len(pool)]
        if other != GROUND and not touching(truth.rollouts[0], mover.object_id, GROUND, last_shown_s(truth)):
            pool.insert(0, GROUND)
        if other != WALL and truth.room is not None:
            pool.append(WALL)
        others = at_most(rng, pool, 3)
        options: list[Bilingual] = [words, *(w for i in others if (w := words_for(truth, i, said)) is not None)]
        if len(options) < 3:
            continue
        yield made(
            truth,
            "action.next_contact",
            _NEXT_CONTACT.render(rng, a=mover.said),
            choice(rng, options, 0),
            key_of(truth, other),
            (mover.object_id, *sorted(i for i in (other, *others) if i > 0)),
            group=str(mover.object_id),
        )


def _next_touched(truth: SceneTruth, rollout: Rollout, mover: Mover, span_s: float) -> int | None:
    now = last_shown_s(truth)
    found = next_touch(rollout, mover.object_id, now, now + span_s)
    if found is None or found[1] < now + 0.1:
        return None
    near = [
        c
        for c in rollout.contacts
        if mover.object_id in (c.first_id, c.second_id)
        and found[0] not in (c.first_id, c.second_id)
        and abs(c.begin_s - found[1]) < 0.08
    ]
    return None if near else found[0]


def mover_next_place(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Which thing a mover will be nearest to a second later."""
    if asked_span_s(truth) is not None:
        yield from next_places(truth, rng, "action.mover_next_place", _NEXT_PLACE, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """Something that the frames shown let one see happen: between which frames it does, in words, and with what."""

    begin: int
    end: int
    words: Said
    ids: tuple[int, ...]


def order_of_events(truth: SceneTruth, rng: np.random.Generator) -> Iterator[Candidate]:
    """Which of two things in the frames shown came first: a touch, or something that comes into view or leaves it.

    Between the end of the one and the beginning of the other lie two frames or more.
    """
    found = _shown_events(truth)
    pairs = [(a, b) for a in found for b in found if b.begin - a.end >= 2 and not set(a.ids) & set(b.ids)]
    for a, b in at_most(rng, pairs, 4):
        first_named = rng.random() < 0.5
        yield made(
            truth,
            "action.order_of_events",
            _ORDER.render(rng),
            choice(rng, [a.words, b.words] if first_named else [b.words, a.words], 0 if first_named else 1),
            truth.object(a.ids[0]).category,
            (*a.ids, *b.ids),
            group="-".join(str(i) for i in sorted((*a.ids, *b.ids))),
        )


def _shown_events(truth: SceneTruth) -> list[_Shown]:
    """What the frames shown let one see happen, in order of time."""
    found = [*_views(truth), *_hits_shown(truth)]
    return sorted(found, key=lambda item: (item.begin, item.end, item.ids))


def _views(truth: SceneTruth) -> Iterator[_Shown]:
    """Things that come into view, from the first pixel until they are seen well, and that leave it once and for all."""
    for object_id, a in referable(truth).items():
        shown = np.flatnonzero(truth.visible_px[:, truth.index(object_id)] > 0)
        well = np.flatnonzero(seen_mask(truth, object_id))
        if not len(well):
            continue
        first, last = int(shown[0]), int(shown[-1])
        if first > 0 and well[0] - first <= _COMES_WITHIN:
            words = Said(f"{a.en} comes into view", f"{a.zh}进入画面")
            yield _Shown(begin=first, end=int(well[0]), words=words, ids=(object_id,))
        whole = len(shown) == last - first + 1  # it was not out of sight in between
        if whole and last < truth.num_frames - 1 and last - well[-1] <= _COMES_WITHIN:
            words = Said(f"{a.en} goes out of view", f"{a.zh}离开画面")
            yield _Shown(begin=int(well[-1]), end=last + 1, words=words, ids=(object_id,))


_COMES_WITHIN = 5  # frames in which something comes into view: longer, and nobody could say when


def _hits_shown(truth: SceneTruth) -> Iterator[_Shown]:
    """Things that hit one another for the first time, both seen."""
    said = referable(truth)
    for contact in truth.rollouts[0].contacts if truth.rollouts else ():
        a, b = contact.first_id, contact.second_id
        frame = int(np.searchsorted(truth.times_s, contact.begin_s))
        if not (0.1 < contact.begin_s < truth.times_s[-1]) or frame >= truth.num_frames or a not in said:
            continue
        mover, other = (a, b) if truth.object(a).motion != "static" else (b, a)
        seen = bool(seen_mask(truth, a)[frame - 1 : frame + 1].all())
        words = words_for(truth, other, said)
        if not seen or mover not in said or words is None or (other > 0 and not bool(seen_mask(truth, other)[frame])):
            continue
        if touching(truth.rollouts[0], a, b, 0.0) or _touched_before(truth.rollouts[0], a, b, contact.begin_s):
            continue
        text = Said(f"{said[mover].en} hits {words.en}", f"{said[mover].zh}碰到{words.zh}")
        yield _Shown(begin=frame - 1, end=frame, words=text, ids=tuple(i for i in (mover, other) if i > 0))


def _touched_before(rollout: Rollout, a: int, b: int, when_s: float) -> bool:
    return any((c.first_id, c.second_id) == (a, b) and c.begin_s < when_s for c in rollout.contacts)
