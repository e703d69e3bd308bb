"""The 3D reasoning module: reads scene tokens, and says how things lie, where objects are and what they do.

    content (b n c), points (b n 3) ─▶ encoder ─▶ context ─┬─▶ relation of two things: ten logits
                                                           ├─▶ layout: boxes with category and score
                                                           └─▶ physics of a thing: stable, direction, next event
It stands beside the language model and needs none: ``reasoning_findings.reason`` turns what it gives into typed results and
sentences, ``reasoning_losses.spatial_loss`` trains it.

What a turn of the world about the vertical and a shift do: logits of relations and physics, and sizes and scores of layout
stay as they are; boxes and directions move along, up to rounding. Not so: which of two equally far tokens becomes a layout
query's seed (farthest point sampling decides by the last bit), and a world mirrored or tilted is another world.
"""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.reasoning_geometry import LENGTH_CODES, length_code, scene_center
from video3d.model.reasoning_heads import LayoutHead, PhysicsHead, RelationHead
from video3d.model.reasoning_layers import NearbySelfAttention
from video3d.model.reasoning_types import (
    LayoutPrediction,
    Observers,
    PhysicsPrediction,
    SceneContext,
    SpatialPrediction,
    SpatialTargets,
    Things,
)
from video3d.types import InputError

if TYPE_CHECKING:
    from video3d.types.scene_tokens import SceneTokens

_PLACE_WIDTH = 2 * LENGTH_CODES + 1
_TIME_WIDTH = 2 * LENGTH_CODES + 1


class ReasoningModule(nn.Module):
    """Encoder and heads, as ``config.reasoning_layers``, ``_width``, ``_heads``, ``layout_queries``, ``categories`` and
    ``events`` say. Without categories there is no layout head.

    Args:
        config: of the model.
        content_width: width of ``SceneTokens.content``.

    >>> config = Video3DConfig(reasoning_layers=1, reasoning_width=16, reasoning_heads=2, layout_queries=3, categories=["bed"])
    >>> module = ReasoningModule(config, 8)
    >>> context = module.encode(torch.zeros(1, 5, 8), torch.rand(1, 5, 3), torch.ones(1, 5, dtype=torch.bool))
    >>> tuple(module.layout(context).center_world.shape)
    (1, 3, 3)
    """

    def __init__(self, config: Video3DConfig, content_width: int) -> None:
        super().__init__()
        width, heads = config.reasoning_width, config.reasoning_heads
        self.categories, self.events = tuple(config.categories), tuple(config.events)
        self.content_norm = nn.LayerNorm(content_width)
        self.content = nn.Linear(content_width, width)
        self.place = nn.Linear(_PLACE_WIDTH, width)
        self.time = nn.Linear(_TIME_WIDTH, width, bias=False)
        self.whole = nn.Embedding(1, width)
        nn.init.normal_(self.whole.weight, std=0.02)
        self.layers = nn.ModuleList(NearbySelfAttention(width, heads) for _ in range(config.reasoning_layers))
        self.norm = nn.LayerNorm(width)
        self.relation_head = RelationHead(width, heads)
        self.layout_head = (
            LayoutHead(width, heads, config.layout_queries, len(self.categories)) if self.categories else None
        )
        self.physics_head = PhysicsHead(width, heads, len(self.events))

    def encode(
        self,
        content: Float[Tensor, "b n c"],
        points_world: Float[Tensor, "b n 3"],
        mask: Bool[Tensor, "b n"],
        seen_s: Float32[Tensor, "b n 2"] | None = None,
    ) -> SceneContext:
        """Read a batch of scenes, once for all that is asked about them.

        Args:
            content: what the tokens show; whatever padding holds counts for nothing.
            points_world: metres; NaN for tokens without a place, which count with their content. No gradient goes back to
                them: a place is measured, not made to suit an answer.
            mask: false for padding.
            seen_s: first and last time of each token; without, nothing tells which way something moves but its looks.
        """
        points = points_world.detach().float()
        placed = torch.isfinite(points).all(-1) & mask
        center = scene_center(points, placed)
        points = torch.where(placed[..., None], points - center[:, None], 0.0)
        around = torch.stack([points[..., :2].norm(dim=-1), points[..., 2]], -1)
        place = torch.cat([length_code(around).flatten(-2), torch.ones_like(around[..., :1])], -1) * placed[..., None]

        dtype = self.content.weight.dtype
        content = torch.where(mask[..., None], content, 0.0).to(dtype)
        x = self.content(self.content_norm(content)) + self.place(place.to(dtype))
        if seen_s is not None:
            x = x + self.time(_age_code(seen_s.float(), mask).to(dtype))
        whole = self.whole.weight.to(x.dtype).expand(x.shape[0], 1, -1)
        x = torch.cat([whole, x], 1)  # (b 1+n d): one token for the scene, so that none is ever empty
        keep = torch.cat([mask.new_ones((mask.shape[0], 1)), mask], 1)
        placed = torch.cat([torch.zeros_like(keep[:, :1]), placed], 1)
        points = torch.cat([torch.zeros_like(center[:, None]), points], 1)
        for layer in self.layers:
            x = layer(x, points, placed, keep)
        return SceneContext(
            features=self.norm(x), keep=keep, points_centered=points, placed=placed, center_world=center
        )

    def read(self, scene: "SceneTokens") -> SceneContext:
        """``encode`` for what ``encode_scene`` gives. Errors: ``InputError`` for a scene without content."""
        if scene.content is None:
            raise InputError(
                "scene.content",
                expected="what each token shows",
                got="none",
                do="encode the scene with a model that has the reasoning module (config.reasoning_layers > 0)",
            )
        return self.encode(scene.content, scene.points_world, scene.mask, scene.seen_s)

    def relation(
        self, context: SceneContext, subject: Things, reference: Things, observer: Observers
    ) -> Float32[Tensor, "b r 10"]:
        """Logits of ``RELATIONS`` for r pairs; several may hold."""
        return self.relation_head(context, subject, reference, observer)

    def layout(self, context: SceneContext) -> LayoutPrediction:
        """All objects. Errors: ``InputError`` where the configuration has no categories."""
        if self.layout_head is None:
            raise InputError(
                "categories", expected="what objects may be", got="none", do="set config.categories before training"
            )
        return self.layout_head(context)

    def physics(self, context: SceneContext, thing: Things) -> PhysicsPrediction:
        """What p things do."""
        return self.physics_head(context, thing)

    def forward(self, scene: "SceneTokens", asked: SpatialTargets) -> SpatialPrediction:
        """What ``spatial_loss`` compares with ``asked``; of the targets only what is asked about is read, never an answer."""
        context = self.read(scene)
        relation, physics = asked.relation, asked.physics
        return SpatialPrediction(
            relation_logits=None
            if relation is None
            else self.relation(context, relation.subject, relation.reference, relation.observer),
            layout=None if asked.layout is None else self.layout(context),
            physics=None if physics is None else self.physics(context, physics.thing),
        )


def _age_code(seen_s: Float32[Tensor, "b n 2"], mask: Bool[Tensor, "b n"]) -> Float32[Tensor, "b n 7"]:
    """How long before the scene's end a token was first and last seen, at three scales (0.1 s, 1 s, and without bound)."""
    known = (torch.isfinite(seen_s).all(-1) & mask)[..., None]
    if not seen_s.shape[1]:
        return seen_s.new_zeros(*seen_s.shape[:2], _TIME_WIDTH)
    end = torch.where(known, seen_s, -torch.inf).amax((1, 2), keepdim=True)
    age = torch.where(known, end - seen_s, 0.0)
    return torch.cat([length_code(age).flatten(-2), known.float()], -1)
