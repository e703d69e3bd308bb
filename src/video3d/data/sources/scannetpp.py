"""ScanNet++: rooms scanned by laser, filmed with an iPhone and photographed with a DSLR, objects annotated on the mesh.

ROOT/data/<scene> has ``scans/mesh_aligned_0.05.ply`` (z up, metres), ``scans/segments.json`` (``segIndices``), ``scans/segments_anno.json``
(``segGroups``, as ScanNet's) and one of

- ``iphone/colmap`` (``cameras.txt``, ``images.txt``) with ``iphone/rgb/frame_NNNNNN.jpg`` and, where extracted, ``iphone/depth/frame_NNNNNN.png``
  (millimetres): what the owners' toolkit extracts from the video; 60 frames a second, of which COLMAP has every tenth;
- ``dslr/colmap`` with ``dslr/resized_undistorted_images`` and ``dslr/nerfstudio/transforms_undistorted.json`` (for the intrinsics after
  undistortion): photographs in no order, without depth.

COLMAP's poses are in the mesh's frame and in metres. Boxes are the smallest upright ones around an object's vertices.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from video3d.data.sources import assemble
from video3d.data.sources.obb import box_of_points
from video3d.data.sources.ply import read_vertices
from video3d.data.sources.scannet_scan import read_groups, read_segments
from video3d.data.sources.source import (
    SceneRef,
    SourceInfo,
    folders,
    list_file,
    no_rows,
    nothing_to_prepare,
    only,
    require,
)
from video3d.data.sources.support import with_support
from video3d.data.sources.visibility import nothing_seen, seen_from_points
from video3d.data.truth import ClipData, Split
from video3d.geometry.rigid import inverse_rigid, scale_k, transform_points
from video3d.types import InputError, Recording, World
from video3d.video.colmap_model import read_cameras, read_images
from video3d.video.images import depth_files, natural_key, path_inside, rgb_files
from video3d.video.json_files import read_json_object, want
from video3d.video.registration import splat_depth
from video3d.video.validate import validated
from video3d.vocabulary import normalise

INFO = SourceInfo(
    name="scannetpp",
    title="ScanNet++",
    domain="indoor",
    viewer="person",
    licence="ScanNet++ Terms of Use",
    terms="research and education, non-commercial; an application with an institution's address, then a token for downloads",
    obtain="apply at the ScanNet++ page, download with the owners' script, extract the iPhone's video with their toolkit",
    layout=(
        "ROOT/data/<scene>/scans/mesh_aligned_0.05.ply, segments.json, segments_anno.json",
        "ROOT/data/<scene>/iphone/colmap/{cameras,images}.txt, iphone/rgb/frame_000000.jpg, iphone/depth/frame_000000.png (optional)",
        "or dslr/colmap/images.txt, dslr/resized_undistorted_images/*.JPG, dslr/nerfstudio/transforms_undistorted.json",
        "ROOT/splits/nvs_sem_train.txt, nvs_sem_val.txt, sem_test.txt",
    ),
    size="1.5 TB with everything; about 2 s a clip and core",
)
prepare = nothing_to_prepare
rows = no_rows
_LISTS: tuple[tuple[Split, str], ...] = (
    ("train", "nvs_sem_train.txt"),
    ("val", "nvs_sem_val.txt"),
    ("test", "sem_test.txt"),
    ("test", "nvs_test.txt"),
)
_VIDEO_HZ = 60.0
_COARSE = 8  # without depth, what hides what is decided by the mesh's vertices, this many pixels to a cell


def check(root: Path) -> None:
    """Errors: ``InputError`` when there is no split list or no scene of one."""
    require(root, info=INFO, what="the folder of ScanNet++", folder=True)
    if not scenes(root):
        raise InputError(root, expected="scenes that the split lists name", got="none", do=INFO.layout[0])


def scenes(root: Path, split: Split | None = None) -> list[SceneRef]:
    """The scenes that lie under ``root/data`` and are in a split list; those without annotation are left out."""
    split_of: dict[str, Split] = {}
    for part, file in _LISTS:
        if (root / "splits" / file).is_file():
            split_of |= {name: part for name in list_file(root / "splits" / file) if name not in split_of}
    if not split_of:
        require(root / "splits" / _LISTS[0][1], info=INFO, what="ScanNet++'s split lists")
    place = root / "data"
    present = [
        p.name
        for p in (folders(place) if place.is_dir() else ())
        if p.name in split_of and (p / "scans" / "segments_anno.json").is_file()
    ]
    return only((SceneRef(name=n, scene_id=n[:80], split=split_of[n]) for n in present), split)


def read_scene(
    root: Path, ref: SceneRef, *, num_frames: int, size_hw: tuple[int, int], num_clips: int = 1
) -> list[ClipData]:
    """The clips of a scene: one of all its frames, and ``num_clips - 1`` of stretches of them."""
    folder = require(root / "data" / ref.name, info=INFO, what="a scene", folder=True)
    scans = folder / "scans"
    vertices = read_vertices(scans / "mesh_aligned_0.05.ply")
    segment_of = read_segments(scans / "segments.json", len(vertices))
    groups = read_groups(scans / "segments_anno.json")
    members = {object_id: vertices[np.isin(segment_of, segments)] for object_id, _, segments in groups}
    floor = [members[i] for i, label, _ in groups if normalise(label) == "floor" and len(members[i])]
    move = np.eye(4)
    move[2, 3] = -float(np.median(np.concatenate(floor)[:, 2]) if floor else np.percentile(vertices[:, 2], 1))
    named = [
        (object_id + 1, name, transform_points(move, members[object_id]))
        for object_id, label, _ in groups
        if (name := assemble.object_name(label)) is not None and len(members[object_id]) > 3
    ]
    recording = validated(_open(folder))
    mesh = transform_points(move, vertices)
    clips = []
    usable = np.arange(recording.num_frames)
    for number, chosen, frames in assemble.walked(
        recording, usable, size_hw, num_frames=num_frames, num_clips=num_clips, world_from_recording=move
    ):
        objects = with_support([assemble.still_object(i, name, box_of_points(p), len(chosen)) for i, name, p in named])
        seen = nothing_seen(len(chosen))
        if objects:
            seen = seen_from_points(
                [points for _, _, points in named],
                depth_m=_mesh_depth(mesh, frames, size_hw) if frames.depth_m is None else frames.depth_m,
                size_hw=size_hw,
                **frames.views,
            )
        clips.append(
            assemble.clip_data(
                INFO,
                ref,
                frames,
                number=number,
                objects=objects,
                seen=seen,
                complete=True,
                notes=(*recording.notes, "visibility from the objects' vertices; no masks"),
            )
        )
    return clips


def _mesh_depth(
    mesh: Float64[np.ndarray, "n 3"], frames: assemble.Shown, size_hw: tuple[int, int]
) -> Float32[np.ndarray, "f h w"]:
    """Depth of the nearest vertex of each coarse cell: enough to tell what is behind a wall or a wardrobe."""
    coarse_hw = (max(1, size_hw[0] // _COARSE), max(1, size_hw[1] // _COARSE))
    k_px = scale_k(frames.k_px, size_hw, coarse_hw)
    row = (np.arange(size_hw[0]) * coarse_hw[0]) // size_hw[0]
    column = (np.arange(size_hw[1]) * coarse_hw[1]) // size_hw[1]
    out = np.empty((len(k_px), *size_hw), np.float32)
    for frame, pose in enumerate(inverse_rigid(frames.world_from_camera)):
        coarse = splat_depth(transform_points(pose, mesh), k_px=k_px[frame], size_hw=coarse_hw)
        out[frame] = coarse[row[:, None], column[None, :]]
    return out


def _open(folder: Path) -> Recording:
    """The iPhone's frames where they were extracted, else the DSLR's undistorted photographs."""
    if (folder / "iphone" / "rgb").is_dir() and (folder / "iphone" / "colmap").is_dir():
        return _iphone(folder / "iphone")
    if (folder / "dslr" / "resized_undistorted_images").is_dir():
        return _dslr(folder / "dslr")
    expected = "iphone/rgb with iphone/colmap, or dslr/resized_undistorted_images"
    raise InputError(folder, expected=expected, got="neither", do=INFO.obtain)


def _iphone(folder: Path) -> Recording:
    cameras = read_cameras(folder / "colmap")
    registered = read_images(folder / "colmap")
    names = [
        n for n in sorted(registered, key=natural_key) if path_inside(folder / "rgb", n, named_by=folder).is_file()
    ]
    if not names:
        raise InputError(folder / "rgb", expected="frames that iphone/colmap has", got="none", do=INFO.obtain)
    load_rgb = rgb_files([folder / "rgb" / n for n in names])
    k_px = []
    for name in names:
        camera = cameras.get(registered[name][0])
        if camera is None:
            raise InputError(folder / "colmap", expected=f"the camera of {name[:60]}", got="none")
        k_px.append(scale_k(camera.k_px, camera.size_hw, load_rgb.size_hw))
    maps = [folder / "depth" / f"{Path(n).stem}.png" for n in names]
    load_depth = depth_files(maps) if all(p.is_file() for p in maps) else None
    bent = max(max(map(abs, c.distortion), default=0.0) for c in cameras.values())
    return Recording(
        source=folder,
        format="scannetpp_iphone",
        size_hw=load_rgb.size_hw,
        time_s=_times(names),
        frame_names=tuple(names),
        load_rgb=load_rgb,
        load_depth_m=load_depth,
        depth_size_hw=None if load_depth is None else load_depth.size_hw,
        k_px=np.stack(k_px),
        world_from_camera=inverse_rigid(np.stack([registered[n][1] for n in names])),
        up_world=np.array([0.0, 0.0, 1.0]),
        world=World(metric=True, gravity_aligned=True, origin="the aligned mesh's"),
        notes=(f"lens distortion up to {bent:.3g} is not removed",) if bent else (),
    )


def _times(names: Sequence[str]) -> Float64[np.ndarray, "f"]:
    """Seconds from the first frame by the numbers of the video's frames; unknown where names have none."""
    stems = [Path(n).stem.rpartition("_")[2] for n in names]
    if not all(s.isdecimal() and len(s) < 10 for s in stems):
        return np.full(len(names), np.nan)
    return (np.array([int(s) for s in stems]) - int(stems[0])) / _VIDEO_HZ


def _dslr(folder: Path) -> Recording:
    path = folder / "nerfstudio" / "transforms_undistorted.json"
    values = read_json_object(path)
    keys = ("fl_x", "fl_y", "cx", "cy", "w", "h")
    fx, fy, cx, cy, width, height = (float(want(values, key, (int, float), path)) for key in keys)
    if not (np.isfinite([fx, fy, cx, cy, width, height]).all() and min(fx, fy, width, height) > 0):
        raise InputError(path, expected="focal lengths and a size above 0", got=[fx, fy, width, height])
    registered = read_images(folder / "colmap")
    images = folder / "resized_undistorted_images"
    names = [n for n in sorted(registered, key=natural_key) if path_inside(images, n, named_by=folder).is_file()]
    if not names:
        raise InputError(images, expected="photographs that dslr/colmap has", got="none")
    load_rgb = rgb_files([images / n for n in names])
    k_px = scale_k(
        np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]), (int(height), int(width)), load_rgb.size_hw
    )
    return Recording(
        source=folder,
        format="scannetpp_dslr",
        size_hw=load_rgb.size_hw,
        time_s=np.full(len(names), np.nan),
        frame_names=tuple(names),
        load_rgb=load_rgb,
        k_px=np.tile(k_px, (len(names), 1, 1)),
        world_from_camera=inverse_rigid(np.stack([registered[n][1] for n in names])),
        up_world=np.array([0.0, 0.0, 1.0]),
        world=World(metric=True, gravity_aligned=True, origin="the aligned mesh's"),
        sequence=False,
        notes=("photographs in no order of time",),
    )
