"""Scripts of experiments: things held until they are let go, and holders, gates and pushers that go straight on.

A held body keeps the place where its rollout started: its weight is taken off and its speed is zero until it is let go. Nothing
of it is left in the model, so what is simulated without the script (a removal) starts with everything let go.

MuJoCo takes a scripted body's speed for zero: it pushes by the depth that others sink into it, and does not drag what lies on it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.scene import BuiltScene, Surface
from video3d.data.simulate.stage import Drive

FACE = Surface(friction=0.3, solref=(0.005, 1.0), density=800.0)
"""Of holders and pushers: what is pushed at 0.3 m/s sinks in by about 2 mm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A dynamic object stays where it starts until a time."""

    object_id: int
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A scripted object goes straight on at one speed between two times and stands still before and after."""

    object_id: int
    start_m: tuple[float, float, float]
    velocity_mps: Float64[np.ndarray, "3"]
    begin_s: float = 0.0
    end_s: float = 1e9

    def at(self, time_s: float, change: float = 0.0) -> Float64[np.ndarray, "3"]:
        """Where it is; it is faster by ``change`` and gets as far as ever.

        >>> path = Path(object_id=1, start_m=(0.0, 0.0, 0.0), velocity_mps=np.array([1.0, 0, 0]), begin_s=1.0, end_s=3.0)
        >>> path.at(2.0).tolist(), path.at(9.0, 0.02).tolist()
        ([1.0, 0.0, 0.0], [2.0, 0.0, 0.0])
        """
        span = self.end_s - self.begin_s
        gone = min(max((time_s - self.begin_s) * (1.0 + change), 0.0), span)
        return np.asarray(self.start_m, dtype=np.float64) + self.velocity_mps * gone


def script(scene: BuiltScene, holds: tuple[Hold, ...] = (), paths: tuple[Path, ...] = ()) -> Drive | None:
    """The drive that holds and moves things; None where there is nothing to do.

    Errors: ``KeyError`` for a held object that is not dynamic or a path of one that is not scripted.
    """
    if not holds and not paths:
        return None
    model = scene.model
    held = []
    for hold in holds:
        dof = int(model.joint(f"object{hold.object_id}-joint").dofadr[0])
        weight = float(model.body(f"object{hold.object_id}").mass[0]) * -float(model.opt.gravity[2])
        held.append((dof, weight, hold.until_s - 1e-9))
    moved = []
    for path in paths:
        mocap = int(model.body(f"object{path.object_id}").mocapid[0])
        if mocap < 0:
            raise KeyError(f"object {path.object_id} is not scripted")
        moved.append((mocap, path))

    def drive(model: Any, data: Any, time_s: float, change: float) -> None:
        del model
        for dof, weight, until in held:
            holding = time_s < until
            data.qfrc_applied[dof + 2] = weight if holding else 0.0
            if holding:
                data.qvel[dof : dof + 6] = 0.0
        for mocap, path in moved:
            data.mocap_pos[mocap] = path.at(time_s, change)

    return drive
