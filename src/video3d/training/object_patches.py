"""What the object head learns from: patches of simulated clips, as the tower sees them, with what is true of each.

Frames come twice: as they are, and changed (colours, light, blur, noise, windows magnified), because nothing real is seen and things
are seen from nearer and farther than the simulator shows them.
"""

import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Integer
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import interpolate

from video3d import vocabulary
from video3d.data.clip_codec import ClipData
from video3d.data.store import DataSet
from video3d.geometry.lift import lift_patches
from video3d.model.depth_head import lift_depth
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.object_head import PatchTargets, patch_geometry, view_axes
from video3d.model.processing_video3d import Video3DProcessor
from video3d.replaced import replaced
from video3d.training.depth import photometric
from video3d.training.features import frames_of, scene_of
from video3d.training.targets import CATEGORIES
from video3d.types import InputError

COLORS = tuple(color.name for color in vocabulary.COLORS)
"""For ``Video3DConfig.object_colors``."""
LEAST_SHARE = 0.25
"""Of a patch's pixels that an object has to cover for the patch to be its own; the object that covers most has it."""
CHANGED_SIZES_PX = ((168, 224), (196, 252), (224, 224), (252, 196))
"""Height and width of changed frames; one is drawn for a clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchesWanted:
    """Which patches of a clip are kept.

    Attributes:
        frames: of every clip as they are, evenly spread.
        patches: of them that are kept; two thirds show objects where there are so many.
        changed_frames: of every clip, changed.
        changed_patches: of these.
        smallest_window: of a frame's side, where it is changed.
        seed: of everything random.
    """

    frames: int
    patches: int
    changed_frames: int
    changed_patches: int
    smallest_window: float
    seed: int


@dataclass(frozen=True, slots=True)
class Patches:
    """Patches of many clips: what the head reads, and what is true of them."""

    features: Tensor
    geometry: Tensor
    targets: PatchTargets

    def __len__(self) -> int:
        return len(self.features)

    def at(self, index: Tensor, device: torch.device | str = "cpu") -> "Patches":
        """Some of them, on a device."""
        targets = {field.name: getattr(self.targets, field.name)[index].to(device) for field in fields(PatchTargets)}
        return Patches(self.features[index].to(device), self.geometry[index].to(device), PatchTargets(**targets))


def label_patches(
    clip: ClipData,
    frames: Sequence[int] | np.ndarray,
    masks: Integer[np.ndarray, "f h w"],
    points_world: Float32[Tensor, "f gh gw 3"],
    world_from_camera: Float32[Tensor, "f 4 4"],
) -> PatchTargets:
    """What is true of every patch of some frames (f gh gw): of the object that covers most of it, by the masks.

    Args:
        clip: its truth is in the world of ``points_world``.
        frames: those of the clip.
        masks: of these frames, cut as they were; the id of each pixel's object.
        points_world: of every patch, NaN where unknown: such a patch has no target.
        world_from_camera: poses of the frames.
    """
    shape = tuple(points_world.shape[:3])
    rows, columns = masks.shape[1] // shape[1], masks.shape[2] // shape[2]
    masks = masks[:, : rows * shape[1], : columns * shape[2]]
    cells = masks.reshape(shape[0], shape[1], rows, shape[2], columns).transpose(0, 1, 3, 2, 4).reshape(*shape, -1)
    best, owner = np.full(shape, LEAST_SHARE), np.full(shape, -1)
    for at, thing in enumerate(clip.truth.objects):
        share = (cells == thing.object_id).mean(-1)
        owner[share > best] = at
        best = np.maximum(best, share)
    ahead, left = (axes.double().numpy() for axes in view_axes(points_world, world_from_camera))
    points = points_world.double().numpy()
    category, color = np.full(shape, -1, np.int64), np.full(shape, -1, np.int64)
    center, size, heading = np.zeros((*shape, 3)), np.ones((*shape, 3)), np.ones((*shape, 2))
    has_front = np.zeros(shape, dtype=bool)
    for at, thing in enumerate(clip.truth.objects):
        here = (owner == at) & np.isfinite(points).all(-1)
        poses = thing.world_from_object[np.asarray(frames)][np.nonzero(here)[0]]
        here[here] = np.isfinite(poses).all((1, 2))
        poses = poses[np.isfinite(poses).all((1, 2))]
        if not here.any() or thing.category not in CATEGORIES:
            continue
        offset, own_x = poses[:, :3, 3] - points[here], poses[:, :3, 0]
        along, across = ahead[here], left[here]
        center[here] = np.stack([(offset * along).sum(1), (offset * across).sum(1), offset[:, 2]], 1)
        heading[here] = np.stack([(own_x * along).sum(1), (own_x * across).sum(1)], 1)
        size[here], has_front[here] = thing.size_m, thing.has_front
        category[here] = CATEGORIES.index(thing.category)
        color[here] = COLORS.index(thing.color) if thing.color in COLORS else -1
    return PatchTargets(
        category=torch.from_numpy(category),
        color=torch.from_numpy(color),
        center_m=torch.from_numpy(center.astype(np.float32)),
        size_m=torch.from_numpy(size.astype(np.float32)),
        heading=torch.from_numpy(heading.astype(np.float32)),
        has_front=torch.from_numpy(has_front),
    )


def chosen(
    features: Tensor, geometry: Tensor, targets: PatchTargets, known: Tensor, num: int, rng: np.random.Generator
) -> Patches:
    """Some patches of a clip (f gh gw ...) with a known place: two thirds of objects, if there are so many."""
    assert features.shape[:3] == geometry.shape[:3] == targets.category.shape == known.shape
    flat = known.flatten().numpy()
    there = targets.category.flatten().numpy() >= 0
    objects = rng.permutation(np.flatnonzero(flat & there))[: num * 2 // 3]
    others = rng.permutation(np.flatnonzero(flat & ~there))[: num - len(objects)]
    index = torch.from_numpy(np.sort(np.concatenate([objects, others])))
    whole = {field.name: getattr(targets, field.name).flatten(0, 2) for field in fields(PatchTargets)}
    return Patches(
        features.flatten(0, 2)[index].bfloat16(),
        geometry.flatten(0, 2)[index].half(),
        PatchTargets(**{name: value[index] for name, value in whole.items()}),
    )


@torch.no_grad()
def look(
    model: Video3DForConditionalGeneration, processor: Video3DProcessor, clip: ClipData, wanted: PatchesWanted
) -> Patches:
    """Patches of a clip as the model sees them when it is asked about it, and of some of its frames changed.

    Raises:
        InputError: a clip without masks or depth.
    """
    if clip.instance is None or clip.depth_m is None:
        raise InputError(clip.truth.clip_id, expected="a clip with instance masks and depth", got="one without")
    seed = int(hashlib.sha256(f"{wanted.seed} {clip.truth.clip_id}".encode()).hexdigest()[:8], 16)
    rng = np.random.default_rng(seed)
    parts = [plain(model, processor, clip, wanted, rng)]
    if wanted.changed_frames and wanted.changed_patches:
        parts.append(changed(model, processor, clip, wanted, rng))
    return joined(parts)


def plain(
    model: Video3DForConditionalGeneration,
    processor: Video3DProcessor,
    clip: ClipData,
    wanted: PatchesWanted,
    rng: np.random.Generator,
) -> Patches:
    """Patches of frames as they are."""
    small = processor.fit_clip(scene_of(clip, wanted.frames).clip)
    lifted = lift_patches(small, processor.patch_px)
    batch = processor(small, lifted, "a")  # whose places may be of several patches together
    points, share = torch.from_numpy(lifted.points_world).float(), torch.from_numpy(lifted.valid_share).float()
    pixels, poses, k_px = batch["pixel_values"][0], batch["world_from_camera"][0], batch["k_px"][0]
    masks = np.asarray(clip.instance)[small.frame_index]
    views = _Views(pixels, points, share, poses, k_px)
    return _told(model, clip, small.frame_index, masks, views, wanted.patches, rng)


def changed(
    model: Video3DForConditionalGeneration,
    processor: Video3DProcessor,
    clip: ClipData,
    wanted: PatchesWanted,
    rng: np.random.Generator,
) -> Patches:
    """Patches of windows of frames with other colours, light, sharpness and noise."""
    draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
    at = np.sort(rng.permutation(frames_of(len(clip.rgb), wanted.frames))[: wanted.changed_frames])
    size = CHANGED_SIZES_PX[int(rng.integers(len(CHANGED_SIZES_PX)))]
    cuts = [_window(clip, int(frame), size, wanted.smallest_window, rng) for frame in at]
    pixels, depth, k_px, masks = (torch.stack(part) for part in zip(*cuts, strict=True))
    pixels = photometric(pixels, draw)
    mean, std = (pixels.new_tensor(value).view(1, 3, 1, 1) for value in (processor.image_mean, processor.image_std))
    pixels = (pixels - mean) / std
    poses = torch.from_numpy(clip.truth.world_from_camera[at].astype(np.float32))
    points, share = lift_depth(depth, k_px, poses, processor.patch_px)
    views = _Views(pixels, points, share, poses, k_px)
    return _told(model, clip, at, masks.numpy(), views, wanted.changed_patches, rng)


class _Views(NamedTuple):
    """Frames as the model sees them: pixels (f 3 h w), points and known share of patches, poses, intrinsics."""

    pixels: Tensor
    points_world: Tensor
    valid_share: Tensor
    world_from_camera: Tensor
    k_px: Tensor


def _told(
    model: Video3DForConditionalGeneration,
    clip: ClipData,
    frames: np.ndarray,
    masks: np.ndarray,
    views: _Views,
    num: int,
    rng: np.random.Generator,
) -> Patches:
    """Some patches of frames: what the head reads of them, and what is true."""
    pixels, points, share, poses, k_px = views
    return chosen(
        model.frame_features(pixels.to(model.device))[0].cpu(),
        patch_geometry(points, share, poses, k_px, pixels),
        label_patches(clip, frames, masks, points, poses),
        points.isfinite().all(-1),
        num,
        rng,
    )


def _window(
    clip: ClipData, frame: int, size_hw: tuple[int, int], smallest: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A window of a frame at a size and of its aspect: colours (3 h w), depth (h w), K, mask (h w)."""
    assert clip.depth_m is not None and clip.instance is not None
    rgb, depth, mask = clip.rgb[frame], clip.depth_m[frame], np.asarray(clip.instance[frame])
    height, width = rgb.shape[:2]
    scale = rng.uniform(smallest, 1.0) * min(height / size_hw[0], width / size_hw[1])
    rows, columns = int(size_hw[0] * scale), int(size_hw[1] * scale)
    top, left = (int(rng.integers(whole - part + 1)) for whole, part in ((height, rows), (width, columns)))
    cut = np.s_[top : top + rows, left : left + columns]

    def fit(values: np.ndarray, mode: str) -> Tensor:
        grid: Any = {"mode": mode} | ({"antialias": True} if mode == "bicubic" else {})
        return interpolate(torch.from_numpy(np.ascontiguousarray(values))[None].float(), size=size_hw, **grid)[0]

    k = np.broadcast_to(clip.truth.k_px, (len(clip.rgb), 3, 3))[frame].astype(np.float32).copy()
    k[0, 2] -= left
    k[1, 2] -= top
    k[0] *= size_hw[1] / columns
    k[1] *= size_hw[0] / rows
    return (
        fit(rgb[cut].transpose(2, 0, 1) / 255.0, "bicubic").clamp(0, 1),
        fit(depth[cut][None], "nearest-exact")[0],
        torch.from_numpy(k),
        fit(mask[cut][None].astype(np.float32), "nearest-exact")[0].long(),
    )


def prepare(
    datasets: Sequence[DataSet],
    split: str,
    model: Video3DForConditionalGeneration,
    processor: Video3DProcessor,
    wanted: PatchesWanted,
    folder: Path,
) -> Iterator[Path]:
    """The patches of every clip as files, clip by clip; those that are there are used again.

    Raises:
        InputError: clips without masks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clips = [(dataset, clip_id) for dataset in datasets for clip_id in dataset.clip_ids(split)]
    began, made = time.perf_counter(), 0
    for at, (dataset, clip_id) in enumerate(clips):
        path = folder / f"{dataset.content_hash[:8]}-{clip_id}.safetensors"
        if not path.is_file():
            patches = look(model, processor, dataset.clip(clip_id), wanted)
            with replaced(path) as beside:
                save_file(_tensors(patches), beside)
            made += 1
            if made % 50 == 0:
                left = (time.perf_counter() - began) / made * (len(clips) - at - 1) / 60
                print(f"clip {at + 1} / {len(clips)}, {left:.0f} min left", file=sys.stderr, flush=True)
        yield path


def _tensors(patches: Patches) -> dict[str, Tensor]:
    targets = {field.name: getattr(patches.targets, field.name).contiguous() for field in fields(PatchTargets)}
    return {"features": patches.features.contiguous(), "geometry": patches.geometry.contiguous(), **targets}


def gathered(paths: Sequence[Path]) -> Patches:
    """All patches of some files in memory.

    Raises:
        InputError: no file.
    """
    if not paths:
        raise InputError("dataset", expected="clips", got="none")
    return joined([_of_tensors(load_file(path)) for path in paths])


def joined(parts: Sequence[Patches]) -> Patches:
    """Patches of several as one."""
    tables = [_tensors(part) for part in parts]
    return _of_tensors({name: torch.cat([table[name] for table in tables]) for name in tables[0]})


def _of_tensors(table: dict[str, Tensor]) -> Patches:
    targets = {field.name: table[field.name] for field in fields(PatchTargets)}
    return Patches(table["features"], table["geometry"], PatchTargets(**targets))
