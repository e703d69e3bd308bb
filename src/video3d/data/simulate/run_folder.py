"""The folder of a run that is under way: what is its own in there, its plan, and a lock that keeps a second run out."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from video3d.types import InputError

WORK = ".work"
"""What only an unfinished run needs is in here."""
PLAN = "plan.json"
_LOCK = "lock"


def check_folder(root: Path) -> None:
    """Nothing that is not a run's own is touched. Errors: ``InputError``, ``OSError``."""
    if root.exists() and not root.is_dir():
        raise InputError(root, expected="a folder to make", got="a file", do="name another")
    if not root.exists() or (root / WORK / PLAN).is_file():
        return
    work = root / WORK
    own = {work, work / _LOCK} if work.is_dir() and not work.is_symlink() else set[Path]()
    if any(found not in own for found in (*root.iterdir(), *(work.iterdir() if own else ()))):
        raise InputError(root, expected="an empty folder or one to go on with", got="other files", do="name another")


def held_plan(root: Path) -> dict[str, Any]:
    """What the run in a folder was begun with. Errors: ``InputError`` where its plan is damaged."""
    path = root / WORK / PLAN
    do = "delete what the run has made and begin anew, or name another --out"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(path, expected="the plan of a run", got=error, do=do) from error
    if not isinstance(held, dict):
        raise InputError(path, expected="the plan of a run", got=json.dumps(held)[:40], do=do)
    return held


def clear_partial(root: Path) -> None:
    """Removes what was half written when a run was killed."""
    for partial in (*root.glob("clips/.*.partial"), *root.glob(f"{WORK}/.*.partial")):
        partial.unlink(missing_ok=True)


# One entry a run of this process: its locked file, held until the work is cleared or the process ends.
_locks: dict[Path, IO[str]] = {}


def take(root: Path) -> None:
    """Locks the folder for this process; where the system or the file system has no locks, nothing is locked.

    Errors: ``InputError`` where another run has it, and for a folder that cannot be made.
    """
    try:
        import fcntl
    except ImportError:
        return
    if root.resolve() in _locks:
        return
    path = root / WORK / _LOCK
    try:
        check_folder(root)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w", encoding="utf-8")
    except OSError as error:
        raise InputError(root, expected="a folder that can be written", got=error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = _is_at(lock, path)
    except BlockingIOError:
        free = False
    except OSError:
        free = True
    if not free:
        lock.close()
        do = "wait until it has ended, or name another --out"
        raise InputError(root, expected="a folder for this run alone", got="a run is under way there", do=do)
    _locks[root.resolve()] = lock


def _is_at(lock: IO[str], path: Path) -> bool:
    """Whether the locked file is still the one of that name: the run before may have removed it as it ended."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except FileNotFoundError:
        return False


def release(root: Path) -> None:
    """Gives the folder free again, without the lock's file; folders that hold nothing then are gone too."""
    if (lock := _locks.pop(root.resolve(), None)) is None:
        return
    with suppress(OSError):  # removed while it is still locked, so that nobody's lock is taken away
        (root / WORK / _LOCK).unlink(missing_ok=True)
    lock.close()
    with suppress(OSError):
        (root / WORK).rmdir()
        root.rmdir()
