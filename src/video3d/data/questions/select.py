"""Selection: which of all true questions are asked, so that the types mix as published and nobody scores without looking.

Candidates stream by as compact :class:`Offer` records; :func:`select` says which are asked and why the others are not:

1. answers that are hardly ever right are not offered (``narrow``);
2. of one fact said in several ways one is kept, and few of one subtype a clip;
3. within a subtype and split, answers are made equally frequent by cutting the more frequent ones;
4. subtypes whose answers n-grams of the question's words can tell are cut until they cannot (``unblind``);
5. the types are given their shares (30/25/20/25), each spread evenly over its subtypes, with a quota a clip. The type that is
   shortest sets the size of all;
6. of validation and test questions those go that the training questions' words tell by luck (``held_out``).

The same offers and seed give the same questions.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from video3d.data.questions.candidate import Candidate
from video3d.data.questions.held_out import Marks, luckless, marks_of
from video3d.data.questions.narrow import narrowed, without
from video3d.data.questions.offer import Offer, by_subtype_of
from video3d.data.questions.split_report import split_report
from video3d.data.questions.unblind import Filtered, balance_key, closed_answers, equalised, unblinded
from video3d.data.row import MIX, Choice, Row
from video3d.data.truth import SceneTruth, Split
from video3d.types import InputError

_FEW_CLIPS = 20
"""A split with fewer clips may lack a type by chance."""
_ROUNDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectConfig:
    """How much is asked.

    Attributes:
        per_clip: questions of the four types a clip on average, where the supply allows; a single clip has at most half as many
            again.
        per_clip_held_out: the same for a clip for validation or test, of which there are few.
        per_clip_subtype: at most so many of one subtype a clip.
        extras_per_clip: at most so many grounding and so many caption rows a clip, on top.
        mix: share of each type; None takes what there is.
        margin: n-grams may score this much above chance in cross-validation.
        margin_held_out: baselines fitted on the training questions may score this much above chance on the others.
        seed: of every draw.
    """

    per_clip: int = 10
    per_clip_held_out: int = 30
    per_clip_subtype: int = 2
    extras_per_clip: int = 1
    mix: dict[str, float] | None = field(default_factory=lambda: dict(MIX))
    margin: float = 0.02
    margin_held_out: float = 0.03
    seed: int = 0

    def questions(self, split: Split) -> int:
        """How many are asked a clip on average, at most."""
        return self.per_clip if split == "train" else max(self.per_clip, self.per_clip_held_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is asked, by clip and number, ascending; the options not offered; and the report: plain dicts, ready for JSON."""

    picks: tuple[tuple[str, int], ...]
    withheld: dict[str, frozenset[str]] = field(default_factory=dict)
    report: dict[str, object]


def to_row(
    truth: SceneTruth, candidate: Candidate, number: int, withheld: Mapping[str, frozenset[str]] | None = None
) -> Row:
    """The row of a candidate that is asked.

    Args:
        truth: its clip's.
        candidate: chosen.
        number: its place among the clip's candidates, which makes ``row_id`` unique.
        withheld: by subtype, options (in English) that are not offered.
    """
    answer, left_out = candidate.answer, (withheld or {}).get(candidate.subtype)
    if left_out and isinstance(answer, Choice):
        answer = without(answer, left_out)
    return Row(
        row_id=f"{truth.clip_id}.{number}",
        clip_id=truth.clip_id,
        scene_id=truth.scene_id,
        source=truth.source,
        licence=truth.licence,
        split=truth.split,
        domain=truth.domain,
        type=candidate.type,
        subtype=candidate.subtype,
        frame=candidate.frame,
        question=candidate.question,
        answer=answer,
        answer_text=candidate.answer_text,
        object_ids=list(candidate.object_ids),
        evidence_frames=list(candidate.evidence_frames),
        seed=truth.seed,
    )


def select(offers: Iterable[Offer], config: SelectConfig | None = None) -> Selection:
    """Chooses the questions asked.

    Args:
        offers: all candidates of all clips.
        config: how much.

    Errors: ``InputError`` where a split of 20 clips or more has no candidate of a type that the mix asks for.
    """
    from threadpoolctl import threadpool_limits  # of the extra `data`, as all that writes data sets

    config = config or SelectConfig()
    # The text-only models are small: threads of the linear algebra only get into each other's way, up to eighty times slower.
    with threadpool_limits(1):
        return _select(list(offers), config)


def _select(every: list[Offer], config: SelectConfig) -> Selection:
    rng = np.random.default_rng(config.seed)
    worthwhile, withheld = narrowed(every)
    splits: list[Split] = [split for split in get_args(Split) if any(o.split == split for o in every)]
    kept: dict[Split, list[Offer]] = {
        split: _thinned([o for o in worthwhile if o.split == split], config, rng) for split in splits
    }
    clips: dict[Split, int] = {split: len({o.clip_id for o in every if o.split == split}) for split in splits}
    main: dict[Split, list[Offer]] = {split: [o for o in kept[split] if o.type in MIX] for split in splits}
    pools = _balanced_pools(main, clips, config, rng)
    filtered = _unblinded_pools(pools, config)
    picks: list[Offer] = []
    report: dict[str, object] = {}
    taught: dict[str, list[Offer]] = {}
    for split in sorted(splits, key=lambda s: s != "train"):
        kept_here = {s: f.kept[split] for s, f in filtered.items()}
        mix = _mix_of(split, kept_here, clips[split], config.mix)
        marks: Marks = {}
        if split != "train":
            for name, pool in kept_here.items():
                marks |= marks_of(taught.get(name, []), pool)
        chosen, notes = _mixed_luckless(split, kept_here, clips[split], mix, config, marks)
        if split == "train":
            taught = by_subtype_of(chosen)
        picks += chosen
        picks += _extras(kept[split], config)
        supply = Counter(o.subtype for o in every if o.split == split)
        report[split] = split_report(split, supply, pools, filtered, chosen, clips[split], notes, marks)
    report["blindness"] = {s: f.log for s, f in sorted(filtered.items())}
    report["withheld"] = {name: sorted(answers) for name, answers in withheld.items()}
    return Selection(picks=tuple(sorted((o.clip_id, o.number) for o in picks)), withheld=withheld, report=report)


def _mixed_luckless(
    split: Split,
    pools: dict[str, list[Offer]],
    num_clips: int,
    mix: dict[str, float] | None,
    config: SelectConfig,
    marks: Marks,
) -> tuple[list[Offer], list[str]]:
    """A split's questions in the mix, none of whose subtypes the baselines tell; what goes is replaced where there is more."""
    for _ in range(_ROUNDS):
        chosen, notes = _mixed(split, pools, num_clips, mix, config)
        gone: set[int] = set()
        for items in by_subtype_of(chosen).values():
            left = luckless(items, marks, config.margin_held_out)
            gone |= {id(o) for o in items} - {id(o) for o in left}
        if not gone:
            return chosen, notes
        pools = {name: [o for o in pool if id(o) not in gone] for name, pool in pools.items()}
    return [
        o for items in by_subtype_of(chosen).values() for o in luckless(items, marks, config.margin_held_out)
    ], notes


def _shuffled(items: Sequence[Offer], rng: np.random.Generator) -> list[Offer]:
    ordered = sorted(items, key=lambda o: (o.clip_id, o.number))  # whatever order they came in
    return [ordered[int(i)] for i in rng.permutation(len(ordered))]


def _thinned(offers: list[Offer], config: SelectConfig, rng: np.random.Generator) -> list[Offer]:
    """One of a group and few of a subtype a clip; where there is a choice, the answer that was kept least often so far."""
    buckets: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    for item in _shuffled(offers, rng):
        buckets[item.clip_id, item.subtype].append(item)
    groups: set[tuple[str, str]] = set()
    held: Counter[tuple[str, str]] = Counter()
    kept = []
    for bucket in buckets.values():
        left = bucket
        for _ in range(config.per_clip_subtype):
            left = [item for item in left if (item.clip_id, item.group) not in groups]
            if not left:
                break
            item = min(left, key=lambda o: held[o.subtype, o.key])
            held[item.subtype, item.key] += 1
            groups.add((item.clip_id, item.group))
            kept.append(item)
    return _shuffled(kept, rng)


def _mix_of(
    split: Split, pools: dict[str, list[Offer]], num_clips: int, mix: dict[str, float] | None
) -> dict[str, float] | None:
    """The mix of a split; a handful of clips that cannot have every type share out what is missing."""
    if mix is None:
        return None
    have = {name.split(".")[0] for name, offers in pools.items() if offers}
    missing = [name for name, share in mix.items() if share > 0 and name not in have]
    if missing and num_clips >= _FEW_CLIPS:
        raise InputError(
            f"questions of the {split} split",
            expected=f"balanced candidates of every type of the mix ({', '.join(mix)})",
            got=f"none of {', '.join(missing)} from {num_clips} clips",
            do="make more clips, or select without a mix",
        )
    left = sum(share for name, share in mix.items() if name not in missing)
    return {name: share / left for name, share in mix.items() if name not in missing and share > 0}


def _balanced_pools(
    main: Mapping[Split, list[Offer]], clips: Mapping[Split, int], config: SelectConfig, rng: np.random.Generator
) -> dict[str, dict[Split, list[Offer]]]:
    """By subtype and split: answers equally frequent, and no more than could be asked twice over."""
    pools: dict[str, dict[Split, list[Offer]]] = defaultdict(dict)
    names = sorted({o.subtype for offers in main.values() for o in offers})
    for split, offers in main.items():
        by_subtype: dict[str, list[Offer]] = defaultdict(list)
        for item in offers:
            by_subtype[item.subtype].append(item)
        kinds = Counter(name.split(".")[0] for name in by_subtype)
        for name in names:
            kind = name.split(".")[0]
            share = (config.mix or dict.fromkeys(MIX, 1.0)).get(kind, 0.0)
            most = int(np.ceil(2.0 * share * config.questions(split) * clips[split] / max(1, min(5, kinds[kind])))) + 8
            pools[name][split] = equalised(by_subtype[name], rng, most=most)
    return dict(pools)


def _unblinded_pools(pools: dict[str, dict[Split, list[Offer]]], config: SelectConfig) -> dict[str, Filtered]:
    out = {}
    for number, (name, by_split) in enumerate(sorted(pools.items())):
        rng = np.random.default_rng((config.seed, number))
        out[name] = unblinded(by_split, rng, margin=config.margin)
    return out


def _rounds(offers: Sequence[Offer], key: Callable[[Offer], str]) -> list[Offer]:
    """In turn one of every answer, so that every beginning of the list is balanced."""
    queues: dict[str, list[Offer]] = defaultdict(list)
    for item in offers:
        queues[key(item)].append(item)
    rows = [(place, name, item) for name, queue in queues.items() for place, item in enumerate(queue)]
    return [item for _, _, item in sorted(rows, key=lambda row: row[:2])]


def _spread(supply: dict[str, int], total: int) -> dict[str, int]:
    """``total`` spread over subtypes as evenly as their supply allows.

    >>> _spread({"a": 2, "b": 10, "c": 10}, 12)
    {'a': 2, 'b': 5, 'c': 5}
    """
    given, left = {}, total
    for rank, (name, have) in enumerate(sorted(supply.items(), key=lambda item: (item[1], item[0]))):
        given[name] = min(have, left // (len(supply) - rank))
        left -= given[name]
    for name in sorted(supply, key=lambda n: (-supply[n], n)):  # what was lost in rounding
        more = min(left, supply[name] - given[name], 1)
        given[name] += more
        left -= more
    return dict(sorted(given.items()))


def _mixed(
    split: Split, pools: dict[str, list[Offer]], num_clips: int, mix: dict[str, float] | None, config: SelectConfig
) -> tuple[list[Offer], list[str]]:
    """A split's questions: as many as quota and the shortest type allow, in the mix; and notes on what was short."""
    queues = {name: _rounds(offers, balance_key(offers)) for name, offers in pools.items() if offers}
    want = config.questions(split) * num_clips
    total, short = _total(queues, want, mix)
    taken = _take(
        queues, _targets({n: len(q) for n, q in queues.items()}, total, mix), -(-3 * config.questions(split) // 2)
    )
    # A clip's quota may have kept some out: the mix is then held by what was taken.
    total, again = _total(taken, total, mix)
    targets = _targets({n: len(q) for n, q in taken.items()}, total, mix)
    notes = []
    if config.mix is not None and (missing := sorted({*config.mix} - {*(mix or ())})):
        notes.append(f"no balanced candidates of {', '.join(missing)}: the mix is that of the other types")
    if total < want:
        notes.append(f"{short or again} is short: {total} questions instead of {want}")
    return [item for name, queue in sorted(taken.items()) for item in queue[: targets[name]]], notes


def _total(queues: dict[str, list[Offer]], want: int, mix: dict[str, float] | None) -> tuple[int, str]:
    """How many questions the supply allows, and the type that limits it."""
    have = Counter(dict.fromkeys(mix or (), 0))
    for name, queue in queues.items():
        have[name.split(".")[0]] += len(queue)
    if mix is None:
        return min(want, sum(have.values())), "everything"
    allowed = {name: int(have[name] / share) for name, share in mix.items() if share > 0}
    least = min(allowed, key=lambda name: (allowed[name], name))
    return (allowed[least], least) if allowed[least] < want else (want, "")


def _targets(supply: dict[str, int], total: int, mix: dict[str, float] | None) -> dict[str, int]:
    if mix is None:
        return _spread(supply, total)
    out: dict[str, int] = {}
    for name, share in mix.items():
        of_type = {s: n for s, n in supply.items() if s.split(".")[0] == name}
        if of_type:
            out |= _spread(of_type, int(total * share + 1e-9))
    return {name: out.get(name, 0) for name in supply}


def _take(queues: dict[str, list[Offer]], targets: dict[str, int], per_clip: int) -> dict[str, list[Offer]]:
    """From every queue its target, the scarcest first, never more than the quota of a clip."""
    room: Counter[str] = Counter()
    out: dict[str, list[Offer]] = {}
    for name in sorted(queues, key=lambda n: (len(queues[n]), n)):
        taken: list[Offer] = []
        for item in queues[name]:
            if len(taken) >= targets[name]:
                break
            if room[item.clip_id] < per_clip:
                room[item.clip_id] += 1
                taken.append(item)
        out[name] = _even(taken)
    return out


def _even(offers: list[Offer]) -> list[Offer]:
    """In turn one of every answer; closed answers, of which the quota may have kept out some, as often as the rarest."""
    if not offers:
        return []
    key = balance_key(offers)
    counts = Counter(key(o) for o in offers)
    least = min(counts.values()) * len(counts) if closed_answers(offers) else len(offers)
    return _rounds(offers, key)[:least]


def _extras(offers: Sequence[Offer], config: SelectConfig) -> list[Offer]:
    """Grounding and caption rows, which come on top."""
    held: Counter[tuple[str, str]] = Counter()
    out = []
    for item in offers:
        if item.type in MIX or held[item.clip_id, item.type] >= config.extras_per_clip:
            continue
        held[item.clip_id, item.type] += 1
        out.append(item)
    return out
