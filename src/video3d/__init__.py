"""video3d: Video-3D LLM, position-aware video representation for 3D scene understanding.

The one path, from video to answer, is ``video3d.pipeline``. ``load`` gives an object with ``ask`` and ``analyze``.
"""

from typing import TYPE_CHECKING, Any

from video3d._version import __version__

if TYPE_CHECKING:
    from video3d.pipeline import load

__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:  # torch and transformers load only when they are used
    if name == "load":
        from video3d.pipeline import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
