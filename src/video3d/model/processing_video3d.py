"""From a clip, its patch points and a question to the model's batch: the one dict that stages pass.

The scene stands first in the prompt, before facts and question, so that what the language model has read of it serves
every later question. ``<scene>`` in a text marks its place; it becomes one placeholder for every scene token.
"""

from collections.abc import Mapping, Sequence
from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, UInt8
from torch import Tensor
from transformers import AutoProcessor, BatchFeature, PreTrainedTokenizerBase
from transformers.processing_utils import ProcessorMixin

from video3d.model.configuration_video3d import Video3DConfig
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
        max_patches: largest number of patches of a frame.
        image_mean: of the vision tower, for colours in 0..1.
        image_std: likewise.
        chat_template: Hugging Face keeps the tokenizer's here too; the tokenizer's is the one that is used.
    """

    @no_type_check  # from_pretrained reads the argument names off this function's code, which a checker would wrap
    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        patch_px: int = 14,
        pool: int = 2,
        row_separators: bool = True,
        max_patches: int = 256,
        image_mean: Sequence[float] = (0.485, 0.456, 0.406),
        image_std: Sequence[float] = (0.229, 0.224, 0.225),
        chat_template: str | None = None,
    ) -> None:
        if SCENE_TOKEN not in tokenizer.get_vocab():
            tokenizer.add_special_tokens(
                {"additional_special_tokens": [SCENE_TOKEN]}, replace_extra_special_tokens=False
            )
        super().__init__(tokenizer, chat_template=chat_template)
        self.patch_px, self.pool, self.row_separators = patch_px, pool, row_separators
        self.max_patches = max_patches
        self.image_mean, self.image_std = list(image_mean), list(image_std)

    @classmethod
    def for_model(
        cls, config: Video3DConfig, tokenizer: PreTrainedTokenizerBase, **settings: Any
    ) -> "Video3DProcessor":
        """The processor that fits a configuration; ``settings`` are ``max_patches``, ``image_mean``, ``image_std``."""
        return cls(
            tokenizer, patch_px=config.patch_px, pool=config.pool, row_separators=config.row_separators, **settings
        )

    @property
    def model_input_names(self) -> list[str]:
        """What a batch can hold."""
        return ["input_ids", "attention_mask", "pixel_values", "points_world", "valid_share", "frame_mask", "labels"]

    @property
    def scene_token_id(self) -> int:
        """Id of the placeholder."""
        return int(self.tokenizer.convert_tokens_to_ids(SCENE_TOKEN))

    def frame_size_hw(self, size_hw: tuple[int, int]) -> tuple[int, int]:
        """Size that frames have to be resized to: whole tokens, the aspect kept as well as the budget allows.

        Of all grids within ``max_patches`` the one that loses least, |log(change of aspect)| + log(loss of area) / 2.
        """
        height, width = size_hw
        unit = self.patch_px * self.pool
        budget = max(self.max_patches // self.pool**2, 1)
        rows = np.arange(1, budget + 1)
        columns = np.clip(np.round(rows * width / height), 1, budget // rows).astype(int)
        aspect = np.abs(np.log(columns / rows) - np.log(width / height))
        best = int(np.argmin(aspect + 0.5 * np.log(budget / (rows * columns))))
        return int(rows[best]) * unit, int(columns[best]) * unit

    def num_scene_tokens(self, num_frames: int, size_hw: tuple[int, int]) -> int:
        """Tokens that frames of this size become."""
        rows, columns = (-(-(side // self.patch_px) // self.pool) for side in size_hw)
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
            ``input_ids``, ``attention_mask``, and with a clip ``pixel_values`` (b f 3 h w), ``points_world``
            (b f gh gw 3, float32, NaN unknown), ``valid_share`` (b f gh gw), ``frame_mask`` where lengths differ.

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
        counts = [self._count(one) for one in clips] or [num_scene_tokens or 0]
        counts = counts * len(texts) if len(counts) == 1 else counts
        batch = self._tokens(texts, answers, counts)
        if clips:
            batch |= self._frames(clips, patches)
        return BatchFeature(batch)

    def _count(self, clip: PosedClip) -> int:
        height, width = clip.size_hw
        unit = self.patch_px * self.pool
        if height % unit or width % unit or not height or not width:
            raise InputError(
                "frames",
                expected=f"a height and width that are multiples of {unit} px",
                got=f"{height} x {width}",
                do="resize the clip to processor.frame_size_hw(size_hw)",
            )
        return self.num_scene_tokens(clip.num_frames, clip.size_hw)

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

    def _frames(self, clips: list[PosedClip], patches: list[PatchPoints]) -> dict[str, Tensor]:
        sizes = {clip.size_hw for clip in clips}
        if len(sizes) > 1:
            raise InputError(
                "batch", expected="clips of one size", got=sorted(sizes), do="batch clips of one aspect, or one by one"
            )
        (height, width) = sizes.pop()
        grid = (height // self.patch_px, width // self.patch_px)
        for clip, one in zip(clips, patches, strict=bool(patches)):
            if one.patch_px != self.patch_px or one.depth_m.shape != (clip.num_frames, *grid):
                raise InputError(
                    "points",
                    expected=f"{clip.num_frames} frames of {grid[0]} x {grid[1]} patches of {self.patch_px} px",
                    got=f"{one.depth_m.shape} of {one.patch_px} px",
                    do="lift_patches(clip, processor.patch_px) on the resized clip",
                )
        most = max(clip.num_frames for clip in clips)
        lacks = [most - clip.num_frames for clip in clips]
        pixels = [normalize_frames(clip.rgb, self.image_mean, self.image_std) for clip in clips]
        batch: dict[str, Tensor] = {"pixel_values": _stack_left(pixels, lacks, 0.0)}
        if patches:
            batch["points_world"] = _stack_left(
                [torch.from_numpy(np.array(one.points_world)) for one in patches], lacks, np.nan
            )
            batch["valid_share"] = _stack_left(
                [torch.from_numpy(np.array(one.valid_share)) for one in patches], lacks, 0.0
            )
        if any(lacks):
            batch["frame_mask"] = torch.stack([torch.arange(most) >= lack for lack in lacks])
        return batch

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


def _stack_left(parts: list[Float[Tensor, "..."]], lacks: list[int], fill: float) -> Float[Tensor, "..."]:
    padded = [
        torch.cat([part.new_full((lack, *part.shape[1:]), fill), part]) for part, lack in zip(parts, lacks, strict=True)
    ]
    return torch.stack(padded)


AutoProcessor.register(Video3DConfig, Video3DProcessor, exist_ok=True)
