"""Models of others by name: a folder, or an id on the hub, which is asked only because the user named it."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from video3d.types import InputError

# What a name on the hub looks like: OWNER/NAME (or a bare NAME), with nothing that could be a path.
_HUB_ID = re.compile(r"^(?!.*\.\.)[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")


def folder_or_hub(name: str, *, what: str, example: str) -> tuple[bool, bool]:
    """Whether a model's name is a folder's, and whether it has to be read without the network.

    Args:
        name: as the user gave it.
        what: kind of model, for the message.
        example: of a hub id.

    Raises:
        InputError: the name is neither a folder nor an id.

    >>> folder_or_hub("no such model", what="a depth network", example="owner/name")
    Traceback (most recent call last):
    ...
    video3d.types.errors.InputError: no such model: expected a directory or a hub name OWNER/NAME of a depth network, ...
    """
    local = bool(name.strip()) and Path(name).is_dir()
    if not local and (Path(name).is_file() or not _HUB_ID.match(name)):
        raise InputError(
            name if name.strip() else repr(name),
            expected=f"a directory or a hub name OWNER/NAME of {what}",
            got="a file" if Path(name).is_file() else "neither",
            do=f"check the path, or name for example {example}",
        )
    return local, local or _without_hub()


def _without_hub() -> bool:
    """Whether the hub cannot be reached, so that only the local cache can help: asking it would take a minute to fail."""
    import socket
    from urllib.parse import urlsplit
    from urllib.request import getproxies

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return True
    if getproxies():  # names are then resolved by the proxy
        return False
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, None)
    except OSError:
        return True
    return False


def unusable(
    name: str, local: bool, error: Exception, *, what: str, files: str, saved: str = "processor"
) -> InputError:
    """The one line for a model that cannot be loaded.

    Args:
        name: of the model.
        local: it is a folder.
        error: what the loader said.
        what: kind of model.
        files: what a folder has to hold besides ``config.json`` and weights.
        saved: what makes those files.
    """
    if local:
        expected = f"config.json, {files} and safetensors weights of {what} in this directory"
        do = f"save both model and {saved} there with save_pretrained"
    else:
        expected = f"{what} with safetensors weights on the hub or in its local cache"
        do = "check the spelling and the network, or give a local directory"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return InputError(name, expected=expected, got=f"{type(error).__name__}: {lines[0][:300] if lines else ''}", do=do)


def config_of(name: str, known: Collection[str], *, local: bool, offline: bool, what: str, files: str) -> Any:
    """The configuration of a model of ``transformers``, of one of the types that are known here.

    Args:
        name: of the model.
        known: model types.
        local: it is a folder.
        offline: to be read without the network.
        what: kind of model.
        files: what a folder has to hold besides ``config.json`` and weights.

    Raises:
        InputError: it cannot be read, or is of another type.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(name, local_files_only=offline, trust_remote_code=False)
    except Exception as error:  # transformers raises OSError, ValueError, KeyError, JSON and validation errors
        raise unusable(name, local, error, what=what, files=files) from error
    if config.model_type not in known:
        raise InputError(name, expected=f"a model of type {', '.join(known)}", got=f"model_type {config.model_type!r}")
    return config


def check_complete(name: str, missing: list[str]) -> None:
    """Raises InputError where weights are missing: a layer left at random would answer nonsense."""
    if missing:
        raise InputError(
            name,
            expected="weights for every layer",
            got=f"{len(missing)} missing, the first {missing[0]}",
            do="download the model again or name a complete one",
        )
