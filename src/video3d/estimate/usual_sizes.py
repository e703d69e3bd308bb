"""Metres from what is seen: a cup is about twelve centimetres wide, a car a metre and a half high, however far away they stand.

Pixels alone show shapes and paths up to one factor. A detector that was trained on photographs knows many things by sight, and most
things of a kind have nearly one size. So every kind that is seen tells the factor, to as many percent as its sizes differ, and all of
them together tell it better:

    boxes ─▶ times depth over focal length ─▶ against the usual size ─▶ one ratio a kind ─▶ the mean of all kinds, robust

What a depth network says of metres is one witness more. Sizes are of whole things: boxes that the picture's edge cuts do not count.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64

from video3d.types import PosedClip
from video3d.types.detector import Detector, SeenBox, even_frames
from video3d.vocabulary import MOVING, category, normalise

Side = Literal["longest", "width", "height"]


class UsualSize(NamedTuple):
    """How large things of a kind are.

    Attributes:
        side: of the box in an upright picture.
        metres: the middle of what is usual.
        sigma: standard deviation of ln size between things of that kind.
    """

    side: Side
    metres: float
    sigma: float


USUAL = {
    "cup": UsualSize("longest", 0.115, 0.2),  # 8 to 9 cm across, with its handle 12; 9 to 12 high
    "bottle": UsualSize("longest", 0.26, 0.22),  # half a litre 22 cm, wine 30
    "glass": UsualSize("longest", 0.17, 0.25),  # with a stem 20 cm, without 13
    "bowl": UsualSize("width", 0.16, 0.25),
    "fork": UsualSize("longest", 0.19, 0.12),
    "knife": UsualSize("longest", 0.22, 0.15),
    "spoon": UsualSize("longest", 0.18, 0.15),
    "banana": UsualSize("longest", 0.19, 0.15),
    "apple": UsualSize("width", 0.08, 0.12),
    "orange": UsualSize("width", 0.08, 0.12),
    "book": UsualSize("longest", 0.24, 0.25),  # pocket books 18 cm, A4 30
    "remote control": UsualSize("longest", 0.18, 0.2),
    "mobile phone": UsualSize("longest", 0.15, 0.12),
    "computer mouse": UsualSize("longest", 0.115, 0.12),
    "keyboard": UsualSize("longest", 0.42, 0.18),
    "laptop": UsualSize("width", 0.34, 0.12),
    "tv": UsualSize("width", 0.7, 0.45),  # from a monitor of 50 cm to a screen of 1.2 m
    "microwave": UsualSize("width", 0.5, 0.12),
    "oven": UsualSize("width", 0.6, 0.12),
    "toaster": UsualSize("width", 0.28, 0.2),
    "refrigerator": UsualSize("height", 1.7, 0.2),
    "toilet": UsualSize("height", 0.75, 0.18),
    "chair": UsualSize("width", 0.52, 0.18),  # 45 cm at a dining table, 65 with arms
    "sofa": UsualSize("height", 0.85, 0.15),
    "bench": UsualSize("height", 0.85, 0.2),
    "backpack": UsualSize("longest", 0.45, 0.2),
    "suitcase": UsualSize("longest", 0.65, 0.22),
    "scissors": UsualSize("longest", 0.19, 0.2),
    "toothbrush": UsualSize("longest", 0.19, 0.1),
    "ball": UsualSize("width", 0.22, 0.3),
    "person": UsualSize("height", 1.68, 0.1),  # standing: see _standing
    "bicycle": UsualSize("height", 1.05, 0.12),
    "motorcycle": UsualSize("height", 1.15, 0.15),
    "car": UsualSize("height", 1.52, 0.1),
    "bus": UsualSize("height", 3.1, 0.12),
    "truck": UsualSize("height", 2.9, 0.3),
    "fire hydrant": UsualSize("height", 0.75, 0.2),
}
"""What usual things measure: ranges in which nearly all that shops sell and standards fix lie, a quarter of each as its sigma. Not fitted to recordings."""
NANO_SIGMA, NETWORK_SIGMA = 0.45, 0.25
"""How far metres of the embedded depth network are off, of ln (docs/results/depth.md: +0.44, -0.18 and -0.70 on three recordings); and what is
believed of others, which have seen photographs."""
MAX_SIGMA = 0.2
"""Of ln scale: with more, no metres are claimed where nothing else tells them."""
_SURE, _SURE_ALONE = 0.5, 0.8  # score of a box, and of one that no other frame confirms
_FROM_EDGE = 0.01  # of a picture's side: nearer to it a box may be cut
_MIDDLE = 0.5  # of a box's sides, where its depth is looked at
_LEAST_KNOWN = 0.3  # of which so much must have depth
_STANDING = (2.2, 4.5)  # height over width of a person who stands and is seen whole
_BOX_SIGMA = 0.08  # of a box's side, common to all boxes of one kind
_MOVING_SIGMA = (
    0.25  # what moves stands elsewhere than many views together believe; children are no adults: never enough alone
)
_HUBER = 1.5
_MORE = 2  # times the frames that a detector is asked to look at elsewhere: boxes that are cut or unsure tell no size
_MOST_NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeWitness:
    """What one kind of thing says of the scale.

    Attributes:
        name: of the kind, or of what else tells.
        log_factor: ln of what lengths must be multiplied by to be metres.
        sigma: standard deviation of that.
        boxes: on which it rests.
    """

    name: str
    log_factor: float
    sigma: float
    boxes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeFit:
    """What all kinds say together.

    Attributes:
        factor: lengths must be multiplied by, to be metres.
        sigma: standard deviation of its ln.
        witnesses: that it rests on.
    """

    factor: float
    sigma: float
    witnesses: tuple[SizeWitness, ...]


def witnesses_of(seen: Sequence[SeenBox], clip: PosedClip) -> tuple[SizeWitness, ...]:
    """What every kind of thing says of the scale of a clip's largest piece, the most certain first.

    Args:
        seen: boxes of things, ``frame`` being the position in the clip.
        clip: with depth and intrinsics, in any unit.
    """
    ratios: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for one in seen:
        size = None if one.label not in USUAL else _size(one, clip)
        if size is not None:
            ratios[one.label].append((math.log(USUAL[one.label].metres / size), one.score, one.frame))
    found = []
    for name, each in ratios.items():
        frames = {frame for _, _, frame in each}
        if len(frames) < 2 and max(score for _, score, _ in each) < _SURE_ALONE:
            continue
        values = np.array([ratio for ratio, _, _ in each])
        middle = float(np.median(values))
        spread = 1.4826 * float(np.median(np.abs(values - middle))) if len(values) > 2 else 0.15
        moves = _MOVING_SIGMA if (normalise(name) and category(name).kind in MOVING) else 0.0
        sigma = math.sqrt(USUAL[name].sigma ** 2 + _BOX_SIGMA**2 + moves**2 + spread**2 / len(frames))
        found.append(SizeWitness(name=name, log_factor=middle, sigma=sigma, boxes=len(each)))
    return tuple(sorted(found, key=lambda one: (one.sigma, one.name)))


def fit_sizes(witnesses: Sequence[SizeWitness]) -> SizeFit | None:
    """The factor that all witnesses speak for; None without any.

    A mean weighted by certainty, in which whoever is off by more than 1.5 of its sigmas counts less (Huber, "Robust Estimation of a
    Location Parameter", 1964). Where witnesses differ by more than they say, all are believed the less.

    >>> cup = SizeWitness(name="cup", log_factor=0.0, sigma=0.2, boxes=3)
    >>> fit_sizes([cup, replace(cup, name="bowl", log_factor=0.2)])
    SizeFit(factor=1.105..., sigma=0.141..., witnesses=...)
    """
    if not witnesses:
        return None
    values = np.array([one.log_factor for one in witnesses])
    sigmas = np.array([one.sigma for one in witnesses])
    middle = _weighted_median(values, sigmas**-2)
    for _ in range(20):
        off = np.abs(values - middle) / sigmas
        weight = sigmas**-2 * np.minimum(1.0, _HUBER / np.maximum(off, 1e-9))
        middle = float(np.average(values, weights=weight))
    sigma = float(weight.sum() ** -0.5)
    if len(values) > 1:
        off = (values - middle) / sigmas
        sigma *= math.sqrt(max(1.0, float(np.minimum(off**2, _HUBER * np.abs(off)).sum()) / (len(values) - 1)))
    return SizeFit(factor=math.exp(middle), sigma=sigma, witnesses=tuple(witnesses))


def in_metres(clip: PosedClip, detector: Callable[[], Detector | None], *, network: str = "nano") -> PosedClip:
    """A clip in metres by the things that it shows, where no sensor says what a metre is; as it was where they tell too little.

    What a recording gives stays as it is: poses of its own keep their unit, whatever that is.

    Args:
        clip: with complete geometry.
        detector: gives what sees things; called only where it is needed.
        network: that said metres, where the clip has some.
    """
    frames = _usable(clip)
    given = "measured" in (clip.status.scale, clip.status.poses)
    sees = detector() if frames and not given else None
    if sees is None:
        return clip
    frames = even_frames(frames, _MORE * sees.most_frames)
    boxes = sees(clip.rgb[frames], tuple(USUAL))
    witnesses = list(witnesses_of([replace(one, frame=frames[one.frame]) for one in boxes], clip))
    if not witnesses:
        return clip
    least = MAX_SIGMA
    if clip.world.metric:  # then whatever makes it surer is welcome
        least = NANO_SIGMA if network == "nano" else NETWORK_SIGMA
        witnesses.append(SizeWitness(name="the depth network", log_factor=0.0, sigma=least, boxes=0))
    fit = fit_sizes(witnesses)
    if fit is None or fit.sigma > least:
        return clip
    return _scaled(clip, fit)


def _scaled(clip: PosedClip, fit: SizeFit) -> PosedClip:
    kinds = [one for one in fit.witnesses if one.boxes]
    said = ", ".join(one.name for one in kinds[:_MOST_NAMED]) + (", ..." if len(kinds) > _MOST_NAMED else "")
    note = f"scale: metres, from the usual sizes of what is seen ({said}: {sum(one.boxes for one in kinds)} boxes)"
    if clip.world.metric:
        note += f" and the depth network, whose lengths are taken times {fit.factor:.2f}"
    note += f"; right to about {100 * fit.sigma:.0f} % (one standard deviation)"
    notes = [one for one in clip.status.notes if not one.startswith("scale: unknown")]
    poses, depth, piece = clip.world_from_camera.copy(), clip.depth_m * np.float32(fit.factor), clip.piece
    if not clip.world.metric and (piece != 0).any():  # further pieces have units of their own, and nobody tells them
        other = piece != 0
        poses[other], depth[other], piece = np.nan, np.nan, np.where(other, -1, piece)
        notes.append(f"scale: {int(other.sum())} frames of other pieces are left out, as nothing tells their unit")
    poses[:, :3, 3] *= fit.factor
    path = clip.path
    if path is not None:
        every = path.world_from_camera.copy()
        every[:, :3, 3] *= fit.factor
        path = replace(path, world_from_camera=every)
    return replace(
        clip,
        world_from_camera=poses,
        depth_m=depth,
        piece=piece,
        path=path,
        world=replace(clip.world, metric=True),
        status=replace(clip.status, scale="estimated", notes=(*notes, note)),
        depth_log_sigma=None
        if clip.depth_log_sigma is None
        else np.where(np.isfinite(depth), clip.depth_log_sigma, np.float32(np.nan)),
    )


def _usable(clip: PosedClip) -> list[int]:
    known = (clip.piece == 0) & np.isfinite(clip.k_px).all((1, 2))
    return [int(i) for i in np.flatnonzero(known) if np.isfinite(clip.depth_m[i]).any()]


def _size(one: SeenBox, clip: PosedClip) -> float | None:
    """How large the thing in a box is, in the clip's unit, along the side that is usual for its kind; None where that cannot be told."""
    height, width = clip.size_hw
    left, top, right, bottom = one.box_px
    cut = min(left / width, top / height, 1 - right / width, 1 - bottom / height) < _FROM_EDGE
    if one.score < _SURE or cut or (one.label == "person" and not _standing(one.box_px)):
        return None
    z = _middle_depth(clip.depth_m[one.frame], clip.size_hw, one.box_px)
    if z is None:
        return None
    across, along = (right - left) * z / clip.k_px[one.frame, 0, 0], (bottom - top) * z / clip.k_px[one.frame, 1, 1]
    side = USUAL[one.label].side
    return float(across if side == "width" else along if side == "height" else max(across, along))


def _standing(box_px: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = box_px
    return _STANDING[0] < (bottom - top) / (right - left) < _STANDING[1]


def _middle_depth(
    depth: Float32[np.ndarray, "dh dw"], size_hw: tuple[int, int], box_px: tuple[float, float, float, float]
) -> float | None:
    scale = np.array([depth.shape[1] / size_hw[1], depth.shape[0] / size_hw[0]] * 2)
    left, top, right, bottom = np.array(box_px) * scale
    aside, down = (right - left) * (1 - _MIDDLE) / 2, (bottom - top) * (1 - _MIDDLE) / 2
    part = depth[int(top + down) : int(bottom - down) + 1, int(left + aside) : int(right - aside) + 1]
    known = part[np.isfinite(part)]
    return float(np.median(known)) if part.size and known.size >= _LEAST_KNOWN * part.size else None


def _weighted_median(values: Float64[np.ndarray, "n"], weight: Float64[np.ndarray, "n"]) -> float:
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][int(np.searchsorted(share, 0.5))])
