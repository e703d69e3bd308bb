"""Released Video-3D LLM weights (arXiv 2412.00493) to ours and back, file by file, bit by bit.

Weights are renamed, never computed with, so that the way back gives the same bits. Only ``<scene>`` needs a place: an
unused row of the embeddings if there is one, else a row of zeros behind the last, which the way back drops. What else
lies in a checkpoint's folder (config.json, tokenizer) is kept as it is in ``official/``, for the way back.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from video3d.model.checkpoint_files import INDEX, Checkpoint, open_checkpoint, read_json, rewrite
from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.official_layout import (
    EMBEDDINGS,
    OUTPUT,
    Shape,
    house_config,
    house_name,
    official_name,
    required_shape,
)
from video3d.model.processing_video3d import SCENE_TOKEN, Video3DProcessor
from video3d.types import InputError

KEPT = "official"
RECORD = "converted.json"
_KEPT_SUFFIXES = {".json", ".txt", ".model", ".jinja", ".md"}
_KEPT_BYTES = 64 * 2**20
# The template that the published code writes its prompts by, for tokenizers that come without one.
_CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What was written.

    Attributes:
        out: the folder.
        num_tensors: in it.
        num_bytes: of all tensors.
        num_files: that hold them.
        grounding: whether grounding heads are among them.
        added_rows: rows that the embeddings grew (converting) or lost (reverting) for ``<scene>``.
    """

    out: Path
    num_tensors: int
    num_bytes: int
    num_files: int
    grounding: bool
    added_rows: int


def convert_official(checkpoint_dir: Path, out_dir: Path, *, compat: bool = False) -> Conversion:
    """Write a released checkpoint as a folder that ``load_model`` opens. Memory holds one of its files at a time.

    Everything is checked by the files' headers first; nothing is left in ``out_dir`` if anything fails.

    Args:
        checkpoint_dir: config.json, safetensors and the tokenizer, as published.
        out_dir: folder to make.
        compat: have the model repeat the published code's faults: unknown depth taken for 0 m, and coordinates in half
            precision. The weights were trained with the first.

    Raises:
        InputError: anything that is not such a checkpoint, whole, with the released settings.
    """
    official = read_json(checkpoint_dir / "config.json") if checkpoint_dir.is_dir() else {}
    checkpoint = open_checkpoint(checkpoint_dir)
    shapes = _house_shapes(checkpoint)
    rows = required_shape(shapes, EMBEDDINGS, 2)[0]
    with _put_beside(out_dir) as made:
        kept = made / KEPT
        _keep_small_files(checkpoint, kept)
        tokenizer = _tokenizer(kept, checkpoint_dir)
        shutil.copyfile(checkpoint_dir / "config.json", kept / "config.json")
        scene_token_id = int(tokenizer.convert_tokens_to_ids(SCENE_TOKEN))  # pyright: ignore[reportArgumentType]
        added_rows = int(scene_token_id == rows)
        if not 0 <= scene_token_id <= rows:
            raise InputError(
                f"tokenizer in {checkpoint_dir}",
                expected=f"at most as many tokens as the embeddings have rows, {rows}",
                got=scene_token_id,
                do="use the tokenizer that was published with the weights",
            )
        try:
            config = house_config(
                official, shapes, scene_token_id=scene_token_id, rows=rows + added_rows, compat=compat
            )
            expected = _expected_shapes(config)
        except InputError:
            raise
        except (ValueError, TypeError, KeyError, ArithmeticError, RuntimeError) as error:
            raise InputError(
                checkpoint_dir / "config.json", expected="sizes that a model can be built from", got=error
            ) from error
        _compare(shapes, expected, added_rows)
        config.architectures = [Video3DForConditionalGeneration.__name__]
        config.dtype = _dtype(checkpoint)

        def grown(name: str, value: Tensor) -> Tensor:
            if not (value.is_floating_point() and bool(value.isfinite().all())):
                got = value.dtype if not value.is_floating_point() else "NaN or infinity in it"
                raise InputError(
                    f"tensor {name}", expected="finite floating-point weights", got=got, do="fetch it again"
                )
            if added_rows and house_name(name) in (EMBEDDINGS, OUTPUT):
                return torch.cat([value, value.new_zeros(1, value.shape[1])])
            return value

        num_bytes = rewrite(checkpoint, made, lambda name: str(house_name(name)), grown)
        config.save_pretrained(made)
        _write_generation_config(checkpoint_dir, made, scene_token_id)
        processor = Video3DProcessor.for_model(
            config,
            tokenizer,
            image_mean=(0.5, 0.5, 0.5),
            image_std=(0.5, 0.5, 0.5),
            max_patches=27 * 27,
            square_px=int(config.vision_config.image_size),  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
        )
        processor.save_pretrained(made)
        record = {"added_rows": added_rows, "tensors": {name: list(s) for name, s in checkpoint.shapes.items()}}
        (kept / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
    return _report(out_dir, checkpoint, num_bytes, grounding=config.grounding, added_rows=added_rows)


def revert_official(model_dir: Path, out_dir: Path) -> Conversion:
    """Write a model that ``convert_official`` made, trained further or not, in the published layout again.

    Untrained, every file has the bytes of the checkpoint that it came from.

    Raises:
        InputError: a model that did not come from there, or that has parts which the published layout has no name for.
    """
    if model_dir.is_dir() and not (model_dir / KEPT / RECORD).is_file():
        raise InputError(
            model_dir,
            expected=f"a model that `video3d convert official` made, with {KEPT}/{RECORD}",
            got="none of it",
            do="only such a model has the files that the published layout needs",
        )
    checkpoint = open_checkpoint(model_dir)
    record = read_json(model_dir / KEPT / RECORD)
    added_rows, tensors = record.get("added_rows"), record.get("tensors")
    if (
        added_rows not in (0, 1)
        or not isinstance(tensors, dict)
        or any(not isinstance(s, list) for s in tensors.values())
    ):
        raise InputError(model_dir / KEPT / RECORD, expected="added_rows 0 or 1, and tensors", got="something else")
    found: dict[str, Shape] = {}
    for name, shape in checkpoint.shapes.items():
        official = official_name(name)
        if official is None:
            raise InputError(model_dir, expected="only parts of the published model", got=f"tensor {name}")
        found[official] = _shrunk(name, shape, added_rows)
    _compare_names(found, {name: tuple(shape) for name, shape in tensors.items()})

    def shrunk(name: str, value: Tensor) -> Tensor:
        return value[: _shrunk(name, tuple(value.shape), added_rows)[0]] if value.ndim else value

    with _put_beside(out_dir) as made:
        num_bytes = rewrite(checkpoint, made, lambda name: str(official_name(name)), shrunk)
        for path in sorted((model_dir / KEPT).iterdir()):
            if path.name == RECORD or not path.is_file():
                continue
            if path.name == INDEX and not _same_files(path, made / INDEX):
                continue  # saved again in other files than it came in: the new index stands
            shutil.copyfile(path, made / path.name)
    return _report(out_dir, checkpoint, num_bytes, grounding="ground_head_zero_target" in found, added_rows=added_rows)


def _same_files(kept: Path, made: Path) -> bool:
    return made.is_file() and read_json(kept).get("weight_map") == read_json(made)["weight_map"]


def _shrunk(name: str, shape: Shape, added_rows: int) -> Shape:
    return (shape[0] - added_rows, *shape[1:]) if name in (EMBEDDINGS, OUTPUT) and shape else shape


def _report(out: Path, checkpoint: Checkpoint, num_bytes: int, *, grounding: bool, added_rows: int) -> Conversion:
    return Conversion(
        out=out,
        num_tensors=len(checkpoint.shapes),
        num_bytes=num_bytes,
        num_files=len(checkpoint.names),
        grounding=grounding,
        added_rows=added_rows,
    )


def _house_shapes(checkpoint: Checkpoint) -> dict[str, Shape]:
    shapes = {}
    for name, shape in checkpoint.shapes.items():
        ours = house_name(name)
        if ours is None:
            raise InputError(
                checkpoint.folder, expected="tensors of the published Video-3D LLM only", got=f"tensor {name}"
            )
        shapes[ours] = shape
    return shapes


def _expected_shapes(config: Video3DConfig) -> dict[str, Shape]:
    """Name and shape of every tensor of the model, without making one."""
    with torch.device("meta"):
        model = Video3DForConditionalGeneration(config)
        shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    if config.tie_word_embeddings:
        shapes.pop(OUTPUT, None)
    return shapes


def _compare(found: Mapping[str, Shape], expected: Mapping[str, Shape], added_rows: int) -> None:
    """Refuse missing, unknown and misshapen tensors, by their official names."""
    _compare_names(
        {str(official_name(name)): shape for name, shape in found.items()},
        {str(official_name(name)): _shrunk(name, shape, added_rows) for name, shape in expected.items()},
    )


def _compare_names(found: Mapping[str, Shape], expected: Mapping[str, Shape]) -> None:
    missing, unknown = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    for names, got in ((missing, "none"), (unknown, "one too many")):
        if names:
            more = f" and {len(names) - 1} more like it" if len(names) > 1 else ""
            expects = "it" if got == "none" else "no such tensor in this architecture"
            raise InputError(f"tensor {names[0]}", expected=expects, got=f"{got}{more}", do="check the weights")
    for name, shape in expected.items():
        if found[name] != shape:
            raise InputError(f"tensor {name}", expected=f"shape {list(shape)}", got=list(found[name]))


def _dtype(checkpoint: Checkpoint) -> torch.dtype:
    """Of the embeddings, read without their numbers; the others follow them."""
    for file, names in checkpoint.names.items():
        if "model.embed_tokens.weight" in names:
            with safe_open(checkpoint.folder / file, "pt") as opened:
                dtype = opened.get_slice("model.embed_tokens.weight")[:1].dtype
            if not dtype.is_floating_point:
                raise InputError("tensor model.embed_tokens.weight", expected="floating-point weights", got=dtype)
            return dtype
    raise InputError("tensor model.embed_tokens.weight", expected="it", got="none")


def _keep_small_files(checkpoint: Checkpoint, kept: Path) -> None:
    """All but config.json, which would tell the tokenizer's loader of an architecture that it does not know."""
    kept.mkdir()
    for path in sorted(checkpoint.folder.iterdir()):
        if (
            path.name != "config.json"
            and path.is_file()
            and path.suffix in _KEPT_SUFFIXES
            and path.stat().st_size <= _KEPT_BYTES
        ):
            shutil.copyfile(path, kept / path.name)


def _tokenizer(folder: Path, named: Path) -> PreTrainedTokenizerBase:
    """The checkpoint's tokenizer with ``<scene>``, padding at the left."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if SCENE_TOKEN not in tokenizer.get_vocab():
            tokenizer.add_special_tokens(
                {"additional_special_tokens": [SCENE_TOKEN]}, replace_extra_special_tokens=False
            )
    except Exception as error:  # what tokenizer classes raise on broken files has no common kind
        raise InputError(
            f"tokenizer in {named}",
            expected="Qwen2's, as published with the weights",
            got=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}",
        ) from error
    tokenizer.padding_side = "left"
    tokenizer.chat_template = tokenizer.chat_template or _CHATML
    return tokenizer


def _write_generation_config(checkpoint_dir: Path, made: Path, scene_token_id: int) -> None:
    """The checkpoint's, and ``<scene>`` is never said."""
    path = checkpoint_dir / "generation_config.json"
    settings: dict[str, Any] = read_json(path) if path.is_file() else {}
    settings["suppress_tokens"] = [scene_token_id]
    (made / path.name).write_text(json.dumps(settings, indent=2), encoding="utf-8")


@contextmanager
def _put_beside(out: Path) -> Iterator[Path]:
    """A folder to fill, renamed to ``out`` once it is whole and removed if it is not."""
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(out, expected="a folder to make", got="something there already", do="name another")
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent, ignore_cleanup_errors=True) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            yield made
            made.rename(out)
    except OSError as error:
        raise InputError(out, expected="a folder that can be written, with room for the weights", got=error) from error
