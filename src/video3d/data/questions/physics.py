"""Questions of physical reasoning: what happens next by the laws of motion, and what holds what."""

from video3d.data.questions.candidate import Generator
from video3d.data.questions.physics_contact import falls_off, first_to_floor, time_to, what_blocks, will_collide
from video3d.data.questions.physics_motion import comes_to_rest, direction, rest_place, speed, speed_order
from video3d.data.questions.physics_stability import falls_first, stability, topple_direction, topples
from video3d.data.questions.physics_support import ends_on, removal_falls, what_falls, what_supports

PHYSICS_GENERATORS: tuple[Generator, ...] = (
    comes_to_rest,
    direction,
    ends_on,
    falls_first,
    falls_off,
    first_to_floor,
    removal_falls,
    rest_place,
    speed,
    speed_order,
    stability,
    time_to,
    topple_direction,
    topples,
    what_blocks,
    what_falls,
    what_supports,
    will_collide,
)
"""One a subtype. Each takes a clip's truth and a random generator, and yields candidates of its subtype."""
