"""From a staged clip to a clip as it is stored: simulate, film, say what is true."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt8, UInt16

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.rollout import Recorded, record, remove, state_at, supporters
from video3d.data.simulate.scene import BuiltScene
from video3d.data.simulate.stage import RECORD_S, StagedClip, StagingFailed
from video3d.data.simulate.visible import visible_px, visible_share
from video3d.data.truth import ClipData, ObjectTruth, Removal, SceneTruth, Split
from video3d.types import Camera

_SEEN_PX_OF_FRAME = 1.5e-3  # of the frame's pixels: 75 at 224 x 224
_SEEN_SHARE = 0.3
_DARK, _BRIGHT = 18, 245  # mean grey level of a frame that shows nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a clip is called and where it belongs."""

    clip_id: str
    split: Split
    seed: int


Draw = Callable[[Any, Camera], Any]
"""A renderer's ``render``."""


def film(
    staged: StagedClip,
    identity: Identity,
    draw: Draw,
    *,
    library: AssetLibrary,
    touch_up: Callable[[UInt8[np.ndarray, "f h w 3"]], UInt8[np.ndarray, "f h w 3"]],
) -> ClipData:
    """Simulates a staged clip from all its starts, films the first and gathers the truth.

    Args:
        staged: what to film.
        identity: the clip's name, split and seed.
        draw: draws the scene's model as a camera sees it.
        library: where the assets come from, for their licences.
        touch_up: what the camera does to the pictures (exposure, noise, blur).

    Errors: ``StagingFailed`` where the simulation blows up, or what the clip is about is not well seen.
    """
    recorded = []
    for start in staged.starts:
        run = record(staged, start)
        if run is None:
            raise StagingFailed(f"{staged.scenario}: the simulation does not hold")
        recorded.append(run)
    shown = np.rint(staged.times_s / RECORD_S).astype(int)
    rgb, depth, instance = _pictures(staged, recorded[0], shown, draw)
    rgb = touch_up(rgb)
    truth = _truth(staged, identity, tuple(recorded), shown, instance, library)
    _check(staged, truth, rgb)
    return ClipData(truth=truth, rgb=rgb, depth_m=depth, instance=instance)


def _pictures(
    staged: StagedClip, recorded: Recorded, shown: np.ndarray, draw: Draw
) -> tuple[UInt8[np.ndarray, "f h w 3"], Float32[np.ndarray, "f h w"], UInt16[np.ndarray, "f h w"]]:
    from video3d.data.simulate.engine import load_mujoco

    mujoco, model = load_mujoco(), staged.scene.model
    rgb, depth, instance = [], [], []
    ids = np.append(np.maximum(staged.scene.geom_object, 0), 0).astype(np.uint16)  # the last: no geom at all
    for at in shown:
        data = state_at(model, recorded, int(at))
        mujoco.mj_forward(model, data)  # lights and cameras too
        pose = recorded.rollout.world_from_camera[at]
        picture = draw(data, Camera(size_hw=staged.size_hw, k_px=staged.k_px, world_from_camera=pose))
        rgb.append(picture.rgb)
        depth.append(picture.depth_m)
        instance.append(ids[picture.geom])
    return np.stack(rgb), np.stack(depth), np.stack(instance)


def _truth(
    staged: StagedClip,
    identity: Identity,
    recorded: tuple[Recorded, ...],
    shown: np.ndarray,
    instance: UInt16[np.ndarray, "f h w"],
    library: AssetLibrary,
) -> SceneTruth:
    scene, rollout, num = staged.scene, recorded[0].rollout, len(shown)
    last = int(shown[-1])
    standing = supporters(staged, recorded[0], last)
    k_px = np.broadcast_to(staged.k_px, (num, 3, 3)).copy()
    pixels, share = _visibility(
        scene, rollout.world_from_object[shown], rollout.world_from_camera[shown], k_px, instance
    )
    removals: list[Removal] = []
    for removed_id in staged.removals:
        found = remove(staged, recorded, removed_id, last)
        if found is not None:
            removals.append(found)
    objects = tuple(
        ObjectTruth(
            object_id=placed.object_id,
            category=placed.category,
            kind=placed.kind,
            motion=placed.motion,
            size_m=placed.size_m,
            world_from_object=np.ascontiguousarray(rollout.world_from_object[shown, index]),
            color=placed.color,
            supported_by=standing.get(placed.object_id),
            inside_of=staged.inside.get(placed.object_id),
            has_front=placed.has_front,
        )
        for index, placed in enumerate(scene.objects)
    )
    return SceneTruth(
        clip_id=identity.clip_id,
        scene_id=staged.scene_id,
        source="simulated",
        licence=licence_of(scene, library),
        domain=staged.domain,
        split=identity.split,
        scenario=staged.scenario,
        viewer=staged.viewer,
        seed=identity.seed,
        size_hw=staged.size_hw,
        times_s=staged.times_s,
        k_px=k_px,
        world_from_camera=rollout.world_from_camera[shown],
        objects=objects,
        visible_px=pixels,
        visible_share=share,
        room=staged.room,
        rollouts=tuple(run.rollout for run in recorded),
        removals=tuple(removals),
        signal=staged.signal,
    )


def licence_of(scene: BuiltScene, library: AssetLibrary) -> str:
    """SPDX expression of what is shown: that of its models joined by AND; what is made here is CC0-1.0."""
    used = {placed.asset_id for placed in scene.objects}
    licences = {asset.licence for asset in library.assets if asset.asset_id in used and asset.creator != "video3d"}
    return " AND ".join(sorted(licences)) or "CC0-1.0"


def _visibility(
    scene: BuiltScene, poses: np.ndarray, cameras: np.ndarray, k_px: np.ndarray, instance: np.ndarray
) -> tuple[Int64[np.ndarray, "f o"], Float32[np.ndarray, "f o"]]:
    ids = np.array([placed.object_id for placed in scene.objects], dtype=np.int64)
    outlines = tuple(placed.outline_m - placed.body_from_box for placed in scene.objects)
    pixels = visible_px(instance, ids)
    return pixels, visible_share(pixels, outlines, poses, cameras, k_px)


def _check(staged: StagedClip, truth: SceneTruth, rgb: np.ndarray) -> None:
    least = _SEEN_PX_OF_FRAME * truth.size_hw[0] * truth.size_hw[1]
    seen = (truth.visible_px >= least) & (truth.visible_share >= _SEEN_SHARE)
    for object_id in staged.must_see:
        if seen[:, truth.index(object_id)].mean() < 0.5:
            raise StagingFailed(f"{staged.scenario}: {truth.object(object_id).category} is not well seen")
    grey = rgb.mean(axis=(1, 2, 3))
    if grey.min() < _DARK or grey.max() > _BRIGHT:
        raise StagingFailed(f"{staged.scenario}: too dark or too bright")
    if (seen.any(axis=0)).sum() < 3:
        raise StagingFailed(f"{staged.scenario}: fewer than three objects to be seen")
