import json
from itertools import count

import numpy as np
import pytest
from small_data import rows_of

from video3d.data.annotate.agreement import agreement_report, cohen_kappa, pairwise_agreement
from video3d.data.annotate.database import Decision, open_database
from video3d.data.annotate.export import export_annotations, outcome
from video3d.data.store import open_dataset, read_rows, row_line
from video3d.types import InputError

_ids = count(1)


def decision(row_id="r", annotator="Ada", verdict="accept", row_json=None):
    return Decision(
        decision_id=next(_ids), row_id=row_id, annotator=annotator, decided_at="", verdict=verdict,
        row_json=row_json, reason="", seconds=1.0, data_hash="",
    )  # fmt: skip


def test_kappa_of_cohens_own_example():
    # Cohen 1960, table 1, as counts of 200: p_o = .70, p_e = .41, kappa = .29 / .59 = .492.
    table = {
        "abc"[i] + "abc"[j]: n
        for i, line in enumerate([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
        for j, n in enumerate(line)
    }
    observed, expected, kappa = cohen_kappa([(pair[0], pair[1]) for pair, n in table.items() for _ in range(n)])
    assert (observed, expected) == (0.70, 0.41)
    assert kappa == pytest.approx(0.29 / 0.59, abs=1e-12)


def test_kappa_by_axioms(rng):
    for _ in range(50):
        first, second = rng.integers(0, 4, (2, rng.integers(2, 40)))
        pairs = [(str(a), str(b)) for a, b in zip(first, second, strict=True)]
        observed, expected, kappa = cohen_kappa(pairs)
        swapped = cohen_kappa([(b, a) for a, b in pairs])
        assert swapped == (observed, expected, kappa)
        if kappa is None:
            assert expected == 1.0
            continue
        assert -1.0 <= kappa <= 1.0 and (kappa == 1.0) == (observed == 1.0)
        assert kappa == pytest.approx((observed - expected) / (1 - expected))
    independent = [(str(a), str(b)) for a in range(3) for b in range(3)]
    assert cohen_kappa(independent)[2] == 0.0
    assert cohen_kappa([("a", "b"), ("b", "a")])[2] == -1.0


def test_pairs_are_of_rows_that_both_decided():
    made = [decision(str(row), "Ada", "accept") for row in range(4)]
    made += [decision(str(row), "Bo", verdict) for row, verdict in enumerate(["accept", "reject", "accept"])]
    made += [decision("9", "Cy", "reject")]
    ada_bo, ada_cy, bo_cy = pairwise_agreement(made)
    assert (ada_bo.first, ada_bo.second, ada_bo.num_rows) == ("Ada", "Bo", 3)
    assert ada_bo.observed == pytest.approx(2 / 3) and ada_bo.kappa == 0.0
    assert ada_bo.table == {"accept": {"accept": 2, "reject": 1}}
    assert (ada_cy.num_rows, ada_cy.observed, ada_cy.kappa, ada_cy.undefined) == (
        0,
        None,
        None,
        "no row decided by both",
    )
    assert bo_cy.num_rows == 0
    same = pairwise_agreement([decision("1", "Ada"), decision("1", "Bo")])[0]
    assert (same.observed, same.expected, same.kappa) == (1.0, 1.0, None) and "same one verdict" in same.undefined


VOTES = {  # verdicts: what majority, any and all make of them
    "a": ("accepted", "accepted", "accepted"),
    "ar": ("tied", "accepted", "rejected"),
    "aar": ("accepted", "accepted", "rejected"),
    "arr": ("rejected", "accepted", "rejected"),
    "rr": ("rejected", "rejected", "rejected"),
    "u": ("unsure", "unsure", "unsure"),
    "au": ("accepted", "accepted", "unsure"),
    "ur": ("rejected", "rejected", "rejected"),
    "ae": ("edited", "edited", "differing"),
    "aae": ("accepted", "accepted", "differing"),
    "ee": ("edited", "edited", "edited"),
}


@pytest.mark.parametrize("votes", VOTES)
def test_outcomes(votes):
    verdicts = {"a": "accept", "r": "reject", "u": "unsure", "e": "edit"}
    made = [
        decision(
            annotator=f"p{i}",
            verdict=verdicts[v],
            row_json=json.dumps({"q": 1, "annotator": f"p{i}"}) if v == "e" else None,
        )
        for i, v in enumerate(votes)
    ]
    assert tuple(outcome(made, policy).fate for policy in ("majority", "any", "all")) == VOTES[votes]
    taken = outcome(made, "any").taken
    assert (taken is None) == ("a" not in votes and "e" not in votes)


def test_of_two_edits_the_later_is_taken_and_the_same_words_count_together():
    words = [json.dumps({"q": q, "annotator": str(i)}) for i, q in enumerate([1, 1, 2])]
    made = [decision(annotator=f"p{i}", verdict="edit", row_json=text) for i, text in enumerate(words)]
    assert outcome(made, "majority").taken == made[0]
    assert outcome(made[1:], "majority").taken == made[2]
    assert outcome(made[:2], "all").fate == "edited"


@pytest.fixture
def annotated(small_data, tmp_path):
    """Two people's decisions about the small data set."""
    database = open_database(tmp_path / "d.sqlite", open_dataset(small_data).content_hash)
    rows = rows_of()
    better = rows[1].model_copy(update={"question": {"en": "How far apart are chair and table?"}, "annotator": "Bo"})

    def decide(row_id, annotator, verdict, **more):
        database.decide(row_id=row_id, annotator=annotator, verdict=verdict, seconds=2.0, **more)

    decide("room-0.0", "Ada", "accept")
    decide("room-0.0", "Bo", "accept")
    decide("room-0.1", "Ada", "unsure")
    decide("room-0.1", "Bo", "edit", row_json=row_line(better))
    decide("room-0.2", "Ada", "reject", reason="ambiguous")
    decide("room-1.0", "Ada", "accept")
    return database


def test_export_and_report(small_data, annotated, tmp_path):
    out = tmp_path / "kept.jsonl"
    report = export_annotations(small_data, annotated.path, out)
    kept = list(read_rows(out))
    assert [(row.row_id, row.annotator) for row in kept] == [("room-0.0", None), ("room-0.1", "Bo"), ("room-1.0", None)]
    assert kept[1].question["en"] == "How far apart are chair and table?"
    assert report["rows"] == {
        "in_data_set": 9, "decided": 4, "kept": 3, "accepted": 2, "edited": 1, "rejected": 1, "unsure": 0, "tied": 0,
        "differing": 0, "unknown": 0,
    }  # fmt: skip
    assert report["rejected"] == [{"row_id": "room-0.2", "annotator": "Ada", "reason": "ambiguous"}]
    assert report["agreement"][0]["num_rows"] == 2 and report["agreement"][0]["observed"] == 0.5
    assert json.loads((tmp_path / "kept.report.json").read_text()) == report
    before = out.read_bytes()
    export_annotations(small_data, annotated.path, out)
    assert out.read_bytes() == before
    assert export_annotations(small_data, annotated.path, out, "all")["rows"]["kept"] == 2
    report = agreement_report(annotated.path)
    assert report["annotators"][0] == {
        "annotator": "Ada", "decided": 4, "accept": 2, "edit": 0, "reject": 1, "unsure": 1, "median_seconds": 2.0,
    }  # fmt: skip


def test_export_refuses(small_data, annotated, tmp_path):
    with pytest.raises(InputError, match="policy"):
        export_annotations(small_data, annotated.path, tmp_path / "o.jsonl", "most")
    with pytest.raises(InputError, match="outside the data set"):
        export_annotations(small_data, annotated.path, small_data / "train.jsonl")
    other = open_database(tmp_path / "other.sqlite", "c" * 64)
    with pytest.raises(InputError, match="another one"):
        export_annotations(small_data, other.path, tmp_path / "o.jsonl")
    # A database that somebody wrote into by other means.
    for number, bad in enumerate(("{}", "no json", row_line(rows_of()[2]), "[" * 5000)):
        annotated.decide(row_id="room-0.3", annotator="Eve", verdict="edit", seconds=float(np.pi), row_json=bad)
        with pytest.raises(InputError, match="decision"):
            export_annotations(small_data, annotated.path, tmp_path / f"o{number}.jsonl")
        assert not (tmp_path / f"o{number}.jsonl").exists()
