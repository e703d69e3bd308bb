"""Loads a depth network of ``transformers`` or of an installed package behind the protocol of ``video3d.types.depth``.

``video3d.estimate.depth_align`` finds scale and shift of relative networks from reconstructed points.
"""

import json
import re
from pathlib import Path
from typing import Any

from video3d.estimate.hub import check_complete, folder_or_hub, unusable
from video3d.quiet import quiet
from video3d.types import InputError
from video3d.types.depth import DepthEstimator

_WHAT = "a depth network"
# The first fusion layer has nothing to fuse with, so checkpoints of MiDaS leave its first residual unit out.
_UNUSED_KEYS = re.compile(r"(fusion_stage\.layers\.0\.residual_layer1\.|num_batches_tracked$)")


def depth_parts(name: str) -> tuple[str, bool]:
    """The network that a name of depth wants (``none`` for none), and whether many views are to be compared.

    Names are those of ``video3d depth-eval``: ``video`` is ``nano`` and many views, ``video:NAME`` is NAME and many views,
    and a network's name alone is the network, frame by frame. ``none`` is neither: depth at reconstructed points only.

    Raises:
        InputError: no network is named.

    >>> depth_parts("video"), depth_parts("video:none"), depth_parts("nano"), depth_parts("none")
    (('nano', True), ('none', True), ('nano', False), ('none', False))
    """
    views = name == "video" or name.startswith("video:")
    network = (name.partition(":")[2] if ":" in name else "nano") if views else name
    if not network or network == "video" or network.startswith("video:"):
        raise InputError(
            "depth", expected="none, video, video:NAME, or a network's NAME (nano, a hub id, a folder)", got=repr(name)
        )
    return network, views


def load_depth_estimator(
    name_or_path: str | Path, *, dtype: str = "float32", device: str | None = None, flip: bool | None = None
) -> DepthEstimator:
    """Load a depth network that ``transformers`` knows, VGGT or Depth Anything 3, from a local directory or the hub.

    Supported are the model types ``dpt`` (MiDaS), ``zoedepth``, ``depth_anything`` and ``depth_pro``. The directory
    holds ``config.json``, ``preprocessor_config.json`` and weights as safetensors; pickled weights are refused. VGGT
    and Depth Anything 3 (``multi_view_networks``) have no ``preprocessor_config.json`` and need their packages. The hub
    is asked only here, and only because the user named one of its models; a model in the local cache needs no network.

    Args:
        name_or_path: ``OWNER/NAME`` on the hub, or a directory.
        dtype: ``float32``, or ``bfloat16`` for CPUs and GPUs that compute in it (about twice as fast, 2-3 digits).
        device: ``cpu``, ``cuda``, ...; by default a GPU where there is one.
        flip: average with the prediction for the mirrored frame, at twice the time; by default as the family's authors
            do: yes for ZoeDepth, no for others. VGGT and Depth Anything 3 are never.

    Raises:
        InputError: the name is neither, the model is of another type, its files are absent, broken or incomplete, or
            its package is not installed.

    >>> load_depth_estimator("no such model")
    Traceback (most recent call last):
    ...
    video3d.types.errors.InputError: no such model: expected a directory or a hub name OWNER/NAME of a depth ...
    """
    name = str(name_or_path)
    if dtype not in ("float32", "bfloat16"):
        raise InputError("dtype", expected="float32 or bfloat16", got=dtype)
    local, offline = folder_or_hub(name, what=_WHAT, example="depth-anything/Depth-Anything-V2-Small-hf")

    from video3d.estimate import depth_networks, multi_view_networks  # torch and transformers

    settings = _settings(name, offline)
    package = multi_view_networks.package_of(settings)
    if package is not None:
        weights, licence = _optional_file(name, "model.safetensors", offline), _licence(name, offline)
        return multi_view_networks.load_multi_view(
            package, settings, weights, name=name, licence=licence, dtype=dtype, device=device
        )
    config, processing = _read_configs(name, local, offline)
    licence = _licence(name, offline)
    family = depth_networks.FAMILIES.get(config.model_type)
    if family is None:
        known = ", ".join(sorted(depth_networks.FAMILIES))
        raise InputError(name, expected=f"a model of type {known}", got=f"model_type {config.model_type!r}")
    with quiet():
        model = _load_weights(name, local, offline, config, dtype)
    return depth_networks.build(
        family, model=model, name=name, licence=licence, processing=processing, device=device, flip=flip
    )


def _optional_file(name: str, file: str, offline: bool) -> Path | None:
    """A file of a model, or None where there is none or it cannot be had."""
    from transformers.utils.hub import cached_file

    try:
        found = cached_file(
            name,
            file,
            local_files_only=offline,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
            _raise_exceptions_for_gated_repo=False,
        )
    except (OSError, ValueError):
        return None
    return None if found is None else Path(found)


def _settings(name: str, offline: bool) -> dict[str, Any]:
    """``config.json`` as it is; nothing where it cannot be read, which ``_read_configs`` then says."""
    path = _optional_file(name, "config.json", offline)
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _licence(name: str, offline: bool) -> str:
    """What the card states. A card is optional: not having it must not keep anyone from using the model."""
    card = _optional_file(name, "README.md", offline)
    try:
        return "unknown" if card is None else licence_of_card(card.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return "unknown"


def _read_configs(name: str, local: bool, offline: bool) -> tuple[Any, dict[str, Any]]:
    """Model configuration and image processing settings."""
    from transformers import AutoConfig
    from transformers.image_processing_utils import BaseImageProcessor

    try:
        config = AutoConfig.from_pretrained(name, local_files_only=offline, trust_remote_code=False)
        processing, _ = BaseImageProcessor.get_image_processor_dict(name, local_files_only=offline)
    except Exception as error:  # transformers raises OSError, ValueError, KeyError, JSON and validation errors
        raise _unusable(name, local, error) from error
    return config, processing


def _load_weights(name: str, local: bool, offline: bool, config: Any, dtype: str) -> Any:
    """The network in evaluation mode, with every weight from the file: a layer left at random would answer nonsense."""
    import torch
    from transformers import AutoModelForDepthEstimation

    try:
        model, info = AutoModelForDepthEstimation.from_pretrained(
            name,
            config=config,
            use_safetensors=True,
            local_files_only=offline,
            trust_remote_code=False,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
        )
    except Exception as error:  # missing file, wrong shapes, broken safetensors: each has an exception of its own
        raise _unusable(name, local, error) from error
    missing = sorted(key for key in info["missing_keys"] if not _UNUSED_KEYS.search(key))
    check_complete(name, missing)
    return model.eval()


def _unusable(name: str, local: bool, error: Exception) -> InputError:
    return unusable(name, local, error, what=_WHAT, files="preprocessor_config.json", saved="image processor")


def licence_of_card(text: str) -> str:
    r"""The licence that a model card states in its front matter, or ``unknown``.

    >>> licence_of_card("---\nlicense: apache-2.0\n---\n# Depth")
    'apache-2.0'
    """
    front = re.match(r"^---\s*\n(.*?)\n---", text, flags=re.DOTALL)
    fields = (
        dict(re.findall(r"^(license|license_name):[ \t]*(\S+)[ \t]*$", front.group(1), flags=re.M)) if front else {}
    )
    licence = fields.get("license", "unknown")
    return fields.get("license_name", licence) if licence == "other" else licence
