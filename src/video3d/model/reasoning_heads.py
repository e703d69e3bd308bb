"""The three heads of the 3D reasoning module: relation, layout, physics.

Each reads the encoded scene around the places that it is asked about, together with exact geometry. Logits are the same after
any turn about the vertical and any shift of the world; boxes and directions turn and move with it (``reasoning_layers``).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from video3d.model.reasoning_geometry import (
    LENGTH_CODES,
    PAIR_WIDTH,
    SIZE_WIDTH,
    distance_to_things,
    farthest_points,
    length_code,
    pair_features,
    quarter_turn,
    size_features,
    soft_unit,
    unit_heading,
)
from video3d.model.reasoning_layers import (
    AXIS_SOFTNESS_M2,
    FeedForward,
    Gathered,
    NearbySelfAttention,
    PlaceAttention,
    double_angle,
    invariants,
    long_axis,
    num_invariants,
    steer,
    steer_axis,
)
from video3d.model.reasoning_types import (
    LayoutPrediction,
    Observers,
    PhysicsPrediction,
    SceneContext,
    Things,
)
from video3d.types.reasoning import RELATIONS

LAYOUT_LAYERS = 2
_FIRST_SIZE_LOG = -0.7  # half a metre: what an untrained box measures
_SIZE_LOG = (-4.6, 4.6)  # a centimetre to a hundred metres


def _points(places_world: Float32[Tensor, "b r 3"]) -> Things:
    zeros = torch.zeros_like(places_world)
    return Things(center_world=places_world, size_m=zeros, yaw_rad=zeros[..., 0])


def _gather(attention: Callable[..., Gathered], query: Tensor, things: Things, context: SceneContext) -> Gathered:
    """What is around things without NaN."""
    center = context.center_world[:, None]
    moved = Things(center_world=things.center_world - center, size_m=things.size_m, yaw_rad=things.yaw_rad)
    distance = distance_to_things(context.points_centered, context.placed, moved)
    return attention(
        query,
        moved.center_world,
        context.features,
        context.points_centered,
        context.placed,
        context.keep,
        distance,
    )


class RelationHead(nn.Module):
    """Ten logits for how one thing lies to another: what is seen around both, and how they measure against each other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.size = nn.Linear(SIZE_WIDTH, width)
        self.around = PlaceAttention(width, heads)
        self.geometry = FeedForward(PAIR_WIDTH, 2 * width, width)
        self.decide = FeedForward(4 * width, 2 * width, len(RELATIONS))

    def forward(
        self, context: SceneContext, subject: Things, reference: Things, observer: Observers
    ) -> Float32[Tensor, "b r 10"]:
        """Logits of ``RELATIONS``; those of the observer say nothing where there is none."""
        subject, reference = subject.filled(), reference.filled()
        both = Things(
            center_world=torch.cat([subject.center_world, reference.center_world], 1),
            size_m=torch.cat([subject.size_m, reference.size_m], 1),
            yaw_rad=torch.cat([subject.yaw_rad, reference.yaw_rad], 1),
        )
        whole = context.features[:, :1]
        query = self.size(size_features(both).to(whole.dtype)) + whole
        a, b = (query + _gather(self.around, query, both, context).features).chunk(2, 1)
        geometry = self.geometry(pair_features(subject, reference, observer))
        return self.decide(torch.cat([a, b, geometry.to(a.dtype), whole.expand_as(a)], -1)).float()


class LayoutHead(nn.Module):
    """Objects as a set: every query starts at a token's place and names one object or none.

    As DETR (Carion et al., arXiv 2005.12872) and 3DETR (Misra et al., arXiv 2109.08141), whose queries also start at points
    chosen by farthest point sampling; unlike there, a box is built from vectors between the scene's own points.
    """

    def __init__(self, width: int, heads: int, queries: int, categories: int) -> None:
        super().__init__()
        self.queries, self.categories, self.heads = queries, categories, heads
        self.height = nn.Linear(LENGTH_CODES, width)
        among = num_invariants(heads, 1)
        self.apart = nn.ModuleList(NearbySelfAttention(width, heads) for _ in range(LAYOUT_LAYERS))
        self.around = nn.ModuleList(PlaceAttention(width, heads) for _ in range(LAYOUT_LAYERS))
        self.mix = nn.ModuleList(FeedForward(width + among, 2 * width, width) for _ in range(LAYOUT_LAYERS))
        self.norm = nn.LayerNorm(width)
        self.splits = [categories + 1, 1, 3, 3 * (heads + 1) + 1, 2 * (2 * heads + 1)]
        self.box = FeedForward(width + among, 2 * width, sum(self.splits))

    def forward(self, context: SceneContext) -> LayoutPrediction:
        """One box a query, in the world."""
        points, placed = context.points_centered, context.placed & context.keep
        index, fresh = farthest_points(points, placed, self.queries)
        seeds = points.gather(1, index[..., None].expand(-1, -1, 3)) * fresh[..., None]
        features = context.features
        x = features.gather(1, index[..., None].expand(-1, -1, features.shape[-1]))
        x = x + self.height(length_code(seeds[..., 2]).to(x.dtype))
        # One query at least is kept where there is no place at all; it is not valid, and nothing comes of it.
        keep = torch.cat([torch.ones_like(fresh[:, :1]), fresh[:, 1:]], 1)
        to_center = -seeds[:, :, None]
        gathered, around = None, x
        for apart, look, mix in zip(self.apart, self.around, self.mix, strict=True):
            x = apart(x, seeds, fresh, keep)
            gathered = _gather(look, x, _points(seeds + context.center_world[:, None]), context)
            around = invariants(gathered, to_center).to(x.dtype)
            x = x + mix(torch.cat([x + gathered.features, around], -1))
        assert gathered is not None
        out = self.box(torch.cat([self.norm(x), around], -1)).float()
        category, quality, size, gates, axis_gates = out.split(self.splits, -1)
        vectors = torch.cat([gathered.mean_m, to_center], 2)
        axes = [soft_unit(long_axis(gathered.covariance_m2), AXIS_SOFTNESS_M2), double_angle(vectors[..., :2], 0.05)]
        return LayoutPrediction(
            category_logits=category,
            quality_logits=quality[..., 0],
            center_world=seeds + context.center_world[:, None] + steer(gates, vectors),
            log_size=(size + _FIRST_SIZE_LOG).clamp(*_SIZE_LOG),
            double_yaw=steer_axis(axis_gates, torch.cat(axes, 2)),
            valid=fresh,
        )


class PhysicsHead(nn.Module):
    """Whether a thing stays standing, which way it moves, and what happens to it next."""

    def __init__(self, width: int, heads: int, events: int) -> None:
        super().__init__()
        self.size = nn.Linear(SIZE_WIDTH, width)
        self.around = PlaceAttention(width, heads)
        self.splits = [1, 1, events, 3 * (heads + 2) + 1]
        self.decide = FeedForward(2 * width + num_invariants(heads, 2), 2 * width, sum(self.splits))

    def forward(self, context: SceneContext, thing: Things) -> PhysicsPrediction:
        """Logits and a direction for every thing.

        A box's yaw is taken as that of its front, where the caller knows one: a vehicle moves along it.
        """
        thing = thing.filled()
        whole = context.features[:, :1]
        query = self.size(size_features(thing).to(whole.dtype)) + whole
        gathered = _gather(self.around, query, thing, context)
        is_box = (thing.size_m > 0).all(-1, keepdim=True).float()
        front = torch.nn.functional.pad(-quarter_turn(unit_heading(thing.yaw_rad)) * is_box, (0, 1))
        extra = torch.stack([front, context.center_world[:, None] - thing.center_world], 2)
        seen = torch.cat(
            [
                query + gathered.features,
                whole.expand_as(query),
                invariants(gathered, extra).to(query.dtype),
            ],
            -1,
        )
        stable, still, event, gates = self.decide(seen).float().split(self.splits, -1)
        vectors = soft_unit(torch.cat([gathered.mean_m, extra], 2), 0.1)
        return PhysicsPrediction(
            stable_logits=stable[..., 0],
            still_logits=still[..., 0],
            direction_world=soft_unit(steer(gates, vectors), 1e-3),
            event_logits=event,
        )
