"""The renderer: its camera, its masks, that it leaves the model alone, and what it refuses."""

import numpy as np
import pytest

pytest.importorskip("mujoco")

from video3d.data.simulate import render
from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.exactness import look_at
from video3d.data.simulate.render import Quality, gl_problem, open_renderer, view_planes
from video3d.types import Camera, InputError

needs_gl = pytest.mark.skipif(gl_problem() is not None, reason=f"cannot render here: {gl_problem()}")

SCENE = """<mujoco><worldbody>
  <light pos="0 0 4" dir="0 0 -1" castshadow="true"/>
  <geom type="plane" size="5 5 1" rgba=".8 .8 .8 1"/>
  <geom type="box" size=".3 .3 .3" pos="0 0 .3" rgba=".8 .1 .1 1"/>
  <geom type="sphere" size=".5" pos="2 0 .5" group="3"/>
  <body pos="0 1.5 1"><freejoint/><geom type="sphere" size=".2" rgba=".1 .1 .8 1"/></body>
</worldbody></mujoco>"""


def camera(size_hw: tuple[int, int] = (96, 128), focal: float = 100.0, **change: np.ndarray) -> Camera:
    height, width = size_hw
    k_px = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    pose = look_at((3.0, -2.0, 1.5), (0.0, 0.5, 0.4))
    return Camera(**{"size_hw": size_hw, "k_px": k_px, "world_from_camera": pose} | change)


@pytest.fixture(scope="module")
def scene():
    mujoco = load_mujoco()
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


@needs_gl
def test_a_picture(scene):
    model, data = scene
    before = bytes(model.geom_group), model.vis.global_.offwidth, model.vis.quality.shadowsize
    with open_renderer(model, (96, 128)) as renderer:
        first, second = renderer.render(data, camera()), renderer.render(data, camera())
    assert (bytes(model.geom_group), model.vis.global_.offwidth, model.vis.quality.shadowsize) == before
    assert first.rgb.shape == (96, 128, 3)
    assert set(np.unique(first.geom)) == {-1, 0, 1, 3}, "sky, floor, box and ball; the geom of group 3 is not drawn"
    assert (np.isnan(first.depth_m) == (first.geom < 0)).all()
    box, ball = first.rgb[first.geom == 1].mean(axis=0), first.rgb[first.geom == 3].mean(axis=0)
    assert box[0] > 2 * box[2], "the box is red: colour and masks agree"
    assert ball[2] > 2 * ball[0], "the ball is blue"
    for a, b in ((first.rgb, second.rgb), (first.geom, second.geom)):
        assert np.array_equal(a, b)
    assert np.array_equal(first.depth_m, second.depth_m, equal_nan=True)


@needs_gl
def test_pictures_do_not_depend_on_what_was_drawn_before(scene):
    model, data = scene
    mujoco = load_mujoco()
    other = mujoco.MjModel.from_xml_string('<mujoco><worldbody><geom size="1" rgba="0 1 0 1"/></worldbody></mujoco>')
    with open_renderer(model, (96, 128)) as renderer:
        first = renderer.render(data, camera())
    state = mujoco.MjData(other)
    mujoco.mj_forward(other, state)
    with open_renderer(other, (64, 64)) as renderer:
        renderer.render(state, camera((64, 64)))
    with open_renderer(model, (96, 128)) as renderer:
        again = renderer.render(data, camera())
    assert np.array_equal(first.rgb, again.rgb)
    assert np.array_equal(first.depth_m, again.depth_m, equal_nan=True)


@needs_gl
def test_shifting_the_principal_point_shifts_the_picture(scene):
    model, data = scene
    k_px = camera().k_px.copy()
    k_px[:2, 2] += [12, -7]
    with open_renderer(model, (96, 128)) as renderer:
        middle = renderer.render(data, camera())
        shifted = renderer.render(data, camera(k_px=k_px))
    moved = np.roll(middle.geom, (-7, 12), axis=(0, 1))[:-7, 12:]
    assert (moved == shifted.geom[:-7, 12:]).mean() > 0.999
    same = moved == shifted.geom[:-7, 12:]
    depth = np.roll(middle.depth_m, (-7, 12), axis=(0, 1))[:-7, 12:]
    assert np.nanmax(np.abs(depth - shifted.depth_m[:-7, 12:])[same]) < 1e-3


@needs_gl
def test_meshes_outside_the_view_are_left_out_and_nothing_changes(scene):
    mujoco = load_mujoco()
    points = [" ".join(map(str, np.round(p, 3))) for p in np.random.default_rng(0).uniform(-0.3, 0.3, (20, 3))]
    places = np.random.default_rng(1).uniform([-6, -6, 0.3], [6, 6, 0.6], (60, 3))
    body = "".join(f'<geom type="mesh" mesh="m" pos="{x} {y} {z}" rgba=".7 .5 .2 1"/>' for x, y, z in places)
    model = mujoco.MjModel.from_xml_string(
        f'<mujoco><asset><mesh name="m" vertex="{" ".join(points)}"/></asset><worldbody><geom type="plane" size="9 9 1"/>'
        f"{body}</worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with open_renderer(model, (96, 128)) as renderer:
        shown = renderer.render(data, camera())
    with open_renderer(model, (96, 128), quality=Quality(caster_m=np.inf)) as renderer:
        everything = renderer.render(data, camera())
    reach = (data.geom_xpos @ view_planes(camera())[:, :3].T + view_planes(camera())[:, 3]).min(axis=1)
    assert (reach + model.geom_rbound < -1.5)[1:].sum() > 10, "some are left out"
    assert len(np.unique(shown.geom)) > 10, "and some are seen"
    assert np.array_equal(shown.geom, everything.geom)
    assert np.array_equal(shown.rgb, everything.rgb), "without a light that casts shadows, nothing is lost"


@needs_gl
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"size_hw": (64, 64)}, "size"),
        ({"world_from_camera": np.full((4, 4), np.nan)}, "a pose"),
        ({"k_px": np.full((3, 3), np.nan)}, "K with"),
        ({"k_px": np.array([[100.0, 3, 64], [0, 100, 48], [0, 0, 1]])}, "no skew"),
    ],
)
def test_refused(scene, change, expected):
    model, data = scene
    with open_renderer(model, (96, 128)) as renderer, pytest.raises(InputError, match=expected):
        renderer.render(data, camera(**change))


@needs_gl
def test_absurd_sizes_are_refused(scene):
    with pytest.raises(InputError, match="size_hw"), open_renderer(scene[0], (5000, 10)):
        pass


def test_without_a_driver_it_says_what_to_install(monkeypatch):
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent")
    render.gl_problem.cache_clear()
    try:
        problem = render.gl_problem()
        assert problem is not None
        assert "apt install" in problem
    finally:
        monkeypatch.undo()
        render.gl_problem.cache_clear()
