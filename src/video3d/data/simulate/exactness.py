"""How exact the rendered depth and masks are: against rays traced through the same planes, boxes and spheres.

``trace`` finds by formula what the ray of every pixel's centre meets first. A renderer is right if it shows the same geom at
the same depth; only pixels whose centre lies within a pixel of an outline may differ, where rounding decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.render import FAR_M, Backend, Rendered, open_renderer
from video3d.types import Camera

_FACES = 8  # surface number = geom * 8 + face


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactness:
    """Errors over all cameras of a scene.

    Attributes:
        scene: its name.
        pixels: how many were compared.
        depth_median_mm: of all pixels that show the right geom.
        flat_p99_mm: of those on planes and boxes.
        flat_max_mm: the same.
        round_p99_mm: of those on spheres, which are drawn as polyhedra: most of it is the polyhedron.
        wrong_geom_px: pixels that show another geom and are not beside an outline.
        outline_px: pixels that show another geom, beside an outline.
        reprojection_median_mm: pixels of planes and boxes lifted in one picture and looked up in another: difference of depth
            there.
        reprojection_p99_mm: the same.
    """

    scene: str
    pixels: int
    depth_median_mm: float
    flat_p99_mm: float
    flat_max_mm: float
    round_p99_mm: float
    wrong_geom_px: int
    outline_px: int
    reprojection_median_mm: float
    reprojection_p99_mm: float


def pixel_rays(camera: Camera) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "h w 3"]]:
    """Origin and directions in the world of the rays through all pixel centres; directions have a z-depth of 1 m."""
    height, width = camera.size_hw
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    rays_camera = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(camera.k_px).T
    pose = np.asarray(camera.world_from_camera, np.float64)
    return pose[:3, 3], rays_camera @ pose[:3, :3].T


def trace(model: Any, data: Any, camera: Camera) -> tuple[Float64[np.ndarray, "h w"], Int64[np.ndarray, "h w"]]:
    """z-depth (NaN: nothing) and surface, ``geom * 8 + face`` (negative: nothing), for planes, boxes and spheres.

    The face of a box is axis * 2, plus 1 for the low side (+x, -x, +y, ...); spheres and planes have face 0.
    """
    mj = load_mujoco()
    origin, rays = pixel_rays(camera)
    depth = np.full(camera.size_hw, np.inf)
    surface = np.full(camera.size_hw, -1, np.int64)
    for geom in range(model.ngeom):
        rotation = data.geom_xmat[geom].reshape(3, 3)
        start, step = (origin - data.geom_xpos[geom]) @ rotation, rays @ rotation
        kind, size = int(model.geom_type[geom]), model.geom_size[geom]
        with np.errstate(divide="ignore", invalid="ignore"):
            if kind == int(mj.mjtGeom.mjGEOM_PLANE):
                hit = np.where(step[..., 2] < 0, -start[2] / step[..., 2], np.inf)
                where = start[:2] + hit[..., None] * step[..., :2]
                hit[(size[:2] > 0).any() & (np.abs(where) > np.where(size[:2] > 0, size[:2], np.inf)).any(axis=-1)] = (
                    np.inf
                )
                face = np.zeros(hit.shape, np.int64)
            elif kind == int(mj.mjtGeom.mjGEOM_SPHERE):
                a, b, c = (step**2).sum(-1), (step * start).sum(-1), (start**2).sum() - size[0] ** 2
                hit = np.where(b * b >= a * c, (-b - np.sqrt(b * b - a * c)) / a, np.inf)
                face = np.zeros(hit.shape, np.int64)
            elif kind == int(mj.mjtGeom.mjGEOM_BOX):
                side = np.where(step >= 0, size, -size)
                enter, leave = (
                    (-side - start) / (step + 0.0),
                    (side - start) / (step + 0.0),
                )  # -0 would give the wrong infinity
                axis = enter.argmax(axis=-1)
                hit = np.where(enter.max(axis=-1) <= leave.min(axis=-1), enter.max(axis=-1), np.inf)
                face = axis * 2 + (np.take_along_axis(step, axis[..., None], -1)[..., 0] > 0)
            else:
                continue
        nearer = (hit > 0) & (hit < depth)
        depth[nearer] = hit[nearer]
        surface[nearer] = geom * _FACES + face[nearer]
    beyond = depth > FAR_M
    depth[beyond], surface[beyond] = np.nan, -1
    return depth, surface


def _beside_outline(geom: Int64[np.ndarray, "h w"]) -> np.ndarray:
    """Pixels that have a pixel of another geom among their eight neighbours."""
    padded = np.pad(geom, 1, mode="edge")
    height, width = geom.shape
    windows = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.any([window != geom for window in windows], axis=0)


def _reprojection_errors(
    first: Rendered, second: Rendered, cameras: Sequence[Camera], surfaces: Sequence, flat: Bool[np.ndarray, "g"]
) -> np.ndarray:
    """Metres: pixels of the first picture, lifted, projected into the second and compared with the depth there.

    Depth between four pixels is interpolated in 1 / z, which is exact on planes; only where all four show the surface that
    the pixel lies on, so that no edge and nothing hidden is compared.
    """
    origin, rays = pixel_rays(cameras[0])
    shown = np.isfinite(first.depth_m)
    points = (origin + first.depth_m[..., None].astype(np.float64) * rays)[shown]
    camera = cameras[1]
    pose = np.asarray(camera.world_from_camera, np.float64)
    points_camera = (points - pose[:3, 3]) @ pose[:3, :3]
    ahead = (points_camera[:, 2] > 0.1) & flat[surfaces[0][shown] // _FACES]
    points_camera, surface = points_camera[ahead], surfaces[0][shown][ahead]
    px = points_camera @ camera.k_px.T
    px = px[:, :2] / px[:, 2:] - 0.5
    height, width = camera.size_hw
    corner = np.floor(px).astype(np.int64)
    inside = ((corner >= 0) & (corner < [width - 1, height - 1])).all(axis=1)
    px, corner, surface, z = px[inside], corner[inside], surface[inside], points_camera[inside, 2]
    x, y = corner.T
    share_x, share_y = (px - corner).T
    inverse, same = np.zeros(len(px)), np.ones(len(px), bool)
    for step_y, weight_y in ((0, 1 - share_y), (1, share_y)):
        for step_x, weight_x in ((0, 1 - share_x), (1, share_x)):
            same &= surfaces[1][y + step_y, x + step_x] == surface
            inverse += weight_y * weight_x / second.depth_m[y + step_y, x + step_x].astype(np.float64)
    same &= np.isfinite(inverse)  # an outline may differ by a pixel, and there be sky
    return np.abs(1 / inverse[same] - z[same])


def measure_exactness(scene: str, model: Any, cameras: Sequence[Camera], *, backend: Backend = "classic") -> Exactness:
    """Draws a model of planes, boxes and spheres from two or more cameras and compares with ``trace``.

    Each camera's pixels are also looked up in the next camera's picture.
    """
    mj = load_mujoco()
    data = mj.MjData(model)
    mj.mj_forward(model, data)
    flat, round_, shown, surfaces = [], [], [], []
    wrong = outline = pixels = 0
    is_sphere = np.append(model.geom_type == int(mj.mjtGeom.mjGEOM_SPHERE), False)
    for camera in cameras:
        with open_renderer(model, camera.size_hw, backend=backend) as renderer:
            rendered = renderer.render(data, camera)
        depth, surface = trace(model, data, camera)
        geom = np.where(surface >= 0, surface // _FACES, -1)
        same = geom == rendered.geom
        beside = _beside_outline(geom)
        wrong, outline = wrong + int((~same & ~beside).sum()), outline + int((~same & beside).sum())
        error = np.abs(rendered.depth_m - depth)
        flat.append(error[same & (geom >= 0) & ~is_sphere[geom]])
        round_.append(error[same & (geom >= 0) & is_sphere[geom]])
        pixels += geom.size
        shown.append(rendered)
        surfaces.append(surface)
    moved = [
        _reprojection_errors(shown[i], shown[i + 1], cameras[i : i + 2], surfaces[i : i + 2], ~is_sphere)
        for i in range(len(cameras) - 1)
    ]
    flat_mm, round_mm, moved_mm = (1e3 * np.concatenate(parts) for parts in (flat, round_, moved))
    return Exactness(
        scene=scene,
        pixels=pixels,
        depth_median_mm=float(np.median(np.concatenate([flat_mm, round_mm]))),
        flat_p99_mm=float(np.percentile(flat_mm, 99)),
        flat_max_mm=float(flat_mm.max()),
        round_p99_mm=float(np.percentile(round_mm, 99)) if round_mm.size else 0.0,
        wrong_geom_px=wrong,
        outline_px=outline,
        reprojection_median_mm=float(np.median(moved_mm)),
        reprojection_p99_mm=float(np.percentile(moved_mm, 99)),
    )


def look_at(eye: Sequence[float], target: Sequence[float], roll_rad: float = 0.0) -> Float64[np.ndarray, "4 4"]:
    """world_from_camera of a camera at ``eye`` that looks at ``target``, upright but for a turn about its axis.

    >>> look_at((0.0, 0.0, 1.0), (1.0, 0.0, 1.0)).round(6).tolist()
    [[0.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]
    """
    forward = np.subtract(target, eye).astype(np.float64)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    cos, sin = np.cos(roll_rad), np.sin(roll_rad)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([cos * right + sin * down, cos * down - sin * right, forward], axis=1)
    pose[:3, 3] = eye
    return pose


def sample_scenes(seed: int = 0) -> tuple[tuple[str, Any, tuple[Camera, ...]], ...]:
    """A room (1 to 8 m) and a street (5 to 120 m) of planes, boxes and spheres, each with cameras of several K and poses."""
    mj = load_mujoco()
    rng = np.random.default_rng(seed)
    scenes = []
    for name, reach, height, size in (("room", 3.0, 1.5, (0.1, 0.4)), ("street", 60.0, 2.0, (0.8, 6.0))):
        lines = [f'<geom type="plane" size="{reach * 2} {reach * 2} 1"/>']
        for index in range(14):
            x, y = rng.uniform(-reach, reach, 2)
            half = rng.uniform(*size, 3)
            turn = " ".join(f"{value:.4f}" for value in rng.standard_normal(4))
            if index % 2:
                lines.append(f'<geom type="sphere" size="{half[0]:.4f}" pos="{x:.4f} {y:.4f} {half[0]:.4f}"/>')
            else:
                extents = " ".join(f"{value:.4f}" for value in half)
                lines.append(f'<geom type="box" size="{extents}" pos="{x:.4f} {y:.4f} {half[2]:.4f}" quat="{turn}"/>')
        model = mj.MjModel.from_xml_string(f"<mujoco><worldbody>{''.join(lines)}</worldbody></mujoco>")
        cameras = []
        for size_hw, (fx, fy), (cx, cy) in (
            ((224, 224), (200.0, 200.0), (112.0, 112.0)),
            ((224, 224), (200.0, 200.0), (112.0, 112.0)),
            ((224, 224), (260.0, 240.0), (101.3, 131.9)),
            ((180, 320), (320.0, 320.0), (160.0, 90.0)),
            ((180, 320), (150.0, 150.0), (200.5, 60.25)),
            ((120, 160), (90.0, 90.0), (-5.0, 140.0)),
        ):
            angle = 0.25 * len(cameras) + 0.3
            eye = (1.4 * reach * np.cos(angle), 1.4 * reach * np.sin(angle), height + 0.3 * len(cameras))
            k_px = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
            pose = look_at(eye, (0.0, 0.0, height / 3), 0.05 * len(cameras))
            cameras.append(Camera(size_hw=size_hw, k_px=k_px, world_from_camera=pose))
        scenes.append((name, model, tuple(cameras)))
    return tuple(scenes)
