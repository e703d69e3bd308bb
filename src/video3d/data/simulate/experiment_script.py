"""Scripts of experiments: things that are held until they are let go, and hands, gates and pushers that follow a path.

A held body keeps its place exactly, whatever the changed start made of it: its weight is taken off and its speed is zero until
it is let go. No equation is needed, nothing is left in the model, and what is simulated without the script (a removal) starts
with everything let go.

A scripted body is where its path says. MuJoCo sees its speed as zero, so a pusher's face should be stiff (``PUSHER``), or what
it pushes sinks into it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.scene import BuiltScene, Surface
from video3d.data.simulate.stage import Drive

PUSHER = Surface(friction=0.3, solref=(0.004, 1.0), density=800.0)
"""What is pushed at 0.3 m/s sinks into such a face by about 2 mm, at a time step of 2 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A dynamic object stays where it starts until ``until_s``."""

    object_id: int
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A scripted object goes straight on at one speed from ``begin_s`` to ``end_s`` and stands still before and after."""

    object_id: int
    start_m: Float64[np.ndarray, "3"]
    velocity_mps: Float64[np.ndarray, "3"]
    begin_s: float = 0.0
    end_s: float = np.inf

    def at(self, time_s: float, change: float = 0.0) -> Float64[np.ndarray, "3"]:
        """Where it is, with its speed multiplied by ``1 + change``."""
        gone = min(max(time_s - self.begin_s, 0.0), self.end_s - self.begin_s)
        return self.start_m + self.velocity_mps * (gone * (1.0 + change))


def drive(scene: BuiltScene, holds: tuple[Hold, ...] = (), paths: tuple[Path, ...] = ()) -> Drive | None:
    """The script that holds and moves things; None where there is nothing to do.

    Errors: ``KeyError`` for a held object that is not dynamic or a path of one that is not scripted.
    """
    if not holds and not paths:
        return None
    held = []
    for hold in holds:
        joint = scene.model.joint(f"object{hold.object_id}-joint")
        body = scene.model.body(f"object{hold.object_id}")
        held.append((int(joint.dofadr[0]), float(scene.model.body_mass[body.id]), hold.until_s - 1e-9))
    moved = []
    for path in paths:
        mocap = int(scene.model.body_mocapid[scene.model.body(f"object{path.object_id}").id])
        if mocap < 0:
            raise KeyError(f"object {path.object_id} is not scripted")
        moved.append((mocap, path))
    g = -float(scene.model.opt.gravity[2])

    def script(model: Any, data: Any, time_s: float, change: float) -> None:
        for dof, mass, until in held:
            if time_s < until:
                data.qfrc_applied[dof + 2] = mass * g
                data.qvel[dof : dof + 6] = 0.0
            else:
                data.qfrc_applied[dof + 2] = 0.0
        for mocap, path in moved:
            data.mocap_pos[mocap] = path.at(time_s, change)

    return script
