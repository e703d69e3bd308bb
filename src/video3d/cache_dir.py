"""Where converted weights and furniture are kept between runs. Imports nothing: who asks for it pays for nothing else."""

import os
import sys
from pathlib import Path


def default_cache_dir() -> Path:
    """``$VIDEO3D_CACHE``, or the platform's folder for caches."""
    if chosen := os.environ.get("VIDEO3D_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "video3d"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "video3d" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "video3d"
