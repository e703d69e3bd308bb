"""The process in which structure from motion runs: ``python -m video3d.estimate.camera_worker FOLDER``.

A process of its own, because pycolmap can abort or be deep in C++ for minutes: the parent can always kill it. FOLDER
holds ``job.json`` and ``images/``; the worker leaves ``result.npz`` (plain arrays) and says how far it is in
``progress``. Nothing is printed.
"""

import itertools
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

MIN_PIECE = 3  # two frames define a piece of their own scale, and help nobody
MIN_TRIANGULATION_DEG = 1.0


def main(folder: Path) -> None:
    """Runs the job in a folder."""
    import pycolmap

    pycolmap.logging.minloglevel = int(pycolmap.logging.Level.FATAL)
    job = json.loads((folder / "job.json").read_text())
    np.savez(folder / "result.partial.npz", **_reconstruct(folder, job))
    (folder / "result.partial.npz").rename(folder / "result.npz")


def _say(folder: Path, text: str) -> None:
    (folder / "progress").write_text(text)


def _reconstruct(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    import pycolmap

    started = time.monotonic()
    database, images, effort = folder / "database.db", folder / "images", job["effort"]
    _say(folder, f"finding features in {job['num_frames']} frames")
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.num_threads = job["threads"]
    extraction.use_gpu = False
    extraction.max_image_size = effort["max_image_size"]
    extraction.sift.max_num_features = effort["max_num_features"]
    extraction.sift.first_octave = effort["first_octave"]
    extraction.sift.peak_threshold = effort["peak_threshold"]
    reader = pycolmap.ImageReaderOptions()
    known = job["camera"]
    if known is None:
        reader.camera_model, reader.default_focal_length_factor = effort["camera_model"], 0.85
    else:
        reader.camera_model, reader.camera_params = "PINHOLE", ",".join(str(v) for v in known)
    mode = pycolmap.CameraMode.SINGLE if job["one_camera"] else pycolmap.CameraMode.PER_IMAGE
    pycolmap.extract_features(database, images, camera_mode=mode, reader_options=reader, extraction_options=extraction)
    names, descriptors, keypoints = _features(database)
    pairs = _pairs(descriptors, job)
    _say(folder, f"matching {len(pairs)} pairs of frames")
    (folder / "pairs.txt").write_text("".join(f"{names[i]} {names[j]}\n" for i, j in pairs))
    matching = pycolmap.FeatureMatchingOptions()
    matching.num_threads, matching.use_gpu = job["threads"], False
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = str(folder / "pairs.txt")
    pycolmap.match_image_pairs(database, matching_options=matching, pairing_options=pairing)
    motion_px = _motion_px(database, keypoints)
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads, options.random_seed = job["threads"], job["seed"]
    options.extract_colors, options.min_model_size, options.multiple_models = False, MIN_PIECE, True
    options.max_runtime_seconds = max(1, int(job["timeout_s"] - (time.monotonic() - started)))
    # A scene that hardly tells the lens would be explained by an absurd one: keep to what cameras have (33 to 120 degrees).
    options.min_focal_length_ratio, options.max_focal_length_ratio, options.max_extra_param = 0.29, 1.7, 0.3
    options.mapper.init_min_tri_angle = 8.0
    options.mapper.init_max_forward_motion = 1.0  # a dash camera only ever moves forward
    options.mapper.abs_pose_min_num_inliers = 15
    if known is not None:
        options.ba_refine_focal_length = options.ba_refine_principal_point = options.ba_refine_extra_params = False
        options.mapper.abs_pose_refine_focal_length = options.mapper.abs_pose_refine_extra_params = False
    still = motion_px is not None and motion_px < job["still_px"]
    maps = {}
    if not still:
        _say(folder, "reconstructing")
        (folder / "maps").mkdir(exist_ok=True)
        maps = pycolmap.incremental_mapping(database, images, folder / "maps", options)
    result = _arrays(list(maps.values()), names)
    return result | {"still": still, "motion_px": np.nan if motion_px is None else motion_px}


def _features(database: Path) -> tuple[list[str], list[np.ndarray], list[np.ndarray]]:
    import pycolmap

    with pycolmap.Database.open(database) as db:
        images = sorted(db.read_all_images(), key=lambda image: image.name)
        descriptors = [np.asarray(db.read_descriptors(image.image_id).data) for image in images]
        keypoints = [np.asarray(db.read_keypoints(image.image_id))[:, :2] for image in images]
    return [image.name for image in images], descriptors, keypoints


def _pairs(descriptors: list[np.ndarray], job: dict[str, Any]) -> list[tuple[int, int]]:
    """Pairs worth matching: all of a few frames; else neighbours in time and those that look alike (places met again)."""
    count = len(descriptors)
    if count <= job["exhaustive_frames"]:
        return list(itertools.combinations(range(count), 2))
    alike = looks(descriptors)
    alike = alike @ alike.T
    np.fill_diagonal(alike, -np.inf)
    pairs = set()
    if job["sequence"]:
        pairs |= {(i, j) for i in range(count) for j in range(i + 1, min(count, i + 1 + job["neighbours"]))}
    for i, others in enumerate(np.argsort(-alike, axis=1)[:, : job["lookalikes"]]):
        pairs |= {(min(i, int(j)), max(i, int(j))) for j in others}
    return sorted(pairs)


def looks(descriptors: list[np.ndarray], *, words: int = 64, seed: int = 0) -> Float32[np.ndarray, "f w"]:
    """One unit vector an image that tells what it looks like: VLAD over its local descriptors.

    Jegou et al., Aggregating local descriptors into a compact image representation, CVPR 2010.
    """
    rng = np.random.default_rng(seed)
    some = np.concatenate([d[rng.permutation(len(d))[:300]] for d in descriptors]).astype(np.float32)
    if len(some) < words:
        return np.ones((len(descriptors), 1), np.float32)
    some /= np.linalg.norm(some, axis=1, keepdims=True) + 1e-9
    centers = some[rng.permutation(len(some))[:words]]
    for _ in range(8):
        nearest = np.argmax(some @ centers.T, axis=1)
        for word in range(words):
            mine = some[nearest == word]
            centers[word] = mine.mean(axis=0) if len(mine) else centers[word]
        centers /= np.linalg.norm(centers, axis=1, keepdims=True) + 1e-9
    rows = []
    for each in descriptors:
        one = each.astype(np.float32)
        one /= np.linalg.norm(one, axis=1, keepdims=True) + 1e-9
        nearest = np.argmax(one @ centers.T, axis=1) if len(one) else np.zeros(0, np.int64)
        sums = np.zeros((words, 128), np.float32)
        np.add.at(sums, nearest, one - centers[nearest])
        sums /= np.linalg.norm(sums, axis=1, keepdims=True) + 1e-9
        rows.append(sums.ravel() / (np.linalg.norm(sums) + 1e-9))
    return np.stack(rows)


def _motion_px(database: Path, keypoints: list[np.ndarray]) -> float | None:
    """How far points move between the frames that move most: 90th percentile over pairs of the median of a pair.

    None where too few pairs match to tell.
    """
    import pycolmap

    moves = []
    with pycolmap.Database.open(database) as db:
        images = sorted(db.read_all_images(), key=lambda image: image.name)
        order = {image.image_id: i for i, image in enumerate(images)}
        pair_ids, geometries = db.read_two_view_geometries()
        for pair_id, geometry in zip(pair_ids, geometries, strict=True):
            matches = np.asarray(geometry.inlier_matches)
            if len(matches) < 15:
                continue
            first, second = (order[image_id] for image_id in pycolmap.pair_id_to_image_pair(pair_id))
            shift = keypoints[first][matches[:, 0]] - keypoints[second][matches[:, 1]]
            moves.append(np.median(np.linalg.norm(shift, axis=1)))
    return float(np.percentile(moves, 90)) if moves else None


def _arrays(maps: list[Any], names: list[str]) -> dict[str, Any]:
    """Cameras, pieces and observations of all maps as plain arrays; a frame belongs to the largest map it is in."""
    count = len(names)
    order = {name: i for i, name in enumerate(names)}
    poses, piece = np.full((count, 4, 4), np.nan), np.full(count, -1, dtype=np.int64)
    k_px, bent = np.full((count, 3, 3), np.nan), []
    seen_frame, seen_px, seen_depth = [np.zeros(0, np.int64)], [np.zeros((0, 2))], [np.zeros(0)]
    errors, flat, number = [], 0, 0
    for one in sorted(maps, key=lambda m: -m.num_reg_images()):
        images = {order[i.name]: i for i in one.images.values() if i.has_pose and piece[order[i.name]] < 0}
        if len(images) < MIN_PIECE:
            continue
        if _triangulation_deg(one) < MIN_TRIANGULATION_DEG:
            flat += len(images)  # a camera that only turned: its points may lie anywhere, and so may its poses
            continue
        for i, image in images.items():
            camera = one.cameras[image.camera_id]
            from_world = np.vstack([image.cam_from_world().matrix(), [0, 0, 0, 1]])
            poses[i], piece[i] = np.linalg.inv(from_world), number
            k_px[i] = camera.calibration_matrix()
            bent += list(camera.params[3:]) if camera.model_name == "SIMPLE_RADIAL" else []
            marks = [(p.xy, one.points3D[p.point3D_id].xyz) for p in image.points2D if p.has_point3D()]
            if marks:
                xy, xyz = np.array([m[0] for m in marks]), np.array([m[1] for m in marks])
                depth = xyz @ from_world[2, :3] + from_world[2, 3]
                keep = depth > 0
                seen_frame.append(np.full(keep.sum(), i))
                seen_px.append(xy[keep])
                seen_depth.append(depth[keep])
        errors.append((len(images), one.compute_mean_reprojection_error()))
        number += 1
    weights = np.array([e[0] for e in errors])
    return {
        "world_from_camera": poses,
        "piece": piece,
        "k_px": k_px,
        "observation_frame": np.concatenate(seen_frame),
        "observation_px": np.concatenate(seen_px),
        "observation_depth": np.concatenate(seen_depth),
        "reprojection_px": float(weights @ [e[1] for e in errors] / weights.sum()) if errors else np.nan,
        "registered": int((piece == 0).sum()),
        "only_turned": flat,
        "distortion": float(np.median(bent)) if bent else 0.0,
    }


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


def _end_with_parent() -> None:
    """Ends this process when the one that started it is gone, even if that was killed and could say nothing."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    _end_with_parent()
    main(Path(sys.argv[1]))
