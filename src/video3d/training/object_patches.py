"""What the object head learns from: frames of simulated clips, as the tower sees them, with what is true of each patch.

Frames come twice: as they are, and changed (colours, light, blur, noise, windows magnified), because nothing real is seen and things
are seen from nearer and farther than the simulator shows them.
"""

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from video3d.model.scene_encoder import FRAMES_AT_ONCE
from video3d.model.tower_until import tower_until
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
class FramesWanted:
    """Which frames of a clip are looked at.

    Attributes:
        frames: of every clip as they are, evenly spread.
        changed_frames: of every clip, changed.
        smallest_window: of a frame's side, where it is changed.
        seed: of everything random.
    """

    frames: int
    changed_frames: int
    smallest_window: float
    seed: int


@dataclass(frozen=True, slots=True)
class Patches:
    """Frames of one size (f gh gw ...): what the head reads of their patches, and what is true of them.

    Attributes:
        features: of the vision tower, at the layer that the head reads.
        geometry: ``patch_geometry``.
        known: whether a patch has a known place: only such are learned from.
        targets: of every patch.
    """

    features: Tensor
    geometry: Tensor
    known: Tensor
    targets: PatchTargets

    def __len__(self) -> int:
        return len(self.features)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return int(self.features.shape[1]), int(self.features.shape[2])


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


@torch.no_grad()
def look(
    tower: Callable[[Tensor], Tensor], processor: Video3DProcessor, clip: ClipData, wanted: FramesWanted
) -> list[Patches]:
    """Frames of a clip as the model sees them when it is asked about it, and some of its frames changed.

    Args:
        tower: gives patches' features (f gh gw c) of normalised pixels (f 3 h w), as ``tower_of`` makes it.
        processor: of the model.
        clip: with instance masks and depth.
        wanted: which frames.

    Raises:
        InputError: a clip without masks or depth.
    """
    if clip.instance is None or clip.depth_m is None:
        raise InputError(clip.truth.clip_id, expected="a clip with instance masks and depth", got="one without")
    seed = int(hashlib.sha256(f"{wanted.seed} {clip.truth.clip_id}".encode()).hexdigest()[:8], 16)
    rng = np.random.default_rng(seed)
    parts = [plain(tower, processor, clip, wanted)]
    if wanted.changed_frames:
        parts.append(changed(tower, processor, clip, wanted, rng))
    return parts


def tower_of(model: Video3DForConditionalGeneration, blocks: int) -> Callable[[Tensor], Tensor]:
    """The vision tower up to a head's own ``blocks``; all of it, with its last norm, where the head has none."""

    def look_at(frames: Tensor) -> Tensor:
        return tower_until(model.vision_tower, frames, blocks, model.config.patch_px).cpu()

    return look_at


def plain(
    tower: Callable[[Tensor], Tensor], processor: Video3DProcessor, clip: ClipData, wanted: FramesWanted
) -> Patches:
    """Frames as they are."""
    small = processor.fit_clip(scene_of(clip, wanted.frames).clip)
    lifted = lift_patches(small, processor.patch_px)
    batch = processor(small, lifted, "a")  # whose places may be of several patches together
    points, share = torch.from_numpy(lifted.points_world).float(), torch.from_numpy(lifted.valid_share).float()
    pixels, poses, k_px = batch["pixel_values"][0], batch["world_from_camera"][0], batch["k_px"][0]
    masks = np.asarray(clip.instance)[small.frame_index]
    views = _Views(pixels, points, share, poses, k_px)
    return _told(tower, clip, small.frame_index, masks, views)


def changed(
    tower: Callable[[Tensor], Tensor],
    processor: Video3DProcessor,
    clip: ClipData,
    wanted: FramesWanted,
    rng: np.random.Generator,
) -> Patches:
    """Windows of frames with other colours, light, sharpness and noise."""
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
    return _told(tower, clip, at, masks.numpy(), views)


class _Views(NamedTuple):
    """Frames as the model sees them: pixels (f 3 h w), points and known share of patches, poses, intrinsics."""

    pixels: Tensor
    points_world: Tensor
    valid_share: Tensor
    world_from_camera: Tensor
    k_px: Tensor


def _told(
    tower: Callable[[Tensor], Tensor], clip: ClipData, frames: np.ndarray, masks: np.ndarray, views: _Views
) -> Patches:
    """What the head reads of frames, and what is true."""
    pixels, points, share, poses, k_px = views
    return Patches(
        torch.cat([tower(part) for part in pixels.split(FRAMES_AT_ONCE)]).bfloat16(),
        patch_geometry(points, share, poses, k_px, pixels).half(),
        points.isfinite().all(-1),
        label_patches(clip, frames, masks, points, poses),
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
    tower: Callable[[Tensor], Tensor],
    processor: Video3DProcessor,
    wanted: FramesWanted,
    folder: Path,
) -> Iterator[Path]:
    """What is learned of every clip as files, clip by clip; those that are there are used again.

    Raises:
        InputError: clips without masks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clips = [(dataset, clip_id) for dataset in datasets for clip_id in dataset.clip_ids(split)]
    began, made = time.perf_counter(), 0
    for number, (dataset, clip_id) in enumerate(clips, 1):
        path = folder / f"{dataset.content_hash[:8]}-{clip_id}.safetensors"
        if not path.is_file():
            parts = look(tower, processor, dataset.clip(clip_id), wanted)
            tables = {f"{at}.{name}": value for at, part in enumerate(parts) for name, value in _tensors(part).items()}
            with replaced(path) as beside:
                save_file(tables, beside)
            made += 1
            if made % 50 == 0:
                left = (time.perf_counter() - began) / made * (len(clips) - number) / 60
                print(f"clip {number} / {len(clips)}, {left:.0f} min left", file=sys.stderr, flush=True)
        yield path


def _tensors(patches: Patches) -> dict[str, Tensor]:
    own = {field.name: getattr(patches, field.name) for field in fields(Patches) if field.name != "targets"}
    true = {field.name: getattr(patches.targets, field.name) for field in fields(PatchTargets)}
    return {name: value.contiguous() for name, value in (own | true).items()}


def _of_tensors(table: Mapping[str, Tensor]) -> Patches:
    true = {field.name for field in fields(PatchTargets)}
    own = {name: value for name, value in table.items() if name not in true}
    return Patches(**own, targets=PatchTargets(**{name: table[name] for name in true}))


def kept(path: Path) -> list[Patches]:
    """What ``prepare`` wrote of a clip."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in load_file(path).items():
        number, of = name.split(".")
        parts.setdefault(number, {})[of] = value
    return [_of_tensors(parts[number]) for number in sorted(parts)]


class Shelf:
    """Frames of many clips, drawn from by size."""

    def __init__(self, parts: Sequence[Patches]) -> None:
        """Sorts frames by their size.

        Raises:
            InputError: none with a patch whose place is known.
        """
        self.parts = parts
        self.by_grid: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for number, part in enumerate(self.parts):
            seen = part.known.flatten(1).any(1)
            self.by_grid.setdefault(part.grid, []).extend((number, frame) for frame in range(len(part)) if seen[frame])
        self.by_grid = {grid: frames for grid, frames in self.by_grid.items() if frames}
        if not self.by_grid:
            raise InputError("dataset", expected="frames with patches whose place is known", got="none")

    def drawn(self, num: int, draw: torch.Generator) -> Patches:
        """Frames of one size, as often as there are such."""
        sizes = list(self.by_grid.values())
        share = torch.tensor([float(len(frames)) for frames in sizes])
        frames = sizes[int(torch.multinomial(share, 1, generator=draw))]
        return self.at([frames[int(at)] for at in torch.randint(0, len(frames), (num,), generator=draw)])

    def at(self, frames: Sequence[tuple[int, int]]) -> Patches:
        """Frames of one size, each by its part and its number in it."""
        rows = [(_tensors(self.parts[part]), frame) for part, frame in frames]
        return _of_tensors({name: torch.stack([row[name][frame] for row, frame in rows]) for name in rows[0][0]})
