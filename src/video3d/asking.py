"""What a scene that was looked at says to a question: named things, what geometry concludes, and the language model's words. Step 7 of the path."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from video3d.answers.asked_form import has_form
from video3d.answers.in_pictures import answer_in_pictures
from video3d.answers.likely import conclusion_of
from video3d.answers.likely_grounding import NONE
from video3d.answers.model_words import fitting, without_quantities
from video3d.answers.named import SURELY_THERE, answer_named
from video3d.answers.named_question import SURFACES, NamedQuestion, mentions, parse_named
from video3d.answers.notes import as_read, notes_on
from video3d.answers.prompt import build_prompt
from video3d.answers.references import plain
from video3d.answers.understood import is_understood, words_of
from video3d.answers.unread import is_plain_amount, unread_measure
from video3d.encoding import LookedAt, common_prefix, finders
from video3d.scene import KeptScene
from video3d.types import Answer, Evidence, Quantity
from video3d.types.detector import Detector

if TYPE_CHECKING:
    from video3d.model.modeling_video3d import Video3DForConditionalGeneration
    from video3d.model.processing_video3d import Video3DProcessor

_AMOUNT = re.compile(r"(-?\d+(?:\.\d+)?) (m|m/s|s)")
_YES_NO = re.compile(r"\W*(?:yes|no|是的?|不是|有|没有)\W*", re.IGNORECASE)
_WHAT = re.compile(r"(?:what|who)\b(?!.*\bor\b)(?!.*options:)")
_HOW_SURE = {
    True: "Estimated from where the model finds things.",
    False: "Uncertain: not all that it rests on was surely found.",
}


def notes_for(model: "Video3DForConditionalGeneration", looked: LookedAt, question: str) -> tuple[str, ...]:
    """What is believed of the things that a question names, in words; () where nothing finds things by name.

    And () for a model whose gate is shut: it has not been through training, in which notes are learned to be read.
    """
    wanted = "none" if model.scene_closed else model.config.notes
    find = None if wanted == "none" else finders(looked)
    if find is None:
        return ()
    if (question, wanted) not in looked.noted:
        concludes = wanted == "conclusions"
        looked.noted[question, wanted] = notes_on(
            question, looked.scene.clip, looked.scene.facts, find, conclude=concludes
        )
    return looked.noted[question, wanted]


def prompt_for(model: "Video3DForConditionalGeneration", looked: LookedAt, question: str) -> str:
    """What the language model reads of a question besides the scene itself."""
    return build_prompt(looked.scene.facts, question, looked.findings, notes_for(model, looked, question))


def answer_seen(
    model: "Video3DForConditionalGeneration",
    looked: LookedAt,
    question: str,
    detector: Callable[[], Detector | None],
) -> Answer | None:
    """The answer that needs no words of a language model: where the things are that a question names, else what geometry concludes.

    Args:
        model: that looked.
        looked: the scene.
        question: in words.
        detector: gives what sees things in single pictures; called only where votes are missing.
    """
    about = parse_named(question)
    found = None if about is None else _about(about, looked, detector)
    return found or _concluded(model, looked, question)


def may_be_seen(question: str) -> bool:
    """Whether ``answer_seen`` may know more than that an amount was not measured: if a thing is named, or no amount is wanted."""
    return bool(mentions(plain(question[:2000]))) or unread_measure(question) is None


def _about(asked: NamedQuestion, looked: LookedAt, detector: Callable[[], Detector | None]) -> Answer | None:
    """The answer to a question about named things: where they are if votes tell, else what single pictures show; None for models of neither kind."""
    clip, find = looked.scene.clip, finders(looked)
    if find is not None:
        return answer_named(asked, clip, looked.scene.facts, find)
    if looked.objects or looked.findings:
        return None
    sees = detector()
    return None if sees is None and asked.kind == "describe" else answer_in_pictures(asked, clip, sees)


def _concluded(model: "Video3DForConditionalGeneration", looked: LookedAt, question: str) -> Answer | None:
    """The answer that geometry concludes in the question's own words, which a language model could only repeat; None where it comes to none.

    Of what ``unread_measure`` takes for an amount that nobody measured, only the plainest is, and from what is surely there.
    """
    found = conclusion_of(notes_for(model, looked, question))
    if found is None or not (has_form(question, found.words) or found.words in ("yes", "no")):
        return None
    sure_there, frames = _resting_on(looked, question)
    sure = found.sure and sure_there
    if unread_measure(question) is not None and not (sure and is_plain_amount(question)):
        return None
    said = "none" if found.words == NONE else found.words
    amount = _AMOUNT.fullmatch(said)
    clip = looked.scene.clip
    return Answer(
        text=f"{said} ({_HOW_SURE[sure]})",
        source="model",
        kind="concluded" if sure else "concluded_unsure",
        quantities=(Quantity(name="amount", value=float(amount[1]), unit=amount[2]),) if amount else (),
        evidence=Evidence(frames=tuple(int(clip.frame_index[at]) for at in frames or range(clip.num_frames))),
        geometry=clip.status,
    )


def _resting_on(looked: LookedAt, question: str) -> tuple[bool, tuple[int, ...]]:
    """Whether there is surely something of every name in a question, and the frames (positions in the clip) that show it."""
    find = finders(looked)
    if find is None:
        return False, ()
    named = [one for _, _, one in mentions(plain(question))]
    there = [find.count(name) for name in {one.category for one in named} - SURFACES]
    shown = [place.frames for place in find.locate(named, looked.scene.clip.num_frames - 1) if place is not None]
    sure = all(any(place.score >= SURELY_THERE for _, place in places) for places in there)
    return sure, tuple(sorted({at for frames in shown for at in frames}))


def say(
    model: "Video3DForConditionalGeneration",
    processor: "Video3DProcessor",
    looked: LookedAt,
    kept: KeptScene,
    questions: Sequence[str],
    *,
    max_tokens: int,
    place: tuple[float, float, float] | None = None,
) -> list[str]:
    """What the model says to several questions on a scene, each as if it were asked alone, read at once.

    Args:
        model: that kept the scene.
        processor: of it.
        looked: the scene, in which the things that questions name are found.
        kept: the scene as the model has read it.
        questions: in words.
        max_tokens: of each answer, at most.
        place: a world point that the questions (one, with a place) speak of: a model with a word for places
            (``config.coord_token_id``) reads its code behind the question, others what the words say of it.
    """
    from video3d.model.repeats import StopsWhereItRepeats

    def read(text: str) -> Any:
        return processor(
            text=build_prompt(kept.scene.facts, text, kept.findings, notes[0]), num_scene_tokens=num_tokens
        )

    num_tokens = int(kept.tokens.mask.sum())
    notes = [notes_for(model, looked, question) for question in questions]
    texts = [
        build_prompt(kept.scene.facts, question, kept.findings, own)
        for question, own in zip(questions, notes, strict=True)
    ]
    batch = processor(text=texts, num_scene_tokens=num_tokens).to(model.device)
    ids, mask, word = batch["input_ids"], batch["attention_mask"], model.config.coord_token_id
    given: dict[str, Any] = {}
    if place is not None and word is not None and len(texts) == 1 and not bool((ids == word).any()):
        # All that two questions share at their end is the template's: the word stands right before it, behind the question.
        one, other = (read(text)["input_ids"] for text in ("a", "1"))
        at = ids.shape[1] - common_prefix(one.flip(1), other.flip(1)).shape[1]
        ids = _inserted(ids, at, word)
        mask = _inserted(mask, at, 1)
        given["coord_points"] = ids.new_tensor([[place]], dtype=kept.tokens.points_world.dtype)
    said = model.generate(
        ids,
        attention_mask=mask,
        scene_cache=kept.cache,
        max_new_tokens=max_tokens,
        do_sample=False,
        stopping_criteria=[StopsWhereItRepeats(ids.shape[1])],
        **given,
    )
    return processor.answers(said, ids.shape[1])


def _inserted(row: Any, at: int, value: int) -> Any:
    """A row (1, t) with one more value in it."""
    return row.new_tensor([[*row[0, :at].tolist(), value, *row[0, at:].tolist()]])


def may_stand(model: "Video3DForConditionalGeneration", looked: LookedAt, question: str, said: str) -> str:
    """Of a language model's words, what it can know: one that sees nothing has no quantity to give, one that reads notes only those.

    Args:
        model: whose words they are.
        looked: the scene.
        question: in words.
        said: in answer to it.
    """
    closed, reads_notes = model.scene_closed, model.config.objects_trained
    if not closed and not reads_notes:
        return said
    read = prompt_for(model, looked, question) if reads_notes and not closed else ""
    kept = fitting(question, without_quantities(said, read=read))
    return "" if reads_notes and not closed and _guessed(looked, question, kept, read) else kept


def _guessed(looked: LookedAt, question: str, said: str, read: str) -> bool:
    """Whether words are made up by a model that sees nothing itself: a yes or no that geometry did not come to, what it says of things
    that are not surely there, a thing that only repeats the question's, and words that it has not read.
    """
    if _YES_NO.fullmatch(said) or not _resting_on(looked, question)[0]:
        return True
    things = {one.category for _, _, one in mentions(plain(said))}
    if things and _WHAT.match(plain(question)) and things <= {one.category for _, _, one in mentions(plain(question))}:
        return True
    return not is_understood(as_read(said)[2], words_of(plain(read)))
