"""The two files of ``view``: a recording for rerun, and a page. What is in them is decided by the ending of their name."""

import os
from pathlib import Path

from video3d.types import InputError
from video3d.viz.rerun_log import MAGIC, save_rrd
from video3d.viz.shown import Shown
from video3d.viz.web_page import MARKER, write_page

ENDINGS = (".rrd", ".html")
_HEAD_BYTES = 20_000


def check_view_out(out: Path, *, overwrite: bool) -> None:
    """Raises InputError unless ``out`` is a name of either kind that is free, or an earlier file that may be replaced.

    >>> check_view_out(Path("scene.png"), overwrite=False)
    Traceback (most recent call last):
    ...
    video3d.types.errors.InputError: scene.png: expected a file name ending in .rrd or .html, got .png
    """
    if out.suffix.lower() not in ENDINGS:
        raise InputError(out, expected="a file name ending in .rrd or .html", got=out.suffix or "none")
    try:
        if not out.parent.is_dir():
            raise InputError(out, expected="a file to be made in an existing folder", got=f"no folder {out.parent}")
        if not os.access(out.parent, os.W_OK):
            raise InputError(out, expected="a folder that can be written", got=f"no permission in {out.parent}")
        if out.is_symlink() or (out.exists() and not out.is_file()):
            raise InputError(out, expected="a file", got="a folder or link of that name", do="name another file")
        if out.exists() and not overwrite:
            raise InputError(out, expected="a new file", got="one that exists", do="name another, or --overwrite")
        if out.exists() and not _is_ours(out):
            raise InputError(out, expected="an earlier view", got="another kind of file", do="name another file")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        got = getattr(error, "strerror", None) or error
        raise InputError(out, expected="a file that can be made", got=got, do="name another") from error


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return head.startswith(MAGIC) if path.suffix.lower() == ".rrd" else MARKER.encode() in head


def write_view(shown: Shown, out: Path, *, text: str, overwrite: bool = False) -> None:
    """Writes a view, whole or not at all; see ``rerun_log.save_rrd`` and ``web_page.write_page``.

    Raises:
        InputError: see ``check_view_out``; or it cannot be written.
    """
    check_view_out(out, overwrite=overwrite)
    (save_rrd if out.suffix.lower() == ".rrd" else write_page)(shown, out, text=text)
