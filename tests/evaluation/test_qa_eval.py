"""The examination of a small model: asked as users ask, resumable, judged over scenes and beside blindness."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from video3d import asking, pipeline
from video3d.answers.named_question import mentions, parse_named
from video3d.cli import run
from video3d.data.presented import asked, recording_of
from video3d.data.row import Number
from video3d.encoding import finders
from video3d.evaluation.ablate import (
    PARTS,
    WITHHELD,
    called,
    change_of,
    has_layers,
    has_part,
    headline,
    switched_off,
    withheld,
)
from video3d.evaluation.ablate_run import run_ablation
from video3d.evaluation.qa_ask import AskSettings, Prediction, answer_log_likelihood, ask_clip, likeliest
from video3d.evaluation.qa_blind import blind_grades
from video3d.evaluation.qa_eval import exam_rows, examine
from video3d.evaluation.qa_report import report, report_markdown
from video3d.evaluation.qa_run import read_predictions, run_exam
from video3d.model.processing_video3d import Video3DProcessor
from video3d.types import Answer, InputError


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "MAX_ANSWER_TOKENS", 4)


def made(number: int, scene: str, score: float, kind: str = "relation.nearer_farther") -> Prediction:
    return Prediction(
        row_id=f"r{number}", clip_id=scene, scene_id=scene, domain="indoor", type=kind.split(".")[0], subtype=kind,
        kind="choice", prompt="?", answer="", source="model", parsed=0, truth="", score=score, right=score > 0.5, latency_s=0.1,
    )  # fmt: skip


def test_intervals_are_of_scenes_and_not_of_questions(make_row) -> None:
    # Forty questions on four scenes, all alike within a scene: they say no more than four.
    alike = [made(i, f"s{i % 4}", float(i % 4 < 2)) for i in range(40)]
    apart = [made(i, f"s{i}", float(i % 4 < 2)) for i in range(40)]
    rows = [make_row({"kind": "yes_no", "value": True}, "yes", number=i, subtype="relation.on") for i in range(40)]
    blind = blind_grades([], rows)
    wide, narrow = (report(some, blind).line("relation") for some in (alike, apart))
    assert wide.score == narrow.score == 0.5
    assert wide.interval == (0.0, 1.0)
    assert 0.3 < narrow.interval[0] < 0.4
    assert wide.scenes == 4
    assert "**relation**" in report_markdown(report(apart, blind))


def test_the_average_weighs_types_and_not_questions(make_row) -> None:
    kinds = ["relation.on"] * 8 + ["layout.size"] * 2 + ["physics.speed"] * 2
    some = [made(i, f"s{i}", float(kind.startswith("relation")), kind) for i, kind in enumerate(kinds)]
    blind = blind_grades([], [make_row({"kind": "yes_no", "value": True}, "yes", number=i) for i in range(12)])
    found = report(some, blind)
    assert found.line("average").score == pytest.approx(1 / 3, abs=1e-4)
    assert found.line("four types").score == pytest.approx(8 / 12, abs=1e-4)


def test_blind_answers_are_the_most_frequent_and_what_words_tell(make_row) -> None:
    def yes_no(value: bool, question: str, number: int):
        return make_row(
            {"kind": "yes_no", "value": value},
            "yes" if value else "no",
            subtype="layout.fit",
            question=question,
            number=number,
        )

    train = [yes_no(i % 3 != 0, "does the big one fit" if i % 3 else "does the small one fit", i) for i in range(30)]
    rows = [yes_no(False, "does the small one fit", 50), yes_no(True, "does the big one fit", 51)]
    blind = blind_grades(train, rows)
    assert [one.majority.right for one in blind] == [False, True]
    assert [one.ngram.right for one in blind] == [True, True]
    numbers = [
        make_row({"kind": "number", "value": v, "unit": "m"}, f"{v} m", number=i)
        for i, v in enumerate((2.0, 2.0, 2.1, 9.0))
    ]
    assert [one.majority.score for one in blind_grades(numbers, numbers)] == [1.0, 1.0, 1.0, 0.0]


def test_questions_asked_together_get_the_answers_of_questions_asked_alone(engine, small_data) -> None:
    rows = exam_rows(small_data, "test")
    scene = engine.read(recording_of(small_data.clip(rows[0].clip_id)))
    texts = [asked(rows[0]), "How far is the ball from the chair, all in all?"]
    assert engine.say_all(scene, texts) == [engine.say(scene, text) for text in texts]
    assert np.isfinite(scene.facts.depth.median)
    assert scene.clip.status.depth == "measured"


@pytest.mark.parametrize("gate", [0.7, 0.0])
def test_the_likeliest_option_is_that_of_a_whole_forward_pass(engine, small_data, gate: float) -> None:
    model, processor = engine.model_and_processor
    model.scene_projector.gate.data.fill_(gate)
    scene = engine.read(recording_of(small_data.clip(small_data.clip_ids("test")[0])))
    kept, options = engine.encode(scene), ["the chair", "the ball, which is red", "no"]
    prompt = engine.prompt(scene, "Which is nearer?")
    read = processor(text=[prompt] * 3, answer=options, num_scene_tokens=int(kept.tokens.mask.sum()))
    found = answer_log_likelihood(model, kept.cache, read["input_ids"], read["attention_mask"], read["labels"])
    for one, option in zip(found, options, strict=True):
        alone = processor(text=prompt, answer=option, num_scene_tokens=int(kept.tokens.mask.sum()))
        ids, labels, shown = alone["input_ids"], alone["labels"], {}
        if gate:
            shown = {"scene_embeds": kept.tokens.embeds, "scene_mask": kept.tokens.mask}
        else:  # the scene is left out of what is read
            stays = ids[0] != processor.scene_token_id
            ids, labels = ids[:, stays], labels[:, stays]
        with torch.no_grad():
            said = model(input_ids=ids, attention_mask=torch.ones_like(ids), **shown).logits[0, :-1].log_softmax(-1)
        wanted = labels[0, 1:]
        whole = said[torch.arange(len(wanted)), wanted.clamp_min(0)][wanted != -100].sum()
        assert float(one) == pytest.approx(float(whole), abs=1e-3)
    best = likeliest(engine, scene, [("Which is nearer?", options), ("Is it?", ["yes", "no"])], batch=2)
    assert best[0] == options[int(found.argmax())]


def test_an_examination_in_memory_answers_every_question(engine, small_data) -> None:
    model, processor = engine.model_and_processor
    model.train()
    each: list[Prediction] = []
    found = examine(model, processor, small_data, "test", settings=AskSettings(closed="likelihood"), each=each.append)
    assert model.training
    assert found.num == len(each) == 4
    assert {one.answer for one in each} <= {"the chair", "the ball"}
    assert found.line("relation").score == pytest.approx(np.mean([one.score for one in each]), abs=1e-4)
    assert "[QUESTION]" in each[0].prompt
    with pytest.raises(InputError, match="none of caption"):
        examine(model, processor, small_data, "test", types=["caption"])


def test_the_product_answers_from_measurement_first(engine, small_data, monkeypatch: pytest.MonkeyPatch) -> None:
    row = exam_rows(small_data, "test")[0]
    answer = Number(value=0.1, unit="m")
    row = row.model_copy(update={"question": {"en": "How far does the camera travel?"}, "answer": answer})
    (found,) = ask_clip(engine, small_data.clip(row.clip_id), [row], AskSettings(path="product"))
    assert found.source == "measurement"
    assert found.right


def test_a_run_that_was_killed_goes_on_and_ends_as_one_that_was_not(engine, small_data, tmp_path: Path) -> None:
    settings = AskSettings(closed="likelihood")
    whole, answers = run_exam(tmp_path / "a", small_data, {"model": "x"}, lambda: engine, settings=settings)
    out = tmp_path / "b"
    run_exam(out, small_data, {"model": "x"}, lambda: engine, settings=settings)
    lines = (out / "predictions.jsonl").read_text().splitlines(keepends=True)
    (out / "predictions.jsonl").write_text("".join(lines[:2]) + lines[2][:40])  # cut off in the middle of a line
    again, answers_again = run_exam(out, small_data, {"model": "x"}, lambda: engine, settings=settings)
    keep = ("row_id", "answer", "score")
    assert [[getattr(one, name) for name in keep] for one in answers_again] == [
        [getattr(one, name) for name in keep] for one in answers
    ]
    assert again.lines == whole.lines
    assert json.loads((out / "report.json").read_text())["num_questions"] == 4

    def never():
        raise AssertionError("all questions are answered")

    run_exam(out, small_data, {"model": "x"}, never, settings=settings)
    with pytest.raises(InputError, match="another model"):
        run_exam(out, small_data, {"model": "y"}, never, settings=settings)
    (out / "predictions.jsonl").write_text(lines[0] * 2)
    with pytest.raises(InputError, match="line 2"):
        read_predictions(out / "predictions.jsonl", exam_rows(small_data, "test"))


def test_parts_are_left_out_and_put_back(engine, small_data) -> None:
    model, _ = engine.model_and_processor
    scene = engine.read(recording_of(small_data.clip(small_data.clip_ids("test")[0])))

    def embeds() -> torch.Tensor:
        return pipeline.Video3D.around(*engine.model_and_processor).encode(scene).tokens.embeds

    before = embeds()
    for part in PARTS:
        if part == "reasoning":
            assert not has_part(model, part)
            with pytest.raises(ValueError, match="reasoning"), switched_off(model, part):
                pass
            continue
        with switched_off(model, part):
            assert not has_layers(model, part)
            assert not torch.equal(embeds(), before)
        assert torch.equal(embeds(), before)


def test_what_geometry_concludes_is_said_and_is_no_matter_of_words(make_model, tokenizer, small_data) -> None:
    head = {"object_head": True, "object_width": 16, "object_colors": ["red", "blue"], "objects_trained": True}
    model = make_model(**head, categories=["chair", "table", "ball"]).eval()
    engine = pipeline.Video3D.around(model, Video3DProcessor.for_model(model.config, tokenizer, max_patches=24))
    scene = engine.read(recording_of(small_data.clip(small_data.clip_ids("test")[0])))
    largest, nearest = "Which is the largest, the red chair or the table?", "Is the red chair nearer than the table?"
    concluded = engine.prompt(scene, largest).rpartition("perhaps: ")[2]
    assert concluded in ("the red chair", "the table")
    both = engine.say_all(scene, ["Why is that?", largest])
    assert both == [engine.words(scene, ["Why is that?"])[0], concluded]
    assert engine.words(scene, [largest]) != [concluded]  # an untrained language model reads it and says something else
    answer = engine.ask(scene, largest)
    assert (answer.kind, answer.source) == ("concluded_unsure", "model")
    assert answer.text.startswith(f"{concluded} (Uncertain")
    find = finders(engine.look(scene))
    seen = [
        place for place in find.locate(list(parse_named("Is the red chair left of the table?").things), -1) if place
    ]
    shown = {int(scene.clip.frame_index[at]) for place in seen for at in place.frames}
    assert set(answer.evidence.frames) == shown  # what the answer rests on, not all that there is
    assert engine.ask(scene, nearest).source == "unknown"  # neither is surely there
    speed = "How fast is the ball moving in the last frame, in metres per second?"
    assert engine.prompt(scene, speed).endswith("perhaps: 0.3 m/s")
    assert engine.ask(scene, speed).source == "unknown"  # a number needs a ball that is surely there
    model.config.notes = "none"
    assert pipeline.Video3D.around(model, engine.model_and_processor[1]).ask(scene, largest).kind == "open"


def test_a_conclusion_rests_on_what_is_surely_there_and_on_the_frames_that_show_it(
    make_model, tokenizer, small_data, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = {"object_head": True, "object_width": 16, "object_colors": ["red", "blue"], "objects_trained": True}
    model = make_model(**head, categories=["chair", "table", "ball"]).eval()
    engine = pipeline.Video3D.around(model, Video3DProcessor.for_model(model.config, tokenizer, max_patches=24))
    scene = engine.read(recording_of(small_data.clip(small_data.clip_ids("test")[0])))
    by_votes, shown, score = asking.finders, {"chair": (1,), "table": (1, 2), "ball": (0,)}, 0.9

    def surely(looked):
        """The places that votes give, but sure of them, and shown by some of the frames."""
        find = by_votes(looked)

        def locate(things, position):
            places = zip(things, find.locate(things, position), strict=True)
            return [place and replace(place, score=score, frames=shown[one.category]) for one, place in places]

        def count(name):
            return tuple((name, place) for place in locate([one for _, _, one in mentions(name or "")], -1) if place)

        return find._replace(locate=locate, count=count)

    monkeypatch.setattr(asking, "finders", surely)
    largest = engine.ask(scene, "Which is the largest, the red chair or the table?")
    frames = scene.clip.frame_index
    assert (largest.kind, largest.evidence.frames) == ("concluded", (frames[1], frames[2]))
    speed = engine.ask(scene, "How fast is the ball moving in the last frame, in metres per second?")
    assert (speed.kind, speed.evidence.frames) == ("concluded", (frames[0],))
    (amount,) = speed.quantities
    assert (amount.unit, speed.text.split()[0]) == ("m/s", f"{amount.value:g}")
    first = "How fast is the ball moving in the first frame, in metres per second?"
    assert engine.ask(scene, first).source == "unknown"  # no speed is concluded but that of the last frame
    score = 0.45
    assert engine.ask(scene, "How fast is the ball moving in the last frame, in metres per second?").source == "unknown"


def test_what_a_model_has_no_layers_for_is_withheld_from_it(make_model, tokenizer, small_data) -> None:
    head = {"object_head": True, "object_width": 16, "object_colors": ["red", "blue"], "objects_trained": True}
    model = make_model(**head, categories=["chair", "table", "ball"]).eval()
    processor = Video3DProcessor.for_model(model.config, tokenizer, max_patches=24)
    clip = small_data.clip(small_data.clip_ids("test")[0])
    question = "Which is nearer to the camera, the red chair or the table?"

    def prompt() -> str:
        engine = pipeline.Video3D.around(model, processor)
        return engine.prompt(engine.read(recording_of(clip)), question)

    whole, prompts = prompt(), {}
    for part in PARTS:
        with switched_off(model, part):
            prompts[part] = prompt()
    assert prompt() == whole
    assert whole.endswith("[ESTIMATED]\nperhaps: the red chair")
    assert "[ESTIMATED]\nframe 2: red chair" in prompts["reasoning"]
    assert "[ESTIMATED]" not in prompts["position"]
    assert {part: withheld(model, part) for part in PARTS if prompts[part] == whole} == WITHHELD
    named = (
        "measured depth",
        "all frames but the last",
        "position encoding, notes",
        "conclusions in notes",
        "poses, intrinsics",
    )
    assert tuple(called(model, part) for part in PARTS) == named
    shown = pipeline.Video3D.around(model, processor)
    assert shown.prompt(shown.read(recording_of(clip, WITHHELD["temporal"])), question) != whole
    model.config.notes = "none"
    assert not has_part(model, "reasoning")


def test_a_clip_is_shown_without_what_is_withheld(small_data) -> None:
    clip = small_data.clip(small_data.clip_ids("test")[0])
    whole, last = recording_of(clip), recording_of(clip, ["frames"])
    assert (whole.num_frames, last.num_frames) == (3, 1)
    assert np.array_equal(last.load_rgb([0])[0], whole.load_rgb([2])[0])
    assert np.array_equal(last.world_from_camera[0], whole.world_from_camera[2])
    blind = recording_of(clip, ["depth", "poses", "intrinsics"])
    assert blind.load_depth_m is None and blind.world_from_camera is None and blind.k_px is None


def test_an_ablation_is_a_table_beside_the_reference(engine, small_data, tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "model"
    for one in engine.model_and_processor:
        one.save_pretrained(folder)
    found = run_ablation(
        str(folder), {"depth": str(folder)}, tmp_path / "out", small_data, settings=AskSettings(closed="likelihood")
    )
    assert found.off["reasoning"] == "the model has none"
    assert found.trained["depth"].change == 0.0
    table = (tmp_path / "out" / "ablation.md").read_text()
    assert "-12.1" in table
    assert "majority" in table
    assert (tmp_path / "out" / "minus-position" / "report.json").exists()
    better = [made(0, "a", 1.0), made(1, "b", 1.0)]
    assert change_of(better, [made(0, "a", 0.0), made(1, "b", 1.0)]).change == -0.5


@pytest.mark.parametrize(
    "types",
    [
        ["relation", "layout", "physics", "action", "caption"],
        ["relation", "layout", "action"],
        ["relation", "caption"],
        ["caption", "grounding"],
        ["grounding"],
    ],
)
def test_a_change_is_of_the_questions_that_the_headline_counts(make_row, types: list[str]) -> None:
    kinds = [f"{types[i % len(types)]}.any" for i in range(4)] + [f"{one}.any" for one in types]
    full = [made(i, f"s{i % 5}", (i * 7 % 10) / 10, kind) for i, kind in enumerate(kinds)]
    blind = blind_grades([], [make_row({"kind": "yes_no", "value": True}, "yes", number=i) for i in range(len(full))])
    line, same = headline(report(full, blind)), change_of(full, full)
    assert (same.score, same.change, same.interval) == (line.score, 0.0, (0.0, 0.0))
    nothing = [replace(one, score=0.0) for one in full]
    lost = change_of(nothing, full)
    assert (lost.change, lost.interval) == (line.score, line.interval)


def test_an_ablation_asks_without_the_part(make_model, tokenizer, small_data, tmp_path: Path) -> None:
    head = {"object_head": True, "object_width": 16, "object_colors": ["red", "blue"], "objects_trained": True}
    layers = {"depth_encoding": True, "camera_encoding": True, "temporal_layers": 1, "temporal_heads": 2}
    model = make_model(**head, **layers, categories=["chair", "table", "ball"]).eval()
    model.save_pretrained(tmp_path / "model")
    Video3DProcessor.for_model(model.config, tokenizer, max_patches=24).save_pretrained(tmp_path / "model")
    out, settings = tmp_path / "out", AskSettings(closed="likelihood")
    run_ablation(str(tmp_path / "model"), {}, out, small_data, limit=1, settings=settings)
    prompts = {}
    for folder in out.glob("*/"):
        (one,) = read_predictions(folder / "predictions.jsonl", exam_rows(small_data, "test"))
        prompts[folder.name] = one.prompt
    assert "[ESTIMATED]\n" in prompts["full"]
    assert prompts["minus-position"] == prompts["full"].partition("\n[ESTIMATED]\n")[0]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["eval", "video3d-qa", "--data", "nowhere", "--out", "o"], "a data set"),
        (["eval", "video3d-qa", "--data", "nowhere", "--out", "o", "--limit", "0"], "--limit"),
        (["eval", "video3d-qa", "--data", "nowhere", "--out", "o", "--set", "frames=x"], "--set"),
        (["eval", "video3d-qa", "--data", "nowhere", "--out", "o", "--types", "colour"], "--types"),
        (["ablate", "--data", "nowhere", "--out", "o", "--trained", "depth"], "--trained"),
        (["eval", "questions", "nowhere.jsonl"], "questions, one JSON object a line"),
    ],
)
def test_what_cannot_be_examined_ends_in_one_line(words, complaint, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    assert complaint in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_who_cannot_tell_has_not_answered(engine, small_data, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = exam_rows(small_data, "test", limit=1)
    clip = small_data.clip(rows[0].clip_id)
    for source, right in (("model", True), ("unknown", False)):
        said = Answer(text=rows[0].answer_text["en"], source=source, kind="open")
        monkeypatch.setattr(engine, "ask", lambda *asked, said=said, **how: said)
        (found,) = ask_clip(engine, clip, rows, AskSettings(path="product"))
        assert (found.right, found.source) == (right, source)
