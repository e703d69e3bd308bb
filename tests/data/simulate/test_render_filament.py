"""Filament draws the same geometry as the classic backend. In a process of its own: it keeps threads that outlive a test."""

import subprocess
import sys

import pytest

pytest.importorskip("mujoco")

from video3d.data.simulate.render import filament_problem, gl_problem

pytestmark = pytest.mark.skipif(
    filament_problem() is not None or gl_problem() is not None, reason=f"no Filament here: {filament_problem()}"
)

CODE = """
import os
import numpy as np
from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.exactness import sample_scenes
from video3d.data.simulate.render import open_renderer
from video3d.types import Camera, InputError
mujoco = load_mujoco()
name, model, cameras = sample_scenes()[0]
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
with open_renderer(model, cameras[0].size_hw) as renderer:
    classic = renderer.render(data, cameras[0])
with open_renderer(model, cameras[0].size_hw, "filament") as renderer:
    shown = renderer.render(data, cameras[0])
    try:
        renderer.render(data, cameras[2])
        refused = ""
    except InputError as error:
        refused = str(error)
same = shown.geom == classic.geom
flat = same & (model.geom_type[shown.geom] != int(mujoco.mjtGeom.mjGEOM_SPHERE)) & (shown.geom >= 0)
print("agree", same.mean() > 0.998, np.abs(shown.depth_m - classic.depth_m)[flat].max() < 1e-3)
print("refused", refused, flush=True)
os._exit(0)
"""


def test_filament_agrees_with_classic():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120, check=False)
    assert "agree True True" in done.stdout, done.stdout + done.stderr[-500:]
    assert "a centred K" in done.stdout
