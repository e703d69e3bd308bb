"""What all answers on driving are measured in: the last instant, the road's frame, and what every instant saw in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from video3d.answers.driving_ego import (
    Motion,
    Now,
    find_road,
    frame_points,
    instants,
    least_step,
    motion_of,
    now_of,
    vehicle_path,
)
from video3d.answers.driving_things import Look
from video3d.answers.facts import weakest
from video3d.geometry.boxes import moved_box
from video3d.geometry.rigid import axes_with_z, inverse_rigid, is_known
from video3d.geometry.road import RoadSurface
from video3d.types import Box3D, PosedClip, Status

USUAL_HEIGHT_M = 1.5
"""Height of a camera over the road where no scale is known: it tells large from small, and no length is given by it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """What all parts are measured in.

    Attributes:
        clip: in a driving world.
        now: its last instant.
        road: None where none was seen.
        road_from_world: the road's frame, or without a road a level one at the last camera.
        unit_m: metres in a unit: 1, or in a world without a scale judged by the usual height of a camera over the road.
        motion: of the vehicle; None without two poses.
        looks: every instant, oldest first; () without a road.
        source: of what is measured from depth.
    """

    clip: PosedClip
    now: Now
    road: RoadSurface | None
    road_from_world: Float64[np.ndarray, "4 4"]
    unit_m: float
    motion: Motion | None
    looks: tuple[Look, ...]
    source: Status

    def named(self, frames: Sequence[int]) -> tuple[int, ...]:
        """Positions in the clip as frames of the recording."""
        return tuple(int(self.clip.frame_index[f]) for f in frames)

    def box(self, box: Box3D) -> Box3D:
        """A box of the world in the road's frame."""
        return moved_box(box, self.road_from_world)


def view_of(clip: PosedClip, ordered: bool) -> View | None:
    """What a clip in a driving world is measured in; None without a pose.

    Args:
        clip: from ``driving_world``.
        ordered: the frames are one walk.
    """
    least = least_step(clip)
    path = vehicle_path(clip, ordered=ordered)
    now = now_of(clip, path, ordered=ordered, least_step=least)
    if now is None:
        return None
    road = find_road(clip, now, ordered=ordered)
    if road is None:
        up = np.array([0.0, 0.0, 1.0]) if clip.world.gravity_aligned else -clip.world_from_camera[now.frame, :3, 1]
        level = np.eye(4)
        level[:3, :3] = axes_with_z(up, now.ahead)
        level[:3, 3] = clip.world_from_camera[now.frame, :3, 3]
        road_from_world = inverse_rigid(level)
    else:
        road_from_world = road.road_from_world
    unit_m = 1.0
    if not clip.world.metric and road is not None:
        unit_m = USUAL_HEIGHT_M / road.camera_height
    status = clip.status
    source = weakest(status.depth, status.intrinsics, status.poses if status.poses != "unknown" else "measured")
    return View(
        clip=clip,
        now=now,
        road=road,
        road_from_world=road_from_world,
        unit_m=unit_m,
        motion=motion_of(clip, path, least_step=least),
        looks=_looks(clip, road, instants(clip, ordered=ordered)),
        source=weakest(source, status.scale) if clip.world.metric else source,
    )


def _looks(clip: PosedClip, road: RoadSurface | None, groups: list[tuple[int, ...]]) -> tuple[Look, ...]:
    """What was seen at every instant, by the road's surface; () without a road."""
    if road is None:
        return ()
    known = is_known(clip.k_px)
    return tuple(
        Look(
            frames=group,
            time_s=float(clip.time_s[group[0]]),
            points_road=tuple(road.of(frame_points(clip, f)) if known[f] else np.zeros((0, 3)) for f in group),
        )
        for group in groups
    )
