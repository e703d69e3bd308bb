"""Questions about spatial relations: all generators, a function a subtype."""

from video3d.data.questions.candidate import Generator
from video3d.data.questions.relations_contact import above_below, inside, on
from video3d.data.questions.relations_frames import facing, object_frame, standing_point
from video3d.data.questions.relations_observer import (
    front_behind,
    left_right,
    nearer_farther,
    order_along_path,
    relation_class,
)
from video3d.data.questions.relations_world import between, near_far, nearest_to

RELATION_GENERATORS: tuple[Generator, ...] = (
    left_right,
    front_behind,
    above_below,
    on,
    inside,
    near_far,
    relation_class,
    nearer_farther,
    nearest_to,
    between,
    standing_point,
    object_frame,
    order_along_path,
    facing,
)
