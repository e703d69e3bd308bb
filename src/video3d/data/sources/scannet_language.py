"""The annotation sets made on ScanNet, as rows about the clip of a scan's whole walk.

Looked for in ROOT and ROOT/annotations, under the names that their owners gave them:

- ScanRefer (``ScanRefer_filtered_train.json``, ``_val``): a description of one object -> ``grounding.scanrefer`` with its box;
- Scan2Cap is the same file asked the other way round: an object, told by its box -> ``caption.scan2cap``, all its descriptions;
- Multi3DRefer (``multi3drefer_train.json``, ``_val``): a description of no, one or many objects. One: ``grounding.multi3drefer``
  with its box; none or many: ``grounding.multi3drefer_count``, a number, and the objects in ``object_ids``;
- ScanQA (``ScanQA_v1.0_train.json``, ``_val``): free questions, several answers;
- SQA3D (``v1_balanced_questions_<split>_scannetv2.json`` beside ``v1_balanced_sqa_annotations_<split>_scannetv2.json``): a
  situation in words and a question. Where the person stands is read too (:func:`standing_pose`).

Types are told from the question's words alone: where and which way are relations, how many and what something is like are
layout. Nobody annotated them, so they say how a row is counted, not what its owners meant.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from video3d.data import row as schema
from video3d.data.row import Row
from video3d.data.truth import SceneTruth
from video3d.types import InputError
from video3d.video.json_files import iterate_rows, read_json_object, want
from video3d.video.pose_formats import poses_from_quaternions

Kind = Literal["scanrefer", "multi3drefer", "scanqa", "sqa3d"]

LICENCES: Mapping[Kind, str] = {
    "scanrefer": "CC-BY-NC-SA-3.0 (ScanRefer); ScanNet Terms of Use",
    "multi3drefer": "Multi3DRefer's terms; ScanNet Terms of Use",
    "scanqa": "CC-BY-NC-SA-3.0 (ScanQA); ScanNet Terms of Use",
    "sqa3d": "CC-BY-4.0 (SQA3D); ScanNet Terms of Use",
}
_FILES: Mapping[Kind, str] = {
    "scanrefer": "ScanRefer_filtered_*.json",
    "multi3drefer": "multi3drefer_*.json",
    "scanqa": "ScanQA_v1.0_*.json",
    "sqa3d": "v1_balanced_questions_*_scannetv2.json",
}
_PLACES = ("", "annotations", "annotations/*", "language")
_MAX_WORDS = 2000
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SPATIAL = re.compile(
    r"\b(left|right|behind|front|above|below|under|beneath|underneath|over|on|on top|beside|next to|near|closest|nearest|between|"
    r"facing|opposite|across|inside|in|against|far|farthest)\b"
)
_DIRECTIONS: Mapping[str, tuple[Any, float]] = {
    "left": ("left", 90.0),
    "right": ("right", -90.0),
    "forward": ("ahead", 0.0),
    "front": ("ahead", 0.0),
    "straight": ("ahead", 0.0),
    "behind": ("behind", 180.0),
    "backward": ("behind", 180.0),
    "backwards": ("behind", 180.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One annotation of any of the sets, as its file has it.

    Attributes:
        kind: of which set.
        key: unique in its set.
        scan: the scan it is about.
        text: the description, or the question.
        situation: SQA3D's, else empty.
        answers: of a question, the first one is given most often; empty for a hidden test set.
        object_ids: ScanNet's own, from 0: what the description is of, or what the answer rests on.
        standing: SQA3D's place and heading, see :func:`standing_pose`.
    """

    kind: Kind
    key: str
    scan: str
    text: str
    situation: str = ""
    answers: tuple[str, ...] = ()
    object_ids: tuple[int, ...] = ()
    standing: tuple[tuple[float, float, float], tuple[float, float, float, float]] | None = None


def rows(root: Path, scan: str, truth: SceneTruth) -> Iterator[Row]:
    """The rows of every annotation set under ``root`` about one scan, in the order of sets, files and lines.

    Args:
        root: the data set's folder.
        scan: e.g. ``scene0011_00``.
        truth: of the clip that shows the scan; object ids are ScanNet's plus one.

    Errors: ``InputError`` for a damaged annotation file.
    """
    remarks = _by_scan(root).get(scan, ())
    for remark in remarks:
        yield from _rows_of(remark, truth)
    yield from _captions(remarks, truth)


def annotation_files(root: Path) -> list[tuple[Kind, Path]]:
    """Every file of the sets under ``root``."""
    kinds: tuple[Kind, ...] = ("scanrefer", "multi3drefer", "scanqa", "sqa3d")
    found: list[tuple[Kind, Path]] = []
    for kind in kinds:
        paths = {path for place in _PLACES for path in root.glob(f"{place}/{_FILES[kind]}".strip("/"))}
        found.extend((kind, path) for path in sorted(paths, key=lambda p: (p.name, p.as_posix())))
    return found


@lru_cache(maxsize=1)
def _by_scan(root: Path) -> dict[str, tuple[Remark, ...]]:
    grouped: dict[str, list[Remark]] = defaultdict(list)
    for kind, path in annotation_files(root):
        for remark in read_remarks(kind, path):
            grouped[remark.scan].append(remark)
    return {scan: tuple(remarks) for scan, remarks in grouped.items()}


def read_remarks(kind: Kind, path: Path) -> Iterator[Remark]:
    """The annotations of one file. For SQA3D ``path`` is the file of questions; that of answers lies beside it.

    Errors: ``InputError`` for a file that is missing, cut short or of another structure.
    """
    if kind == "sqa3d":
        yield from _sqa3d(path)
        return
    for number, item in enumerate(iterate_rows(path)):
        thing = f"{path}: entry {number}"
        scan = want(item, "scene_id", str, thing)
        if kind == "scanqa":
            answers = tuple(_texts(item.get("answers", []), thing))
            ids = tuple(_ints(item.get("object_ids", []), thing))
            text, key = want(item, "question", str, thing), want(item, "question_id", str, thing)
            yield Remark(kind=kind, key=key, scan=scan, text=text, answers=answers, object_ids=ids)
            continue
        ids = item.get("object_ids") if kind == "multi3drefer" else [item.get("object_id")]
        ids = tuple(_ints(ids, thing))
        key = f"{scan}-{'_'.join(map(str, ids[:1]))}-{item.get('ann_id', number)}-{number}"
        yield Remark(kind=kind, key=key, scan=scan, text=want(item, "description", str, thing), object_ids=ids)


def _sqa3d(path: Path) -> Iterator[Remark]:
    answers_path = path.with_name(path.name.replace("questions", "sqa_annotations"))
    answers = {}
    for item in _objects(want(read_json_object(answers_path), "annotations", list, answers_path), answers_path):
        answers[want(item, "question_id", int, answers_path)] = item
    for item in _objects(want(read_json_object(path), "questions", list, path), path):
        key = want(item, "question_id", int, path)
        if key not in answers:
            raise InputError(answers_path, expected=f"an annotation of question {key}", got="none")
        annotation = answers[key]
        words = _texts(
            [want(a, "answer", str, answers_path) for a in _objects(annotation.get("answers", []), answers_path)], path
        )
        yield Remark(
            kind="sqa3d",
            key=str(key),
            scan=want(item, "scene_id", str, path),
            text=want(item, "question", str, path),
            situation=want(item, "situation", str, path),
            answers=tuple(words),
            standing=_standing(annotation, answers_path),
        )


def _standing(annotation: dict[str, Any], path: Path) -> tuple[Any, Any] | None:
    position, rotation = annotation.get("position"), annotation.get("rotation")
    if not (isinstance(position, dict) and isinstance(rotation, dict)):
        return None
    place = tuple(float(want(position, axis, (int, float), path)) for axis in ("x", "y", "z"))
    turn = tuple(float(want(rotation, axis, (int, float), path)) for axis in ("_x", "_y", "_z", "_w"))
    if not np.isfinite([*place, *turn]).all():
        raise InputError(path, expected="a finite place and turn", got=f"{place} {turn}"[:80])
    return place, turn


def standing_pose(
    remark: Remark, *, world_from_scan: Float64[np.ndarray, "4 4"], mesh_center_scan: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "4 4"] | None:
    """Where the person of an SQA3D situation stands: world_from_person, x ahead, y left, z up; None where it is not told.

    SQA3D counts positions from the middle of the mesh's bounds, in the mesh's own (unaligned) frame, and its person looks along
    -x before the turn (utils/visualize_data.py and mesh2img.py of https://github.com/SilongYong/SQA3D).

    Args:
        remark: of SQA3D.
        world_from_scan: see ``scannet_scan.Scan``.
        mesh_center_scan: the same.
    """
    if remark.standing is None:
        return None
    place, turn = remark.standing
    pose = poses_from_quaternions(np.array([turn]), np.array([place]) + mesh_center_scan, remark.key)[0]
    heading = float(np.arctan2(pose[1, 0], pose[0, 0])) + np.pi  # people stand upright: only the turn about z counts
    pose[:3, :3] = [
        [np.cos(heading), -np.sin(heading), 0.0],
        [np.sin(heading), np.cos(heading), 0.0],
        [0.0, 0.0, 1.0],
    ]
    return world_from_scan @ pose


def _objects(value: Any, thing: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise InputError(thing, expected="a list of JSON objects", got=f"{type(value).__name__}")
    return value


def _texts(value: Any, thing: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(thing, expected="a list of texts", got=f"{value!r:.60}")
    return [text.strip() for text in value if text.strip()]


def _ints(value: Any, thing: object) -> list[int]:
    try:
        ids = [int(item) for item in value] if isinstance(value, list) else [-1]
    except (TypeError, ValueError):
        ids = [-1]
    if any(not 0 <= i < 2**16 - 1 for i in ids):
        raise InputError(thing, expected="object ids from 0 on", got=f"{value!r:.60}")
    return ids


# Rows ------------------------------------------------------------------------------------------------------------


def _rows_of(remark: Remark, truth: SceneTruth) -> Iterator[Row]:
    known = {o.object_id: o for o in truth.objects}
    ids = [i + 1 for i in remark.object_ids]
    match remark.kind:
        case "scanrefer" | "multi3drefer":
            if not all(i in known for i in ids):
                return  # of a thing that the vocabulary has no name for
            question = f"Find what this describes: {remark.text}"
            if len(ids) == 1:
                box = known[ids[0]].box()
                answer = schema.Box(center_world=box.center_world.tolist(), size_m=box.size_m.tolist())
                yield _row(remark, truth, f"grounding.{remark.kind}", question, answer, _box_words(answer), ids)
            else:
                question = f"How many things in this scene does this describe: {remark.text}"
                count = schema.Number(value=float(len(ids)), unit="count")
                yield _row(remark, truth, "grounding.multi3drefer_count", question, count, str(len(ids)), ids)
        case "scanqa" | "sqa3d":
            if not remark.answers:
                return
            question = f"{remark.situation} {remark.text}".strip()
            subtype = question_subtype(remark.kind, remark.text)
            answer = typed_answer(remark.text, remark.answers)
            yield _row(remark, truth, subtype, question, answer, remark.answers[0], [i for i in ids if i in known])


def _captions(remarks: Iterable[Remark], truth: SceneTruth) -> Iterator[Row]:
    """Scan2Cap: for every object of ScanRefer one row with all its descriptions."""
    described: dict[int, list[Remark]] = defaultdict(list)
    for remark in remarks:
        if remark.kind == "scanrefer":
            described[remark.object_ids[0] + 1].append(remark)
    for object_id, of_it in sorted(described.items()):
        if not any(o.object_id == object_id for o in truth.objects):
            continue
        box = truth.object(object_id).box()
        where = schema.Box(center_world=box.center_world.tolist(), size_m=box.size_m.tolist())
        question = f"Describe the object in the box with {_box_words(where)}, and where it stands among the others."
        answer = schema.ShortText(accept=[r.text[:_MAX_WORDS] for r in of_it[1:]])
        yield _row(of_it[0], truth, "caption.scan2cap", question, answer, of_it[0].text, [object_id])


def _row(
    remark: Remark, truth: SceneTruth, subtype: str, question: str, answer: schema.Answer, words: str, ids: list[int]
) -> Row:
    columns = [truth.index(i) for i in ids if any(o.object_id == i for o in truth.objects)]
    seen = np.flatnonzero((truth.visible_px[:, columns] > 0).any(axis=1)) if columns else np.zeros(0, int)
    if remark.kind == "sqa3d":
        frame = "observer"  # of the situation that the question states
    elif subtype.startswith(("grounding.", "caption.")):
        frame = "world"
    else:
        frame = "none"
    family = subtype.partition(".")[2].partition("_")[0]
    name = re.sub(r"[^A-Za-z0-9_.:-]", "-", f"{family}:{truth.clip_id}:{remark.key}")
    return Row(
        row_id=name[:120],
        clip_id=truth.clip_id,
        scene_id=truth.scene_id,
        source=truth.source,
        licence=LICENCES[remark.kind],
        split=truth.split,
        domain=truth.domain,
        type=subtype.split(".", maxsplit=1)[0],  # pyright: ignore[reportArgumentType]
        subtype=subtype,
        frame=frame,
        question={"en": question[:_MAX_WORDS]},
        answer=answer,
        answer_text={"en": words[:_MAX_WORDS]},
        object_ids=ids,
        evidence_frames=[int(f) for f in seen],
        annotator={"scanrefer": "ScanRefer", "multi3drefer": "Multi3DRefer", "scanqa": "ScanQA", "sqa3d": "SQA3D"}[
            remark.kind
        ],
    )


def question_subtype(kind: Kind, question: str) -> str:
    """What a free question asks, told by its words.

    >>> question_subtype("scanqa", "Where is the sink?"), question_subtype("scanqa", "How many chairs are at the table?")
    ('relation.scanqa_where', 'layout.scanqa_count')
    >>> question_subtype("scanqa", "What color is the chair on the left?"), question_subtype("sqa3d", "What is behind me?")
    ('layout.scanqa_attribute', 'relation.sqa3d_what')
    """
    words = question.lower().strip()
    if re.match(
        r"(on|in|to|at|from|under)?\s*(where|what (direction|side|location|position)|which (direction|side|way))", words
    ):
        return f"relation.{kind}_where"
    if re.search(r"\bwhich (direction|side|way)\b|\bwhere (is|are|should|do|does|can)\b", words):
        return f"relation.{kind}_where"
    if re.search(r"\bhow many\b|\bwhat (number|amount) of\b", words):
        return f"layout.{kind}_count"
    if re.search(
        r"\b(what|which) (colou?rs?|type|kind|shape|material|size|pattern)\b|\bcolou?r\b|\bhow (big|tall|long)\b", words
    ):
        return f"layout.{kind}_attribute"
    if re.match(r"(is|are|am|can|do|does|did|could|should|would|will|if|has|have)\b", words):
        return f"{'relation' if _SPATIAL.search(words) else 'layout'}.{kind}_judgement"
    return f"{'relation' if _SPATIAL.search(words) else 'layout'}.{kind}_what"


def typed_answer(question: str, answers: tuple[str, ...]) -> schema.Answer:
    """Yes or no, a count, or a direction where every answer says the same; else text with the others accepted.

    >>> typed_answer("How many chairs are there?", ("4", "4 chairs"))
    Number(kind='number', value=4.0, unit='count', tolerance=0.0)
    >>> typed_answer("Which way is the door?", ("left",)).value, typed_answer("Is it open?", ("no",)).value
    ('left', False)
    """
    words = [a.lower().strip(" .") for a in answers]
    if set(words) in ({"yes"}, {"no"}):
        return schema.YesNo(value=words[0] == "yes")
    counts = {_count(w) for w in words}
    if re.search(r"\bhow many\b", question.lower()) and len(counts) == 1 and None not in counts:
        return schema.Number(value=float(next(iter(counts)) or 0), unit="count")
    directions = {_DIRECTIONS.get(w) for w in words}
    if (
        len(directions) == 1
        and (found := next(iter(directions))) is not None
        and re.search(r"\b(way|direction|side)\b", question)
    ):
        return schema.Direction(value=found[0], angle_deg=found[1])
    return schema.ShortText(accept=[a[:_MAX_WORDS] for a in dict.fromkeys(answers[1:]) if a != answers[0]])


def _count(words: str) -> int | None:
    """The number that an answer begins with.

    >>> _count("4 chairs"), _count("two"), _count("some")
    (4, 2, None)
    """
    first = words.split(maxsplit=1)[0] if words else ""
    if first.isdecimal() and len(first) < 4:
        return int(first)
    return _NUMBERS.index(first) if first in _NUMBERS else None


def _box_words(box: schema.Box) -> str:
    center, size = (", ".join(f"{v:.2f}" for v in values) for values in (box.center_world, box.size_m))
    return f"centre ({center}) m and size ({size}) m"
