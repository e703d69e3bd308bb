"""What a depth network says, and the protocol that all of them follow.

A network says one of four things, and ``kind`` states which, so that nobody mistakes one for another:

- ``metric_depth``: z-depth in metres (the embedded network, ZoeDepth, Depth Anything V2 metric checkpoints, Depth Pro);
- ``inverse_depth``: affine-invariant disparity, ``1 / z = scale * value + shift`` with both unknown (MiDaS, Depth
  Anything V1 and V2 relative checkpoints). MiDaS: Ranftl et al., "Towards Robust Monocular Depth Estimation", 2020;
- ``relative_depth``: affine-invariant depth, ``z = scale * value + shift``;
- ``scaled_depth``: depth up to one factor, ``z = scale * value``, the same factor for all frames of a call (VGGT, Depth
  Anything 3).
"""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, UInt8

DepthKind = Literal["metric_depth", "relative_depth", "inverse_depth", "scaled_depth"]
FACTOR_KINDS: frozenset[DepthKind] = frozenset({"metric_depth", "scaled_depth"})
"""Depth itself, > 0, that a factor alone can be wrong about: no shift."""
DEPTH_OF_VIEWS = "video:none"
"""What ``--depth`` is where it is not given: many views of a recording compared, and no network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthEstimate:
    """What a depth network says about some frames.

    Attributes:
        values: at the size of the frames; NaN where the network says nothing.
        kind: what ``values`` are: metres, or right up to a scale, or to a scale and a shift (see the module).
        focal_px: focal length along x in pixels of the frame, if the network estimates it; NaN where it did not.
        log_sigma: standard deviation of ln(depth), so 0.1 is about 10 %; NaN where ``values`` is. None for a network that
            does not say how sure it is.
    """

    values: Float32[np.ndarray, "f h w"]
    kind: DepthKind
    focal_px: Float64[np.ndarray, "f"] | None = None
    log_sigma: Float32[np.ndarray, "f h w"] | None = None

    @classmethod
    def said(
        cls, values: Float32[np.ndarray, "f h w"], kind: DepthKind, focal_px: Float64[np.ndarray, "f"]
    ) -> "DepthEstimate":
        """What a network said, with NaN where that is no depth (not finite, or 0 and below where values are depth itself).

        >>> DepthEstimate.said(np.array([[[2.0, 0.0]]], np.float32), "metric_depth", np.array([np.nan])).values.tolist()
        [[[2.0, nan]]]
        """
        usable = np.isfinite(values) & ((values > 0) | (kind not in FACTOR_KINDS))
        focals = focal_px if np.isfinite(focal_px).any() else None
        return cls(values=np.where(usable, values, np.float32(np.nan)), kind=kind, focal_px=focals)


@runtime_checkable
class DepthEstimator(Protocol):
    """Anything that gives depth for RGB frames. Equal input gives equal output."""

    @property
    def name(self) -> str:
        """By which the user knows it."""
        ...

    @property
    def metric(self) -> bool:
        """Whether its values are metres."""
        ...

    @property
    def licence(self) -> str:
        """Terms of the weights as their card states them, ``unknown`` where it does not."""
        ...

    def __call__(
        self, rgb: UInt8[np.ndarray, "f h w 3"], k_px: Float64[np.ndarray, "f 3 3"] | None = None
    ) -> DepthEstimate:
        """Depth of every frame; ``k_px`` are intrinsics at the size of ``rgb``, for networks that can use them."""
        ...


@runtime_checkable
class JointDepthEstimator(DepthEstimator, Protocol):
    """One that compares the frames of a call: it says more, and in one unit, of frames that it is given together."""

    @property
    def window(self) -> int:
        """Most frames that it looks at together; 1 for none."""
        ...
