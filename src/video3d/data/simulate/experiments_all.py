"""All experiments by name."""

from video3d.data.simulate.experiments_fall import dominoes, drop, support
from video3d.data.simulate.experiments_roll import collide, floor_roll, race, ramp, stairs
from video3d.data.simulate.experiments_stack import stack
from video3d.data.simulate.experiments_table import overhang, push, table_roll
from video3d.data.simulate.stage import Stager

EXPERIMENTS: dict[str, Stager] = {
    "collide": collide,
    "dominoes": dominoes,
    "drop": drop,
    "floor_roll": floor_roll,
    "overhang": overhang,
    "push": push,
    "race": race,
    "ramp": ramp,
    "stack": stack,
    "stairs": stairs,
    "support": support,
    "table_roll": table_roll,
}
"""Scenario -> what stages it."""
