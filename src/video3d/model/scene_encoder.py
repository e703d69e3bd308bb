"""From frames and their geometry to scene tokens: the half of the model that looks.

    frames ─▶ vision tower ─▶ video encoder (depth, camera, time) ─▶ content of tokens ─┐
    points, or depth (given, else predicted) and cameras ─▶ places of tokens ───────────┴▶ projector ─▶ scene tokens

Measured geometry wins: points that are given are used as they are; else they are lifted from the depth that is given; only
where there is none does the model's own depth head speak.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.depth_head import DepthHead, DepthMaps, lift_depth
from video3d.model.scene_projector import SceneProjector, token_extent
from video3d.model.tokens import GridTokens, MergedTokens, merge_by_voxel
from video3d.model.video_encoder import VideoEncoder
from video3d.types import InputError
from video3d.types.scene_tokens import FrameFeatures, SceneInputs, SceneTokens

SCENE_KEYS = tuple(field.name for field in fields(SceneInputs))
"""What of a batch goes into the scene encoder."""

FRAMES_AT_ONCE = 8
"""Frames that the vision tower sees at once without gradients: more are no faster on a CPU, and hold more memory."""


_HALVES = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedScene:
    """Scene tokens, and the depth of all frames in a row that the model saw on the way (``None`` where it did not look)."""

    tokens: SceneTokens
    predicted_depth: DepthMaps | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where patches (or tokens already) look: m frames in a row."""

    points: Float32[Tensor, "m ph pw 3"]
    share: Float32[Tensor, "m ph pw"]
    extent: Float32[Tensor, "m ph pw 2 3"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What m frames in a row show, at patches and pooled to tokens, and where tokens look."""

    patches: Float[Tensor, "m gh gw k"]
    content: Float[Tensor, "m th tw k"]
    points: Float32[Tensor, "m th tw 3"]
    share: Float32[Tensor, "m th tw"]
    extent: Float32[Tensor, "m th tw 2 3"] | None
    predicted_depth: DepthMaps | None


class SceneEncoder:
    """The encoding half of ``Video3DForConditionalGeneration``, which holds the modules."""

    config: Video3DConfig
    vision_tower: Any
    video_encoder: VideoEncoder
    scene_projector: SceneProjector
    depth_head: DepthHead | None

    def _compose_encoder(self, config: Video3DConfig, vision_tower: Any, width: int) -> None:
        self.vision_tower = vision_tower
        features_width = vision_tower.config.hidden_size
        self.video_encoder = VideoEncoder(config, features_width)
        self.scene_projector = SceneProjector(config, features_width, width)
        layers = max(len(config.depth_layers), 1)
        self.depth_head = DepthHead(features_width, layers) if config.depth_head else None
        # CLIP, SigLIP and ViT refuse other sizes than their own unless asked; DINO always interpolates.
        parameters = inspect.signature(type(vision_tower).forward).parameters
        self._interpolate = {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in parameters else {}

    def patch_features(self, pixel_values: Float[Tensor, "m 3 h w"]) -> FrameFeatures:
        """Patch tokens of frames, at every layer that something is made of."""
        layer, depth_layers = self.config.vision_feature_layer, self.config.depth_layers if self.depth_head else ()
        blocks = self.config.object_blocks
        outputs = self.vision_tower(
            pixel_values=pixel_values.to(self.vision_tower.dtype),
            output_hidden_states=layer is not None or len(depth_layers) > 0 or blocks > 0,
            **self._interpolate,
        )
        tokens = outputs.last_hidden_state if layer is None else outputs.hidden_states[layer]
        rows, columns = (side // self.config.patch_px for side in pixel_values.shape[-2:])
        extra = tokens.shape[1] - rows * columns
        # Class and register tokens come first in every tower of this kind; more than a few is another kind of tower.
        most = 2 + int(getattr(self.vision_tower.config, "num_register_tokens", 0) or 0)
        if not 0 <= extra <= most:
            raise InputError(
                f"vision tower {self.vision_tower.config.model_type}",
                expected=f"{rows} x {columns} patch tokens and at most {most} others",
                got=f"{tokens.shape[1]} tokens",
                do="use a tower that gives one token a patch: DINOv2, DINOv3, SigLIP, CLIP or ViT",
            )

        def grid(tokens: Tensor) -> Tensor:
            return tokens[:, extra:].unflatten(1, (rows, columns))

        features = grid(tokens)
        for_depth = tuple(grid(outputs.hidden_states[at]) for at in depth_layers) or (features,)
        return FrameFeatures(features, for_depth, grid(outputs.hidden_states[-1 - blocks]) if blocks else None)

    def frame_features(self, frames: Float[Tensor, "m 3 h w"]) -> FrameFeatures:
        """``patch_features`` of many frames, a few at a time where no gradient wants them all."""
        at_once = len(frames) if torch.is_grad_enabled() else FRAMES_AT_ONCE
        looked = [self.patch_features(part) for part in frames.split(max(at_once, 1))]
        layers = zip(*(one.for_depth for one in looked), strict=True)
        for_objects = [one.for_objects for one in looked if one.for_objects is not None]
        return FrameFeatures(
            torch.cat([one.patches for one in looked]),
            tuple(torch.cat(parts) for parts in layers),
            torch.cat(for_objects) if for_objects else None,
        )

    @torch.no_grad()
    def predict_depth(
        self, pixel_values: Float[Tensor, "m 3 h w"], k_px: Float[Tensor, "m 3 3"] | None = None
    ) -> DepthMaps:
        """Depth of frames alone, by the tower and its head: the first half of what a scene is encoded by.

        Args:
            pixel_values: normalised as the processor does.
            k_px: intrinsics at their size.

        Raises:
            InputError: the model has no depth head.
        """
        if self.depth_head is None:
            raise InputError("model", expected="one with a depth head", got="none", do="use nano, or train one")
        return self._depth_of(self.patch_features(pixel_values).for_depth, k_px, pixel_values.shape[-2:])

    def encode_inputs(
        self,
        inputs: SceneInputs,
        *,
        keep_patches: bool = False,
        features: FrameFeatures | None = None,
        judges_depth: bool = True,
    ) -> EncodedScene:
        """Scene tokens of a batch, with gradients where they are enabled.

        Args:
            inputs: frames and geometry.
            keep_patches: keep what every patch shows (``SceneTokens.patch_content``), for grounding as published.
            features: what ``patch_features`` said of all frames before; their pixels are then not looked at.
            judges_depth: predict depth also where it is measured, to be judged by it; else only where it serves.

        Raises:
            InputError: points of another grid than the frames', or geometry that is not in float32.
        """
        b, f = inputs.pixel_values.shape[:2]
        seen = self._look(inputs, features, judges_depth=judges_depth)
        patches = seen.patches.unflatten(0, (b, f)) if keep_patches else None
        if self.config.arrangement == "voxel":
            config = self.config
            tokens = self._tokens_to_merge(inputs, seen)
            merged = merge_by_voxel(tokens, voxel_m=config.token_voxel_m, max_tokens=config.max_scene_tokens)
            scene = self.scene_of_merged(merged, patches)
        else:
            scene = self._grid(inputs, seen, patches)
        return EncodedScene(tokens=scene, predicted_depth=seen.predicted_depth)

    @torch.no_grad()
    def tokens_to_merge(
        self, inputs: SceneInputs, *, first_frame: int = 0, features: FrameFeatures | None = None
    ) -> GridTokens:
        """What frames show and where, not yet merged: what a stream collects (``scene_stream.SceneAccumulator``).

        Args:
            inputs: the next frames of a video; a temporal part sees no others.
            first_frame: number of the first of them in the video.
            features: of the frames (``frame_features``), where they have been looked at before.
        """
        return self._tokens_to_merge(inputs, self._look(inputs, features, judges_depth=False), first_frame)

    def scene_of_merged(self, merged: MergedTokens, patches: Float[Tensor, "b f gh gw k"] | None = None) -> SceneTokens:
        """Scene tokens of what was merged, at once or by a stream."""
        placed = merged.points_world.isfinite().all(-1)
        embeds = self.scene_projector.embed(merged.content, merged.points_world, placed)
        return SceneTokens(
            embeds=torch.where(merged.mask[..., None], embeds, 0.0).to(self.language_dtype),
            mask=merged.mask,
            points_world=merged.points_world,
            content=merged.content,
            num_views=merged.num_views,
            seen_s=merged.seen_s,
            patch_content=patches,
        )

    def _needs_own_depth(self, inputs: SceneInputs) -> bool:
        """Whether a frame has neither depth nor points, so that the depth head's word counts."""
        if inputs.depth_m is not None:
            return bool(_unmeasured(inputs.depth_m, inputs).any())
        encodes = self.config.depth_encoding or self.config.depth_attention
        if inputs.points_world is None or encodes:
            return True
        placed = inputs.points_world.isfinite().all(-1).flatten(2).any(-1)
        return bool((frames_seen(inputs) & ~placed).any())

    def _look(
        self,
        inputs: SceneInputs,
        known: FrameFeatures | None = None,
        *,
        judges_depth: bool,
    ) -> _Seen:
        _check_whole(inputs)
        b, f = inputs.pixel_values.shape[:2]
        frames = inputs.pixel_values.flatten(0, 1)
        features, layers, _ = known or self.frame_features(frames)
        size_hw = (int(frames.shape[-2]), int(frames.shape[-1]))
        maps: DepthMaps | None = None
        if self.depth_head is not None and (judges_depth or self._needs_own_depth(inputs)):
            k_px = None if inputs.k_px is None else inputs.k_px.flatten(0, 1)
            maps = self._depth_of(layers, k_px, size_hw)
        predicted = None if maps is None else maps.depth_m.unflatten(0, (b, f))
        depth = predicted if inputs.depth_m is None else _measured_first(inputs.depth_m, predicted, inputs)
        encoded = self.video_encoder(
            features.unflatten(0, (b, f)),
            depth_m=depth,
            k_px=inputs.k_px,
            world_from_camera=inputs.world_from_camera,
            time_s=inputs.time_s,
            frame_mask=inputs.frame_mask,
            size_hw=size_hw,
        ).flatten(0, 1)
        patches = self.scene_projector.patch_content(encoded)
        content = self.scene_projector.pool_content(patches)
        places = self._places(inputs, depth, encoded.shape[1:3], content.shape[1:3])
        points, share = self.scene_projector.pool_places(places.points, places.share, content.shape[1:3])
        return _Seen(
            patches=patches,
            content=content,
            points=points,
            share=share,
            extent=token_extent(places.extent, content.shape[1:3], self.scene_projector.pool),
            predicted_depth=maps,
        )

    def _depth_of(
        self, layers: tuple[Tensor, ...], k_px: Float[Tensor, "m 3 3"] | None, size_hw: Sequence[int]
    ) -> DepthMaps:
        assert self.depth_head is not None
        covered = (layers[0].shape[1] * self.config.patch_px, layers[0].shape[2] * self.config.patch_px)
        return self.depth_head(layers, k_px, (int(size_hw[0]), int(size_hw[1])), covered)

    def _places(
        self,
        inputs: SceneInputs,
        depth_m: Float[Tensor, "b f h w"] | None,
        patches_hw: Sequence[int],
        tokens_hw: Sequence[int],
    ) -> _Places:
        num_frames = inputs.pixel_values.shape[0] * inputs.pixel_values.shape[1]
        device = inputs.pixel_values.device
        points, share = inputs.points_world, inputs.valid_share
        if points is not None:
            grid = tuple(points.shape[2:4])
            if grid not in (tuple(patches_hw), tuple(tokens_hw)) or points.dtype != torch.float32:
                raise InputError(
                    "points_world",
                    expected=f"one float32 point for each of {patches_hw[0]} x {patches_hw[1]} patches",
                    got=f"{grid[0]} x {grid[1]} in {points.dtype}",
                    do=f"lift patches of {self.config.patch_px} px, and do not cast points with the pixels",
                )
            points = points.flatten(0, 1)
            share = torch.ones_like(points[..., 0]) if share is None else share.flatten(0, 1).float()
            # Merged tokens stay as they are: the prompt's placeholders were counted by the points that came with it.
            if self.depth_head is not None and depth_m is not None and self.config.arrangement == "grid":
                points, share = self._own_places(inputs, depth_m, points, share)
        elif depth_m is not None and inputs.k_px is not None and inputs.world_from_camera is not None:
            points, share = lift_depth(
                depth_m.flatten(0, 1),
                inputs.k_px.flatten(0, 1),
                inputs.world_from_camera.flatten(0, 1),
                self.config.patch_px,
            )
        else:
            points = torch.full((num_frames, *patches_hw, 3), torch.nan, device=device)
            share = torch.zeros(num_frames, *patches_hw, device=device)
        extent = None if inputs.extent_world is None else inputs.extent_world.flatten(0, 1).float()
        return _Places(points=points, share=share, extent=extent)

    def _own_places(self, inputs: SceneInputs, depth_m: Tensor, points: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Places by the model's own depth for frames that nothing is known of, beside those that were given."""
        if inputs.k_px is None or inputs.world_from_camera is None:
            return points, share
        unmeasured = frames_seen(inputs) if inputs.depth_m is None else _unmeasured(inputs.depth_m, inputs)
        nowhere = unmeasured.flatten() & ~points.isfinite().all(-1).flatten(1).any(1)
        cameras = (inputs.k_px.flatten(0, 1), inputs.world_from_camera.flatten(0, 1))
        own, own_share = lift_depth(depth_m.flatten(0, 1), *cameras, self.config.patch_px)
        if own.shape != points.shape:  # given for tokens
            own, own_share = self.scene_projector.pool_places(own, own_share, points.shape[1:3])
        nowhere = nowhere[:, None, None]
        return torch.where(nowhere[..., None], own, points), torch.where(nowhere, own_share, share)

    def _grid(self, inputs: SceneInputs, seen: _Seen, patches: Tensor | None) -> SceneTokens:
        """Every frame's rows of tokens, one frame after another."""
        projector, (b, f) = self.scene_projector, inputs.pixel_values.shape[:2]
        embeds, points = projector.lay_out(seen.content, seen.points, seen.share, seen.extent)
        n = embeds.shape[1]
        shown = frames_seen(inputs).repeat_interleave(n, 1)
        is_token = projector.separate_rows(torch.ones_like(seen.share)[..., None], 0.0)[..., 0] > 0
        is_token = is_token.view(b, f * n) & shown
        times = frame_times(inputs).float()[:, :, None, None].expand(b, f, n, 2).reshape(b, f * n, 2)
        return SceneTokens(
            embeds=embeds.view(b, f * n, -1).to(self.language_dtype),
            mask=shown,
            points_world=points.view(b, f * n, 3),
            content=projector.separate_rows(seen.content, 0.0).view(b, f * n, -1),
            num_views=is_token.to(torch.int32),
            seen_s=torch.where(is_token[..., None], times, torch.nan),
            patch_content=patches,
        )

    def _tokens_to_merge(self, inputs: SceneInputs, seen: _Seen, first_frame: int = 0) -> GridTokens:
        b, f = inputs.pixel_values.shape[:2]
        per_frame = seen.share.shape[1] * seen.share.shape[2]

        def rows(grid: Tensor) -> Tensor:
            return grid.reshape(b, f * per_frame, *grid.shape[3:])

        def each_token(of_frame: Tensor) -> Tensor:
            return of_frame.repeat_interleave(per_frame, 1)

        distance = None
        if inputs.world_from_camera is not None:
            eyes = each_token(inputs.world_from_camera[..., :3, 3].float())
            distance = (rows(seen.points) - eyes).norm(dim=-1)
        return GridTokens(
            content=rows(seen.content),
            points_world=rows(seen.points),
            weight=rows(seen.share),
            frame=each_token((first_frame + torch.arange(f, device=seen.points.device)).expand(b, f)),
            mask=each_token(frames_seen(inputs)),
            distance_m=distance,
            time_s=None if inputs.time_s is None else each_token(inputs.time_s.float()),
        )

    @property
    def language_dtype(self) -> torch.dtype:
        """Of the language model, which reads the tokens."""
        language_model: nn.Module = self.language_model  # pyright: ignore[reportAttributeAccessIssue]
        return next(language_model.parameters()).dtype


def _check_whole(inputs: SceneInputs) -> None:
    frames = tuple(inputs.pixel_values.shape[:2])
    if not frames[1]:
        raise InputError("pixel_values", expected="one frame or more", got="none", do="read the clip again")
    for field in fields(inputs):
        value = getattr(inputs, field.name)
        if value is not None and tuple(value.shape[:2]) != frames:
            raise InputError(
                field.name, expected=f"{frames[0]} scenes of {frames[1]} frames, as many as pixel_values has",
                got=f"{value.shape[0]} of {value.shape[1]}", do="cut pixels and geometry alike",
            )  # fmt: skip
        if field.name not in ("pixel_values", "points_world") and value is not None and value.dtype in _HALVES:
            raise InputError(
                field.name, expected="float32, whatever the model's dtype", got=value.dtype,
                do="do not cast geometry with the pixels: metres would lose their centimetres",
            )  # fmt: skip


def _unmeasured(depth_m: Tensor, inputs: SceneInputs) -> Tensor:
    """Frames (b f) without any known depth, those that only pad left aside."""
    return frames_seen(inputs) & ~(depth_m.isfinite() & (depth_m > 0)).flatten(2).any(-1)


def _measured_first(depth_m: Tensor, predicted_m: Tensor | None, inputs: SceneInputs) -> Tensor:
    if predicted_m is None:
        return depth_m
    return torch.where(_unmeasured(depth_m, inputs)[..., None, None], predicted_m, depth_m)


def frames_seen(inputs: SceneInputs) -> Tensor:
    """``frame_mask`` (b f), all true where none was given."""
    if inputs.frame_mask is not None:
        return inputs.frame_mask
    return torch.ones(inputs.pixel_values.shape[:2], dtype=torch.bool, device=inputs.pixel_values.device)


def frame_times(inputs: SceneInputs) -> Tensor:
    """Seconds of every frame (b f), NaN where unknown."""
    if inputs.time_s is not None:
        return inputs.time_s
    return torch.full(inputs.pixel_values.shape[:2], torch.nan, device=inputs.pixel_values.device)
