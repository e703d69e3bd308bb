"""The one place that loads MuJoCo: an optional part, and one whose OpenGL must be chosen before it is imported."""

import os
import sys
from importlib import import_module
from typing import Any

from video3d.types import InputError, install_extra


def load_mujoco() -> Any:
    """The ``mujoco`` module. Renders through EGL, which needs no screen, unless ``MUJOCO_GL`` says otherwise.

    Errors: ``InputError`` where it is not installed.
    """
    if sys.platform == "linux":
        os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        return import_module("mujoco")
    except ImportError as error:
        raise InputError(
            "the simulator", expected="MuJoCo 4", got=f"no mujoco ({error})", do=install_extra("sim")
        ) from error
