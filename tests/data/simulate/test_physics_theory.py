"""The simulator against mechanics with a closed answer, to 1 %, and materials that do what they say."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco")

from video3d.data.simulate import materials, physics_theory
from video3d.data.simulate.materials import (
    MATERIALS,
    STICKY,
    friction_between,
    ideal_restitution,
    restitution_solref,
    simulated_restitution,
    surface_between,
)
from video3d.data.simulate.physics_theory import Case
from video3d.types import InputError


@pytest.fixture(scope="module")
def cases() -> tuple[Case, ...]:
    return physics_theory.all_cases()


def test_all_within_one_per_cent(cases):
    wrong = [
        (case.name, round(case.error_percent, 2)) for case in cases if case.theory and abs(case.error_percent) > 1.0
    ]
    assert wrong == []
    assert len(cases) >= 28


def test_what_should_stand_still_does(cases):
    still = {case.name: case.simulated for case in cases if not case.theory}
    assert len(still) == 2
    assert max(still.values()) < 1.0, "millimetres in ten seconds"


def test_cases_do_not_depend_on_the_run():
    first, second = physics_theory.rolling(20.0), physics_theory.rolling(20.0)
    assert first.simulated == second.simulated


def test_an_error_is_of_the_theory():
    case = physics_theory.rolling(20.0)
    assert replace(case, theory=2.0, simulated=2.1).error_percent == pytest.approx(5.0)
    assert replace(case, theory=0.0, simulated=0.3).error_percent == pytest.approx(30.0)


def test_restitution_formula_is_the_limit_of_short_steps():
    for ratio in (0.02, 0.1, 0.3, 0.5):
        assert simulated_restitution(ratio, 500, 1e-5) == pytest.approx(ideal_restitution(ratio), abs=0.01)


def test_more_damping_for_less_bounce():
    damping = [restitution_solref(e, 0.001)[1] for e in (0.2, 0.4, 0.6, 0.8, 0.95)]
    assert np.all(np.diff(damping) > 0), "negative numbers: nearer 0 is less"
    assert restitution_solref(0.0, 0.001) == STICKY
    assert len({restitution_solref(e, 0.001)[0] for e in (0.2, 0.9)}) == 1, (
        "the stiffness is that of the contact's time"
    )


@pytest.mark.parametrize(("restitution", "step"), [(-0.1, 0.001), (1.0, 0.001), (float("nan"), 0.001), (0.5, 0.0)])
def test_refused(restitution, step):
    with pytest.raises(InputError):
        restitution_solref(restitution, step)


def test_materials_of_pairs():
    assert friction_between("rubber", "steel") == friction_between("steel", "rubber")
    assert friction_between("ice", "wood") < friction_between("wood", "wood") < friction_between("rubber", "wood")
    assert surface_between("rubber", "wood", kind="block").solref == STICKY
    assert surface_between("rubber", "wood", kind="ball").solref[0] < 0
    assert surface_between("steel", "carpet").rolling == MATERIALS["carpet"].rolling_m
    assert surface_between("steel", "wood").density == MATERIALS["steel"].density
    with pytest.raises(InputError, match="cheese"):
        surface_between("cheese", "wood")


def test_balls_of_materials_bounce_in_order():
    heights = {
        name: physics_theory.bouncing(MATERIALS[name].restitution).simulated for name in ("rubber", "wood", "foam")
    }
    assert heights["rubber"] > heights["wood"] > heights["foam"] > 0.05
    assert materials.restitution_solref(MATERIALS["cardboard"].restitution, 0.0002)[0] < 0
