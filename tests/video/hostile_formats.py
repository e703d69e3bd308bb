"""Hostile and damaged recordings of every format: ``HOSTILE`` lists (name, build); ``build(folder)`` gives the source.

A name starts with the reader that the source is meant for. Every source must be refused by an ``InputError`` of one
short line, when it is opened or when its frames are read, in little time and memory.
"""

import hostile_drives
import hostile_scans
from hostile_scans import Build

_OF_READER = {
    "scannet": hostile_scans.SCANNET,
    "scannet_sens": hostile_scans.SENS,
    "arkit": hostile_scans.ARKIT,
    "record3d": hostile_scans.RECORD3D,
    "kitti_odometry": hostile_drives.ODOMETRY,
    "kitti_object": hostile_drives.OBJECT,
    "nuscenes": hostile_drives.NUSCENES,
    "nerfstudio": hostile_drives.NERF,
    "colmap": hostile_drives.COLMAP,
}

HOSTILE: list[tuple[str, Build]] = [
    (f"{reader}: {what}", build) for reader, cases in _OF_READER.items() for what, build in cases.items()
]
