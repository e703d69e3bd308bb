"""Who decided what and when: one SQLite file, to which decisions are only ever added.

A decision is one record and is never changed (triggers refuse it). Of several decisions of one person about one row the last
counts. Taking one back adds a record that names it; then the one before it counts again. Several programs may write to the
file at the same time: each write is one transaction, and readers never wait (write-ahead log).
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from video3d.types import InputError

Verdict = Literal["accept", "edit", "reject", "unsure"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

DATABASE_VERSION = 1
_APPLICATION = (
    0x56334451  # "V3DQ": SQLite keeps it in the file's header, so that another program's file is not taken for ours
)
_WAIT_S = 10.0
_MAX_NAME = 80

_TABLES = (
    "CREATE TABLE about (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), data_hash TEXT NOT NULL)",
    """CREATE TABLE decision (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        row_id TEXT NOT NULL,
        annotator TEXT NOT NULL,
        decided_at TEXT NOT NULL,
        verdict TEXT NOT NULL CHECK (verdict IN ('accept', 'edit', 'reject', 'unsure', 'undo')),
        row_json TEXT,
        reason TEXT NOT NULL DEFAULT '',
        seconds REAL NOT NULL CHECK (seconds >= 0),
        data_hash TEXT NOT NULL,
        undoes INTEGER UNIQUE REFERENCES decision (id),
        CHECK ((verdict = 'edit') = (row_json IS NOT NULL)),
        CHECK ((verdict = 'undo') = (undoes IS NOT NULL))
    )""",
    "CREATE INDEX decision_of ON decision (annotator, row_id, id)",
    "CREATE TRIGGER never_changed BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'decisions are only added'); END",
    "CREATE TRIGGER never_removed BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'decisions are only added'); END",
    # With MAX, SQLite takes the other columns from the record that holds the maximum (sqlite.org/lang_select.html, section 2.5).
    """CREATE VIEW standing AS
        SELECT MAX(id) AS id, row_id, annotator, decided_at, verdict, row_json, reason, seconds, data_hash
        FROM decision AS d
        WHERE undoes IS NULL AND NOT EXISTS (SELECT 1 FROM decision AS u WHERE u.undoes = d.id)
        GROUP BY annotator, row_id""",
)
_COLUMNS = "id, row_id, annotator, decided_at, verdict, row_json, reason, seconds, data_hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one person decided about one row.

    Attributes:
        decision_id: ascending in the order of writing.
        row_id: of the data set's row.
        annotator: who.
        decided_at: when, UTC, ISO 8601.
        verdict: accept (right as it stands), edit (right as ``row_json`` has it), reject (for ``reason``), unsure.
        row_json: the whole corrected row as JSON; None unless edited.
        reason: why, in the annotator's words; may be empty.
        seconds: spent on the row before deciding.
        data_hash: content hash of the data set that was shown.
    """

    decision_id: int
    row_id: str
    annotator: str
    decided_at: str
    verdict: Verdict
    row_json: str | None
    reason: str
    seconds: float
    data_hash: str


class DecidedMeanwhileError(InputError):
    """The same person decided the row in another window since it was shown here. Nothing was written."""


def check_annotator(name: str) -> str:
    """The annotator's name without outer spaces. Errors: ``InputError`` for none, a long one or one that cannot be printed.

    >>> check_annotator(" Ada ")
    'Ada'
    """
    name = name.strip()
    if not name or len(name) > _MAX_NAME or not name.isprintable():
        raise InputError(
            "the annotator", expected=f"a name of 1 to {_MAX_NAME} printable characters", got=repr(name[:90])
        )
    return name


@dataclass(frozen=True, slots=True)
class Database:
    """The decisions about one data set; made by :func:`open_database`. Every call opens the file anew, so any thread may make it."""

    path: Path
    content_hash: str
    now: Callable[[], datetime]

    def decide(
        self,
        *,
        row_id: str,
        annotator: str,
        verdict: Verdict,
        seconds: float,
        row_json: str | None = None,
        reason: str = "",
        seen: int | None = None,
        check_seen: bool = False,
    ) -> Decision:
        """Adds a decision.

        Args:
            row_id: the row decided about.
            annotator: who decides.
            verdict: what.
            seconds: spent on it, >= 0.
            row_json: the corrected row; given exactly with ``edit``.
            reason: in words.
            seen: with ``check_seen``: id of the decision that stood when the row was shown, None for none.
            check_seen: refuse where another one stands by now.

        Errors: ``DecidedMeanwhileError``; ``InputError`` where the file cannot be written.
        """
        with _session(self.path) as connection, _transaction(connection):
            if check_seen:
                found = connection.execute(
                    "SELECT id FROM standing WHERE annotator = ? AND row_id = ?", (annotator, row_id)
                ).fetchone()
                standing = found[0] if found else None
                if standing != seen:
                    raise DecidedMeanwhileError(
                        row_id,
                        expected="the decision that is shown to be the last",
                        got="another one, made in another window",
                        do="look at the row again",
                    )
            when = self.now().astimezone(UTC).isoformat(timespec="milliseconds")
            values = (row_id, annotator, when, verdict, row_json, reason, seconds, self.content_hash)
            cursor = connection.execute(
                "INSERT INTO decision (row_id, annotator, decided_at, verdict, row_json, reason, seconds, data_hash)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            return _decision((cursor.lastrowid, *values))

    def undo(self, annotator: str, decision_id: int | None = None) -> Decision:
        """Takes a standing decision of the annotator back, by default the last one made; returns it.

        Errors: ``InputError`` where there is none.
        """
        with _session(self.path) as connection, _transaction(connection):
            which, values = ("AND id = ?", (annotator, decision_id)) if decision_id is not None else ("", (annotator,))
            found = connection.execute(
                f"SELECT {_COLUMNS} FROM standing WHERE annotator = ? {which} ORDER BY id DESC LIMIT 1",  # noqa: S608
                values,
            ).fetchone()
            if found is None:
                wanted = "one that stands" if decision_id is None else f"decision {decision_id} to stand"
                raise InputError("the decision to take back", expected=wanted, got=f"none of {annotator}")
            taken = _decision(found)
            when = self.now().astimezone(UTC).isoformat(timespec="milliseconds")
            connection.execute(
                "INSERT INTO decision (row_id, annotator, decided_at, verdict, seconds, data_hash, undoes)"
                " VALUES (?, ?, ?, 'undo', 0, ?, ?)",
                (taken.row_id, annotator, when, self.content_hash, taken.decision_id),
            )
            return taken

    def standing(self, annotator: str | None = None, row_id: str | None = None) -> list[Decision]:
        """The decisions that count, in the order in which they were made: one a person and row."""
        wanted = [(name, value) for name, value in (("annotator", annotator), ("row_id", row_id)) if value is not None]
        where = " AND ".join(f"{name} = ?" for name, _ in wanted) or "1"
        with _session(self.path) as connection:
            found = connection.execute(
                f"SELECT {_COLUMNS} FROM standing WHERE {where} ORDER BY id",  # noqa: S608 - names from the tuple above
                [value for _, value in wanted],
            ).fetchall()
        return [_decision(values) for values in found]

    def verdicts(self, annotator: str) -> dict[str, Verdict]:
        """What the annotator's standing decisions say, by row."""
        with _session(self.path) as connection:
            found = connection.execute("SELECT row_id, verdict FROM standing WHERE annotator = ?", (annotator,))
            return dict(found.fetchall())

    def history(self) -> list[tuple[int, str, str, str, int | None]]:
        """Everything ever written: (id, row, annotator, verdict or ``undo``, id of what was taken back)."""
        with _session(self.path) as connection:
            return connection.execute(
                "SELECT id, row_id, annotator, verdict, undoes FROM decision ORDER BY id"
            ).fetchall()


def utc_now() -> datetime:
    """The clock that stamps decisions."""
    return datetime.now(UTC)


def open_database(
    path: str | Path, content_hash: str | None = None, *, now: Callable[[], datetime] = utc_now
) -> Database:
    """Opens the decisions about a data set, or begins them.

    Args:
        path: the SQLite file; made where ``content_hash`` is given and there is none.
        content_hash: of the data set that will be shown; None to read whatever data set it is about.
        now: the clock.

    Errors: ``InputError`` for a file that is damaged, not a database of decisions, of a later version of this program, or about
    another data set.
    """
    path = Path(path)
    there = path.exists()  # asked once: another program may be making the file at this moment
    if (there and not path.is_file()) or (not there and content_hash is None):
        got = "not a file" if there else "no file"
        raise InputError(
            path, expected="a database of decisions", got=got, do="make one with: video3d data annotate DIR"
        )
    if not path.parent.is_dir():
        raise InputError(path, expected="a file in a folder that exists", got=f"no folder {path.parent}")
    with _session(path) as connection:
        if content_hash is not None:
            _create(connection, content_hash)
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION:
            raise InputError(path, expected="a database of decisions", got="an SQLite file of another program")
        if version != DATABASE_VERSION:
            raise InputError(path, expected=f"version {DATABASE_VERSION} of the database", got=f"version {version}")
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        about = connection.execute("SELECT data_hash FROM about").fetchone()
        if damage != "ok" or about is None:
            raise InputError(path, expected="a whole database", got=str(damage), do="restore it from a copy")
    if content_hash is not None and about[0] != content_hash:
        raise InputError(
            path,
            expected=f"decisions about this data set ({content_hash[:12]})",
            got=f"decisions about another one ({str(about[0])[:12]})",
            do="use another file, or the data set that was annotated",
        )
    return Database(path, str(about[0]), now)


def _create(connection: sqlite3.Connection, content_hash: str) -> None:
    """Makes the tables where the file is empty; of two programs that try at once, one makes them and the other finds them."""
    # The switch needs the file for itself for a moment. Whoever finds it busy leaves the switch to the other.
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
    with _transaction(connection):
        if connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
            return
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("INSERT INTO about VALUES (1, ?)", (content_hash,))
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {DATABASE_VERSION}")


def _decision(values: tuple) -> Decision:
    names = ("decision_id", *_COLUMNS.split(", ")[1:])
    return Decision(**dict(zip(names, values, strict=True)))


@contextmanager
def _session(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that is closed afterwards; what SQLite raises becomes an ``InputError``."""
    try:
        connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            yield connection
        finally:
            connection.close()
    except (sqlite3.Error, sqlite3.Warning) as error:
        if "locked" in str(error):
            raise InputError(
                path, expected="a database that can be written", got=f"locked for {_WAIT_S:.0f} s"
            ) from error
        raise InputError(path, expected="a database of decisions", got=error, do="restore it from a copy") from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the right to write at once, so that what is read inside still holds when it is written."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
