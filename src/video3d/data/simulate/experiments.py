"""All experiments by name: where other parts find them."""

from video3d.data.simulate.experiments_all import EXPERIMENTS

__all__ = ["EXPERIMENTS"]
