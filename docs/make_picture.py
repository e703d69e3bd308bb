"""Draws the README's picture from what the commands write, so that it shows nothing but their output.

python examples/make_room.py room
video3d geometry room --out room-geometry
python docs/make_picture.py room room-geometry docs/room.png "QUESTION" ...
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PAPER, INK, SOFT, ACCENT = (250, 249, 246), (34, 38, 46), (120, 126, 138), (206, 72, 40)


def font(size: int) -> ImageFont.FreeTypeFont:
    """One that has a ² and comes along with a package that is there anyway."""
    import matplotlib

    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Positions and colours of a PLY that ``video3d geometry`` wrote."""
    header, body = path.read_bytes().split(b"end_header\n", 1)
    count = int(header.split(b"element vertex ")[1].split()[0])
    rows = np.frombuffer(body, dtype=[("xyz", "<f4", 3), ("rgb", "u1", 3)], count=count)
    return rows["xyz"].astype(float), rows["rgb"].astype(float)


def tint(depth_mm: np.ndarray) -> np.ndarray:
    """Depth as colour, near warm and far cold."""
    known = depth_mm > 0
    s = np.clip((depth_mm - 700.0) / 4300.0, 0, 1)
    stops = np.array([[252, 232, 166], [240, 142, 74], [178, 58, 88], [74, 34, 96], [16, 18, 52]], dtype=float)
    x = s * (len(stops) - 1)
    low = np.minimum(x.astype(int), len(stops) - 2)
    color = stops[low] + (x - low)[..., None] * (stops[low + 1] - stops[low])
    return np.where(known[..., None], color, 200).astype(np.uint8)


def map_from_above(points: np.ndarray, colors: np.ndarray, cameras: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Points below 2.2 m seen from above, the highest on top, with the camera's path and where it looks."""
    w, h = size
    low, high = np.percentile(points[:, :2], 0.2, axis=0), np.percentile(points[:, :2], 99.8, axis=0)
    scale = min((w - 60) / (high[0] - low[0]), (h - 60) / (high[1] - low[1]))
    middle = (low + high) / 2

    def pixel(xy: np.ndarray) -> np.ndarray:
        return np.stack([w / 2 + (xy[..., 0] - middle[0]) * scale, h / 2 - (xy[..., 1] - middle[1]) * scale], axis=-1)

    keep = points[:, 2] < 2.2
    order = np.argsort(points[keep][:, 2])
    at = np.rint(pixel(points[keep][order][:, :2])).astype(int)
    canvas = np.full((h, w, 3), PAPER, dtype=np.uint8)
    ink = colors[keep][order].astype(np.uint8)
    for dx in (0, 1):
        for dy in (0, 1):
            x, y = at[:, 0] + dx, at[:, 1] + dy
            inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
            canvas[y[inside], x[inside]] = ink[inside]
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    path = pixel(cameras[:, :2, 3])
    draw.line([tuple(p) for p in path], fill=ACCENT, width=4, joint="curve")
    for camera, eye in list(zip(cameras, path, strict=True))[::4]:
        ahead = pixel(camera[:2, 3] + 0.35 * camera[:2, 2] / np.linalg.norm(camera[:2, 2]))
        draw.line([tuple(eye), tuple(ahead)], fill=INK, width=2)
        draw.ellipse([eye[0] - 4, eye[1] - 4, eye[0] + 4, eye[1] + 4], fill=ACCENT)
    metre = (20, h - 16)
    draw.line([metre, (metre[0] + scale, metre[1])], fill=INK, width=3)
    draw.text((metre[0] + scale + 8, metre[1] - 9), "1 m", fill=INK, font=font(14))
    return image


def main() -> None:  # noqa: D103
    source, geometry, out, *questions = sys.argv[1:]
    rows = json.loads((Path(geometry) / "cameras.json").read_text())
    images = sorted((Path(source) / "images").iterdir())
    picked = [rows[int(i)] for i in np.linspace(0, len(rows) - 1, 3)]
    width, tile_w, tile_h = 1280, 240, 180
    height = 2 * tile_h + 3 * 20 + 30 + 52 * len(questions)
    page = Image.new("RGB", (width, height), PAPER)
    for column, row in enumerate(picked):
        x = 20 + column * (tile_w + 12)
        depth = np.asarray(Image.open(Path(geometry) / "depth" / f"{row['frame_index']:06d}.png"))
        page.paste(Image.open(images[row["frame_index"]]).resize((tile_w, tile_h)), (x, 20))
        page.paste(Image.fromarray(tint(depth.astype(float))).resize((tile_w, tile_h)), (x, 32 + tile_h))
    points, colors = read_ply(Path(geometry) / "points.ply")
    cameras = np.array([row["world_from_camera"] for row in rows if row["world_from_camera"]])
    left = 20 + 3 * (tile_w + 12) + 8
    page.paste(map_from_above(points, colors, cameras, (width - left - 20, 2 * tile_h + 12)), (left, 20))
    draw = ImageDraw.Draw(page)
    y = 2 * tile_h + 62
    for question in questions:
        run = subprocess.run(["video3d", "ask", source, question, "--json"], check=True, capture_output=True, text=True)
        draw.text((24, y), question, fill=SOFT, font=font(17))
        draw.text((24, y + 22), json.loads(run.stdout)["answer"], fill=INK, font=font(19))
        y += 52
    page.quantize(192).save(out, optimize=True)


if __name__ == "__main__":
    main()
