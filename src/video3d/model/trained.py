"""What a model has learned, told from its configuration alone: no weights are read and torch is not imported."""

import json
from pathlib import Path

NANO_FINDS_OBJECTS = True
"""Whether ``nano`` has a trained head for objects; ``compose_nano`` makes it so."""


def finds_objects(name: str) -> bool:
    """Whether a model by a name that ``load_model`` takes may find objects (``config.objects_trained`` or ``reasoning_trained``).

    A hub id is taken at its word: only loading it tells.

    >>> finds_objects("nano") == NANO_FINDS_OBJECTS
    True
    """
    if name in ("nano", "nano-base"):
        return NANO_FINDS_OBJECTS
    folder = Path(name).expanduser()
    if not folder.is_dir():
        return True
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return config.get("objects_trained") is True or config.get("reasoning_trained") is True
    except (OSError, ValueError, AttributeError):
        return True  # loading it says what is wrong
