"""What the selection says of a split: what each step left of every subtype, and how the answers are spread."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from video3d.data.questions.held_out import Marks, highest
from video3d.data.questions.offer import Offer, by_subtype_of
from video3d.data.questions.unblind import Filtered
from video3d.data.row import MIX
from video3d.data.truth import Split


def split_report(
    split: Split,
    supply: Counter[str],
    pools: dict[str, dict[Split, list[Offer]]],
    filtered: dict[str, Filtered],
    chosen: Sequence[Offer],
    clips: int,
    notes: list[str],
    marks: Marks,
) -> dict[str, object]:
    """How many questions were chosen and in which mix; by subtype how many each step left, and how often each answer is right."""
    by_type, by_subtype = Counter(o.type for o in chosen), Counter(o.subtype for o in chosen)
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for item in chosen:
        answers[item.subtype][item.key] += 1
    lucky = {name: highest(items, marks) for name, items in by_subtype_of(chosen).items()}
    num = len(chosen)
    return {
        "clips": clips,
        "chosen": num,
        "mix": {name: round(by_type[name] / num, 4) if num else 0.0 for name in MIX},
        "notes": notes,
        "subtypes": {
            name: {
                "supply": supply[name],
                "balanced": len(pools.get(name, {}).get(split, [])),
                "not_blind": len(filtered[name].kept[split]) if name in filtered else 0,
                "chosen": by_subtype[name],
                "excess": None if (excess := lucky.get(name)) is None else round(excess, 4),
                "share_of_type": round(by_subtype[name] / max(1, by_type[name.split(".")[0]]), 4),
                "answers": dict(sorted(answers[name].items(), key=lambda item: (-item[1], item[0]))),
            }
            for name in sorted(supply)
            if name.split(".")[0] in MIX
        },
    }
