import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from video3d.data.annotate.database import DecidedMeanwhileError, check_annotator, open_database
from video3d.types import InputError

HASH = "a" * 64


@pytest.fixture
def decisions(tmp_path):
    return open_database(tmp_path / "d.sqlite", HASH)


def decide(database, row_id="r", annotator="Ada", verdict="accept", **more):
    return database.decide(row_id=row_id, annotator=annotator, verdict=verdict, seconds=1.5, **more)


def test_the_last_decision_of_a_person_counts_and_nothing_is_lost(decisions):
    decide(decisions)
    decide(decisions, verdict="reject", reason="wrong")
    decide(decisions, annotator="Bo", verdict="unsure")
    assert [(d.annotator, d.verdict, d.reason) for d in decisions.standing()] == [
        ("Ada", "reject", "wrong"),
        ("Bo", "unsure", ""),
    ]
    assert [entry[3] for entry in decisions.history()] == ["accept", "reject", "unsure"]
    assert decisions.verdicts("Ada") == {"r": "reject"}


def test_taken_back_the_one_before_counts_again(decisions):
    first, second = decide(decisions), decide(decisions, verdict="reject")
    assert decisions.undo("Ada") == second
    assert decisions.standing() == [first]
    assert decisions.undo("Ada", first.decision_id) == first
    assert decisions.standing() == []
    assert len(decisions.history()) == 4
    with pytest.raises(InputError, match="none of Ada"):
        decisions.undo("Ada")


def test_nobody_takes_back_what_another_decided_or_what_no_longer_stands(decisions):
    first = decide(decisions)
    decide(decisions, verdict="reject")
    with pytest.raises(InputError, match="take back"):
        decisions.undo("Bo", first.decision_id)
    with pytest.raises(InputError, match="take back"):
        decisions.undo("Ada", first.decision_id)


def test_records_are_never_changed(decisions):
    decide(decisions)
    connection = sqlite3.connect(decisions.path)
    for change in ("UPDATE decision SET verdict = 'reject'", "DELETE FROM decision"):
        with pytest.raises(sqlite3.IntegrityError, match="only added"):
            connection.execute(change)
    with pytest.raises(sqlite3.IntegrityError):  # an edit without its row
        connection.execute(
            "INSERT INTO decision (row_id, annotator, decided_at, verdict, seconds, data_hash)"
            " VALUES ('r', 'A', '', 'edit', 0, '')"
        )
    connection.close()


def test_time_is_utc_and_write_ahead_logging_is_on(tmp_path):
    clock = datetime(2026, 5, 4, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    database = open_database(tmp_path / "d.sqlite", HASH, now=lambda: clock)
    assert decide(database).decided_at == clock.astimezone(UTC).isoformat(timespec="milliseconds")
    assert database.standing()[0].decided_at.startswith("2026-05-04T07:30")
    connection = sqlite3.connect(database.path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_another_window_is_noticed(decisions):
    first = decide(decisions, seen=None, check_seen=True)
    with pytest.raises(DecidedMeanwhileError, match="another window"):
        decide(decisions, verdict="reject", seen=None, check_seen=True)
    decide(decisions, verdict="reject", seen=first.decision_id, check_seen=True)
    assert [d.verdict for d in decisions.standing()] == ["reject"]


def test_two_people_at_once(tmp_path):
    path = tmp_path / "d.sqlite"

    def work(name):
        database = open_database(path, HASH)  # both may be the one that makes the file
        for number in range(40):
            decide(database, row_id=f"r{number}", annotator=name)
        return name

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, ["Ada", "Bo"])) == ["Ada", "Bo"]
    database = open_database(path)
    assert {name: len(database.verdicts(name)) for name in ("Ada", "Bo")} == {"Ada": 40, "Bo": 40}
    assert [entry[0] for entry in database.history()] == list(range(1, 81))


def test_one_person_in_two_windows_decides_a_row_once(decisions):
    def work(_):
        try:
            return decide(decisions, seen=None, check_seen=True).decision_id
        except DecidedMeanwhileError:
            return None

    with ThreadPoolExecutor(4) as pool:
        made = [number for number in pool.map(work, range(8)) if number is not None]
    assert made == [1]


def test_files_that_are_not_ours(tmp_path):
    path = tmp_path / "d.sqlite"
    with pytest.raises(InputError, match="no file"):
        open_database(path)
    open_database(path, HASH)
    with pytest.raises(InputError, match="decisions about another one"):
        open_database(path, "b" * 64)
    assert open_database(path).content_hash == HASH

    whole = path.read_bytes()
    broken = tmp_path / "broken.sqlite"
    for content in (
        b"no database at all" * 100,
        whole[:1000],
        whole[:5000],
        whole[:3000] + b"\xff" * (len(whole) - 3000),
    ):
        broken.write_bytes(content)
        for asked in (HASH, None):
            with pytest.raises(InputError):
                open_database(broken, asked).standing()

    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE songs (name)")
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match="another program"):
        open_database(other, HASH)

    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(InputError, match="version 9"):
        open_database(path, HASH)
    with pytest.raises(InputError, match="not a file"):
        open_database(tmp_path, HASH)
    with pytest.raises(InputError, match="no folder"):
        open_database(tmp_path / "none" / "d.sqlite", HASH)


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 81, "\x1b[31m"])
def test_names_that_nobody_has(name):
    with pytest.raises(InputError, match="annotator"):
        check_annotator(name)
