"""What is staged, and how often: walks through rooms, physics in rooms, streets."""

import numpy as np

from video3d.data.simulate.drives import DRIVES
from video3d.data.simulate.experiments import EXPERIMENTS
from video3d.data.simulate.stage import Stager
from video3d.data.simulate.tours import stage_tour, stage_tour_mover

# Shares of the families, chosen so that each question type has enough to choose from: 20 % physics and 25 % action.
_TOURS, _MOVERS, _EXPERIMENTS, _DRIVES = 0.26, 0.08, 0.34, 0.32
_WEIGHTS = {
    "drive_straight": 0.4, "drive_turn": 2.2, "drive_collision": 0.7, "watch_junction": 2.2,
    "drive_signal": 0.9, "drive_pedestrian": 0.9, "drive_follow": 0.9,
    "stack": 2.4, "support": 1.7, "drop": 1.6, "overhang": 1.2,
    "race": 0.6, "ramp": 0.7, "floor_roll": 0.7, "stairs": 0.8, "push": 0.8, "collide": 0.8,
}  # fmt: skip
"""Within its family; 1 where nothing is said. What turns or brakes is rarer than what drives on, and what stands or falls is asked
about in more ways than what rolls: whether, what, which way, and what falls first or with what."""


def _table() -> dict[str, tuple[Stager, float]]:
    table: dict[str, tuple[Stager, float]] = {"tour": (stage_tour, _TOURS), "tour_mover": (stage_tour_mover, _MOVERS)}
    for family, share in ((EXPERIMENTS, _EXPERIMENTS), (DRIVES, _DRIVES)):
        weights = {name: _WEIGHTS.get(name, 1.0) for name in family}
        for name, stage in family.items():
            table[name] = (stage, share * weights[name] / sum(weights.values()))
    return table


SCENARIOS = _table()
"""Every scenario by name: its stager and its share of the clips."""


def draw_scenario(rng: np.random.Generator) -> str:
    """The name of a scenario, by the shares."""
    names = sorted(SCENARIOS)
    shares = np.array([SCENARIOS[name][1] for name in names])
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def stager(name: str) -> Stager:
    """The stager of a scenario. Errors: ``KeyError``."""
    return SCENARIOS[name][0]
