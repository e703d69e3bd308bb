"""The named, frozen types that stages exchange. A leaf: nothing here imports another part of the package.

``SceneTokens`` lives in ``video3d.types.scene_tokens`` and is imported on first use, because it needs torch.
"""

from typing import TYPE_CHECKING, Any

from video3d.types.answer import Answer, Evidence, ImagePoint, Quantity
from video3d.types.clip import CameraPath, Clip, LoadDepth, LoadRgb, PosedClip, Recording
from video3d.types.errors import InputError, install_extra
from video3d.types.scene import Box3D, Detection, PatchPoints
from video3d.types.world import Camera, GeometryStatus, Status, World

if TYPE_CHECKING:
    from video3d.types.scene_tokens import SceneTokens

__all__ = [
    "Answer",
    "Box3D",
    "Camera",
    "CameraPath",
    "Clip",
    "Detection",
    "Evidence",
    "GeometryStatus",
    "ImagePoint",
    "InputError",
    "LoadDepth",
    "LoadRgb",
    "PatchPoints",
    "PosedClip",
    "Quantity",
    "Recording",
    "SceneTokens",
    "Status",
    "World",
    "install_extra",
]


def __getattr__(name: str) -> Any:
    if name == "SceneTokens":
        from video3d.types.scene_tokens import SceneTokens

        return SceneTokens
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
