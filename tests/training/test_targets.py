"""Targets of the heads: they agree with the questions, say nothing that is not known, move with the world, and can be learned."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from video3d.data.questions.arrangement import is_still
from video3d.data.questions.physics_stability import topples
from video3d.data.questions.relation_classes import relation_states
from video3d.data.questions.relations_contact import on
from video3d.data.questions.visibility import seen_mask
from video3d.data.truth import GROUND
from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.reasoning import ReasoningModule
from video3d.model.reasoning_losses import layout_loss, physics_loss, relation_loss, spatial_loss
from video3d.model.reasoning_types import SpatialTargets
from video3d.training.targets import (
    CATEGORIES,
    EVENTS,
    draw_evenly,
    shown,
    spatial_targets,
    stack_targets,
    truth_alignment,
)
from video3d.training.targets_grounding import meant_by, phrase_target, shown_boxes, stack_phrases
from video3d.training.targets_physics import fates
from video3d.types import Box3D, GeometryStatus, InputError, PosedClip, World
from video3d.types.reasoning import RELATIONS
from video3d.types.scene_tokens import SceneTokens

sys.path.append(str(Path(__file__).parents[1] / "data" / "questions"))
from moving import asked, clip, line, mover, still_thing, touch
from scenes import as_row, moved, sample_room, yaw_pose
from small_clips import small_clip

FALL_S = 2.0


def room(seed, **more):
    return replace(sample_room(np.random.default_rng(seed), **more), clip_id=f"room-{seed}")


def falling(start, when):
    """Stands until a time, then leans over to +x and sinks."""
    x, y, z = start
    return lambda t: (x + 0.3 * min(1, max(0, (t - when) / 0.3)), y, z - 0.2 * min(1, max(0, (t - when) / 0.3)), 0.0)


def experiments(number=0, *, others=()):
    """A ball rolls into a chair, a block topples from another, a second ball comes to rest, a third goes on, a lamp stands."""
    shift = 0.2 * number
    ways = {
        1: line((-0.6, 4.0 + shift, 0.1), (0.75, 0, 0), 2.4),
        3: falling((0.0, 3.0, 0.3), FALL_S),
        4: line((-1.6, 3.2, 0.1), (0, 0.4, 0), 2.0),
        5: line((-1.9, 4.6, 0.1), (0.1, 0.15, 0)),
    }
    made = [
        mover(1, "ball", ways[1], color="red"),
        mover(2, "block", line((0.0, 3.0, 0.1), (0, 0, 0)), color="red"),
        mover(3, "block", ways[3], color="blue", supported_by=2),
        mover(4, "ball", ways[4], color="white"),
        mover(5, "ball", ways[5], color="black"),
        still_thing(11, "chair", (1.6, 4.0 + shift, 0), (0.5, 0.5, 0.9)),
        still_thing(13, "floor lamp", (0.6, 6.0, 0), (0.4, 0.4, 1.6)),
    ]
    contacts = [touch(i, GROUND, 0.0) for i in (1, 2, 4, 5)] + [touch(3, 2, 0.0, FALL_S), touch(11, 1, 2.4)]
    truth = clip(made, ways, contacts, others=others, room=(-3, 0, 3, 8, 2.5))
    return replace(truth, clip_id=f"experiment-{number}")


# ---- agreement with the questions -------------------------------------------------------------------------------------


def find(truth, things, index, frame):
    """The object of the truth whose box at a frame is an entry of the targets."""
    center = things.center_world[0, index].numpy()
    (found,) = [o for o in truth.objects if np.allclose(o.world_from_object[frame, :3, 3], center, atol=1e-5)]
    return found.object_id


def test_relations_are_those_of_the_questions():
    truth = room(3)
    found = spatial_targets(truth, seed=1).relation
    assert found.mask.shape == (1, 32, 10)
    cameras = truth.world_from_camera[:, :3, 3]
    for i in range(32):
        seen = bool(found.observer.known[0, i])
        frame = -1
        if seen:
            frame = int(np.linalg.norm(cameras - found.observer.position_world[0, i].numpy(), axis=1).argmin())
        a, b = (find(truth, side, i, frame) for side in (found.subject, found.reference))
        states = relation_states(truth, a, b, frame % truth.num_frames)
        for k, name in enumerate(RELATIONS):
            told = states[name] if seen or k > 3 else None
            assert bool(found.mask[0, i, k]) == (told is not None)
            assert bool(found.holds[0, i, k]) == (told is True)
        if seen:
            assert seen_mask(truth, a)[frame] and seen_mask(truth, b)[frame]
        else:
            assert is_still(truth, a) and is_still(truth, b)


def test_what_the_questions_say_is_on_is_among_the_targets():
    truth = room(3)
    said = {c.object_ids: c.answer_key for c in asked(on, truth) if c.answer_key in ("yes", "no")}
    assert "yes" in said.values()
    found = spatial_targets(truth, num_pairs=400).relation
    for (a, b), key in said.items():
        i = [
            i
            for i in range(found.mask.shape[1])
            if (find(truth, found.subject, i, 0), find(truth, found.reference, i, 0)) == (a, b)
        ]
        assert len(i) == 1 or key == "no"  # of those that are on something, all are judged
        for one in i:
            assert bool(found.holds[0, one, 6]) == (key == "yes") and bool(found.mask[0, one, 6])


def test_fates_are_those_of_the_questions():
    truth = experiments()
    found = {fate.object_id: fate for fate in fates(truth)}
    told = {c.object_ids[0]: c.answer_key == "no" for c in asked(topples, truth)}
    assert told == {2: True, 3: False}
    assert {i: found[i].stable for i in told} == told
    assert found[1].stable is None  # nobody says of a ball that it stands
    events = {i: fate.event for i, fate in found.items()}
    assert events == {
        1: "hits something", 2: "stays", 3: "falls", 4: "stops", 5: "moves on", 11: "stays", 13: "stays"
    }  # fmt: skip
    assert [found[i].still for i in (1, 2, 3, 11)] == [False, True, True, True]
    np.testing.assert_allclose(found[1].velocity_mps, [0.75, 0, 0], atol=1e-6)


def test_a_future_that_depends_on_the_start_is_not_told():
    truth = experiments(others=[({3: line((0.0, 3.0, 0.3), (0, 0, 0))}, [touch(3, 2, 0.0)])])
    found = {fate.object_id: fate for fate in fates(truth)}
    assert found[3].stable is None and found[3].event is None and found[3].still is True
    still = fates(replace(truth, rollouts=()))
    assert {f.object_id for f in still} == {11, 13}  # what never moves is all that is known without rollouts
    physics = spatial_targets(truth).physics
    at = [i for i in range(physics.event.shape[1]) if find(truth, physics.thing, i, -1) == 3]
    assert not physics.stable_mask[0, at].any() and (physics.event[0, at] == -1).all()


def test_furniture_that_stays_is_not_most_of_what_is_asked():
    quiet = spatial_targets(room(3)).physics
    assert quiet.event.tolist() == [[EVENTS.index("stays")]]
    truth = experiments()
    busy = spatial_targets(truth).physics
    things = [find(truth, busy.thing, i, -1) for i in range(busy.event.shape[1])]
    assert set(things) == {1, 2, 3, 4, 5, 11, 13}  # four with which something happens, and three others


# ---- what is not shown ------------------------------------------------------------------------------------------------


def test_what_no_chosen_frame_shows_is_not_asked():
    truth = room(4)
    for frames in ([0, 1], [6, 7]):
        seen = shown(truth, frames)
        ids = {o.object_id for o in truth.objects if seen_mask(seen, o.object_id).any()}
        assert ids < {o.object_id for o in truth.objects}
        found = spatial_targets(truth, frames=frames, num_pairs=100)
        asked_of = [found.relation.subject, found.relation.reference, found.layout.boxes, found.physics.thing]
        for things in asked_of:
            assert {find(seen, things, i, -1) for i in range(things.yaw_rad.shape[1])} <= ids
        assert found.layout.category.shape[1] == len(ids)


def test_support_is_forgotten_where_frames_end_before_it():
    truth = room(4)
    held = next(o for o in truth.objects if o.supported_by)
    poses = held.world_from_object.copy()
    poses[-1, 2, 3] += 0.5
    lifted = replace(
        truth, objects=tuple(replace(o, world_from_object=poses) if o is held else o for o in truth.objects)
    )
    assert shown(lifted, [0, 3]).object(held.object_id).supported_by is None
    assert shown(lifted, [0, 7]).object(held.object_id).supported_by == held.supported_by
    assert shown(truth, [0, 3]).object(held.object_id).supported_by == held.supported_by
    with pytest.raises(InputError, match="frames"):
        shown(truth, [3, 0])


def test_an_incomplete_scene_has_no_layout_loss_and_other_categories_are_left_out():
    truth = room(4)
    assert not spatial_targets(replace(truth, complete=False)).layout.mask.any()
    assert spatial_targets(truth, categories=()).layout is None
    only = spatial_targets(truth, categories=("picture", "bottle")).layout
    names = {o.category for o in truth.objects if seen_mask(truth, o.object_id).any()} & {"picture", "bottle"}
    assert {("picture", "bottle")[i] for i in only.category[0].tolist()} == names


# ---- frames of reference ----------------------------------------------------------------------------------------------


def test_targets_move_with_the_world():
    truth, turn = room(5), yaw_pose((1.0, -2.0, 0.3), 70.0)
    ours = spatial_targets(truth, world_from_truth=turn, seed=2)
    theirs = spatial_targets(moved(truth, turn), seed=2)
    for part in ("relation", "layout", "physics"):
        mine, other = getattr(ours, part), getattr(theirs, part)
        for name in mine.__dataclass_fields__:
            one, two = getattr(mine, name), getattr(other, name)
            if isinstance(one, torch.Tensor):
                torch.testing.assert_close(one, two, atol=1e-4, rtol=0)
            else:
                for field in one.__dataclass_fields__:
                    torch.testing.assert_close(
                        getattr(one, field), getattr(two, field), atol=1e-4, rtol=0, equal_nan=True
                    )


def chosen(data, frames):
    """Frames of a clip as the pipeline has them."""
    truth, every = data.truth, "measured"
    return PosedClip(
        frame_index=np.array(frames),
        time_s=truth.times_s[frames],
        rgb=data.rgb[frames],
        depth_m=data.depth_m[frames],
        k_px=truth.k_px[frames],
        world_from_camera=truth.world_from_camera[frames],
        piece=np.zeros(len(frames), np.int64),
        world=World(metric=True, gravity_aligned=True, origin="test"),
        status=GeometryStatus(depth=every, intrinsics=every, poses=every, scale=every, gravity=every),
    )


def test_the_world_is_found_from_the_poses():
    data = small_clip(1)
    posed = chosen(data, [0, 2])
    np.testing.assert_allclose(truth_alignment(data.truth, posed), np.eye(4), atol=1e-12)
    turn = yaw_pose((1.0, -2.0, 0.3), 70.0)
    turned = replace(posed, world_from_camera=turn @ posed.world_from_camera)
    np.testing.assert_allclose(truth_alignment(data.truth, turned), turn, atol=1e-12)
    poses = turned.world_from_camera.copy()
    poses[-1, 0, 3] += 0.1
    with pytest.raises(InputError, match=r"0\.100 apart"):
        truth_alignment(data.truth, replace(turned, world_from_camera=poses))
    with pytest.raises(InputError, match="world_from_truth"):
        spatial_targets(data.truth, world_from_truth=np.diag([2.0, 2, 2, 1]))


# ---- drawing and batches ----------------------------------------------------------------------------------------------


def test_what_is_rare_is_drawn_as_often():
    has = np.zeros((200, 3), bool)
    has[:, 0] = True
    has[:10, 1], has[195:, 2] = True, True
    drawn = draw_evenly(has, 12, np.random.default_rng(0))
    assert len(set(drawn.tolist())) == 12
    assert has[drawn, 1].sum() >= 5 and has[drawn, 2].sum() == 5
    assert len(draw_evenly(np.zeros((5, 3), bool), 4, np.random.default_rng(0))) == 0
    first, again, other = (spatial_targets(room(3), num_pairs=8, seed=seed).relation.holds for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_stacked_targets_have_the_losses_of_each():
    made = [spatial_targets(truth, num_pairs=num) for truth, num in ((room(3), 5), (experiments(), 9))]
    batch = stack_targets(made)
    assert batch.relation.mask.shape == (2, 9, 10) and batch.layout.category[0].tolist().count(-1) == 0
    logits = torch.randn(2, 9, 10)
    sums = []
    for row, one in enumerate(made):
        part = one.relation
        loss, known = relation_loss(logits[row : row + 1, : part.mask.shape[1]], part)
        needs = part.mask.clone()
        needs[..., :4] &= part.observer.known[..., None]
        sums.append((loss * needs.sum(), needs.sum()))
        assert known
    whole, _ = relation_loss(logits, batch.relation)
    torch.testing.assert_close(whole, sum(s for s, _ in sums) / sum(n for _, n in sums))
    with pytest.raises(InputError, match="same parts"):
        stack_targets([made[0], SpatialTargets(relation=made[0].relation)])


def test_a_clip_without_anything_gives_a_batch_that_costs_nothing():
    blind = replace(room(3), visible_px=np.zeros_like(room(3).visible_px))
    batch = stack_targets([spatial_targets(blind)])
    assert not batch.relation.mask.any() and not batch.physics.stable_mask.any()
    loss, known = relation_loss(torch.randn(1, 1, 10), batch.relation)
    assert float(loss) == 0 and not known


# ---- grounding --------------------------------------------------------------------------------------------------------


def test_phrases_mean_boxes():
    from video3d.data.questions.grounding import none, phrase

    truth, turn = room(3), yaw_pose((1.0, -2.0, 0.3), 70.0)
    boxes = shown_boxes(truth, range(8), turn)
    (first, *_) = asked(phrase, truth)
    meant = meant_by(as_row(first, truth), turn)
    target = phrase_target(meant, boxes)
    (at,) = np.flatnonzero(target.meant)
    true = truth.object(first.object_ids[0]).box()
    np.testing.assert_allclose(target.boxes[at].center_world, (turn @ [*true.center_world, 1])[:3], atol=1e-6)
    (nothing, *_) = asked(none, truth)
    empty = phrase_target(meant_by(as_row(nothing, truth)), boxes)
    assert len(empty.boxes) == len(boxes) and not empty.meant.any()
    stacked = stack_phrases([target, empty])
    assert [len(one) for one in stacked.boxes] == [len(one) for one in stacked.meant]


def test_a_thing_without_a_box_is_no_target_and_half_a_box_is_not_scored():
    def cube(x):
        return Box3D(center_world=np.array([x, 0, 0.0]), size_m=np.ones(3), world_from_box=np.eye(3))

    assert phrase_target([cube(0.0)], [cube(5.0)]) is None and phrase_target([cube(0.0)], []) is None
    half = phrase_target([cube(0.0)], [cube(0.1), cube(0.7), cube(5.0)])  # IoU 0.82, 0.18, 0
    assert half.meant.tolist() == [True, False] and half.boxes[1].center_world[0] == 5.0


# ---- learning ---------------------------------------------------------------------------------------------------------

LOOKS = {name: torch.randn(16, generator=torch.Generator().manual_seed(i)) for i, name in enumerate(CATEGORIES)}


def tokens(truths, each=6):
    """What a model would have of a scene: points on the things that are seen, which look like their category."""
    rng, points, content = np.random.default_rng(0), [], []
    for truth in truths:
        here, looks = [], []
        for thing in truth.objects:
            if seen_mask(truth, thing.object_id).any():
                at = (rng.random((each, 3)) - 0.5) * thing.size_m
                at[np.arange(each), rng.integers(3, size=each)] *= 0.999
                pose = thing.world_from_object[-1]
                here.append(at @ pose[:3, :3].T + pose[:3, 3])
                looks.append(LOOKS[thing.category].expand(each, -1))
        points.append(torch.tensor(np.concatenate(here), dtype=torch.float32))
        content.append(torch.cat(looks))
    most = max(map(len, points))
    full = [torch.nn.functional.pad(p, (0, 0, most - len(p), 0), value=torch.nan) for p in points]
    looks = [torch.nn.functional.pad(c, (0, 0, most - len(c), 0)) for c in content]
    mask = torch.stack([torch.arange(most) >= most - len(p) for p in points])
    shape = (len(truths), most)
    return SceneTokens(
        embeds=torch.zeros(*shape, 1), mask=mask, points_world=torch.stack(full), content=torch.stack(looks)
    )


def right_share(logits, relation):
    """Share of what is known that is right, and of the more frequent answer to each relation."""
    right = ((logits > 0) == relation.holds)[relation.mask].float().mean()
    majority = [
        max(int((relation.holds & relation.mask)[..., k].sum()), int((~relation.holds & relation.mask)[..., k].sum()))
        for k in range(10)
    ]
    return float(right), sum(majority) / int(relation.mask.sum())


def test_a_tiny_module_learns_from_the_targets():
    """Every part of the loss falls, and relations in rooms not seen before are told better than by their majorities."""
    truths = [room(seed) for seed in range(4)] + [experiments()]
    held = [room(seed) for seed in range(20, 22)]
    scene, targets = tokens(truths), stack_targets([spatial_targets(t, num_pairs=24) for t in truths])
    config = Video3DConfig(
        reasoning_layers=1, reasoning_width=32, reasoning_heads=4, layout_queries=12, categories=CATEGORIES, events=EVENTS
    )  # fmt: skip
    torch.manual_seed(0)
    module = ReasoningModule(config, 16)
    optimizer = torch.optim.AdamW(module.parameters(), lr=8e-3, foreach=True)

    def parts():
        found = module(scene, targets)
        losses = (
            relation_loss(found.relation_logits, targets.relation),
            layout_loss(found.layout, targets.layout),
            physics_loss(found.physics, targets.physics),
        )
        return [float(loss.detach()) for loss, _ in losses]

    before = parts()
    for _ in range(25):
        loss = spatial_loss(module(scene, targets), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = parts()
    assert all(b < 0.6 * a for a, b in zip(before, after, strict=True)), (before, after)
    unseen = stack_targets([spatial_targets(t, num_pairs=24) for t in held])
    with torch.no_grad():
        right, majority = right_share(module(tokens(held), unseen).relation_logits, unseen.relation)
    assert right > majority + 0.1, (right, majority)
