"""Materials as MuJoCo feels them: friction, rolling resistance, restitution, density, and what gives a wanted bounce.

**Friction** belongs to a pair of materials, but MuJoCo takes the larger of two geoms' values; ``surface_between`` gives the
pair's value, for both geoms. With elliptic cones and ``impratio`` 10 a block slides with g (sin a - mu cos a) to 0.1 % and
creeps by less than 0.1 mm a second where it should hold (measured at the experiments' time step; ``physics_theory``).

**Rolling** friction is a length: the torque that it withstands is that length times the normal force. A ball of radius r slows
down by 5/7 g length / r.

**Restitution** has no parameter of its own. A contact is a spring and a damper: ``solref = (-stiffness, -damping)``, both per
mass, so that the bounce depends on neither mass. A contact of pure spring lasts pi / sqrt(stiffness); here that is set to some
number of time steps, and the damping follows from the wanted e: Schwager and Pöschel, "Coefficient of restitution and
linear-dashpot model revisited" (Granular Matter 9, 2007), the contact ending where it would begin to pull. Their formula holds
for time steps far shorter than the contact, so ``restitution`` runs the same spring in MuJoCo's steps and averages over where
within a step the touch falls; that scatter, a tenth of e at 6 steps a contact and a hundredth at 50, is MuJoCo's own. Where a
bounce matters, step by 1 ms or less: at 4 ms a contact is spread over 32 ms, and a ball at 3 m/s sinks in by 3 cm.

A bouncy contact holds no static friction: its friction is as weakly damped as its spring, and a bouncy block on a slope skips
and runs away. Give it to balls (which roll right all the same), never to blocks.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from video3d.data.simulate.scene import Surface
from video3d.types import InputError

STICKY = (0.005, 1.0)
"""Solref of all that should neither bounce nor creep: critically damped within 5 ms. Blocks bounce by less than e = 0.15.

A softer one gives way under the edge that a leaning block stands on, which then topples early: by 1.3 % of its width on 15 degrees
at 10 ms, by 0.9 % at 5 ms (``physics_theory.toppling``)."""

_MIN_BOUNCE = 0.15
_STEPS = 8  # of a contact, at least; below, a bounce is decided by chance
_FIRM_S = 0.010  # a contact no longer than this looks hard: at 3 m/s a ball sinks in by 1 cm
_IMPEDANCE = (0.9, 0.95, 0.001)  # MuJoCo's default solimp: from 0.9 at the surface to 0.95 at a depth of 1 mm

Kind = Literal["ball", "block"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Middle values of the ranges that handbooks give for dry, clean things.

    Attributes:
        friction: of sliding on wood.
        rolling_m: rolling friction of a hard ball on it, or of a ball of it on a hard floor.
        restitution: of a ball of it that drops a metre on a hard floor.
        density: kg/m3.
    """

    friction: float
    rolling_m: float
    restitution: float
    density: float


MATERIALS: dict[str, Material] = {
    "wood": Material(friction=0.40, rolling_m=0.0008, restitution=0.50, density=650.0),
    "rubber": Material(friction=0.80, rolling_m=0.0015, restitution=0.80, density=1100.0),
    "steel": Material(friction=0.30, rolling_m=0.0003, restitution=0.65, density=7850.0),
    "foam": Material(friction=0.60, rolling_m=0.0030, restitution=0.30, density=60.0),
    "ice": Material(friction=0.04, rolling_m=0.0003, restitution=0.30, density=917.0),
    "cardboard": Material(friction=0.45, rolling_m=0.0020, restitution=0.15, density=150.0),
    "glass": Material(friction=0.35, rolling_m=0.0003, restitution=0.65, density=2500.0),
    "stone": Material(friction=0.55, rolling_m=0.0008, restitution=0.40, density=2600.0),
    "carpet": Material(friction=0.65, rolling_m=0.0060, restitution=0.35, density=300.0),
}


def friction_between(first: str, second: str) -> float:
    """Sliding friction of two materials: wood's partner's own value, else the geometric mean.

    >>> friction_between("ice", "wood"), round(friction_between("ice", "rubber"), 3)
    (0.04, 0.179)
    """
    a, b = _material(first), _material(second)
    if "wood" in (first, second):
        return b.friction if first == "wood" else a.friction
    return float(np.sqrt(a.friction * b.friction))


def surface_between(thing: str, floor: str, *, kind: Kind = "block", timestep_s: float = 0.004) -> Surface:
    """How a thing of one material feels a floor of another: give it to both, or MuJoCo takes the rougher of two.

    Rolling friction is the larger of the two. A ball bounces with the smaller restitution of the two, a block not at all.

    >>> surface_between("wood", "ice").friction, surface_between("wood", "ice").solref
    (0.04, (0.005, 1.0))
    """
    a, b = _material(thing), _material(floor)
    bounce = min(a.restitution, b.restitution if floor in ("foam", "carpet") else 1.0)
    return Surface(
        friction=friction_between(thing, floor),
        rolling=max(a.rolling_m, b.rolling_m),
        solref=restitution_solref(bounce, timestep_s) if kind == "ball" else STICKY,
        density=a.density,
    )


def restitution_solref(restitution: float, timestep_s: float) -> tuple[float, float]:
    """Solref of a contact that gives back a share of the speed: the mean over impacts of about 3 m/s.

    Both geoms need it, or one and the other a positive solref (MuJoCo takes the smaller numbers). Below about 0.15 it is
    ``STICKY``.

    >>> stiffness, damping = restitution_solref(0.7, 0.001)
    >>> round(stiffness), round(damping)
    (-98696, -76)

    Raises:
        InputError: not between 0 and 0.98, or a time step that is not positive.
    """
    if not 0 <= restitution <= 0.98:
        raise InputError("restitution", expected="0 to 0.98", got=restitution, do="1 would never come to rest")
    if not 0 < timestep_s < 0.1:
        raise InputError("timestep_s", expected="0 to 0.1 s", got=timestep_s)
    if restitution < _MIN_BOUNCE:
        return STICKY
    steps = max(_STEPS, round(_FIRM_S / timestep_s))
    rate = np.pi / (steps * timestep_s)
    return -float(rate**2), -float(2 * _damping_ratio(round(restitution, 4), steps, timestep_s) * rate)


@cache
def _damping_ratio(restitution: float, steps: int, timestep_s: float) -> float:
    """By bisection: restitution falls as damping grows."""
    low, high = 1e-3, 0.8 * steps / (2 * np.pi)  # beyond, the damper overshoots within a step
    for _ in range(36):
        middle = (low + high) / 2
        if simulated_restitution(middle, steps, timestep_s) > restitution:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def simulated_restitution(damping_ratio: float, steps: int, timestep_s: float, speed_mps: float = 3.0) -> float:
    """Restitution of MuJoCo's contact in MuJoCo's steps, the mean over where within a step the touch falls.

    MuJoCo (Computation, "Constraint model") solves a1 + d (b v + k r) = (1 - d) a0 for the acceleration a1 at depth -r, with
    impedance d, and never pulls: a1 >= a0 = -g.

    >>> abs(simulated_restitution(0.12, 400, 1e-5) - ideal_restitution(0.12)) < 5e-3
    True
    """
    rate = np.pi / (steps * timestep_s)
    low, high, width = _IMPEDANCE
    stiffness, damping = rate**2 / high**2, 2 * damping_ratio * rate / high
    num = 16
    gap = (np.arange(num) + 0.5) / num * speed_mps * timestep_s
    speed, found = np.full(num, -speed_mps), np.zeros(num)
    for _ in range(40 * steps):
        inward = np.clip(-gap / width, 0.0, 1.0)
        share = np.where(inward < 0.5, 2 * inward**2, 1 - 2 * (1 - inward) ** 2)
        impedance = low + (high - low) * share
        wanted = (1 - impedance) * -9.81 - impedance * (damping * speed + stiffness * impedance * gap)
        speed = speed + timestep_s * np.where(gap < 0, np.maximum(wanted, -9.81), -9.81)
        gap = gap + timestep_s * speed
        left = (gap >= 0) & (speed > 0) & (found == 0)
        found[left] = speed[left]
        if (found > 0).all():
            break
    return float(found.mean()) / speed_mps


def ideal_restitution(damping_ratio: float) -> float:
    """Schwager and Pöschel's: of a spring and damper that never pull, in continuous time and without gravity; ratio < 1.

    >>> round(ideal_restitution(0.0), 6), round(ideal_restitution(0.12), 3)
    (1.0, 0.704)
    """
    swing = np.sqrt(1 - damping_ratio**2)
    end = np.pi - np.arctan2(2 * damping_ratio * swing, 1 - 2 * damping_ratio**2)  # rate * time at which the force is 0
    angle = end
    time = angle / swing
    return float(np.exp(-damping_ratio * time) * (damping_ratio / swing * np.sin(angle) - np.cos(angle)))


def _material(name: str) -> Material:
    if name not in MATERIALS:
        raise InputError("material", expected=", ".join(sorted(MATERIALS)), got=name)
    return MATERIALS[name]
