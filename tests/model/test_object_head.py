"""The object head and its votes: what must hold of any weights, and that a few steps learn what is there to learn."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from video3d.geometry.fitted_box import seen_surface
from video3d.geometry.rigid import scale_k
from video3d.model.object_head import GEOMETRY_WIDTH, ObjectHead, PatchTargets, object_loss, patch_geometry, view_axes
from video3d.model.object_votes import ObjectVotes, find_named, find_objects, fitted, named_share, votes_of
from video3d.types import Box3D, PosedClip, World

NAMES, COLORS = ("chair", "table", "ball"), ("red", "blue")


def _turned(yaw: float, shift: tuple[float, float]) -> torch.Tensor:
    turn = torch.eye(4)
    turn[0, 0], turn[0, 1], turn[1, 0], turn[1, 1] = math.cos(yaw), -math.sin(yaw), math.sin(yaw), math.cos(yaw)
    turn[:2, 3] = torch.tensor(shift)
    return turn


def _views(num: int = 2) -> tuple[torch.Tensor, ...]:
    """Cameras at 1.5 m that look along +x, and patches somewhere before them."""
    draw = torch.Generator().manual_seed(0)
    pose = torch.tensor([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]).expand(num, 4, 4).clone()
    points = torch.rand(num, 3, 4, 3, generator=draw) * torch.tensor([3.0, 2, 2]) + torch.tensor([1.0, -1, 0])
    k = torch.tensor([[50.0, 0, 28], [0, 50, 21], [0, 0, 1]]).expand(num, 3, 3)
    return points, torch.rand(num, 3, 4, generator=draw), pose, k, torch.rand(num, 3, 42, 56, generator=draw)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_told_does_not_change_when_the_world_is_turned_or_moved(seed: int) -> None:
    points, share, pose, k, pixels = _views()
    rng = np.random.default_rng(seed)
    move = _turned(float(rng.uniform(-3, 3)), (float(rng.uniform(-9, 9)), float(rng.uniform(-9, 9))))
    moved = points @ move[:3, :3].T + move[:3, 3]
    there = patch_geometry(moved, share, move @ pose, k, pixels)
    torch.testing.assert_close(there, patch_geometry(points, share, pose, k, pixels), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_votes_turn_and_move_with_the_world(seed: int) -> None:
    points, share, pose, k, pixels = _views()
    torch.manual_seed(seed)
    head = ObjectHead(8, 16, len(NAMES), len(COLORS)).eval()
    features = torch.randn(2, 3, 4, 8)
    move = _turned(1.0 + seed, (4.0, -2.0))
    moved = points @ move[:3, :3].T + move[:3, 3]
    times = torch.tensor([0.0, 0.5])

    def votes(points: torch.Tensor, pose: torch.Tensor) -> ObjectVotes:
        with torch.no_grad():
            said = head(features, patch_geometry(points, share, pose, k, pixels))
        return votes_of(said, points, pose, times, NAMES, COLORS)

    here, there = votes(points, pose), votes(moved, move @ pose)
    expected = here.center_world @ move[:3, :3].double().numpy().T + move[:3, 3].double().numpy()
    np.testing.assert_allclose(there.center_world, expected, atol=1e-3)
    np.testing.assert_allclose(there.axis_world, here.axis_world @ move[:2, :2].double().numpy().T, atol=1e-3)
    np.testing.assert_allclose(there.size_m, here.size_m, rtol=1e-3)


def test_unknown_places_say_nothing_and_hold_no_nan() -> None:
    points, share, pose, k, pixels = _views()
    points[0, 0, 0] = torch.nan
    told = patch_geometry(points, share, pose, k, pixels)
    assert told.shape == (2, 3, 4, GEOMETRY_WIDTH) and bool(told.isfinite().all())
    head = ObjectHead(8, 16, len(NAMES), len(COLORS)).eval()
    with torch.no_grad():
        said = head(torch.randn(2, 3, 4, 8), told)
    votes = votes_of(said, points, pose, torch.zeros(2), NAMES, COLORS)
    assert len(votes.frame) <= 2 * 3 * 4 - 1 and bool(np.isfinite(votes.center_world).all())


def test_the_head_learns_what_where_and_which_way() -> None:
    torch.manual_seed(0)
    num = 600
    kind = torch.randint(-1, 3, (num,))
    features = torch.randn(num, 8)
    features[:, :4] = torch.nn.functional.one_hot(kind + 1, 4).float() * 3
    offset = torch.randn(num, 3) * 0.3
    angle = torch.rand(num) * 6
    geometry = torch.zeros(num, GEOMETRY_WIDTH)
    geometry[:, :3], geometry[:, 3], geometry[:, 4] = offset, angle.cos(), angle.sin()
    true = PatchTargets(
        category=kind,
        color=torch.where(kind >= 0, kind % 2, -1),
        center_m=offset,
        size_m=torch.full((num, 3), 0.5),
        heading=torch.stack([angle.cos(), angle.sin()], -1),
        has_front=torch.ones(num, dtype=torch.bool),
    )
    head = ObjectHead(8, 64, len(NAMES), len(COLORS))
    optimizer = torch.optim.AdamW(head.parameters(), 3e-3)
    first = None
    for _ in range(150):
        loss, _ = object_loss(head(features, geometry), true)
        first = float(loss.detach()) if first is None else first
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    head.eval()
    with torch.no_grad():
        said = head(features, geometry)
    there = kind >= 0
    assert first is not None and float(loss.detach()) < 0.5 * first
    assert float((said.category_logits.argmax(-1) == torch.where(there, kind, 3)).float().mean()) > 0.98
    assert float((said.center_m - offset)[there].norm(dim=-1).median()) < 0.1
    assert float(torch.cosine_similarity(said.heading, true.heading, dim=-1)[there].median()) > 0.95


def test_no_target_gives_no_gradient_to_places_and_a_finite_loss() -> None:
    head = ObjectHead(8, 16, len(NAMES), len(COLORS))
    none = PatchTargets(
        category=torch.full((5,), -1),
        color=torch.full((5,), -1),
        center_m=torch.zeros(5, 3),
        size_m=torch.ones(5, 3),
        heading=torch.ones(5, 2),
        has_front=torch.zeros(5, dtype=torch.bool),
    )
    loss, parts = object_loss(head(torch.randn(5, 8), torch.zeros(5, GEOMETRY_WIDTH)), none)
    loss.backward()
    assert math.isfinite(float(loss.detach())) and float(parts["center"]) == 0
    grad = head.say.weight.grad
    assert grad is not None and bool(grad.isfinite().all())
    boxes = grad[len(NAMES) + 1 + len(COLORS) :]
    assert float(boxes.abs().max()) == 0


def _votes(things: list[tuple[str, str, tuple[float, float, float], int]], noise: float = 0.05) -> ObjectVotes:
    """Twelve votes in each of three frames for every thing (name, colour, centre; the frame it is seen from)."""
    rng = np.random.default_rng(0)
    rows = [(name, color, center, frame) for name, color, center, start in things for frame in range(start, start + 3)]
    num = 12 * len(rows)
    category, hue = np.full((num, 3), 0.03, np.float32), np.full((num, 2), 0.1, np.float32)
    center, frame = np.zeros((num, 3)), np.zeros(num, np.int64)
    for at, (name, color, place, seen) in enumerate(rows):
        part = slice(12 * at, 12 * at + 12)
        category[part, NAMES.index(name)], hue[part, COLORS.index(color)] = 0.9, 0.9
        center[part], frame[part] = place + rng.normal(0, noise, (12, 3)), seen
    return ObjectVotes(
        categories=NAMES,
        colors=COLORS,
        category=category,
        color=hue,
        center_world=center,
        size_m=np.full((num, 3), 0.5),
        axis_world=np.tile([0.0, 1.0], (num, 1)),
        scale_m=np.full(num, 0.1),
        frame=frame,
        time_s=frame / 2.0,
        patch=np.arange(num),
    )


def test_votes_become_the_things_that_were_voted_for() -> None:
    places = [
        ("chair", "red", (0.0, 0.0, 0.5), 0),
        ("chair", "blue", (2.0, 0.0, 0.5), 0),
        ("table", "red", (0.0, 2.0, 0.4), 1),
    ]
    found = find_objects(_votes(places))
    assert sorted((one.category, one.color) for one in found) == [("chair", "blue"), ("chair", "red"), ("table", "red")]
    for name, color, place, start in places:
        one = next(thing for thing in found if (thing.category, thing.color) == (name, color))
        np.testing.assert_allclose(one.box.center_world, place, atol=0.06)
        np.testing.assert_allclose(one.front_world, (1.0, 0.0), atol=1e-6)  # its x axis is the world's y
        assert one.frames == tuple(range(start, start + 3)) and 0.5 < one.score < 1


def test_a_name_and_a_colour_find_their_thing_and_no_other() -> None:
    votes = _votes([("chair", "red", (0.0, 0.0, 0.5), 0), ("chair", "blue", (2.0, 0.0, 0.5), 0)])
    blue = find_named(votes, "chair", "blue")
    assert blue is not None and abs(blue.box.center_world[0] - 2) < 0.06 and blue.color == "blue"
    assert find_named(votes, "sofa") is None
    assert find_named(votes.only(np.zeros(len(votes.frame), bool)), "chair") is None


def test_what_speaks_for_another_thing_that_is_asked_for_speaks_less_for_this_one() -> None:
    votes = _votes([("chair", "red", (0.0, 0.0, 0.5), 0), ("chair", "blue", (2.0, 0.0, 0.5), 0)])
    taken = votes.center_world[:, 0] < 1
    category = votes.category.copy()
    category[taken] = (0.8, 0.4, 0.03)  # rather a chair than a table, but a table rather than anything else is one
    category[~taken] = (0.1, 0.3, 0.03)
    votes = replace(votes, category=category)
    alone, beside = find_named(votes, "table"), find_named(votes, "table", besides=[("chair", None), ("table", None)])
    assert alone is not None and beside is not None
    assert abs(alone.box.center_world[0]) < 0.1 and abs(beside.box.center_world[0] - 2) < 0.1
    np.testing.assert_array_equal(named_share(votes, "table", None, [("table", None)]), named_share(votes, "table"))


def test_a_thing_that_moves_is_where_it_was_then() -> None:
    votes = _votes([("ball", "red", (0.0, 0.0, 0.1), 0), ("ball", "red", (1.5, 0.0, 0.1), 10)])
    first, last = find_named(votes, "ball", frame=0), find_named(votes, "ball", frame=12)
    assert first is not None and last is not None
    assert abs(first.box.center_world[0]) < 0.1 and abs(last.box.center_world[0] - 1.5) < 0.1


def test_nothing_is_found_where_nobody_votes() -> None:
    votes = _votes([("chair", "red", (0.0, 0.0, 0.5), 0)])
    assert find_objects(votes.only(np.zeros(len(votes.frame), bool))) == ()
    one = votes.only(np.arange(len(votes.frame)) == 0)
    assert find_objects(one) == ()  # one patch alone is no object


def test_view_axes_are_level_unit_and_at_right_angles() -> None:
    points, _, pose, _, _ = _views()
    ahead, left = view_axes(points, pose)
    torch.testing.assert_close(ahead.norm(dim=-1), torch.ones(2, 3, 4))
    torch.testing.assert_close((ahead * left).sum(-1), torch.zeros(2, 3, 4), atol=1e-6, rtol=0)
    assert float(ahead[..., 2].abs().max()) == 0


def test_a_thing_is_fitted_where_depth_shows_it() -> None:
    """A camera looks down at a floor with a step on it: a table that is 1.6 by 0.8 m, believed to be 1.2 by 1."""
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[2, 3] = 3.0
    k_px = np.array([[160.0, 0, 112], [0, 160, 112], [0, 0, 1]])
    rows, columns = np.indices((224, 224)) + 0.5
    top = (np.abs(columns - 112) <= 0.8 * 160 / 2.3) & (np.abs(rows - 112) <= 0.4 * 160 / 2.3)
    clip = PosedClip(
        frame_index=np.array([0]), time_s=np.zeros(1), rgb=np.zeros((1, 224, 224, 3), np.uint8), k_px=k_px[None],
        depth_m=np.where(top, 2.3, 3.0).astype(np.float32)[None], world_from_camera=pose[None], piece=np.array([0]),
        world=World(metric=True, gravity_aligned=True),
    )  # fmt: skip
    shown = top.reshape(8, 28, 8, 28).mean((1, 3)).reshape(-1) > 0.5
    num = int(shown.sum())
    votes = ObjectVotes(
        categories=("table", "ball", "chair"), colors=COLORS, color=np.full((num, 2), 0.5, np.float32),
        category=np.tile(np.array([0.9, 0.05, 0.0], np.float32), (num, 1)), center_world=np.tile([0.05, 0.0, 0.35], (num, 1)),
        size_m=np.tile([1.2, 1.0, 0.7], (num, 1)), axis_world=np.tile([1.0, 0.0], (num, 1)), scale_m=np.full(num, 0.1),
        frame=np.zeros(num, np.int64), time_s=np.zeros(num), patch=np.flatnonzero(shown),
    )  # fmt: skip
    table = find_named(votes, "table")
    assert table is not None
    assert fitted(table, votes) is table  # nothing to fit it to
    flat = Box3D(center_world=np.array([0.0, 0.0, 0.7]), size_m=np.array([1.6, 0.8, 0.01]), world_from_box=np.eye(3))
    k_patch = scale_k(k_px[None], (224, 224), (8, 8))
    there = replace(votes, surface=seen_surface(clip, 0.0, k_patch, (8, 8), (flat,)))
    assert there.only(np.arange(3)).surface is there.surface
    fit = fitted(table, there)
    np.testing.assert_allclose(fit.box.size_m, [1.6, 0.8, 0.7], atol=0.02)
    np.testing.assert_allclose(fit.box.center_world, [0.0, 0.0, 0.35], atol=0.02)
    assert (fit.category, fit.score, fit.frames) == (table.category, table.score, table.frames)
