"""``report.html``: one page that shows a clip's geometry and says what of it can be trusted. Fetches nothing."""

from html import escape
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

from video3d.types import PosedClip
from video3d.viz.depth_strip import colorize, data_uri, histogram, strip_frames, thumbnail, value_range
from video3d.viz.point_views import draw_points, view_axes
from video3d.viz.trajectory import trajectory_svg, up_and_ahead
from video3d.viz.trust import other_notes, sigma_quantiles, status_rows, verdicts

_STYLE = """
:root{color-scheme:light}body{margin:0;background:#f4f4f1;color:#1d1f23;font:15px/1.5 system-ui,"DejaVu Sans",sans-serif}
main{max-width:1160px;margin:0 auto;padding:28px 22px 60px}h1{font-size:24px;margin:0 0 2px;overflow-wrap:anywhere}
h2{font-size:17px;margin:34px 0 10px}p{margin:6px 0}.dim{color:#666b74}.card{background:#fff;border:1px solid #e2e2dc;
border-radius:8px;padding:14px}.row{display:grid;gap:14px;grid-template-columns:repeat(auto-fit,minmax(330px,1fr))}
figure{margin:0}figcaption{font-size:13px;color:#555b64;margin-top:6px}img,svg{display:block;max-width:100%;height:auto}
svg text{font:13px system-ui,"DejaVu Sans",sans-serif;fill:#444}table{border-collapse:collapse;width:100%}
td{padding:6px 10px 6px 0;vertical-align:top;border-top:1px solid #ececE6}tr:first-child td{border:0}td:nth-child(-n+2){width:96px}
.tag{display:inline-block;border-radius:4px;padding:0 8px;font-size:13px}.measured{background:#d8efe2;color:#12573a}
.estimated{background:#fbeecb;color:#6d4b00}.unknown{background:#e6e6ea;color:#555}ul{margin:6px 0;padding-left:20px}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(255px,1fr));gap:14px}.strip img{width:100%;margin-bottom:3px;
border-radius:3px}.bar{height:12px;border-radius:3px}.scale{display:flex;justify-content:space-between;font-size:13px}
"""


def report_html(
    clip: PosedClip,
    points: Float64[np.ndarray, "p 3"],
    colors: UInt8[np.ndarray, "p 3"],
    report: dict[str, Any],
) -> str:
    """The page.

    Args:
        clip: what is shown.
        points: of piece 0, in the clip's world.
        colors: theirs.
        report: ``source``, ``format`` and ``facts`` are shown as they are; whatever they hold is text and never markup.
    """
    unit = "m" if clip.world.metric else "x"
    source = str(report.get("source", "recording"))
    facts = [str(fact) for fact in report.get("facts", ())]
    parts = [
        f"<h1>{_text(source)}</h1><p class=dim>{clip.num_frames} frame{'s' * (clip.num_frames != 1)} of {clip.size_hw[1]} x {clip.size_hw[0]} pixels, "
        f"read as {_text(str(report.get('format', 'recording')))}. Lengths in "
        + ("metres (m).</p>" if clip.world.metric else "one unknown unit (x).</p>"),
        "<h2>What can be trusted</h2><div class=card>" + _list(verdicts(clip)) + _status_table(clip) + "</div>",
        "<h2>Camera path</h2>" + _path(clip),
        f"<h2>Points</h2>{_views(clip, points, colors, unit)}",
        f"<h2>Frames, depth and confidence</h2>{_strip(clip, unit)}",
    ]
    if facts:
        parts.append("<h2>What follows from it</h2><div class=card>" + _list(facts) + "</div>")
    notes = other_notes(clip.status.notes)
    if notes:
        parts.append("<h2>Notes</h2><div class=card>" + _list(notes) + "</div>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Geometry of {_text(source)}</title><style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _text(value: str) -> str:
    """Text for the page. A name that is no UTF-8 shows its strange bytes as such instead of stopping the page."""
    return escape(value.encode("utf-8", "backslashreplace").decode())


def _list(lines: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{_text(line)}</li>" for line in lines) + "</ul>"


def _status_table(clip: PosedClip) -> str:
    rows = "".join(
        f'<tr><td>{name}</td><td><span class="tag {status}">{status}</span></td><td>{_text(said)}</td></tr>'
        for name, status, said in status_rows(clip)
    )
    return f"<table>{rows}</table>"


def _path(clip: PosedClip) -> str:
    names = {"from above": "From above", "from the front": "From the side, as the first camera looked"}
    drawn = [(title, trajectory_svg(clip, name)) for name, title in names.items()]
    if drawn[0][1] is None:
        return "<div class=card>No frame has a pose: there is no path to draw.</div>"
    figures = "".join(f"<figure class=card>{svg}<figcaption>{title}</figcaption></figure>" for title, svg in drawn)
    return f"<div class=row>{figures}</div><p class=dim>Blue: first frame, orange: last.</p>"


def _views(clip: PosedClip, points: np.ndarray, colors: np.ndarray, unit: str) -> str:
    if not len(points):
        return "<div class=card>No pixel can be placed in space: depth, intrinsics or poses are unknown.</div>"
    up, ahead, _ = up_and_ahead(clip)
    step = max(1, len(points) // 400_000)
    figures = []
    for name, axes in view_axes(up, ahead).items():
        view = draw_points(name, points[::step], colors[::step], axes)
        across = f"{view.rgb.shape[1] / view.unit_px:.3g} {unit} across"
        extra = "; the upper fifth is left out" if name == "from above" else ""
        figures.append(
            f'<figure class=card><img alt="points {name}" src="{data_uri(view.rgb, jpeg=True)}">'
            f"<figcaption>{name.capitalize()}: {across}{extra}</figcaption></figure>"
        )
    return f"<div class=row>{''.join(figures)}</div><p class=dim>{len(points):,} points, parallel projection.</p>"


def _strip(clip: PosedClip, unit: str) -> str:
    depth_range = value_range(clip.depth_m)
    sigma_range = None if clip.depth_log_sigma is None else value_range(clip.depth_log_sigma)
    top = 0.0 if sigma_range is None else max(0.02, sigma_range[1])
    figures = []
    for i in strip_frames(clip):
        images = [data_uri(thumbnail(clip.rgb[i], 300), jpeg=True)]
        if depth_range is not None:
            images.append(data_uri(colorize(thumbnail(clip.depth_m[i], 300), *depth_range), jpeg=False))
        if sigma_range is not None and clip.depth_log_sigma is not None:
            images.append(data_uri(colorize(thumbnail(clip.depth_log_sigma[i], 300), 0.0, top, sure=True), jpeg=False))
        time_s = float(clip.time_s[i])
        when = f", {time_s:.2f} s" if np.isfinite(time_s) else ""
        piece = int(clip.piece[i])
        place = "" if piece == 0 else (", no pose" if piece < 0 else f", piece {piece}")
        pictures = "".join(f'<img alt="" src="{uri}">' for uri in images)
        figures.append(
            f"<figure>{pictures}<figcaption>frame {int(clip.frame_index[i])}{when}{place}</figcaption></figure>"
        )
    legend = ["<p>Depth is unknown in every frame.</p>"]
    if depth_range is not None:
        low, high = depth_range
        legend = [_bar(f"Depth, {unit} (grey: unknown)", low, high, sure=False, unit=unit)]
    if sigma_range is not None:
        legend.append(
            _bar("Confidence: one standard deviation of depth, in % of it", 0.0, 100 * top, sure=True, unit="%")
        )
        legend.append(_histogram(clip, top))
    elif depth_range is not None:
        said = (
            "as a sensor gave it"
            if clip.status.depth == "measured"
            else "by an estimator that does not say how sure it is"
        )
        legend.append(f"<p>Confidence: not stated; depth is {said}.</p>")
    return f'<div class="row card">{"".join(f"<div>{one}</div>" for one in legend)}</div><br><div class=strip>{"".join(figures)}</div>'


def _bar(title: str, low: float, high: float, *, sure: bool, unit: str) -> str:
    ramp = colorize(np.linspace(0, 1, 17)[None], 0.0, 1.0, sure=sure)[0]
    stops = ",".join(f"rgb({r} {g} {b})" for r, g, b in ramp.tolist())
    ends = f"<span>{low:.3g} {unit}</span><span>{(low + high) / 2:.3g}</span><span>{high:.3g} {unit}</span>"
    return (
        f'{title}<div class=bar style="background:linear-gradient(90deg,{stops})"></div><div class=scale>{ends}</div>'
    )


def _histogram(clip: PosedClip, top: float) -> str:
    quantiles = sigma_quantiles(clip)
    if clip.depth_log_sigma is None or quantiles is None:
        return ""
    shares = histogram(clip.depth_log_sigma, top)
    width, height, step = 330, 90, 330 / len(shares)
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{height - height * share / shares.max():.1f}" width="{step - 1:.1f}" '
        f'height="{height * share / shares.max():.1f}" fill="#3b7f74"/>'
        for i, share in enumerate(shares)
    )
    at = min(quantiles[0] / top, 1) * width
    return (
        f'Pixels by confidence<svg viewBox="0 0 {width} {height + 18}" role="img">{bars}'
        f'<path d="M{at:.1f} 0V{height}" stroke="#c2571a" stroke-width="1.5"/><text x="0" y="{height + 14}">0 %</text>'
        f'<text x="{width - 80}" y="{height + 14}">{100 * top:.3g} % or more</text>'
        f'<text x="{min(at + 4, width - 90):.1f}" y="12">half below {100 * quantiles[0]:.2g} %</text></svg>'
    )
