"""How far two people agree beyond chance: Cohen's kappa over the rows that both decided."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from video3d.data.annotate.database import VERDICTS, Decision, open_database


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How two annotators agree.

    Attributes:
        first: one of them, by name in order.
        second: the other.
        num_rows: rows that both decided.
        observed: share of these on which they gave the same verdict; None for no rows.
        expected: the share that two people with their habits would reach by chance; None for no rows.
        kappa: Cohen's kappa, 1 for complete agreement, 0 for chance; None where it is not defined.
        undefined: why kappa is None, else empty.
        table: how often the first said one thing and the second another: ``{"accept": {"reject": 2}}``.
    """

    first: str
    second: str
    num_rows: int
    observed: float | None
    expected: float | None
    kappa: float | None
    undefined: str
    table: dict[str, dict[str, int]]


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> tuple[float | None, float | None, float | None]:
    """Observed agreement, agreement expected by chance, and Cohen's kappa of two raters who labelled the same things.

    kappa = (p_o - p_e) / (1 - p_e): p_o is the share of things with the same label, p_e the sum over labels of the product of the
    shares that each rater gives the label (J. Cohen, "A coefficient of agreement for nominal scales", Educational and
    Psychological Measurement 20, 1960). Where both give everything one and the same label p_e is 1, the ratio 0 / 0, and kappa
    None: agreement beyond chance cannot be told from such ratings.

    >>> fifty = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    >>> [round(value, 3) for value in cohen_kappa(fifty)]
    [0.7, 0.5, 0.4]
    >>> cohen_kappa([("yes", "yes")] * 3)
    (1.0, 1.0, None)
    >>> cohen_kappa([])
    (None, None, None)
    """
    n = len(pairs)
    if n == 0:
        return None, None, None
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    # Whole numbers up to the last division, so that "expected agreement is 1" is an exact test.
    same, chance = sum(a == b for a, b in pairs), sum(first[label] * second[label] for label in first)
    kappa = None if chance == n * n else (same * n - chance) / (n * n - chance)
    return same / n, chance / (n * n), kappa


def pairwise_agreement(decisions: Iterable[Decision]) -> list[Agreement]:
    """Agreement of every two annotators, in the order of their names, from the decisions that stand.

    The four verdicts are four labels: two people who edit a row agree that it needs an edit, whatever they then write.
    """
    by_person: dict[str, dict[str, str]] = {}
    for decision in decisions:
        by_person.setdefault(decision.annotator, {})[decision.row_id] = decision.verdict
    found = []
    for first, second in combinations(sorted(by_person), 2):
        said, also = by_person[first], by_person[second]
        pairs = [(said[row], also[row]) for row in said if row in also]
        observed, expected, kappa = cohen_kappa(pairs)
        counts = Counter(pairs)
        table = {a: {b: counts[a, b] for b in VERDICTS if counts[a, b]} for a in VERDICTS}
        undefined = ""
        if kappa is None:
            undefined = "both gave every row the same one verdict" if pairs else "no row decided by both"
        found.append(
            Agreement(
                first=first,
                second=second,
                num_rows=len(pairs),
                observed=observed,
                expected=expected,
                kappa=kappa,
                undefined=undefined,
                table={a: row for a, row in table.items() if row},
            )
        )
    return found


def agreement_report(database: str | Path) -> dict[str, Any]:
    """Who decided how much and how far they agree, from a database of decisions; plain values for JSON.

    Errors: ``InputError``.
    """
    opened = open_database(database)
    decisions = opened.standing()
    return {
        "data_hash": opened.content_hash,
        "annotators": annotators_of(decisions),
        "agreement": [asdict(pair) for pair in pairwise_agreement(decisions)],
    }


def annotators_of(decisions: Iterable[Decision]) -> list[dict[str, Any]]:
    """Of every annotator: how many rows, each verdict's count, and the seconds a row took (median)."""
    by_person: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_person.setdefault(decision.annotator, []).append(decision)
    report = []
    for name, made in sorted(by_person.items()):
        counts = Counter(decision.verdict for decision in made)
        seconds = sorted(decision.seconds for decision in made)
        middle = (seconds[(len(seconds) - 1) // 2] + seconds[len(seconds) // 2]) / 2
        verdicts = {verdict: counts[verdict] for verdict in VERDICTS}
        report.append({"annotator": name, "decided": len(made), **verdicts, "median_seconds": round(middle, 1)})
    return report
