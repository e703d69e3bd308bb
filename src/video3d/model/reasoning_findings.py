"""From what the reasoning module computes to typed findings: one scene, numpy, and sentences for a prompt.

Nothing here is random; of equal scores the earlier query wins.
"""

import dataclasses
import inspect
import math
from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from video3d.geometry.boxes import iou_3d_matrix
from video3d.model.reasoning import ReasoningModule
from video3d.model.reasoning_types import Observers, SceneContext, Things
from video3d.types import Box3D, Detection, InputError
from video3d.types.reasoning import (
    METRIC_RELATIONS,
    OBSERVER_RELATIONS,
    RELATIONS,
    LayoutFinding,
    Observer,
    PhysicsFinding,
    RelationFinding,
    Thing,
)
from video3d.types.scene_tokens import SceneTokens

NMS_IOU = 0.25
"""Boxes that share more than this are the same object, whatever they are called."""


@overload
def reason(
    module: ReasoningModule,
    scene: SceneTokens | SceneContext,
    kind: Literal["relation"],
    *,
    thing: Thing,
    reference: Thing,
    observer: Observer | None = None,
    relations: Sequence[str] | None = None,
    score_threshold: float = 0.5,
    metric: bool = False,
    scene_index: int = 0,
) -> RelationFinding: ...
@overload
def reason(
    module: ReasoningModule,
    scene: SceneTokens | SceneContext,
    kind: Literal["layout"],
    *,
    score_threshold: float = 0.5,
    nms_iou: float = NMS_IOU,
    metric: bool = False,
    scene_index: int = 0,
) -> LayoutFinding: ...
@overload
def reason(
    module: ReasoningModule,
    scene: SceneTokens | SceneContext,
    kind: Literal["physics"],
    *,
    thing: Thing,
    observer: Observer | None = None,
    score_threshold: float = 0.5,
    scene_index: int = 0,
) -> PhysicsFinding: ...
@torch.no_grad()
def reason(
    module: ReasoningModule, scene: SceneTokens | SceneContext, kind: str, *, scene_index: int = 0, **asked: Any
) -> Any:
    """What the module believes about one scene; the language model is not needed.

    Args:
        module: trained.
        scene: from ``encode_scene``; or ``module.read`` of it, where many things are asked: reading is most of the work.
        kind: ``relation`` of ``thing`` to ``reference``, ``layout`` of the whole scene, ``physics`` of ``thing``.
        scene_index: which of the scenes in ``scene``.
        **asked: ``thing``, ``reference``; ``observer`` for left, right, front, behind (without one, these are not among the
            answers, and must not be asked for), in physics for words of direction; ``relations``, the classes to judge, all
            that can be told by default; ``score_threshold`` from which something holds; ``nms_iou``, above which two boxes
            are one; ``metric``, whether the world is (``World.metric``): else near and far cannot be told and lengths are
            relative.

    Errors: ``InputError`` that says what is missing.
    """
    choices = {"relation": _relation, "layout": _layout, "physics": _physics}
    if kind not in choices:
        raise InputError("kind", expected=f"one of {', '.join(choices)}", got=repr(kind), do="choose one")
    known = [name for name in inspect.signature(choices[kind]).parameters if name not in ("module", "context")]
    for name in asked:
        if name not in known:
            raise InputError(name, expected=f"one of {', '.join(known)} for {kind}", got="this name", do="leave it out")
    num = (scene.mask if isinstance(scene, SceneTokens) else scene.keep).shape[0]
    if not 0 <= scene_index < num:
        raise InputError("scene_index", expected=f"0 to {num - 1}", got=scene_index, do="count from 0")
    threshold = asked.setdefault("score_threshold", 0.5)
    if not 0 <= threshold <= 1:
        raise InputError("score_threshold", expected="a score, 0 to 1", got=threshold, do="0.5 is a coin's")
    only = _only(scene, scene_index)
    return choices[kind](module, module.read(only) if isinstance(only, SceneTokens) else only, **asked)


def _only(scene: SceneTokens | SceneContext, index: int) -> SceneTokens | SceneContext:
    """One scene of a batch."""
    rows = {field.name: getattr(scene, field.name) for field in dataclasses.fields(scene)}
    return dataclasses.replace(
        scene, **{name: value[index : index + 1] for name, value in rows.items() if isinstance(value, Tensor)}
    )


def _tensor(values: Any, like: Tensor) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32, device=like.device)


def _things(thing: Thing, like: Tensor) -> Things:
    size = np.zeros(3) if thing.size_m is None else thing.size_m
    return Things(
        center_world=_tensor(thing.center_world, like)[None, None],
        size_m=_tensor(size, like)[None, None],
        yaw_rad=_tensor(thing.yaw_rad, like)[None, None],
    )


def _observers(observer: Observer | None, like: Tensor) -> Observers:
    position = np.full(3, np.nan) if observer is None else observer.position_world
    yaw = math.nan if observer is None else observer.yaw_rad
    return Observers(position_world=_tensor(position, like)[None, None], yaw_rad=_tensor(yaw, like)[None, None])


def _relation(
    module: ReasoningModule,
    context: SceneContext,
    *,
    score_threshold: float,
    thing: Thing | None = None,
    reference: Thing | None = None,
    observer: Observer | None = None,
    relations: Sequence[str] | None = None,
    metric: bool = False,
) -> RelationFinding:
    thing, reference = _given("thing", thing), _given("reference", reference)
    wanted = _wanted(relations, observer, metric)
    like = context.points_centered
    logits = module.relation(context, _things(thing, like), _things(reference, like), _observers(observer, like))
    scores = logits[0, 0].sigmoid().tolist()
    return RelationFinding(
        subject=thing.said,
        reference=reference.said,
        relations=wanted,
        scores=tuple(float(scores[RELATIONS.index(name)]) for name in wanted),
        score_threshold=score_threshold,
        frame="observer" if any(name in OBSERVER_RELATIONS for name in wanted) else "world",
    )


def _given(name: str, thing: Thing | None) -> Thing:
    if thing is None:
        raise InputError(name, expected="a Thing, which says where it is", got="none", do="give a point or a box")
    return thing


def _wanted(relations: Sequence[str] | None, observer: Observer | None, metric: bool) -> tuple[str, ...]:
    """The classes to judge: those asked for, or all that can be told."""
    untold = {*(OBSERVER_RELATIONS if observer is None else ()), *(() if metric else METRIC_RELATIONS)}
    if relations is None:
        return tuple(name for name in RELATIONS if name not in untold)
    for name in relations:
        if name not in RELATIONS:
            raise InputError(
                "relations", expected=f"some of {', '.join(RELATIONS)}", got=repr(name), do="choose of these"
            )
        if name in untold and name in OBSERVER_RELATIONS:
            raise InputError(
                "observer",
                expected=f"somebody who sees it, for {name} depends on where one stands",
                got="none",
                do="give Observer.of_pose(world_from_camera) of a frame, or ask for other relations",
            )
        if name in untold:
            raise InputError(
                "metric",
                expected=f"a world in metres, for {name} is a distance",
                got="a world without known scale",
                do="pass metric=True where World.metric is, or ask for other relations",
            )
    return tuple(relations)


def _layout(
    module: ReasoningModule,
    context: SceneContext,
    *,
    score_threshold: float,
    nms_iou: float = NMS_IOU,
    metric: bool = False,
) -> LayoutFinding:
    found = module.layout(context)
    # How sure of the name, times how well the box is thought to fit: either alone lets the other's mistakes through.
    likely, category = found.category_logits[0].softmax(-1)[:, :-1].max(-1)
    score = torch.where(found.valid[0], (likely * found.quality_logits[0].sigmoid()).sqrt(), -1.0).cpu().numpy()
    named, yaw = category.cpu().numpy(), found.yaw_rad[0].tolist()
    center = found.center_world[0].cpu().numpy().astype(np.float64)
    size = found.log_size[0].exp().cpu().numpy().astype(np.float64)
    order = [i for i in np.argsort(-score, kind="stable").tolist() if score[i] >= score_threshold and score[i] >= 0]
    detections = [
        Detection(
            box=Box3D(center_world=center[i], size_m=size[i], world_from_box=_about_z(yaw[i])),
            label=module.categories[named[i]],
            score=float(min(1.0, score[i])),
        )
        for i in order
    ]
    return LayoutFinding(detections=tuple(distinct(detections, nms_iou)), metric=metric)


def _about_z(yaw_rad: float) -> np.ndarray:
    c, s = math.cos(yaw_rad), math.sin(yaw_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def distinct(detections: Sequence[Detection], nms_iou: float) -> list[Detection]:
    """Detections in their order, without those that share more than ``nms_iou`` (3D IoU) with one kept before."""
    if not detections:
        return []
    boxes = [detection.box for detection in detections]
    overlap = iou_3d_matrix(boxes, boxes)
    kept: list[int] = []
    for i in range(len(detections)):
        if not (overlap[i, kept] > nms_iou).any():
            kept.append(i)
    return [detections[i] for i in kept]


def _physics(
    module: ReasoningModule,
    context: SceneContext,
    *,
    score_threshold: float,
    thing: Thing | None = None,
    observer: Observer | None = None,
) -> PhysicsFinding:
    thing = _given("thing", thing)
    found = module.physics(context, _things(thing, context.points_centered))
    direction = found.direction_world[0, 0].double().cpu().numpy()
    length = float(np.linalg.norm(direction))
    x, y, z = (direction / length).tolist() if length > 1e-9 else (0.0, 0.0, 0.0)
    return PhysicsFinding(
        subject=thing.said,
        stable_score=float(found.stable_logits[0, 0].sigmoid()),
        still_score=float(found.still_logits[0, 0].sigmoid()),
        direction_world=(x, y, z),
        events=module.events,
        event_scores=tuple(found.event_logits[0, 0].softmax(-1).tolist()),
        score_threshold=score_threshold,
        seen_from=observer,
    )
