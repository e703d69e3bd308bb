"""Reads JSON from outside: typed look-ups that name what is missing, and tables too large to hold, row by row."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.types import InputError
from video3d.video.text_files import read_text

_CHUNK_CHARS = 1 << 20
_MAX_ROW_CHARS = 1 << 20
_BETWEEN_ROWS = re.compile(r"[\s,]*")


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object of a file. Errors: ``InputError`` when it is missing, not JSON, nested too deep or no object."""
    return parse_json_object(read_text(path), path)


def parse_json_object(text: str, thing: object) -> dict[str, Any]:
    """The JSON object of a text; ``thing`` names it in errors.

    >>> parse_json_object('{"fps": 30}', "metadata")
    {'fps': 30}
    """
    value = _parse(text, thing)
    if not isinstance(value, dict):
        raise InputError(thing, expected="a JSON object", got=f"a JSON {type(value).__name__}")
    return value


def _parse(text: str, thing: object) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(thing, expected="JSON", got=f"{error.msg} at line {error.lineno}") from error
    except RecursionError as error:
        raise InputError(thing, expected="JSON", got="JSON nested thousands of levels deep") from error
    except ValueError as error:  # an integer of more digits than Python converts
        raise InputError(thing, expected="JSON", got=str(error)[:80]) from error


def want(row: dict[str, Any], key: str, kind: type | tuple[type, ...], thing: object) -> Any:
    """``row[key]``, which must be of ``kind`` (bool is no number).

    Errors: ``InputError`` that names ``thing`` and the key.

    >>> want({"w": 640}, "w", int, "metadata")
    640
    """
    value = row.get(key)
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        names = " or ".join(
            {"str": "text", "int": "integer", "float": "number"}.get(k.__name__, k.__name__) for k in kinds
        )
        got = "nothing" if key not in row else f"{type(value).__name__} {str(value)[:40]!r}"
        raise InputError(f"{thing}: {key}", expected=f"a value of kind {names}", got=got)
    return value


def want_numbers(row: dict[str, Any], key: str, shape: tuple[int, ...], thing: object) -> Float64[np.ndarray, "..."]:
    """``row[key]`` as an array of ``shape`` (-1: any length) of finite numbers. Errors: ``InputError``.

    >>> want_numbers({"t": [1, 2.5, 3]}, "t", (3,), "pose").tolist()
    [1.0, 2.5, 3.0]
    """
    return as_numbers(want(row, key, list, thing), shape, f"{thing}: {key}")


def as_numbers(value: Any, shape: tuple[int, ...], thing: object) -> Float64[np.ndarray, "..."]:
    """A nested JSON list as an array of ``shape`` (-1: any length) of finite numbers. Errors: ``InputError``."""
    expected = f"finite numbers of shape {' x '.join('n' if s < 0 else str(s) for s in shape)}"
    try:
        array = np.array(value)
    except ValueError as error:  # lists of unequal length
        raise InputError(thing, expected=expected, got="lists of unequal length") from error
    fits = array.ndim == len(shape) and all(s in (-1, n) for s, n in zip(shape, array.shape, strict=True))
    if not fits or array.dtype.kind not in "iuf":
        raise InputError(
            thing, expected=expected, got=f"{array.dtype.name} of shape {' x '.join(map(str, array.shape))}"
        )
    if not np.isfinite(array).all():
        raise InputError(thing, expected=expected, got="NaN or infinity")
    return array.astype(np.float64)


def iterate_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file that is one JSON list of objects, one at a time: the list may be larger than memory.

    Errors: ``InputError`` when the file is missing, no such list, cut short, or one row is over a million characters.
    """
    decoder = json.JSONDecoder()
    try:
        if not path.is_file():  # a pipe or a device would block or never end
            raise InputError(path, expected="a JSON file", got="no file" if path.exists() else "nothing there")
        with path.open(encoding="utf-8-sig") as file:
            buffer, at, ended = "", 1, False
            while not buffer and (more := file.read(_CHUNK_CHARS)):
                buffer = more.lstrip()
            if not buffer.startswith("["):
                raise InputError(path, expected="a JSON list of objects", got="something else")
            while True:
                at = _end(_BETWEEN_ROWS, buffer, at)
                if at < len(buffer) and buffer[at] == "]":
                    return
                try:
                    row, end = decoder.raw_decode(buffer, at)
                except json.JSONDecodeError as error:
                    if ended or len(buffer) - at > _MAX_ROW_CHARS:
                        got = f"{error.msg} after {str(error.doc[max(at, 0) : at + 30])!r}"
                        raise InputError(path, expected="a JSON list of objects", got=got) from error
                    more = file.read(_CHUNK_CHARS)
                    buffer, at, ended = buffer[at:] + more, 0, not more
                    continue
                if not isinstance(row, dict):
                    raise InputError(path, expected="a JSON list of objects", got=f"a JSON {type(row).__name__} in it")
                yield row
                at = end
    except RecursionError as error:
        raise InputError(path, expected="a JSON list of objects", got="JSON nested thousands of levels deep") from error
    except UnicodeDecodeError as error:
        raise InputError(path, expected="text in UTF-8", got=f"other bytes at {error.start}") from error
    except InputError:
        raise
    except ValueError as error:  # an integer of more digits than Python converts
        raise InputError(path, expected="a JSON list of objects", got=str(error)[:80]) from error
    except OSError as error:
        raise InputError(path, expected="a JSON file", got=error.strerror or error) from error


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
