"""Typed findings and their sentences, and the errors of questions that cannot be answered."""

import math

import numpy as np
import pytest
import torch
from reasoning_scenes import CONTENT, EVENTS, config, make

from video3d.geometry.boxes import box_from_bounds, iou_3d
from video3d.model.reasoning import ReasoningModule
from video3d.model.reasoning_findings import distinct, reason
from video3d.types import Box3D, Detection, InputError
from video3d.types.reasoning import RELATIONS, LayoutFinding, Observer, PhysicsFinding, RelationFinding, Thing


@pytest.fixture(scope="module")
def scene():
    return make(seed=3, scenes=2).scene


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    return ReasoningModule(config(), CONTENT).eval()


CHAIR = Thing(name="chair", center_world=np.array([1.0, 2.0, 0.5]), size_m=np.array([0.5, 0.5, 1.0]))
SPOT = Thing(name="the spot", center_world=np.array([3.0, 2.0, 0.0]))
HERE = Observer(position_world=np.array([-3.0, 2.0, 1.5]), yaw_rad=0.0)


def test_all_relations_with_an_observer_and_metres(module, scene):
    found = reason(module, scene, "relation", thing=CHAIR, reference=SPOT, observer=HERE, metric=True)
    assert isinstance(found, RelationFinding)
    assert found.relations == RELATIONS and found.frame == "observer"
    assert all(0 <= score <= 1 for score in found.scores)
    assert found.subject == "the chair" and found.reference == "the spot"
    again = reason(module, scene, "relation", thing=CHAIR, reference=SPOT, observer=HERE, metric=True)
    assert again == found


def test_without_observer_and_metres_only_what_can_be_told(module, scene):
    found = reason(module, scene, "relation", thing=CHAIR, reference=SPOT, score_threshold=0.0)
    assert found.relations == ("above", "below", "on", "inside") and found.frame == "world"
    assert len(found.lines()) == 4 and not any("observer" in line for line in found.lines())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"relations": ["left"]}, "observer: expected somebody who sees it, for left"),
        ({"relations": ["far"]}, "metric: expected a world in metres, for far"),
        ({"relations": ["beside"]}, "relations: expected some of left, right"),
        ({"reference": None}, "reference: expected a Thing"),
        ({"score_threshold": 1.5}, "score_threshold: expected a score, 0 to 1, got 1.5"),
        ({"nms_iou": 0.5}, "nms_iou: expected one of score_threshold, thing, reference"),
        ({"scene_index": 2}, "scene_index: expected 0 to 1, got 2"),
    ],
)
def test_relation_that_cannot_be_told(module, scene, asked, said):
    with pytest.raises(InputError, match=said):
        reason(module, scene, "relation", **({"thing": CHAIR, "reference": SPOT} | asked))


def test_a_scene_that_was_read_once_serves_many_questions(module, scene):
    with torch.no_grad():
        context = module.read(scene)
    for asked in ({"kind": "physics", "thing": CHAIR}, {"kind": "relation", "thing": CHAIR, "reference": SPOT}):
        once, anew = (reason(module, s, **asked, score_threshold=0.0, scene_index=1) for s in (context, scene))
        assert once.subject == anew.subject and once.lines() == anew.lines()


def test_kind_unknown(module, scene):
    with pytest.raises(InputError, match="kind: expected one of relation, layout, physics"):
        reason(module, scene, "colour")


def test_things_and_observers_without_a_place():
    with pytest.raises(InputError, match="the lamp: expected a place in the world"):
        Thing(name="the lamp", center_world=np.array([1.0, np.nan, 0.0]))
    with pytest.raises(InputError, match="the lamp: expected three finite extents > 0"):
        Thing(name="the lamp", center_world=np.zeros(3), size_m=np.array([1.0, 0.0, 1.0]))
    with pytest.raises(InputError, match="observer: expected a finite position"):
        Observer(position_world=np.full(3, np.nan), yaw_rad=0.0)
    down = np.eye(4)
    down[:3, :3] = np.diag([1.0, -1.0, -1.0])
    with pytest.raises(InputError, match="observer: expected a camera that looks somewhat level"):
        Observer.of_pose(down)


def test_a_box_that_leans_is_replaced_by_the_upright_one_around_it():
    tilt, turn = 0.3, 0.5
    lean = np.array([[math.cos(tilt), 0, math.sin(tilt)], [0, 1, 0], [-math.sin(tilt), 0, math.cos(tilt)]])
    yaw = np.array([[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0], [0, 0, 1.0]])
    box = Box3D(center_world=np.ones(3), size_m=np.array([2.0, 1.0, 1.0]), world_from_box=yaw @ lean)
    upright = Thing.of_box("log", box)
    sides = {round(2 * math.cos(tilt) + math.sin(tilt), 6), 1.0, round(2 * math.sin(tilt) + math.cos(tilt), 6)}
    assert {round(side, 6) for side in upright.size_m} == sides
    straight = Box3D(center_world=np.ones(3), size_m=np.array([2.0, 1.0, 1.0]), world_from_box=yaw)
    assert Thing.of_box("log", straight).yaw_rad == pytest.approx(turn)


def test_layout_is_distinct_boxes_by_score(module, scene):
    found = reason(module, scene, "layout", score_threshold=0.0, scene_index=1)
    assert isinstance(found, LayoutFinding)
    scores = [detection.score for detection in found.detections]
    assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)
    boxes = [detection.box for detection in found.detections]
    assert all(iou_3d(a, b) <= 0.25 for i, a in enumerate(boxes) for b in boxes[:i])
    assert len(found.lines()) == len(boxes) and " x at " not in "".join(found.lines())
    assert reason(module, scene, "layout", score_threshold=1.0).detections == ()


def test_of_boxes_that_are_one_the_surest_stays():
    def seen(x, label, score):
        return Detection(box=box_from_bounds(np.array([x, 0, 0]), np.array([x + 1, 1, 1])), label=label, score=score)

    near, same, other = seen(0.0, "chair", 0.9), seen(0.2, "stool", 0.8), seen(0.9, "chair", 0.7)
    assert distinct([near, same, other], 0.25) == [near, other]
    assert distinct([near, same, other], 0.9) == [near, same, other] and distinct([], 0.25) == []


def test_physics_says_what_it_is_sure_of(module, scene):
    found = reason(module, scene, "physics", thing=CHAIR, observer=HERE)
    assert isinstance(found, PhysicsFinding)
    assert found.events == EVENTS and sum(found.event_scores) == pytest.approx(1)
    assert np.linalg.norm(found.direction_world) == pytest.approx(1)
    assert 0 <= found.stable_score <= 1 and 0 <= found.still_score <= 1
    unsure = reason(module, scene, "physics", thing=CHAIR, score_threshold=1.0)
    assert unsure.lines() == ()


def test_a_model_without_events_says_nothing_of_them(scene):
    module = ReasoningModule(config(events=()), CONTENT)
    found = reason(module, scene, "physics", thing=SPOT)
    assert found.events == found.event_scores == ()


@pytest.mark.parametrize(
    ("turn", "words"), [(0, "away"), (90, "to the left"), (180, "nearer"), (-90, "to the right"), (-170, "nearer")]
)
def test_directions_in_the_observers_words(turn, words):
    looks = Observer(position_world=np.zeros(3), yaw_rad=2.0)
    angle = 2.0 + math.radians(turn)
    found = PhysicsFinding(
        subject="the ball",
        stable_score=0.5,
        still_score=0.1,
        direction_world=(math.cos(angle), math.sin(angle), 0.0),
        events=(),
        event_scores=(),
        score_threshold=0.5,
        seen_from=looks,
    )
    assert found.lines() == (f"The ball moves {words} (0.90), seen from the observer.",)
