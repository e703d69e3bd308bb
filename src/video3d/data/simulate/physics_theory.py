"""Mechanics with a closed answer, simulated as the generator simulates, and both numbers side by side.

Every case builds the smallest scene that shows it, runs it with the generator's own options (elliptic cones, ``impratio`` 10,
implicit integration, 2 ms) and measures what a person would measure: an acceleration, a time, a place, an angle. Bounces and
collisions run at 0.2 ms: their contact lasts 10 ms, and at 2 ms the moment of the touch within a step decides too much.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from video3d.data.simulate.engine import load_mujoco
from video3d.data.simulate.materials import STICKY, restitution_solref
from video3d.data.simulate.stage import EXPERIMENT_STEP_S

G = 9.81
STEP_S = EXPERIMENT_STEP_S
FINE_STEP_S = 0.0002


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One comparison.

    Attributes:
        name: what was measured.
        theory: what it should be.
        simulated: what it was.
        unit: of both.
        timestep_s: of the simulation.
        steps_per_s: of wall-clock time, on one core.
    """

    name: str
    theory: float
    simulated: float
    unit: str
    timestep_s: float
    steps_per_s: float

    @property
    def error_percent(self) -> float:
        """Of the theory; of 1 unit where that is 0."""
        return 100.0 * (self.simulated - self.theory) / (abs(self.theory) or 1.0)


class _Clock:
    """Counts steps and the time that they took."""

    def __init__(self) -> None:
        self.steps, self.wall_s = 0, 0.0

    def run(self, model: Any, data: Any, until: Callable[[Any], bool], most_s: float) -> None:
        """Steps until the condition holds or ``most_s`` seconds are simulated."""
        mujoco = load_mujoco()
        begin = time.perf_counter()
        while data.time < most_s and not until(data):
            mujoco.mj_step(model, data)
            self.steps += 1
        self.wall_s += time.perf_counter() - begin

    @property
    def rate(self) -> float:
        return self.steps / max(self.wall_s, 1e-9)


def _scene(bodies: str, *, step_s: float = STEP_S, gravity: float = G) -> tuple[Any, Any]:
    mujoco = load_mujoco()
    model = mujoco.MjModel.from_xml_string(
        f'<mujoco><option timestep="{step_s}" integrator="implicitfast" cone="elliptic" impratio="10" '
        f'gravity="0 0 {-gravity}"/><default><geom solref="{STICKY[0]} 1" condim="6"/></default>'
        f"<worldbody>{bodies}</worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def _on_slope(shape: str, half_height: float, angle_rad: float, friction: str, turn: str = "") -> str:
    """A slope that sinks towards +x, and a thing on it; ``turn`` is the thing's orientation, else the slope's."""
    normal = np.array([np.sin(angle_rad), 0.0, np.cos(angle_rad)]) * (0.05 + half_height)
    slope = f'euler="0 {np.degrees(angle_rad)} 0"'
    return (
        f'<geom type="box" size="9 2 .05" {slope} friction="{friction}"/>'
        f'<body pos="{normal[0]} 0 {normal[2]}" {turn or slope}><freejoint/><geom {shape} friction="{friction}"/></body>'
    )


def _acceleration(bodies: str, direction: np.ndarray, seconds: float = 1.2) -> tuple[float, float]:
    """Of the first body along a direction, by a line through its speeds once it has settled; and steps a second."""
    model, data = _scene(bodies)
    clock, times, speeds = _Clock(), [], []

    def watch(state: Any) -> bool:
        times.append(state.time)
        speeds.append(float(state.qvel[:3] @ direction))
        return False

    clock.run(model, data, watch, seconds)
    settled = np.array(times) > seconds / 4
    return float(np.polyfit(np.array(times)[settled], np.array(speeds)[settled], 1)[0]), clock.rate


def _down(angle_rad: float) -> np.ndarray:
    return np.array([np.cos(angle_rad), 0.0, -np.sin(angle_rad)])


def rolling(angle_deg: float) -> Case:
    """A ball rolls down a slope: a = 5/7 g sin."""
    angle = np.radians(angle_deg)
    bodies = _on_slope('type="sphere" size=".1" mass=".5"', 0.1, angle, "1 .005 0")
    found, rate = _acceleration(bodies, _down(angle))
    return _case(f"ball rolls down {angle_deg:g}°", 5 / 7 * G * np.sin(angle), found, "m/s²", rate)


def cylinder(angle_deg: float) -> Case:
    """A cylinder rolls down a slope: a = 2/3 g sin."""
    angle = np.radians(angle_deg)
    bodies = _on_slope('type="cylinder" size=".1 .2" mass=".5"', 0.1, angle, "1 .005 0", 'euler="90 0 0"')
    found, rate = _acceleration(bodies, _down(angle))
    return _case(f"cylinder rolls down {angle_deg:g}°", 2 / 3 * G * np.sin(angle), found, "m/s²", rate)


def sliding(angle_deg: float, friction: float) -> Case:
    """A block slides down a slope: a = g (sin - mu cos)."""
    angle = np.radians(angle_deg)
    bodies = _on_slope('type="box" size=".15 .15 .05" mass="1"', 0.05, angle, f"{friction} .005 0")
    found, rate = _acceleration(bodies, _down(angle))
    theory = G * (np.sin(angle) - friction * np.cos(angle))
    return _case(f"block slides down {angle_deg:g}°, μ {friction:g}", theory, found, "m/s²", rate)


def holding(angle_deg: float) -> Case:
    """The friction below which a block starts to slide: mu = tan."""
    angle, clock = np.radians(angle_deg), _Clock()

    def slides(friction: float) -> bool:
        model, data = _scene(_on_slope('type="box" size=".15 .15 .05" mass="1"', 0.05, angle, f"{friction} .005 0"))
        start = data.qpos[:3].copy()
        clock.run(model, data, lambda state: False, 2.0)
        return float(np.linalg.norm(data.qpos[:3] - start)) > 0.01

    found = _threshold(slides, 0.5 * np.tan(angle), 1.5 * np.tan(angle))
    return _case(f"block holds on {angle_deg:g}° from μ", np.tan(angle), found, "", clock.rate)


def creeping(angle_deg: float) -> Case:
    """How far a block that should hold creeps in 10 s: mu is 1.5 tan."""
    angle, clock = np.radians(angle_deg), _Clock()
    bodies = _on_slope('type="box" size=".15 .15 .05" mass="1"', 0.05, angle, f"{1.5 * np.tan(angle)} .005 0")
    model, data = _scene(bodies)
    start = data.qpos[:3].copy()
    clock.run(model, data, lambda state: False, 10.0)
    return _case(
        f"block creeps on {angle_deg:g}° in 10 s",
        0.0,
        1e3 * float(np.linalg.norm(data.qpos[:3] - start)),
        "mm",
        clock.rate,
    )


def stopping(speed: float, friction: float) -> Case:
    """A block pushed along a floor stops after v² / (2 mu g)."""
    model, data = _scene(
        f'<geom type="plane" size="99 9 1" friction="{friction} .005 0"/><body pos="0 0 .05"><freejoint/>'
        f'<geom type="box" size=".15 .15 .05" mass="1" friction="{friction} .005 0"/></body>'
    )
    clock = _Clock()
    data.qvel[0] = speed
    clock.run(model, data, lambda state: state.qvel[0] < 1e-3, 10.0)
    return _case(
        f"block at {speed:g} m/s stops, μ {friction:g}",
        speed**2 / (2 * friction * G),
        float(data.qpos[0]),
        "m",
        clock.rate,
    )


def rolling_out(speed: float, rolling_m: float) -> Case:
    """A ball on a floor with rolling friction slows down by 5/7 g length / r."""
    bodies = (
        f'<geom type="plane" size="99 9 1" friction="1 .005 {rolling_m}"/><body pos="0 0 .1"><freejoint/>'
        f'<geom type="sphere" size=".1" mass=".5" friction="1 .005 {rolling_m}"/></body>'
    )
    model, data = _scene(bodies)
    clock = _Clock()
    data.qvel[0], data.qvel[4] = speed, speed / 0.1
    clock.run(model, data, lambda state: state.qvel[0] < 1e-3, 60.0)
    theory = speed**2 / (2 * 5 / 7 * G * rolling_m / 0.1)
    return _case(f"ball at {speed:g} m/s rolls out", theory, float(data.qpos[0]), "m", clock.rate)


def falling(height_m: float, speed: float) -> tuple[Case, Case]:
    """A block slides off a table: the time to the floor is sqrt(2 h / g), the range v times that."""
    model, data = _scene(f'<body pos="0 0 {height_m}"><freejoint/><geom type="sphere" size=".05" mass="1"/></body>')
    clock, before = _Clock(), [0.0, height_m, 0.0]
    data.qvel[0] = speed

    def landed(state: Any) -> bool:
        if state.qpos[2] <= 0:
            return True
        before[:] = state.time, state.qpos[2], state.qpos[0]
        return False

    clock.run(model, data, landed, 10.0)
    share = before[1] / (before[1] - data.qpos[2])
    fall_s = before[0] + share * (data.time - before[0])
    range_m = before[2] + share * (data.qpos[0] - before[2])
    theory = np.sqrt(2 * height_m / G)
    return (
        _case(f"falls {height_m:g} m", theory, float(fall_s), "s", clock.rate),
        _case(f"lands from {height_m:g} m at {speed:g} m/s", speed * theory, float(range_m), "m", clock.rate),
    )


def bouncing(restitution: float) -> Case:
    """A ball dropped from h rises to e² h: the mean over drops of 0.5 to 1.4 m."""
    stiffness, damping = restitution_solref(restitution, FINE_STEP_S)
    clock, shares = _Clock(), []
    for height in (0.5, 0.731, 1.0, 1.17, 1.4):
        model, data = _scene(
            f'<geom type="plane" size="5 5 1"/><body pos="0 0 {0.1 + height}"><freejoint/>'
            f'<geom type="sphere" size=".1" mass=".5" solref="{stiffness} {damping}"/></body>',
            step_s=FINE_STEP_S,
        )
        clock.run(model, data, lambda state: state.qvel[2] > 0, 3.0)
        clock.run(model, data, lambda state: state.qvel[2] < 0, 3.0)
        shares.append((data.qpos[2] - 0.1) / height)
    return _case(
        f"ball bounces, e {restitution:g}", restitution**2, float(np.mean(shares)), "of h", clock.rate, FINE_STEP_S
    )


def colliding(restitution: float, masses: tuple[float, float]) -> tuple[Case, Case]:
    """A ball runs into another at rest, head on: momentum is kept, and they part with e times the speed. Means of five speeds."""
    stiffness, damping = restitution_solref(restitution, FINE_STEP_S)
    clock, firsts, seconds = _Clock(), [], []
    for speed in (2.0, 2.3, 2.71, 3.1, 3.5):
        ball = '<body pos="{} 0 0"><freejoint/><geom type="sphere" size=".1" mass="{}" solref="{} {}"/></body>'
        bodies = ball.format(-0.5, masses[0], stiffness, damping) + ball.format(0, masses[1], stiffness, damping)
        model, data = _scene(bodies, step_s=FINE_STEP_S, gravity=0.0)
        data.qvel[0] = speed
        clock.run(model, data, lambda state: False, 0.5)
        firsts.append(data.qvel[0] / speed)
        seconds.append(data.qvel[6] / speed)
    first, second = masses
    total = first + second
    names = f"{first:g} kg hits {second:g} kg, e {restitution:g}"
    return (
        _case(
            f"{names}: struck",
            first * (1 + restitution) / total,
            float(np.mean(seconds)),
            "of v",
            clock.rate,
            FINE_STEP_S,
        ),
        _case(
            f"{names}: momentum",
            1.0,
            float(np.mean([(first * a + second * b) / first for a, b in zip(firsts, seconds, strict=True)])),
            "of p",
            clock.rate,
            FINE_STEP_S,
        ),
    )


def stacking(count: int) -> Case:
    """How far the top of a stack of blocks drifts in 10 s."""
    blocks = "".join(
        f'<body pos="{0.01 * (-1) ** i} 0 {0.1 + 0.2 * i}"><freejoint/><geom type="box" size=".1 .1 .1" mass="1"/></body>'
        for i in range(count)
    )
    model, data = _scene('<geom type="plane" size="5 5 1"/>' + blocks)
    clock = _Clock()
    clock.run(model, data, lambda state: False, 0.5)
    start = data.qpos[-7:-4].copy()
    clock.run(model, data, lambda state: False, 10.5)
    return _case(
        f"stack of {count} drifts in 10 s", 0.0, 1e3 * float(np.linalg.norm(data.qpos[-7:-4] - start)), "mm", clock.rate
    )


def overhanging() -> Case:
    """A plank pushed over a table's edge tips when its middle is beyond it: half of its length."""
    clock = _Clock()

    def tips(share: float) -> bool:
        model, data = _scene(
            f'<geom type="box" size="1 .5 .5" pos="-1 0 -.5"/><body pos="{0.8 * (share - 0.5)} 0 .025"><freejoint/>'
            + '<geom type="box" size=".4 .1 .025" mass="1"/></body>'
        )
        clock.run(model, data, lambda state: state.qpos[2] < -0.2, 6.0)
        return bool(data.qpos[2] < 0.0)

    return _case("plank tips, over the edge by", 0.5, _threshold(tips, 0.4, 0.6), "of length", clock.rate)


def toppling(angle_deg: float) -> Case:
    """A block on a slope topples when it is narrower than tan times its height (friction 1.5).

    The floor gives way under the edge that bears the weight, more the softer the contact, so a slender block topples a little
    early.
    """
    angle, clock = np.radians(angle_deg), _Clock()

    def topples(ratio: float) -> bool:
        size = f'type="box" size="{0.2 * ratio} .2 .2" mass="1"'
        model, data = _scene(_on_slope(size, 0.2, angle, "1.5 .005 0"))
        clock.run(model, data, lambda state: False, 4.0)
        w, x, y, z = data.qpos[3:7]
        lean = 2 * (x * z + w * y)  # x of the block's own z axis
        return bool(abs(lean - np.sin(angle)) > 0.3)

    theory = np.tan(angle)
    found = _threshold(topples, 0.5 * theory, 1.5 * theory)
    return _case(f"block topples on {angle_deg:g}°, width/height", theory, found, "", clock.rate)


def swinging(amplitude_deg: float) -> Case:
    """A pendulum's period: 4 sqrt(l / g) K(sin(a / 2)), the complete elliptic integral."""
    from scipy.special import ellipk

    length = 0.7
    model, data = _scene(
        f'<body pos="0 0 2"><joint name="pivot" type="hinge" axis="0 1 0"/><geom type="sphere" size=".001" mass="1" pos="0 0 {-length}"/></body>'
    )
    amplitude, clock, crossings = np.radians(amplitude_deg), _Clock(), []
    data.qpos[0] = amplitude
    before = [0.0, amplitude]

    def crossed(state: Any) -> bool:
        if before[1] > 0 >= state.qpos[0]:
            crossings.append(before[0] + before[1] / (before[1] - state.qpos[0]) * (state.time - before[0]))
        before[:] = state.time, state.qpos[0]
        return len(crossings) == 3

    clock.run(model, data, crossed, 20.0)
    theory = 4 * np.sqrt(length / G) * ellipk(np.sin(amplitude / 2) ** 2)
    return _case(
        f"pendulum swings {amplitude_deg:g}°", float(theory), float(np.diff(crossings).mean()), "s", clock.rate
    )


def all_cases() -> tuple[Case, ...]:
    """Every comparison; about 3 s on one core."""
    return (
        *(rolling(angle) for angle in (10.0, 20.0, 30.0)),
        cylinder(20.0),
        *(sliding(angle, friction) for angle, friction in ((20.0, 0.2), (30.0, 0.3))),
        *(holding(angle) for angle in (15.0, 25.0)),
        creeping(20.0),
        stopping(3.0, 0.4),
        rolling_out(1.0, 0.004),
        *falling(0.75, 1.5),
        *falling(2.0, 3.0),
        *(bouncing(restitution) for restitution in (0.3, 0.5, 0.7, 0.9)),
        *colliding(0.9, (1.0, 1.0)),
        *colliding(0.3, (1.0, 3.0)),
        stacking(5),
        overhanging(),
        *(toppling(angle) for angle in (15.0, 25.0)),
        *(swinging(angle) for angle in (10.0, 90.0)),
    )


def _threshold(happens: Callable[[float], bool], low: float, high: float) -> float:
    """The value between the two at which the outcome changes, to a thousandth of their distance."""
    at_low = happens(low)
    for _ in range(10):
        middle = (low + high) / 2
        if happens(middle) == at_low:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _case(name: str, theory: float, found: float, unit: str, rate: float, step_s: float = STEP_S) -> Case:
    return Case(name=name, theory=float(theory), simulated=found, unit=unit, timestep_s=step_s, steps_per_s=rate)
