"""A drive in the making: street, traffic and camera put together, checked, and turned into a staged clip."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from video3d.data.simulate.asset import Asset, AssetLibrary
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.scene import BuiltScene, Surface
from video3d.data.simulate.stage import (
    CHANGE,
    RECORD_S,
    CameraAt,
    Drive,
    StageConfig,
    StagedClip,
    StagingFailed,
    Start,
    changed_starts,
    frame_times,
    intrinsics,
    nominal_start,
)
from video3d.data.simulate.street import build_street
from video3d.data.simulate.street_fleet import Fleet
from video3d.data.simulate.street_plan import StreetPlan
from video3d.data.simulate.street_things import Furnisher
from video3d.data.simulate.traffic import Mount, Mover, collisions, mounted, scripted, together
from video3d.data.simulate.traffic_path import Path, Profile
from video3d.data.truth import SignalTruth

Viewer = Literal["person", "robot", "car"]

EGO_HALF_M = (2.2, 0.9)
"""Half length and breadth of the camera's car, which is not drawn."""
FAR_M = 160.0
_AFTER_S = 3.4  # simulated beyond the last frame shown


class Draft:
    """Collects what moves on a street; ``staged`` checks it and makes the clip."""

    def __init__(
        self,
        rng: np.random.Generator,
        library: AssetLibrary,
        config: StageConfig,
        plan: StreetPlan,
        *,
        every_s: tuple[float, float] = (0.12, 0.24),
        timestep_s: float = RECORD_S,
        road: Surface | None = None,
    ) -> None:
        self.rng, self.config, self.plan = rng, config, plan
        self.builder = SceneBuilder(timestep_s=timestep_s, far_m=FAR_M)
        self.fleet = Fleet(rng, library, config)
        self.street = build_street(self.builder, rng, plan, road=road)
        self.things = Furnisher(self.builder, rng, self.street, self.fleet)
        self.times_s = frame_times(config.num_frames, float(rng.uniform(*every_s)))
        self.end_s = float(np.ceil((self.times_s[-1] + _AFTER_S) / RECORD_S) * RECORD_S)
        self.movers: list[Mover] = []
        self.ego: Mover | None = None

    @property
    def last_s(self) -> float:
        """Time of the last frame shown."""
        return float(self.times_s[-1])

    def move(
        self, asset: Asset, path: Path, profile: Profile, start_m: float, *, sign: int = 1, scale: float = 1.0
    ) -> int:
        """Puts an asset on a path; returns its object id."""
        x, y, yaw = (float(v) for v in path.at(start_m))
        z = float(self.plan.ground_m(np.array([x, y])))
        object_id = self.builder.asset(asset, (x, y, z), yaw + np.pi / 2, motion="scripted", scale=scale)
        half = (float(asset.size_m[1]) * scale / 2, float(asset.size_m[0]) * scale / 2)
        self.movers.append(
            Mover(object_id=object_id, path=path, profile=profile, start_m=start_m, half_m=half, sign=sign)
        )
        self.street.add("moving", object_id)
        return object_id

    def try_move(
        self, asset: Asset, path: Path, profile: Profile, start_m: float, *, sign: int = 1, margin_m: float = 0.5
    ) -> int | None:
        """Like ``move``, but None where it would come near anything that is there already."""
        half = (float(asset.size_m[1]) / 2, float(asset.size_m[0]) / 2)
        mover = Mover(object_id=0, path=path, profile=profile, start_m=start_m, half_m=half, sign=sign)
        standing = np.array(self.street.standing, dtype=np.float64).reshape(-1, 5)
        others = tuple(self.movers) if self.ego is None else (self.ego, *self.movers)
        fits = not collisions((mover, *others), standing, self.end_s, margin_m=margin_m, only_first=True)
        self.fleet.used(asset, fits)
        if not fits:
            return None
        return self.move(asset, path, profile, start_m, sign=sign)

    def drive_ego(
        self, path: Path, profile: Profile, start_m: float, *, half_m: tuple[float, float] = EGO_HALF_M
    ) -> Mover:
        """The camera's own way."""
        self.ego = Mover(object_id=0, path=path, profile=profile, start_m=start_m, half_m=half_m)
        return self.ego

    def car_mount(self) -> tuple[Mount, float]:
        """A camera behind the windscreen, and its horizontal field of view in degrees."""
        rng = self.rng
        mount = Mount(
            height_m=float(rng.uniform(1.2, 1.5)),
            ahead_m=float(rng.uniform(0.3, 0.9)),
            pitch_rad=float(rng.uniform(-0.03, 0.05)),
        )
        return mount, float(rng.uniform(56.0, 70.0))

    def staged(
        self,
        scenario: str,
        *,
        viewer: Viewer,
        mount: Mount | None = None,
        fov_deg: float,
        camera: CameraAt | None = None,
        must_see: tuple[int, ...] = (),
        signal: SignalTruth | None = None,
        velocities: dict[int, tuple[float, ...]] | None = None,
        engine: Callable[[BuiltScene], Drive] | None = None,
    ) -> StagedClip:
        """The clip. Errors: ``StagingFailed`` where anything would come too near anything."""
        everyone = tuple(self.movers) if self.ego is None else (self.ego, *self.movers)
        standing = np.array(self.street.standing, dtype=np.float64).reshape(-1, 5)
        hits = collisions(everyone, standing, self.end_s)
        if hits:
            raise StagingFailed(f"{scenario}: traffic would touch {hits[:3]}")
        scene = self.builder.compile()
        if camera is None:
            if self.ego is None or mount is None:
                raise StagingFailed(f"{scenario}: no camera")
            camera = mounted(self.ego, mount, self.plan.ground_m)
        start = nominal_start(scene, velocities)
        script = scripted(scene, tuple(self.movers), self.plan.ground_m, self.end_s)
        if velocities:
            starts = changed_starts(scene, start, self.rng, num=4, ids=tuple(velocities))
        else:
            starts = (start, *(Start(qpos=start.qpos, qvel=start.qvel, change=c) for c in (CHANGE, -CHANGE)))
        supports = {k: v for k, v in self.street.supports.items() if k not in (velocities or {})}
        return StagedClip(
            scene=scene,
            domain="street",
            scenario=scenario,
            viewer=viewer,
            scene_id=f"street-{int(self.rng.integers(1 << 48)):012x}",
            starts=starts,
            times_s=self.times_s,
            end_s=self.end_s,
            camera=camera,
            k_px=intrinsics(self.config.size_hw, fov_deg),
            size_hw=self.config.size_hw,
            drive=together(script, None if engine is None else engine(scene)),
            must_see=must_see,
            supports=supports,
            signal=signal,
        )
