"""What is true of a clip: the nouns that the simulator and every source fill and the question generator reads.

One description for all of them, so that one generator serves a simulated room, a ScanNet scene and a nuScenes drive. What a
source does not know is None or empty, and the questions that would need it are not asked. World, camera, depth and box
conventions are those of docs/conventions.md: metres, +z up, OpenCV camera axes, pixel centres at +0.5.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8, UInt16

from video3d.types import Box3D
from video3d.vocabulary import ObjectKind

Domain = Literal["indoor", "street"]
Split = Literal["train", "val", "test"]
MotionKind = Literal["static", "dynamic", "scripted"]

GROUND = 0
"""Object id of the floor, the ground, the road: what carries everything else. Never in ``SceneTruth.objects``."""
WALL = -1
"""Object id, in contacts only, of walls, ceiling and façades."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectTruth:
    """One object.

    Attributes:
        object_id: 1, 2, ...; the value of its pixels in ``ClipData.instance``. Unique in a clip.
        category: its name in ``video3d.vocabulary``, in English, e.g. ``chair``.
        kind: furniture (stands on the floor), prop (small, stands on things), experiment (what a physics case is about: ball,
            block, ramp), structure (door, window), vehicle, person, animal, plant, sign.
        motion: static (never moves), dynamic (moved by physics), scripted (moves on a path of its own).
        size_m: full extents of its box along the object's own axes. The front of a piece of furniture or a vehicle is -y.
        world_from_object: pose of the box (origin at the box's centre) in every frame shown; NaN where not annotated.
        color: a colour word, only where the object is of one colour that nobody would call another; else None.
        supported_by: object id of what it stands on at the last frame shown, ``GROUND`` for the floor, None where unknown or
            it hangs or flies.
        inside_of: object id of the container that it is in, or None.
        has_front: the object has a front that people agree on (a sofa, a car), so that "in front of the sofa" has a meaning.
    """

    object_id: int
    category: str
    kind: ObjectKind
    motion: MotionKind
    size_m: Float64[np.ndarray, "3"]
    world_from_object: Float64[np.ndarray, "f 4 4"]
    color: str | None = None
    supported_by: int | None = None
    inside_of: int | None = None
    has_front: bool = False

    def box(self, frame: int = -1) -> Box3D:
        """The object's oriented box at a frame shown, by default the last."""
        pose = self.world_from_object[frame]
        return Box3D(center_world=pose[:3, 3].copy(), size_m=self.size_m, world_from_box=pose[:3, :3].copy())


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Two things touch, from ``begin_s`` to ``end_s`` (the end of the rollout where they still touch).

    Ids are object ids, ``GROUND`` or ``WALL``; ``first_id > second_id``.
    """

    first_id: int
    second_id: int
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What happens over time, from the first frame shown to beyond the last: simulated, or recorded by a source.

    Attributes:
        times_s: ascending from 0, the first frame shown; usually 30 a second.
        world_from_object: pose of every object of ``SceneTruth.objects``, in that order, at every time; NaN unknown.
        world_from_camera: pose of the camera at every time; NaN unknown.
        contacts: all touches, in order of their beginning.
    """

    times_s: Float64[np.ndarray, "g"]
    world_from_object: Float64[np.ndarray, "g o 4 4"]
    world_from_camera: Float64[np.ndarray, "g 4 4"]
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What the simulation does when one object is taken away at the last frame shown.

    Attributes:
        removed_id: the object taken away.
        fallen_ids: objects that then drop or topple: their box's centre sinks by more than 5 cm or turns by more than 30
            degrees. The same under every 2 % change of the start, or the removal is not listed.
        stay_ids: objects that then stay: they move less than 1 cm and turn less than 5 degrees, under every change.
    """

    removed_id: int
    fallen_ids: tuple[int, ...]
    stay_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomTruth:
    """The room: its floor as a counter-clockwise polygon in metres, floor at z = 0, and its height."""

    floor_polygon_m: Float64[np.ndarray, "n 2"]
    height_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTruth:
    """A traffic light that governs the camera's way: which object, and its state at every frame shown and at every rollout time."""

    object_id: int
    shown: tuple[Literal["red", "yellow", "green"], ...]
    after: Literal["red", "yellow", "green"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneTruth:
    """Everything that is true of a clip, without its pixels.

    Attributes:
        clip_id: unique in the data set, ``[a-z0-9_-]``.
        scene_id: the room or place; clips of one scene are never in two splits.
        source: ``simulated``, ``scannet``, ``nuscenes``, ...
        licence: of the pixels and truth, as an SPDX id or the source's own terms.
        domain: indoor or street.
        split: of the scene.
        seed: of the simulator, or None.
        scenario: what was staged (``tour``, ``ramp``, ``stack``, ``drive``, ...) or ``recorded``.
        viewer: who carries the camera: it sets the words (``you``, ``the robot``, ``the car``).
        size_hw: height and width of the frames in pixels.
        times_s: time of every frame shown, from 0.
        k_px: intrinsics of every frame.
        world_from_camera: pose of the camera in every frame shown.
        objects: all objects, seen or not.
        visible_px: pixels of every object (in the order of ``objects``) in every frame.
        visible_share: those pixels as a share of its whole outline (nothing hidden, nothing outside the picture), 0..1.
        room: None outdoors and where unknown.
        rollouts: what happens; the first is what did happen, the others what would with the start changed by 2 %. An answer
            about what happens stands only if it is the same in all. Empty where nothing is known beyond the frames shown.
        removals: counterfactuals that were simulated.
        signal: the traffic light ahead, if there is one.
        complete: every object of a named category that is in the scene is in ``objects`` (so that things can be counted).
    """

    clip_id: str
    scene_id: str
    source: str
    licence: str
    domain: Domain
    split: Split
    scenario: str
    viewer: Literal["person", "robot", "car"]
    size_hw: tuple[int, int]
    times_s: Float64[np.ndarray, "f"]
    k_px: Float64[np.ndarray, "f 3 3"]
    world_from_camera: Float64[np.ndarray, "f 4 4"]
    objects: tuple[ObjectTruth, ...]
    visible_px: Int64[np.ndarray, "f o"]
    visible_share: Float32[np.ndarray, "f o"]
    seed: int | None = None
    room: RoomTruth | None = None
    rollouts: tuple[Rollout, ...] = ()
    removals: tuple[Removal, ...] = ()
    signal: SignalTruth | None = None
    complete: bool = True

    @property
    def num_frames(self) -> int:
        """Number of frames shown."""
        return len(self.times_s)

    def object(self, object_id: int) -> ObjectTruth:
        """The object of an id. Errors: ``KeyError``."""
        return self.objects[self.index(object_id)]

    def index(self, object_id: int) -> int:
        """Where an object stands in ``objects``, and so in the columns of ``visible_px``. Errors: ``KeyError``."""
        for index, found in enumerate(self.objects):
            if found.object_id == object_id:
                return index
        raise KeyError(f"object {object_id} is not in clip {self.clip_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipData:
    """A clip as it is stored: its pixels and its truth.

    Attributes:
        truth: everything but pixels.
        rgb: frames.
        depth_m: z-depth in metres, NaN where unknown (sky); None where the source has none.
        instance: object id of every pixel, 0 for none; None where the source has no masks. Category masks follow from it through
            ``truth.objects``.
    """

    truth: SceneTruth
    rgb: UInt8[np.ndarray, "f h w 3"]
    depth_m: Float32[np.ndarray, "f h w"] | None = None
    instance: UInt16[np.ndarray, "f h w"] | None = None
    notes: tuple[str, ...] = field(default=())
