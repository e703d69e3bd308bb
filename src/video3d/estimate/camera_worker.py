"""The process in which structure from motion runs: ``python -m video3d.estimate.camera_worker FOLDER PARENT``.

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

from video3d.estimate.camera_checks import Pair, only_turns
from video3d.estimate.camera_maps import MIN_PIECE, arrays_of_maps, no_maps
from video3d.estimate.turning import turning_camera

MIN_MATCHES = 15
MIN_FRAMES_FOR_LENS = 8
MAX_DISTORTION = 0.3
# Degrees between the rays of the first two frames: attempts in turn, until the matches agree with what comes of it.
FIRST_PAIR_DEG = (8.0, 16.0, 4.0)
BELIEVED_SHARE = 0.95  # of a pair's matches, in the mean: right models had 0.96 to 0.99, wrong ones 0.78 to 0.94


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
    verified = _verified(database, names, keypoints)
    moves = [pair.move_px() for pair in verified]
    motion_px = float(np.percentile(moves, 90)) if moves else np.nan  # between the frames that move most
    still = motion_px < job["still_px"]
    size_hw = _camera_size_hw(database)
    turns = not still and only_turns(verified, size_hw)
    found = no_maps(names)
    if turns:
        found |= {"only_turned": len(names)} | _turned(verified, len(names), size_hw, known)
    elif not still:
        found = _map(folder, job, names, verified, started)
    return found | {"still": still, "turns": turns, "motion_px": motion_px}


def _turned(pairs: list[Pair], num_frames: int, size_hw: tuple[int, int], known: list[float] | None) -> dict[str, Any]:
    """Rotations and focal length of a camera that only turns, as arrays; nothing where they do not fit the matches."""
    turning = turning_camera(pairs, num_frames, size_hw, focal_px=None if known is None else known[0])
    if turning is None:
        return {}
    placed = np.isfinite(turning.world_from_camera).all(axis=(1, 2))
    poses = np.tile(np.eye(4), (num_frames, 1, 1))
    poses[:, :3, :3] = turning.world_from_camera
    poses[~placed] = np.nan
    k_px = np.diag([turning.focal_px, turning.focal_px, 1.0])
    k_px[:2, 2] = size_hw[1] / 2, size_hw[0] / 2
    return {
        "world_from_camera": poses,
        "k_px": np.tile(k_px, (num_frames, 1, 1)),
        "piece": np.where(placed, 0, -1),
        "reprojection_px": turning.residual_px,
    }


def _map(folder: Path, job: dict[str, Any], names: list[str], verified: list[Pair], started: float) -> dict[str, Any]:
    """Incremental mapping; once more from another pair of frames if the matches disagree with what came of it."""
    import pycolmap

    best: dict[str, Any] = {}
    for number, angle_deg in enumerate(FIRST_PAIR_DEG):
        left_s = job["timeout_s"] - (time.monotonic() - started)
        if best and left_s < 2.0 * best["took_s"]:
            break
        _say(folder, "reconstructing" + (" once more" if number else ""))
        begun = time.monotonic()
        output = folder / f"maps{number}"
        output.mkdir()
        options = _mapping(job, job["seed"] + number, angle_deg, left_s)
        maps = pycolmap.incremental_mapping(folder / "database.db", folder / "images", output, options)
        free = job["camera"] is None
        found = arrays_of_maps([_with_lens(m) if free else m for m in maps.values()], names, verified)
        if not best or found["matches"] > best["matches"]:
            best = found | {"took_s": time.monotonic() - begun}
        if best["share"] > BELIEVED_SHARE:
            break
    return best


def _with_lens(found: Any) -> Any:
    """The map with a radial distortion too, if that is one which cameras have.

    Free from the start a distortion runs away where few frames tell the lens; once the map stands it only refines:
    focal lengths measured 7 % too long without it came within 1 %.
    """
    import pycolmap

    before = next(iter(found.cameras.values()))
    if before.model_name != "SIMPLE_PINHOLE" or found.num_reg_images() < MIN_FRAMES_FOR_LENS:
        return found
    bent = pycolmap.Reconstruction(found)
    for camera in bent.cameras.values():
        params = camera.params.copy()
        camera.model = pycolmap.CameraModelId.SIMPLE_RADIAL
        camera.params = np.append(params, 0.0)
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_principal_point, options.print_summary = False, False
    pycolmap.bundle_adjustment(bent, options)
    bent.update_point_3d_errors()
    after = next(iter(bent.cameras.values()))
    plausible = abs(after.params[3]) < MAX_DISTORTION and abs(after.params[0] / before.params[0] - 1) < 0.15
    better = bent.compute_mean_reprojection_error() <= found.compute_mean_reprojection_error()
    return bent if plausible and better else found


def _mapping(job: dict[str, Any], seed: int, first_pair_deg: float, left_s: float) -> Any:
    import pycolmap

    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads, options.random_seed = job["threads"], seed
    options.extract_colors, options.min_model_size, options.multiple_models = False, MIN_PIECE, True
    options.max_runtime_seconds = max(1, int(left_s))
    # A scene that hardly tells the lens would be explained by an absurd one: keep to what cameras have (33 to 120 degrees).
    options.min_focal_length_ratio, options.max_focal_length_ratio = 0.29, 1.7
    options.max_extra_param = MAX_DISTORTION
    options.mapper.init_min_tri_angle = first_pair_deg
    options.mapper.init_max_forward_motion = 1.0  # a dash camera only ever moves forward
    options.mapper.abs_pose_min_num_inliers = 15
    if job["camera"] is not None:
        options.ba_refine_focal_length = options.ba_refine_principal_point = options.ba_refine_extra_params = False
        options.mapper.abs_pose_refine_focal_length = options.mapper.abs_pose_refine_extra_params = False
    return options


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


def _camera_size_hw(database: Path) -> tuple[int, int]:
    import pycolmap

    with pycolmap.Database.open(database) as db:
        camera = db.read_all_cameras()[0]
    return camera.height, camera.width


def _verified(database: Path, names: list[str], keypoints: list[np.ndarray]) -> list[Pair]:
    """Pairs of frames with enough matches that one geometry explains."""
    import pycolmap

    kinds = pycolmap.TwoViewGeometryConfiguration
    flat = {int(kinds.PLANAR), int(kinds.PANORAMIC), int(kinds.PLANAR_OR_PANORAMIC)}
    order = {name: i for i, name in enumerate(names)}
    pairs = []
    with pycolmap.Database.open(database) as db:
        frame_of = {image.image_id: order[image.name] for image in db.read_all_images()}
        pair_ids, geometries = db.read_two_view_geometries()
        for pair_id, geometry in zip(pair_ids, geometries, strict=True):
            matches = np.asarray(geometry.inlier_matches)
            if len(matches) < MIN_MATCHES:
                continue
            first, second = (frame_of[image_id] for image_id in pycolmap.pair_id_to_image_pair(pair_id))
            homography = geometry.H if int(geometry.config) in flat else None
            pairs.append(
                Pair(
                    first=first,
                    second=second,
                    first_px=keypoints[first][matches[:, 0]].astype(np.float64),
                    second_px=keypoints[second][matches[:, 1]].astype(np.float64),
                    homography=None if homography is None else np.asarray(homography, dtype=np.float64),
                )
            )
    return pairs


def _end_with_parent(parent: int) -> None:
    """Ends this process when the one that started it is gone, even if that was killed and could say nothing."""
    if os.name != "posix":  # a virtual environment's launcher may stand between the two
        parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    _end_with_parent(int(sys.argv[2]))
    main(Path(sys.argv[1]))
