"""Safetensors checkpoints, one file or many, opened by their headers and rewritten one file at a time."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from video3d.types import InputError

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_MAX_JSON_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Where tensors are; none is in memory.

    Attributes:
        folder: that holds the files.
        names: tensors of each file.
        shapes: of every tensor.
        metadata: words in each file's header.
        indexed: whether ``model.safetensors.index.json`` lists the files.
    """

    folder: Path
    names: Mapping[str, tuple[str, ...]]
    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, dict[str, str] | None]
    indexed: bool


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object of a file from outside.

    Raises:
        InputError: it is missing, too large, or no JSON object.
    """
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise InputError(path, expected="a JSON file of at most 64 MB", got=f"{path.stat().st_size} bytes")
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError(path, expected="a JSON file", got=f"{type(error).__name__}: {error}") from error
    if not isinstance(value, dict):
        raise InputError(path, expected="a JSON object", got=f"a JSON {type(value).__name__}")
    return value


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read the headers of a checkpoint's files: names and shapes, no numbers.

    Raises:
        InputError: no safetensors, a file that is missing or cut off, or an index that does not agree with its files.
    """
    if not folder.is_dir():
        raise InputError(folder, expected="a folder with config.json and safetensors", got="no such folder")
    indexed = (folder / INDEX).is_file()
    listed: Mapping[str, set[str] | None] = _listed(folder) if indexed else {SINGLE: None}
    names: dict[str, tuple[str, ...]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    metadata: dict[str, dict[str, str] | None] = {}
    for file, expected in listed.items():
        path = folder / file
        if not path.is_file():
            raise InputError(
                path,
                expected="a safetensors file",
                got="no such file",
                do="fetch all files of the checkpoint; .bin and .pt files are not read (they can hold programs)",
            )
        try:
            with safe_open(path, "pt") as opened:
                names[file] = tuple(opened.keys())
                found = {name: tuple(opened.get_slice(name).get_shape()) for name in names[file]}
                metadata[file] = opened.metadata()
        except (SafetensorError, OSError, ValueError) as error:
            raise InputError(
                path, expected="a whole safetensors file", got=error, do="fetch it again: it may be cut off"
            ) from error
        differing = sorted(set(found) ^ expected) if expected is not None else sorted(set(found) & set(shapes))
        if differing:
            raise InputError(path, expected=f"the tensors that {INDEX} lists", got=f"a difference in {differing[0]}")
        shapes |= found
    return Checkpoint(folder=folder, names=names, shapes=shapes, metadata=metadata, indexed=indexed)


def _listed(folder: Path) -> Mapping[str, set[str] | None]:
    weight_map = read_json(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputError(folder / INDEX, expected="weight_map: a file for every tensor", got=type(weight_map).__name__)
    listed: dict[str, set[str]] = {}
    for name, file in weight_map.items():
        if not isinstance(file, str) or Path(file).name != file or not file.endswith(".safetensors"):
            raise InputError(folder / INDEX, expected="names of safetensors files beside it", got=repr(file))
        listed.setdefault(file, set()).add(name)
    return listed


def rewrite(
    checkpoint: Checkpoint, out: Path, rename: Callable[[str], str], change: Callable[[str, Tensor], Tensor]
) -> int:
    """Write every file anew under its own name, one at a time; returns the bytes of all tensors.

    Memory holds one file's tensors. The index, if there is one, is written too.

    Args:
        checkpoint: to read.
        out: folder to write to, which exists.
        rename: new name of a tensor.
        change: new value of a tensor, by its old name.

    Raises:
        InputError: a file that cannot be read.
        OSError: one that cannot be written.
    """
    total, weight_map = 0, {}
    for file, names in checkpoint.names.items():
        try:
            with safe_open(checkpoint.folder / file, "pt") as opened:
                tensors = {rename(name): change(name, opened.get_tensor(name)).contiguous() for name in names}
        except (SafetensorError, OSError) as error:
            raise InputError(checkpoint.folder / file, expected="a whole safetensors file", got=error) from error
        total += sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        weight_map |= dict.fromkeys(tensors, file)
        try:
            save_file(tensors, out / file, metadata=checkpoint.metadata[file])
        except SafetensorError as error:  # a full disk is no OSError of its own here
            raise OSError(f"{file}: {error}") from error
    if checkpoint.indexed:
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
        (out / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return total
