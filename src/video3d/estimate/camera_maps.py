"""What COLMAP's maps say, as plain arrays, piece by piece: what the matches hold together and nothing else."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.estimate.camera_checks import Agreement, Pair, agreement

MIN_PIECE = 3  # two frames define a piece of their own scale, and help nobody
MIN_TRIANGULATION_DEG = 1.0
MIN_POINTS_A_FRAME = 10  # fewer do not hold a camera
MAX_REPROJECTION_PX = 2.0


def no_maps(names: Sequence[str]) -> dict[str, Any]:
    """The arrays when nothing was reconstructed."""
    return arrays_of_maps([], names, [])


def arrays_of_maps(maps: Sequence[Any], names: Sequence[str], pairs: Sequence[Pair]) -> dict[str, Any]:
    """Cameras, pieces and observations of all maps; a frame belongs to the largest piece that it is in.

    A map whose parts no matches hold together is several pieces. A piece whose rays hardly cross, or with hardly any
    points, is left out: its poses may be anything.

    Args:
        maps: pycolmap reconstructions whose images have these names.
        names: of the frames, in order.
        pairs: verified matches that the maps are judged by.
    """
    count = len(names)
    piece = np.full(count, -1, dtype=np.int64)
    found: dict[str, Any] = {
        "world_from_camera": np.full((count, 4, 4), np.nan),
        "k_px": np.full((count, 3, 3), np.nan),
    }
    pieces, only_turned = [], 0
    for one in maps:
        poses = _camera_from_world(one, names)
        judged = _judge(one, poses, pairs)
        enough_parallax = _triangulation_deg(one) >= MIN_TRIANGULATION_DEG
        for part in range(int(judged.part.max(initial=-1)) + 1):
            frames = np.flatnonzero(judged.part == part)
            if len(frames) < MIN_PIECE:
                continue
            if not enough_parallax:
                only_turned += len(frames)  # the points may lie anywhere, and so may the poses
                continue
            pieces.append((frames, one, poses, judged))
    seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    errors: list[np.ndarray] = []
    bent, number, share, matches = [], 0, 0.0, 0
    for frames, one, poses, judged in sorted(pieces, key=lambda p: -len(p[0])):
        mine = [int(i) for i in frames if piece[i] < 0]
        observations = {i: _observations(one, names[i], poses[i]) for i in mine}
        if len(mine) < MIN_PIECE or sum(len(o[1]) for o in observations.values()) < MIN_POINTS_A_FRAME * len(mine):
            continue
        camera = next(iter(one.cameras.values()))
        for i in mine:
            px, depth, error = observations[i]
            seen.append((np.full(len(depth), i), px, depth))
            errors.append(error)
            found["world_from_camera"][i] = np.linalg.inv(poses[i])
            found["k_px"][i] = camera.calibration_matrix()
        piece[mine] = number
        if number == 0:
            share, matches = judged.share, judged.matches
            bent = list(camera.params[3:]) if camera.model_name == "SIMPLE_RADIAL" else []
        number += 1
    piece = _largest_first(piece)
    return found | {
        "piece": piece,
        "observation_frame": np.concatenate([s[0] for s in seen] or [np.zeros(0, np.int64)]),
        "observation_px": np.concatenate([s[1] for s in seen] or [np.zeros((0, 2))]),
        "observation_depth": np.concatenate([s[2] for s in seen] or [np.zeros(0)]),
        "reprojection_px": float(np.concatenate(errors).mean()) if errors else np.nan,
        "only_turned": only_turned,
        "distortion": float(bent[0]) if bent else 0.0,
        "share": share,
        "matches": matches,
    }


def _camera_from_world(one: Any, names: Sequence[str]) -> Float64[np.ndarray, "f 4 4"]:
    order = {name: i for i, name in enumerate(names)}
    poses = np.full((len(names), 4, 4), np.nan)
    for image in one.images.values():
        if image.has_pose:
            poses[order[image.name]] = np.vstack([image.cam_from_world().matrix(), [0, 0, 0, 1]])
    return poses


def _judge(one: Any, poses: Float64[np.ndarray, "f 4 4"], pairs: Sequence[Pair]) -> Agreement:
    camera = next(iter(one.cameras.values()))
    known = np.asarray(np.isfinite(poses).all(axis=(1, 2)))
    both = [pair for pair in pairs if known[pair.first] and known[pair.second]]
    normalised = [(_rays(camera, pair.first_px), _rays(camera, pair.second_px)) for pair in both]
    return agreement(both, poses, normalised, float(camera.mean_focal_length()))


def _rays(camera: Any, px: Float64[np.ndarray, "m 2"]) -> Float64[np.ndarray, "m 2"]:
    return np.asarray(camera.cam_from_img(px), dtype=np.float64).reshape(-1, 2)


def _observations(
    one: Any, name: str, camera_from_world: Float64[np.ndarray, "4 4"]
) -> tuple[Float64[np.ndarray, "o 2"], Float64[np.ndarray, "o"], Float64[np.ndarray, "o"]]:
    """Where a frame sees points, how far in z, and the reprojection error; only points in front and close to their ray."""
    image = one.find_image_with_name(name)
    marks = [(p.xy, one.points3D[p.point3D_id].xyz) for p in image.points2D if p.has_point3D()]
    if not marks:
        return np.zeros((0, 2)), np.zeros(0), np.zeros(0)
    px, world = np.array([m[0] for m in marks]), np.array([m[1] for m in marks])
    inside = world @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    front = inside[:, 2] > 0
    px, inside = px[front], inside[front]
    camera = one.cameras[image.camera_id]
    error = np.linalg.norm(np.asarray(camera.img_from_cam(inside)).reshape(-1, 2) - px, axis=1)
    good = error < MAX_REPROJECTION_PX
    return px[good], inside[good, 2], error[good]


def _largest_first(piece: np.ndarray) -> np.ndarray:
    """Pieces renumbered by falling number of frames; -1 stays."""
    sizes = np.bincount(piece[piece >= 0])
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return np.where(piece >= 0, rank[piece], -1) if len(sizes) else piece


def _triangulation_deg(one: Any) -> float:
    """Median over points of the angle between the rays of the first and the last frame that see them."""
    centers = {i.image_id: i.projection_center() for i in one.images.values() if i.has_pose}
    angles = []
    for point in itertools.islice(one.points3D.values(), 4000):
        frames = sorted(e.image_id for e in point.track.elements)
        if len(frames) > 1:
            a, b = (point.xyz - centers[i] for i in (frames[0], frames[-1]))
            angles.append(np.arccos(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-12), -1, 1)))
    return float(np.degrees(np.median(angles))) if angles else 0.0
