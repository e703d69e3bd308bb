"""Drives: what is staged on a street, seen from a car, or by a person or a robot on the sidewalk.

What the camera's car does next has its cause in the frames shown (a light, somebody on the crossing, the car ahead), and is done
mostly after the last of them. Each cause has its opposite, drawn about as often and with the same speeds and distances: a green
light, somebody who walks along, a car ahead that drives on. Traffic keeps to the right in every street.
"""

from video3d.data.simulate.drives_car import drive_follow, drive_straight, drive_turn
from video3d.data.simulate.drives_crash import drive_collision
from video3d.data.simulate.drives_crossing import drive_pedestrian, drive_signal
from video3d.data.simulate.drives_junction import watch_junction
from video3d.data.simulate.drives_walk import static_street, walk_street
from video3d.data.simulate.stage import Stager

DRIVES: dict[str, Stager] = {
    "drive_straight": drive_straight,
    "drive_signal": drive_signal,
    "drive_pedestrian": drive_pedestrian,
    "drive_follow": drive_follow,
    "drive_turn": drive_turn,
    "drive_collision": drive_collision,
    "walk_street": walk_street,
    "static_street": static_street,
    "watch_junction": watch_junction,
}
"""Every scenario on the street by its name."""
