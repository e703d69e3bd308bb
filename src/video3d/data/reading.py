"""Questions drawn at random, each beside six frames of its clip, to be read by a person: the last check that a question is right."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from video3d.data.row import Row
from video3d.data.sheet import save_picture
from video3d.data.store import SPLITS, DataSet
from video3d.data.truth import ClipData
from video3d.types import InputError

ROWS_A_PAGE = 4
_FRAMES, _FRAME_PX, _LETTERS_PX, _GAP_PX = 6, 240, 17, 8
_PAPER, _INK = (250, 250, 250), (20, 20, 20)


def draw_rows(dataset: DataSet, num_rows: int, seed: int) -> list[Row]:
    """Rows of all splits, each as likely as another; the same seed draws the same ones.

    Errors: ``InputError`` for a data set with fewer rows.
    """
    rows = [row for split in SPLITS if split in dataset.splits() for row in dataset.rows(split)]
    if len(rows) < num_rows:
        raise InputError("--rows", expected=f"at most the {len(rows)} rows of {dataset.root}", got=num_rows)
    return [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))[:num_rows]]


def row_lines(row: Row) -> list[str]:
    """What a reader has to judge: the question, what was on offer, and the answer."""
    options = getattr(row.answer, "options", None)
    lines = [f"{row.row_id}  [{row.type}.{row.subtype}]  {row.answer.kind}", f"Q: {row.question['en']}"]
    if options:
        lines.append("   " + " / ".join(option["en"] for option in options))
    return [*lines, f"A: {row.answer_text['en']}"]


def row_picture(clip: ClipData, row: Row) -> Image.Image:
    """Six frames, evenly spread with the first and the last, and the words below."""
    frames = np.unique(np.linspace(0, clip.truth.num_frames - 1, _FRAMES).round().astype(int))
    height = round(_FRAME_PX * clip.truth.size_hw[0] / clip.truth.size_hw[1])
    width = _FRAMES * (_FRAME_PX + _GAP_PX)
    lines = [part for line in row_lines(row) for part in textwrap.wrap(line, width // 9) or [""]]
    step = _LETTERS_PX + 4
    page = Image.new("RGB", (width, height + step * len(lines) + 2 * _GAP_PX), _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_LETTERS_PX)
    for place, frame in enumerate(frames.tolist()):
        picture = Image.fromarray(clip.rgb[frame]).resize((_FRAME_PX, height), Image.Resampling.LANCZOS)
        page.paste(picture, (place * (_FRAME_PX + _GAP_PX), 0))
    for number, line in enumerate(lines):
        draw.text((_GAP_PX, height + _GAP_PX + step * number), line, _INK, font)
    return page


def write_pages(dataset: DataSet, rows: list[Row], out: Path, ending: str = ".jpg") -> Iterator[Path]:
    """Writes pages of ``ROWS_A_PAGE`` questions into a folder, and gives the name of each when it is written.

    Errors: ``InputError`` where the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(out, expected="a folder that can be made", got=error.strerror or error) from error
    for first in range(0, len(rows), ROWS_A_PAGE):
        pictures = [row_picture(dataset.clip(row.clip_id), row) for row in rows[first : first + ROWS_A_PAGE]]
        page = Image.new("RGB", (max(p.width for p in pictures), sum(p.height for p in pictures)), _PAPER)
        top = 0
        for picture in pictures:
            page.paste(picture, (0, top))
            top += picture.height
        path = out / f"page-{first // ROWS_A_PAGE + 1:03d}{ending}"
        save_picture(page, path)
        yield path
