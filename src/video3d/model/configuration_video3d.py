"""The model's configuration: two towers by their own configurations, and how the scene is tokenised between them.

Nothing of a tower is repeated here: ``vision_config`` and ``text_config`` are whatever Hugging Face configuration the
towers have, found again through ``model_type`` when a configuration is read back.
"""

from typing import Any, Literal, get_args, no_type_check

from transformers import AutoConfig
from transformers.configuration_utils import PreTrainedConfig, SubConfigSpec

PositionKind = Literal["sin3d", "mlp", "none"]
PositionPoints = Literal["mean", "center", "minmax"]
PoolMode = Literal["bilinear", "avg"]
TemporalScope = Literal["patch", "scene"]
Arrangement = Literal["grid", "voxel"]
Notes = Literal["conclusions", "places", "none"]


_CHOICES: dict[str, Any] = {
    "position_kind": PositionKind,
    "position_points": PositionPoints,
    "pool_mode": PoolMode,
    "temporal_scope": TemporalScope,
    "arrangement": Arrangement,
    "notes": Notes,
}


MOST_ZOOM = 4
"""Of frames for the object head: with more, one takes minutes on a CPU."""

_WHOLE = {
    "pool": 2, "scene_token_id": 0, "vision_feature_layer": -2, "projector_width": 576, "temporal_layers": 4, "temporal_heads": 12,
    "reasoning_layers": 2, "reasoning_width": 256, "reasoning_heads": 8, "layout_queries": 64, "max_scene_tokens": 2000,
    "ground_token_id": 7, "coord_token_id": 8, "object_width": 512, "object_blocks": 3, "object_zoom": 2,
}  # fmt: skip


# Its generated __init__ accepts more than the declared fields, which run-time checkers of the signature would refuse.
@no_type_check
class Video3DConfig(PreTrainedConfig):
    """Configuration of ``Video3DForConditionalGeneration``.

    The defaults of the position are those of the published Video-3D LLM (arXiv 2412.00493): voxels of 0.1 m in a box of
    30 x 30 x 10 m around the world's origin.

    Attributes:
        vision_config: any vision tower of ``AutoModel`` that gives patch tokens (DINOv2, DINOv3, SigLIP, CLIP, ViT).
            The configuration of a whole CLIP or SigLIP stands for its vision half.
        text_config: any language model of ``AutoModelForCausalLM``.
        scene_token_id: id of the placeholder ``<scene>``; a prompt holds one for every scene token.
        vision_feature_layer: which hidden state of the vision tower is read, as an index into ``hidden_states`` (-2:
            the last layer but one). ``None``: the tower's output after its final norm.
        pool: patches per token along each side of the image.
        pool_mode: ``bilinear`` interpolates the patch grid down (as published), ``avg`` averages blocks. They agree
            where ``pool`` is 2 and divides the grid; beyond 2, ``bilinear`` skips patches.
        pool_after_projector: project every patch and pool then, as the published model does. It costs ``pool**2`` times
            the projection.
        projector_width: width between the projector's two layers; ``None`` takes the language model's.
        position_kind: ``sin3d`` (sines of voxel indices, as published), ``mlp`` (learned) or ``none``.
        position_voxel_m: side of a voxel in metres.
        position_min_m: lower corner of the box that positions are clamped to, metres.
        position_max_m: upper corner.
        position_temperature: the longest wavelength's factor in ``sin3d``.
        position_points: which point of a token is encoded: the ``mean`` of its known pixels (as published), its ``center``,
            or both corners of the box around its pixels, each with half of the width (``minmax``).
        row_separators: a learned token after every row of patches, as published. Only in a ``grid``.
        arrangement: ``grid`` gives every frame its rows of tokens, as published; ``voxel`` merges tokens that look at the
            same voxel, so that their number follows the scene and not the length of the video.
        token_voxel_m: side of those voxels in metres.
        max_scene_tokens: most tokens of a scene in ``voxel``; the ones kept cover the scene best. ``None``: all.
        depth_encoding: add a convolution over the depth map to the patch features.
        camera_encoding: add intrinsics and pose of every frame to its patch features; frames without are left alone.
        temporal_layers: layers of the transformer over frames; 0: none. The reference has 4.
        temporal_heads: heads of it; must divide the vision tower's width. The reference has 12 at width 768.
        temporal_scope: ``patch``: each place of the grid attends to itself over time; ``scene``: every patch to all patches
            of all frames.
        depth_attention: subtract s·|d_q - d_k| from the scores of that transformer, d the patches' z-depth in metres and s
            >= 0 learned for every head.
        depth_head: a metric depth head on the vision tower, which serves where a clip has no depth. Merged by ``voxel``, such
            frames are encoded with it but get no places from it: their number of tokens has to be known before the model runs.
        depth_layers: hidden states of the vision tower that the depth head reads, 0 its embeddings; none: what scene tokens
            are made of.
        depth_trained: whether the depth head has been trained; set by whoever did.
        object_head: a head by which every patch says what it shows and where the thing's box is. Needs ``categories``.
        object_width: width of it.
        object_blocks: blocks of its own that it has in place of as many last ones of the vision tower, as wide; 0: it reads what
            scene tokens are made of.
        object_zoom: how many times as large frames are looked at once more for it, where they are large enough; 1: they are not.
        object_colors: colours that it tells apart.
        objects_trained: whether it has been trained; set by whoever did.
        notes: what stands beside a question, where things are found by name: what geometry ``conclusions`` come to (where none,
            as next), the ``places`` of the things that it names, or ``none``.
        reasoning_layers: layers of the 3D reasoning module (relations, layout, physics); 0: none.
        reasoning_width: width of it.
        reasoning_heads: attention heads of it.
        layout_queries: most objects that its layout predictor names.
        categories: what the objects may be.
        events: what the physics predictor may say of what happens next.
        grounding: heads that score objects against a phrase, as published.
        grounding_temperature: of InfoNCE.
        ground_token_id: id of ``<ground>``, whose hidden state is the phrase; ``None``: the last token's is.
        coord_token_id: id of ``<coord>``, to whose embedding the code of a given point is added; ``None``: no such token.
        depth_loss_weight: of the depth head's loss beside the language model's.
        spatial_loss_weight: of the reasoning module's.
        compat_unknown_depth: where tokens of square frames and objects of grounding take their places from depth, let unknown
            depth vote as 0 m, that is with the camera's own place, as the published code does. Done by the processor and by
            ``video3d ground``; only for weights that were trained so.
        compat_half_coordinates: round coordinates to half precision before they are encoded, as the published evaluation
            does. Only to repeat it.
        gated: scene tokens are ``base + tanh(gate) * (projection + position)`` instead of ``projection + position``.
            While the gate is at its initial 0, ``generate`` leaves the scene out of what the language model reads: an
            untrained projector would only disturb it.
        grounding_trained: whether the grounding heads have been trained; set by whoever did.
        reasoning_trained: whether the reasoning module has been trained.
        scene_trained: whether the path from pixels and points to scene tokens has been trained: a statement for whoever
            uses the model, set by the training recipe. While it is false, words about the scene come from the rest of
            the prompt.

    >>> config = Video3DConfig(vision_config={"model_type": "dinov2", "patch_size": 14}, pool=2)
    >>> config.vision_config.model_type, config.position_kind, config.patch_px
    ('dinov2', 'sin3d', 14)
    """

    model_type = "video3d"
    sub_configs_defaults = {  # noqa: RUF012  declared so by the base class
        "vision_config": SubConfigSpec(config_class=AutoConfig, model_type="dinov2"),
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="llama"),
    }

    vision_config: dict | PreTrainedConfig | None = None
    text_config: dict | PreTrainedConfig | None = None
    scene_token_id: int = 0
    vision_feature_layer: int | None = None
    pool: int = 2
    pool_mode: PoolMode = "bilinear"
    pool_after_projector: bool = False
    projector_width: int | None = None
    position_kind: PositionKind = "sin3d"
    position_voxel_m: float = 0.1
    position_min_m: list[float] | tuple[float, ...] = (-15.0, -15.0, -5.0)
    position_max_m: list[float] | tuple[float, ...] = (15.0, 15.0, 5.0)
    position_temperature: float = 10000.0
    position_points: PositionPoints = "mean"
    row_separators: bool = True
    arrangement: Arrangement = "grid"
    token_voxel_m: float = 0.2
    max_scene_tokens: int | None = None
    depth_encoding: bool = False
    camera_encoding: bool = False
    temporal_layers: int = 0
    temporal_heads: int = 12
    temporal_scope: TemporalScope = "patch"
    depth_attention: bool = False
    depth_head: bool = False
    depth_layers: list[int] | tuple[int, ...] = ()
    depth_trained: bool = False
    object_head: bool = False
    object_blocks: int = 0
    object_width: int = 512
    object_zoom: int = 1
    object_colors: list[str] | tuple[str, ...] = ()
    objects_trained: bool = False
    notes: Notes = "conclusions"
    reasoning_layers: int = 0
    reasoning_width: int = 256
    reasoning_heads: int = 8
    layout_queries: int = 64
    categories: list[str] | tuple[str, ...] = ()
    events: list[str] | tuple[str, ...] = ()
    grounding: bool = False
    grounding_temperature: float = 0.07
    ground_token_id: int | None = None
    coord_token_id: int | None = None
    depth_loss_weight: float = 0.1
    spatial_loss_weight: float = 0.2
    compat_unknown_depth: bool = False
    compat_half_coordinates: bool = False
    grounding_trained: bool = False
    reasoning_trained: bool = False
    gated: bool = True
    scene_trained: bool = False
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        """Build the towers' configurations and refuse values that no model can be built from."""
        super().__post_init__(**kwargs)
        vision_half = getattr(self.vision_config, "vision_config", None)
        if isinstance(vision_half, PreTrainedConfig):  # a whole CLIP or SigLIP was named
            self.vision_config = vision_half
        if not self.tie_word_embeddings:  # the language model decides
            self.tie_word_embeddings = bool(getattr(self.text_config, "tie_word_embeddings", False))
        self.position_min_m, self.position_max_m = list(self.position_min_m), list(self.position_max_m)
        self.depth_layers = list(self.depth_layers)
        self.categories, self.events = list(self.categories), list(self.events)
        self.object_colors = list(self.object_colors)
        self._check()

    def _check(self) -> None:
        for name, kind in _CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name}: expected one of {', '.join(get_args(kind))}, got {getattr(self, name)!r}")
        for name, value in _WHOLE.items():
            given = getattr(self, name)
            if given is None and getattr(type(self), name) is None:  # none is one of its values
                continue
            if not isinstance(given, int) or isinstance(given, bool):
                raise ValueError(f"{name}: expected a whole number, such as {value}, got {given!r}")
        for name in ("temporal_layers", "reasoning_layers", "object_blocks"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected 0 (none) or more, got {getattr(self, name)}")
        for name in (
            "temporal_heads",
            "reasoning_heads",
            "reasoning_width",
            "layout_queries",
            "max_scene_tokens",
            "projector_width",
            "object_width",
            "object_zoom",
        ):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        for name in ("token_voxel_m", "grounding_temperature", "position_temperature", "position_voxel_m"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: expected a finite number > 0, got {getattr(self, name)}")
        for name in ("depth_loss_weight", "spatial_loss_weight"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: expected a finite number >= 0, got {getattr(self, name)}")
        for name in ("scene_token_id", "ground_token_id", "coord_token_id"):
            if getattr(self, name) is not None and getattr(self, name) < 0:
                raise ValueError(f"{name}: expected a token's id, got {getattr(self, name)}")
        num_layers = getattr(self.vision_config, "num_hidden_layers", None)
        for at in self.depth_layers:
            if (
                not isinstance(at, int)
                or isinstance(at, bool)
                or at < 0
                or (num_layers is not None and at > num_layers)
            ):
                raise ValueError(f"depth_layers: expected numbers from 0 to {num_layers}, got {at!r}")
        if self.object_blocks and not (self.object_head and self.object_blocks <= (num_layers or 0)):
            raise ValueError(
                f"object_blocks: expected object_head with it and at most {num_layers}, got {self.object_blocks}"
            )
        if self.object_zoom > MOST_ZOOM or (self.object_zoom > 1 and not self.object_head):
            raise ValueError(
                f"object_zoom: expected 1 to {MOST_ZOOM}, and object_head with more than 1, got {self.object_zoom}"
            )
        if self.object_head and not self.categories:
            raise ValueError("object_head: expected categories with it, which say what objects may be, got none")
        if self.depth_attention and not self.temporal_layers:
            raise ValueError("depth_attention: expected temporal_layers > 0 with it, got 0")
        if self.max_scene_tokens is not None and self.arrangement == "grid":
            raise ValueError(
                "max_scene_tokens: expected arrangement voxel with it (a grid keeps every token), got grid"
            )
        if self.arrangement == "voxel" and self.position_points == "minmax":
            raise ValueError(
                "position_points: expected mean or center with merged tokens (arrangement voxel), got minmax"
            )
        if self.reasoning_layers and self.reasoning_width % self.reasoning_heads:
            raise ValueError(
                f"reasoning_heads: expected a divisor of {self.reasoning_width}, got {self.reasoning_heads}"
            )
        if self.pool < 1:
            raise ValueError(f"pool: expected 1 or more patches, got {self.pool}")
        low, high = self.position_min_m, self.position_max_m
        if (
            len(low) != 3
            or len(high) != 3
            or not all(-float("inf") < a < b < float("inf") for a, b in zip(low, high, strict=True))
        ):
            raise ValueError(
                f"position_min_m, position_max_m: expected two corners, lower and upper, got {low}, {high}"
            )

    @property
    def patch_px(self) -> int:
        """Side of a patch of the vision tower in pixels: what ``lift_patches`` has to be asked for."""
        patch = self.vision_config.patch_size  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        sides = (patch, patch) if isinstance(patch, int) else tuple(patch)
        if len(sides) != 2 or sides[0] != sides[1]:
            raise ValueError(f"vision_config.patch_size: expected square patches, got {patch}")
        return int(sides[0])
