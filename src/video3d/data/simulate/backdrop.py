"""Backdrop: what a scene has besides objects and contacts: its materials, lamps, sky, and flat pictures such as façades."""

from typing import Any

import numpy as np

from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.panel import Cut, panel_mesh
from video3d.data.simulate.scene import DRAWN_GROUP, Look
from video3d.data.truth import WALL


class Backdrop:
    """A MuJoCo spec with the house's settings, and what is only drawn in it. Names follow the order of the calls."""

    def __init__(
        self, *, timestep_s: float = 0.004, far_m: float = 40.0, near_m: float = 0.05, shadow_px: int = 1024
    ) -> None:
        self._mujoco = mujoco = load_mujoco()
        self.spec = spec = mujoco.MjSpec()
        spec.option.timestep = timestep_s
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        spec.option.impratio = 10.0
        spec.stat.extent = 1.0  # znear and zfar below are then metres
        spec.stat.center = [0.0, 0.0, 1.0]
        visual = spec.visual
        visual.map.znear, visual.map.zfar = near_m, far_m
        visual.quality.shadowsize, visual.quality.offsamples = shadow_px, 4
        visual.global_.offwidth = visual.global_.offheight = 1024
        visual.headlight.ambient, visual.headlight.diffuse, visual.headlight.specular = [0.4] * 3, [0.15] * 3, [0.0] * 3
        self._geoms: dict[str, int] = {}
        self._materials: dict[int, tuple[Any, str]] = {}
        self._count = 0

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}{self._count}"

    def material(self, look: Look, *, repeat: tuple[float, float] | None = None) -> str:
        """A material; ``repeat`` is how often the texture fits (default: by ``texture_m`` and the geom's own size, uniform)."""
        name = self._name("material")
        material = self.spec.add_material(name=name, rgba=list(look.rgba))
        material.roughness, material.metallic = look.roughness, 0.0
        material.specular, material.shininess, material.emission = look.specular, 0.2, look.emission
        if look.texture is not None:
            mujoco = self._mujoco
            texture = self.spec.add_texture(
                name=name + "-texture",
                type=mujoco.mjtTexture.mjTEXTURE_2D,
                width=look.texture.shape[1],
                height=look.texture.shape[0],
                nchannel=3,
            )
            texture.data = np.ascontiguousarray(look.texture[::-1]).tobytes()  # MuJoCo's first row is at the bottom
            material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = texture.name
            if repeat is not None:
                material.texrepeat = list(repeat)
            else:
                material.texuniform = True
                material.texrepeat = [1.0 / look.texture_m[0], 1.0 / look.texture_m[1]]
        return name

    def light(
        self,
        position_m: tuple[float, float, float],
        direction: tuple[float, float, float],
        *,
        directional: bool = False,
        diffuse: tuple[float, float, float] = (0.6, 0.58, 0.55),
        ambient: tuple[float, float, float] = (0.0, 0.0, 0.0),
        shadow: bool = True,
        cutoff_deg: float = 85.0,
    ) -> None:
        """A lamp or the sun."""
        kind = self._mujoco.mjtLightType
        light = self.spec.worldbody.add_light(pos=list(position_m), dir=list(direction))
        light.type = kind.mjLIGHT_DIRECTIONAL if directional else kind.mjLIGHT_SPOT
        light.castshadow, light.diffuse, light.ambient = shadow, list(diffuse), list(ambient)
        light.specular = [0.15] * 3
        light.cutoff, light.exponent = cutoff_deg, 1.0

    def ambient(self, ambient: float, head: float) -> None:
        """Light without direction, and light from the camera, 0..1 each."""
        self.spec.visual.headlight.ambient = [ambient] * 3
        self.spec.visual.headlight.diffuse = [head] * 3

    def sky(self, top: tuple[float, float, float], horizon: tuple[float, float, float]) -> None:
        """A gradient sky; its depth is unknown."""
        mujoco = self._mujoco
        self.spec.add_texture(
            name="sky",
            type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
            builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
            rgb1=list(top),
            rgb2=list(horizon),
            width=128,
            height=768,
        )

    def panel(
        self,
        origin_m: tuple[float, float, float],
        right_m: tuple[float, float, float],
        up_m: tuple[float, float, float],
        look: Look,
        *,
        repeat: tuple[float, float] = (1.0, 1.0),
        object_id: int = WALL,
        cell_m: float | None = None,
        cuts: tuple[Cut, ...] = (),
    ) -> None:
        """A flat picture without thickness or contact: façade, road, poster. Seen from the side of ``right x up``.

        Its lower left corner is at ``origin_m``; the texture's bottom runs along ``right_m``, its left side along ``up_m``.
        For ``cell_m`` and ``cuts`` see ``panel_mesh``.
        """
        origin, right, up = (np.array(v, dtype=np.float64) for v in (origin_m, right_m, up_m))
        mesh = self.spec.add_mesh(name=self._name("mesh"), inertia=self._mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
        # A fold of a tenth of a millimetre behind: a mesh all in one plane has no volume and is refused.
        behind = origin + (right + up) / 2 - 1e-4 * np.cross(right, up) / np.linalg.norm(np.cross(right, up))
        vertices, faces, uv = panel_mesh(origin, right, up, cell_m=cell_m, cuts=cuts)
        last, normal = len(vertices), np.cross(right, up) / np.linalg.norm(np.cross(right, up))
        mesh.uservert = np.concatenate([vertices.ravel(), behind])
        mesh.userface = [*faces.ravel().tolist(), 0, last, 1]
        mesh.usertexcoord = (np.concatenate([uv, [[0.5, 0.5]]]) * repeat).ravel()
        mesh.userfacetexcoord = mesh.userface
        mesh.usernormal = np.concatenate([np.tile(normal, last), -normal])
        mesh.userfacenormal = [*faces.ravel().tolist(), last, last, last]
        self.spec.worldbody.add_geom(
            name=self._geom_name(object_id),
            type=self._mujoco.mjtGeom.mjGEOM_MESH,
            meshname=mesh.name,
            material=self.material(look, repeat=(1.0, 1.0)),
            contype=0,
            conaffinity=0,
            group=DRAWN_GROUP,
            mass=0,
        )

    def _geom_name(self, object_id: int) -> str:
        name = self._name("geom")
        self._geoms[name] = object_id
        return name

    def _part_material(self, part: Any) -> str:
        held = self._materials.get(id(part))
        if held is None:
            texture = part.texture if part.uv is not None else None
            look = Look(rgba=part.rgba if texture is None else (1.0, 1.0, 1.0, part.rgba[3]), texture=texture)
            held = (part, self.material(look, repeat=(1.0, 1.0)))
            self._materials[id(part)] = held  # the part is held too, so that its id stays its own
        return held[1]
