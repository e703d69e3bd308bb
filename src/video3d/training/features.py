"""What of a scene is computed before the first thing that learns: once a clip, kept on disk.

A frozen vision tower says the same of a clip in every epoch, and on a CPU it is the longest part of a step. What lies before the
first trained module is kept as far as it goes: merged scene tokens where the projector is the first (``tokens``), the tower's
patches where the video encoder learns (``patches``), and nothing but the prompt's facts where the tower itself does
(``pixels``). A folder's name follows from everything that its content depends on: weights, data, frames, size and layout.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from video3d.answers.named import Finders
from video3d.answers.notes import notes_on
from video3d.answers.prompt import asked_with, build_prompt
from video3d.data.presented import ESTIMATED_BY, Withheld, asked, recording_of
from video3d.data.store import DataSet
from video3d.data.truth import ClipData, SceneTruth
from video3d.encoding import can_vote, votes_of_scene
from video3d.finding import finders_in, things_in, what_moved
from video3d.geometry.lift import lift_patches
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.nano_depth import WEIGHTS as DEPTH_WEIGHTS
from video3d.model.processing_video3d import Video3DProcessor
from video3d.model.scene_encoder import SCENE_KEYS
from video3d.model.tokens import merge_by_voxel
from video3d.pipeline import Video3D
from video3d.replaced import replaced
from video3d.scene import Scene
from video3d.types import InputError, PatchPoints
from video3d.types.scene_tokens import SceneInputs
from video3d.video import sample_uniform

Level = Literal["tokens", "patches", "pixels"]
FORMAT, NOTES_FORMAT = 2, 12
"""Raise them when what is kept, or what notes say, changes: other folders are then made."""
_TOKENS = ("content", "points_world", "num_views", "seen_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredScene:
    """A clip as training reads it.

    Attributes:
        tensors: ``tokens``: of ``MergedTokens`` (n ...). ``patches``: ``features`` and ``features_0``, ``features_1``, ... (f gh
            gw c), as ``SceneEncoder.patch_features`` gives them, and the fields of ``SceneInputs`` but for pixels. ``pixels``:
            the fields of ``SceneInputs``.
        head: the prompt up to the question.
        num_tokens: placeholders that its prompts need.
        size_hw: of the frames that the model saw.
        notes: what stands beside each question (``answers.notes``), by its words; None where the model finds nothing by name.
    """

    tensors: dict[str, Tensor]
    head: str
    num_tokens: int
    size_hw: tuple[int, int]
    notes: Mapping[str, Sequence[str]] | None = None

    def notes_on(self, question: str) -> Sequence[str]:
        """What stands beside a question.

        Raises:
            InputError: one that was not looked up when the scene was computed.
        """
        if self.notes is None:
            return ()
        if question not in self.notes:
            do = "empty the folder of --features: what is in it was made for other questions"
            raise InputError(f"question {question[:60]!r}", expected="one that notes were made for", got="none", do=do)
        return self.notes[question]


def frames_of(total: int, wanted: int) -> Int64[np.ndarray, "k"]:
    """Which frames of a clip are shown: ``wanted`` of them, evenly spread, as the pipeline spreads them.

    >>> frames_of(4, 16).tolist()
    [0, 1, 2, 3]
    """
    return np.asarray(sample_uniform(total, min(wanted, total)), dtype=np.int64)


def scene_of(clip: ClipData, num_frames: int, without: Collection[Withheld] = ()) -> Scene:
    """A clip as the pipeline reads it when it is asked about, facts included; ``num_frames`` of it, evenly spread."""
    return _reader("depth" in without).read(recording_of(clip, without), num_frames=num_frames)


@lru_cache(maxsize=2)
def _reader(estimates_depth: bool) -> Video3D:
    return Video3D(depth=ESTIMATED_BY) if estimates_depth else Video3D()


def prompt_text(head: str, question: str, notes: Sequence[str] = ()) -> str:
    """The whole text of a user's message: what ``build_prompt`` makes of the same facts, question and notes.

    >>> prompt_text("[QUESTION] ", "Where  is it?")
    '[QUESTION] Where is it?'
    """
    return head + asked_with(question, notes)


def first_trained(model: Video3DForConditionalGeneration) -> Level:
    """How far a scene can be computed before anything that learns."""

    def learns(part: nn.Module | None) -> bool:
        return part is not None and any(weight.requires_grad for weight in part.parameters())

    config = model.config
    if learns(model.vision_tower):
        return "pixels"
    # A depth head that learns needs what it said of every frame.
    between = learns(model.video_encoder) or learns(model.depth_head) or config.pool_after_projector
    return "patches" if config.arrangement != "voxel" or between else "tokens"


class SceneStore:
    """Scenes of a data set, from disk where they have been computed before.

    Args:
        dataset: an opened data set.
        processor: of the model.
        frames: how many of every clip.
        facts: whether prompts hold the measured facts, as those of ``video3d ask`` do.
        level: what is kept.
        folder: where.
        questions: all that are asked on a clip, to be kept with notes on the things that they name; None: without.
        without: what clips are shown without.
    """

    def __init__(
        self,
        dataset: DataSet,
        processor: Video3DProcessor,
        *,
        frames: int,
        facts: bool,
        level: Level,
        folder: Path,
        questions: Callable[[str], Sequence[str]] | None = None,
        without: Collection[Withheld] = (),
    ) -> None:
        self.dataset, self.processor, self.folder, self.questions = dataset, processor, folder, questions
        self.level: Level = level
        self.frames, self.facts, self.without = frames, facts, tuple(without)

    def __getitem__(self, clip_id: str) -> StoredScene:
        """The scene of a clip. Errors: ``InputError`` where it was to be computed before and was not."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._path(clip_id), framework="pt") as file:
                notes = file.metadata()
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
        except (OSError, SafetensorError) as error:
            do = "run again: what is missing is computed first"
            raise InputError(self._path(clip_id), expected="a scene computed before", got=error, do=do) from error
        if self.level == "pixels":
            batch, _, _ = self._batch(self.dataset.clip(clip_id))
            tensors = {name: batch[name][0] for name in SCENE_KEYS if name in batch}
        size: Any = tuple(json.loads(notes["size_hw"]))
        return StoredScene(
            tensors=tensors,
            head=notes["head"],
            num_tokens=int(notes["num_tokens"]),
            size_hw=size,
            notes=json.loads(notes["notes"]) if "notes" in notes else None,
        )

    def missing(self, clip_ids: Iterable[str]) -> list[str]:
        """Those that are still to be computed."""
        return [clip_id for clip_id in clip_ids if not self._path(clip_id).is_file()]

    def fill(self, model: Video3DForConditionalGeneration, clip_ids: Iterable[str]) -> Iterator[str]:
        """Computes what is missing, clip by clip, and gives the id of each when it is kept."""
        from safetensors.torch import save_file

        for clip_id in self.missing(clip_ids):
            batch, scene, points = self._batch(self.dataset.clip(clip_id))
            tensors, find = self._compute(model, batch, scene, points)
            notes = {
                "head": build_prompt(scene.facts, "?")[:-1] if self.facts else "",
                "num_tokens": str(int((batch["input_ids"] == self.processor.scene_token_id).sum())),
                "size_hw": json.dumps(list(batch["pixel_values"].shape[-2:])),
            }
            if self.questions is not None:
                asked_of = self.questions(clip_id)
                concludes = model.config.notes == "conclusions"
                said = {
                    one: notes_on(one, scene.clip, scene.facts, find, conclude=concludes) if find else ()
                    for one in asked_of
                }
                notes["notes"] = json.dumps(said)
            with replaced(self._path(clip_id)) as beside:
                save_file({name: value.contiguous().cpu() for name, value in tensors.items()}, beside, notes)
            yield clip_id

    def _path(self, clip_id: str) -> Path:
        return self.folder / f"{clip_id}.safetensors"

    def _batch(self, clip: ClipData) -> tuple[Any, Scene, PatchPoints]:
        scene = scene_of(clip, self.frames, self.without)
        small = self.processor.fit_clip(scene.clip)
        points = lift_patches(small, self.processor.patch_px)
        return self.processor(small, points, "a"), scene, points

    @torch.no_grad()
    def _compute(
        self, model: Video3DForConditionalGeneration, batch: Any, scene: Scene, points: PatchPoints
    ) -> tuple[dict[str, Tensor], Finders | None]:
        """What is kept of a scene, and how its things are found by name, where questions want to know."""
        inputs = SceneInputs(**{name: batch[name].to(model.device) for name in SCENE_KEYS if name in batch})
        looks = self.questions is not None and can_vote(model, scene)
        if self.level == "pixels" and not looks:
            return {"none": torch.zeros(0)}, None
        seen = model.frame_features(inputs.pixel_values[0])
        votes = votes_of_scene(model, self.processor, scene, inputs, points, seen) if looks else None
        find = None
        if votes is not None:
            moving = what_moved(scene.clip)
            find = finders_in(votes, things_in(votes, moving), scene.clip, moving)
        if self.level == "pixels":
            return {"none": torch.zeros(0)}, find
        if self.level == "patches":
            kept = {name: batch[name][0] for name in SCENE_KEYS if name in batch and name != "pixel_values"}
            kept |= {f"features_{at}": layer for at, layer in enumerate(seen.for_depth) if model.depth_head is not None}
            return kept | {"features": seen.patches}, find
        config = model.config
        grid = model.tokens_to_merge(inputs, features=seen)
        merged = merge_by_voxel(grid, voxel_m=config.token_voxel_m, max_tokens=config.max_scene_tokens)
        return {name: getattr(merged, name)[0] for name in _TOKENS}, find


def store_for(
    model: Video3DForConditionalGeneration,
    processor: Video3DProcessor,
    dataset: DataSet,
    *,
    frames: int,
    facts: bool,
    root: Path,
    told: Callable[[SceneTruth], Sequence[tuple[str, str]]] | None = None,
    told_key: Sequence[int] = (),
    without: Collection[Withheld] = (),
) -> SceneStore:
    """The store that fits a model whose weights to train are marked (``requires_grad``).

    Args:
        model: what is frozen of it decides what is kept.
        processor: of the model.
        dataset: an opened data set.
        frames: of every clip.
        facts: whether prompts hold the measured facts.
        root: folders of features lie in it.
        told: further questions and answers on a clip, from its truth.
        told_key: what they follow from besides the truth.
        without: what clips are shown without.
    """
    level = first_trained(model)
    key: dict[str, Any] = {
        "format": FORMAT,
        "level": level,
        "data": dataset.content_hash,
        "frames": frames,
        "facts": facts,
    }
    names = ("patch_px", "pool", "pool_mode", "row_separators", "max_patches", "image_mean", "image_std", "geometry")
    names = (*names, "square_px", "unknown_as_zero", "merge_voxel_m", "max_scene_tokens")
    key |= {name: getattr(processor, name) for name in names}
    if level != "pixels":
        between = [part for part in (model.video_encoder, model.depth_head) if part is not None]
        frozen = [model.vision_tower, *(between if level == "tokens" else [])]
        key |= {"weights": [weights_hash(part) for part in frozen], "layers": [model.config.vision_feature_layer]}
        key["layers"] += model.config.depth_layers if model.depth_head is not None else []
    questions = None
    if without:
        key |= {"without": sorted(without), "depth": _file_hash(DEPTH_WEIGHTS) if "depth" in without else ""}
    if facts and model.config.objects_trained and model.object_head is not None and model.config.notes != "none":
        questions = _questions(dataset, told)
        key |= {
            "notes": [NOTES_FORMAT, model.config.notes],
            "told": list(told_key),
            "object_head": weights_hash(model.object_head),
        }
        key |= {"looks": weights_hash(model.vision_tower)}
        key |= {"object_zoom": model.config.object_zoom} if model.config.object_zoom != 1 else {}
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    folder = root / f"{level}-{name}"
    return SceneStore(
        dataset, processor, frames=frames, facts=facts, level=level, folder=folder, questions=questions, without=without
    )


def _questions(
    dataset: DataSet, told: Callable[[SceneTruth], Sequence[tuple[str, str]]] | None
) -> Callable[[str], Sequence[str]]:
    """All questions on a clip, by its id; the file of rows is read when the first is asked for."""

    @lru_cache(maxsize=1)
    def by_clip() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for split in dataset.splits():
            for row in dataset.rows(split):
                found.setdefault(row.clip_id, []).append(asked(row))
        return found

    def questions(clip_id: str) -> Sequence[str]:
        more = [question for question, _ in told(dataset.truth(clip_id))] if told is not None else []
        return list(dict.fromkeys([*by_clip().get(clip_id, []), *more]))

    return questions


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def weights_hash(part: nn.Module) -> str:
    """SHA-256 over names, types and bytes of all weights."""
    digest = hashlib.sha256()
    for name, weight in sorted(part.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def stack_scenes(scenes: list[StoredScene], level: Level) -> dict[str, Tensor]:
    """Scenes of a batch, the shorter ones padded at the front, as the model has them.

    Raises:
        InputError: frames of different sizes in one batch.
    """
    sizes = sorted({scene.size_hw for scene in scenes})
    if level != "tokens" and len(sizes) > 1:
        do = "train with batch_device=1, or on clips of one size"
        raise InputError("a batch", expected="clips of one size", got=f"{sizes[0]} and {sizes[1]}", do=do)
    counts = [len(next(iter(scene.tensors.values()))) for scene in scenes]
    most = max(counts)
    batch = {}
    for name in scenes[0].tensors:
        parts = [scene.tensors[name] for scene in scenes]
        known_zero = name.startswith(("features", "pixel_values", "valid_share", "content", "num_views"))
        fill = 0 if known_zero else torch.nan  # geometry that is not there is not known
        batch[name] = torch.stack(
            [torch.cat([part.new_full((most - len(part), *part.shape[1:]), fill), part]) for part in parts]
        )
    shown = torch.stack([torch.arange(most) >= most - count for count in counts])
    if level == "tokens":
        return batch | {"mask": shown}
    return batch | ({} if bool(shown.all()) else {"frame_mask": shown})
