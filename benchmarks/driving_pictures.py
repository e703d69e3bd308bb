"""What was said of a drive, seen from above: to be looked at before it is believed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from video3d.answers.driving import DrivingParts
from video3d.answers.driving_ego import find_road, frame_points, now_of, vehicle_path
from video3d.geometry.boxes import box_corners
from video3d.geometry.rigid import transform_points
from video3d.types import Box3D, PosedClip


def draw(
    name: str, clip: PosedClip, boxes: Sequence[Box3D], said: DrivingParts, folder: Path, *, ordered: bool
) -> None:
    """A picture from above: what was seen, drivable area, true boxes, and what was found, x ahead to the top."""
    path = vehicle_path(clip, ordered=ordered)
    now = now_of(clip, path, ordered=ordered, least_step=0.3)
    road = find_road(clip, now, ordered=ordered) if now is not None else None
    if now is None or road is None:
        return
    scale, back, ahead, beside = 12, 12, 65, 25
    if not clip.world.metric:
        scale = scale / road.camera_height * 1.65
    picture = Image.new("RGB", (2 * beside * 12, (back + ahead) * 12), "white")
    pen = ImageDraw.Draw(picture)

    def at(points: np.ndarray) -> list[tuple[float, float]]:
        return [(beside * 12 - y * scale, ahead * 12 - x * scale) for x, y in points[:, :2]]

    for polygon in said.road.drivable if said.road is not None else ():
        for ring, colour in ((polygon.outer, "#c8f0c8"), *((hole, "#ffe0e0") for hole in polygon.holes)):
            world = np.c_[np.array(ring), np.full(len(ring), road_height(clip, now.frame, road))]
            pen.polygon(at(transform_points(road.road_from_world, world)), fill=colour)
    for frame in now.frames:
        points = road.of(frame_points(clip, frame, 20_000))
        for (px, py), height in zip(at(points), points[:, 2], strict=True):
            pen.point(
                (px, py), fill="#000000" if 0.3 < height < 2.5 else "#9090ff" if abs(height) < road.flat else "#c0a000"
            )
    for box in boxes:
        corners = transform_points(road.road_from_world, box_corners(box))[[0, 2, 6, 4]]
        pen.polygon(at(corners), outline="red")
    for one in said.distance_to_objects:
        angle = np.radians(one.bearing_deg)
        ((px, py),) = at(np.array([[one.distance * np.cos(angle), -one.distance * np.sin(angle)]]))
        pen.ellipse((px - 4, py - 4, px + 4, py + 4), outline="blue" if one.name is None else "magenta", width=2)
    for one in said.vehicles:
        if one.velocity is not None:
            start = np.array([[one.box.center[0], one.box.center[1], 0.0]])
            ends = np.r_[start, start + np.array([one.velocity])]
            pen.line(at(transform_points(road.road_from_world, ends)), fill="magenta", width=2)
    free = said.road.free_ahead if said.road is not None else None
    pen.line(at(np.array([[0.0, 0, 0], [free or 0.0, 0, 0]])), fill="green", width=3)
    folder.mkdir(parents=True, exist_ok=True)
    picture.save(folder / f"{name}.png")


def road_height(clip: PosedClip, frame: int, road: Any) -> float:
    """Z of the road below a camera."""
    return float(clip.world_from_camera[frame, 2, 3] - road.camera_height)
