"""From a clip, its patch points and a question to the model's batch: the one dict that stages pass.

The scene stands first in the prompt, before facts and question, so that what the language model has read of it serves
every later question. ``<scene>`` in a text marks its place; it becomes one placeholder for every scene token.
"""

from collections.abc import Mapping, Sequence
from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Float32, Int, UInt8
from torch import Tensor
from transformers import AutoProcessor, BatchFeature, PreTrainedTokenizerBase
from transformers.processing_utils import ProcessorMixin

from video3d.geometry.resize import crop_clip, resize_clip
from video3d.model.configuration_video3d import PoolMode, Video3DConfig
from video3d.model.scene_encoder import SCENE_KEYS
from video3d.model.scene_geometry import geometry_tensors, wanted_geometry
from video3d.model.tokens import plan_merge
from video3d.types import InputError, PatchPoints, PosedClip

SCENE_TOKEN = "<scene>"  # noqa: S105  a word of the prompt, no password
Messages = Sequence[Mapping[str, str]]  # {"role": "system" | "user" | "assistant", "content": "..."}


def normalize_frames(
    rgb: UInt8[np.ndarray, "f h w 3"], mean: Sequence[float], std: Sequence[float]
) -> Float32[Tensor, "f 3 h w"]:
    """Colours 0..255 to the vision tower's scale: (rgb / 255 - mean) / std.

    >>> normalize_frames(np.full((1, 1, 1, 3), 255, np.uint8), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)).flatten().tolist()
    [1.0, 1.0, 1.0]
    """
    scale = torch.tensor(std, dtype=torch.float32).mul_(255.0)
    offset = torch.tensor(mean, dtype=torch.float32).mul_(255.0)
    # Copied while still one byte a value: a frame array may be read-only, or a view with negative strides.
    frames = torch.from_numpy(np.array(rgb, order="C")).permute(0, 3, 1, 2).float()
    return frames.sub_(offset[:, None, None]).div_(scale[:, None, None])


class Video3DProcessor(ProcessorMixin):
    """Writes prompts, normalises frames and puts points beside them.

    Args:
        tokenizer: of the language model; ``<scene>`` is added as a special token if it has none.
        patch_px: side of the vision tower's patches.
        pool: patches per token along each side.
        row_separators: whether a separator follows every row of tokens.
        pool_mode: how patches become tokens.
        max_patches: largest number of patches of a frame.
        image_mean: of the vision tower, for colours in 0..1.
        image_std: likewise.
        geometry: what the model reads beside points: ``scene_geometry.GEOMETRY``.
        square_px: side of the square that frames are cropped and resized to, for weights that know no other; ``None``: the
            aspect is kept. Such models take the points of tokens from the cells that these cover.
        unknown_as_zero: let unknown depth vote there as 0 m, as the published code does.
        merge_voxel_m: side of the voxels that tokens are merged by, metres; ``None``: they are not.
        max_scene_tokens: most tokens of a scene where they are merged; ``None``: all.
        chat_template: Hugging Face keeps the tokenizer's here too; the tokenizer's is the one that is used.
    """

    @no_type_check  # from_pretrained reads the argument names off this function's code, which a checker would wrap
    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        patch_px: int = 14,
        pool: int = 2,
        row_separators: bool = True,
        pool_mode: PoolMode = "bilinear",
        max_patches: int = 256,
        image_mean: Sequence[float] = (0.485, 0.456, 0.406),
        image_std: Sequence[float] = (0.229, 0.224, 0.225),
        geometry: Sequence[str] = (),
        square_px: int | None = None,
        unknown_as_zero: bool = False,
        merge_voxel_m: float | None = None,
        max_scene_tokens: int | None = None,
        chat_template: str | None = None,
    ) -> None:
        if SCENE_TOKEN not in tokenizer.get_vocab():
            tokenizer.add_special_tokens(
                {"additional_special_tokens": [SCENE_TOKEN]}, replace_extra_special_tokens=False
            )
        super().__init__(tokenizer, chat_template=chat_template)
        self.patch_px, self.pool, self.row_separators, self.pool_mode = patch_px, pool, row_separators, pool_mode
        self.max_patches = max_patches
        self.image_mean, self.image_std = list(image_mean), list(image_std)
        self.square_px, self.unknown_as_zero = square_px, unknown_as_zero
        self.geometry, self.merge_voxel_m, self.max_scene_tokens = list(geometry), merge_voxel_m, max_scene_tokens

    @classmethod
    def for_model(
        cls, config: Video3DConfig, tokenizer: PreTrainedTokenizerBase, **settings: Any
    ) -> "Video3DProcessor":
        """The processor that fits a configuration; ``settings`` are ``max_patches``, ``image_mean``, ``image_std``."""
        merged = config.arrangement == "voxel"
        if settings.get("square_px") is not None and config.position_points == "center":
            raise ValueError(
                "position_points: expected mean or minmax with square frames, whose tokens are cells, got center"
            )
        return cls(
            tokenizer,
            patch_px=config.patch_px,
            pool=config.pool,
            pool_mode=config.pool_mode,
            row_separators=config.row_separators and not merged,
            geometry=wanted_geometry(config),
            merge_voxel_m=config.token_voxel_m if merged else None,
            max_scene_tokens=config.max_scene_tokens,
            unknown_as_zero=config.compat_unknown_depth,
            **settings,
        )

    @property
    def model_input_names(self) -> list[str]:
        """What a batch can hold."""
        return ["input_ids", "attention_mask", *SCENE_KEYS, "labels"]

    @property
    def scene_token_id(self) -> int:
        """Id of the placeholder."""
        return int(self.tokenizer.convert_tokens_to_ids(SCENE_TOKEN))

    def frame_size_hw(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        """Size that frames have to be resized to: whole tokens, the aspect kept as well as the budget allows.

        Of all grids within ``max_patches`` the one that loses least, |log(change of aspect)| + log(loss of area) / 2.
        """
        if self.square_px is not None:
            return self.square_px, self.square_px
        height, width = size_hw
        unit = self.patch_px * self.pool
        budget = max(self.max_patches // self.pool**2, 1)
        rows = np.arange(1, budget + 1)
        columns = np.clip(np.round(rows * width / height), 1, budget // rows).astype(int)
        aspect = np.abs(np.log(columns / rows) - np.log(width / height))
        best = int(np.argmin(aspect + 0.5 * np.log(budget / (rows * columns))))
        return int(rows[best]) * unit, int(columns[best]) * unit

    def fit_clip(self, clip: PosedClip, times: int = 1) -> PosedClip:
        """The clip at the size that the model reads, or so many times as large; of a square model, the middle square of its frames."""
        if self.square_px is not None:
            height, width = clip.size_hw
            side = min(height, width)
            clip = crop_clip(clip, (height - side) // 2, (width - side) // 2, side, side)
        height, width = self.frame_size_hw(clip.size_hw)
        return resize_clip(clip, (times * height, times * width))

    def num_scene_tokens(self, num_frames: int, size_hw: tuple[int, int]) -> int:
        """Tokens that frames of this size become as a grid (merged by voxel, it depends on the scene)."""
        rows, columns = self._tokens_hw(size_hw)
        return num_frames * rows * (columns + int(self.row_separators))

    def __call__(
        self,
        clip: PosedClip | Sequence[PosedClip] | None = None,
        points: PatchPoints | Sequence[PatchPoints] | None = None,
        text: str | Messages | Sequence[str] | Sequence[Messages] = "",
        answer: str | Sequence[str] | None = None,
        num_scene_tokens: int | None = None,
    ) -> BatchFeature:
        """Make a batch; one clip and one text, or as many of each.

        Args:
            clip: frames already of ``frame_size_hw`` (``resize_clip``); ``None`` for a prompt without pixels.
            points: patches of ``patch_px`` lifted from the same frames (``lift_patches``); ``None``: no places.
            text: a question, which becomes a user's message with the scene before it, or messages of which one holds
                ``<scene>``. The tokenizer's chat template is honoured. Control tokens inside a text are broken up.
            answer: what the model should say: the batch then has ``labels``, -100 except for the answer and its end.
            num_scene_tokens: instead of a clip: the scene is encoded already and has so many tokens.

        Returns:
            ``input_ids``, ``attention_mask``, and with a clip those of the fields of ``SceneInputs`` that the model reads:
            ``pixel_values`` (b f 3 h w), ``points_world`` (b f gh gw 3, float32, NaN unknown), ``valid_share``
            (b f gh gw), ``frame_mask`` where lengths differ, and what ``geometry`` names.

        Raises:
            InputError: frames of another size, points of other patches, numbers of things that do not agree.
        """
        clips = [clip] if isinstance(clip, PosedClip) else list(clip or ())
        patches = [points] if isinstance(points, PatchPoints) else list(points or ())
        single = isinstance(text, str) or (len(text) > 0 and isinstance(text[0], Mapping))
        texts: list[Any] = [text] if single else list(text)
        given = [answer] if isinstance(answer, str) else list(answer or ())
        answers: list[str | None] = [*given] if answer is not None else [None] * len(texts)
        if len(answers) != len(texts) or len(clips) not in (0, 1, len(texts)) or len(patches) not in (0, len(clips)):
            raise InputError(
                "batch",
                expected="as many clips, points and answers as texts",
                got=f"{len(clips)} clips, {len(patches)} points, {len(texts)} texts, {len(answers)} answers",
            )
        scenes = self._scenes(clips, patches)
        counts = [self._count(clip, one) for clip, one in zip(clips, scenes, strict=True)] or [num_scene_tokens or 0]
        counts = counts * len(texts) if len(counts) == 1 else counts
        batch = self._tokens(texts, answers, counts)
        if scenes:
            batch |= _stack(scenes)
        return BatchFeature(batch)

    def _check_size(self, clip: PosedClip) -> None:
        height, width = clip.size_hw
        if self.square_px is not None and (height, width) == (self.square_px, self.square_px):
            return
        unit = self.patch_px * self.pool
        if height % unit or width % unit or not height or not width:
            raise InputError(
                "frames",
                expected=f"a height and width that are multiples of {unit} px",
                got=f"{height} x {width}",
                do="bring the clip to its size with processor.fit_clip(clip)",
            )

    def _tokens_hw(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        rows, columns = (-(-(side // self.patch_px) // self.pool) for side in size_hw)
        return rows, columns

    def _count(self, clip: PosedClip, scene: dict[str, Tensor]) -> int:
        """Placeholders that a scene needs: merged tokens are counted by the very plan that the model will merge by."""
        if self.merge_voxel_m is None:
            return self.num_scene_tokens(clip.num_frames, clip.size_hw)
        rows, columns = self._tokens_hw(clip.size_hw)
        frame = torch.arange(clip.num_frames).repeat_interleave(rows * columns)
        nowhere = torch.full((clip.num_frames, rows, columns, 3), torch.nan)
        points = scene.get("points_world", nowhere).flatten(0, 2)
        plan = plan_merge(
            points,
            scene.get("valid_share", nowhere[..., 0]).flatten().nan_to_num(0.0),
            frame,
            torch.ones_like(frame, dtype=torch.bool),
            voxel_m=self.merge_voxel_m,
            max_tokens=self.max_scene_tokens,
        )
        return len(plan.num_views)

    def _harmless(self, text: str) -> str:
        """Break up control tokens, so that a question cannot end the user's turn and begin another."""
        for token in self.tokenizer.all_special_tokens:
            if len(token) > 1 and token != SCENE_TOKEN:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def prompt(self, text: str | Messages, num_scene_tokens: int) -> str:
        """The whole prompt as the language model's template has it, placeholders written out."""
        messages = [{"role": "user", "content": text}] if isinstance(text, str) else [dict(one) for one in text]
        for message in messages:
            message["content"] = self._harmless(message["content"])
        found = sum(message["content"].count(SCENE_TOKEN) for message in messages)
        if num_scene_tokens and not found:
            first = next((message for message in messages if message["role"] == "user"), messages[-1])
            first["content"] = f"{SCENE_TOKEN}\n{first['content']}"
        if found > 1 or (found and not num_scene_tokens):
            raise InputError(
                "text", expected=f"{SCENE_TOKEN} once with a scene, not at all without one", got=f"{found} of them"
            )
        if self.tokenizer.chat_template:
            written = str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        else:
            written = "".join(f"{message['content']}\n" for message in messages)
        return written.replace(SCENE_TOKEN, SCENE_TOKEN * num_scene_tokens)

    def _tokens(self, texts: list[Any], answers: list[str | None], counts: list[int]) -> dict[str, Tensor]:
        # A chat template writes the begin token itself; without one the tokenizer has to.
        special = not self.tokenizer.chat_template
        rows, labels = [], []
        for text, answer, count in zip(texts, answers, counts, strict=True):
            ids = self.tokenizer(self.prompt(text, count), add_special_tokens=special)["input_ids"]
            said = []
            if answer is not None:
                said = self.tokenizer(self._harmless(answer), add_special_tokens=False)["input_ids"]
                said = [*said, self.tokenizer.eos_token_id]
            rows.append([*ids, *said])
            labels.append([*[-100] * len(ids), *said])
        longest = max(map(len, rows))
        pad = self.tokenizer.pad_token_id
        pad = self.tokenizer.eos_token_id if pad is None else pad
        batch = {
            "input_ids": torch.tensor([[pad] * (longest - len(row)) + row for row in rows]),
            "attention_mask": torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows]),
        }
        if any(one is not None for one in answers):
            batch["labels"] = torch.tensor([[-100] * (longest - len(row)) + row for row in labels])
        return batch

    def _scenes(self, clips: list[PosedClip], patches: list[PatchPoints]) -> list[dict[str, Tensor]]:
        """Pixels and geometry of every clip, checked."""
        sizes = {clip.size_hw for clip in clips}
        if len(sizes) > 1:
            raise InputError(
                "batch", expected="clips of one size", got=sorted(sizes), do="batch clips of one aspect, or one by one"
            )
        scenes = []
        for number, clip in enumerate(clips):
            self._check_size(clip)
            points = patches[number] if patches else None
            grid = (clip.size_hw[0] // self.patch_px, clip.size_hw[1] // self.patch_px)
            if points is not None and (
                points.patch_px != self.patch_px or points.depth_m.shape != (clip.num_frames, *grid)
            ):
                raise InputError(
                    "points",
                    expected=f"{clip.num_frames} frames of {grid[0]} x {grid[1]} patches of {self.patch_px} px",
                    got=f"{points.depth_m.shape} of {points.patch_px} px",
                    do="lift_patches(clip, processor.patch_px) on the resized clip",
                )
            pixels = {"pixel_values": normalize_frames(clip.rgb, self.image_mean, self.image_std)}
            merged = self.merge_voxel_m is not None
            scenes.append(
                pixels
                | geometry_tensors(
                    clip,
                    points,
                    self.geometry,
                    pool=self.pool,
                    pool_mode=self.pool_mode,
                    patch_px=self.patch_px,
                    to_tokens=merged,
                    cells=self.square_px is not None,
                    unknown_as_zero=self.unknown_as_zero,
                )
            )
        return scenes

    def scene_prefix(
        self, input_ids: Int[Tensor, "b t"], attention_mask: Int[Tensor, "b t"] | None = None
    ) -> Int[Tensor, "1 p"]:
        """The beginning that prompts on one scene share, up to the scene's last token, without padding.

        Args:
            input_ids: one prompt, or several on the same scene.
            attention_mask: 0 for padding at the left; ``None`` where nothing is padded.
        """
        row = input_ids[0] if attention_mask is None else input_ids[0][attention_mask[0].bool()]
        placeholders = torch.nonzero(row == self.scene_token_id)
        if not len(placeholders):
            raise InputError("prompt", expected=f"{SCENE_TOKEN} in it", got="none")
        return row[None, : int(placeholders[-1]) + 1]

    def answers(self, generated: Int[Tensor, "b t"], num_prompt_tokens: int) -> list[str]:
        """The words behind the prompt, without control tokens."""
        texts = self.tokenizer.batch_decode(generated[:, num_prompt_tokens:], skip_special_tokens=True)
        return [text.strip() for text in texts]


def _stack(scenes: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """One batch; shorter clips are padded at the front: pixels and shares with 0, all other geometry with NaN."""
    frames = [len(scene["pixel_values"]) for scene in scenes]
    most = max(frames)
    batch = {}
    for name in scenes[0]:
        fill = 0.0 if name in ("pixel_values", "valid_share") else torch.nan
        parts = [scene[name] for scene in scenes]
        padded = [torch.cat([part.new_full((most - len(part), *part.shape[1:]), fill), part]) for part in parts]
        batch[name] = torch.stack(padded)
    if min(frames) < most:
        batch["frame_mask"] = torch.stack([torch.arange(most) >= most - count for count in frames])
    return batch


AutoProcessor.register(Video3DConfig, Video3DProcessor, exist_ok=True)
