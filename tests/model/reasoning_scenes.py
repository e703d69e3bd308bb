"""Made-up scenes for the reasoning module: boxes of four categories, each seen as points on its surface."""

import math
from dataclasses import dataclass, replace

import torch
from torch.nn import functional

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.reasoning_geometry import box_gap, into_frame, unit_heading
from video3d.model.reasoning_types import (
    LayoutTargets,
    Observers,
    PhysicsTargets,
    RelationTargets,
    SpatialTargets,
    Things,
)
from video3d.types.reasoning import RELATIONS
from video3d.types.scene_tokens import SceneTokens

CONTENT = 12
CATEGORIES, EVENTS = ("chair", "table", "ball", "car"), ("stays", "falls", "hits")
SIZES = torch.tensor([[0.5, 0.45, 0.9], [1.6, 0.8, 0.75], [0.3, 0.3, 0.3], [2.0, 0.9, 0.7]])


def config(**changes):
    settings = {
        "categories": CATEGORIES,
        "events": EVENTS,
        "reasoning_layers": 1,
        "reasoning_width": 48,
        "reasoning_heads": 4,
        "layout_queries": 12,
    }
    return Video3DConfig(**(settings | changes))


@dataclass(frozen=True)
class Made:
    scene: SceneTokens
    targets: SpatialTargets


def surface(generator, size, num):
    """Points on a box's faces, each face as often as it is large, in the box's axes."""
    area = torch.stack([size[1] * size[2], size[0] * size[2], size[0] * size[1]])
    axis = torch.multinomial(area, num, replacement=True, generator=generator)
    points = torch.rand(num, 3, generator=generator) - 0.5
    side = torch.randint(0, 2, (num,), generator=generator) - 0.5
    points[torch.arange(num), axis] = side.float()
    return points * size


def turned(points, yaw):
    c, s = math.cos(yaw), math.sin(yaw)
    return points @ torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]).T


def make(seed=0, scenes=4, objects=4, tokens_each=16, floor=24):
    """Scenes in which chairs and tables stand, balls rest on the ground and fall or hit by their category's content, cars drive."""
    generator = torch.Generator().manual_seed(seed)
    looks = torch.randn(len(CATEGORIES) + 1, CONTENT, generator=torch.Generator().manual_seed(99)) * 1.5
    centers, sizes, yaws, names, points, content = [], [], [], [], [], []
    for _ in range(scenes):
        slots = torch.randperm(9, generator=generator)[:objects]
        place = torch.stack([slots // 3 * 2.6, slots % 3 * 2.6], -1).float()
        place = place + torch.rand(objects, 2, generator=generator) * 0.6
        name = torch.randint(0, len(CATEGORIES), (objects,), generator=generator)
        size = SIZES[name] * (0.85 + 0.3 * torch.rand(objects, 3, generator=generator))
        yaw = (torch.rand(objects, generator=generator) - 0.5) * 2 * math.pi
        center = torch.cat([place, size[:, 2:] / 2 + (name == 2)[:, None] * 0.8], -1)
        seen = [turned(surface(generator, size[k], tokens_each), float(yaw[k])) + center[k] for k in range(objects)]
        ground = torch.cat([torch.rand(floor, 2, generator=generator) * 8 - 1, torch.zeros(floor, 1)], -1)
        points.append(torch.cat([*seen, ground]))
        shown = torch.cat([name.repeat_interleave(tokens_each), torch.full((floor,), len(CATEGORIES))])
        content.append(looks[shown] + 0.3 * torch.randn(len(shown), CONTENT, generator=generator))
        for kept, value in ((centers, center), (sizes, size), (yaws, yaw), (names, name)):
            kept.append(value)
    boxes = Things(center_world=torch.stack(centers), size_m=torch.stack(sizes), yaw_rad=torch.stack(yaws))
    name, points = torch.stack(names), torch.stack(points)
    b, n = points.shape[:2]
    points[:, -3:] = torch.nan  # tokens without a place
    scene = SceneTokens(
        embeds=torch.zeros(b, n, 4),
        mask=torch.ones(b, n, dtype=torch.bool),
        points_world=points,
        content=torch.stack(content),
        seen_s=torch.rand(b, n, 2, generator=generator).sort(-1).values,
    )
    return Made(
        scene,
        SpatialTargets(
            relation=relations(generator, boxes),
            layout=LayoutTargets(boxes=boxes, category=name, mask=torch.ones(b, dtype=torch.bool)),
            physics=physics(boxes, name),
        ),
    )


def physics(boxes, name):
    """Cars drive along their front (-y), balls drop; the rest stands. What happens next: by category."""
    yes = torch.ones_like(name, dtype=torch.bool)
    front = functional.pad(unit_heading(boxes.yaw_rad - math.pi / 2), (0, 1))
    down = torch.tensor([0.0, 0.0, -1.0]).expand_as(front)
    return PhysicsTargets(
        thing=boxes,
        stable=name != 2,
        stable_mask=yes,
        still=name < 2,
        direction_world=torch.where((name == 3)[..., None], front, down),
        motion_mask=yes,
        event=torch.tensor([0, 0, 1, 2])[name],
    )


def relations(generator, boxes):
    """All ordered pairs, each with an observer of its own outside the scene."""
    b, k = boxes.yaw_rad.shape
    i, j = (side.flatten() for side in torch.meshgrid(torch.arange(k), torch.arange(k), indexing="ij"))
    i, j = i[i != j], j[i != j]
    a, c = (
        Things(center_world=boxes.center_world[:, s], size_m=boxes.size_m[:, s], yaw_rad=boxes.yaw_rad[:, s])
        for s in (i, j)
    )
    heading = torch.rand(b, len(i), generator=generator) * 2 * math.pi
    middle = torch.tensor([3.0, 3.0])
    position = torch.cat([middle - 8 * unit_heading(heading), torch.full((b, len(i), 1), 1.5)], -1)
    observer = Observers(position_world=position, yaw_rad=heading)
    ahead, aside = into_frame((a.center_world - c.center_world)[..., :2], heading).unbind(-1)
    rise = a.center_world[..., 2] - c.center_world[..., 2]
    level, gap = torch.hypot(ahead, aside), box_gap(a, c)
    parts = {
        "left": (aside, 0.2),
        "right": (-aside, 0.2),
        "front": (-ahead - aside.abs(), 0.2),
        "behind": (ahead - aside.abs(), 0.2),
        "above": (rise - 0.4, 0.1),
        "below": (-rise - 0.4, 0.1),
        "on": (1.5 - level, 0.2),
        "inside": (-torch.ones_like(gap), 0.1),
        "near": (1.5 - gap, 0.15),
        "far": (gap - 3, 0.15),
    }
    margins = torch.stack([parts[name][0] for name in RELATIONS], -1)
    clear = margins.abs() > torch.tensor([parts[name][1] for name in RELATIONS])
    return RelationTargets(subject=a, reference=c, observer=observer, holds=margins > 0, mask=clear)


def move(made, yaw, shift):
    """The whole world turned about the vertical, then shifted."""
    shift = torch.tensor(shift)

    def place(points):
        return turned(points, yaw) + shift

    def things(t):
        return Things(center_world=place(t.center_world), size_m=t.size_m, yaw_rad=t.yaw_rad + yaw)

    r, layout, p = made.targets.relation, made.targets.layout, made.targets.physics
    observer = Observers(position_world=place(r.observer.position_world), yaw_rad=r.observer.yaw_rad + yaw)
    return Made(
        replace(made.scene, points_world=place(made.scene.points_world)),
        SpatialTargets(
            relation=replace(r, subject=things(r.subject), reference=things(r.reference), observer=observer),
            layout=replace(layout, boxes=things(layout.boxes)),
            physics=replace(p, thing=things(p.thing), direction_world=turned(p.direction_world, yaw)),
        ),
    )


__all__ = ["CATEGORIES", "CONTENT", "EVENTS", "Made", "config", "make", "move"]
