"""What an annotator may change in a row, and the row that comes of it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from video3d.data.row import Answer, Row, Text
from video3d.data.truth import SceneTruth
from video3d.types import InputError

Ids = Annotated[list[int], Field(max_length=100)]


class Edit(BaseModel):
    """The words, the answer and what they rest on. Where a row comes from, and what kind of question it is, stay as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: Text
    answer: Answer
    answer_text: Text
    object_ids: Ids
    evidence_frames: Ids


EDITABLE = tuple(Edit.model_fields)


def edited_row(row: Row, edit: Edit, annotator: str, truth: SceneTruth) -> Row:
    """The row as the annotator has it, with ``annotator`` set.

    Errors: ``InputError`` for what is no row, an answer of another kind (that would be another question), objects or frames that
    the clip does not have, or no change at all.
    """
    if edit.answer.kind != row.answer.kind:
        raise InputError(
            "the answer", expected=f"one of kind {row.answer.kind}", got=edit.answer.kind, do="reject the row"
        )
    changes = {name: getattr(edit, name) for name in EDITABLE}
    if all(getattr(row, name) == value for name, value in changes.items()):
        raise InputError("the edit", expected="something changed", got="the row as it was", do="accept it")
    known = {found.object_id for found in truth.objects}
    for object_id in edit.object_ids:
        if object_id not in known:
            raise InputError("object_ids", expected=f"objects of clip {truth.clip_id}", got=object_id)
    for frame in edit.evidence_frames:
        if not 0 <= frame < truth.num_frames:
            raise InputError(
                "evidence_frames", expected=f"frames 0 to {truth.num_frames - 1} (counted from 0)", got=frame
            )
    for name, text in (("question", edit.question), ("answer_text", edit.answer_text)):
        if not all(words.strip() for words in text.values()):
            raise InputError(name, expected="words in every language given", got="blanks")
    plain = {name: value.model_dump() if isinstance(value, BaseModel) else value for name, value in changes.items()}
    try:
        return Row.model_validate(row.model_dump() | plain | {"annotator": annotator})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the edit"
        raise InputError(where, expected="a row of Video-3D-QA", got=first["msg"]) from error


def same_question(row: Row, edited: Row) -> bool:
    """Whether an edited row is a version of this one: nothing but what may be edited differs."""
    fixed = set(EDITABLE) | {"annotator"}
    return row.model_dump(exclude=fixed) == edited.model_dump(exclude=fixed)
