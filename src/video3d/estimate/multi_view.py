"""Depth from several views whose poses are known, fused with what a depth network says (its prior).

What a frame shows is looked for in other frames at every plausible depth (``plane_sweep``); the costs of all planes of
all pixels, the prior's among them, are aggregated along lines (``semi_global``); the depth maps that come out say how
well they agree with each other (``depth_fusion``), which is evidence for a second round. Everything adds up in nats, so
a prior that is surer has more to say, and evidence that is clearer too. The weights and the uncertainty are ``depth_solver``'s.

Nothing here is random, and nothing depends on where the world's origin is or on its unit.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float16, Float32, Float64, Int64, UInt8
from tqdm import tqdm

from video3d.estimate.depth_fusion import DepthViews, geometric_cost
from video3d.estimate.depth_solver import MAPS_WEIGHT, VIEWS_WEIGHT, Solution, solve_depth
from video3d.estimate.plane_sweep import Views, box, photometric_cost
from video3d.estimate.sweep_input import (
    depth_ranges,
    grey_of,
    possible_cameras,
    prior_at,
    shrunk,
    typical_depths,
    working_size,
)
from video3d.estimate.view_selection import score_views, select_views
from video3d.geometry.resize import resize_depth
from video3d.geometry.rigid import inverse_k, inverse_rigid, is_known, scale_k
from video3d.types.depth import DepthEstimate

NUM_PLANES = 64
NUM_VIEWS = 8
NUM_MAPS, MAP_ROUNDS = 8, 2
SHARPNESS, OUTLIERS = 8.0, 0.05
MAX_SIGMA = 0.5  # a depth less sure than this, and without a prior, is not known
MAX_MAP_SIGMA = 0.25  # evidence in a depth map less sure than this has no say about other frames
DYNAMIC_TEXTURE_GREY, DYNAMIC_NATS, DYNAMIC_WINDOW_PX = 8.0, 2.4, 7
# What steps take of a frame's time as measured, so that the time left that is shown holds from the first frames on.
SWEEP_SHARE, SOLVE_SHARE, MAP_SHARE = 0.33, 0.11, 0.17


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceViews:
    """Frames that a frame may be compared with: those of the whole recording, wherever poses are known.

    Attributes:
        load_rgb: positions in the arrays below -> frames; asked for a few at a time. All at one size, of the field of view of ``k_px``.
        size_hw: that size.
        k_px: intrinsics at ``size_hw``; NaN where unknown.
        world_from_camera: poses in the world of the frames; NaN where unknown.
    """

    load_rgb: Callable[[Sequence[int]], UInt8[np.ndarray, "f h w 3"]]
    size_hw: tuple[int, int]
    k_px: Float64[np.ndarray, "n 3 3"]
    world_from_camera: Float64[np.ndarray, "n 4 4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoDepth:
    """Depth from several views and where it came from.

    Attributes:
        depth: with its uncertainty; NaN where there is neither evidence nor a prior.
        by_evidence: pixels whose depth is mostly what the views say, by the prior otherwise.
        dynamic: pixels with texture that no depth explains in the views that see them: things that moved.
        num_views: views that each frame was compared with.
    """

    depth: DepthEstimate
    by_evidence: Bool[np.ndarray, "f h w"]
    dynamic: Bool[np.ndarray, "f h w"]
    num_views: Int64[np.ndarray, "f"]


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame at the working size, with what it is compared with."""

    views: Int64[np.ndarray, "s"]
    inverse_depth: Float32[torch.Tensor, "d"]


def refine_depth(
    rgb: UInt8[np.ndarray, "f h w 3"],
    k_px: Float64[np.ndarray, "f 3 3"],
    world_from_camera: Float64[np.ndarray, "f 4 4"],
    prior: DepthEstimate | None = None,
    *,
    depth_range: Float64[np.ndarray, "f 2"] | None = None,
    sources: SourceViews | None = None,
    device: str = "cpu",
) -> VideoDepth:
    """Depth of every frame from other views and from the prior, each as far as it is sure.

    Args:
        rgb: the frames.
        k_px: their intrinsics; a frame without, or with ones that cannot be, keeps its prior.
        world_from_camera: their poses, likewise.
        prior: metric depth in the unit of the poses. Without ``log_sigma`` it is taken to be right to 30 %.
        depth_range: nearest and farthest depth that each frame may hold, in the unit of the poses, NaN for unknown; the
            prior's own range is added to it. A frame with neither cannot be swept.
        sources: what the frames are compared with; None: each other.
        device: where torch computes.

    Raises:
        ValueError: a prior that is not ``metric_depth``.

    >>> one = np.zeros((1, 8, 8, 3), np.uint8)
    >>> alone = refine_depth(one, np.eye(3)[None], np.eye(4)[None])
    >>> bool(np.isnan(alone.depth.values).all()), alone.num_views.tolist()
    (True, [0])
    """
    if prior is not None and prior.kind != "metric_depth":
        raise ValueError(f"prior: expected metric_depth in the unit of the poses, got {prior.kind}")
    size_hw = (rgb.shape[1], rgb.shape[2])
    work_hw = working_size(size_hw)
    if sources is None:
        sources = SourceViews(
            load_rgb=lambda index: rgb[list(index)], size_hw=size_hw, k_px=k_px, world_from_camera=world_from_camera
        )
    k_work, k_sources = scale_k(k_px, size_hw, work_hw), scale_k(sources.k_px, sources.size_hw, work_hw)
    log_prior, prior_sigma = prior_at(prior, len(rgb), work_hw)
    ranges = depth_ranges(log_prior, prior_sigma, depth_range)
    usable = possible_cameras(k_work, work_hw) & is_known(world_from_camera) & np.isfinite(ranges).all(axis=1)
    usable_source = possible_cameras(k_sources, work_hw) & is_known(sources.world_from_camera)
    frames: dict[int, _Frame] = {}
    for i in np.flatnonzero(usable):
        scores = score_views(
            world_from_camera[i], k_work[i], work_hw, typical_depths(ranges[i], log_prior[i]),
            np.where(usable_source[:, None, None], sources.world_from_camera, np.nan), k_sources,
        )  # fmt: skip
        views = select_views(scores, NUM_VIEWS)
        if len(views):
            planes = torch.linspace(1 / float(ranges[i, 1]), 1 / float(ranges[i, 0]), NUM_PLANES, dtype=torch.float32)
            frames[int(i)] = _Frame(views, planes.to(device))
    num_views = np.array([len(frames[i].views) if i in frames else 0 for i in range(len(rgb))], dtype=np.int64)
    log_depth, sigma = log_prior.clone(), prior_sigma.clone()
    dynamic = torch.zeros_like(log_depth, dtype=torch.bool)
    if frames:
        order = sorted(frames)
        colour = shrunk(rgb[order], work_hw).to(device)
        looks = _grey_of_sources(sources, frames, work_hw)
        given = (log_prior[order].to(device), prior_sigma[order].to(device))
        planes = torch.stack([frames[i].inverse_depth for i in order])
        costs = []
        with _progress(len(order)) as bar:
            for row, i in enumerate(order):
                views = _views(frames[i], looks, k_work[i], world_from_camera[i], k_sources, sources.world_from_camera)
                cost, dynamic[i] = _photometric(grey_of(colour[row]), views, frames[i].inverse_depth)
                costs.append(cost)
                bar.update(SWEEP_SHARE)
            last = solve_depth(planes, costs, *given, colour)
            bar.update(SOLVE_SHARE * len(order))
            for _ in range(MAP_ROUNDS):
                with_maps = _map_costs(
                    costs, planes, last, k_work[order], world_from_camera[order], ranges[order], bar=bar
                )
                last = solve_depth(planes, with_maps, *given, colour)
                bar.update(SOLVE_SHARE * len(order))
        log_depth[order], sigma[order] = last.log_depth.cpu(), last.sigma.cpu()
    log_depth[torch.isnan(log_prior) & ~(sigma <= MAX_SIGMA)] = torch.nan
    by_evidence = ~dynamic & torch.isfinite(log_depth) & ((sigma < 0.7 * prior_sigma) | torch.isnan(prior_sigma))
    values = np.exp(log_depth.numpy()).astype(np.float32)
    log_sigma = np.where(np.isfinite(values), sigma.numpy(), np.nan).astype(np.float32)
    return VideoDepth(
        depth=DepthEstimate(
            values=resize_depth(values, size_hw), kind="metric_depth", log_sigma=resize_depth(log_sigma, size_hw)
        ),
        by_evidence=_resize_mask(by_evidence.numpy(), size_hw),
        dynamic=_resize_mask(dynamic.numpy(), size_hw),
        num_views=num_views,
    )


def _progress(num_frames: int) -> "tqdm[Any]":
    """Share done and time left, on stderr: a line a second for a person, one in a quarter of a minute for a log file."""
    total = num_frames * (SWEEP_SHARE + (1 + MAP_ROUNDS) * SOLVE_SHARE + MAP_ROUNDS * MAP_SHARE)
    return tqdm(
        total=total,
        desc=f"depth of {num_frames} frames from many views (--depth none leaves it out)",
        bar_format="{desc}: {percentage:.0f} %, {elapsed} so far, about {remaining} left",
        miniters=0,
        mininterval=1.0 if sys.stderr.isatty() else 15.0,
        delay=2.0,
        leave=False,
    )


def _grey_of_sources(
    sources: SourceViews, frames: dict[int, _Frame], work_hw: tuple[int, int]
) -> dict[int, Float32[torch.Tensor, "h w"]]:
    """The source frames that any frame wants, read a few at a time."""
    wanted = sorted({int(view) for frame in frames.values() for view in frame.views})
    looks: dict[int, torch.Tensor] = {}
    for start in range(0, len(wanted), 8):
        some = wanted[start : start + 8]
        for view, colour in zip(some, shrunk(sources.load_rgb(some), work_hw), strict=True):
            looks[view] = grey_of(colour)
    return looks


def _places_of(
    k_px: Float64[np.ndarray, "3 3"],
    world_from_camera: Float64[np.ndarray, "4 4"],
    k_sources: Float64[np.ndarray, "s 3 3"],
    world_from_source: Float64[np.ndarray, "s 4 4"],
    device: torch.device,
) -> tuple[Float32[torch.Tensor, "s 3 3"], Float32[torch.Tensor, "s 3"]]:
    """``turn`` and ``shift`` of sources; in float64 until they are small numbers, wherever the world's origin is."""
    source_from_camera = inverse_rigid(world_from_source) @ world_from_camera
    turn = k_sources @ source_from_camera[:, :3, :3] @ inverse_k(k_px)
    shift = np.einsum("sij,sj->si", k_sources, source_from_camera[:, :3, 3])
    return torch.from_numpy(turn.astype(np.float32)).to(device), torch.from_numpy(shift.astype(np.float32)).to(device)


def _views(
    frame: _Frame,
    looks: dict[int, Float32[torch.Tensor, "h w"]],
    k_px: Float64[np.ndarray, "3 3"],
    world_from_camera: Float64[np.ndarray, "4 4"],
    k_sources: Float64[np.ndarray, "n 3 3"],
    world_from_source: Float64[np.ndarray, "n 4 4"],
) -> Views:
    device = frame.inverse_depth.device
    turn, shift = _places_of(k_px, world_from_camera, k_sources[frame.views], world_from_source[frame.views], device)
    return Views(grey=torch.stack([looks[int(v)] for v in frame.views]).to(device), turn=turn, shift=shift)


def _photometric(
    grey: Float32[torch.Tensor, "h w"], views: Views, inverse_depth: Float32[torch.Tensor, "d"]
) -> tuple[Float16[torch.Tensor, "d h w"], Bool[torch.Tensor, "h w"]]:
    """Weighted costs of the planes, and the pixels that no plane explains, for which all planes cost the same."""
    cost, seen = photometric_cost(grey, views, inverse_depth, sharpness=SHARPNESS, outliers=OUTLIERS)
    texture = torch.sqrt((box(grey[None] ** 2) - box(grey[None]) ** 2).clamp_min(0))[0]
    most = -np.log(OUTLIERS)
    per_view = (cost.amin(dim=0) - most * (len(views.grey) - seen)) / seen.clamp_min(1e-3)
    unexplained = (texture > DYNAMIC_TEXTURE_GREY) & (seen >= 2) & (per_view > DYNAMIC_NATS)
    dynamic = box(unexplained[None].float(), DYNAMIC_WINDOW_PX)[0] > 0.5
    cost = torch.where(dynamic, most * len(views.grey), cost)
    return (VIEWS_WEIGHT * cost).half(), dynamic.cpu()


def _map_costs(
    costs: list[Float16[torch.Tensor, "d h w"]],
    planes: Float32[torch.Tensor, "f d"],
    known: Solution,
    k_px: Float64[np.ndarray, "f 3 3"],
    world_from_camera: Float64[np.ndarray, "f 4 4"],
    ranges: Float64[np.ndarray, "f 2"],
    *,
    bar: "tqdm[Any]",
) -> list[Float16[torch.Tensor, "d h w"]]:
    """The costs with what the depth maps of the other frames say about every frame's planes."""
    log_depth = known.log_depth
    sigma = torch.where(known.evidence_sigma < MAX_MAP_SIGMA, known.evidence_sigma, torch.nan)
    work_hw = (log_depth.shape[1], log_depth.shape[2])
    with_maps = list(costs)
    for i, cost in enumerate(costs):
        bar.update(MAP_SHARE)
        typical = typical_depths(ranges[i], log_depth[i].cpu())
        scores = score_views(world_from_camera[i], k_px[i], work_hw, typical, world_from_camera, k_px)
        chosen = select_views(scores, NUM_MAPS)
        if not len(chosen):
            continue
        turn, shift = _places_of(k_px[i], world_from_camera[i], k_px[chosen], world_from_camera[chosen], planes.device)
        index = torch.from_numpy(chosen).to(planes.device)
        maps = DepthViews(log_depth=log_depth[index], log_sigma=sigma[index], turn=turn, shift=shift)
        with_maps[i] = (cost + MAPS_WEIGHT * geometric_cost(maps, planes[i], work_hw)).half()
    return with_maps


def _resize_mask(mask: Bool[np.ndarray, "f h w"], size_hw: tuple[int, int]) -> Bool[np.ndarray, "f h2 w2"]:
    rows = ((np.arange(size_hw[0]) + 0.5) * mask.shape[1] / size_hw[0]).astype(np.int64)
    columns = ((np.arange(size_hw[1]) + 0.5) * mask.shape[2] / size_hw[1]).astype(np.int64)
    return mask[:, rows][:, :, columns]
