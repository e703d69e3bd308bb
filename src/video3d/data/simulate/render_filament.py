"""The Filament backend: MuJoCo's physically based renderer, through Vulkan.

It leaks: about 55 MB for every model that was opened, whatever is freed, so a worker that uses it should be restarted every
40 models. Its camera takes the field of view from the frustum's bottom and top and the rest from the picture's shape, so the
principal point must be in the middle and the pixels square; other cameras are refused, not drawn wrongly.
"""

import collections.abc
from importlib import import_module
from typing import Any

import numpy as np

from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.render import (
    FAR_M,
    NEAR_M,
    Quality,
    Rendered,
    depth_from_buffer,
    frustum,
)
from video3d.data.simulate.render_classic import shrink
from video3d.types import Camera, InputError

_CONTEXT: list[Any] = []  # one engine a process


def _engine() -> Any:
    """The one Filament engine of this process."""
    load_mujoco()
    if not hasattr(collections.abc, "Buffer"):  # Python 3.11; MuJoCo's wrapper only tests isinstance with it
        collections.abc.Buffer = np.ndarray  # pyright: ignore[reportAttributeAccessIssue]
    try:
        import_module("mujoco.studio.window")  # loads the libraries that the context needs; without it, it crashes
    except ImportError as error:
        raise InputError(
            "Filament", expected="mujoco with its studio", got=error, do="pip install 'mujoco>=4.0'"
        ) from error
    mjrf: Any = import_module("mujoco.mjrf")
    if not _CONTEXT:
        config = mjrf.ContextConfig(graphics_api=mjrf.GraphicsApi.GRAPHICS_API_VULKAN)
        _CONTEXT.append(mjrf.Context(config))
    return _CONTEXT[0]


class FilamentRenderer:
    """See ``open_renderer``."""

    def __init__(self, model: Any, size_hw: tuple[int, int], quality: Quality) -> None:
        engine = _engine()
        mjrf: Any = import_module("mujoco.mjrf")
        model_scene: Any = import_module("mujoco.rendering.filament.model_scene")
        renderer: Any = import_module("mujoco.rendering.filament.renderer")
        self._view, self._modes = renderer.View, mjrf.DrawMode
        self._size_hw, self._quality = size_hw, quality
        height, width = size_hw
        self._renderer: Any = renderer.Renderer(engine)
        self._scene: Any = model_scene.ModelScene(engine, model, self._renderer.scene("scene"))
        factor = quality.supersample
        self._rgb = np.empty((height * factor, width * factor, 3), np.uint8)
        self._code = np.empty((height, width, 3), np.uint8)
        self._depth = np.empty((height, width), np.float32)
        self._renderer.target("rgb", self._rgb)
        self._renderer.target("code", self._code)
        self._renderer.target("depth", self._depth, mjrf.PixelFormat.PIXEL_FORMAT_R32F)
        self._gl_camera = load_mujoco().MjvGLCamera()

    def render(self, data: Any, camera: Camera) -> Rendered:
        """Draws the state as it is."""
        if camera.size_hw != self._size_hw:
            raise InputError("camera", expected=f"size {self._size_hw}", got=camera.size_hw, do="open another renderer")
        left, right, bottom, top = frustum(camera)
        height, width = self._size_hw
        if not np.allclose([left + right, bottom + top], 0, atol=1e-6) or not np.isclose(right * height, top * width):
            got = f"fx {camera.k_px[0, 0]:g} fy {camera.k_px[1, 1]:g} cx {camera.k_px[0, 2]:g} cy {camera.k_px[1, 2]:g}"
            raise InputError("camera", expected="square pixels, a centred K", got=got, do="use the classic backend")
        pose = np.asarray(camera.world_from_camera)
        eye = self._gl_camera
        eye.pos, eye.forward, eye.up = pose[:3, 3], pose[:3, 2], -pose[:3, 1]
        eye.frustum_bottom, eye.frustum_top, eye.frustum_near, eye.frustum_far = bottom, top, NEAR_M, FAR_M
        self._scene.update(data)
        modes, shadows = self._modes, self._quality.shadow_px > 0
        views = [self._view("scene", "rgb", camera=eye, shadows=shadows)]
        for target, mode in (("depth", modes.DRAW_MODE_DEPTH), ("code", modes.DRAW_MODE_SEGMENTATION_BY_ID)):
            views.append(self._view("scene", target, camera=eye, draw_mode=mode, post_processing=False))
        for view in views:  # one at a time: Filament reads one picture a call
            self._renderer.render([view])
        geom = self._code.astype(np.int32) @ np.array([1, 256, 65536], np.int32) - 1
        depth = depth_from_buffer(self._depth, NEAR_M, FAR_M).astype(np.float32)
        return Rendered(
            rgb=shrink(self._rgb, self._quality.supersample).copy(),
            depth_m=np.where(geom >= 0, depth, np.float32(np.nan)),
            geom=geom.astype(np.int32),
        )

    def close(self) -> None:
        """Lets go of the scene; Filament itself keeps most of its memory."""
        self._scene = None
        self._renderer = None
