"""The votes of all frames gathered: which objects there are, and where the one is that a name means.

Votes that agree on where and what are one object: the densest place is taken first, with all that votes for it (mean shift's way;
Comaniciu and Meer, 2002). Where a thing's name is known, all that is asked is where in the scene that name is likeliest, which is
much easier than to name everything: so a question about "the bed" finds the bed even where the network alone would have called it a
sofa.

Numpy throughout, in the world of the clip: right-handed, metres, +z up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from video3d.geometry.boxes import iou_3d_matrix
from video3d.geometry.fitted_box import SeenSurface, fit_box, on_top
from video3d.model.object_head import PatchObjects, view_axes
from video3d.types import Box3D
from video3d.vocabulary import normalise

LEAST_OBJECT = 0.4
"""Probability that a patch shows an object at all, from which it has a vote."""
LEAST_NAMED = 0.02
"""Probability of a name from which a vote counts where that name is looked for."""
_MOST_VOTES = 2000
_ALIKE = 0.35  # cosine between the categories of votes for one thing
_REACH = 0.7  # of a thing's middle side: how far apart votes for its centre lie
_REACH_M = (0.12, 1.5)
_FAR = 4.0
"""Reaches, beyond which votes for other places say nothing of a thing."""
_LEAST_DENSITY = 0.3
_LEAST_PATCHES = 2  # of frames that are not enlarged
_ENOUGH_PATCHES = 16  # of these; from so many on, more say little more
_SAME_IOU = 0.2
_FLAT_TOPS = frozenset(
    {"table", "coffee table", "side table", "desk", "workbench", "dressing table", "counter", "kitchen island"}
)
"""What has a flat top that is as long as it is."""
_OF_ALL = frozenset({"categories", "colors", "zoom", "grid_hw", "surface"})  # what votes share
_SHOWN = 0.3  # of the surest vote for a thing: from here on a frame shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVotes:
    """What patches that show objects say, all frames together.

    Attributes:
        categories: names, in the order of ``category``.
        colors: names, in the order of ``color``.
        category: probability of each category; what is missing to 1 is that there is no object.
        color: probability of each colour.
        center_world: where the thing's centre is thought to be.
        size_m: full extents along the thing's own axes.
        axis_world: level direction of its own x axis (its front is -y); not of unit length.
        scale_m: how far off the centre is thought to be.
        frame: number of the frame in the clip.
        time_s: of that frame; NaN unknown.
        patch: its number among the patches of all frames, in the order of (frame, row, column).
        zoom: how many times as large the frames of these patches are as the scene's otherwise: a thing fills zoom² as many.
        grid_hw: rows and columns of patches in a frame; None: not known.
        surface: what depth shows of the scene, which boxes of things that stay are fitted to; None: they are as they are voted for.
    """

    categories: tuple[str, ...]
    colors: tuple[str, ...]
    category: Float32[np.ndarray, "n k"]
    color: Float32[np.ndarray, "n o"]
    center_world: Float64[np.ndarray, "n 3"]
    size_m: Float64[np.ndarray, "n 3"]
    axis_world: Float64[np.ndarray, "n 2"]
    scale_m: Float64[np.ndarray, "n"]
    frame: Int64[np.ndarray, "n"]
    time_s: Float64[np.ndarray, "n"]
    patch: Int64[np.ndarray, "n"]
    zoom: int = 1
    grid_hw: tuple[int, int] | None = None
    surface: SeenSurface | None = None

    def only(self, keep: Bool[np.ndarray, "n"] | Int64[np.ndarray, "m"]) -> "ObjectVotes":
        """Some of the votes."""
        arrays = [field.name for field in fields(self) if field.name not in _OF_ALL]
        return replace(self, **{name: getattr(self, name)[keep] for name in arrays})


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundObject:
    """An object that votes agree on.

    Attributes:
        category: its likeliest name, or the one that was looked for.
        score: how sure, 0..1: of the name, and that there is something at all.
        box: in the world, upright.
        front_world: level unit vector that its front faces if it has one.
        color: the likeliest colour of what it is called, and its share.
        color_score: of that colour.
        frames: frames of the clip whose patches voted for it.
        spread_m: standard deviation of the votes for its centre.
    """

    category: str
    score: float
    box: Box3D
    front_world: tuple[float, float]
    color: str
    color_score: float
    frames: tuple[int, ...]
    spread_m: float


def votes_of(
    said: PatchObjects,
    points_world: Float32[Tensor, "f gh gw 3"],
    world_from_camera: Float32[Tensor, "f 4 4"],
    time_s: Tensor,
    categories: Sequence[str],
    colors: Sequence[str],
    zoom: int = 1,
) -> ObjectVotes:
    """Votes of the patches that have a place and may show an object, in the world.

    Args:
        said: by the head, of all frames in order.
        points_world: of every patch, NaN where unknown.
        world_from_camera: poses.
        time_s: of every frame.
        categories: what the head's categories are called.
        colors: what its colours are called.
        zoom: how many times as large these frames are as the scene's otherwise.
    """

    def all_of(name: str) -> Tensor:
        return getattr(said, name).float().cpu()

    points = points_world.cpu()
    category = all_of("category_logits").softmax(-1)[..., :-1]
    here = points.isfinite().all(-1) & (category.sum(-1) >= LEAST_NAMED)
    ahead, left = (axes[here] for axes in view_axes(points, world_from_camera.cpu()))
    center, heading = all_of("center_m")[here], all_of("heading")[here]
    up = torch.tensor([0.0, 0.0, 1.0])
    center = points[here] + center[:, :1] * ahead + center[:, 1:2] * left + center[:, 2:] * up
    axis = heading[:, :1] * ahead[:, :2] + heading[:, 1:] * left[:, :2]
    frame = torch.arange(len(points))[:, None, None].expand(here.shape)[here]
    return ObjectVotes(
        categories=tuple(categories),
        colors=tuple(colors),
        category=category[here].numpy(),
        color=all_of("color_logits").softmax(-1)[here].numpy(),
        center_world=center.double().numpy(),
        size_m=all_of("log_size")[here].double().exp().numpy(),
        axis_world=axis.double().numpy(),
        scale_m=all_of("log_scale")[here].double().exp().numpy(),
        frame=frame.numpy(),
        time_s=time_s.cpu().double().numpy()[frame.numpy()],
        patch=here.reshape(-1).nonzero()[:, 0].numpy(),
        zoom=zoom,
        grid_hw=(points.shape[1], points.shape[2]),
    )


def find_objects(votes: ObjectVotes, *, most: int = 100) -> tuple[FoundObject, ...]:
    """All objects, the surest first.

    Args:
        votes: of a clip.
        most: so many at most.
    """
    left = _thinned(votes, votes.category.sum(1))
    if not len(left.frame):
        return ()
    each = float((votes.category.sum(1) >= LEAST_OBJECT).sum()) / len(left.frame)  # patches that a vote stands for
    weight = left.category.sum(1) / np.sqrt(np.maximum(left.scale_m, 0.05))
    named = left.category / np.maximum(np.linalg.norm(left.category, axis=1, keepdims=True), 1e-6)
    alike = named @ named.T
    apart = np.linalg.norm(left.center_world[:, None] - left.center_world, axis=2)
    reach = np.clip(_REACH * np.sort(left.size_m, 1)[:, 1], *_REACH_M)
    near = np.exp(-0.5 * (apart / (0.6 * reach[:, None])) ** 2) * np.where(alike > _ALIKE, alike, 0)
    density, free = near @ weight, np.ones(len(weight), dtype=bool)
    found: list[FoundObject] = []
    while free.any():
        seed = int(np.where(free, density, -1.0).argmax())
        if density[seed] < _LEAST_DENSITY:
            break
        one = free & (apart[seed] < reach[seed]) & (alike[seed] > _ALIKE)
        center = np.average(left.center_world[one], axis=0, weights=weight[one])
        one = free & (np.linalg.norm(left.center_world - center, axis=1) < reach[seed]) & (alike[seed] > _ALIKE)
        one[seed] = True
        if each * one.sum() >= _LEAST_PATCHES * votes.zoom**2:
            found.append(_agreed(left.only(one), weight[one], each * float(one.sum())))
        density = density - near[:, one] @ weight[one]
        free &= ~one
    return tuple(without_twins(sorted(found, key=lambda thing: -thing.score))[:most])


def named_share(
    votes: ObjectVotes, category: str, color: str | None = None, besides: Sequence[tuple[str, str | None]] = ()
) -> Float64[np.ndarray, "n"]:
    """How much every vote speaks for the thing of a name.

    Args:
        votes: of a clip.
        category: one of ``votes.categories``.
        color: one of ``votes.colors``, where the name has one.
        besides: names and colours of other things that are looked for: what speaks rather for one of them counts less.
    """

    def alone(category: str, color: str | None) -> Float64[np.ndarray, "n"]:
        share = votes.category[:, votes.categories.index(category)].astype(np.float64)
        return share * (0.05 + votes.color[:, votes.colors.index(color)]) if color in votes.colors else share

    own = alone(category, color)
    rest = sum(alone(*one) for one in besides if one[0] in votes.categories and one != (category, color))
    return own * own / np.maximum(own + rest, 1e-9)


def find_named(
    votes: ObjectVotes,
    category: str,
    color: str | None = None,
    *,
    frame: int | None = None,
    besides: Sequence[tuple[str, str | None]] = (),
) -> FoundObject | None:
    """Where the thing of a name is likeliest, and None where nothing says that it is anywhere.

    Args:
        votes: of a clip.
        category: one of ``votes.categories``.
        color: one of ``votes.colors``, where the name has one.
        frame: of things that move, where they were then; votes of other frames count the less the farther they are.
        besides: names and colours of the other things that are looked for.
    """
    if category not in votes.categories:
        return None
    share = named_share(votes, category, color, besides)
    if frame is not None:
        share = share * np.exp(-np.abs(votes.frame - frame).astype(np.float64))
    keep = np.flatnonzero(votes.category[:, votes.categories.index(category)] > LEAST_NAMED)
    if not len(keep):
        return None
    every, keep = keep, keep[np.argsort(-share[keep], kind="stable")[:_MOST_VOTES]]
    some, share = votes.only(keep), share[keep]
    reach = np.clip(_REACH * np.sort(some.size_m, 1)[:, 1], *_REACH_M)
    apart = np.linalg.norm(some.center_world[:, None] - some.center_world, axis=2)
    seed = int((np.exp(-0.5 * (apart / (0.6 * reach[:, None])) ** 2) @ share).argmax())
    one = apart[seed] < reach[seed]
    thing = _agreed(some.only(one), share[one], float(one.sum()))
    every = every[np.linalg.norm(votes.center_world[every] - some.center_world[seed], axis=1) < reach[seed]]
    own = votes.category[every, votes.categories.index(category)]
    frames = np.unique(votes.frame[every][own >= _SHOWN * own.max()])  # where it is shown, not where it might be
    return replace(
        thing, category=category, score=min(1.0, float(own.max())), frames=tuple(int(frame) for frame in frames)
    )


def fitted(thing: FoundObject, votes: ObjectVotes) -> FoundObject:
    """A thing that stands still with its box fitted to the surface that was seen, as far as it was.

    A patch shows this very thing where it shows a thing at all, of a sort like it, with its centre about where the thing's is.

    Args:
        thing: found in the votes.
        votes: of all things of the clip.
    """
    known = normalise(thing.category)
    if votes.surface is None:
        return thing
    apart = np.linalg.norm(votes.center_world - thing.box.center_world, axis=1)
    reach = float(np.clip(_REACH * np.sort(thing.box.size_m)[1], *_REACH_M))
    around = np.flatnonzero(apart < _FAR * reach)
    near, shown = np.exp(-0.5 * (apart[around] / reach) ** 2), votes.category[around]
    sort = (near * shown[:, votes.categories.index(thing.category)]) @ shown
    length = np.linalg.norm(shown, axis=1) * np.linalg.norm(sort)
    own = np.zeros(votes.surface.num_patches)
    own[votes.patch[around]] = shown.sum(axis=1) * (shown @ sort) / np.maximum(length, 1e-9) * near
    box = fit_box(thing.box, votes.surface, own).box
    if known in _FLAT_TOPS:
        box = on_top(box, votes.surface.tops) or box
    return replace(thing, box=box, front_world=front_of(box))


def _thinned(votes: ObjectVotes, share: Float32[np.ndarray, "n"]) -> ObjectVotes:
    """Votes that count, not more than can be compared with each other, evenly taken."""
    keep = np.flatnonzero(share >= LEAST_OBJECT)
    if len(keep) > _MOST_VOTES:
        keep = keep[np.linspace(0, len(keep) - 1, _MOST_VOTES).round().astype(np.int64)]
    return votes.only(keep)


def _agreed(votes: ObjectVotes, weight: Float64[np.ndarray, "n"], patches: float) -> FoundObject:
    """One object from the votes for it. It is the surer the likelier its name is, the more patches say so, and the more frames show it."""
    category = np.average(votes.category, axis=0, weights=weight)
    color = np.average(votes.color, axis=0, weights=weight)
    best, hue = int(category.argmax()), int(color.argmax())
    box = box_of_votes(votes, weight)
    spread = np.average(((votes.center_world - box.center_world) ** 2).sum(1), weights=weight)
    frames = np.unique(votes.frame)
    enough = (1 - math.exp(-patches / votes.zoom**2 / _ENOUGH_PATCHES)) * len(frames) / (len(frames) + 1)
    return FoundObject(
        category=votes.categories[best],
        score=float(np.clip(category[best] * enough, 0, 1)),
        box=box,
        front_world=front_of(box),
        color=votes.colors[hue] if votes.colors else "",
        color_score=float(color[hue]) if votes.colors else 0.0,
        frames=tuple(int(one) for one in frames),
        spread_m=float(np.sqrt(spread)),
    )


def front_of(box: Box3D) -> tuple[float, float]:
    """Where the front of a thing points that stands so: -y, level, of unit length.

    Args:
        box: upright.
    """
    x, y = (float(value) for value in box.world_from_box[:2, 0])
    return y, -x


def box_of_votes(votes: ObjectVotes, weight: Float64[np.ndarray, "n"]) -> Box3D:
    """The box that votes for one object agree on: medians, which a few wrong votes do not move.

    Args:
        votes: for it.
        weight: of each.
    """
    center = np.array([_median(votes.center_world[:, axis], weight) for axis in range(3)])
    size = np.array([_median(votes.size_m[:, axis], weight) for axis in range(3)])
    axis = votes.axis_world / np.maximum(np.linalg.norm(votes.axis_world, axis=1, keepdims=True), 1e-6)
    turned = (weight[:, None] * axis).sum(0)
    if np.hypot(*turned) < 0.3 * weight.sum():  # no front to agree on: half a turn is none
        double = (weight * np.exp(2j * np.arctan2(axis[:, 1], axis[:, 0]))).sum()
        turned = np.array([math.cos(np.angle(double) / 2), math.sin(np.angle(double) / 2)])
    x, y = turned / max(float(np.hypot(*turned)), 1e-9)
    return Box3D(
        center_world=center,
        size_m=np.maximum(size, 0.01),
        world_from_box=np.array([[x, -y, 0.0], [y, x, 0.0], [0.0, 0.0, 1.0]]),
    )


def _median(values: Float64[np.ndarray, "n"], weight: Float64[np.ndarray, "n"]) -> float:
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weight[order])
    return float(values[order[np.searchsorted(total, total[-1] / 2)]])


def without_twins(found: Sequence[FoundObject]) -> list[FoundObject]:
    """Without those that share room with one before them, or lie where one of their own name is.

    Args:
        found: the surest first.
    """
    if not found:
        return []
    overlap = iou_3d_matrix([thing.box for thing in found], [thing.box for thing in found])
    kept: list[int] = []
    for i, thing in enumerate(found):
        for j in kept:
            other = found[j]
            apart = float(np.linalg.norm(thing.box.center_world - other.box.center_world))
            near = apart < 0.35 * float(np.sort(other.box.size_m)[1:].mean())
            if overlap[i, j] > _SAME_IOU or (near and thing.category == other.category):
                break
        else:
            kept.append(i)
    return [found[i] for i in kept]
