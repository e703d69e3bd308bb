"""Files are written beside and renamed, so that one with its name is whole and nothing that a user had is half written."""

import errno
import os
import uuid
from contextlib import suppress
from pathlib import Path

from video3d.types import InputError


class replaced:  # noqa: N801 - a context manager that reads as a verb
    """``with replaced(path) as beside:`` write ``beside``; it becomes ``path`` if nothing is raised, else it is gone."""

    def __init__(self, path: Path) -> None:
        self._path, self._beside = path, path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")

    def __enter__(self) -> Path:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_written(error) from error
        return self._beside

    def __exit__(self, kind: object, error: BaseException | None, *_: object) -> None:
        if kind is None:
            try:
                with self._beside.open("rb") as made:
                    os.fsync(made.fileno())
                self._beside.replace(self._path)
            except OSError as failed:
                self._remove()
                raise self._not_written(failed) from failed
            return
        self._remove()
        # The user never named the file beside: what cannot be written is the path.
        if isinstance(error, OSError) and self._beside.name in str(error):
            raise self._not_written(error) from error

    def _remove(self) -> None:
        with suppress(OSError):
            self._beside.unlink(missing_ok=True)

    def _not_written(self, error: OSError) -> InputError:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        do = "free some space, or write elsewhere" if full else "write where you may write a file of this name"
        got = error.strerror or str(error).replace(self._beside.name, self._path.name)
        return InputError(self._path, expected="a file that can be written", got=got, do=do)
