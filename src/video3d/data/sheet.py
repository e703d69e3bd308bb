"""A clip to look at: frames with the truth drawn in, depth in colour, masks, as one picture."""

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8, UInt16
from PIL import Image, ImageDraw

from video3d.data.store import replaced
from video3d.data.truth import ClipData
from video3d.geometry.boxes import box_corners

_EDGES = ((0, 1), (0, 2), (0, 4), (3, 1), (3, 2), (3, 7), (5, 1), (5, 4), (5, 7), (6, 2), (6, 4), (6, 7))
_NEAR_M = 0.05
_LABEL_SHARE = 0.3


def object_rgb(object_id: int) -> tuple[int, int, int]:
    """A colour for an object id: neighbours are far apart on the wheel."""
    r, g, b = colorsys.hsv_to_rgb((object_id * 0.618034) % 1.0, 0.75, 0.95)
    return int(255 * r), int(255 * g), int(255 * b)


def depth_rgb(depth_m: Float[np.ndarray, "h w"], far_m: float | None = None) -> UInt8[np.ndarray, "h w 3"]:
    """Near is warm, far is cold, unknown is black; the scale is logarithmic up to ``far_m`` (default: the farthest)."""
    known = np.isfinite(depth_m)
    if not known.any():
        return np.zeros((*depth_m.shape, 3), np.uint8)
    near, far = max(float(depth_m[known].min()), 0.1), far_m or float(depth_m[known].max())
    share = np.clip((np.log(np.where(known, depth_m, near)) - np.log(near)) / max(np.log(far / near), 1e-6), 0, 1)
    stops = np.array([[180, 20, 20], [250, 170, 40], [240, 240, 120], [80, 190, 160], [40, 60, 150]], dtype=float)
    at = share * (len(stops) - 1)
    low = np.minimum(at.astype(int), len(stops) - 2)
    rgb = stops[low] + (at - low)[..., None] * (stops[low + 1] - stops[low])
    return np.where(known[..., None], rgb, 0).astype(np.uint8)


def mask_rgb(instance: UInt16[np.ndarray, "h w"], rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Objects in colours over a dimmed grey picture."""
    grey = (rgb.mean(axis=2, keepdims=True) * 0.35).astype(np.uint8).repeat(3, axis=2)
    colors = np.array([object_rgb(i) for i in range(int(instance.max(initial=0)) + 1)], dtype=np.uint8)
    return np.where(instance[..., None] > 0, (colors[instance] * 0.75 + grey * 0.7).clip(0, 255).astype(np.uint8), grey)


def box_lines(clip: ClipData, frame: int, object_id: int) -> list[tuple[float, float, float, float]]:
    """The edges of an object's box in a frame, in pixels, cut at the near plane; none where the pose is unknown."""
    truth = clip.truth
    found = truth.object(object_id)
    if not (np.isfinite(found.world_from_object[frame]).all() and np.isfinite(truth.world_from_camera[frame]).all()):
        return []
    world_from_camera = truth.world_from_camera[frame]
    corners = (box_corners(found.box(frame)) - world_from_camera[:3, 3]) @ world_from_camera[:3, :3]
    lines = []
    for first, second in _EDGES:
        a, b = corners[first], corners[second]
        if max(a[2], b[2]) <= _NEAR_M:
            continue
        if a[2] < _NEAR_M:
            a = b + (a - b) * (b[2] - _NEAR_M) / (b[2] - a[2])
        if b[2] < _NEAR_M:
            b = a + (b - a) * (a[2] - _NEAR_M) / (a[2] - b[2])
        (ax, ay, az), (bx, by, bz) = truth.k_px[frame] @ a, truth.k_px[frame] @ b
        lines.append((float(ax / az), float(ay / az), float(bx / bz), float(by / bz)))
    return lines


def boxes_rgb(
    clip: ClipData, frame: int, object_ids: Sequence[int] | None = None, most: int = 8
) -> UInt8[np.ndarray, "h w 3"]:
    """A frame with the boxes of some objects (default: the ``most`` best seen) and their names."""
    truth = clip.truth
    image = Image.fromarray(clip.rgb[frame])
    draw = ImageDraw.Draw(image)
    if object_ids is None:
        order = np.argsort(-truth.visible_px[frame])
        object_ids = [truth.objects[i].object_id for i in order[:most] if truth.visible_share[frame, i] > _LABEL_SHARE]
    for object_id in object_ids:
        lines = box_lines(clip, frame, object_id)
        for line in lines:
            draw.line(line, fill=object_rgb(object_id), width=1)
        if lines:
            ends = np.array(lines).reshape(-1, 2)
            x, y = np.clip(ends.min(0), 0, [image.width - 30, image.height - 12])
            draw.text(
                (float(x), float(y)),
                truth.object(object_id).category,
                fill=(255, 255, 255),
                stroke_width=1,
                stroke_fill=(0, 0, 0),
            )
    return np.asarray(image)


def clip_sheet(
    clip: ClipData, frames: Sequence[int] | None = None, object_ids: Sequence[int] | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """Frames side by side: pictures with boxes; below them depth; below them masks (where the clip has them)."""
    shown = frames or np.linspace(0, clip.truth.num_frames - 1, 4).round().astype(int).tolist()
    rows = [np.concatenate([boxes_rgb(clip, f, object_ids) for f in shown], axis=1)]
    if clip.depth_m is not None:
        rows.append(np.concatenate([depth_rgb(clip.depth_m[f]) for f in shown], axis=1))
    if clip.instance is not None:
        rows.append(np.concatenate([mask_rgb(clip.instance[f], clip.rgb[f]) for f in shown], axis=1))
    return np.concatenate(rows, axis=0)


def save_png(image: UInt8[np.ndarray, "h w 3"], path: Path) -> None:
    """Writes a picture beside and renames it."""
    with replaced(path) as beside:
        Image.fromarray(image).save(beside, "PNG", optimize=True)
