"""Clips to look at: frames with the truth drawn in, depth and masks beside them, of one clip or of many on one sheet.

Everything is drawn at the size it is shown at: lines and letters over a frame that was enlarged first, so that they stay sharp.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image, ImageDraw, ImageFont

from video3d.data.drawing import box_segments, depth_rgb, depth_scale_m, instance_color, mask_layer
from video3d.data.store import DataSet
from video3d.data.truth import ClipData, ObjectTruth, SceneTruth
from video3d.geometry.rigid import is_known
from video3d.replaced import replaced
from video3d.types import InputError

CELL_PX = 288
"""Width of a frame on a sheet."""
MOST_BYTES = 800_000
"""A sheet is written at the best JPEG quality that stays under this."""
_COLUMNS = 5
_GAP_PX = 6
_LETTERS_PX = 17
_LABEL_SHARE = 0.3
_LABEL_PX = 60  # fewer pixels than this are a speck under its label
_MOST_BOXES = 5
_PAPER, _INK, _OUTLINE = (250, 250, 250), (255, 255, 255), (0, 0, 0)


def well_seen(truth: SceneTruth, frame: int, most: int = _MOST_BOXES) -> list[ObjectTruth]:
    """The objects to draw in a frame: what moves comes first, then the largest; hidden ones and specks are left out."""
    order = sorted(
        (i for i in range(len(truth.objects)) if _is_well_seen(truth, frame, i)),
        key=lambda i: (truth.objects[i].motion != "dynamic", -int(truth.visible_px[frame, i])),
    )
    return [truth.objects[i] for i in order[:most]]


def _is_well_seen(truth: SceneTruth, frame: int, i: int) -> bool:
    return bool(truth.visible_share[frame, i] > _LABEL_SHARE and truth.visible_px[frame, i] >= _LABEL_PX)


def telling_frame(truth: SceneTruth) -> int:
    """The frame that shows most: of what moves, then of everything; the one nearest the middle among equals."""

    def shows(frame: int) -> tuple[int, int, float]:
        seen = [found for i, found in enumerate(truth.objects) if _is_well_seen(truth, frame, i)]
        moving = sum(found.motion == "dynamic" for found in seen)
        return moving, len(seen), -abs(frame - (truth.num_frames - 1) / 2)

    return max(range(truth.num_frames), key=shows)


def boxes_picture(clip: ClipData, frame: int, objects: Sequence[ObjectTruth], width_px: int) -> Image.Image:
    """A frame with the boxes of objects and their names. A name that would lie over an earlier one is left out."""
    image = _resized(clip.rgb[frame], width_px, Image.Resampling.LANCZOS)
    draw, scale = ImageDraw.Draw(image), width_px / clip.truth.size_hw[1]
    lines = {
        found.object_id: box_segments(clip.truth, frame, found.box(frame)) * scale
        for found in objects
        if is_known(found.world_from_object[frame])
    }
    for object_id, segments in reversed(lines.items()):  # the first ones lie on top
        for segment in segments.tolist():
            draw.line(segment, fill=_OUTLINE, width=4)
        for segment in segments.tolist():
            draw.line(segment, fill=instance_color(object_id), width=2)
    taken: list[tuple[float, ...]] = []
    for found in objects:
        if len(lines.get(found.object_id, ())):
            _label(image, found.category, lines[found.object_id].reshape(-1, 2), taken)
    return image


def _label(image: Image.Image, text: str, ends_px: Float64[np.ndarray, "n 2"], taken: list[tuple[float, ...]]) -> None:
    """Writes a name above its box, or on it or below, where there is room."""
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_LETTERS_PX)
    _, _, wide, high = draw.textbbox((0, 0), text, font=font, stroke_width=2)
    inside = np.clip(ends_px, 0, image.size)
    (left, top), (right, bottom) = inside.min(axis=0).tolist(), inside.max(axis=0).tolist()
    across = min(max((left + right - wide) / 2, 2), image.width - wide - 2)
    for down in (top - high - 2, top + 2, bottom + 1, (top + bottom - high) / 2):
        place = (float(across), float(down), float(across + wide), float(down + high))
        free = all(place[2] < t[0] or t[2] < place[0] or place[3] < t[1] or t[3] < place[1] for t in taken)
        if free and down >= 0 and place[3] <= image.height:
            draw.text(place[:2], text, fill=_INK, font=font, stroke_width=2, stroke_fill=_OUTLINE)
            taken.append(place)
            return


def truth_pictures(clip: ClipData, frame: int, width_px: int) -> list[Image.Image]:
    """Depth and masks of a frame, as far as the clip has them."""
    pictures = []
    if clip.depth_m is not None:
        pictures.append(depth_rgb(clip.depth_m[frame], depth_scale_m(clip.depth_m)))
    if clip.instance is not None:
        dim = (clip.rgb[frame].mean(axis=2, keepdims=True) * 0.35).astype(np.uint8).repeat(3, axis=2)
        over = Image.fromarray(dim).convert("RGBA")
        over.alpha_composite(Image.fromarray(mask_layer(clip.instance[frame])))
        pictures.append(np.asarray(over.convert("RGB")))
    return [_resized(picture, width_px, Image.Resampling.BOX) for picture in pictures]


def _resized(rgb: UInt8[np.ndarray, "h w 3"], width_px: int, how: Image.Resampling) -> Image.Image:
    height_px = round(rgb.shape[0] * width_px / rgb.shape[1])
    return Image.fromarray(rgb).resize((width_px, height_px), how)


def clip_sheet(
    clip: ClipData, frames: Sequence[int] | None = None, object_ids: Sequence[int] | None = None
) -> Image.Image:
    """Frames of a clip side by side with the boxes of some objects (default: those well seen); below them depth; below that masks."""
    truth = clip.truth
    columns = []
    for frame in frames or np.linspace(0, truth.num_frames - 1, 4).round().astype(int).tolist():
        objects = well_seen(truth, frame) if object_ids is None else [truth.object(i) for i in object_ids]
        columns.append(_stacked([boxes_picture(clip, frame, objects, CELL_PX), *truth_pictures(clip, frame, CELL_PX)]))
    return _grid(columns, len(columns), gap_px=0)


def clip_cell(clip: ClipData, frame: int) -> Image.Image:
    """One frame of a clip for a sheet of many: its scenario, the boxes, and depth and masks at half the size below."""
    objects = well_seen(clip.truth, frame)
    title = Image.new("RGB", (CELL_PX, _LETTERS_PX + 8), _PAPER)
    words = f"{clip.truth.domain}: {clip.truth.scenario.replace('_', ' ')}"
    ImageDraw.Draw(title).text((2, 2), words, fill=_OUTLINE, font=ImageFont.load_default(_LETTERS_PX))
    below = truth_pictures(clip, frame, CELL_PX // 2)
    return _stacked(
        [title, boxes_picture(clip, frame, objects, CELL_PX), *([_grid(below, 2, gap_px=0)] if below else [])]
    )


def dataset_sheet(dataset: DataSet, num_clips: int = 40) -> tuple[Image.Image, list[str]]:
    """Clips of a data set, a cell each, and their ids: the same for the same data. Errors: ``InputError`` for no clips."""
    scenario, domain = dataset.column("scenario"), dataset.column("domain")
    groups: dict[str, list[str]] = {}
    for clip_id in sorted(scenario):
        groups.setdefault(f"{domain[clip_id]}: {scenario[clip_id]}", []).append(clip_id)
    chosen = spread(groups, num_clips)
    if not chosen:
        raise InputError(dataset.root, expected="clips to draw", got="none")
    cells = []
    for clip_id in chosen:
        frame = telling_frame(dataset.truth(clip_id))
        cells.append(clip_cell(dataset.clip(clip_id, [frame]), frame))
    return _grid(cells, min(_COLUMNS, len(cells)), gap_px=_GAP_PX), chosen


def spread(groups: Mapping[str, Sequence[str]], most: int) -> list[str]:
    """At most ``most`` members, as evenly over the groups as they allow, and evenly along each; groups by their name.

    >>> spread({"roll": list("abcdef"), "fall": list("xy")}, 3)
    ['y', 'b', 'e']
    """
    shares = dict.fromkeys(groups, 0)
    fullest_first = sorted(groups, key=lambda name: (-len(groups[name]), name))
    while sum(shares.values()) < min(most, sum(map(len, groups.values()))):
        for name in fullest_first:
            shares[name] += int(shares[name] < len(groups[name]) and sum(shares.values()) < most)
    return [
        groups[name][(2 * k + 1) * len(groups[name]) // (2 * shares[name])]
        for name in sorted(groups)
        for k in range(shares[name])
    ]


def _stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    return _grid(pictures, 1, gap_px=0)


def _grid(pictures: Sequence[Image.Image], columns: int, *, gap_px: int) -> Image.Image:
    """Pictures in rows, from the left; a row is as high as the highest of it."""
    rows = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
    wide = max(picture.width for picture in pictures)
    heights = [max(picture.height for picture in row) for row in rows]
    size = (columns * (wide + gap_px) - gap_px, sum(heights) + gap_px * (len(rows) - 1))
    sheet, down = Image.new("RGB", size, _PAPER), 0
    for row, height in zip(rows, heights, strict=True):
        for column, picture in enumerate(row):
            sheet.paste(picture, (column * (wide + gap_px), down))
        down += height + gap_px
    return sheet


def save_picture(image: Image.Image, path: Path) -> None:
    """Writes a picture beside and renames it: PNG, or JPEG of at most ``MOST_BYTES`` where the quality can be had for that.

    Errors: ``InputError`` for another ending, and for a place that cannot be written.
    """
    kind = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}.get(path.suffix.lower())
    if kind is None:
        raise InputError(path, expected="a name that ends in .png, .jpg or .jpeg", got=repr(path.suffix))
    out = io.BytesIO()
    for quality in range(90, 40, -5):
        out = io.BytesIO()
        image.save(out, kind, optimize=True, quality=quality)
        if kind == "PNG" or out.tell() <= MOST_BYTES:
            break
    try:
        if path.is_dir():
            raise InputError(path, expected="a picture to write", got="a folder", do="name a file in it")
        with replaced(path) as beside:
            beside.write_bytes(out.getvalue())
    except OSError as error:
        raise InputError(
            path, expected="a place that can be written", got=error.strerror or error, do="name another"
        ) from error
