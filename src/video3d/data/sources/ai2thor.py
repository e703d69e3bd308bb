"""AI2-THOR: walks through its rooms, rendered by its own simulator where that is installed.

Nothing is read from disk but what is to be walked through: ``ROOT/scenes.txt`` may list scenes (``FloorPlan1`` ...), one a line, and
``ROOT/train.jsonl``, ``val.jsonl``, ``test.jsonl`` (or ``.jsonl.gz``) hold ProcTHOR houses, one JSON object a line, as ProcTHOR-10K
distributes them. With neither, the 120 rooms of iTHOR are walked through. Splits of iTHOR are its own: of the thirty rooms of each kind
the first twenty for training, five for validation, five for test.

The agent is put on a way over the reachable places, and looks where it goes and to both sides. Nothing is touched, so nothing moves.
"""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from video3d.data.sources import assemble
from video3d.data.sources.ai2thor_events import (
    ThorController,
    ThorEvent,
    camera_pose,
    immediate_parent,
    instance_ids,
    intrinsics,
    is_inside,
    object_box,
    vector,
)
from video3d.data.sources.source import (
    SceneRef,
    SourceInfo,
    list_file,
    no_rows,
    nothing_to_prepare,
    only,
    require,
    require_package,
)
from video3d.data.sources.walk import grid_walk, seeded, views_along
from video3d.data.truth import GROUND, ClipData, ObjectTruth, RoomTruth, Split
from video3d.types import Box3D, InputError
from video3d.vocabulary import category, normalise

INFO = SourceInfo(
    name="ai2thor",
    title="AI2-THOR",
    domain="indoor",
    viewer="robot",
    licence="Apache-2.0",
    terms="Apache 2.0, code, rooms and ProcTHOR-10K houses alike; no form",
    obtain="pip install ai2thor; its first start fetches the simulator (0.5 GB) and needs a GPU, or Vulkan on the CPU",
    layout=(
        "ROOT/scenes.txt: names of scenes, one a line (optional)",
        "ROOT/train.jsonl.gz, val.jsonl.gz, test.jsonl.gz: ProcTHOR houses (optional)",
    ),
    size="no data on disk; 5 to 20 s a clip with a GPU",
    commercial=True,
)
prepare = nothing_to_prepare
rows = no_rows
FIELD_OF_VIEW_DEG = 90.0
_ROOMS = (0, 200, 300, 400)  # kitchens, living rooms, bedrooms, bathrooms: FloorPlan1, FloorPlan201, ...
_STEP_M = 0.25
_SPEED_M_S = 1.0  # of the walk, and so of the clip's times
_LOOK_DOWN_DEG = 15.0
_MAX_LINE_BYTES = 8 * 2**20


def open_controller(scene: str | dict[str, Any], size_hw: tuple[int, int]) -> ThorController:
    """A running simulator. Errors: ``InputError`` where the package or its build is not there, or it does not start."""
    try:
        from ai2thor.controller import Controller  # pyright: ignore[reportMissingImports]
        from ai2thor.platform import CloudRendering  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError("ai2thor", expected="the package AI2-THOR", got="none", do=INFO.obtain) from error
    try:
        return Controller(
            platform=CloudRendering,
            scene=scene,
            width=size_hw[1],
            height=size_hw[0],
            fieldOfView=FIELD_OF_VIEW_DEG,
            gridSize=_STEP_M,
            snapToGrid=False,
            renderDepthImage=True,
            renderInstanceSegmentation=True,
        )
    except Exception as error:  # the package raises many kinds when its simulator does not start
        got = f"{type(error).__name__}: {error}"[:200]
        raise InputError("ai2thor", expected="the simulator to start", got=got, do=INFO.obtain) from error


def check(root: Path) -> None:
    """Errors: ``InputError`` when ``root`` is no folder, or the package is not installed."""
    require(root, info=INFO, what="a folder (it may be empty)", folder=True)
    if not scenes(root):
        raise InputError(root, expected="scenes", got="none in scenes.txt")
    require_package("ai2thor", what="the package AI2-THOR", do=INFO.obtain)


def scenes(root: Path, split: Split | None = None) -> list[SceneRef]:
    """The scenes listed, the ProcTHOR houses in the files, or else all rooms of iTHOR."""
    listed = list_file(root / "scenes.txt") if (root / "scenes.txt").is_file() else []
    refs = [_ref(name) for name in dict.fromkeys(listed)]
    parts: tuple[Split, ...] = ("train", "val", "test")
    for part in parts:
        path = _houses(root, part)
        if path is not None:
            refs += [
                SceneRef(name=f"procthor-{part}-{i:05d}", scene_id=f"procthor-{part}-{i:05d}", split=part)
                for i in range(sum(1 for _ in _lines(path)))
            ]
    if not refs:
        refs = [_ref(f"FloorPlan{first + i}") for first in _ROOMS for i in range(1, 31)]
    return only(refs, split)


def _ref(name: str) -> SceneRef:
    number = name.removeprefix("FloorPlan").partition("_")[0]
    if not (name.startswith("FloorPlan") and number.isdecimal()):
        raise InputError("scenes.txt", expected="names such as FloorPlan1", got=repr(name[:40]))
    within = int(number) % 100
    return SceneRef(name=name, scene_id=name[:60], split="train" if within <= 20 else "val" if within <= 25 else "test")


def _houses(root: Path, part: str) -> Path | None:
    return next((p for p in (root / f"{part}.jsonl", root / f"{part}.jsonl.gz") if p.is_file()), None)


def _lines(path: Path) -> Iterable[bytes]:
    """The lines of a file that may be compressed. Errors: ``InputError`` for damage and lines of more than 8 MB."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while line := file.readline(_MAX_LINE_BYTES):
                if not line.endswith(b"\n") and len(line) == _MAX_LINE_BYTES:
                    raise InputError(path, expected="houses, one a line", got="a line of more than 8 MB")
                if line.strip():
                    yield line
    except (OSError, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path, expected="houses, one a line", got=str(error)[:80]) from error


def _house(root: Path, ref: SceneRef) -> dict[str, Any]:
    _, part, number = ref.name.split("-")
    path = _houses(root, part)
    if path is None:
        raise InputError(root / f"{part}.jsonl.gz", expected="ProcTHOR houses", got="nothing there")
    line = next(islice(_lines(path), int(number), None), None)
    try:
        house = json.loads(line or b"null")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: house {number}", expected="a JSON object", got=str(error)[:80]) from error
    if not isinstance(house, dict):
        raise InputError(f"{path}: house {number}", expected="a JSON object", got=type(house).__name__)
    return house


def read_scene(
    root: Path, ref: SceneRef, *, num_frames: int, size_hw: tuple[int, int], num_clips: int = 1
) -> list[ClipData]:
    """``num_clips`` walks through a scene, each another way."""
    assemble.check_size_hw(size_hw)
    house = _house(root, ref) if ref.name.startswith("procthor-") else None
    controller = open_controller(ref.name if house is None else house, size_hw)
    try:
        return [
            _clip(controller, ref, number, num_frames, size_hw, None if house is None else room_of(house))
            for number in range(num_clips)
        ]
    finally:
        controller.stop()


def _clip(
    controller: ThorController,
    ref: SceneRef,
    number: int,
    num_frames: int,
    size_hw: tuple[int, int],
    room: RoomTruth | None,
) -> ClipData:
    rng = seeded(f"{ref.name}-{number}")
    reachable = controller.step("GetReachablePositions").metadata.get("actionReturn")
    if not isinstance(reachable, list) or not reachable:
        raise InputError(ref.name, expected="places that the agent can reach", got="none")
    places = np.stack([vector(p, "GetReachablePositions") for p in reachable])
    order = np.lexsort((places[:, 2], places[:, 0]))
    way = grid_walk(places[order][:, [0, 2]], rng, step_m=_STEP_M)
    views, yaws, gone = views_along(way, num_frames)
    events = []
    for (x, z), yaw in zip(views, yaws, strict=True):
        turn = float(np.degrees(np.pi / 2 - yaw) % 360)  # counter-clockwise from x to clockwise from z
        event = controller.step(
            "TeleportFull",
            x=float(x),
            y=float(places[0, 1]),
            z=float(z),
            rotation={"x": 0.0, "y": turn, "z": 0.0},
            horizon=_LOOK_DOWN_DEG,
            standing=True,
            forceAction=True,
        )
        events.append(_copied(event))
    return clip_of_events(events, ref, number=number, size_hw=size_hw, times_s=gone / _SPEED_M_S, room=room)


class _Kept:
    """An event whose arrays are its own: the simulator may reuse the originals."""

    def __init__(self, event: ThorEvent) -> None:
        self.metadata: dict[str, Any] = event.metadata
        self.frame: Any = np.array(event.frame)
        self.depth_frame: Any = None if event.depth_frame is None else np.array(event.depth_frame)
        self.instance_segmentation_frame: Any = np.array(event.instance_segmentation_frame)
        self.object_id_to_color: Mapping[str, Any] = dict(event.object_id_to_color)


def _copied(event: ThorEvent) -> ThorEvent:
    if event.metadata.get("lastActionSuccess") is False:
        raise InputError(
            "AI2-THOR", expected="the agent to be moved", got=str(event.metadata.get("errorMessage"))[:120]
        )
    return _Kept(event)


def clip_of_events(
    events: Sequence[ThorEvent],
    ref: SceneRef,
    *,
    number: int,
    size_hw: tuple[int, int],
    times_s: np.ndarray,
    room: RoomTruth | None = None,
) -> ClipData:
    """The clip of events that were recorded on a walk.

    Args:
        events: one a frame, with frame, depth_frame (metres along the camera's axis), segmentation and metadata.
        ref: the scene.
        number: of the clip.
        size_hw: of the frames.
        times_s: of the frames.
        room: where it is known.

    Errors: ``InputError`` for metadata without what is needed, or numbers that are not finite.
    """
    depth_m = np.stack([_depth(event, size_hw) for event in events])
    frames = assemble.Shown(
        rgb=np.stack([np.asarray(event.frame)[..., :3].astype(np.uint8) for event in events]),
        depth_m=depth_m,
        k_px=np.stack([intrinsics(event.metadata, size_hw) for event in events]),
        world_from_camera=np.stack([camera_pose(event.metadata) for event in events]),
        times_s=times_s.astype(np.float64),
    )
    objects, ids = _objects(events)
    instance = np.stack([instance_ids(event, ids, size_hw) for event in events])
    seen = assemble.seen_in_masks(instance, objects, frames)
    return assemble.clip_data(
        INFO, ref, frames, number=number, objects=objects, seen=seen, instance=instance, room=room, complete=True
    )


def _depth(event: ThorEvent, size_hw: tuple[int, int]) -> Float32[np.ndarray, "h w"]:
    shapes = [np.shape(np.asarray(picture)) for picture in (event.frame, event.depth_frame)]
    if shapes[0][:2] != size_hw or shapes[1] != size_hw:
        got = f"frame {shapes[0]}, depth {shapes[1]}"
        raise InputError("AI2-THOR", expected=f"frames and depth of {size_hw[1]} x {size_hw[0]} px", got=got)
    return assemble.known_depth(np.array(event.depth_frame, np.float32))


def _items(event: ThorEvent) -> dict[str, dict[str, Any]]:
    listed = event.metadata.get("objects")
    if not isinstance(listed, list) or not all(
        isinstance(i, dict) and isinstance(i.get("objectId"), str) for i in listed
    ):
        raise InputError("AI2-THOR metadata", expected="objects with their objectId", got=f"{type(listed).__name__}")
    return {item["objectId"]: item for item in listed}


def _objects(events: Sequence[ThorEvent]) -> tuple[list[ObjectTruth], dict[str, int]]:
    """Objects with a name, in order of THOR's ids, and our id of each."""
    per_frame = [_items(event) for event in events]
    last = per_frame[-1]
    named = {
        i: n
        for i, item in sorted(last.items())
        if (n := assemble.object_name(str(item.get("objectType", "")))) is not None
    }
    ids = {object_id: number for number, object_id in enumerate(named, start=1)}
    boxes = {object_id: object_box(last[object_id]) for object_id in named}
    out = []
    for object_id, name in named.items():
        path = np.stack([_pose(boxes[object_id], items.get(object_id)) for items in per_frame])
        moves = bool(np.abs(path[:, :3, 3] - path[-1, :3, 3]).max() > 0.01)
        parent = immediate_parent(last[object_id], last)
        by, within = None, None
        if parent is not None and parent in ids:
            by = ids[parent]
            if is_inside(boxes[object_id], last[parent], boxes[parent]):
                within = by
        elif (
            parent is not None
            and normalise(str(last.get(parent, {}).get("objectType", parent.partition("|")[0]))) == "floor"
        ):
            by = GROUND
        out.append(
            ObjectTruth(
                object_id=ids[object_id],
                category=name,
                kind=category(name).kind,
                motion="dynamic" if moves else "static",
                size_m=boxes[object_id].size_m,
                world_from_object=path,
                supported_by=by,
                inside_of=within,
            )
        )
    return out, ids


def _pose(last: Box3D, item: dict[str, Any] | None) -> np.ndarray:
    if item is None:
        return np.full((4, 4), np.nan)
    return assemble.box_pose(replace(last, center_world=object_box(item).center_world))


def room_of(house: dict[str, Any]) -> RoomTruth | None:
    """The room of a ProcTHOR house that has one: its floor's polygon and the height of its walls; None for more rooms."""
    listed, walls = house.get("rooms"), house.get("walls")
    if (
        not isinstance(listed, list)
        or len(listed) != 1
        or not isinstance(walls, list)
        or not isinstance(listed[0], dict)
    ):
        return None
    corners = np.stack([vector(p, "house: floorPolygon") for p in listed[0].get("floorPolygon") or [{}]])[:, [0, 2]]
    heights = [vector(p, "house: walls")[1] for w in walls if isinstance(w, dict) for p in w.get("polygon") or []]
    x, y = corners[:, 0], corners[:, 1]
    if len(corners) < 3 or not heights:
        return None
    turning = float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    return RoomTruth(floor_polygon_m=corners if turning > 0 else corners[::-1].copy(), height_m=float(max(heights)))
