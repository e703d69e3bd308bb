"""Scenes on disk: what ``encode_scene`` made, so that it can be asked about tomorrow without the video.

One safetensors file, a tensor for each field of ``SceneTokens`` that is not None. Its header's metadata hold the version of
this layout, the fingerprint of the model that made the scene (tokens of one encoder are noise to another's language model)
and what is known of the world. A file may come from anywhere: it is believed only after names, types, shapes and values
have been checked, the first three before any of its data is read.
"""

import contextlib
import hashlib
import json
import os
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from video3d.types import InputError, World
from video3d.types.scene_tokens import SceneTokens

FORMAT = "video3d scene"
VERSION = 1
_MAX_HEADER_BYTES = 1 << 16
_MAX_SIDE = 1 << 31
_FLOATS = ("F32", "BF16", "F16")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """Shape letters, the dtypes that are taken, and whether NaN may stand for unknown."""

    shape: str
    dtypes: tuple[str, ...]
    unknown: bool = False
    required: bool = False


_FIELDS = {
    "embeds": _Field(shape="b n d", dtypes=_FLOATS, required=True),
    "mask": _Field(shape="b n", dtypes=("BOOL",), required=True),
    "points_world": _Field(shape="b n 3", dtypes=_FLOATS, unknown=True, required=True),
    "content": _Field(shape="b n c", dtypes=_FLOATS),
    "num_views": _Field(shape="b n", dtypes=("I32",)),
    "seen_s": _Field(shape="b n 2", dtypes=("F32",), unknown=True),
    "patch_content": _Field(shape="b f gh gw c", dtypes=_FLOATS),
}
_NOT_ENCODING = {
    "text_config",
    "grounding",
    "grounding_temperature",
    "grounding_trained",
    "reasoning_layers",
    "reasoning_width",
    "reasoning_heads",
    "reasoning_trained",
    "layout_queries",
    "categories",
    "events",
    "depth_loss_weight",
    "spatial_loss_weight",
    "scene_trained",
    "scene_token_id",
    "ground_token_id",
    "coord_token_id",
    "tie_word_embeddings",
}
"""What of a configuration changes nothing about scene tokens (but for the language model's width, which is added)."""
_OF_A_FILE = {"transformers_version", "architectures", "_name_or_path", "dtype", "torch_dtype"}
"""What configurations of all levels say of where they come from and how they were loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneMetadata:
    """What a scene has to be read with.

    Attributes:
        model_fingerprint: of the model that encoded it (``model_fingerprint``).
        world: what is known of the frame of ``points_world``.
    """

    model_fingerprint: str
    world: World = field(default_factory=World)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedScene:
    """A scene read back, and what it has to be read with."""

    scene: SceneTokens
    metadata: SceneMetadata


def model_fingerprint(config: Mapping[str, Any], weights: Tensor | None = None) -> str:
    """Twelve hexadecimal digits that differ between models whose scene tokens mean different things.

    Args:
        config: ``Video3DConfig.to_dict()``.
        weights: any that were trained, such as the projector's last layer, to tell two checkpoints of one configuration
            apart; ``None``: the configuration alone counts.

    >>> model_fingerprint({"pool": 2}) == model_fingerprint({"pool": 2, "scene_trained": True})
    True
    >>> model_fingerprint({"pool": 2}) == model_fingerprint({"pool": 3})
    False
    """
    kept: dict[str, Any] = _without({name: value for name, value in config.items() if name not in _NOT_ENCODING})
    text = config.get("text_config")
    if isinstance(text, Mapping):
        kept["text_width"] = text.get("hidden_size")
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode())
    if weights is not None:
        digest.update(weights.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def save_scene(scene: SceneTokens, path: str | Path, metadata: SceneMetadata) -> None:
    """Write a scene, whole or not at all: beside its place first, then renamed.

    Raises:
        InputError: the place cannot be written, or the scene holds what ``load_scene`` would refuse.

    >>> from tempfile import TemporaryDirectory
    >>> scene = SceneTokens(embeds=torch.ones(1, 2, 4), mask=torch.ones(1, 2).bool(), points_world=torch.zeros(1, 2, 3))
    >>> with TemporaryDirectory() as folder:
    ...     save_scene(scene, Path(folder) / "a.scene", SceneMetadata(model_fingerprint="abc"))
    ...     load_scene(Path(folder) / "a.scene").scene.embeds.shape
    torch.Size([1, 2, 4])
    """
    from safetensors.torch import save

    path = Path(path)
    # Copies: safetensors refuses tensors that share memory, as views of one batch do.
    tensors = {
        name: value.detach().to("cpu", copy=True).contiguous()
        for name in _FIELDS
        if (value := getattr(scene, name)) is not None
    }
    _check_shapes("scene", {name: (_safe_name(value.dtype), tuple(value.shape)) for name, value in tensors.items()})
    _check_values("scene", tensors)
    world = metadata.world
    header = {
        "format": FORMAT,
        "version": str(VERSION),
        "model_fingerprint": metadata.model_fingerprint,
        "metric": json.dumps(world.metric),
        "gravity_aligned": json.dumps(world.gravity_aligned),
        "origin": world.origin,
    }
    beside: Path | None = None
    try:
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with beside.open("xb") as file:
            file.write(save(tensors, metadata=header))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, ValueError) as error:
        if beside is not None:
            with contextlib.suppress(OSError, ValueError):
                beside.unlink()
        raise InputError(path, expected="a place for a scene file", got=_reason(error)) from error


def load_scene(
    path: str | Path, *, expected_fingerprint: str | None = None, device: str | torch.device = "cpu"
) -> SavedScene:
    """Read a scene that ``save_scene`` wrote; every value is the same, bit for bit.

    Args:
        path: the file.
        expected_fingerprint: of the model that is to be asked; ``None``: whichever made the scene.
        device: where its tensors go.

    Raises:
        InputError: no such file, a broken one, one of another version or kind, values that no scene can have, or a scene of
            another model than expected.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    header = _read_header(path)
    metadata = _checked_metadata(path, header.pop("__metadata__", None), expected_fingerprint)
    _check_shapes(path, {name: _declared(path, name, entry) for name, entry in header.items()})
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in header}
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError) as error:
        raise InputError(path, expected="a whole scene file", got=_reason(error), do="save the scene again") from error
    # Read twice: the file could be another one by now.
    _check_shapes(path, {name: (_safe_name(value.dtype), tuple(value.shape)) for name, value in tensors.items()})
    _check_values(path, tensors)
    scene = SceneTokens(**{name: value.to(device) for name, value in tensors.items()})  # pyright: ignore[reportArgumentType]
    return SavedScene(scene=scene, metadata=metadata)


def _without(config: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        str(name): _without(value) if isinstance(value, Mapping) else value
        for name, value in config.items()
        if name not in _OF_A_FILE
    }


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _safe_name(dtype: torch.dtype) -> str:
    names = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.bool: "BOOL", torch.int32: "I32"}
    return names.get(dtype, str(dtype).removeprefix("torch."))


def _read_header(path: Path) -> dict[str, Any]:
    """The JSON at the beginning of a safetensors file, read by hand so that nothing is allocated by what it claims."""
    try:
        if not path.is_file():  # a pipe would be waited for
            raise InputError(
                path, expected="a scene file", got="a folder or device" if path.exists() else "no such file"
            )
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\xff"))
            if length > _MAX_HEADER_BYTES:
                raise InputError(
                    path, expected="a scene file (safetensors)", got="another kind of file, or a part of one"
                )
            header = json.loads(file.read(length))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        got = "another kind of file, or a part of one" if not isinstance(error, OSError) else _reason(error)
        raise InputError(path, expected="a scene file (safetensors)", got=got) from error
    if not isinstance(header, dict):
        raise InputError(path, expected="a scene file (safetensors)", got="a header that is no table")
    return header


def _checked_metadata(path: Path, metadata: Any, expected_fingerprint: str | None) -> SceneMetadata:
    found = metadata if isinstance(metadata, dict) else {}
    if found.get("format") != FORMAT:
        raise InputError(path, expected="a scene file", got="safetensors of something else")
    if found.get("version") != str(VERSION):
        raise InputError(
            path,
            expected=f"version {VERSION} of the scene layout",
            got=f"version {found.get('version')}",
            do="encode the scene again with this version of video3d",
        )
    names = ("model_fingerprint", "metric", "gravity_aligned", "origin")
    wrong = [name for name in names if not isinstance(found.get(name), str)]
    wrong += [name for name in ("metric", "gravity_aligned") if found.get(name) not in ("true", "false")]
    if wrong:
        raise InputError(path, expected=f"{wrong[0]} in its metadata", got=found.get(wrong[0], "nothing"))
    if expected_fingerprint is not None and found["model_fingerprint"] != expected_fingerprint:
        raise InputError(
            path,
            expected=f"a scene encoded by this model ({expected_fingerprint})",
            got=f"one by another ({found['model_fingerprint']})",
            do="encode the video again with this model, or load the one that made the scene",
        )
    world = World(
        metric=found["metric"] == "true", gravity_aligned=found["gravity_aligned"] == "true", origin=found["origin"]
    )
    return SceneMetadata(model_fingerprint=found["model_fingerprint"], world=world)


def _declared(path: Path, name: str, entry: Any) -> tuple[str, tuple[int, ...]]:
    """Dtype and shape as a header states them."""
    shape = entry.get("shape") if isinstance(entry, dict) else None
    dtype = entry.get("dtype") if isinstance(entry, dict) else None
    sound = isinstance(shape, list) and all(type(side) is int for side in shape) and isinstance(dtype, str)
    if not sound or not isinstance(shape, list) or not isinstance(dtype, str):
        raise InputError(path, expected=f"dtype and shape of {name}", got="something else")
    return dtype, tuple(shape)


def _check_shapes(thing: object, found: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    """Whether these tensors can be a scene: no data is looked at."""
    missing = [name for name, wanted in _FIELDS.items() if wanted.required and name not in found]
    unknown = sorted(set(found) - set(_FIELDS))
    if missing or unknown:
        got = f"none called {missing[0]}" if missing else f"one called {unknown[0]}"
        raise InputError(thing, expected="the tensors of a scene", got=got)
    sides: dict[str, int] = {}
    for name, (dtype, shape) in found.items():
        wanted = _FIELDS[name]
        if dtype not in wanted.dtypes:
            raise InputError(f"{thing}, {name}", expected=" or ".join(wanted.dtypes), got=dtype)
        letters = wanted.shape.split()
        fits = len(shape) == len(letters) and all(1 <= side < _MAX_SIDE for side in shape)
        for letter, side in zip(letters, shape, strict=False):
            fits = fits and side == (int(letter) if letter.isdigit() else sides.setdefault(letter, side))
        if not fits:
            known = ", ".join(f"{letter} {side}" for letter, side in sides.items() if letter in letters)
            raise InputError(f"{thing}, {name}", expected=f"shape ({wanted.shape}) with {known}", got=shape)


def _check_values(thing: object, tensors: Mapping[str, Tensor]) -> None:
    for name, value in tensors.items():
        if value.is_floating_point():
            bad = value.isinf() if _FIELDS[name].unknown else ~value.isfinite()
            if bool(bad.any()):
                expected = "numbers, NaN where unknown" if _FIELDS[name].unknown else "finite numbers"
                raise InputError(f"{thing}, {name}", expected=expected, got=f"{int(bad.sum())} that are not")
    mask = tensors["mask"]
    if int(mask.view(torch.uint8).max()) > 1:  # a byte that is neither: torch takes it for true, and counts it wrong
        raise InputError(f"{thing}, mask", expected="bytes 0 and 1", got=int(mask.view(torch.uint8).max()))
    if bool((mask[:, :-1] & ~mask[:, 1:]).any()):
        raise InputError(f"{thing}, mask", expected="padding at the left", got="padding behind tokens")
    if "num_views" in tensors and int(tensors["num_views"].min()) < 0:
        raise InputError(f"{thing}, num_views", expected="0 or more", got=int(tensors["num_views"].min()))
