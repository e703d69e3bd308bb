"""Asks a model the rows of a clip, by the path that a user's questions take, and judges what it says.

The scene is read and encoded once, then every question continues the kept scene. ``model`` says what geometry concludes, else its own
words; ``words`` is the language model alone; ``product`` is all that ``video3d ask`` does: measurement first, and no answer where a thing
is not surely found.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from video3d.data.presented import Withheld, asked, recording_of
from video3d.data.questions.wording import DIRECTIONS
from video3d.data.row import Answer, Choice, Direction, Row, YesNo
from video3d.data.truth import ClipData
from video3d.evaluation.qa_parse import Parsed, parse_answer
from video3d.evaluation.qa_score import grade
from video3d.pipeline import Video3D
from video3d.scene import Scene

if TYPE_CHECKING:
    from torch import Tensor

    from video3d.model.modeling_video3d import Video3DForConditionalGeneration
    from video3d.model.scene_memory import SceneCache

Way = Literal["model", "words", "product"]
Closed = Literal["generate", "likelihood"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSettings:
    """How questions are asked.

    Attributes:
        path: ``model``: what geometry concludes, else the language model's words; ``words``: the language model's, whatever geometry
            concludes; ``product``: as a user gets it, measurement first.
        closed: how the model answers choices, yes or no, and directions: ``generate`` says it in its own words, as a user's
            question is answered; ``likelihood`` takes the allowed answer that it finds likeliest.
        frames: frames of a clip at most, evenly spread; 32 as ``video3d ask``.
        batch: questions on a scene that are read at once. A user's come one at a time.
        without: what clips are shown without.
    """

    path: Way = "model"
    closed: Closed = "generate"
    frames: int = 32
    batch: int = 8
    without: tuple[Withheld, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One question, answered and judged.

    Attributes:
        row_id: of the row, as the next six.
        clip_id: its clip.
        scene_id: its room or place.
        domain: indoor or street.
        type: of question.
        subtype: of question.
        kind: of answer.
        prompt: what was asked: all that the language model reads besides the scene (a conclusion in it is the answer, but for ``words``), or the user's
            question.
        answer: what was said.
        source: who said it: ``model``, ``measurement`` or ``unknown``.
        parsed: what was read out of it; None: nothing.
        truth: the right answer in words.
        score: 0..1.
        right: None where only the score says something.
        latency_s: seconds, of questions read at once each its share; without reading and looking at the scene. That the language model
            reads the scene counts for the first that need its words.
    """

    row_id: str
    clip_id: str
    scene_id: str
    domain: str
    type: str
    subtype: str
    kind: str
    prompt: str
    answer: str
    source: str
    parsed: Parsed
    truth: str
    score: float
    right: bool | None
    latency_s: float


def closed_answers(answer: Answer) -> list[str] | None:
    """The words of all answers that are allowed; None where any are.

    >>> closed_answers(YesNo(value=True))
    ['yes', 'no']
    """
    match answer:
        case Choice():
            return [option["en"] for option in answer.options]
        case YesNo():
            return ["yes", "no"]
        case Direction():
            return [said.en for said in DIRECTIONS.values()]
    return None


def ask_clip(engine: Video3D, clip: ClipData, rows: Sequence[Row], settings: AskSettings) -> Iterator[Prediction]:
    """Asks rows of one clip and gives each when it is answered, those with alike answers together.

    Args:
        engine: the path around a model.
        clip: its frames and geometry are shown; its objects and what happens next are not.
        rows: questions on it.
        settings: how they are asked.
    """
    scene = engine.read(recording_of(clip, settings.without), num_frames=settings.frames)
    if settings.path == "product":
        yield from (_product(engine, scene, row) for row in rows)
        return
    engine.look(scene)  # so that no question's seconds are the scene's
    likely = [row for row in rows if settings.closed == "likelihood" and closed_answers(row.answer) is not None]
    chosen = {row.row_id for row in likely}
    spoken = sorted((row for row in rows if row.row_id not in chosen), key=lambda row: row.answer.kind)
    for some in _batches(likely, settings.batch):
        started = time.perf_counter()
        said = likeliest(
            engine, scene, [(asked(row), closed_answers(row.answer) or []) for row in some], settings.batch
        )
        yield from _predictions(engine, scene, some, said, time.perf_counter() - started)
    for some in _batches(spoken, settings.batch):
        started = time.perf_counter()
        say = engine.words if settings.path == "words" else engine.say_all
        said = say(scene, [asked(row) for row in some])
        yield from _predictions(engine, scene, some, said, time.perf_counter() - started)


def _batches(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    return (rows[first : first + size] for first in range(0, len(rows), size))


def _predictions(
    engine: Video3D, scene: Scene, rows: Sequence[Row], said: Sequence[str], seconds: float
) -> Iterator[Prediction]:
    for row, answer in zip(rows, said, strict=True):
        yield _judged(row, engine.prompt(scene, asked(row)), answer, "model", seconds / len(rows))


def _product(engine: Video3D, scene: Scene, row: Row) -> Prediction:
    started = time.perf_counter()
    found = engine.ask(scene, asked(row))
    return _judged(row, asked(row), found.text, found.source, time.perf_counter() - started)


def _judged(row: Row, prompt: str, said: str, source: str, seconds: float) -> Prediction:
    truth = row.answer_text["en"]
    parsed = None if source == "unknown" else parse_answer(said, row.answer)  # who cannot tell has not chosen
    found = grade(parsed, row.answer, truth, caption=row.type == "caption")
    return Prediction(
        row_id=row.row_id, clip_id=row.clip_id, scene_id=row.scene_id, domain=row.domain, type=row.type, subtype=row.subtype,
        kind=row.answer.kind, prompt=prompt, answer=said, source=source, parsed=parsed, truth=truth,
        score=round(found.score, 4), right=found.right, latency_s=round(seconds, 4),
    )  # fmt: skip


def likeliest(engine: Video3D, scene: Scene, questions: Sequence[tuple[str, Sequence[str]]], batch: int) -> list[str]:
    """The allowed answer to each question that the model finds likeliest, end included: what it would say were it held to them.

    The probability of the whole answer counts, not its mean a token: that is how the words were learned.

    Args:
        engine: the path around a model.
        scene: kept or not.
        questions: in words, each with its allowed answers.
        batch: answers read at once.
    """
    import torch

    model, processor = engine.model_and_processor
    encoded = engine.encode(scene)
    pairs = [(engine.prompt(scene, question), answer) for question, allowed in questions for answer in allowed]
    scores = []
    for first in range(0, len(pairs), batch):
        texts, answers = zip(*pairs[first : first + batch], strict=True)
        read = processor(text=list(texts), answer=list(answers), num_scene_tokens=int(encoded.tokens.mask.sum()))
        read = read.to(model.device)
        scores.append(
            answer_log_likelihood(model, encoded.cache, read["input_ids"], read["attention_mask"], read["labels"])
        )
    every, best, at = torch.cat(scores), [], 0
    for _, allowed in questions:
        best.append(allowed[int(every[at : at + len(allowed)].argmax())])
        at += len(allowed)
    return best


def answer_log_likelihood(
    model: "Video3DForConditionalGeneration",
    cache: "SceneCache",
    input_ids: "Tensor",
    attention_mask: "Tensor",
    labels: "Tensor",
) -> "Tensor":
    """Log-likelihood of the answers at the end of prompts that continue a kept scene; one number each, float32.

    Args:
        model: whose words they would be.
        cache: of the scene.
        input_ids: (b t) whole prompts with answers, padded at the left.
        attention_mask: (b t) 0 for padding.
        labels: (b t) the answers' ids, -100 before them.
    """
    import torch

    from video3d.model.scene_memory import CACHE_WORD, continue_prompt, leave_out

    longest = int((labels != -100).sum(1).max())
    wanted = labels[:, -longest:]
    if model.scene_closed:
        input_ids, attention_mask = leave_out(input_ids, attention_mask, model.config.scene_token_id)
    lined, mask, key_values = continue_prompt(cache, input_ids, attention_mask)
    positions = (mask.cumsum(1) - 1).clamp_min(0)
    with torch.no_grad():
        out = model(
            input_ids=lined[:, cache.num_tokens :],
            attention_mask=mask,
            position_ids=positions[:, cache.num_tokens :],
            use_cache=True,
            logits_to_keep=longest + 1,
            **{CACHE_WORD: key_values},
        )
    said = out.logits[:, :-1].float().log_softmax(-1)
    found = said.gather(-1, wanted.clamp_min(0)[..., None])[..., 0]
    return torch.where(wanted != -100, found, 0.0).sum(1)
