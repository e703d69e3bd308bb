"""Questions of action prediction: what the camera, movers, vehicles and people do next, and what follows from where one is."""

from video3d.data.questions.action_camera import camera_motion, camera_next, camera_next_place, will_leave_view
from video3d.data.questions.action_events import (
    about_to_happen,
    mover_next_place,
    next_contact,
    next_event,
    order_of_events,
)
from video3d.data.questions.action_place import navigation, reach, turn_to_see
from video3d.data.questions.action_street import ego_action, person_action, vehicle_action
from video3d.data.questions.candidate import Generator

ACTION_GENERATORS: tuple[Generator, ...] = (
    about_to_happen,
    camera_motion,
    camera_next,
    camera_next_place,
    ego_action,
    mover_next_place,
    navigation,
    next_contact,
    next_event,
    order_of_events,
    person_action,
    reach,
    turn_to_see,
    vehicle_action,
    will_leave_view,
)
"""One a subtype. Each takes a clip's truth and a random generator, and yields candidates of its subtype."""
