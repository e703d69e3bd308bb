"""Scenes of boxes by name, and what is noted on them beside a question."""

import math
from dataclasses import replace

import numpy as np

from video3d.answers.facts import scene_facts
from video3d.answers.named import Finders
from video3d.answers.named_say import Located
from video3d.answers.notes import notes_on
from video3d.answers.surfaces import Surface
from video3d.types import Box3D, GeometryStatus, PosedClip, World
from video3d.types.track import Track


def box(center, size=(0.5, 0.5, 1.0), yaw=0.0) -> Box3D:
    c, s = math.cos(yaw), math.sin(yaw)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return Box3D(center_world=np.array(center, float), size_m=np.array(size, float), world_from_box=turn)


def clip_of(frames: int = 6, speed=(0.0, 0.0), turn_deg_s: float = 0.0) -> PosedClip:
    """From 1.5 m, level, along +y at last; the right is +x. Ten frames a second."""
    poses = np.tile(np.eye(4), (frames, 1, 1))
    times = np.arange(frames) / 10
    for at, before in enumerate(times - times[-1]):
        turn = math.radians(turn_deg_s * before)  # of the heading, to the left
        ahead = np.array([-math.sin(turn), math.cos(turn), 0.0])
        poses[at, :3, :3] = np.stack([np.cross(ahead, [0, 0, 1.0]), [0, 0, -1.0], ahead], axis=1)
        poses[at, :3, 3] = [speed[0] * before, speed[1] * before, 1.5]
    return PosedClip(
        frame_index=np.arange(frames), time_s=times, rgb=np.zeros((frames, 48, 64, 3), np.uint8),
        depth_m=np.full((frames, 48, 64), 4.0, np.float32), k_px=np.tile([[40.0, 0, 32], [0, 40, 24], [0, 0, 1]], (frames, 1, 1)),
        world_from_camera=poses, piece=np.zeros(frames, dtype=np.int64), world=World(metric=True, gravity_aligned=True, origin="floor"),
        status=GeometryStatus(depth="measured", intrinsics="measured", poses="measured", scale="measured", gravity="measured"),
    )  # fmt: skip


def wall_of(center, normal, length: float = 6.0) -> Surface:
    """A wall from the floor to 2.5 m."""
    return Surface(
        kind="wall", z=2.5, height=2.5, length=length, width=2.5, area=2.5 * length, normal=(*normal, 0.0), center=(*center, 1.25),
    )  # fmt: skip


def notes(text: str, boxes: dict[str, Box3D], *, clip=None, fronts=None, tracks=None, frames=None, walls=()) -> str:
    clip = clip_of() if clip is None else clip
    facts = scene_facts(clip)
    facts = replace(facts, surfaces=(*facts.surfaces, *walls))

    def locate(things, position):
        return [one_of(thing) for thing in things]

    def one_of(thing):
        name = f"{thing.color} {thing.category}" if thing.color else thing.category
        if name not in boxes:
            return None
        seen = (frames or {}).get(name, (0,))
        return Located(box=boxes[name], score=0.9, frames=seen, front_world=(fronts or {}).get(name))

    def count(name):
        every = [(what.split()[-1], Located(box=place, score=0.9, frames=(0,))) for what, place in boxes.items()]
        return tuple(one for one in every if name in (None, one[0]))

    def follow(things):
        return [(tracks or {}).get(f"{one.color} {one.category}" if one.color else one.category) for one in things]

    return "\n".join(notes_on(text, clip, facts, Finders(locate, count, follow)))


def track_of(start, velocity, frames: int = 6) -> Track:
    times = np.arange(frames) / 10
    return Track(
        frame=np.arange(frames),
        time_s=times,
        center_world=np.array(start) + times[:, None] * np.array(velocity),
        sigma_m=np.full(frames, 0.05),
        moved=np.full(frames, bool(np.linalg.norm(velocity) > 0)),
    )
