"""A tiny module learns the scenes it is shown: relations, boxes and physics. Seeded; ten to fifteen seconds on one core."""

import pytest
import torch
from reasoning_scenes import CATEGORIES, CONTENT, config, make

from video3d.geometry.boxes import iou_3d
from video3d.model.reasoning import ReasoningModule
from video3d.model.reasoning_findings import reason
from video3d.model.reasoning_losses import spatial_loss
from video3d.types import Box3D

STEPS = 130


@pytest.fixture(scope="module")
def learned():
    torch.manual_seed(0)
    made = make(seed=0, scenes=5)
    module = ReasoningModule(config(), CONTENT)
    optimizer = torch.optim.AdamW(module.parameters(), lr=5e-3, weight_decay=0.01, foreach=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=STEPS)
    for _ in range(STEPS):
        loss = spatial_loss(module(made.scene, made.targets), made.targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    module.eval()
    with torch.no_grad():
        return module, made, module(made.scene, made.targets)


def test_relations(learned):
    _, made, found = learned
    truth = made.targets.relation
    right = ((found.relation_logits > 0) == truth.holds)[truth.mask]
    assert right.float().mean() > 0.95


def test_physics(learned):
    _, made, found = learned
    truth, physics = made.targets.physics, found.physics
    assert ((physics.stable_logits > 0) == truth.stable).float().mean() > 0.95
    assert ((physics.still_logits > 0) == truth.still).float().mean() > 0.95
    assert (physics.event_logits.argmax(-1) == truth.event).float().mean() > 0.95
    along = (physics.direction_world * truth.direction_world).sum(-1)[~truth.still]
    assert (along > 0.9).float().mean() > 0.95


def truth_box(boxes, scene, index):
    yaw = boxes.yaw_rad[scene, index].double()
    c, s = yaw.cos(), yaw.sin()
    turn = torch.stack([torch.stack([c, -s, c * 0]), torch.stack([s, c, c * 0]), torch.eye(3, dtype=torch.float64)[2]])
    return Box3D(
        center_world=boxes.center_world[scene, index].double().numpy(),
        size_m=boxes.size_m[scene, index].double().numpy(),
        world_from_box=turn.numpy(),
    )


def test_layout(learned):
    module, made, _ = learned
    truth = made.targets.layout
    hits, proposed, objects = 0, 0, truth.category.numel()
    for scene in range(truth.category.shape[0]):
        found = reason(module, made.scene, "layout", scene_index=scene, score_threshold=0.4).detections
        proposed += len(found)
        for k, category in enumerate(truth.category[scene].tolist()):
            box = truth_box(truth.boxes, scene, k)
            hits += any(d.label == CATEGORIES[category] and iou_3d(d.box, box) > 0.25 for d in found)
    assert hits / objects > 0.9
    assert proposed <= 1.25 * objects  # and it does not get there by naming things everywhere
