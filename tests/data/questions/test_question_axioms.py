"""What must hold of every question, whatever the scene: axioms over sampled rooms."""

import re
from collections import Counter

import numpy as np
import pytest
from scenes import as_row, mirrored, moved, sample_room, yaw_pose

from video3d.data.questions.captions import CAPTION_GENERATORS
from video3d.data.questions.grounding import GROUNDING_GENERATORS
from video3d.data.questions.layout import LAYOUT_GENERATORS
from video3d.data.questions.relation_classes import CLASSES, relation_states
from video3d.data.questions.relations import RELATION_GENERATORS

GENERATORS = (*RELATION_GENERATORS, *LAYOUT_GENERATORS, *GROUNDING_GENERATORS, *CAPTION_GENERATORS)
ROOMS = range(6)
_CONVERSE = {"left": "right", "front": "behind", "above": "below"}


@pytest.fixture(scope="module")
def asked():
    """All that is asked of a dozen rooms: (truth, candidate)."""
    found = []
    for seed in ROOMS:
        truth = sample_room(np.random.default_rng(seed))
        for generator in GENERATORS:
            found += [(truth, c) for c in generator(truth, np.random.default_rng(seed))]
    return found


def test_every_candidate_is_a_row(asked):
    assert len(asked) > 500
    for truth, candidate in asked:
        row = as_row(candidate, truth)
        assert row.model_validate_json(row.model_dump_json()) == row
        assert set(row.evidence_frames) <= set(range(truth.num_frames))
        assert candidate.group.startswith(candidate.subtype)


def test_every_sentence_is_whole_and_in_both_languages(asked):
    for _, candidate in asked:
        english, chinese = candidate.question["en"], candidate.question["zh"]
        for words in (english, chinese, *candidate.answer_text.values()):
            assert "{" not in words
            assert "}" not in words
            assert "  " not in words
        assert english[0].isupper() or english[0].isdigit()
        assert english.endswith(("?", "."))
        assert chinese.endswith(("？", "。", "”。"))
        assert any("一" <= letter <= "鿿" for letter in chinese)
        assert "the the" not in english.lower()
        assert set(candidate.answer_text) == {"en", "zh"}
        if candidate.type in ("relation", "layout") and not english.endswith("?"):
            assert re.match(
                r"Estimate|.*\bgive\b|Put|Locate|On which side|Of |Compare|Imagine", english, re.IGNORECASE
            ), english


def test_objects_are_named_in_the_question(asked):
    for truth, candidate in asked:
        if candidate.type in ("relation", "layout") and candidate.subtype != "layout.count":
            words = candidate.question["en"] + " ".join(o["en"] for o in getattr(candidate.answer, "options", []))
            for object_id in candidate.object_ids:
                assert truth.object(object_id).category in words.lower()


def test_wordings_vary(asked):
    for subtype in {c.subtype for _, c in asked}:
        starts = {(c.question["en"][:14], c.question["zh"][-6:]) for _, c in asked if c.subtype == subtype}
        count = sum(c.subtype == subtype for _, c in asked)
        assert count < 8 or len(starts) > 2, subtype


def test_the_same_seed_asks_the_same():
    truth = sample_room(np.random.default_rng(3))
    for generator in GENERATORS:
        first, second = (list(generator(truth, np.random.default_rng(5))) for _ in range(2))
        assert first == second


def test_options_are_different_and_the_right_one_may_stand_anywhere(asked):
    places: dict[int, Counter[int]] = {}
    for _, candidate in asked:
        if candidate.answer.kind == "choice":
            options = candidate.answer.options
            assert len({o["en"] for o in options}) == len({o["zh"] for o in options}) == len(options)
            assert candidate.answer_text == options[candidate.answer.index]
            places.setdefault(len(options), Counter())[candidate.answer.index] += 1
    for count, found in places.items():
        total = sum(found.values())
        assert all(abs(found[i] / total - 1 / count) < 5 * np.sqrt(1 / count / total) for i in range(count))


def test_what_is_named_first_tells_nothing(asked):
    keys = Counter(c.answer_key for _, c in asked if c.answer.kind == "choice" and c.answer_key in ("first", "second"))
    total = keys["first"] + keys["second"]
    assert abs(keys["first"] / total - 0.5) < 0.1


@pytest.mark.parametrize("seed", ROOMS)
def test_answers_do_not_depend_on_the_world_frame(seed):
    """Turned and shifted: only boxes are given in the world frame and may change; no answer else does."""
    truth = sample_room(np.random.default_rng(seed))
    other = moved(truth, yaw_pose((5.0, -3.0, 0.0), 131.0))
    for generator in GENERATORS:
        before = list(generator(truth, np.random.default_rng(seed)))
        after = list(generator(other, np.random.default_rng(seed)))
        assert [(c.subtype, c.object_ids, c.answer_key) for c in before] == [
            (c.subtype, c.object_ids, c.answer_key) for c in after
        ]
        for one, two in zip(before, after, strict=True):
            assert one.question == two.question
            if one.answer.kind == "box":
                assert one.answer.size_m == pytest.approx(two.answer.size_m, abs=2e-3)
            elif one.answer.kind == "number":
                assert one.answer.value == pytest.approx(two.answer.value, abs=0.11)
            else:
                assert one.answer_text == two.answer_text


@pytest.mark.parametrize("seed", ROOMS)
def test_relations_have_converses_and_exclude_their_opposites(seed):
    truth = sample_room(np.random.default_rng(seed))
    frame = truth.num_frames - 1
    ids = [o.object_id for o in truth.objects]
    for a in ids:
        for b in ids:
            if a >= b:
                continue
            there, back = relation_states(truth, a, b, frame), relation_states(truth, b, a, frame)
            for name, converse in _CONVERSE.items():
                assert there[name] is back[converse]
                assert there[converse] is back[name]
                assert not (there[name] is True and there[converse] is True)
            assert there["near"] is back["near"]
            assert there["far"] is back["far"]
            assert not (there["near"] and there["far"])


@pytest.mark.parametrize("seed", ROOMS)
def test_a_mirror_swaps_left_and_right_and_nothing_else(seed):
    truth = sample_room(np.random.default_rng(seed))
    mirror = mirrored(truth)
    frame = truth.num_frames - 1
    swapped = {"left": "right", "right": "left"}
    ids = [o.object_id for o in truth.objects]
    for a in ids:
        for b in ids:
            if a != b:
                here, there = relation_states(truth, a, b, frame), relation_states(mirror, a, b, frame)
                assert all(here[name] is there[swapped.get(name, name)] for name in CLASSES)


def test_nothing_is_asked_of_an_empty_clip_or_of_one_that_shows_nothing():
    from dataclasses import replace

    truth = sample_room(np.random.default_rng(0))
    empty = replace(
        truth, objects=(), visible_px=np.zeros((8, 0), np.int64), visible_share=np.zeros((8, 0), np.float32), room=None
    )
    dark = replace(
        truth, visible_px=np.zeros_like(truth.visible_px), visible_share=np.zeros_like(truth.visible_share), room=None
    )
    lost = replace(dark, world_from_camera=np.full_like(truth.world_from_camera, np.nan))
    for generator in GENERATORS:
        for clip in (empty, dark, lost):
            found = list(generator(clip, np.random.default_rng(0)))
            assert all(c.subtype == "grounding.none" for c in found)
