"""What a plane sweep starts from: pictures at the working size, planes, and the prior as ln depth."""

import numpy as np
import torch
import torch.nn.functional as nn_functional
from jaxtyping import Bool, Float32, Float64, UInt8

from video3d.geometry.resize import resize_depth
from video3d.geometry.rigid import is_known
from video3d.types.depth import DepthEstimate

WORKING_PIXELS = 256 * 192
UNSAID_SIGMA = 0.3  # standard deviation of ln depth of a prior that does not say


def working_size(size_hw: tuple[int, int]) -> tuple[int, int]:
    """The size to compute at: as many pixels as the constant says, never more than there are."""
    shrink = min(1.0, float(np.sqrt(WORKING_PIXELS / (size_hw[0] * size_hw[1]))))
    return max(1, round(size_hw[0] * shrink)), max(1, round(size_hw[1] * shrink))


def possible_cameras(k_px: Float64[np.ndarray, "n 3 3"], size_hw: tuple[int, int]) -> Bool[np.ndarray, "n"]:
    """Intrinsics of a pinhole that could have taken the picture: a field of view between 3 and 174 degrees."""
    with np.errstate(invalid="ignore"):
        focal = k_px[:, [0, 1], [0, 1]] / max(size_hw)
        return np.asarray(is_known(k_px) & (focal > 0.025).all(axis=1) & (focal < 20).all(axis=1))


def prior_at(
    prior: DepthEstimate | None, num_frames: int, work_hw: tuple[int, int]
) -> tuple[Float32[torch.Tensor, "f h w"], Float32[torch.Tensor, "f h w"]]:
    """Ln depth and its standard deviation at the working size, NaN where there is none."""
    if prior is None:
        nothing = torch.full((num_frames, *work_hw), torch.nan)
        return nothing, nothing.clone()
    with np.errstate(divide="ignore", invalid="ignore"):
        log_depth = np.log(resize_depth(prior.values, work_hw))
    log_depth[~np.isfinite(log_depth)] = np.nan
    if prior.log_sigma is None:
        sigma = np.full_like(log_depth, UNSAID_SIGMA)
    else:
        sigma = np.clip(np.nan_to_num(resize_depth(prior.log_sigma, work_hw), nan=UNSAID_SIGMA), 0.02, 2.0)
    return torch.from_numpy(log_depth), torch.from_numpy(
        np.where(np.isnan(log_depth), np.nan, sigma).astype(np.float32)
    )


def depth_ranges(
    log_prior: Float32[torch.Tensor, "f h w"],
    sigma: Float32[torch.Tensor, "f h w"],
    depth_range: Float64[np.ndarray, "f 2"] | None,
) -> Float64[np.ndarray, "f 2"]:
    """Nearest and farthest plane of every frame: the range that was given and the prior's, two deviations wider."""
    ranges = np.full((len(log_prior), 2), np.nan) if depth_range is None else depth_range.astype(np.float64).copy()
    with np.errstate(invalid="ignore"):
        ranges[~((ranges > 0).all(axis=1) & np.isfinite(ranges).all(axis=1) & (ranges[:, 0] <= ranges[:, 1]))] = np.nan
    for i, (depth, wide) in enumerate(zip(log_prior.numpy(), sigma.numpy(), strict=True)):
        known = np.isfinite(depth)
        if known.any():
            # Where a range is given, the prior only has to fit in; alone it tells how far it may be off.
            widen = 2 * wide if np.isnan(ranges[i]).any() else 0 * wide
            near = float(np.exp(np.quantile((depth - widen)[known], 0.01)))
            far = float(np.exp(np.quantile((depth + widen)[known], 0.99)))
            ranges[i] = np.fmin(ranges[i, 0], near), np.fmax(ranges[i, 1], far)
    ranges[:, 1] = np.maximum(ranges[:, 1], 1.01 * ranges[:, 0])
    return ranges


def typical_depths(
    near_far: Float64[np.ndarray, "2"], log_prior: Float32[torch.Tensor, "h w"]
) -> Float64[np.ndarray, "3"]:
    """Three depths at which views are judged: the prior's quartiles, or the range's."""
    known = log_prior[torch.isfinite(log_prior)].numpy()
    if len(known):
        return np.exp(np.quantile(known, [0.2, 0.5, 0.8])).astype(np.float64)
    return np.exp(np.interp([0.3, 0.5, 0.7], [0, 1], np.log(near_far)))


def shrunk(rgb: UInt8[np.ndarray, "f h w 3"], work_hw: tuple[int, int]) -> Float32[torch.Tensor, "f 3 h2 w2"]:
    """Frames at the working size, each new pixel the mean of what it covers."""
    small = [
        nn_functional.interpolate(torch.from_numpy(one).permute(2, 0, 1)[None].float(), work_hw, mode="area")[0]
        for one in rgb  # one at a time: float32 of all frames is four times their size
    ]
    return torch.stack(small)


def grey_of(colour: Float32[torch.Tensor, "3 h w"]) -> Float32[torch.Tensor, "h w"]:
    """Brightness, 0..255."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
