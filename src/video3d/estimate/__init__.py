"""Fills the gaps that a recording leaves: depth and camera. Importing it loads neither torch nor pycolmap."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from video3d.estimate.camera_estimate import CameraEstimate
    from video3d.estimate.complete import complete_geometry
    from video3d.estimate.depth import load_depth_estimator
    from video3d.estimate.reconstruction import missing_camera

_HOMES = {
    "CameraEstimate": "camera_estimate",
    "complete_geometry": "complete",
    "load_depth_estimator": "depth",
    "missing_camera": "reconstruction",
}

__all__ = [
    "CameraEstimate",
    "complete_geometry",
    "load_depth_estimator",
    "missing_camera",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
