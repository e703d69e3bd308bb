"""Made-up candidates for the selection: subtypes of every kind, some with a planted giveaway."""

import numpy as np

from video3d.data.questions.candidate import Candidate
from video3d.data.questions.wording import Said, choice, direction, number, yes_no

THINGS = ("ball", "block", "chair", "table", "sofa", "lamp", "bed", "desk", "stool", "piano", "bottle", "book")
TYPES = ("relation", "layout", "physics", "action")


def candidates(rng: np.random.Generator, *, per_subtype: int = 3, leak: bool = True) -> list[Candidate]:
    """One clip's: five subtypes a type. ``*.leaky`` answers yes to chairs, ``*.pick`` likes the sofa where ``leak`` is set."""
    out = []
    for kind in TYPES:
        for copy in range(per_subtype):
            a, b, c, d = (str(t) for t in rng.choice(THINGS, 4, replace=False))
            at = f"in frame {rng.integers(1, 17)}"
            out.append(_made(kind, "fair", f"Is the {a} left of the {b} {at}?", yes_no(bool(rng.random() < 0.7)), copy))
            yes = rng.random() < (0.9 if a < "l" else 0.1) if leak else rng.random() < 0.5
            out.append(_made(kind, "leaky", f"Will the {a} hit the {b} {at}?", yes_no(bool(yes)), copy))
            offered = [Said(f"the {t}", t) for t in (a, b, c)]
            right = int(rng.integers(3))
            if leak and "sofa" in (a, b, c) and rng.random() < 0.7:
                right = (a, b, c).index("sofa")
            out.append(_made(kind, "pick", f"Which is nearest to the {d} {at}?", choice(rng, offered, right), copy))
            word = str(rng.choice(["left", "right", "ahead", "behind"], p=[0.5, 0.3, 0.15, 0.05]))
            out.append(_made(kind, "way", f"Where is the {a} {at}?", direction(word), copy))
            value = float(rng.uniform(0.5, 5))
            out.append(_made(kind, "far", f"How far is the {a} from the {b} {at}?", number(value, "m", 0.2), copy))
    return out


def _made(kind: str, name: str, question: str, answered, copy: int) -> Candidate:
    answer, words = answered
    key = f"bin{int(answer.value)}" if answer.kind == "number" else words["en"]
    return Candidate(
        type=kind,
        subtype=f"{kind}.{name}",
        question={"en": question, "zh": question.replace("the", "这个").replace("Is", "是否")},
        answer=answer,
        answer_text=words,
        answer_key=key,
        group=f"{kind}.{name}:{copy // 2}",
    )
