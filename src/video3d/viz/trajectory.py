"""The camera's path as SVG: from above and from the side, with the frustums of some frames and a scale bar."""

import math

import numpy as np
from jaxtyping import Float64

from video3d.geometry.rigid import is_known
from video3d.types import PosedClip
from video3d.viz.point_views import core_bounds, view_axes

WIDTH, HEIGHT = 520, 380
_MARGIN = 34
_MAX_FRUSTUMS = 14


def up_and_ahead(clip: PosedClip) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"], bool]:
    """Up, the first camera's view direction, and whether up is known; else it is that camera's own."""
    first = np.flatnonzero((clip.piece == 0) & is_known(clip.world_from_camera))
    pose = clip.world_from_camera[first[0]] if len(first) else np.eye(4)
    if clip.world.gravity_aligned:
        return np.array([0.0, 0.0, 1.0]), pose[:3, 2], True
    if clip.up_world is not None:
        return clip.up_world / np.linalg.norm(clip.up_world), pose[:3, 2], True
    return -pose[:3, 1], pose[:3, 2], False


def round_length(length: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not longer.

    >>> round_length(0.37), round_length(7.2)
    (0.2, 5.0)
    """
    power = 10.0 ** math.floor(math.log10(max(length, 1e-12)))
    return float(f"{max(step * power for step in (1, 2, 5) if step * power <= length * (1 + 1e-9)):.6g}")


def trajectory_svg(clip: PosedClip, name: str) -> str | None:
    """The path of piece 0 ``from above`` or ``from the front``; None without a pose.

    Frustums are drawn where intrinsics are known, else a line along the viewing axis.
    """
    placed = np.flatnonzero((clip.piece == 0) & is_known(clip.world_from_camera))
    if not len(placed):
        return None
    up, ahead, _ = up_and_ahead(clip)
    axes = view_axes(up, ahead)[name]
    path = clip.world_from_camera[placed, :3, 3]
    if clip.path is not None:
        path = clip.path.world_from_camera[:, :3, 3]
    flat = path @ axes[:2].T
    extent = float(np.linalg.norm(np.ptp(path, axis=0)))
    known = clip.depth_m[placed][np.isfinite(clip.depth_m[placed])]
    reach = max(0.12 * extent, 0.08 * float(np.median(known)) if known.size else 0.0) or 1.0
    some = placed[np.unique(np.linspace(0, len(placed) - 1, min(len(placed), _MAX_FRUSTUMS)).round().astype(int))]
    frustums = [(_corners(clip, int(i), reach) @ axes[:2].T) for i in some]
    bounds = np.concatenate([flat, *frustums])
    low, high = (bounds.min(axis=0), bounds.max(axis=0)) if len(bounds) < 200 else core_bounds(bounds)
    span = np.maximum(high - low, reach)  # a camera that stands still has no extent of its own
    unit_px = min((WIDTH - 2 * _MARGIN) / span[0], (HEIGHT - 2 * _MARGIN - 16) / span[1])

    def px(points: np.ndarray) -> str:
        moved = (points - (low + high) / 2) * unit_px + np.array([WIDTH / 2, (HEIGHT - 16) / 2])
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in moved.reshape(-1, 2))

    parts = []
    for rank, corners in enumerate(frustums):
        hue = 215 - 190 * rank / max(1, len(frustums) - 1)
        style = f'stroke="hsl({hue:.0f} 65% 42%)" fill="hsl({hue:.0f} 65% 55%)" fill-opacity="0.10" stroke-width="1.1"'
        for face in ((0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 1)):
            parts.append(f'<polygon points="{px(corners[list(face)])}" {style}/>')
    shown = flat[np.unique(np.linspace(0, len(flat) - 1, min(len(flat), 2000)).round().astype(int))]
    parts.append(
        f'<polyline points="{px(shown)}" fill="none" stroke="#222" stroke-width="1.8" stroke-linejoin="round"/>'
    )
    start, end = (px(flat[i]).split(",") for i in (0, -1))
    parts.append(f'<circle cx="{start[0]}" cy="{start[1]}" r="5" fill="#2563b8"/>')
    parts.append(f'<circle cx="{end[0]}" cy="{end[1]}" r="5" fill="#c2571a"/>')
    return _frame("".join(parts), unit_px, "m" if clip.world.metric else "x", _directions(clip, name))


def _corners(clip: PosedClip, i: int, reach: float) -> Float64[np.ndarray, "5 3"]:
    """The camera's centre and the four corners of its view at a depth; on its axis where intrinsics are unknown."""
    h, w = clip.size_hw
    corners = np.array([[0, 0, 1], [w, 0, 1], [w, h, 1], [0, h, 1]], np.float64)
    rays = corners @ np.linalg.inv(clip.k_px[i]).T if is_known(clip.k_px[i]) else np.tile([0.0, 0, 1], (4, 1))
    pose = clip.world_from_camera[i]
    return np.concatenate([pose[None, :3, 3], rays * reach @ pose[:3, :3].T + pose[:3, 3]])


def _directions(clip: PosedClip, name: str) -> tuple[str, str]:
    known = up_and_ahead(clip)[2]
    if name == "from above":
        return ("ahead of the first camera", "right")
    return ("up" if known else "up of the first camera (gravity unknown)", "right of the first camera")


def _frame(inner: str, unit_px: float, unit: str, directions: tuple[str, str]) -> str:
    length = round_length(0.3 * WIDTH / unit_px)
    x, y = _MARGIN, HEIGHT - 14
    bar = f"M{x} {y - 4}v4h{length * unit_px:.1f}v-4"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg">{inner}'
        f'<path d="{bar}" fill="none" stroke="#555" stroke-width="1.4"/>'
        f'<text x="{x + length * unit_px + 8:.1f}" y="{y + 1}">{length:g} {unit}</text>'
        f'<path d="M16 44V14m-4 6l4 -6l4 6" fill="none" stroke="#555" stroke-width="1.4"/>'
        f'<text x="26" y="22">{directions[0]}</text></svg>'
    ).replace(' xmlns="http://www.w3.org/2000/svg"', "")
