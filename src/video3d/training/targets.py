"""What the heads are to find in a clip, from its truth: relations, layout and physics; and objects meant by phrases.

``spatial_targets(truth, frames=..., categories=..., seed=...)`` gives the targets of one clip as a batch of one, for
``model.spatial_loss`` or ``forward(spatial_targets=...)``; ``stack_targets`` makes a batch of several, padded (NaN places, negative
classes, false masks: what the losses leave out). ``frames`` are those that the model sees (``PosedClip.frame_index``): what none
of them shows is not asked, and "now" is the last of them. Boxes and observers are in the truth's world, which is that of clips
read by ``features.scene_of``; where the model's world is turned or moved against it (``align_to_gravity``), give
``world_from_truth``, as ``truth_alignment(truth, clip)`` finds it from the poses; ``fit_clip`` changes pixels only and matters not.
The configuration's ``categories`` and ``events`` must be the ones given here (``CATEGORIES``, ``EVENTS``). All randomness (which pairs
and things, and whose eyes) follows from ``seed`` and the clip's id: another seed in every epoch asks about others. About 0.2 s a
clip. For grounding, ``targets_grounding``.

What holds is decided by the functions that decide it for the questions (``data.questions``), so the two cannot disagree; what these
call too close, or what the truth does not know, is masked and never guessed.
"""

import dataclasses
import math
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from video3d import vocabulary
from video3d.data.questions.arrangement import box_at, is_still, level_axes
from video3d.data.questions.relation_classes import relation_states
from video3d.data.questions.visibility import seen_mask, with_visibility
from video3d.data.truth import SceneTruth
from video3d.geometry.boxes import moved_box
from video3d.geometry.rigid import inverse_rigid, is_known, is_rigid
from video3d.model.reasoning_types import (
    LayoutTargets,
    Observers,
    PhysicsTargets,
    RelationTargets,
    SpatialTargets,
    Things,
)
from video3d.training.targets_physics import EVENTS, Fate, fates
from video3d.types import InputError, PosedClip
from video3d.types.reasoning import OBSERVER_RELATIONS, RELATIONS, Observer, Thing

CATEGORIES = tuple(category.name for category in vocabulary.CATEGORIES)
"""For ``Video3DConfig.categories``: every category that a truth can have."""
_CONSIDERED = 4  # pairs that are judged for each that is asked
_SAME_M = 0.01


def spatial_targets(
    truth: SceneTruth,
    *,
    frames: Sequence[int] | Int64[np.ndarray, "k"] | None = None,
    categories: Sequence[str] = CATEGORIES,
    events: Sequence[str] = EVENTS,
    world_from_truth: Float64[np.ndarray, "4 4"] | None = None,
    num_pairs: int = 32,
    num_things: int = 16,
    seed: int = 0,
) -> SpatialTargets:
    """What the reasoning module is to find in one clip, as a batch of one.

    Relations: ordered pairs of things seen well, each at a frame that shows both (drawn), whose camera is the observer; two things
    that no frame shows together are asked about without observer if both stay where they are. Layout: the things whose place at
    the end is shown. Physics: the things seen in one of the last two frames; of those with which nothing happens no more than of
    others, and one at least. Pairs and things are drawn so that what is rare is asked as often as what is common, as far as the
    clip has it (``draw_evenly``).

    Args:
        truth: of the clip.
        frames: those of the truth that the model sees, ascending; ``None``: all.
        categories: of the model's layout head; things of others are left out. None: no layout.
        events: of the model's physics head.
        world_from_truth: rigid; the model's world from the truth's. ``None``: they are the same.
        num_pairs: most pairs.
        num_things: most things whose physics is asked.
        seed: of what is drawn.

    Raises:
        InputError: a frame that the truth has not, or a ``world_from_truth`` that is not rigid.
    """
    turn = np.eye(4) if world_from_truth is None else world_from_truth
    if not bool(is_rigid(turn)):
        raise InputError("world_from_truth", expected="a rotation and a shift", got=turn.tolist())
    seen = shown(truth, frames)
    rng = np.random.default_rng([seed, zlib.crc32(truth.clip_id.encode())])
    return SpatialTargets(
        relation=_relations(seen, turn, num_pairs, rng),
        layout=_layout(seen, turn, list(categories)) if categories else None,
        physics=_physics(seen, turn, list(events), num_things, rng),
    )


def shown(truth: SceneTruth, frames: Sequence[int] | Int64[np.ndarray, "k"] | None) -> SceneTruth:
    """The truth as far as some of its frames show it: with these frames alone.

    What carries and holds a thing is told for the last frame of the whole; where the last one that is left shows a thing or its
    support elsewhere, it is not known any more.

    Raises:
        InputError: frames that there are not, or not ascending.
    """
    if frames is None:
        return with_visibility(truth)
    at = np.asarray(frames, dtype=np.int64)
    if not len(at) or at[0] < 0 or at[-1] >= truth.num_frames or bool((np.diff(at) <= 0).any()):
        raise InputError("frames", expected=f"ascending, of 0 to {truth.num_frames - 1}", got=at.tolist())
    rest = {thing.object_id: _rests(thing.world_from_object[[at[-1], -1]]) for thing in truth.objects}

    def now(thing_id: int, other: int | None) -> int | None:
        return other if rest[thing_id] and rest.get(other or 0, True) else None

    things = tuple(
        replace(
            thing,
            world_from_object=thing.world_from_object[at],
            supported_by=now(thing.object_id, thing.supported_by),
            inside_of=now(thing.object_id, thing.inside_of),
        )
        for thing in truth.objects
    )
    signal = None if truth.signal is None else replace(truth.signal, shown=tuple(truth.signal.shown[i] for i in at))
    return with_visibility(
        replace(
            truth,
            times_s=truth.times_s[at],
            k_px=truth.k_px[at],
            world_from_camera=truth.world_from_camera[at],
            objects=things,
            visible_px=truth.visible_px[at],
            visible_share=truth.visible_share[at],
            signal=signal,
        )
    )


def _rests(poses: Float64[np.ndarray, "2 4 4"]) -> bool:
    return bool(np.abs(poses[0] - poses[1]).max() < _SAME_M)


def truth_alignment(truth: SceneTruth, clip: PosedClip) -> Float64[np.ndarray, "4 4"]:
    """``world_from_truth`` of a clip whose world was turned and shifted against its truth's: told by the poses.

    Raises:
        InputError: no pose that both know, or poses that differ by more than one turn and shift (within 1 cm): they are
            estimates then, and where things are in their world is not known.
    """
    poses = truth.world_from_camera[clip.frame_index]
    both = np.flatnonzero(is_known(poses) & is_known(clip.world_from_camera) & (clip.piece == 0))
    if not len(both):
        raise InputError(truth.clip_id, expected="a frame with a pose in truth and clip", got="none")
    turns = clip.world_from_camera[both] @ inverse_rigid(poses[both])
    apart = float(np.abs(clip.world_from_camera[both] - turns[0] @ poses[both]).max())
    if apart > _SAME_M:
        expected = "the truth's poses, turned and shifted as one"
        raise InputError(truth.clip_id, expected=expected, got=f"poses up to {apart:.3f} apart", do="train on measured poses")  # fmt: skip
    return turns[0]


def draw_evenly(has: Bool[np.ndarray, "n c"], num: int, rng: np.random.Generator) -> Int64[np.ndarray, "m"]:
    """Which of n candidates are asked, so that c answers come up about equally often as far as there are candidates.

    One after another: of the answers that come up least so far among those drawn, one; of the candidates left that have it, one.
    So an answer that two candidates have comes up twice, however many have another. Candidates without any answer are not drawn.

    Args:
        has: which answers each candidate has; several may be.
        num: most to draw.
        rng: draws.

    >>> common, rare = [True, False], [False, True]
    >>> drawn = draw_evenly(np.array([common] * 90 + [rare] * 3), 6, np.random.default_rng(0))
    >>> int((drawn >= 90).sum())
    3
    """
    left, count, drawn = np.ones(len(has), bool), np.zeros(has.shape[1]), []
    while len(drawn) < num:
        there = (has & left[:, None]).any(0)
        if not there.any():
            break
        least = np.flatnonzero(there & (count == count[there].min()))
        one = int(rng.choice(np.flatnonzero(left & has[:, rng.choice(least)])))
        left[one] = False
        count += has[one]
        drawn.append(one)
    return np.array(drawn, dtype=np.int64)


# ---- relations --------------------------------------------------------------------------------------------------------


def _relations(
    truth: SceneTruth, turn: Float64[np.ndarray, "4 4"], num: int, rng: np.random.Generator
) -> RelationTargets:
    """Pairs and their states, drawn by which relation holds and which does not."""
    ids = [thing.object_id for thing in truth.objects if bool(seen_mask(truth, thing.object_id).any())]
    asked: list[tuple[int, int, int, bool]] = []  # the pair, the frame, and whether its camera sees both
    states: list[list[bool | None]] = []
    for a, b in _candidates(truth, ids, _CONSIDERED * num, rng):
        together = np.flatnonzero(seen_mask(truth, a) & seen_mask(truth, b))
        if not len(together) and not (is_still(truth, a) and is_still(truth, b)):
            continue
        frame = int(rng.choice(together)) if len(together) else truth.num_frames - 1
        found = relation_states(truth, a, b, frame)
        observed = bool(len(together)) and level_axes(truth, frame) is not None
        asked.append((a, b, frame, observed))
        states.append([found[name] if observed or name not in OBSERVER_RELATIONS else None for name in RELATIONS])
    table = np.array([[2 if one is None else int(one) for one in row] for row in states], dtype=np.int64)
    table = table.reshape(-1, len(RELATIONS))
    drawn = draw_evenly(np.concatenate([table == 1, table == 0], 1), num, rng)
    pairs = [asked[i] for i in drawn]
    return RelationTargets(
        subject=things_of([_thing(truth, a, frame, turn) for a, _, frame, _ in pairs]),
        reference=things_of([_thing(truth, b, frame, turn) for _, b, frame, _ in pairs]),
        observer=_observers([_observer(truth, frame, turn) if sees else None for _, _, frame, sees in pairs]),
        holds=torch.from_numpy(table[drawn] == 1)[None],
        mask=torch.from_numpy(table[drawn] != 2)[None],
    )


def _candidates(truth: SceneTruth, ids: Sequence[int], num: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Ordered pairs to judge, at most so many: first those that may be on, in, over or under one another, of which there are few."""
    pairs = [(a, b) for a in ids for b in ids if a != b]
    order = rng.permutation(len(pairs))
    close = {pair for pair in pairs if _linked(truth, *pair)}
    close |= {(b, a) for a, b in close}
    ranked = sorted(order.tolist(), key=lambda i: pairs[i] not in close)
    most_close = min(len(close), num // 2)
    return [pairs[i] for i in ranked[:most_close] + ranked[len(close) :][: num - most_close]]


def _linked(truth: SceneTruth, a: int, b: int) -> bool:
    """Whether one carries or holds the other, or its centre may be over the other's footprint."""
    first, second = truth.object(a), truth.object(b)
    if b in (first.supported_by, first.inside_of):
        return True
    apart = np.linalg.norm(first.world_from_object[-1, :2, 3] - second.world_from_object[-1, :2, 3])
    return bool(apart < np.linalg.norm(second.size_m[:2]) / 2)


# ---- layout -----------------------------------------------------------------------------------------------------------


def _layout(truth: SceneTruth, turn: Float64[np.ndarray, "4 4"], categories: list[str]) -> LayoutTargets:
    """The things of known category whose place at the end is shown: seen well in the last frame, or well somewhere and still."""
    listed = [
        thing
        for thing in truth.objects
        if thing.category in categories
        and box_at(truth, thing.object_id) is not None
        and bool(seen_mask(truth, thing.object_id)[-1 if not is_still(truth, thing.object_id) else slice(None)].any())
    ]
    index = [categories.index(thing.category) for thing in listed]
    return LayoutTargets(
        boxes=things_of([_thing(truth, thing.object_id, -1, turn) for thing in listed]),
        category=torch.tensor([index], dtype=torch.int64),
        mask=torch.tensor([truth.complete]),
    )


# ---- physics ----------------------------------------------------------------------------------------------------------


def _physics(
    truth: SceneTruth, turn: Float64[np.ndarray, "4 4"], events: list[str], num: int, rng: np.random.Generator
) -> PhysicsTargets:
    """Things and their fates, drawn by what is known of them; of those with which nothing happens, as many as of others."""
    found = _without_most_quiet(truth, fates(truth), rng)
    cells = [
        [one.stable is True, one.stable is False, one.still is True, one.still is False]
        + [one.event == event for event in events]
        for one in found
    ]
    drawn = draw_evenly(np.array(cells, dtype=bool).reshape(len(found), 4 + len(events)), num, rng)
    asked: list[Fate] = [found[i] for i in drawn]
    ways = [turn[:3, :3] @ (np.zeros(3) if one.velocity_mps is None else one.velocity_mps) for one in asked]
    ways = [way / max(float(np.linalg.norm(way)), 1e-9) for way in ways]
    index = [events.index(one.event) if one.event in events else -1 for one in asked]
    return PhysicsTargets(
        thing=things_of([_thing(truth, one.object_id, -1, turn) for one in asked]),
        stable=torch.tensor([[bool(one.stable) for one in asked]], dtype=torch.bool),
        stable_mask=torch.tensor([[one.stable is not None for one in asked]], dtype=torch.bool),
        still=torch.tensor([[one.still is not False for one in asked]], dtype=torch.bool),
        direction_world=torch.from_numpy(np.array(ways, dtype=np.float32).reshape(1, -1, 3)),
        motion_mask=torch.tensor([[one.still is not None for one in asked]], dtype=torch.bool),
        event=torch.tensor([index], dtype=torch.int64),
    )


def _without_most_quiet(truth: SceneTruth, found: list[Fate], rng: np.random.Generator) -> list[Fate]:
    """All things with which something happens, and as many others (one at least): those that might have moved come first.

    A room is full of furniture that stays: were it all asked about, "stays" would be right nine times out of ten.
    """
    quiet = [one.stable is not False and one.still is not False and one.event in (None, "stays") for one in found]
    busy = [one for one, is_quiet in zip(found, quiet, strict=True) if not is_quiet]
    others = [found[i] for i in rng.permutation(len(found)) if quiet[i]]
    others.sort(key=lambda one: truth.object(one.object_id).motion == "static")
    return busy + others[: max(1, len(busy))]


# ---- tensors ----------------------------------------------------------------------------------------------------------


def _thing(truth: SceneTruth, object_id: int, frame: int, turn: Float64[np.ndarray, "4 4"]) -> Thing:
    thing = truth.object(object_id)
    return Thing.of_box(thing.category, moved_box(thing.box(frame), turn))


def _observer(truth: SceneTruth, frame: int, turn: Float64[np.ndarray, "4 4"]) -> Observer:
    return Observer.of_pose(turn @ truth.world_from_camera[frame])


def things_of(things: Sequence[Thing]) -> Things:
    """Things of one scene as tensors, a batch of one; a point has a size of 0."""
    sizes = [np.zeros(3) if thing.size_m is None else thing.size_m for thing in things]
    return Things(
        center_world=_floats([thing.center_world for thing in things], 3),
        size_m=_floats(sizes, 3),
        yaw_rad=_floats([[thing.yaw_rad] for thing in things], 1)[..., 0],
    )


def _observers(observers: Sequence[Observer | None]) -> Observers:
    places = [np.full(3, np.nan) if one is None else one.position_world for one in observers]
    yaws = [[np.nan if one is None else one.yaw_rad] for one in observers]
    return Observers(position_world=_floats(places, 3), yaw_rad=_floats(yaws, 1)[..., 0])


def _floats(rows: Sequence[Sequence[float] | Float64[np.ndarray, "w"]], width: int) -> Tensor:
    return torch.from_numpy(np.asarray(rows, dtype=np.float32).reshape(1, len(rows), width))


def stack_targets(targets: Sequence[SpatialTargets]) -> SpatialTargets:
    """Targets of several clips as one batch, padded behind to the longest, and to one entry at least.

    Padding has NaN places, a category and event of -1 and false masks: the losses leave it out. A part that one has, all must have.

    Raises:
        InputError: a part that only some have.
    """

    def stacked(parts: list[Any]) -> Any:
        if all(part is None for part in parts):
            return None
        if any(part is None for part in parts):
            raise InputError("targets", expected="the same parts for every clip", got="a part that some have not")
        if isinstance(parts[0], Tensor):
            return _padded(parts)
        names = [field.name for field in dataclasses.fields(parts[0])]
        return type(parts[0])(**{name: stacked([getattr(part, name) for part in parts]) for name in names})

    return stacked(list(targets))


def _padded(parts: list[Tensor]) -> Tensor:
    if parts[0].ndim == 1:  # of scenes, not of things
        return torch.cat(parts)
    most = max(1, *(part.shape[1] for part in parts))
    fill: Any = {torch.float32: math.nan, torch.int64: -1, torch.bool: False}[parts[0].dtype]
    return torch.cat(
        [
            torch.cat([part, part.new_full((len(part), most - part.shape[1], *part.shape[2:]), fill)], 1)
            for part in parts
        ]
    )
