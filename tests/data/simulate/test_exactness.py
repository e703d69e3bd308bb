"""Depth and masks against traced rays and projected boxes."""

import numpy as np
import pytest

pytest.importorskip("mujoco")

from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.exactness import look_at, measure_exactness, sample_scenes, trace
from video3d.data.simulate.render import gl_problem, open_renderer
from video3d.geometry.boxes import box_corners
from video3d.types import Box3D, Camera

needs_gl = pytest.mark.skipif(gl_problem() is not None, reason=f"cannot render here: {gl_problem()}")


@needs_gl
@pytest.mark.parametrize("index", [0, 1])
def test_depth_masks_and_reprojection(index):
    found = measure_exactness(*sample_scenes(seed=3)[index])
    assert found.wrong_geom_px == 0
    assert found.outline_px < 2e-3 * found.pixels
    assert found.depth_median_mm < 0.1
    assert found.flat_p99_mm < (0.1, 5.0)[index]  # the street is seen up to 120 m
    assert found.round_p99_mm < (10.0, 100.0)[index]  # the polyhedron at a ball's rim
    assert found.reprojection_median_mm < 0.1
    assert found.reprojection_p99_mm < (0.1, 5.0)[index]


def test_traced_depth_by_hand():
    mujoco = load_mujoco()
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><geom type="plane" size="9 9 1"/><geom type="box" size=".5 .5 .5" pos="0 0 .5"/>'
        '<geom type="sphere" size=".25" pos="2 0 1"/></worldbody></mujoco>'
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    pose = np.diag([1.0, -1.0, -1.0, 1.0])  # looks down from 5 m
    pose[2, 3] = 5.0
    k_px = np.array([[20.0, 0, 10.5], [0, 20.0, 10.5], [0, 0, 1]])
    depth, surface = trace(model, data, Camera(size_hw=(21, 21), k_px=k_px, world_from_camera=pose))
    assert depth[10, 10] == pytest.approx(4.0)
    assert surface[10, 10] == 1 * 8 + 4, "the box's top is its face +z"
    assert depth[0, 0] == pytest.approx(5.0)
    assert surface[0, 0] == 0
    assert depth[10, 20] == pytest.approx(4 - 0.25 * 4 / np.sqrt(20)), (
        "the ray through the ball's centre, at (2, 0, 4) in the camera"
    )


def _inside_hull(px: np.ndarray, corners: np.ndarray, margin_px: float) -> np.ndarray:
    """Whether pixels (n 2) lie within ``margin_px`` of the convex hull of projected corners (c 2)."""
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    directions = np.stack([np.cos(angle), np.sin(angle)])
    return np.asarray(((px @ directions) <= (corners @ directions).max(axis=0) + margin_px).all(axis=1))


@needs_gl
@pytest.mark.parametrize("seed", range(4))
def test_masks_are_the_projected_boxes(seed):
    """A lone box's mask is the hull of its corners to a pixel; a mesh's mask lies in its box."""
    mujoco = load_mujoco()
    rng = np.random.default_rng(seed)
    half, quat = rng.uniform(0.1, 0.5, 3), rng.standard_normal(4)
    vertices = rng.uniform(-1, 1, (40, 3))
    vertices /= np.abs(vertices).max(axis=0)
    text = " ".join(f"{value:.6f}" for value in (vertices * half).ravel())
    turn, size = (" ".join(f"{value:.6f}" for value in part) for part in (quat, half))
    distance = 10.0 ** rng.uniform(0.3, 1.5)
    k_px = np.array([[120.0 * distance**0.7, 0, 70.0], [0, 125.0 * distance**0.7, 55.0], [0, 0, 1]])
    pose = look_at((distance, 0.3, 1.0), (0.0, 0.0, 0.0), 0.3)
    camera = Camera(size_hw=(120, 150), k_px=k_px, world_from_camera=pose)
    for shape in ("box", "mesh"):
        geom = (
            f'<geom type="box" size="{size}" quat="{turn}"/>'
            if shape == "box"
            else f'<geom type="mesh" mesh="m" quat="{turn}"/>'
        )
        model = mujoco.MjModel.from_xml_string(
            f'<mujoco><asset><mesh name="m" vertex="{text}"/></asset><worldbody>{geom}</worldbody></mujoco>'
        )
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        with open_renderer(model, camera.size_hw) as renderer:
            mask = renderer.render(data, camera).geom == 0
        rotation = np.empty(9)
        mujoco.mju_quat2Mat(rotation, quat / np.linalg.norm(quat))
        box = Box3D(center_world=np.zeros(3), size_m=2 * half, world_from_box=rotation.reshape(3, 3))
        if shape == "mesh":  # MuJoCo moves a mesh to its centre of mass and axes; its vertices tell where it is
            local = model.mesh_vert.reshape(-1, 3).astype(np.float64)
            world = local @ data.geom_xmat[0].reshape(3, 3).T + data.geom_xpos[0]
            assert np.abs(world @ rotation.reshape(3, 3)).max(axis=0) == pytest.approx(half, abs=1e-4)
        corners = (box_corners(box) - pose[:3, 3]) @ pose[:3, :3] @ k_px.T
        corners = corners[:, :2] / corners[:, 2:]
        y, x = np.mgrid[:120, :150] + 0.5
        px = np.stack([x, y], axis=-1).reshape(-1, 2)
        grown = _inside_hull(px, corners, 1.0).reshape(mask.shape)
        assert mask.sum() > 200
        assert not (mask & ~grown).any()
        if shape == "box":
            shrunk = _inside_hull(px, corners, -1.0).reshape(mask.shape)
            assert not (shrunk & ~mask).any()
