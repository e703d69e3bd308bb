"""The two files of ``view``: a recording for rerun, and a page. What is in them is decided by the ending of their name."""

from pathlib import Path

from video3d.viz.out_file import check_out_file
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
    check_out_file(out, ENDINGS, is_ours=_is_ours, ours="an earlier view", overwrite=overwrite)


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
