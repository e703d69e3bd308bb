"""Turn the world so that +z points up, and put its origin under the first camera (step 3 of the path).

Up is the recording's, where it measured it. Otherwise it is found from the surfaces that depth shows and from how
cameras are held (``upright``), else from the poses alone if the camera turned enough to tell.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64

from video3d.geometry.flatness import flat_tiles
from video3d.geometry.floor import Floor, find_floor
from video3d.geometry.rigid import crop_k, is_known, scale_k, transform_points, unproject
from video3d.geometry.upright import UpEstimate, reliable, up_from_poses, up_from_surfaces
from video3d.types import InputError, PosedClip, Status

__all__ = ["Floor", "GravityAlignment", "align_to_gravity", "clip_floor", "find_floor", "gravity_alignment"]

ON_THE_FLOOR = "on the floor under the first camera"
"""``World.origin`` of a world whose floor was seen: it lies at z = 0."""
_MAX_FRAMES = 48  # more see little that is new
_POINT_ROWS = 90  # rows of a depth map that become points for the floor
_MIN_FLOOR_CONFIDENCE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class GravityAlignment:
    """The transform that makes +z point up, and where it comes from.

    Attributes:
        aligned_from_world: rigid; takes points of the clip's world (its piece 0) into the aligned one. The identity
            where up is not known or the world is aligned already.
        status: measured, estimated or unknown.
        error_rad: how far up may be off, roughly one standard deviation; 0 where it was measured, NaN where unknown.
        floor: the floor in the aligned world, or None where it was not seen.
        origin: where the aligned world's origin is, in words.
        notes: how up and the floor were found.
    """

    aligned_from_world: Float64[np.ndarray, "4 4"]
    status: Status
    error_rad: float
    floor: Floor | None
    origin: str
    notes: tuple[str, ...]


def _in_world(clip: PosedClip) -> Bool[np.ndarray, "f"]:
    """Frames that share the clip's world: those of piece 0 with a pose."""
    return (clip.piece == 0) & is_known(clip.world_from_camera)


def _evenly(frames: Bool[np.ndarray, "f"]) -> np.ndarray:
    """At most ``_MAX_FRAMES`` of the true frames, at even steps."""
    index = np.flatnonzero(frames)
    return index[np.unique(np.linspace(0, index.size - 1, min(index.size, _MAX_FRAMES)).round().astype(int))]


def _depth_k(clip: PosedClip, frames: np.ndarray) -> Float64[np.ndarray, "f 3 3"]:
    """Intrinsics at the size of the depth maps, which see the same field as the colour frames."""
    return scale_k(clip.k_px[frames], clip.size_hw, (clip.depth_m.shape[1], clip.depth_m.shape[2]))


def _turn_to_z(up: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3 3"]:
    """The shortest rotation that takes ``up`` to +z; half a turn about x for up = -z.

    From a world that is the first camera's frame (y down) it makes x point right, y forward and z up.
    """
    if up[2] < -1 + 1e-12:
        return np.diag([1.0, -1.0, -1.0])
    axis = np.array([up[1], -up[0], 0.0])  # up x z
    skew = np.array([[0.0, 0.0, axis[1]], [0.0, 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    return np.eye(3) + skew + skew @ skew / (1 + up[2])  # Rodrigues' formula with sin and cos put in


def _seen_points(clip: PosedClip, frames: np.ndarray) -> Float64[np.ndarray, "n 3"]:
    """World points of a thinned grid of pixels of some frames, about 10,000 a frame; those not known are left out."""
    step = max(1, clip.depth_m.shape[1] // _POINT_ROWS)
    start = step // 2
    depth = clip.depth_m[frames, start::step, start::step]
    k_px = crop_k(_depth_k(clip, frames), start + 0.5 - step / 2, start + 0.5 - step / 2)
    k_px[:, :2] /= step
    points = transform_points(clip.world_from_camera[frames], unproject(depth, k_px)).reshape(-1, 3)
    return points[np.isfinite(points).all(axis=1)].astype(np.float64)


def clip_floor(clip: PosedClip) -> Floor | None:
    """The floor of a clip whose world is gravity-aligned, or None where none was seen with some confidence.

    After ``align_to_gravity`` a floor that was found is at z = 0 but for what rounding leaves.

    Raises:
        ValueError: the world is not gravity-aligned.
    """
    if not clip.world.gravity_aligned:
        raise ValueError("clip: expected a gravity-aligned world; call align_to_gravity first")
    frames = _evenly(_in_world(clip))
    if frames.size == 0:
        return None
    heights = clip.world_from_camera[_in_world(clip), 2, 3]
    return _sure_floor(_seen_points(clip, frames), heights, clip.world.metric)


def _sure_floor(
    points: Float64[np.ndarray, "n 3"], camera_heights: Float64[np.ndarray, "c"], metric: bool
) -> Floor | None:
    floor = find_floor(points, camera_heights, unit_m=1.0 if metric else None)
    return floor if floor is not None and floor.confidence >= _MIN_FLOOR_CONFIDENCE else None


def _find_up(clip: PosedClip) -> tuple[UpEstimate | None, str]:
    """Up by the recording's word or found here, and a note on how it was found or why not."""
    if clip.up_world is not None:
        length = float(np.linalg.norm(clip.up_world))
        if not (np.isfinite(length) and length > 1e-6):
            raise InputError("up_world", expected="a direction", got=clip.up_world.tolist(), do="leave it unknown")
        note = "gravity: measured by the recording"
        return UpEstimate(up_world=clip.up_world / length, error_rad=0.0, note=note), note
    frames = _evenly(_in_world(clip))
    poses = clip.world_from_camera[frames]
    tiles = flat_tiles(clip.depth_m[frames], _depth_k(clip, frames), poses)
    estimate = up_from_surfaces(tiles, poses)
    if estimate is None:
        estimate = up_from_poses(clip.world_from_camera[_in_world(clip)], metric=clip.world.metric)
    error_deg = np.degrees(estimate.error_rad)
    if not reliable(estimate):
        return None, (
            f"gravity: unknown; {tiles.area.size} flat patches of surface do not settle it, and the camera turned too "
            f"little for its poses to (they leave about {error_deg:.0f}°)"
        )
    return estimate, f"gravity: estimated to about {max(error_deg, 1):.0f}° from {estimate.note}"


def _unmoved(clip: PosedClip, status: Status, note: str) -> GravityAlignment:
    aligned = clip.world.gravity_aligned
    return GravityAlignment(
        aligned_from_world=np.eye(4),
        status=status,
        error_rad=0.0 if status == "measured" else float("nan"),
        floor=clip_floor(clip) if aligned else None,
        origin=clip.world.origin,
        notes=(note,) if note else (),
    )


def gravity_alignment(clip: PosedClip) -> GravityAlignment:
    """Find the rigid transform that makes +z point up and puts the origin under the first camera.

    What ``align_to_gravity`` applies; call it to carry other things of the clip's world along, such as annotations.

    Raises:
        InputError: ``up_world`` is given but is not a direction.
    """
    if clip.world.gravity_aligned:
        told = clip.status.gravity != "unknown"
        note = "" if told else "gravity: +z is up in the recording's own world"
        return _unmoved(clip, clip.status.gravity if told else "measured", note)
    in_world = _in_world(clip)
    if not in_world.any():
        return _unmoved(clip, "unknown", "gravity: unknown; no frame has a pose")
    up, how = _find_up(clip)
    if up is None:
        return _unmoved(clip, "unknown", how)
    aligned_from_world = np.eye(4)
    aligned_from_world[:3, :3] = _turn_to_z(up.up_world)
    centers = transform_points(aligned_from_world, clip.world_from_camera[in_world, :3, 3])
    points = transform_points(aligned_from_world, _seen_points(clip, _evenly(in_world)))
    floor = _sure_floor(points, centers[:, 2], clip.world.metric)
    low = float(centers[0, 2]) if floor is None else floor.height
    aligned_from_world[:3, 3] = -centers[0, 0], -centers[0, 1], -low
    if floor is None:
        origin, where = "at the first camera", "floor: not seen; z = 0 is the height of the first camera"
    else:
        unit = " m" if clip.world.metric else " units"
        origin = ON_THE_FLOOR
        where = f"floor: found {centers[0, 2] - low:.2f}{unit} under the first camera; z = 0 is the floor"
        floor = replace(floor, height=0.0)
    return GravityAlignment(
        aligned_from_world=aligned_from_world,
        status="measured" if clip.up_world is not None else "estimated",
        error_rad=up.error_rad,
        floor=floor,
        origin=origin,
        notes=(how, where),
    )


def align_to_gravity(clip: PosedClip) -> PosedClip:
    """Turn a clip's world so that +z points up, with the origin under its first camera: on the floor if one is seen.

    ``status.gravity`` becomes ``measured`` if the recording gave up (or its world is aligned already: then nothing
    moves), ``estimated`` if up was found from surfaces or poses, else ``unknown`` and nothing moves. ``status.notes``
    say how and how well, and whether the floor was seen; ``world.origin`` says where the origin is. The turn is the
    shortest one, so a world that is the first camera's frame ends with x to its right and y ahead.

    Only frames of piece 0 are in the world and move. Frames of other pieces have a frame of their own each and keep
    their poses as they are.

    Raises:
        InputError: ``up_world`` is given but is not a direction.
    """
    alignment = gravity_alignment(clip)
    status = replace(
        clip.status, gravity=alignment.status, notes=tuple(dict.fromkeys((*clip.status.notes, *alignment.notes)))
    )
    if alignment.status == "unknown":
        return replace(clip, status=status)
    in_world = clip.piece == 0
    poses = clip.world_from_camera.copy()
    poses[in_world] = alignment.aligned_from_world @ poses[in_world]
    path = clip.path
    if path is not None:
        path = replace(path, world_from_camera=alignment.aligned_from_world @ path.world_from_camera)
    return replace(
        clip,
        world_from_camera=poses,
        world=replace(clip.world, gravity_aligned=True, origin=alignment.origin),
        up_world=np.array([0.0, 0.0, 1.0]),
        status=status,
        path=path,
    )
