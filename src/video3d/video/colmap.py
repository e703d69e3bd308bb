"""COLMAP reconstructions: cameras and poses of photographs from structure from motion.

Layout: a model, ``cameras`` and ``images`` as ``.bin`` or ``.txt``, in the folder itself, ``sparse/0``, ``sparse`` or
``colmap/sparse/0``, and the photographs in ``images/`` there or up to two levels above. Page of the format:
https://colmap.github.io/format.html

- Camera axes: OpenCV (x right, y down, z forward). Poses are stored camera_from_world (quaternion w x y z,
  translation) and inverted here. Pixel centres at +0.5, as here.
- Models: SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV. Distortion is not removed, and a note gives its
  size.
- Scale and up are arbitrary: ``World(metric=False)``, gravity unknown. Photographs that were not registered are
  frames with a NaN pose if the model has one camera; with several, nothing is known of theirs and they are left out.
- COLMAP counts pixels as they are stored, so a photograph that EXIF turns is turned together with K and pose.
- A recording has frames of one size: of several, the most frequent stays and a note counts the rest.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from video3d.geometry.rigid import inverse_rigid
from video3d.types import InputError, Recording, World
from video3d.video.colmap_model import ColmapCamera, find_model, read_cameras, read_images
from video3d.video.images import image_size_hw, list_images, natural_key, path_inside, rgb_files
from video3d.video.upright import turn_k, turn_poses, turn_size, turns_of_exif


def detect(path: Path) -> bool:
    """Whether the folder is, or holds in the usual places, a COLMAP model."""
    try:
        return find_model(path) is not None
    except OSError:
        return False


def open_recording(path: Path) -> Recording:
    """Open a reconstruction: its photographs by name, with what the model knows of each.

    Errors: ``InputError`` when the model is damaged, a registered photograph is missing or not of its camera's size, or
    a camera model is not one of those above.
    """
    model = find_model(path)
    if model is None:
        raise InputError(path, expected="a COLMAP model (cameras.bin and images.bin, or .txt)", got="none")
    photographs = _photographs(path, model)
    cameras = read_cameras(model)
    registered = read_images(model)
    if not registered:
        raise InputError(model, expected="registered images", got="none")
    frames = [_frame(photographs, name, cameras, pose, camera) for name, (camera, pose) in registered.items()]
    skipped = 0
    for photograph in list_images(photographs):
        if photograph.name not in registered:
            if len(cameras) > 1:
                skipped += 1
            else:
                frames.append(
                    _frame(photographs, photograph.name, cameras, np.full((4, 4), np.nan), next(iter(cameras)))
                )
    frames.sort(key=lambda frame: natural_key(frame.name))
    size_hw = Counter(f.size_hw for f in frames if not np.isnan(f.world_from_camera).any()).most_common(1)[0][0]
    kept = [f for f in frames if f.size_hw == size_hw]
    notes = _notes([cameras[f.camera] for f in kept])
    if unposed := sum(bool(np.isnan(f.world_from_camera).any()) for f in kept):
        notes += (f"{unposed} of {len(kept)} photographs were not registered and have no pose",)
    if skipped:
        notes += (f"photographs that were not registered and are left out, as their camera is not known: {skipped}",)
    if len(kept) < len(frames):
        notes += (
            f"photographs left out for another size than {size_hw[1]} x {size_hw[0]} px: {len(frames) - len(kept)}",
        )
    return Recording(
        source=path,
        format="colmap",
        size_hw=size_hw,
        time_s=np.full(len(kept), np.nan),
        frame_names=tuple(f.name for f in kept),
        load_rgb=rgb_files([f.path for f in kept]),
        k_px=np.stack([f.k_px for f in kept]),
        world_from_camera=np.stack([f.world_from_camera for f in kept]),
        world=World(metric=False, origin="the reconstruction's"),
        sequence=False,
        notes=notes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    name: str
    path: Path
    camera: int
    size_hw: tuple[int, int]
    k_px: Float64[np.ndarray, "3 3"]
    world_from_camera: Float64[np.ndarray, "4 4"]


def _photographs(path: Path, model: Path) -> Path:
    places = dict.fromkeys((path, model, model.parent, model.parent.parent))
    folder = next((p / "images" for p in places if (p / "images").is_dir()), None)
    if folder is None:
        raise InputError(path, expected="the photographs in a folder images beside the model", got="no such folder")
    return folder


def _frame(
    photographs: Path,
    name: str,
    cameras: dict[int, ColmapCamera],
    camera_from_world: Float64[np.ndarray, "4 4"],
    camera_id: int,
) -> _Frame:
    path = path_inside(photographs, name, named_by=photographs)
    if camera_id not in cameras:
        raise InputError(path, expected="a camera of the model", got=f"camera {camera_id}")
    camera = cameras[camera_id]
    turns = turns_of_exif(path)
    size_hw = image_size_hw(path)
    stored_hw = turn_size(size_hw, turns)
    if stored_hw != camera.size_hw:
        expected = f"{camera.size_hw[1]} x {camera.size_hw[0]} px as its camera has"
        raise InputError(path, expected=expected, got=f"{stored_hw[1]} x {stored_hw[0]}")
    return _Frame(
        name=name,
        path=path,
        camera=camera_id,
        size_hw=size_hw,
        k_px=turn_k(camera.k_px, camera.size_hw, turns),
        world_from_camera=turn_poses(inverse_rigid(camera_from_world)[None], turns)[0],
    )


def _notes(cameras: list[ColmapCamera]) -> tuple[str, ...]:
    distortion = max((c.distortion for c in cameras), key=lambda d: max(map(abs, d), default=0.0))
    if not any(distortion):
        return ()
    return (f"lens distortion is given ({', '.join(f'{d:.3g}' for d in distortion)}) and not removed",)
