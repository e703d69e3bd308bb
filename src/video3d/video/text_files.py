"""Reads the small text files of recordings: matrices, lists, one number after another; always with a clear refusal."""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from video3d.types import InputError

_MAX_BYTES = 256 * 2**20  # an hour of poses at 1 kHz; what is larger is not one of these files


def read_text(path: Path) -> str:
    """The text of a UTF-8 file. Errors: ``InputError`` when it is missing, not a file, too large or not text."""
    try:
        if not path.is_file():  # a pipe or a device would block or never end
            raise InputError(path, expected="a text file", got="no file" if path.exists() else "nothing there")
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(
                path, expected=f"at most {_MAX_BYTES >> 20} MB of text", got=f"{path.stat().st_size} bytes"
            )
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(path, expected="text in UTF-8", got=f"other bytes at {error.start}") from error
    except OSError as error:
        raise InputError(path, expected="a file that can be read", got=error.strerror or error) from error
    if "\0" in text:
        raise InputError(path, expected="text", got="binary content")
    return text


def read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line number (from 1) and words of every line but empty ones and ``#`` comments; commas separate as spaces do."""
    lines = enumerate(read_text(path).splitlines(), start=1)
    rows = [(number, line.replace(",", " ").split()) for number, line in lines if not line.lstrip().startswith("#")]
    return [(number, words) for number, words in rows if words]


def numbers(words: list[str], thing: object) -> Float64[np.ndarray, "n"]:
    """The words as finite numbers. Errors: ``InputError`` on ``thing`` for a word that is none, NaN or infinite."""
    values = np.empty(len(words), np.float64)
    for i, word in enumerate(words):
        try:
            values[i] = float(word)
        except ValueError as error:
            raise InputError(thing, expected="numbers", got=repr(word[:40])) from error
        if not np.isfinite(values[i]):
            raise InputError(thing, expected="finite numbers", got=word[:40])
    return values


def read_numbers(path: Path) -> Float64[np.ndarray, "n"]:
    """All numbers of a file in reading order, whatever the lines."""
    return numbers([word for _, words in read_rows(path) for word in words], path)


def read_pose(path: Path) -> Float64[np.ndarray, "4 4"]:
    """A 4x4 (or 3x4) matrix in a file of its own. That it is rigid, ``validated`` checks for every reader."""
    return as_pose(read_numbers(path), path)


def as_pose(values: Float64[np.ndarray, "n"], thing: object) -> Float64[np.ndarray, "4 4"]:
    """A 4x4 matrix of 16 numbers by row, or of the 12 of its upper rows."""
    if values.size == 12:
        values = np.concatenate([values, [0.0, 0.0, 0.0, 1.0]])
    if values.size != 16:
        raise InputError(thing, expected="a pose of 4x4 or 3x4 numbers", got=f"{values.size} numbers")
    return values.reshape(4, 4)


def read_intrinsics(path: Path) -> Float64[np.ndarray, "3 3"]:
    """Intrinsics of integer-centred pixels, returned with centres at +0.5: half a pixel is added to cx and cy.

    Accepts 3x3 or 4x4 numbers by row, or just fx fy cx cy (more numbers after these are distortion and left out by the
    caller's note).
    """
    values = read_numbers(path)
    if values.size == 16:
        k_px = values.reshape(4, 4)[:3, :3].copy()
    elif values.size == 9:
        k_px = values.reshape(3, 3)
    elif values.size == 4:
        k_px = np.array([[values[0], 0.0, values[2]], [0.0, values[1], values[3]], [0.0, 0.0, 1.0]])
    else:
        raise InputError(path, expected="a 3x3 matrix or fx fy cx cy", got=f"{values.size} numbers")
    k_px[:2, 2] += 0.5
    return k_px
