"""From a scene and what was asked for to a typed result: each task's parts, and what all results share.

Scene + Asked ─▶ navigate | drive | place | facts ─▶ Navigation | Driving | Placement | SceneResult
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np
from jaxtyping import Bool, Float, Float64

from video3d.answers.facts import scene_facts
from video3d.answers.open_objects import found_by, names_for
from video3d.answers.results import (
    AnyResult,
    Box,
    Driving,
    Named,
    Navigation,
    Place,
    Placement,
    Point,
    SceneResult,
)
from video3d.answers.task import Asked
from video3d.answers.wishes import Wishes
from video3d.geometry.boxes import moved_box, points_in_box
from video3d.grounding import patch_points, propose_objects
from video3d.scene import Scene, every_pose, timed
from video3d.types import Answer, Box3D, Detection, InputError
from video3d.types.detector import Detector
from video3d.vocabulary import CATEGORIES, normalise

_SEEN_MARGIN_M = 0.02


class Options(TypedDict, total=False):
    """What ``analyze`` may be told besides a query; it wins over what the query says. Lengths in metres."""

    goal: str | Place | None
    start: str | Place | None
    robot_radius: float | None
    robot_height: float | None
    max_step: float | None
    size: Point | None
    clearance: float | None
    camera_height: float | None
    detector: str | Detector | None


class How(Options, total=False):
    """Options, and how the recording is read."""

    num_frames: int
    ignore: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Analysis:
    """What ``analyze`` found.

    Attributes:
        result: typed and validated.
        parts: what the task found, of which its files are made: ``NavigationParts``, ``DrivingParts``, ``PlacementParts``;
            None for a scene.
        objects: with names, in the world of the result: all that it was made with, or may be shown beside it.
    """

    result: AnyResult
    parts: Any = None
    objects: tuple[Detection, ...] = ()


def wishes_from(options: Options, segmenter: str = "none") -> Wishes:
    """Options as wishes. A detector is loaded: that its name is wrong should not be found out after the long work.

    Args:
        options: by name.
        segmenter: whose masks the detector's boxes are to have, as for ``load``.

    Raises:
        InputError: a name that is none of them, or a detector or segmenter that cannot be loaded.
    """
    known = Options.__annotations__
    strange = next((name for name in options if name not in known), None)
    if strange is not None:
        raise InputError(strange, expected=f"one of {', '.join(known)}", got="this name", do="leave it out")
    given: dict[str, Any] = dict(options)
    if isinstance(given.get("detector"), str):
        from video3d.estimate.detectors import load_detector

        given["detector"] = load_detector(given["detector"])
    if given.get("detector") is not None and segmenter != "none":
        from video3d.estimate.segmenters import with_masks

        given["detector"] = with_masks(given["detector"], segmenter)
    return Wishes(**given)


def analyze_scene(
    scene: Scene,
    asked: Asked,
    objects: Sequence[Detection],
    *,
    answer: Answer | None = None,
    timings_s: dict[str, float] | None = None,
) -> Analysis:
    """The result of a task on a scene.

    Everything in it is in one world: that of the scene, or the one that ``in_task_world`` makes of it.

    Args:
        scene: read, its world upright where that is known.
        asked: the task, and what it names.
        objects: what was found, in the scene's world; () where nothing that finds them has been trained.
        answer: to the query, where it is a question.
        timings_s: of what came before.
    """
    timings = dict(timings_s or {})
    scene, task_from_scene = in_task_world(scene, asked)
    objects = tuple(replace(one, box=moved_box(one.box, task_from_scene)) for one in objects)
    said: tuple[str, ...] = ()
    if asked.wishes.detector is not None:
        with timed(timings, "detector"):
            objects, said = found_by(asked.wishes.detector, names_for(asked), scene.clip, scene.facts, objects)
    started = time.perf_counter()
    make = {"navigation": _navigation, "driving": _driving, "placement": _placement, "scene": _scene}[asked.task]
    kind, found, notes, parts = make(scene, asked.wishes, objects)
    clip, status = scene.clip, scene.clip.status
    centers = scene.facts.trajectory.centers
    end = tuple(float(v) for v in centers[-1]) if len(centers) else None
    timings[asked.task] = time.perf_counter() - started
    result = kind(
        query=asked.query,
        decided_by=asked.decided_by,
        why=asked.why,
        source=str(scene.recording.source),
        unit="m" if clip.world.metric else "x",
        gravity_aligned=clip.world.gravity_aligned,
        geometry={name: getattr(status, name) for name in ("depth", "intrinsics", "poses", "scale", "gravity")},
        frames=tuple(int(i) for i in clip.frame_index),
        camera_end=end,
        notes=tuple(dict.fromkeys((*asked.notes, *said, *notes, *status.notes))),
        answer=None if answer is None else answer.text,
        timings_s={name: round(value, 3) for name, value in timings.items()},
        **found,
    )
    return Analysis(result=result, parts=parts, objects=objects)


def in_task_world(scene: Scene, asked: Asked) -> tuple[Scene, Float64[np.ndarray, "4 4"]]:
    """The scene in the world that a task is answered in, and the similarity that takes the scene's world there.

    For driving ``driving_world`` may turn and scale it; then the facts are measured anew. Else it is the scene as it is. Done
    twice it changes nothing more, so that what looks at a scene (detection, a question) can be given the same world before.
    """
    if asked.task != "driving":
        return scene, np.eye(4)
    from video3d.answers.driving_ego import driving_world

    ordered, height_m = scene.facts.trajectory.ordered, asked.wishes.camera_height
    clip, task_from_scene = driving_world(scene.clip, ordered=ordered, camera_height_m=height_m)
    if clip is scene.clip:
        return scene, task_from_scene
    facts = scene_facts(
        clip,
        all_world_from_camera=every_pose(clip, scene.recording.num_frames),
        all_time_s=scene.recording.time_s,
        sequence=ordered,
        objects=tuple(replace(one, box=moved_box(one.box, task_from_scene)) for one in scene.facts.objects),
    )
    return replace(scene, clip=clip, facts=facts), task_from_scene


_Made = tuple[Any, dict[str, Any], tuple[str, ...], Any]


def _navigation(scene: Scene, wishes: Wishes, objects: tuple[Detection, ...]) -> _Made:
    from video3d.answers.navigation import GoalWanted, Robot, navigate

    given = {"radius_m": wishes.robot_radius, "height_m": wishes.robot_height, "max_step_m": wishes.max_step}
    robot = Robot(**{name: value for name, value in given.items() if value is not None})

    def wanted(where: str | Place | None) -> GoalWanted:
        if isinstance(where, str):
            return GoalWanted(said=where, name=called(where, [one.label for one in objects]))
        return GoalWanted() if where is None else GoalWanted(said=f"({where[0]:g}, {where[1]:g})", place=where)

    goal, start = wanted(wishes.goal), wanted(wishes.start)
    found = navigate(scene.clip, scene.facts, objects, robot=robot, goal=goal, start=start)
    return Navigation, _fields(found, "navigable", "obstacles", "path"), found.notes, found


def _driving(scene: Scene, wishes: Wishes, objects: tuple[Detection, ...]) -> _Made:
    from video3d.answers.driving import drive

    found = drive(scene.clip, scene.facts, objects)
    return Driving, _fields(found, "road", "ego", "vehicles", "distance_to_objects"), found.notes, found


def _placement(scene: Scene, wishes: Wishes, objects: tuple[Detection, ...]) -> _Made:
    from video3d.answers.placement import ThingToPlace, place

    given = {"size_m": wishes.size, "clearance_m": wishes.clearance}
    thing = ThingToPlace(**{name: value for name, value in given.items() if value is not None})
    found = place(scene.clip, scene.facts, objects, thing=thing)
    return Placement, _fields(found, "objects", "surface_planes", "placement_zones"), found.notes, found


def _scene(scene: Scene, wishes: Wishes, objects: tuple[Detection, ...]) -> _Made:
    notes: tuple[str, ...] = ()
    standing = objects
    if not objects:
        standing = tuple(Detection(box=one.box, label="", score=0.0) for one in propose_objects(scene.clip))
        notes = (
            ("objects have no names: nothing that finds them by name has been trained or given",) if standing else ()
        )
    facts = replace(scene.facts, objects=objects) if objects else scene.facts
    return SceneResult, {"objects": named(standing, scene), "facts": facts.lines()}, notes, None


def _fields(parts: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(parts, name) for name in names}


def named(objects: Sequence[Detection], scene: Scene) -> tuple[Named, ...]:
    """Detections as results have them, each with the frames that show points in its box; without a label, without a name."""
    if not objects:
        return ()
    points = patch_points(scene.clip)
    found = []
    for number, one in enumerate(objects):
        seen = frames_with(points, one.box)
        found.append(
            Named(
                id=f"object-{number}",
                name=one.label or None,
                box=Box.of(one.box),
                status="estimated",
                confidence=float(min(max(one.score, 0.0), 1.0)) if one.label else None,
                frames=tuple(int(i) for i in scene.clip.frame_index[seen]),
            )
        )
    return tuple(found)


def frames_with(points_world: Float[np.ndarray, "f gh gw 3"], box: Box3D) -> Bool[np.ndarray, "f"]:
    """Which frames have a point in a box."""
    return np.asarray(points_in_box(points_world, box, margin_m=_SEEN_MARGIN_M).any(axis=(1, 2)))


def called(name: str, labels: Sequence[str]) -> str:
    """A thing by the name that detections have: the name as it is where one has it, else the vocabulary's, which is English.

    >>> called("fridge", ["refrigerator"]), called("红色的椅子", []), called("fridge", ["fridge"]), called("gizmo", [])
    ('refrigerator', 'chair', 'fridge', 'gizmo')
    """
    from video3d.answers.navigation_plan import is_called

    if any(is_called(label, name) for label in labels):
        return name
    chinese = re.sub(r"[边口旁处]$", "", name.strip())
    known = [
        one for one in CATEGORIES if chinese.endswith(one.zh) or (len(chinese) == 1 and one.zh.startswith(chinese))
    ]
    if known:
        return max(known, key=lambda one: len(one.zh)).name
    return normalise(name) or name
