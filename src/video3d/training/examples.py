"""A Video-3D-QA folder as training examples: one scene and some of its questions each, read when they are needed.

Of all questions only where they lie in the file is held. The order of an epoch follows from the seed and the epoch's number
alone, so that a run that was killed goes on with the very next example.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler

from video3d.data.presented import asked
from video3d.data.row import Row
from video3d.data.store import parse_row
from video3d.data.truth import SceneTruth
from video3d.model.processing_video3d import Video3DProcessor
from video3d.model.reasoning_types import SpatialTargets
from video3d.training.features import Level, SceneStore, StoredScene, frames_of, prompt_text, stack_scenes
from video3d.training.packing import Packed, pack, pad
from video3d.training.targets import spatial_targets, stack_targets
from video3d.types import InputError

_GROUPED_BATCHES = 50
"""Batches that are sorted by length together: as many as Hugging Face's length-grouped sampler takes."""


@dataclass(frozen=True, slots=True)
class Pack:
    """Some questions on one clip: where in the file of rows each begins, and how many bytes they have in all."""

    clip_id: str
    offsets: tuple[int, ...]
    num_bytes: int


def find_packs(path: Path, types: Sequence[str], most: int) -> list[Pack]:
    """The questions of a file by clip, in the order in which clips first appear, at most ``most`` in a pack.

    Args:
        path: JSON lines of rows.
        types: which types of questions; none: none.
        most: of a pack.

    Raises:
        InputError: a line that is no row.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    try:
        with path.open("rb") as lines:
            at = 0
            for number, line in enumerate(lines, start=1):
                try:
                    row = json.loads(line)
                    if row["type"] in types:
                        found.setdefault(row["clip_id"], []).append((at, len(line)))
                except (ValueError, KeyError, TypeError) as error:
                    expected = "a row of Video-3D-QA"
                    raise InputError(f"{path}, line {number}", expected=expected, got=type(error).__name__) from error
                at += len(line)
    except OSError as error:
        raise InputError(path, expected="rows, one JSON object a line", got=error.strerror or error) from error
    packs = []
    for clip_id, places in found.items():
        count = -(-len(places) // most)  # as even as can be: 13 questions are 7 and 6, not 12 and 1
        for part in range(count):
            own = places[part::count]
            packs.append(Pack(clip_id, tuple(offset for offset, _ in own), sum(size for _, size in own)))
    return packs


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A scene, questions on it, and what its heads are to find."""

    scene: StoredScene
    words: Packed | None
    targets: SpatialTargets | None


class Examples(Dataset[Example]):
    """Packs of a split as examples.

    Args:
        store: where scenes come from.
        processor: of the model: writes prompts as it does when questions are asked.
        split: whose rows are read.
        packs: which.
        told: further questions and answers on a clip, from its truth.
        heads: categories and events that the model's heads know; ``None``: they are not trained.
        seed: of what the heads are asked.
    """

    def __init__(
        self,
        store: SceneStore,
        processor: Video3DProcessor,
        *,
        split: str,
        packs: Sequence[Pack],
        told: Callable[[SceneTruth], list[tuple[str, str]]] | None = None,
        heads: tuple[Sequence[str], Sequence[str]] | None = None,
        seed: int = 0,
    ) -> None:
        self.store, self.processor, self.packs = store, processor, packs
        self.told, self.heads, self.seed = told, heads, seed
        self.wordless = False  # for the depth stage
        self._found: dict[str, SpatialTargets] = {}  # a fifth of a second each, and small
        self.path = store.dataset.root / f"{split}.jsonl"

    def __len__(self) -> int:
        return len(self.packs)

    def rows(self, at: int) -> list[Row]:
        """The rows of a pack."""
        with self.path.open("rb") as lines:
            found = []
            for offset in self.packs[at].offsets:
                lines.seek(offset)
                found.append(parse_row(lines.readline().decode(), self.path))
        return found

    def questions(self, at: int) -> list[tuple[str, str]]:
        """Questions and answers of a pack, in words."""
        said = [(asked(row), row.answer_text["en"]) for row in self.rows(at)]
        return said + (self.told(self._truth(at)) if self.told is not None else [])

    def __getitem__(self, at: int) -> Example:
        scene = self.store[self.packs[at].clip_id]
        questions = [] if self.wordless else self.questions(at)
        words = pack(*word_ids(self.processor, scene, questions)) if questions else None
        return Example(scene=scene, words=words, targets=self._targets(at) if self.heads is not None else None)

    def _targets(self, at: int) -> SpatialTargets:
        clip_id = self.packs[at].clip_id
        if clip_id not in self._found:
            truth, (categories, events) = self._truth(at), self.heads or ((), ())
            frames = frames_of(truth.num_frames, self.store.frames)
            self._found[clip_id] = spatial_targets(
                truth, frames=frames, categories=categories, events=events, seed=self.seed
            )
        return self._found[clip_id]

    def _truth(self, at: int) -> SceneTruth:
        return self.store.dataset.truth(self.packs[at].clip_id)


def word_ids(
    processor: Video3DProcessor, scene: StoredScene, questions: Sequence[tuple[str, str]]
) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids of prompts and of answers with their ends, as the processor writes each of them alone.

    Args:
        processor: of the model.
        scene: with what stands before and beside the questions.
        questions: and their answers.
    """
    batch = processor(
        text=[prompt_text(scene.head, question, scene.notes_on(question)) for question, _ in questions],
        answer=[answer for _, answer in questions],
        num_scene_tokens=scene.num_tokens,
    )
    prompts, answers = [], []
    for ids, mask, labels in zip(batch["input_ids"], batch["attention_mask"], batch["labels"], strict=True):
        learned = int((labels != -100).sum())
        row = ids[mask.bool()].tolist()
        prompts.append(row[:-learned])
        answers.append(row[-learned:])
    return prompts, answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Collate:
    """Examples to a batch: words padded behind, scenes at the front, targets as a list of the examples' own."""

    level: Level
    pad_id: int

    def __call__(self, examples: list[Example]) -> dict[str, Any]:
        """A batch for ``SceneLearner.forward``."""
        scenes = [example.scene for example in examples]
        batch: dict[str, Any] = {"scene": stack_scenes(scenes, self.level)}
        batch["size_hw"] = torch.tensor(scenes[0].size_hw)
        if all(example.words is not None for example in examples):
            batch |= pad([example.words for example in examples if example.words is not None], self.pad_id)
        if all(example.targets is not None for example in examples):
            batch["targets"] = stack_targets([example.targets for example in examples if example.targets is not None])
        return batch


class Order(Sampler[int]):
    """Numbers of packs in the order in which a whole run takes them: all once an epoch, drawn anew in each.

    One sequence for all epochs, so that going on after a kill is leaving out what was taken.

    Args:
        lengths: of the packs, in any unit.
        total: how many to take.
        seed: of the order.
        grouped: this many neighbours (a device's batch) are of about one length; 1: not sorted.

    >>> list(Order([5, 6, 7], total=5, seed=0)) == list(Order([5, 6, 7], total=5, seed=0))
    True
    """

    def __init__(self, lengths: Sequence[int], *, total: int, seed: int, grouped: int = 1) -> None:
        self.lengths, self.total, self.seed, self.grouped = lengths, total, seed, grouped

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[int]:
        left, epoch = self.total, 0
        while left > 0:
            order = self._epoch(epoch)[:left]
            yield from order
            left, epoch = left - len(order), epoch + 1

    def _epoch(self, epoch: int) -> list[int]:
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self.lengths), generator=draw).tolist()
        if self.grouped == 1:
            return order
        span = self.grouped * _GROUPED_BATCHES
        parts = [order[first : first + span] for first in range(0, len(order), span)]
        return [one for part in parts for one in self._batches(part, draw)]

    def _batches(self, part: list[int], draw: torch.Generator) -> list[int]:
        """Sorted by length and cut into batches, whose order is drawn again."""
        part = sorted(part, key=lambda one: -self.lengths[one])
        whole = len(part) // self.grouped
        batches = [part[at * self.grouped : (at + 1) * self.grouped] for at in range(whole)]
        drawn = [batches[at] for at in torch.randperm(whole, generator=draw).tolist()]
        return [one for batch in [*drawn, part[whole * self.grouped :]] for one in batch]


def held_out(splits: Sequence[str]) -> str:
    """The split that is judged while training: ``val`` where there is one, else ``test``, else ``train``.

    >>> held_out(("train", "test"))
    'test'
    """
    return next(split for split in ("val", "test", "train") if split in splits)
