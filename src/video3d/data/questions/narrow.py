"""Options that are hardly ever right are not offered: whoever has read a few hundred questions knows them to be wrong.

Two cases. Where every question of a subtype offers the same answers (go straight on, turn left, turn right, turn around), each has
to be right equally often, so the rarest one says how many questions there can be, and leaving it out may be worth more. Where
questions have options of their own (things in the room), some kinds of thing are offered often and next to never right: a dog
carries nothing. Without those a question has fewer options, all of them possible.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from video3d.data.questions.blind import Riddle
from video3d.data.questions.offer import Offer
from video3d.data.row import Choice
from video3d.vocabulary import COLORS

_SAME = 0.9  # of a subtype's questions offer the same answers
_OFFERED = 8  # times, before it can be said of an option that it is never right
_RARE = 0.4  # of chance
_COLOUR_WORDS = frozenset(color.name for color in COLORS)


def narrowed(offers: Iterable[Offer]) -> tuple[list[Offer], dict[str, frozenset[str]]]:
    """The offers without answers that do not pay, and by subtype the answers (in English) that are withheld.

    Args:
        offers: of all subtypes and splits.
    """
    by_subtype: dict[str, list[Offer]] = defaultdict(list)
    for item in offers:
        by_subtype[item.subtype].append(item)
    withheld = {
        name: _not_worth(items) if same_options(items) else _never_right(items) for name, items in by_subtype.items()
    }
    left = [item for name, items in by_subtype.items() for item in _without(items, withheld[name])]
    return left, {name: answers for name, answers in sorted(withheld.items()) if answers}


def without(answer: Choice, withheld: frozenset[str]) -> Choice:
    """A choice without some of its wrong options.

    >>> choice = Choice(options=[{"en": "left"}, {"en": "back"}, {"en": "right"}], index=2)
    >>> without(choice, frozenset({"back"})).index
    1
    """
    right = answer.options[answer.index]
    options = [o for o in answer.options if o["en"] not in withheld or o is right]
    return Choice(options=options, index=next(i for i, o in enumerate(options) if o is right))


def worth(counts: Sequence[int]) -> int:
    """How many of the answers to offer, the most frequent first: as many questions as can be, but more so questions that tell much.

    When all are right equally often, n answers give n times as many questions as the rarest has, of log2(n) bits each; bits count squared.

    >>> worth([1421, 133, 109, 5]), worth([301, 30, 0, 0]), worth([136, 59, 25, 17])
    (3, 2, 4)
    """
    ordered = sorted(counts, reverse=True)
    bits = {n: n * ordered[n - 1] * float(np.log2(n)) ** 2 for n in range(2, len(ordered) + 1)}
    return max(bits, key=lambda n: (bits[n], n))


def same_options(offers: Sequence[Offer]) -> bool:
    """Whether the questions of a subtype all offer the same answers, three or more."""
    sets = Counter(frozenset(en for en, _ in o.riddle.options) for o in offers if o.riddle is not None)
    if not sets:
        return False
    answers, same = sets.most_common(1)[0]
    return len(answers) >= 3 and same >= _SAME * len(offers)


def _not_worth(offers: Sequence[Offer]) -> frozenset[str]:
    riddles = [o.riddle for o in offers if o.riddle is not None]
    answers = {en for r in riddles for en, _ in r.options}
    counts = Counter(r.label for r in riddles)
    ranked = sorted(answers, key=lambda a: (-counts[a], a))
    return frozenset(ranked[worth([counts[a] for a in ranked]) :])


def _never_right(offers: Sequence[Offer]) -> frozenset[str]:
    """Options, whatever their colour, that are right less than ``_RARE`` times as often as chance has it."""
    offered: Counter[str] = Counter()
    right: Counter[str] = Counter()
    chance: dict[str, float] = defaultdict(float)
    texts: dict[str, set[str]] = defaultdict(set)
    for item in offers:
        if item.riddle is not None:
            for text, _ in item.riddle.options:
                plain = " ".join(word for word in text.split() if word not in _COLOUR_WORDS)
                texts[plain].add(text)
                offered[plain] += 1
                chance[plain] += 1 / len(item.riddle.options)
                right[plain] += text == item.riddle.label
    rare = [w for w, times in offered.items() if times >= _OFFERED and right[w] < _RARE * chance[w]]
    return frozenset(text for plain in rare for text in texts[plain])


def _without(offers: Sequence[Offer], withheld: frozenset[str]) -> list[Offer]:
    if not withheld:
        return list(offers)
    out = []
    for item in offers:
        riddle = item.riddle
        if riddle is None or riddle.label in withheld:
            continue
        options = tuple(o for o in riddle.options if o[0] not in withheld)
        if len(options) >= 2:
            out.append(replace(item, riddle=_with_options(riddle, options)))
    return out


def _with_options(riddle: Riddle, options: tuple[tuple[str, str], ...]) -> Riddle:
    return replace(riddle, options=options, index=next(i for i, (en, _) in enumerate(options) if en == riddle.label))
