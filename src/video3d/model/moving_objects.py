"""What moved, and what it is called: by what the patches say that show it, wherever their votes are for.

Votes of small or far things are for places that are metres off, and a thing in motion has votes for a place in every frame. Depth shows
where it was in each of them (``geometry.moving_things``), and the patches there say its name.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.geometry.moving import TAIL, Body
from video3d.geometry.moving_things import MovingThing
from video3d.model.object_votes import FoundObject, ObjectVotes, box_of_votes, front_of, named_share
from video3d.types import Box3D
from video3d.vocabulary import MOVING
from video3d.vocabulary import category as category_of

_OWN = 0.08
"""Mean share of the name, of the patches that show what moved, from which it is what is meant."""
_MAYBE = 0.02  # and from which it may be
_OWN_BESIDE = 0.5  # and of that of the patches elsewhere that say so most
_ELSEWHERE = 2  # of these patches, of frames that are not enlarged
_WHOLE, _GONE_M = 0.25, 1.0
"""Of what speaks for the name in those frames, squared: less than that moves only if it goes so far, for what stands may seem to move at its edges."""
_AS_LARGE, _AS_LARGE_M, _AS_SMALL = 1.5, 0.1, 0.2
"""What moved is no larger than what it is called, and, where it is seen best, no smaller than so much of its longest side."""
_PART = 0.6  # of the share of the thing's name that is surest: from here on another is a part of it
_PARTS_SHARE = 1.3  # of the size that it is believed to have, within which its parts lie
_FOUND_FRAMES, _FOUND = 3, 0.4
"""Frames in which something has to have moved, and mean probability of its name, to be an object by that alone."""
_AROUND = 1.2  # times its box: votes of its name for places in it are its own
_LATELY = 4  # frames to either side, over which a way is straight
_DRIVES_M_S, _FAR_M = 0.7, 1.0  # from which speed and way on the heading of what drives or walks is that way


def moving_named(
    votes: ObjectVotes,
    category: str,
    color: str | None = None,
    *,
    besides: Sequence[tuple[str, str | None]] = (),
    moving: Sequence[MovingThing] = (),
) -> MovingThing | None:
    """Which of what moved is the thing of a name, by what the patches say that show it; None where none surely is.

    Args:
        votes: of a clip.
        category: one of ``votes.categories``.
        color: one of ``votes.colors``, where the name has one.
        besides: names and colours of the other things that are looked for.
        moving: what moved, by depth.
    """
    share = _spoken(votes, category, color, besides)
    if share is None or not moving:
        return None
    shown = [_shown_by(one, votes.grid_hw, len(share)) for one in moving]
    own = [_mean(share, *one) or 0.0 for one in shown]
    elsewhere = share.copy()
    elsewhere[np.concatenate([patch for patch, _ in shown])] = 0.0
    rest = float(np.sort(elsewhere)[-_ELSEWHERE * votes.zoom**2 :].mean())
    for best in np.argsort(own, kind="stable")[::-1]:
        if own[best] < max(_OWN, _OWN_BESIDE * rest):
            return None
        box = _believed(votes, moving[best], category)
        if box is None or not _moves_whole(votes, moving[best], share) or not _fits(moving[best], box):
            continue
        parts = [one for one, said in zip(moving, own, strict=True) if said >= max(_OWN, _PART * own[best])]
        return _with_parts(moving[best], parts, _PARTS_SHARE * float(box.size_m.max()))[0]
    return None


def perhaps_named(
    votes: ObjectVotes,
    category: str,
    color: str | None = None,
    *,
    besides: Sequence[tuple[str, str | None]] = (),
    moving: Sequence[MovingThing] = (),
) -> list[Body]:
    """What moved and may be the thing of a name: all of it but what is surely called otherwise or of another size.

    Args:
        votes: of a clip.
        category: one of ``votes.categories``.
        color: one of ``votes.colors``, where the name has one.
        besides: names and colours of the other things that are looked for.
        moving: what moved, by depth.
    """
    share = _spoken(votes, category, color, besides)

    def may_be(thing: MovingThing) -> bool:
        said = None if share is None else _mean(share, *_shown_by(thing, votes.grid_hw, len(share)))
        if said is None:  # nobody knows what shows it
            return True
        box = _believed(votes, thing, category)
        return said >= _MAYBE and box is not None and _fits(thing, box)

    return [body for one in moving if may_be(one) for body in one.bodies]


def boxes_of_moving(votes: ObjectVotes, thing: MovingThing, category: str, frames: Sequence[int]) -> dict[int, Box3D]:
    """The box of a thing that moved, in those of some frames that saw it move: as large as the patches say that show it.

    What drives or walks stands along its way.

    Args:
        votes: of a clip.
        thing: that moved.
        category: its name, one of ``votes.categories``.
        frames: of the clip.
    """
    box = _believed(votes, thing, category)
    if box is None:
        return {}
    times = frame_times(votes)
    known = [(frame, body) for frame in frames if (body := thing.at(frame)) is not None and frame in times]
    turned = [(body, _along(box, thing, times, frame, category)) for frame, body in known]
    return {body.frame: replace(one, center_world=body.center(one)) for body, one in turned}


def moving_found(
    votes: ObjectVotes, moving: Sequence[MovingThing]
) -> tuple[tuple[FoundObject, ...], Bool[np.ndarray, "n"]]:
    """What moved, found as objects where the last frame that saw it move has it, and which votes are its own.

    Each frame's votes for a thing in motion are for another place: without this it is found again and again.

    Args:
        votes: of a clip.
        moving: what moved, by depth.
    """
    taken, found, done = np.zeros(len(votes.frame), dtype=bool), [], set()
    called = [(one, *_called(votes, one)) for one in moving if len(one.bodies) >= _FOUND_FRAMES]
    called = [(one, name, sure) for one, name, sure in called if sure >= _FOUND and category_of(name).kind in MOVING]
    for thing, name, sure in called:
        share = _spoken(votes, name, None, ())
        box = _believed(votes, thing, name)
        if id(thing) in done or share is None or box is None or not _fits(thing, box):
            continue
        alike = [one for one, other, _ in called if other == name and id(one) not in done]
        whole, used = _with_parts(thing, alike, _PARTS_SHARE * float(box.size_m.max()))
        if not _moves_whole(votes, whole, share):
            continue
        done |= {id(one) for one in used}
        boxes = boxes_of_moving(votes, whole, name, [one.frame for one in whole.bodies])
        own = _votes_of(votes, whole)
        color = votes.color[own].mean(axis=0)
        last = boxes[max(boxes)] if boxes else box
        found.append(
            FoundObject(
                category=name, score=sure * len(whole.bodies) / (len(whole.bodies) + 1), box=last, front_world=front_of(last),
                color=votes.colors[int(color.argmax())] if votes.colors else "", color_score=float(color.max(initial=0.0)),
                frames=tuple(one.frame for one in whole.bodies), spread_m=whole.bodies[-1].sigma_m,
            )
        )  # fmt: skip
        taken |= own | _votes_in(votes, name, boxes)
    return tuple(found), taken


def _spoken(
    votes: ObjectVotes, category: str, color: str | None, besides: Sequence[tuple[str, str | None]]
) -> Float64[np.ndarray, "p"] | None:
    """How much every patch of all frames speaks for the thing of a name; None where none does or patches have no place in their frames."""
    if votes.grid_hw is None or category not in votes.categories or not len(votes.frame):
        return None
    share = np.zeros((int(votes.frame.max()) + 1) * votes.grid_hw[0] * votes.grid_hw[1])
    share[votes.patch] = named_share(votes, category, color, besides)
    return share


def _shown_by(
    thing: MovingThing, grid_hw: tuple[int, int] | None, number: int
) -> tuple[Int64[np.ndarray, "p"], Float64[np.ndarray, "p"]]:
    """The patches, of so many, that show a thing, and how much each says of it: of a body that is seen larger, all together more, but not by as much."""
    patches, weights = [np.zeros(0, np.int64)], [np.zeros(0)]
    for body in thing.bodies:
        if grid_hw is not None and body.seen_at is not None:
            row, column = (body.seen_at * grid_hw).astype(np.int64).T
            patch, points = np.unique((body.frame * grid_hw[0] + row) * grid_hw[1] + column, return_counts=True)
            patches.append(patch)
            weights.append(points / np.sqrt(points.sum()))
    patch, weight = np.concatenate(patches), np.concatenate(weights)
    return patch[patch < number], weight[patch < number]


def _mean(
    share: Float64[np.ndarray, "n"], patch: Int64[np.ndarray, "p"], weight: Float64[np.ndarray, "p"]
) -> float | None:
    """What some patches say on the whole; None of none."""
    return float(share[patch] @ weight / weight.sum()) if len(patch) else None


def _votes_of(votes: ObjectVotes, thing: MovingThing) -> Bool[np.ndarray, "n"]:
    """Which votes are of patches that show a thing."""
    shows = np.zeros(int(votes.patch.max(initial=-1)) + 1, dtype=bool)
    shows[_shown_by(thing, votes.grid_hw, len(shows))[0]] = True
    return shows[votes.patch]


def _votes_in(votes: ObjectVotes, name: str, boxes: dict[int, Box3D]) -> Bool[np.ndarray, "n"]:
    """Which votes of a name are for a place in the box of their frame."""
    own = votes.category.argmax(axis=1) == votes.categories.index(name)
    inside = np.zeros(len(own), dtype=bool)
    for frame, box in boxes.items():
        at = np.flatnonzero(own & (votes.frame == frame))
        local = (votes.center_world[at] - box.center_world) @ box.world_from_box
        inside[at] = (np.abs(local) < _AROUND * box.size_m / 2).all(axis=1)
    return inside


def _called(votes: ObjectVotes, thing: MovingThing) -> tuple[str, float]:
    """What the patches that show a thing call it on the whole, and how surely."""
    own = _votes_of(votes, thing)
    if not own.any():
        return "", 0.0
    mean = votes.category[own].mean(axis=0)
    return votes.categories[int(mean.argmax())], float(mean.max())


def _moves_whole(votes: ObjectVotes, thing: MovingThing, share: Float64[np.ndarray, "p"]) -> bool:
    """Whether what moved is what speaks for a name, not an edge of it; or it surely goes somewhere."""
    assert votes.grid_hw is not None
    by_frame = (share**2).reshape(-1, votes.grid_hw[0] * votes.grid_hw[1]).sum(axis=1)
    patch, _ = _shown_by(thing, votes.grid_hw, len(share))
    frames = [one.frame for one in thing.bodies if one.frame < len(by_frame)]
    middles = thing.middles()
    gone_m = float(np.linalg.norm((middles[-1] - middles[0])[:2]))
    return float((share[patch] ** 2).sum()) >= _WHOLE * float(by_frame[frames].sum()) or gone_m > _GONE_M


def _fits(thing: MovingThing, box: Box3D) -> bool:
    """Whether what moved is about as large as a box, as far as it was seen."""
    spans = []
    for one in thing.bodies:
        local = (one.points_world - box.center_world) @ box.world_from_box
        spans.append(np.ptp(np.quantile(local, (TAIL, 1 - TAIL), axis=0), axis=0))
    largest, level = np.median(spans, axis=0), np.max([np.linalg.norm(one[:2]) for one in spans])
    no_larger = np.linalg.norm(largest[:2]) < _AS_LARGE * np.linalg.norm(box.size_m[:2]) + _AS_LARGE_M
    return bool(
        no_larger and largest[2] < _AS_LARGE * box.size_m[2] + _AS_LARGE_M and level > _AS_SMALL * box.size_m[:2].max()
    )


def _with_parts(
    thing: MovingThing, parts: Sequence[MovingThing], longest_m: float
) -> tuple[MovingThing, list[MovingThing]]:
    """A thing with what else is called the same and moves within its length, and what that was: of what is long and slow, places in its middle stay filled."""
    bodies, used = {one.frame: one for one in thing.bodies}, [thing]
    for part in (one for one in parts if one is not thing):
        both = [(bodies[one.frame], one) for one in part.bodies if one.frame in bodies]
        if not both or max(_across(*pair) for pair in both) > longest_m:
            continue
        used.append(part)
        for one in part.bodies:
            other = bodies.get(one.frame)
            bodies[one.frame] = one if other is None else _together(other, one)
    whole = MovingThing(bodies=tuple(bodies[frame] for frame in sorted(bodies)))
    return (whole if len(used) > 1 else thing), used


def _across(one: Body, other: Body) -> float:
    points = np.concatenate([one.points_world, other.points_world])[:, :2]
    return float(np.linalg.norm(np.ptp(points, axis=0)))


def _together(one: Body, other: Body) -> Body:
    points = np.concatenate([one.points_world, other.points_world])
    if one.seen_at is None or other.seen_at is None:
        return replace(one, points_world=points, seen_at=None)
    return replace(one, points_world=points, seen_at=np.concatenate([one.seen_at, other.seen_at]))


def _believed(votes: ObjectVotes, thing: MovingThing, category: str) -> Box3D | None:
    """The box that patches believe in that show a thing, somewhere; None where none of them speaks for the name."""
    some = votes.only(_votes_of(votes, thing))
    share = some.category[:, votes.categories.index(category)].astype(np.float64)
    return box_of_votes(some, share) if share.sum() > 0 else None


def frame_times(votes: ObjectVotes) -> dict[int, float]:
    """Times of the frames that have votes and a time."""
    frames, first = np.unique(votes.frame, return_index=True)
    times = zip(frames.tolist(), votes.time_s[first].tolist(), strict=True)
    return {frame: time_s for frame, time_s in times if np.isfinite(time_s)}


def _along(box: Box3D, thing: MovingThing, times: dict[int, float], frame: int, category: str) -> Box3D:
    """A box turned along the way of what goes far and fast enough about a frame; as it is, of others."""
    if category_of(category).kind not in MOVING:
        return box
    about = [at for at, one in enumerate(thing.bodies) if one.frame in times and abs(one.frame - frame) <= _LATELY]
    if len(about) < 2:
        return box
    time_s = np.array([times[thing.bodies[at].frame] for at in about])
    late = time_s - time_s.mean()
    velocity = late @ thing.middles()[about, :2] / max(float(late @ late), 1e-9)
    speed = float(np.linalg.norm(velocity))
    if speed < _DRIVES_M_S or speed * float(np.ptp(time_s)) < _FAR_M:
        return box
    x, y = -velocity[1] / speed, velocity[0] / speed  # its front, -y, is ahead
    return replace(box, world_from_box=np.array([[x, -y, 0.0], [y, x, 0.0], [0.0, 0.0, 1.0]]))
