"""The model's configuration: two towers by their own configurations, and how the scene is tokenised between them.

Nothing of a tower is repeated here: ``vision_config`` and ``text_config`` are whatever Hugging Face configuration the
towers have, found again through ``model_type`` when a configuration is read back.
"""

from typing import Any, Literal, no_type_check

from transformers import AutoConfig
from transformers.configuration_utils import PreTrainedConfig, SubConfigSpec

PositionKind = Literal["sin3d", "mlp", "none"]
PoolMode = Literal["bilinear", "avg"]


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
        row_separators: a learned token after every row of patches, as published.
        gated: scene tokens are ``base + tanh(gate) * (projection + position)`` instead of ``projection + position``.
            While the gate is at its initial 0, ``generate`` leaves the scene out of what the language model reads: an
            untrained projector would only disturb it.
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
    row_separators: bool = True
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
        self._check()

    def _check(self) -> None:
        if self.position_kind not in ("sin3d", "mlp", "none"):
            raise ValueError(f"position_kind: expected sin3d, mlp or none, got {self.position_kind!r}")
        if self.pool_mode not in ("bilinear", "avg"):
            raise ValueError(f"pool_mode: expected bilinear or avg, got {self.pool_mode!r}")
        if self.pool < 1:
            raise ValueError(f"pool: expected 1 or more patches, got {self.pool}")
        if not self.position_voxel_m > 0:
            raise ValueError(f"position_voxel_m: expected a length > 0 in metres, got {self.position_voxel_m}")
        low, high = self.position_min_m, self.position_max_m
        if len(low) != 3 or len(high) != 3 or any(a >= b for a, b in zip(low, high, strict=True)):
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
