"""One HTML page of a scene and its analysis: a 3D scene, a map, frames with what is in them, and the result. Fetches nothing.

The page opens from a file with nothing installed. It has no script of its own; that of the 3D viewer runs in a frame without an
origin. A Content-Security-Policy, which holds in that frame too, lets no request out: whatever is in the page, nobody is asked or told.
"""

from html import escape
from pathlib import Path

import numpy as np

from video3d.replaced import replaced
from video3d.viz.depth_strip import data_uri, strip_frames, thumbnail
from video3d.viz.in_frames import Seen, line_px, mark_px, seen_in
from video3d.viz.shown import COLORS, Shown
from video3d.viz.viser_scene import scene_html
from video3d.viz.web_map import map_svg

MARKER = '<meta name="generator" content="video3d view">'
MAX_FRAMES = 12
# The viewer unpacks its own program and runs it, so its scripts cannot be told from others by hashes.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; connect-src data: blob:; "
    "img-src data: blob:; font-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_FRAME_PX = 460
_MAX_NAMED, _MAX_UNNAMED = 8, 6

_STYLE = """
:root{color-scheme:light}body{margin:0;background:#f4f4f1;color:#1d1f23;font:15px/1.5 system-ui,"DejaVu Sans",sans-serif}
main{max-width:1240px;margin:0 auto;padding:26px 22px 60px}h1{font-size:23px;margin:0 0 2px;overflow-wrap:anywhere}
h2{font-size:17px;margin:30px 0 8px}p{margin:4px 0}.dim{color:#5d626b}.card{background:#fff;border:1px solid #e2e2dc;border-radius:8px;
padding:12px}.row{display:grid;gap:14px;grid-template-columns:minmax(0,1fr) minmax(0,1fr)}@media(max-width:900px){.row{
grid-template-columns:minmax(0,1fr)}}iframe{width:100%;height:620px;border:0;display:block;border-radius:5px;background:#fff}
svg{display:block;width:100%;height:auto}svg text{font:13px system-ui,"DejaVu Sans",sans-serif;fill:#222}
table{border-collapse:collapse;width:100%}td,th{padding:4px 12px 4px 0;vertical-align:top;text-align:left;border-top:1px solid #ececE6;
overflow-wrap:anywhere}th{font-weight:600;width:112px;color:#444}tr:first-child>*{border-top:0}.strip{display:grid;gap:14px;
grid-template-columns:repeat(auto-fill,minmax(360px,1fr))}figure{margin:0}figure svg{border-radius:5px;background:#ddd}
figcaption{font-size:13px;color:#555b64;margin-top:4px}.key span{display:inline-block;margin-right:14px}.key i{display:inline-block;
width:12px;height:12px;border-radius:3px;margin-right:5px;vertical-align:-1px}pre{overflow:auto;max-height:440px;font-size:12px;
margin:8px 0 0}summary{cursor:pointer}.answer{font-size:17px;margin:8px 0}
"""
_NAMES = {
    "occupied": "higher than a step",
    "object": "things", "obstacle": "in the way", "vehicle": "vehicles and people", "zone": "places that are free",
    "path": "path", "trajectory": "the camera's way", "thing": "things by distance only", "free": "free floor",
    "reachable": "within the robot's reach", "drivable": "road seen free", "floor": "floor", "top": "table tops, shelves",
    "ceiling": "ceiling", "wall": "walls", "other": "other surfaces",
}  # fmt: skip


def write_page(shown: Shown, out: Path, *, text: str) -> None:
    """Writes the page beside and renames it.

    Raises:
        InputError: viser is not installed, or the file cannot be written.
    """
    with replaced(out) as beside:
        beside.touch()
        beside.write_text(page_html(shown, text=text), encoding="utf-8")


def page_html(shown: Shown, *, text: str) -> str:
    """The page.

    Args:
        shown: what is drawn. Whatever names and queries hold is text and never markup.
        text: the result in words: a line for what was decided, then lines of a name and what is said of it.

    Raises:
        InputError: viser is not installed.
    """
    result, clip = shown.result, shown.clip
    viewer = scene_html(shown)
    title = Path(result.source).name or result.source
    head, *lines = text.splitlines() or [""]
    about = f"{clip.num_frames} frame{'s' * (clip.num_frames != 1)} of {clip.size_hw[1]} x {clip.size_hw[0]} pixels; lengths in "
    about += "metres (m)." if shown.unit == "m" else "one unknown unit (x)."
    query = f"<p class=dim>Asked: <b>{_text(result.query)}</b></p>" if result.query else ""
    answer = f"<p class=answer>{_text(result.answer)}</p>" if result.answer else ""
    plan = map_svg(shown) or "<p>No frame has a pose and no pixel a depth: there is nothing to see from above.</p>"
    hint = "Drag to turn, scroll to come nearer, right-drag to move; the button at the upper right lists what is in it, to hide or show."
    body = [
        f"<h1>{_text(title)}</h1><p class=dim>{_text(head)}</p>{query}{answer}<p class=dim>{about}</p>{_key(shown)}",
        f'<div class=row><div><h2>In 3D</h2><div class=card><iframe title="3D scene" sandbox="allow-scripts" '
        f'srcdoc="{escape(viewer)}"></iframe></div><p class=dim>{hint}</p></div>'
        f"<div><h2>From above</h2><div class=card>{plan}</div></div></div>",
        f"<h2>Frames</h2>{_strip(shown)}",
        f"<h2>Result</h2><div class=card>{_table(lines)}</div>",
        f"<details class=card style=margin-top:14px><summary>As JSON</summary><pre>{_text(result.model_dump_json(indent=1))}</pre></details>",
        f'<script type="application/json" id=result>{_json(result.model_dump_json())}</script>',
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width">{MARKER}<title>{_text(title)}: {_text(result.task)}</title>'
        f"<style>{_STYLE}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def _text(value: str) -> str:
    """Text for the page. A name that is no UTF-8 shows its strange bytes as such instead of stopping the page."""
    return escape(value.encode("utf-8", "backslashreplace").decode())


def _json(text: str) -> str:
    """JSON that cannot end the element that holds it."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _key(shown: Shown) -> str:
    """What the colours stand for, of those that are there."""
    kinds = [one.kind for one in shown.boxes] + [one.kind for one in shown.areas]
    kinds += ["trajectory"] * shown.walked + ["path"] * (shown.path is not None)
    kinds += ["occupied"] * (shown.map is not None)
    kinds += ["thing"] * any(one.kind == "thing" for one in shown.marks)
    spans = [f"<span><i style='background:{_css(kind)}'></i>{_NAMES[kind]}</span>" for kind in dict.fromkeys(kinds)]
    return f"<p class=key>{''.join(spans)}</p>"


def _table(lines: list[str]) -> str:
    """Lines of a name and what is said of it, a row each; a line without a name goes on from the one before."""
    rows = [(line[:13].strip(), line[13:].strip()) for line in lines if line.strip()]
    return (
        "<table>"
        + "".join(f"<tr><th>{_text(name)}</th><td>{_text(said)}</td></tr>" for name, said in rows)
        + "</table>"
    )


def _strip(shown: Shown) -> str:
    clip = shown.clip
    chosen = sorted({*strip_frames(clip, MAX_FRAMES), *shown.last[:MAX_FRAMES]})[-MAX_FRAMES - 6 :]
    return f"<div class=strip>{''.join(_figure(shown, i) for i in chosen)}</div>"


def _figure(shown: Shown, i: int) -> str:
    """A frame with the boxes that are seen in it, as lines over the picture."""
    clip = shown.clip
    h, w = clip.size_hw
    scale = _FRAME_PX / w
    seen = seen_in(shown, i)
    named = [one for one in seen if one.box.name][:_MAX_NAMED]
    other = [one for one in seen if not one.box.name and _large(one, w)][:_MAX_UNNAMED]
    drawn = []
    for area in shown.areas:
        if area.kind in ("drivable", "reachable", "top"):
            drawn += [_lines(line_px(shown, i, ring, closed=True) * scale, area.kind, 1.2) for ring in area.rings]
    if shown.path is not None:
        drawn.append(_lines(line_px(shown, i, shown.path) * scale, "path", 4.0))
    drawn += [_lines(one.lines_px * scale, one.box.kind, 1.1) for one in other]
    drawn += [_lines(one.lines_px * scale, one.box.kind, 2.2) for one in named]
    height = h * scale
    drawn += _tags(
        [(_said(one, shown.unit), one.box.kind, one.lines_px.reshape(-1, 2) * scale) for one in named], height
    )
    marks = [(one, place) for one in shown.marks if (place := mark_px(shown, i, one.place)) is not None]
    near = [(one.text, "path" if one.kind == "goal" else "thing", place[None] * scale) for one, place in marks]
    drawn += [
        f'<circle cx="{place[0, 0]:.1f}" cy="{place[0, 1]:.1f}" r="3" fill="{_css(kind)}" stroke="#fff"></circle>'
        for _, kind, place in near
    ]
    drawn += _tags(near[:_MAX_NAMED] if not named else near[:2], height)
    said = [f"frame {int(clip.frame_index[i])}"]
    said += [f"{float(clip.time_s[i]):.2f} s"] if np.isfinite(clip.time_s[i]) else []
    said += [] if clip.piece[i] == 0 else ["no pose" if clip.piece[i] < 0 else f"piece {int(clip.piece[i])}"]
    uri = data_uri(thumbnail(clip.rgb[i], _FRAME_PX), jpeg=True)
    return (
        f'<figure><svg viewBox="0 0 {_FRAME_PX} {height:.0f}" role="img"><image width="{_FRAME_PX}" height="{height:.0f}" '
        f'href="{uri}"></image>{"".join(drawn)}</svg><figcaption>{", ".join(said)}</figcaption></figure>'
    )


def _css(kind: str) -> str:
    return f"rgb({','.join(map(str, COLORS[kind]))})"


def _large(one: Seen, width: int) -> bool:
    return float(np.ptp(one.lines_px[:, [0, 2]])) > 0.06 * width


def _lines(lines: np.ndarray, kind: str, width: float) -> str:
    if not len(lines):
        return ""
    path = "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for a, b, c, d in lines)
    return f'<path d="{path}" fill="none" stroke="{_css(kind)}" stroke-width="{width}" stroke-linecap="round"></path>'


def _said(one: Seen, unit: str) -> str:
    return one.box.label if one.box.kind == "zone" else f"{one.box.label}, {one.distance:.1f} {unit}"


def _tags(wanted: list[tuple[str, str, np.ndarray]], height: float) -> list[str]:
    """Words over the places they are of, moved down where they would lie over others."""
    drawn, taken = [], []
    for text, kind, ends in wanted:
        half = (min(len(text), 48) * 6.6 + 8) / 2
        inside = ends[((ends >= 0) & (ends <= [_FRAME_PX, height])).all(axis=1)]
        at = inside if len(inside) else np.clip(ends, 0, [_FRAME_PX, height])
        x = float(np.clip((at[:, 0].min() + at[:, 0].max()) / 2, half + 2, _FRAME_PX - half - 2))
        y = float(np.clip(at[:, 1].min() - 8, 11, height - 11))
        while any(abs(x - a) < half + b and abs(y - c) < 19 for a, b, c in taken) and y < height - 11:
            y += 19
        taken.append((x, half, y))
        drawn.append(
            f'<rect x="{x - half:.1f}" y="{y - 10:.1f}" width="{2 * half:.1f}" height="18" rx="3" fill="#fff" fill-opacity="0.88" '
            f'stroke="{_css(kind)}"></rect><text x="{x:.1f}" y="{y + 3.5:.1f}" text-anchor="middle">{_text(text[:48])}</text>'
        )
    return drawn
