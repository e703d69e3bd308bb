"""All experiments by name."""

from video3d.data.simulate.experiment_ball import floor_roll, table_roll
from video3d.data.simulate.experiment_ramp import ramp, stairs
from video3d.data.simulate.experiment_stack import overhang, stack
from video3d.data.simulate.experiment_support import support
from video3d.data.simulate.stage import Stager

EXPERIMENTS: dict[str, Stager] = {
    "ramp": ramp,
    "stairs": stairs,
    "floor_roll": floor_roll,
    "table_roll": table_roll,
    "stack": stack,
    "overhang": overhang,
    "support": support,
}
