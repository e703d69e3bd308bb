"""Hand-made clips in which things move on given paths: frames shown, rollouts and contacts that follow from one function of time."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scenes import look_at, scene, thing, yaw_pose

from video3d.data.truth import GROUND, Contact, ObjectTruth, Rollout, SceneTruth

TIMES = np.arange(8) * 0.2  # frames shown: 0 to 1.4 s
LAST = float(TIMES[-1])
END = 4.6
Path = Callable[[float], Sequence[float]]
"""Place of a thing's centre at a time, and after it, where given, its roll about +y in degrees and its yaw."""


def pose_at(path: Path, time_s: float) -> np.ndarray:
    """Pose on a path."""
    x, y, z, *turns = path(time_s)
    roll, yaw = (*turns, 0.0, 0.0)[:2]
    pose = yaw_pose((x, y, z), yaw)
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    pose[:3, :3] = pose[:3, :3] @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return pose


def mover(object_id: int, category: str, path: Path, size=(0.2, 0.2, 0.2), **more) -> ObjectTruth:
    """A thing on a path."""
    settings = {"kind": "experiment", "supported_by": GROUND, "motion": "dynamic"} | more
    made = thing(object_id, category, (0, 0, 0), size, frames=len(TIMES), **settings)
    return replace(made, world_from_object=np.stack([pose_at(path, t) for t in TIMES]))


def still_thing(object_id: int, category: str, at, size=(0.5, 0.5, 0.5), **more) -> ObjectTruth:
    """A thing that stays."""
    return thing(object_id, category, at, size, frames=len(TIMES), **more)


def touch(a: int, b: int, begin: float, end: float = END) -> Contact:
    """Two things touch."""
    return Contact(first_id=max(a, b), second_id=min(a, b), begin_s=begin, end_s=end)


def rollout(
    things: Sequence[ObjectTruth],
    paths: dict[int, Path],
    camera: Callable[[float], np.ndarray],
    contacts: Sequence[Contact] = (),
) -> Rollout:
    """What happens."""
    times = np.arange(round(END / 0.04) + 1) * 0.04
    poses = np.stack(
        [
            np.stack(
                [pose_at(paths[o.object_id], t) if o.object_id in paths else o.world_from_object[0] for o in things]
            )
            for t in times
        ]
    )
    cameras = np.stack([camera(t) for t in times])
    ordered = tuple(sorted(contacts, key=lambda c: c.begin_s))
    return Rollout(times_s=times, world_from_object=poses, world_from_camera=cameras, contacts=ordered)


def fixed(_: float) -> np.ndarray:
    """A camera at (0, 0, 1.5) that looks along +y."""
    return look_at((0, 0, 1.5), (0, 4, 0.5))


def clip(
    things: Sequence[ObjectTruth],
    paths: dict[int, Path],
    contacts: Sequence[Contact] = (),
    *,
    others: Sequence[tuple[dict[int, Path], Sequence[Contact]]] = (),
    camera: Callable[[float], np.ndarray] = fixed,
    **more,
) -> SceneTruth:
    """A clip: what happens, and in ``others`` what would with the start changed (default: the same)."""
    built = scene(things, [camera(t) for t in TIMES], **({"focal": 1.0} | more))
    happens = rollout(things, paths, camera, contacts)
    changed = tuple(rollout(things, paths | p, camera, c) for p, c in others) or (happens,)
    return replace(built, times_s=TIMES.copy(), rollouts=(happens, *changed))


def line(start, velocity, stop_s: float = np.inf) -> Path:
    """Straight at constant speed until a time."""
    start, velocity = np.asarray(start, float), np.asarray(velocity, float)
    return lambda t: tuple(start + velocity * min(t, stop_s))


def asked(generator, truth: SceneTruth, seed: int = 0):
    """A generator's candidates as a list."""
    return list(generator(truth, np.random.default_rng(seed)))
