"""The classic backend: MuJoCo's OpenGL renderer through EGL, drawn twice a frame.

The first pass draws every geom in a colour that codes its number, without light, texture, shadow or multisampling, and both its
colour and its depth are read: exact depth and exact masks from one pass. The second is colour. MuJoCo's own Python renderer
would draw three times and copy three times.

The camera is given to OpenGL as a frustum, so any principal point is drawn exactly. OpenGL draws every triangle that it is
given, and a light with shadows three times over, so meshes outside the view are left out beforehand.
"""

from typing import Any

import numpy as np
from jaxtyping import Float64, Int

from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.render import (
    FAR_M,
    NEAR_M,
    Quality,
    Rendered,
    depth_from_buffer,
    frustum,
    view_planes,
)
from video3d.types import Camera, InputError

_SLICES = 64  # of spheres and cylinders: the polygon stays within 0.12 % of the radius; MuJoCo's 28 within 0.63 %
# Share of a lamp's cone that its shadow map covers. MuJoCo's 0.6 leaves the cone's rim without shadows, and lit floors show dark
# dots; wider, the dots are gone, because what is pushed back against them goes by the slope in the map.
_SHADOW_CONE = 0.8
_MAX_GEOMS = 20_000
_HIDDEN_GROUP = 5  # of mjNGROUP = 6; MuJoCo draws groups 0 to 2
# The process's one OpenGL context: making one for every model costs 20 ms, and some drivers leak it.
_GL: list[Any] = []


def _use_gl() -> None:
    """Makes the one context current."""
    if not _GL:
        from mujoco.egl import GLContext

        _GL.append(GLContext(64, 64))
    _GL[0].make_current()


class ClassicRenderer:
    """See ``open_renderer``."""

    def __init__(self, model: Any, size_hw: tuple[int, int], quality: Quality) -> None:
        self._mj = mj = load_mujoco()
        self._model, self._size_hw, self._quality = model, size_hw, quality
        height, width = size_hw
        if min(size_hw) < 1 or quality.supersample not in (1, 2) or max(size_hw) * quality.supersample > 4096:
            raise InputError(
                "size_hw", expected="1 to 4096 pixels after supersampling", got=size_hw, do="choose a smaller size"
            )
        _use_gl()
        self._scene = mj.MjvScene(model=model, maxgeom=_MAX_GEOMS)
        self._option = mj.MjvOption()
        self._free = mj.MjvCamera()
        self._meshes = np.flatnonzero(model.geom_type == int(mj.mjtGeom.mjGEOM_MESH))
        self._context = self._make_context()
        self._context.readDepthMap = mj.mjtDepthMap.mjDEPTH_ZEROFAR
        factor = quality.supersample
        self._rect, self._large = mj.MjrRect(0, 0, width, height), mj.MjrRect(0, 0, width * factor, height * factor)
        self._rgb = np.empty((height * factor, width * factor, 3), np.uint8)
        self._code = np.empty((height, width, 3), np.uint8)
        self._depth = np.empty((height, width), np.float32)

    def _make_context(self) -> Any:
        """Uploads the model. Buffers are sized by fields of the model, which are set for this moment only."""
        mj, model, quality = self._mj, self._model, self._quality
        height, width = (side * quality.supersample for side in self._size_hw)
        wanted = (
            (model.vis.quality, "offsamples", quality.samples),
            (model.vis.quality, "shadowsize", quality.shadow_px),
            (model.vis.quality, "numslices", _SLICES),
            (model.vis.quality, "numstacks", _SLICES // 2),
            (model.vis.global_, "offheight", height),
            (model.vis.global_, "offwidth", width),
            (model.vis.map, "shadowscale", _SHADOW_CONE),
            (model.vis.map, "shadowclip", quality.sun_reach_m / max(model.stat.extent, 1e-6)),
        )
        before = [getattr(owner, name) for owner, name, _ in wanted]
        try:
            for owner, name, value in wanted:
                setattr(owner, name, value)
            context = mj.MjrContext(model, mj.mjtFontScale.mjFONTSCALE_50)
        finally:
            for (owner, name, _), value in zip(wanted, before, strict=True):
                setattr(owner, name, value)
        mj.mjr_setBuffer(mj.mjtFramebuffer.mjFB_OFFSCREEN, context)
        return context

    def _update(self, data: Any, camera: Camera, hidden: Int[np.ndarray, "n"]) -> None:
        """Fills the scene with all that is drawn but the hidden geoms, and aims."""
        mj, scene, group = self._mj, self._scene, self._model.geom_group
        before = group[hidden]
        group[hidden] = _HIDDEN_GROUP
        try:
            mj.mjv_updateScene(self._model, data, self._option, None, self._free, mj.mjtCatBit.mjCAT_ALL, scene)
        finally:
            group[hidden] = before
        if scene.ngeom >= scene.maxgeom:
            raise InputError(
                "scene", expected=f"fewer than {scene.maxgeom} geoms", got=scene.ngeom, do="put in fewer things"
            )
        self._aim(camera)

    def _aim(self, camera: Camera) -> None:
        """Sets the scene's camera, and the lights that go with it."""
        mj, scene = self._mj, self._scene
        left, right, bottom, top = frustum(camera)
        pose = np.asarray(camera.world_from_camera)
        position, forward = pose[:3, 3], pose[:3, 2]
        for eye in scene.camera:
            eye.pos, eye.forward, eye.up = position, forward, -pose[:3, 1]
            eye.frustum_center, eye.frustum_width = (left + right) / 2, (right - left) / 2
            eye.frustum_bottom, eye.frustum_top = bottom, top
            eye.frustum_near, eye.frustum_far = NEAR_M, FAR_M
            eye.orthographic = 0
        for light in scene.lights[: scene.nlight]:
            if light.headlight:
                light.pos, light.dir = position, forward
            elif light.type == mj.mjtLightType.mjLIGHT_DIRECTIONAL and light.castshadow:
                self._follow(light, position + forward * self._quality.sun_reach_m * 0.6)

    def _follow(self, light: Any, focus: Float64[np.ndarray, "3"]) -> None:
        """Moves a directional light along with the camera, so that its shadow map lies where the camera looks.

        It moves in whole texels of the shadow map, or the edges of shadows would crawl from frame to frame.
        """
        direction = np.asarray(light.dir, np.float64)
        side = np.cross(direction, [0.0, 0.0, 1.0] if abs(direction[2]) < 0.99 else [1.0, 0.0, 0.0])
        side /= np.linalg.norm(side)
        axes = np.stack([side, np.cross(direction, side), direction])
        texel = 2 * self._quality.sun_reach_m / max(self._quality.shadow_px, 1)
        steps = np.round(axes @ focus / texel) * texel
        light.pos = steps @ axes - direction * 2.0 * self._quality.sun_reach_m

    def render(self, data: Any, camera: Camera) -> Rendered:
        """Draws the state as it is."""
        mj, scene, context = self._mj, self._scene, self._context
        if camera.size_hw != self._size_hw:
            raise InputError("camera", expected=f"size {self._size_hw}", got=camera.size_hw, do="open another renderer")
        _use_gl()
        # How far each mesh's bounding sphere reaches into the view, metres; negative outside.
        planes = view_planes(camera)
        away = data.geom_xpos[self._meshes] @ planes[:, :3].T + planes[:, 3]
        reach = away.min(axis=1, initial=np.inf) + self._model.geom_rbound[self._meshes]
        flags, flag = scene.flags, mj.mjtRndFlag
        flags[flag.mjRND_CULL_FACE] = self._quality.cull_back
        flags[flag.mjRND_SHADOW] = self._quality.shadow_px > 0
        self._update(data, camera, self._meshes[reach < 0])
        flags[flag.mjRND_SEGMENT] = flags[flag.mjRND_IDCOLOR] = 1
        mj.mjr_render(self._rect, scene, context)
        mj.mjr_readPixels(self._code, self._depth, self._rect, context)
        geom = self._geoms()
        depth = depth_from_buffer(self._depth, NEAR_M, FAR_M).astype(np.float32)[::-1]

        self._update(data, camera, self._meshes[reach < -self._quality.caster_m])
        flags[flag.mjRND_SEGMENT] = flags[flag.mjRND_IDCOLOR] = 0
        mj.mjr_render(self._large, scene, context)
        mj.mjr_readPixels(self._rgb, None, self._large, context)
        return Rendered(
            rgb=shrink(self._rgb, self._quality.supersample)[::-1].copy(),
            depth_m=np.where(geom >= 0, depth, np.float32(np.nan)),
            geom=geom,
        )

    def _geoms(self) -> np.ndarray:
        """Geom id of every pixel, from the colours of the first pass: R + 256 G + 65536 B is 1 + the drawn thing's number."""
        scene = self._scene
        is_geom = int(self._mj.mjtObj.mjOBJ_GEOM)
        table = np.full(scene.ngeom + 1, -1, np.int32)
        for drawn in scene.geoms[: scene.ngeom]:
            if drawn.objtype == is_geom:
                table[drawn.segid + 1] = drawn.objid
        number = self._code.astype(np.int32) @ np.array([1, 256, 65536], np.int32)
        return table[number[::-1]]

    def close(self) -> None:
        """Frees the graphics memory. Rendering afterwards is an error."""
        _use_gl()
        self._context.free()


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Averages blocks of 2x2 pixels, rounded; or leaves the picture as it is."""
    if factor == 1:
        return image
    total = image[0::2, 0::2].astype(np.uint16)  # slices: four times as fast as a reshape and a sum over two axes
    for corner in (image[0::2, 1::2], image[1::2, 0::2], image[1::2, 1::2]):
        total += corner
    return ((total + 2) >> 2).astype(np.uint8)
