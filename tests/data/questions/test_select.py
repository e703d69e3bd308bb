from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from scenes import sample_room
from synthetic import THINGS, candidates

from video3d.data.questions import blind, ngrams
from video3d.data.questions.blind import Riddle
from video3d.data.questions.offer import offer
from video3d.data.questions.select import SelectConfig, select, to_row
from video3d.data.questions.unblind import closed_answers, equalised, paired, things_named
from video3d.data.row import MIX
from video3d.types import InputError


@pytest.fixture(scope="module")
def offers():
    rng = np.random.default_rng(5)
    found = []
    for clip in range(300):
        split = "train" if clip % 10 < 7 else "test"
        found += [offer(f"clip{clip:04d}", split, i, c) for i, c in enumerate(candidates(rng, per_subtype=4))]
    return found


@pytest.fixture(scope="module")
def chosen(offers):
    selection = select(offers, SelectConfig(per_clip=8))
    picks = set(selection.picks)
    return selection, [o for o in offers if (o.clip_id, o.number) in picks]


def test_the_mix_is_kept_in_every_split(chosen):
    _, rows = chosen
    for split in ("train", "test"):
        types = Counter(o.type for o in rows if o.split == split)
        total = types.total()
        assert total >= 0.9 * 8 * {"train": 210, "test": 90}[split]
        for name, share in MIX.items():
            assert types[name] / total == pytest.approx(share, abs=0.01)


def test_answers_are_balanced_within_a_subtype_and_split(chosen):
    _, rows = chosen
    answers = defaultdict(Counter)
    for o in rows:
        answers[o.split, o.subtype][o.key] += 1
    for (_, subtype), counts in answers.items():
        if subtype.endswith((".fair", ".leaky", ".way")):
            assert len(counts) >= 2 and max(counts.values()) - min(counts.values()) <= 1, (subtype, counts)


def test_groups_and_quotas_hold(chosen):
    _, rows = chosen
    assert max(Counter((o.clip_id, o.group) for o in rows).values()) == 1
    for split, most in (("train", 12), ("test", 45)):
        assert max(Counter(o.clip_id for o in rows if o.split == split).values()) <= most
    assert max(Counter((o.clip_id, o.subtype) for o in rows).values()) <= 2


def test_no_subtype_has_much_more_than_a_fifth(chosen):
    selection, _ = chosen
    for split in ("train", "test"):
        for name, found in selection.report[split]["subtypes"].items():
            # Five subtypes a type, one of which is cut hard: the others share what it leaves.
            assert found["share_of_type"] <= 0.3, name


def test_the_planted_giveaway_is_found_and_then_gone(offers, chosen):
    _, rows = chosen
    exam = {}
    for name, kept in (("before", offers), ("after", rows)):
        sides = [defaultdict(list), defaultdict(list)]
        for o in kept:
            sides[o.split == "test"][o.subtype].append(o.riddle)
        exam[name] = blind.report_of(*sides)
    leaky = exam["before"]["subtypes"]["physics.leaky"]
    assert leaky["baselines"]["ngram_en"]["difference"] > 0.25 and leaky["beats_chance"]
    assert exam["before"]["subtypes"]["physics.fair"]["baselines"]["majority"]["difference"] > 0.1
    assert exam["before"]["overall"]["ngram_en"]["difference"] > 0.1
    # The witness, which the selection never asks, finds the giveaway too, and then misses it as well.
    assert leaky["witness"]["difference"] > 0.25 and exam["before"]["overall"]["witness"]["difference"] > 0.1
    assert exam["after"]["overall"]["witness"]["difference"] < 0.05
    for name in ("majority", "position", "ngram_en", "ngram_zh"):
        assert exam["after"]["overall"][name]["difference"] < 0.05, name
    for name in ("physics.leaky", "action.leaky"):
        assert not exam["after"]["subtypes"][name]["beats_chance"]


def test_the_same_offers_in_any_order_give_the_same_questions(offers):
    few = [o for o in offers if o.clip_id < "clip0060"]
    config = SelectConfig(per_clip=4, seed=3)
    assert select(few, config).picks == select(few[::-1], config).picks
    assert select(few, config).picks != select(few, replace(config, seed=4)).picks


def test_a_missing_type_is_said(offers):
    with pytest.raises(InputError, match="none of action") as error:
        select([o for o in offers if o.type != "action"])
    assert "\n" not in str(error.value)
    few = [o for o in offers if o.type != "action" and o.clip_id < "clip0010"]
    report = select(few, SelectConfig(per_clip=4)).report["train"]
    assert report["mix"]["action"] == 0 and report["mix"]["relation"] == pytest.approx(0.4, abs=0.05)
    assert report["notes"][0] == "no balanced candidates of action: the mix is that of the other types"
    some = select([o for o in offers if o.type != "action"], SelectConfig(mix=None, per_clip=4))
    assert len(some.picks) > 800 and some.report["train"]["mix"]["action"] == 0


def test_a_short_type_sets_the_size_and_is_named(offers):
    few = [o for o in offers if o.type != "physics" or int(o.clip_id[4:]) % 11 == 0]
    report = select(few, SelectConfig(per_clip=8)).report
    assert report["train"]["chosen"] < 8 * 210 and "physics is short" in report["train"]["notes"][0]
    assert report["train"]["mix"]["physics"] == pytest.approx(0.2, abs=0.01)


def test_extras_come_on_top(offers):
    caption = replace(offers[0], type="caption", subtype="caption.dense", number=1000, group="c", riddle=None)
    captions = [replace(caption, clip_id=c, number=1000 + i) for c in ("clip0000", "clip0001") for i in (0, 1)]
    picks = select([*offers[:4000], *captions], SelectConfig(per_clip=2)).picks
    assert sorted(c for c, n in picks if n >= 1000) == ["clip0000", "clip0001"]


def test_rows_keep_what_the_clip_and_the_candidate_say():
    truth, found = replace(sample_room(np.random.default_rng(0)), seed=9), candidates(np.random.default_rng(0))[1]
    row = to_row(truth, found, 17)
    assert (row.row_id, row.seed, row.subtype, row.question) == ("clip-0.17", 9, found.subtype, found.question)


def test_equalised_cuts_the_majority_and_drops_what_has_one_answer(offers):
    rng = np.random.default_rng(0)
    fair = [o for o in offers if o.subtype == "layout.fair"]
    assert closed_answers(fair)
    counts = Counter(o.key for o in equalised(fair, rng, most=10_000))
    assert counts["yes"] == counts["no"] == Counter(o.key for o in fair)["no"]
    assert equalised([o for o in fair if o.key == "yes"], rng, most=100) == []


def test_pairing_equalises_within_the_things_named(offers):
    kept = paired([o for o in offers if o.subtype == "layout.leaky"])
    cells = defaultdict(Counter)
    for o in kept:
        cells[things_named(o.riddle.question[0])][o.key] += 1
    assert len(cells) > 20 and all(abs(c["yes"] - c["no"]) <= 1 for c in cells.values())


def test_number_baselines():
    rng = np.random.default_rng(0)

    def heights(num, clip):
        made = []
        for i in range(num):
            name = str(rng.choice(THINGS[:4]))
            value = {"ball": 0.2, "block": 1.0, "chair": 2.0, "table": 4.0}[name] * float(rng.uniform(0.97, 1.03))
            words = (f"How high is the {name}?", f"{name}有多高？")
            made.append(Riddle("layout.height", f"{clip}{i}", "number", words, (), "", -1, value, 0.1 * value))
        return made

    exam = blind.examine(heights(200, "a"), heights(100, "b"))
    assert exam["chance"] == pytest.approx(0.25, abs=0.1)
    assert exam["baselines"]["ngram_en"]["score"] > 0.9 and exam["baselines"]["ngram_zh"]["score"] > 0.9
    assert exam["beats_chance"]


def test_regressions_find_the_minimum():
    words = ngrams.question_matrix(["red ball", "blue ball", "red box", "blue box"] * 5)
    words = words[:, ngrams.used_columns(words)]
    labels = np.array([0, 1, 0, 1] * 5)
    weights = ngrams.fit_classes(words, labels, 2)
    assert (ngrams.class_scores(words, weights).argmax(axis=1) == labels).all()

    def loss(w):
        scores = ngrams.class_scores(words, w)
        log = scores[np.arange(20), labels] - np.log(np.exp(scores).sum(axis=1))
        return -log.sum() + 0.5 * ngrams.PENALTY * (w[:-1] ** 2).sum()

    rng = np.random.default_rng(0)
    assert all(loss(weights) < loss(weights + 0.05 * rng.normal(size=weights.shape)) for _ in range(20))


def test_options_are_chosen_by_what_is_asked():
    questions = ["which is red?", "which is blue?"] * 10
    options = [["the apple", "the sea"]] * 20
    begins, right = np.arange(0, 41, 2), np.array([True, False, False, True] * 10)
    matrix = ngrams.option_matrix(questions, options)
    matrix = matrix[:, ngrams.used_columns(matrix)]
    guess = ngrams.first_best(np.asarray(matrix @ ngrams.fit_options(matrix, begins, right)), begins)
    assert guess.tolist() == [0, 1] * 10


def test_too_few_rows_are_not_judged():
    few = [Riddle("a.b", "c", "yes_no", ("Is it?", "是吗？"), (), "yes")]
    report = blind.report_of({"a.b": few}, {"a.b": few})
    assert report["subtypes"] == {} and "1 training" in report["skipped"]["a.b"]


def test_a_subtype_of_mixed_kinds_is_open_in_whatever_order_it_comes(offers):
    fair = [o for o in offers if o.subtype == "layout.fair"][:40]
    riddle = Riddle(
        "layout.fair", "c", "choice", ("Which?", "哪个？"), (("the bag", "包"), ("the vase", "花瓶")), "the bag", 0
    )
    mixed = [*fair, replace(fair[0], number=999, key="bag", riddle=riddle)]
    assert closed_answers(fair) and not closed_answers(mixed) and not closed_answers(mixed[::-1])
    kept = equalised(mixed[::-1], np.random.default_rng(0), most=40)
    assert len(kept) > 20  # one rare answer does not cut all others to its number
