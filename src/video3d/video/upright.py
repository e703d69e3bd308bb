"""Quarter turns that bring a frame upright: pixels, intrinsics and pose together.

One turn is ``np.rot90``: 90 degrees counter-clockwise, so that what was at the right edge is at the top. With pixel
centres at +0.5 a pixel (x, y) of a frame w wide goes to (y, w - x), and the camera's axes turn with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from PIL import Image

from video3d.types import LoadDepth, LoadRgb

_MIN_UP_IN_IMAGE = 0.2  # mean over frames of the part of up that lies in the image plane
_TURNS_OF_EXIF = {3: 2, 6: 3, 8: 1}
_ONE_TURN = np.array([[0.0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])  # turned_from_camera


def turns_of_poses(world_from_camera: Float64[np.ndarray, "f 4 4"], up_world: Float64[np.ndarray, "3"]) -> int:
    """How many turns (0..3) bring up to the top of the image for most frames; frames without a pose do not count.

    0 when no direction in the image is clearly up: the camera looks at the floor, or is turned all the time.

    >>> turns_of_poses(np.eye(4)[None], np.array([1.0, 0, 0]))  # up is at the right edge
    1
    """
    up_camera = world_from_camera[:, :3, :3].transpose(0, 2, 1) @ up_world
    x, y = np.nansum(up_camera[:, :2], axis=0)  # a camera that looks straight up or down adds next to nothing
    if np.hypot(x, y) < _MIN_UP_IN_IMAGE * np.isfinite(up_camera[:, 0]).sum():
        return 0
    return int(np.argmax([-y, x, y, -x]))


def turns_of_exif(path: Path) -> int:
    """How many turns (0..3) a viewer gives the file for its EXIF orientation. Mirrored orientations count as none."""
    try:
        with Image.open(path) as image:
            return _TURNS_OF_EXIF.get(image.getexif().get(0x0112, 1), 0)
    except Exception:  # damaged EXIF: nothing is known of the orientation; the pixels are read, and judged, elsewhere
        return 0


def turn_size(size_hw: tuple[int, int], turns: int) -> tuple[int, int]:
    """Size after the turns."""
    return size_hw if turns % 2 == 0 else (size_hw[1], size_hw[0])


def turn_k(k_px: Float64[np.ndarray, "3 3"], size_hw: tuple[int, int], turns: int) -> Float64[np.ndarray, "3 3"]:
    """Intrinsics of the turned frame; ``size_hw`` is the size before.

    >>> k = np.array([[100.0, 0, 30], [0, 110.0, 20], [0, 0, 1]])
    >>> turn_k(k, (48, 64), 1).tolist()
    [[110.0, 0.0, 20.0], [0.0, 100.0, 34.0], [0.0, 0.0, 1.0]]
    """
    for _ in range(turns % 4):
        pixel = np.array([[0.0, 1, 0], [-1, 0, size_hw[1]], [0, 0, 1]])
        k_px = pixel @ k_px @ _ONE_TURN[:3, :3].T
        size_hw = (size_hw[1], size_hw[0])
    return k_px


def turn_poses(world_from_camera: Float64[np.ndarray, "f 4 4"], turns: int) -> Float64[np.ndarray, "f 4 4"]:
    """Poses of the turned cameras."""
    return world_from_camera @ np.linalg.matrix_power(_ONE_TURN, turns % 4).T


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedRgb:
    """``LoadRgb`` that turns what ``load`` gives."""

    load: LoadRgb
    turns: int

    def __call__(self, indices: Sequence[int]) -> UInt8[np.ndarray, "f h w 3"]:
        """Turned frames."""
        return np.ascontiguousarray(np.rot90(self.load(indices), self.turns, axes=(1, 2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedDepth:
    """``LoadDepth`` that turns what ``load`` gives."""

    load: LoadDepth
    turns: int

    def __call__(self, indices: Sequence[int]) -> Float32[np.ndarray, "f dh dw"]:
        """Turned depth maps."""
        return np.ascontiguousarray(np.rot90(self.load(indices), self.turns, axes=(1, 2)))
