"""Whether a file that is to be written may be: asked before the long work, for every kind of file that one name stands for."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from video3d.types import InputError


def check_out_file(
    out: Path, endings: Sequence[str], *, is_ours: Callable[[Path], bool], ours: str, overwrite: bool, do: str = ""
) -> None:
    """Raises InputError unless ``out`` is a name with one of the endings that is free, or an earlier file that may be replaced.

    Args:
        out: the file.
        endings: of its name, in lower case.
        is_ours: whether a file that is there is one of the kind, so that no other is lost.
        ours: what that kind is called.
        overwrite: whether such a file may be replaced.
        do: what else to say of another ending.

    >>> check_out_file(Path("scene.png"), (".rrd", ".html"), is_ours=bool, ours="a view", overwrite=False)
    Traceback (most recent call last):
    ...
    video3d.types.errors.InputError: scene.png: expected a file name ending in .rrd or .html, got .png
    """
    if out.suffix.lower() not in endings:
        more = {"do": do} if do else {}
        raise InputError(
            out, expected=f"a file name ending in {' or '.join(endings)}", got=out.suffix or "none", **more
        )
    try:
        if not out.parent.is_dir():
            raise InputError(out, expected="a file to be made in an existing folder", got=f"no folder {out.parent}")
        if not os.access(out.parent, os.W_OK):
            raise InputError(out, expected="a folder that can be written", got=f"no permission in {out.parent}")
        if out.is_symlink() or (out.exists() and not out.is_file()):
            raise InputError(out, expected="a file", got="a folder or link of that name", do="name another file")
        if out.exists() and not overwrite:
            raise InputError(out, expected="a new file", got="one that exists", do="name another, or --overwrite")
        if out.exists() and not is_ours(out):
            raise InputError(out, expected=ours, got="another kind of file", do="name another file")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        got = getattr(error, "strerror", None) or error
        raise InputError(out, expected="a file that can be made", got=got, do="name another") from error
