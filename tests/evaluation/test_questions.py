"""Questions from a file about recordings: every form of answer, and the command on a made room."""

import json
from pathlib import Path

import pytest

from video3d.cli import run
from video3d.data.row import Choice, Number, ShortText, YesNo
from video3d.evaluation.questions import ask_questions, questions_json, questions_text, read_questions
from video3d.pipeline import Video3D
from video3d.types import Answer, InputError

OPEN = Path(__file__).parents[2] / "benchmarks" / "open_questions" / "questions.jsonl"


def write(path: Path, *lines: dict) -> Path:
    path.write_text("# from looking\n" + "".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_every_form_of_answer_is_read(tmp_path: Path) -> None:
    some = {"recording": "room", "question": "?"}
    asked = read_questions(
        write(
            tmp_path / "q.jsonl",
            {**some, "answer": "Yes"},
            {**some, "answer": 2},
            {**some, "answer": 1.2, "unit": "m", "tolerance": 0.1},
            {**some, "options": ["the sink", "the mug"], "answer": "the mug"},
            {**some, "answer": "grey", "accept": ["gray"]},
        )
    )
    assert [type(one.answer) for one in asked] == [YesNo, Number, Number, Choice, ShortText]
    assert asked[1].answer.unit == "count"
    assert asked[3].answer.index == 1
    assert asked[0].id == "line 2"


@pytest.mark.parametrize(
    "line",
    [
        '{"recording": "r", "question": "?", "answer": "c", "options": ["a", "b"]}',
        '{"recording": "r", "question": "?", "answer": 2, "tolerence": 1}',
        '{"question": "?"}',
        "[]",
        "x",
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "q.jsonl").write_text(line + "\n")
    with pytest.raises(InputError, match="line 1"):
        read_questions(tmp_path / "q.jsonl")


def test_the_open_questions_are_questions() -> None:
    asked = read_questions(OPEN)
    assert len(asked) == 44
    assert {one.recording for one in asked} == {"seven_scenes_kitchen", "hololens_office"}


class Says(Video3D):
    """Answers without a model."""

    words = "It is light grey."

    def say(self, scene, question):
        return self.words


def test_free_words_are_right_if_they_hold_what_is_wanted(room: Path, tmp_path: Path) -> None:
    some = {"recording": room.name, "question": "What colour is the sofa?"}
    asked = read_questions(
        write(
            tmp_path / "q.jsonl",
            {**some, "answer": "grey"},
            {**some, "answer": "red"},
            {**some, "answer": "gray", "accept": ["light grey"]},
        )
    )
    found = ask_questions(Says(), asked, room.parent, path="model", num_frames=2)
    assert [one.right for one in found] == [True, False, True]
    text = questions_text(questions_json(found))
    assert "2 of 3 right" in text
    assert "wanted red" in text


class CannotTell(Video3D):
    """Names what it does not find."""

    source = "unknown"

    def ask(self, video, question, **how):
        return Answer(text="I do not find the sofa with any certainty.", source=self.source, kind="object_nearer")


def test_who_cannot_tell_has_not_chosen_what_he_names(room: Path, tmp_path: Path) -> None:
    choice = {"question": "Which is nearer, the sofa or the bed?", "options": ["the sofa", "the bed"], "answer": "the sofa"}  # fmt: skip
    asked = read_questions(write(tmp_path / "q.jsonl", {"recording": room.name, **choice}))
    engine = CannotTell()
    assert not ask_questions(engine, asked, room.parent)[0].right
    engine.source = "model"
    assert ask_questions(engine, asked, room.parent)[0].right


def test_the_command_asks_by_geometry_first(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    some = {"recording": room.name}
    file = write(
        tmp_path / "q.jsonl",
        {**some, "question": "How many frames does the recording have?", "answer": 16},
        {**some, "question": "How long is the path of the camera?", "answer": 900, "unit": "m"},
    )
    assert run(["eval", "questions", str(file), "--root", str(room.parent), "--frames", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["num"], found["right"]) == (2, 1)
    assert [one["source"] for one in found["answers"]] == ["measurement", "measurement"]
