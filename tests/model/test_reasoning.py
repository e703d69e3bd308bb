"""The reasoning module: shapes, gradients, what padding and a moved world must not change, and that it learns."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from reasoning_scenes import CATEGORIES, CONTENT, EVENTS, Made, config, make, move
from transformers.modeling_utils import PreTrainedModel

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.reasoning import ReasoningModule
from video3d.model.reasoning_layers import NearbySelfAttention, head_widths
from video3d.model.reasoning_losses import match, spatial_loss
from video3d.model.reasoning_types import SpatialTargets, Things
from video3d.types import InputError
from video3d.types.scene_tokens import SceneTokens


@pytest.fixture(scope="module")
def made() -> Made:
    return make(seed=3, scenes=2)


@pytest.fixture(scope="module")
def module() -> ReasoningModule:
    torch.manual_seed(0)
    return ReasoningModule(config(), CONTENT).eval()


def outputs(module, made):
    with torch.no_grad():
        return module(made.scene, made.targets)


def close(found, expected, atol=2e-4):
    torch.testing.assert_close(found, expected, atol=atol, rtol=1e-4)


def test_every_part_has_its_shape(module, made):
    found = outputs(module, made)
    assert found.relation_logits.shape == (2, 12, 10)
    assert found.layout.category_logits.shape == (2, 12, len(CATEGORIES) + 1)
    assert found.layout.center_world.shape == (2, 12, 3) and found.layout.valid.all()
    assert found.physics.event_logits.shape == (2, 4, len(EVENTS))
    assert (found.physics.direction_world.norm(dim=-1) <= 1 + 1e-5).all()


def test_only_what_is_asked_is_computed(module, made):
    found = outputs(module, Made(made.scene, SpatialTargets(physics=made.targets.physics)))
    assert found.relation_logits is None and found.layout is None
    assert torch.equal(found.physics.stable_logits, outputs(module, made).physics.stable_logits)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_loss_reaches_every_parameter(made, layers):
    torch.manual_seed(0)
    module = ReasoningModule(config(reasoning_layers=layers), CONTENT)
    spatial_loss(module(made.scene, made.targets), made.targets).backward()
    idle = [name for name, p in module.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())


def padded(made, num, generator):
    """The same scenes with padding at the left that holds nonsense."""
    scene, (b, n) = made.scene, made.scene.mask.shape

    def widen(x, fill):
        return torch.cat([fill.expand(b, num, *x.shape[2:]).to(x.dtype), x], 1)

    wild = torch.randn(b, num, CONTENT, generator=generator) * 100
    wild[0, 0] = torch.nan
    return Made(
        SceneTokens(
            embeds=torch.zeros(b, n + num, 4),
            mask=widen(scene.mask, torch.zeros(1, 1, dtype=torch.bool)),
            points_world=widen(scene.points_world, torch.full((1, 1, 1), 50.0)),
            content=torch.cat([wild, scene.content], 1),
            seen_s=widen(scene.seen_s, torch.full((1, 1, 1), 99.0)),
        ),
        made.targets,
    )


def same_answers(found, expected, made, yaw=0.0, shift=(0.0, 0.0, 0.0), atol=2e-4):
    """Logits agree, and boxes and directions of ``found`` are those of ``expected`` turned and shifted."""
    seen = made.targets.relation.mask.any(-1)
    close(found.relation_logits[seen], expected.relation_logits[seen], atol)
    c, s = math.cos(yaw), math.sin(yaw)
    turn = torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    for name in ("category_logits", "quality_logits", "log_size", "valid"):
        close(getattr(found.layout, name), getattr(expected.layout, name), atol)
    close(found.layout.center_world, expected.layout.center_world @ turn.T + torch.tensor(shift), atol)
    double = torch.tensor([[math.cos(2 * yaw), -math.sin(2 * yaw)], [math.sin(2 * yaw), math.cos(2 * yaw)]])
    close(found.layout.double_yaw, expected.layout.double_yaw @ double.T, atol)
    for name in ("stable_logits", "still_logits", "event_logits"):
        close(getattr(found.physics, name), getattr(expected.physics, name), atol)
    close(found.physics.direction_world, expected.physics.direction_world @ turn.T, atol)


def test_padding_never_changes_a_result(module, made):
    wide = padded(made, 5, torch.Generator().manual_seed(1))
    same_answers(outputs(module, wide), outputs(module, made), made, atol=1e-5)


def test_a_batch_says_what_each_scene_says_alone(module, made):
    def only(x):
        return None if x is None else x[1:]

    scene = SceneTokens(**{name: only(getattr(made.scene, name)) for name in SceneTokens.__dataclass_fields__})
    alone = module.encode(scene.content, scene.points_world, scene.mask, scene.seen_s)
    both = outputs(module, made)
    close(module.layout(alone).center_world, both.layout.center_world[1:], 1e-5)


@pytest.mark.parametrize(
    ("yaw", "shift"), [(1.1, (3.0, -2.0, 0.7)), (-2.6, (-20.0, 12.0, 1.0)), (math.pi / 2, (0.0, 0.0, 0.0))]
)
def test_a_moved_world_gets_the_same_answers_moved(module, made, yaw, shift):
    moved = move(made, yaw, shift)
    expected, found = outputs(module, made), outputs(module, moved)
    same_answers(found, expected, made, yaw, shift)
    close(spatial_loss(found, moved.targets), spatial_loss(expected, made.targets), 1e-3)


def test_the_observer_turns_left_into_right(module, made):
    """Seen from the other side the relations of the observer differ, and the others stay."""
    relation = made.targets.relation
    observer = relation.observer
    opposite = replace(observer, yaw_rad=observer.yaw_rad + math.pi)
    there = Made(made.scene, SpatialTargets(relation=replace(relation, observer=opposite)))
    assert not torch.allclose(outputs(module, there).relation_logits, outputs(module, made).relation_logits)


@pytest.mark.parametrize("part", ["content", "points_world", "seen_s"])
def test_every_input_counts(module, made, part):
    value = getattr(made.scene, part).clone()
    value[:, :10] += torch.rand(value[:, :10].shape, generator=torch.Generator().manual_seed(2))
    changed = outputs(module, Made(replace(made.scene, **{part: value}), made.targets))
    before = outputs(module, made)
    assert not torch.allclose(changed.relation_logits, before.relation_logits)
    assert not torch.allclose(changed.physics.stable_logits, before.physics.stable_logits)
    assert not torch.allclose(changed.layout.category_logits, before.layout.category_logits)


def test_nearness_is_the_formula(made):
    """Five more dimensions of queries and keys are the squared distance over the head's width."""
    torch.manual_seed(1)
    layer = NearbySelfAttention(8, 2).eval()
    x, points = torch.randn(1, 6, 8), torch.randn(1, 6, 3) * 4
    placed = torch.tensor([[True, True, False, True, True, True]])
    keep = torch.tensor([[True, True, True, True, True, False]])
    points = torch.where(placed[..., None], points, 0.0)
    q, k, v = layer.qkv(layer.norm_1(x)).reshape(1, 6, 3, 2, 4).permute(2, 0, 3, 1, 4)
    apart = (points[:, :, None] - points[:, None]).square().sum(-1) * (placed[:, :, None] & placed[:, None])
    scores = q @ k.transpose(-1, -2) / 2 - apart[:, None] / (
        2 * head_widths(layer.log_width.weight)[:, None, None] ** 2
    )
    mixed = scores.masked_fill(~keep[:, None, None], -torch.inf).softmax(-1) @ v
    expected = x + layer.out(mixed.transpose(1, 2).reshape(1, 6, 8))
    expected = expected + layer.mlp(layer.norm_2(expected))
    close(layer(x, points, placed, keep), expected, 1e-5)


def empty(made, kind):
    """Scenes of which nothing is known: no tokens, all padding, no places; or fewer places than queries."""
    scene = made.scene
    if kind == "no tokens":
        return SceneTokens(
            embeds=scene.embeds[:, :0],
            mask=scene.mask[:, :0],
            points_world=scene.points_world[:, :0],
            content=scene.content[:, :0],
            seen_s=scene.seen_s[:, :0],
        )
    if kind == "all padding":
        return replace(scene, mask=torch.zeros_like(scene.mask))
    points = torch.full_like(scene.points_world, torch.nan)
    if kind == "few places":
        points[:, :3] = scene.points_world[:, :3]
    return replace(scene, points_world=points, seen_s=torch.full_like(scene.seen_s, torch.nan))


@pytest.mark.parametrize("kind", ["no tokens", "all padding", "no places", "few places"])
def test_scenes_without_anything_stay_finite(made, kind):
    torch.manual_seed(0)
    module = ReasoningModule(config(), CONTENT)
    found = module(empty(made, kind), made.targets)
    assert found.layout.valid.sum() == (6 if kind == "few places" else 0)
    loss = spatial_loss(found, made.targets)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in module.parameters())


def test_targets_of_which_nothing_is_known_cost_nothing(made):
    torch.manual_seed(0)
    module = ReasoningModule(config(), CONTENT)

    def pad(things):
        nothing = torch.full_like(things.center_world, torch.nan)
        return Things(center_world=nothing, size_m=nothing, yaw_rad=nothing[..., 0])

    relation, layout, physics = made.targets.relation, made.targets.layout, made.targets.physics
    targets = SpatialTargets(
        relation=replace(relation, subject=pad(relation.subject), reference=pad(relation.reference)),
        layout=replace(layout, boxes=pad(layout.boxes), mask=torch.zeros_like(layout.mask)),
        physics=replace(physics, thing=pad(physics.thing), direction_world=pad(physics.thing).center_world),
    )
    loss = spatial_loss(module(made.scene, targets), targets)
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in module.parameters())
    assert float(spatial_loss(module(made.scene, SpatialTargets()), SpatialTargets())) == 0


def test_parts_without_truth_do_not_dilute_the_others(module, made):
    layout = replace(made.targets.layout, mask=torch.zeros_like(made.targets.layout.mask))
    physics = made.targets.physics
    alone, beside = SpatialTargets(physics=physics), SpatialTargets(physics=physics, layout=layout)
    with torch.no_grad():
        close(spatial_loss(module(made.scene, beside), beside), spatial_loss(module(made.scene, alone), alone))


def test_matching_is_one_to_one_and_more_objects_than_queries_are_left(made):
    torch.manual_seed(0)
    module = ReasoningModule(config(layout_queries=3), CONTENT)
    scene, query, thing = match(outputs(module, made).layout, made.targets.layout)
    assert sorted(zip(scene.tolist(), query.tolist(), strict=True)) == [(s, q) for s in range(2) for q in range(3)]
    assert len(set(zip(scene.tolist(), thing.tolist(), strict=True))) == 6


def test_half_precision_weights_keep_the_geometry(module, made):
    """In bfloat16 logits are near those of float32, and places do not fall onto its grid of centimetres."""
    half = copy.deepcopy(module).to(torch.bfloat16)
    far = move(made, 0.3, (40.0, 30.0, 0.0))
    scene = replace(far.scene, content=far.scene.content.bfloat16())
    found, expected = outputs(half, Made(scene, far.targets)), outputs(module, far)
    assert found.relation_logits.dtype == found.layout.center_world.dtype == torch.float32
    assert (found.relation_logits - expected.relation_logits).abs().max() < 0.05
    assert (found.layout.center_world - expected.layout.center_world).abs().max() < 0.05
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = outputs(module, far)
    assert (cast.relation_logits - expected.relation_logits).abs().max() < 0.05
    loss = spatial_loss(half(scene, far.targets), far.targets)
    loss.backward()
    assert loss.dtype == torch.float32 and all(torch.isfinite(p.grad).all() for p in half.parameters())


def test_what_is_missing_is_named(made):
    module = ReasoningModule(config(categories=()), CONTENT)
    with pytest.raises(InputError, match="categories: expected what objects may be"):
        module.layout(module.read(made.scene))
    with pytest.raises(InputError, match=r"scene\.content: expected what each token shows"):
        module.read(replace(made.scene, content=None))


def test_targets_go_to_a_device_whole(made):
    there = made.targets.to("meta")
    assert there.relation.observer.yaw_rad.device.type == there.layout.boxes.size_m.device.type == "meta"
    assert there.physics.event.device.type == "meta"


class Holder(PreTrainedModel):
    """A model that may have the module."""

    config_class = Video3DConfig

    def __init__(self, config):
        super().__init__(config)
        self.other = torch.nn.Linear(2, 2)
        self.reasoning = ReasoningModule(config, CONTENT) if config.reasoning_layers else None
        self.post_init()


def test_a_module_that_a_checkpoint_lacks_is_initialised(tmp_path):
    Holder(config(reasoning_layers=0)).save_pretrained(tmp_path)
    module = Holder.from_pretrained(tmp_path, config=config()).reasoning
    for name, value in module.named_parameters():
        if "norm" in name and name.endswith("weight"):
            assert (value == 1).all(), name
        elif name.endswith("bias"):
            assert (value == 0).all(), name
        else:
            assert 0 < value.abs().max() < 0.2, name
