"""Questions about 3D layout: all generators, a function a subtype (``gap`` makes two: the width, and what fits through)."""

from video3d.data.questions.candidate import Generator
from video3d.data.questions.layout_gap import gap
from video3d.data.questions.layout_metric import (
    camera_height,
    distance_between,
    distance_camera,
    farthest_pair,
    height_above_floor,
    largest,
    size,
)
from video3d.data.questions.layout_place import box, clock, free_space, wall, where
from video3d.data.questions.layout_room import count, room_area, room_extent, room_height
from video3d.data.questions.layout_street import distance_ahead, lane, road_side

LAYOUT_GENERATORS: tuple[Generator, ...] = (
    where,
    clock,
    wall,
    box,
    free_space,
    distance_camera,
    distance_between,
    height_above_floor,
    size,
    camera_height,
    gap,
    farthest_pair,
    largest,
    room_extent,
    room_area,
    room_height,
    count,
    lane,
    road_side,
    distance_ahead,
)
