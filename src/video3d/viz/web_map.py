"""The scene seen from above as one SVG: points as a picture, what was found drawn over it, a grid and a scale."""

import base64
import io
from collections.abc import Callable
from html import escape

import numpy as np
from jaxtyping import Float64, UInt8

from video3d.geometry.boxes import box_corners
from video3d.geometry.occupancy import OCCUPIED
from video3d.geometry.rigid import is_known
from video3d.viz.depth_strip import data_uri
from video3d.viz.point_views import BACKGROUND, core_bounds, view_axes
from video3d.viz.shown import COLORS, Shown, ShownBox
from video3d.viz.standpoint import overhead
from video3d.viz.trajectory import round_length, up_and_ahead

_SIDE = 940  # of the drawing, in its own pixels
_MARGIN = 46
_MAX_LABELS = 30
_CHAR_PX, _LINE_PX = 7.0, 16.0  # of a label's text, about: nobody measures it here
_Px = Callable[[np.ndarray], Float64[np.ndarray, "n 2"]]
"""From places in the world, or x and y of them, to the drawing."""


def map_svg(shown: Shown) -> str | None:
    """The map: +x right and +y up where up is known, else as seen from over the first camera; None where there is nothing to see."""
    if not len(shown.points) and not len(shown.trajectory):
        return None
    axes = plan_axes(shown)
    bounds = _bounds(shown, axes)
    unit_px = (_SIDE - 2 * _MARGIN) / float((bounds[1] - bounds[0]).max())
    width, height = (bounds[1] - bounds[0]) * unit_px + 2 * _MARGIN

    def px(places: np.ndarray) -> Float64[np.ndarray, "n 2"]:
        places = np.atleast_2d(places)
        return (places @ axes[:, : places.shape[1]].T - bounds[0]) * unit_px + _MARGIN

    parts = [_points(shown, axes, bounds, unit_px), _cells(shown, px)]
    parts += [
        f'<path d="{" ".join(_ring(px(ring)) for ring in one.rings)}" fill="{_rgb(one.kind)}" fill-opacity="0.22" '
        f'fill-rule="evenodd" stroke="{_rgb(one.kind)}" stroke-width="1.2"><title>{escape(one.id, quote=False)}</title></path>'
        for one in shown.areas if one.kind not in ("ceiling", "wall")
    ]  # fmt: skip
    parts += [_footprint(one, px) for one in shown.boxes]
    parts += [_way(shown, px), _camera(shown, px)]
    parts += _labels(shown, px, (float(width), float(height)))
    parts.append(_grid(bounds, unit_px, (float(width), float(height)), shown))
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="seen from above">'
        f"<defs><clipPath id=inside><rect x={_MARGIN} y={_MARGIN} width={width - 2 * _MARGIN:.0f} "
        f'height={height - 2 * _MARGIN:.0f}></rect></clipPath></defs><g clip-path="url(#inside)">{"".join(parts[:-1])}</g>'
        f"{parts[-1]}</svg>"
    )


def plan_axes(shown: Shown) -> Float64[np.ndarray, "2 3"]:
    """World directions that are right and down on the map."""
    if shown.clip.world.gravity_aligned:
        return np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    up, ahead, _ = up_and_ahead(shown.clip)
    return view_axes(up, ahead)["from above"][:2]


def _bounds(shown: Shown, axes: np.ndarray) -> Float64[np.ndarray, "2 2"]:
    ends = [shown.trajectory @ axes.T] if len(shown.trajectory) else []
    if len(shown.points):
        ends.append(core_bounds(shown.points.astype(np.float64) @ axes.T))
    if shown.path is not None:
        ends.append(shown.path @ axes.T)
    ends += [np.atleast_2d(axes @ one.place) for one in shown.marks if one.kind == "goal"]
    low, high = np.concatenate(ends).min(axis=0), np.concatenate(ends).max(axis=0)
    span = np.maximum((high - low) * 1.04, 0.25 * float((high - low).max()) or 1.0)
    return np.stack([(low + high - span) / 2, (low + high + span) / 2])


def _points(shown: Shown, axes: np.ndarray, bounds: np.ndarray, unit_px: float) -> str:
    """A picture of the points, one cell about a voxel; of several in a cell the highest is seen."""
    up, low = up_and_ahead(shown.clip)[0], ~overhead(shown)
    points, colors = shown.points[low].astype(np.float64), shown.colors[low]
    if not len(points):
        return ""
    span = bounds[1] - bounds[0]
    sparse = float(np.sqrt(span.prod() / (4 * len(points))))
    cell = max(1.15 * shown.voxel, float(span.max()) / 900, min(sparse, float(span.max()) / 300))
    columns, rows = (int(np.ceil(side / cell)) for side in span)
    picture: UInt8[np.ndarray, "h w 3"] = np.full((rows, columns, 3), BACKGROUND, np.uint8)
    at = np.floor((points @ axes.T - bounds[0]) / cell).astype(np.int64)
    inside = ((at >= 0) & (at < [columns, rows])).all(axis=1)
    order = np.argsort(points[inside] @ up, kind="stable")  # the last written stays
    column, row = at[inside][order].T
    # A little paler than they are, so that what is drawn over them can be read.
    picture[row, column] = (0.72 * colors[inside][order] + 0.28 * np.array(BACKGROUND)).astype(np.uint8)
    return (
        f'<image x="{_MARGIN}" y="{_MARGIN}" width="{columns * cell * unit_px:.1f}" height="{rows * cell * unit_px:.1f}" '
        f'preserveAspectRatio="none" href="{data_uri(picture, jpeg=True)}"></image>'
    )


def _cells(shown: Shown, px: _Px) -> str:
    """What stands in a robot's way, cell by cell, see-through; nothing where there is no map."""
    grid = shown.map
    if grid is None:
        return ""
    from PIL import Image

    layer = np.zeros((*grid.states.shape, 4), np.uint8)
    layer[grid.states == OCCUPIED] = (*COLORS["occupied"], 120)
    file = io.BytesIO()
    Image.fromarray(layer[::-1]).save(file, "PNG", optimize=True)
    ny, nx = grid.states.shape
    (x0, y1), (x1, y0) = px(np.array(grid.origin) + grid.cell * np.array([[0.0, 0.0], [nx, ny]]))
    return (
        f'<image x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"></image>'
    )


def _footprint(one: ShownBox, px: _Px) -> str:
    from scipy.spatial import ConvexHull, QhullError

    corners = px(box_corners(one.box))
    try:
        corners = corners[ConvexHull(corners).vertices]
    except (QhullError, ValueError):  # thinner than rounding
        return ""
    faint = one.kind == "obstacle" and one.name is None
    style = 'fill="none" stroke-width="1"' if faint else f'fill="{_rgb(one.kind)}" fill-opacity="0.12" stroke-width="2"'
    return f'<path d="{_ring(corners)}" stroke="{_rgb(one.kind)}" {style}><title>{escape(one.label, quote=False)}</title></path>'


def _way(shown: Shown, px: _Px) -> str:
    """The camera's way, then the path to go, its ends and marks."""
    drawn = ""
    if shown.walked:
        drawn += _polyline(px(shown.trajectory), _rgb("trajectory"), 2.2)
    if shown.path is not None:
        line = px(shown.path)
        drawn += _polyline(line, "#fff", 7.0) + _polyline(line, _rgb("path"), 4.0)
    for one in shown.marks:
        ((x, y),) = px(one.place)
        color = _rgb("path" if one.kind == "goal" else "thing")
        drawn += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{7 if one.kind == "goal" else 4}" fill="{color}" stroke="#fff" stroke-width="1.5"></circle>'
    return drawn


def _camera(shown: Shown, px: _Px) -> str:
    """The camera's last place and where it looks."""
    clip = shown.clip
    placed = [i for i in (shown.last or ()) if clip.piece[i] == 0 and is_known(clip.world_from_camera[i])]
    drawn = ""
    for i in placed:
        pose = clip.world_from_camera[i]
        (x, y), (x1, y1) = px(np.stack([pose[:3, 3], pose[:3, 3] + pose[:3, 2]]))
        way = np.array([x1 - x, y1 - y])
        if np.linalg.norm(way) < 1e-9:
            continue
        ahead, side = 16 * way / np.linalg.norm(way), 7 * np.array([-way[1], way[0]]) / np.linalg.norm(way)
        corners = np.array([x, y]) + np.stack([ahead, side - ahead / 4, -side - ahead / 4])
        drawn += f'<path d="{_ring(corners)}" fill="#111" stroke="#fff" stroke-width="1.5"><title>the camera at last</title></path>'
    return drawn


def _labels(shown: Shown, px: _Px, size: tuple[float, float]) -> list[str]:
    """Names beside their things, none over another: one that would be is left out, for its box says it when pointed at."""
    wanted = [(one.text, px(one.place)[0], one.kind) for one in shown.marks]
    zones = [one for one in shown.boxes if one.kind == "zone"][:6]
    things = sorted(
        (one for one in shown.boxes if one.name and one.kind != "zone"), key=lambda one: -(one.confidence or 0)
    )
    wanted += [(one.label, px(one.box.center_world)[0], one.kind) for one in [*zones, *things]]
    drawn, taken = [], []
    for text, (middle, y), kind in wanted:
        half = (min(len(text), 40) * _CHAR_PX + 8) / 2
        x = float(np.clip(middle, _MARGIN + half, size[0] - _MARGIN - half))
        spot = next(
            ((x, y + off) for off in (0.0, -20.0, 20.0, -40.0, 40.0) if not any(
                abs(x - a) < half + b and abs(y + off - c) < _LINE_PX + 2 for a, b, c in taken)), None
        )  # fmt: skip
        if spot is None or len(drawn) >= _MAX_LABELS:
            continue
        taken.append((spot[0], half, spot[1]))
        color = _rgb({"goal": "path"}.get(kind, kind))
        drawn.append(
            f'<rect x="{spot[0] - half:.1f}" y="{spot[1] - _LINE_PX / 2 - 2:.1f}" width="{2 * half:.1f}" height="{_LINE_PX + 3:.1f}" rx="4" '
            f'fill="#fff" fill-opacity="0.88" stroke="{color}"></rect><text x="{spot[0]:.1f}" y="{spot[1] + 4:.1f}" '
            f'text-anchor="middle">{escape(text[:40], quote=False)}</text>'
        )
    return drawn


def _grid(bounds: np.ndarray, unit_px: float, size: tuple[float, float], shown: Shown) -> str:
    """The frame of the map, with places along x and y where up is known, and a scale."""
    width, height = size
    inner = (width - 2 * _MARGIN, height - 2 * _MARGIN)
    drawn = f'<rect x="{_MARGIN}" y="{_MARGIN}" width="{inner[0]:.1f}" height="{inner[1]:.1f}" fill="none" stroke="#999"></rect>'
    step = round_length(90 / unit_px)
    if shown.clip.world.gravity_aligned:
        for place in np.arange(np.ceil(bounds[0, 0] / step), bounds[1, 0] / step) * step:
            x = _MARGIN + (place - bounds[0, 0]) * unit_px
            drawn += f'<path d="M{x:.1f} {_MARGIN}v{inner[1]:.1f}" stroke="#555" stroke-opacity="0.13"></path>'
            drawn += f'<text x="{x:.1f}" y="{height - _MARGIN + 17:.1f}" text-anchor="middle">{_tick(place)}</text>'
        for place in np.arange(np.ceil(-bounds[1, 1] / step), -bounds[0, 1] / step) * step:
            y = _MARGIN + (-place - bounds[0, 1]) * unit_px
            drawn += f'<path d="M{_MARGIN} {y:.1f}h{inner[0]:.1f}" stroke="#555" stroke-opacity="0.13"></path>'
            drawn += f'<text x="{_MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{_tick(place)}</text>'
        drawn += f'<text x="{_MARGIN - 6}" y="{_MARGIN - 12}" text-anchor="end">y</text><text x="{width - 14:.1f}" y="{height - _MARGIN + 17:.1f}">x</text>'
    drawn += f'<path d="M{_MARGIN} {_MARGIN - 22}v6h{step * unit_px:.1f}v-6" fill="none" stroke="#333" stroke-width="1.6"></path>'
    words = f"{step:g} {shown.unit}" + (
        "" if shown.clip.world.gravity_aligned else "; up is not known: seen along the first camera's downward axis"
    )
    return drawn + f'<text x="{_MARGIN + step * unit_px + 8:.1f}" y="{_MARGIN - 14}">{words}</text>'


def _tick(value: float) -> str:
    return f"{value + 0.0:.4g}"


def _ring(corners: np.ndarray) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners) + "Z"


def _polyline(places: np.ndarray, color: str, width: float) -> str:
    shown = places[np.unique(np.linspace(0, len(places) - 1, min(len(places), 2000)).round().astype(int))]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shown)
    return (
        f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width}" stroke-linejoin="round" '
        'stroke-linecap="round"></polyline>'
    )


def _rgb(kind: str) -> str:
    return "#{:02x}{:02x}{:02x}".format(*COLORS[kind])
