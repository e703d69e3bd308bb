"""The rows that come out of annotation: which are kept, in which wording, and a report of everything that happened to the others."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from video3d.data.annotate.agreement import annotators_of, pairwise_agreement
from video3d.data.annotate.database import Decision, open_database
from video3d.data.annotate.edit import same_question
from video3d.data.annotate.row_index import index_rows
from video3d.data.row import Row
from video3d.data.store import open_dataset, parse_row, write_rows
from video3d.replaced import replaced
from video3d.types import InputError

Policy = Literal["majority", "any", "all"]
Fate = Literal["accepted", "edited", "rejected", "unsure", "tied", "differing"]
FATES: tuple[Fate, ...] = get_args(Fate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of a row: its fate, and the decision whose words are taken where it is kept."""

    fate: Fate
    taken: Decision | None = None


def outcome(decisions: Sequence[Decision], policy: Policy) -> Outcome:
    """What becomes of a row that at least one person decided.

    Accepting and editing speak for a row, rejecting against it; who is unsure does not vote.

    - ``majority``: kept where more speak for it than against.
    - ``any``: kept where somebody speaks for it.
    - ``all``: kept where everybody, the unsure included, speaks for it, and for the same words.

    Of several wordings the one that most people gave is taken; of equally many an edit before the row as it was (somebody saw a
    fault in it), and the later edit before the earlier.

    Args:
        decisions: those that stand, one a person, in the order in which they were made.
        policy: which rule.
    """
    speak_for = [d for d in decisions if d.verdict in ("accept", "edit")]
    against = sum(d.verdict == "reject" for d in decisions)
    wordings: dict[str | None, list[Decision]] = {}
    for decision in speak_for:
        wordings.setdefault(_words(decision), []).append(decision)
    if not speak_for:
        return Outcome(fate="rejected" if against else "unsure")
    if policy == "majority" and len(speak_for) <= against:
        return Outcome(fate="tied" if len(speak_for) == against else "rejected")
    if policy == "all" and len(speak_for) < len(decisions):
        return Outcome(fate="rejected" if against else "unsure")
    if policy == "all" and len(wordings) > 1:
        return Outcome(fate="differing")
    made = max(wordings.values(), key=lambda same: (len(same), same[0].verdict == "edit", same[0].decision_id))
    return Outcome(fate="edited" if made[0].verdict == "edit" else "accepted", taken=made[0])


def _words(decision: Decision) -> str | None:
    """What tells one wording from another: the edited row without its editor; None for the row as it was."""
    if decision.row_json is None:
        return None
    try:
        row = json.loads(decision.row_json)
        return json.dumps({key: row[key] for key in sorted(row) if key != "annotator"})
    except (ValueError, TypeError, RecursionError):
        return decision.row_json  # no row: said when it is to be written


def export_annotations(
    root: str | Path, database: str | Path, out: str | Path, policy: str = "majority"
) -> dict[str, Any]:
    """Writes the rows that are kept to ``out`` (JSON lines) and a report beside it (``.report.json``); returns the report.

    Rows are in the order of the data set; an edited one has ``annotator`` set to the person whose words it has. Both files are
    written beside and renamed, so that the same decisions give the same bytes and an interrupted run leaves the old files.

    Args:
        root: the data set that was annotated.
        database: of decisions about it.
        out: the new file; not a file of the data set itself.
        policy: ``majority``, ``any`` or ``all``; see :func:`outcome`.

    Errors: ``InputError`` for a policy that there is not, a database of another data set, or an edited row that is no row.
    """
    if policy not in get_args(Policy):
        raise InputError("the policy", expected=" or ".join(get_args(Policy)), got=repr(policy))
    data, out = open_dataset(root), Path(out)
    if out.resolve().parent == data.root.resolve():
        raise InputError(
            out, expected="a file outside the data set", got=f"one in {data.root}", do="choose another folder"
        )
    opened = open_database(database)
    if opened.content_hash != data.content_hash:
        open_database(database, data.content_hash)  # refuses, and says why
    index = index_rows(data)
    decisions = opened.standing()
    by_row: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_row.setdefault(decision.row_id, []).append(decision)
    fates: Counter[str] = Counter()
    by_type: dict[str, Counter[str]] = {}
    kept: list[Row] = []
    for entry in index.entries:
        if entry.row_id in by_row:
            found = outcome(by_row[entry.row_id], cast("Policy", policy))
            fates[found.fate] += 1
            by_type.setdefault(entry.type, Counter())[found.fate] += 1
            if found.taken is not None:
                kept.append(_taken(index.row(entry.row_id), found.taken))
    rejected = [d for d in decisions if d.verdict == "reject"]
    reasons = Counter(d.reason for d in rejected)
    report = {
        "data_hash": data.content_hash,
        "policy": policy,
        "rows": {
            "in_data_set": len(index.entries),
            "decided": len(by_row),
            "kept": len(kept),
            **{fate: fates[fate] for fate in FATES},
            "unknown": sum(row_id not in index.places for row_id in by_row),
        },
        "by_type": {kind: {fate: by_type[kind][fate] for fate in FATES} for kind in sorted(by_type)},
        "annotators": annotators_of(decisions),
        "agreement": [asdict(pair) for pair in pairwise_agreement(decisions)],
        "reasons": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        "rejected": [
            {"row_id": d.row_id, "annotator": d.annotator, "reason": d.reason}
            for d in sorted(rejected, key=lambda d: (d.row_id, d.annotator))
        ],
    }
    try:
        write_rows(out, kept)
        with replaced(out.with_suffix(".report.json")) as beside:
            beside.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(out, expected="a file that can be written", got=error.strerror or error) from error
    return report


def _taken(row: Row, decision: Decision) -> Row:
    """The row as it is kept. Errors: ``InputError`` where the database holds an edit that is no version of the row."""
    if decision.row_json is None:
        return row
    thing = f"decision {decision.decision_id} about {row.row_id}"
    edited = parse_row(decision.row_json, thing)
    if not same_question(row, edited):
        raise InputError(thing, expected="a version of that row", got="a row of another place or kind")
    return edited.model_copy(update={"annotator": decision.annotator})
