"""Rendering: colour, z-depth and the geom of every pixel, from one camera, behind one interface.

Two backends draw the same scene. ``classic`` is MuJoCo's OpenGL renderer (EGL; fast, plain light); ``filament`` is its
physically based one (Vulkan; slower, better light). Depth and geom are of the ray through each pixel's centre, (+0.5, +0.5),
never anti-aliased: a mixture of two depths would be a point where there is nothing. Colour is anti-aliased.

Geoms of groups 3 and above are not drawn (MuJoCo's convention for collision shapes). Glass counts as what is seen: depth and
geom are those of the pane. Where nothing is hit, or farther than ``FAR_M``, depth is NaN and geom is -1.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol

import numpy as np
from jaxtyping import Float32, Float64, Int32, UInt8

from video3d.data.simulate.engine import load_mujoco
from video3d.types import Camera, InputError

Backend = Literal["classic", "filament", "auto"]

NEAR_M = 0.05
FAR_M = 250.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One picture.

    Attributes:
        rgb: anti-aliased colour.
        depth_m: z-depth of the pixel's centre in metres, NaN for the sky and beyond ``FAR_M``.
        geom: MuJoCo's geom id at the pixel's centre, -1 where there is none.
    """

    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float32[np.ndarray, "h w"]
    geom: Int32[np.ndarray, "h w"]


class Renderer(Protocol):
    """Draws one model; see ``open_renderer``."""

    def render(self, data: Any, camera: Camera) -> Rendered:
        """Draws the state as it is: positions are those of the last ``mj_forward`` or ``mj_step``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What a picture costs. The defaults are those that the benchmark chose.

    Attributes:
        supersample: colour is drawn this many times as large on each side and averaged; 1 or 2. Twice costs less here than
            four samples a pixel, and smooths textures too.
        samples: multisampling of the colour (classic only), 0 for none.
        shadow_px: side of the shadow map; 0 draws no shadows.
        caster_m: meshes that lie farther than this outside the view are not drawn, so their shadows into the view are
            lost (classic only); infinite draws all.
        sun_reach_m: a directional light's shadows are sharp within this distance of the point that the camera looks at.
        cull_back: faces seen from behind are not drawn (right for closed meshes wound counter-clockwise).
    """

    supersample: int = 2
    samples: int = 0
    shadow_px: int = 1024
    caster_m: float = 1.5
    sun_reach_m: float = 15.0
    cull_back: bool = True


def frustum(camera: Camera, near_m: float = NEAR_M) -> tuple[float, float, float, float]:
    """Left, right, bottom, top of the view at the distance ``near_m``, in OpenGL's camera axes (y up).

    Any principal point will do, also outside the picture. Pixel (0, 0) is the corner of the top-left pixel.

    >>> k = np.array([[100.0, 0, 50], [0, 100, 30], [0, 0, 1]])
    >>> frustum(Camera(size_hw=(100, 100), k_px=k, world_from_camera=np.eye(4)), 1.0)
    (-0.5, 0.5, -0.7, 0.3)

    Raises:
        InputError: a skewed or impossible K, or a camera without a pose.
    """
    height, width = camera.size_hw
    k = camera.k_px
    if not np.isfinite(k).all() or k[0, 0] <= 0 or k[1, 1] <= 0 or k[0, 1] != 0:
        got = np.array2string(k, precision=3).replace("\n", "")
        raise InputError(
            "camera", expected="K with fx, fy > 0 and no skew", got=got, do="render an undistorted pinhole"
        )
    if camera.world_from_camera is None or not np.isfinite(camera.world_from_camera).all():
        raise InputError("camera", expected="a pose", got=camera.world_from_camera, do="give world_from_camera")
    left, right = -k[0, 2] / k[0, 0] * near_m, (width - k[0, 2]) / k[0, 0] * near_m
    top, bottom = k[1, 2] / k[1, 1] * near_m, -(height - k[1, 2]) / k[1, 1] * near_m
    return float(left), float(right), float(bottom), float(top)


def view_planes(camera: Camera) -> Float64[np.ndarray, "6 4"]:
    """Planes n·x + d >= 0 inside the view, unit normals in the world: left, right, top, bottom, near, far.

    >>> k = np.array([[50.0, 0, 50], [0, 50, 50], [0, 0, 1]])
    >>> planes = view_planes(Camera(size_hw=(100, 100), k_px=k, world_from_camera=np.eye(4)))
    >>> ((planes @ np.array([[0.0, 0, 10, 1], [0, 0, -1, 1]]).T).min(axis=0) > 0).tolist()
    [True, False]
    """
    left, right, bottom, top = frustum(camera, 1.0)
    planes_camera = np.array(  # x right, y down
        [
            [1, 0, -left, 0],
            [-1, 0, right, 0],
            [0, 1, top, 0],
            [0, -1, -bottom, 0],
            [0, 0, 1, -NEAR_M],
            [0, 0, -1, FAR_M],
        ],
        dtype=np.float64,
    )
    planes_camera /= np.linalg.norm(planes_camera[:, :3], axis=1, keepdims=True)
    return planes_camera @ np.linalg.inv(np.asarray(camera.world_from_camera, np.float64))


def depth_from_buffer(buffer: Float32[np.ndarray, "h w"], near_m: float, far_m: float) -> Float64[np.ndarray, "h w"]:
    """Metres from a reversed depth buffer (1 near, 0 far), as both backends keep it: z = n f / (n + d (f - n)).

    A float32 buffer that is 0 far away keeps about seven digits at every distance.
    """
    return near_m * far_m / (near_m + buffer.astype(np.float64) * (far_m - near_m))


def require(backend: Backend) -> None:
    """Says at once what a long run would find out late. Errors: ``InputError`` where this machine cannot render."""
    if backend == "filament":
        if (problem := filament_problem()) is not None:
            raise InputError("Filament", expected="a trial picture", got=problem)
    elif (problem := gl_problem()) is not None:
        raise InputError("OpenGL", expected="a trial picture", got=problem)


@contextmanager
def open_renderer(
    model: Any,
    size_hw: tuple[int, int],
    backend: Backend = "classic",
    *,
    quality: Quality | None = None,
) -> Iterator[Renderer]:
    """Opens a renderer for one model, and closes it.

    Graphics memory is freed at the end; the classic backend keeps one OpenGL context for the whole process, so that a worker
    may open thousands of models one after the other. Filament leaks about 55 MB a model: restart its worker every 40.

    Args:
        model: is not changed.
        size_hw: of every picture.
        backend: ``auto`` is Filament where it runs, else classic.
        quality: the defaults are a good trade.

    Raises:
        InputError: this machine cannot render; the message says what to install.
    """
    if backend == "filament" or (backend == "auto" and filament_problem() is None):
        require("filament")
        from video3d.data.simulate.render_filament import FilamentRenderer as Chosen
    else:
        require("classic")
        from video3d.data.simulate.render_classic import ClassicRenderer as Chosen
    renderer = Chosen(model, size_hw, quality or Quality())
    try:
        yield renderer
    finally:
        renderer.close()


_EGL_DO = "apt install libegl1 libegl-mesa0 libgl1-mesa-dri (or your graphics card's driver)"
_VULKAN_DO = "apt install libvulkan1 mesa-vulkan-drivers (or your graphics card's driver), or use the classic backend"

# A missing driver may abort the process, not raise, so both are tried in another one first.
_TRY = """
import numpy as np, mujoco
from video3d.data.simulate.render import Quality
from video3d.data.simulate.render_{module} import {name}
from video3d.types import Camera
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1' pos='0 0 3'/></worldbody></mujoco>")
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
k = np.array([[8.0, 0, 8], [0, 8, 8], [0, 0, 1]])
shown = {name}(model, (16, 16), Quality()).render(data, Camera(size_hw=(16, 16), k_px=k, world_from_camera=np.eye(4)))
print("middle", int(shown.geom[8, 8]), flush=True)
import os
os._exit(0)
"""


def _problem(module: str, name: str) -> str | None:
    try:
        load_mujoco()
    except InputError as error:
        return str(error)
    code = _TRY.format(module=module, name=name)
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"none: {error}"
    if done.stdout.strip().endswith("middle 0"):
        return None
    last = done.stderr.strip().splitlines()[-1:] or [done.stdout.strip() or "no message"]
    return f"status {done.returncode}, {last[0][:300]}"


@cache
def gl_problem() -> str | None:
    """Why the classic backend cannot draw on this machine, in words with what to install, or None. Tried once a process."""
    found = _problem("classic", "ClassicRenderer")
    return None if found is None else f"{found}; {_EGL_DO}"


@cache
def filament_problem() -> str | None:
    """Why the Filament backend cannot draw on this machine, in words with what to install, or None."""
    found = _problem("filament", "FilamentRenderer")
    return None if found is None else f"{found}; {_VULKAN_DO}"
