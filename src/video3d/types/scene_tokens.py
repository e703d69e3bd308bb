"""What goes into and comes out of the scene encoder. Apart from the other types because it holds torch tensors."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float32, Int32


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneInputs:
    """Frames of b scenes and whatever is known of their geometry; all geometry in float32 whatever the model's dtype.

    Attributes:
        pixel_values: normalised frames.
        points_world: world point of every patch in metres, NaN where unknown. ``None``: lifted from depth, if there is any
            and the cameras are known; else no token has a place.
        valid_share: share of each patch's pixels with known depth, its weight when patches are pooled; ``None``: 1.
        extent_world: lower and upper corner of the box around each patch's known pixels, metres, NaN where unknown.
        depth_m: z-depth of every pixel in metres, NaN where unknown.
        k_px: intrinsics at the size of the frames, NaN where unknown.
        world_from_camera: poses, NaN where unknown.
        time_s: seconds from the first frame, NaN where unknown.
        frame_mask: false for frames that only pad a batch; these come first.
    """

    pixel_values: Float[torch.Tensor, "b f 3 h w"]
    points_world: Float[torch.Tensor, "b f gh gw 3"] | None = None
    valid_share: Float[torch.Tensor, "b f gh gw"] | None = None
    extent_world: Float[torch.Tensor, "b f gh gw 2 3"] | None = None
    depth_m: Float[torch.Tensor, "b f h w"] | None = None
    k_px: Float[torch.Tensor, "b f 3 3"] | None = None
    world_from_camera: Float[torch.Tensor, "b f 4 4"] | None = None
    time_s: Float[torch.Tensor, "b f"] | None = None
    frame_mask: Bool[torch.Tensor, "b f"] | None = None


class FrameFeatures(NamedTuple):
    """What the vision tower says of the patches of m frames, as grids without class and register tokens.

    Attributes:
        patches: at the layer that scene tokens are made of.
        for_depth: at the layers that the depth head reads.
        for_objects: at the layer that the object head reads; ``None``: at that of ``patches``.
    """

    patches: Float[torch.Tensor, "m gh gw c"]
    for_depth: tuple[Float[torch.Tensor, "m gh gw c"], ...]
    for_objects: Float[torch.Tensor, "m gh gw c"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneTokens:
    """Visual tokens of b scenes in the width of the language model, each with its place.

    Attributes:
        embeds: what the language model reads, n tokens of width d; padding at the left.
        mask: true for a token, false for padding.
        points_world: metres, NaN for a token without a place (row separators, patches without depth).
        content: what each token shows, in the encoder's width and before its place is added: what the reasoning module and
            grounding look at. 0 for separators and padding.
        num_views: frames that a token was seen in: 1 in a grid, more where voxels merged them; 0 for separators and padding.
        seen_s: first and last time that it was seen, seconds; NaN where unknown.
        patch_content: as ``content``, for every patch of every frame, where it was asked for.
    """

    embeds: Float[torch.Tensor, "b n d"]
    mask: Bool[torch.Tensor, "b n"]
    points_world: Float[torch.Tensor, "b n 3"]
    content: Float[torch.Tensor, "b n c"] | None = None
    num_views: Int32[torch.Tensor, "b n"] | None = None
    seen_s: Float32[torch.Tensor, "b n 2"] | None = None
    patch_content: Float[torch.Tensor, "b f gh gw c"] | None = None
