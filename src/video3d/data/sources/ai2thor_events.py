"""What an AI2-THOR event says, in the house's conventions.

Unity is left-handed with y up: x right, y up, z forward; turning by a positive angle about y is clockwise from above. Swapping y and z
makes it right-handed with z up. Structure of ``event.metadata``: https://ai2thor.allenai.org/ithor/documentation/environment-state and
/object-types; the camera's field of view is the vertical one, as Unity's.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, UInt16

from video3d.data.sources.assemble import pinhole
from video3d.data.sources.obb import upright_box
from video3d.types import Box3D, InputError
from video3d.video.json_files import as_numbers, want

_MIN_SIZE_M = 0.005
# Receptacles that hold things inside even without a lid.
_HOLLOW = frozenset(
    (
        "Bathtub",
        "BathtubBasin",
        "Bowl",
        "Box",
        "Cup",
        "GarbageCan",
        "LaundryHamper",
        "Mug",
        "Pan",
        "Pot",
        "Sink",
        "SinkBasin",
    )
)


@runtime_checkable
class ThorEvent(Protocol):
    """What is read of an event. Arrays are height x width; colours are of ``instance_segmentation_frame``."""

    metadata: dict[str, Any]
    frame: Any
    depth_frame: Any
    instance_segmentation_frame: Any
    object_id_to_color: Mapping[str, Any]


@runtime_checkable
class ThorController(Protocol):
    """What is used of ``ai2thor.controller.Controller``."""

    def step(self, action: str, **options: Any) -> ThorEvent:
        """Does an action and returns what is then seen."""
        ...

    def stop(self) -> Any:
        """Ends the simulator."""
        ...


def world_from_unity(points: Float64[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 3"]:
    """Points or directions in the house's world: y and z change places.

    >>> world_from_unity(np.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 3.0, 2.0]
    """
    return points[..., [0, 2, 1]]


def vector(value: Any, thing: str) -> Float64[np.ndarray, "3"]:
    """``{"x": .., "y": .., "z": ..}`` as Unity has it. Errors: ``InputError``."""
    if not isinstance(value, dict):
        raise InputError(thing, expected="x, y and z", got=f"{value!r:.40}")
    return as_numbers([want(value, axis, (int, float), thing) for axis in "xyz"], (3,), thing)


def camera_pose(metadata: dict[str, Any]) -> Float64[np.ndarray, "4 4"]:
    """world_from_camera: where the camera is, the agent's heading, and how far the camera looks down."""
    agent = want(metadata, "agent", dict, "metadata")
    turn = vector(agent.get("rotation"), "metadata: agent rotation")[1]
    down = float(want(agent, "cameraHorizon", (int, float), "metadata: agent"))
    yaw, pitch = np.radians([turn, down])
    forward = np.array([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    below = np.array([-np.sin(yaw) * np.sin(pitch), -np.cos(pitch), -np.cos(yaw) * np.sin(pitch)])
    pose = np.eye(4)
    pose[:3, :3] = world_from_unity(np.stack([right, below, forward])).T
    pose[:3, 3] = world_from_unity(vector(metadata.get("cameraPosition"), "metadata: cameraPosition"))
    return pose


def intrinsics(metadata: dict[str, Any], size_hw: tuple[int, int]) -> Float64[np.ndarray, "3 3"]:
    """K of square pixels with the principal point in the middle, from the vertical field of view in degrees."""
    fov = float(want(metadata, "fov", (int, float), "metadata"))
    if not 1 < fov < 175:
        raise InputError("metadata: fov", expected="a field of view in degrees", got=fov)
    return pinhole(size_hw[0] / 2 / np.tan(np.radians(fov) / 2), size_hw)


def object_box(item: dict[str, Any]) -> Box3D:
    """The oriented box of an object where it has one (things that can be moved), else the axis-aligned one."""
    thing = f"object {item.get('objectId', '')!s:.60}"
    oriented, aligned = item.get("objectOrientedBoundingBox"), item.get("axisAlignedBoundingBox")
    if isinstance(oriented, dict) and oriented.get("cornerPoints"):
        corners = world_from_unity(as_numbers(oriented["cornerPoints"], (8, 3), f"{thing}: objectOrientedBoundingBox"))
        found = box_of_corners(corners)
        if found is not None:
            return found
    if not isinstance(aligned, dict):
        raise InputError(thing, expected="a bounding box", got="none")
    center, size = vector(aligned.get("center"), thing), vector(aligned.get("size"), thing)
    return Box3D(
        center_world=world_from_unity(center),
        size_m=np.maximum(world_from_unity(np.abs(size)), _MIN_SIZE_M),
        world_from_box=np.eye(3),
    )


def box_of_corners(corners: Float64[np.ndarray, "8 3"]) -> Box3D | None:
    """The box of eight corners in any order, its z axis the one that is nearest to up; None when they are not a box's.

    >>> signs = np.array([[x, y, z] for x in (0.0, 1) for y in (0.0, 2) for z in (0.0, 3)])
    >>> found = box_of_corners(signs)
    >>> found.center_world.tolist(), sorted(found.size_m.round(6).tolist()), float(found.size_m[2])
    ([0.5, 1.0, 1.5], [1.0, 2.0, 3.0], 3.0)
    """
    center = corners.mean(axis=0)
    arms = corners[1:] - corners[0]
    lengths = np.linalg.norm(arms, axis=1)
    diagonal = 2 * (center - corners[0])
    best, worst = None, 1e-2 * float(lengths.max())
    for three in combinations(range(7), 3):
        some = arms[list(three)]
        off = np.abs(some.sum(axis=0) - diagonal).max() + max(
            abs(float(some[a] @ some[b])) / max(float(lengths.max()), 1e-9) for a, b in ((0, 1), (0, 2), (1, 2))
        )
        if off < worst and lengths[list(three)].min() > 1e-4:
            best, worst = some, off
    if best is None:
        return None
    size = np.linalg.norm(best, axis=1)
    return upright_box(center, np.maximum(size, _MIN_SIZE_M), best / size[:, None])


def immediate_parent(item: dict[str, Any], items: Mapping[str, dict[str, Any]]) -> str | None:
    """Of all the receptacles that an object is in or on, the one that is itself in most of the others."""
    parents = [p for p in item.get("parentReceptacles") or [] if isinstance(p, str)]
    if not parents:
        return None

    def depth(parent: str) -> int:
        return len(set(items.get(parent, {}).get("parentReceptacles") or []) & set(parents))

    return max(parents, key=lambda p: (depth(p), p in items, p))


def is_inside(item_box: Box3D, parent: dict[str, Any], parent_box: Box3D) -> bool:
    """Whether something lies in its receptacle rather than on it: a hollow one, or one that opens, that reaches above its middle."""
    if not (parent.get("openable") is True or parent.get("objectType") in _HOLLOW):
        return False
    top = parent_box.center_world[2] + parent_box.size_m[2] / 2
    return bool(item_box.center_world[2] < top)


def instance_ids(
    event: ThorEvent, object_ids: Mapping[str, int], size_hw: tuple[int, int]
) -> UInt16[np.ndarray, "h w"]:
    """Object id of every pixel. Errors: ``InputError`` without the segmentation frame."""
    colors = event.instance_segmentation_frame
    if colors is None:
        raise InputError("AI2-THOR", expected="instance_segmentation_frame", got="none")
    rgb = np.asarray(colors)[..., :3].astype(np.int64)
    if rgb.shape[:2] != size_hw:
        raise InputError("AI2-THOR", expected=f"frames of {size_hw[1]} x {size_hw[0]} px", got=rgb.shape)
    keys = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
    out = np.zeros(size_hw, np.uint16)
    for name, object_id in object_ids.items():
        color = event.object_id_to_color.get(name)
        if color is not None:
            red, green, blue = (int(v) for v in tuple(color)[:3])
            out[keys == (red << 16 | green << 8 | blue)] = object_id
    return out
