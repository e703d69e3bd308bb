"""Habitat: walks through scanned homes (HM3D, Replica, Gibson), rendered by habitat-sim where that is installed.

ROOT holds the scenes as habitat's data sets distribute them:

- ``hm3d/{train,val,minival}/<number>-<name>/<name>.basis.glb`` with ``.basis.navmesh`` and, for annotated homes, ``.semantic.glb`` and
  ``.semantic.txt``; ``hm3d/*.scene_dataset_config.json``;
- ``replica/<room>/habitat/mesh_semantic.ply`` with ``info_semantic.json`` and a navmesh;
- ``gibson/<name>.glb`` with ``.navmesh``: no objects are annotated there.

The agent walks a shortest way over the floor and looks where it goes and to both sides. Habitat's world has y up; ours has z up and the
floor of the walk at z = 0.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from video3d.data.sources import assemble
from video3d.data.sources.habitat_sim_scene import OBTAIN, HabitatObject, HabitatScene, HabitatView, SimulatedScene
from video3d.data.sources.obb import upright_box
from video3d.data.sources.source import (
    SceneRef,
    SourceInfo,
    folders,
    hashed_split,
    no_rows,
    nothing_to_prepare,
    only,
    require,
    require_package,
)
from video3d.data.sources.support import with_support
from video3d.data.sources.visibility import nothing_seen
from video3d.data.sources.walk import seeded, views_along
from video3d.data.truth import ClipData, ObjectTruth, Split
from video3d.types import InputError
from video3d.video.pose_formats import opencv_from_opengl, poses_from_quaternions

INFO = SourceInfo(
    name="habitat",
    title="Habitat (HM3D, Replica, Gibson)",
    domain="indoor",
    viewer="robot",
    licence="as the scene's data set",
    terms="HM3D: Matterport's terms, academic and non-commercial, requested by form; Replica: research terms; Gibson: a signed agreement",
    obtain=f"{OBTAIN}; scenes with python -m habitat_sim.utils.datasets_download, after their owners' forms",
    layout=(
        "ROOT/hm3d/val/00800-TEEsavR23oF/TEEsavR23oF.basis.glb, .basis.navmesh, .semantic.glb, .semantic.txt",
        "ROOT/replica/room_0/habitat/mesh_semantic.ply, info_semantic.json, mesh_semantic.navmesh",
        "ROOT/gibson/Adrian.glb, Adrian.navmesh",
    ),
    size="HM3D 130 GB (val 4 GB), Replica 20 GB, Gibson 10 GB; 1 to 3 s a clip with a GPU",
)
prepare = nothing_to_prepare
rows = no_rows
_LICENCES = {
    "hm3d": "Matterport End User License (HM3D), academic, non-commercial",
    "replica": "Replica Research Terms",
    "gibson": "Gibson License Agreement, non-commercial",
}
_SPEED_M_S = 1.0
_WORLD_FROM_HABITAT = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def open_scene(root: Path, ref: SceneRef, size_hw: tuple[int, int]) -> HabitatScene:
    """The scene in habitat-sim. Errors: ``InputError`` where it is not installed or does not open."""
    mesh = _meshes(root)[ref.name]
    configs = sorted((root / ref.name.partition("-")[0]).glob("*annotated*.scene_dataset_config.json"))
    return SimulatedScene(mesh, configs[0] if configs else None, size_hw)


def check(root: Path) -> None:
    """Errors: ``InputError`` when no scene is there, or habitat-sim is not installed."""
    require(root, info=INFO, what="a folder of Habitat's scenes", folder=True)
    if not scenes(root):
        raise InputError(root, expected="scenes of HM3D, Replica or Gibson", got="none", do="; ".join(INFO.layout))
    require_package("habitat_sim", what="the package habitat-sim", do=OBTAIN)


def scenes(root: Path, split: Split | None = None) -> list[SceneRef]:
    """Every scene; HM3D's own splits (minival is part of val), for the others one by their name's hash."""
    refs = []
    for name, mesh in _meshes(root).items():
        part = mesh.parent.parent.name if name.startswith("hm3d-") else ""
        own: dict[str, Split] = {"train": "train", "val": "val", "minival": "val"}
        refs.append(SceneRef(name=name, scene_id=name[:90], split=own.get(part) or hashed_split(name)))
    return only(refs, split)


def _meshes(root: Path) -> dict[str, Path]:
    """Mesh of every scene by its name."""
    found: dict[str, Path] = {}
    for part in ("minival", "train", "val"):  # what minival and val share is taken from val
        place = root / "hm3d" / part
        for home in folders(place) if place.is_dir() else ():
            mesh = next(iter(sorted(home.glob("*.basis.glb")) or sorted(home.glob("*.glb"))), None)
            if mesh is not None:
                found[f"hm3d-{home.name}"] = mesh
    for room in folders(root / "replica") if (root / "replica").is_dir() else ():
        mesh = room / "habitat" / "mesh_semantic.ply"
        if mesh.is_file():
            found[f"replica-{room.name}"] = mesh
    for mesh in sorted((root / "gibson").glob("*.glb")) if (root / "gibson").is_dir() else ():
        found[f"gibson-{mesh.stem}"] = mesh
    return dict(sorted(found.items()))


def read_scene(
    root: Path, ref: SceneRef, *, num_frames: int, size_hw: tuple[int, int], num_clips: int = 1
) -> list[ClipData]:
    """``num_clips`` walks through a scene, each another way."""
    assemble.check_size_hw(size_hw)
    scene = open_scene(root, ref, size_hw)
    try:
        return [_clip(scene, ref, number, num_frames, size_hw) for number in range(num_clips)]
    finally:
        scene.close()


def _clip(scene: HabitatScene, ref: SceneRef, number: int, num_frames: int, size_hw: tuple[int, int]) -> ClipData:
    way = scene.walk(int(seeded(f"{ref.name}-{number}").integers(2**31)))
    if len(way) == 0 or not np.isfinite(way).all():
        raise InputError(ref.name, expected="a way over the floor", got="none")
    ours = way @ _WORLD_FROM_HABITAT.T
    places, yaws, gone = views_along(ours, num_frames)
    views = [
        # a yaw of 0 looks along our x; Habitat's looks along its -z, which is our y
        scene.look(place @ _WORLD_FROM_HABITAT, float(yaw - np.pi / 2))
        for place, yaw in zip(places, yaws, strict=True)
    ]
    return clip_of_views(
        views,
        scene.objects(),
        ref,
        number=number,
        size_hw=size_hw,
        times_s=gone / _SPEED_M_S,
        floor_z=float(ours[0, 2]),
    )


def clip_of_views(
    views: Sequence[HabitatView],
    things: Sequence[HabitatObject],
    ref: SceneRef,
    *,
    number: int,
    size_hw: tuple[int, int],
    times_s: Float64[np.ndarray, "f"],
    floor_z: float,
) -> ClipData:
    """The clip of views along a walk.

    Args:
        views: in Habitat's axes.
        things: annotated objects, in Habitat's axes.
        ref: the scene.
        number: of the clip.
        size_hw: of the frames.
        times_s: of the frames.
        floor_z: height of the floor of the walk, which becomes z = 0.

    Errors: ``InputError`` for frames of another size, or boxes and poses that are not finite.
    """
    if any(view.rgb.shape[:2] != size_hw or view.depth_m.shape != size_hw for view in views):
        raise InputError(ref.name, expected=f"frames of {size_hw[1]} x {size_hw[0]} px", got=views[0].rgb.shape)
    down = np.array([0.0, 0.0, floor_z])
    frames = assemble.Shown(
        rgb=np.stack([view.rgb for view in views]),
        depth_m=assemble.known_depth(np.stack([view.depth_m for view in views])),
        k_px=np.stack(
            [assemble.pinhole(size_hw[1] / 2 / np.tan(np.radians(view.hfov_deg) / 2), size_hw) for view in views]
        ),
        world_from_camera=_poses(views, ref, down),
        times_s=times_s.astype(np.float64),
    )
    objects, ids = _objects(things, len(views), down, ref)
    instance, seen = None, nothing_seen(len(views))
    labelled = [view.semantic for view in views if view.semantic is not None]
    if objects and len(labelled) == len(views):
        instance = np.zeros((len(views), *size_hw), np.uint16)
        for semantic_id, object_id in ids.items():
            instance[np.stack(labelled) == semantic_id] = object_id
        seen = assemble.seen_in_masks(instance, objects, frames)
    elif objects:
        raise InputError(ref.name, expected="semantic frames of an annotated scene", got="none")
    return assemble.clip_data(
        INFO,
        ref,
        frames,
        number=number,
        objects=with_support(objects),
        seen=seen,
        instance=instance,
        complete=bool(objects),
        licence=_LICENCES.get(ref.name.partition("-")[0]),
        notes=() if objects else ("the scene has no annotated objects",),
    )


def _poses(views: Sequence[HabitatView], ref: SceneRef, down: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "f 4 4"]:
    wxyz = np.stack([view.rotation_wxyz for view in views])
    places = np.stack([view.position for view in views])
    if not (np.isfinite(wxyz).all() and np.isfinite(places).all()):
        raise InputError(ref.name, expected="finite poses", got="NaN or infinity")
    poses = opencv_from_opengl(poses_from_quaternions(np.roll(wxyz, -1, axis=1), places, ref.name))
    poses[:, :3] = _WORLD_FROM_HABITAT @ poses[:, :3]
    poses[:, :3, 3] -= down
    return poses


def _objects(
    things: Sequence[HabitatObject], num_frames: int, down: Float64[np.ndarray, "3"], ref: SceneRef
) -> tuple[list[ObjectTruth], dict[int, int]]:
    """Objects with a name, and our id of every semantic id."""
    objects, ids = [], {}
    for thing in sorted(things, key=lambda t: t.semantic_id):
        name = assemble.object_name(thing.category)
        if name is None or thing.semantic_id in ids:
            continue
        numbers = np.concatenate([thing.center, thing.size, thing.rotation_xyzw])
        if not (np.isfinite(numbers).all() and (thing.size > 0).all()):
            raise InputError(f"{ref.name}: object {thing.semantic_id}", expected="a finite box", got=numbers.tolist())
        turn = poses_from_quaternions(thing.rotation_xyzw[None], thing.center[None], ref.name)[0]
        axes = (_WORLD_FROM_HABITAT @ turn[:3, :3]).T
        box = upright_box(_WORLD_FROM_HABITAT @ thing.center - down, np.maximum(thing.size, 0.005), axes)
        ids[thing.semantic_id] = len(objects) + 1
        objects.append(assemble.still_object(len(objects) + 1, name, box, num_frames))
    return objects, ids
