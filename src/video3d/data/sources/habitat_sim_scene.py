"""habitat-sim behind a narrow interface: a scene that can be walked through and looked at, and its annotated objects.

Habitat is right-handed with y up, a camera looks along its -z; ``video3d.data.sources.habitat`` turns that into the house's world.
Names and fields as of habitat-sim 0.3 (https://aihabitat.org/docs/habitat-sim); what earlier versions call otherwise is asked for too.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from video3d.types import InputError

OBTAIN = "conda install habitat-sim -c conda-forge -c aihabitat (headless where there is no display)"
CAMERA_HEIGHT_M, FIELD_OF_VIEW_DEG = 1.4, 79.0
_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HabitatView:
    """What a camera sees, in Habitat's axes.

    Attributes:
        rgb: colours.
        depth_m: z-depth, 0 where nothing is.
        semantic: semantic id of every pixel, or None for scenes without annotation.
        position: of the camera.
        rotation_wxyz: world from camera (x right, y up, looking along -z).
        hfov_deg: horizontal field of view.
    """

    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float32[np.ndarray, "h w"]
    semantic: Int64[np.ndarray, "h w"] | None
    position: Float64[np.ndarray, "3"]
    rotation_wxyz: Float64[np.ndarray, "4"]
    hfov_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HabitatObject:
    """An annotated object in Habitat's axes; ``size`` is along the axes of ``rotation_xyzw``."""

    semantic_id: int
    category: str
    center: Float64[np.ndarray, "3"]
    size: Float64[np.ndarray, "3"]
    rotation_xyzw: Float64[np.ndarray, "4"]


@runtime_checkable
class HabitatScene(Protocol):
    """What the builder needs of a simulator."""

    def objects(self) -> list[HabitatObject]:
        """All annotated objects; none where the scene has no annotation."""
        ...

    def walk(self, seed: int) -> Float64[np.ndarray, "n 3"]:
        """Corners of a way over the floor, decided by the seed."""
        ...

    def look(self, place: Float64[np.ndarray, "3"], yaw_rad: float) -> HabitatView:
        """The view from above a place on the floor, turned about +y; at 0 one looks along -z."""
        ...

    def close(self) -> None:
        """Ends the simulator."""
        ...


class SimulatedScene:
    """A scene opened with habitat-sim.

    Errors: ``InputError`` where habitat-sim is not installed, or cannot open the scene.
    """

    def __init__(self, mesh: Path, config: Path | None, size_hw: tuple[int, int]) -> None:
        try:
            import habitat_sim  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise InputError("habitat-sim", expected="the package", got="none", do=OBTAIN) from error
        self._habitat: Any = habitat_sim
        backend = habitat_sim.SimulatorConfiguration()
        backend.scene_id = str(mesh)
        if config is not None:
            backend.scene_dataset_config_file = str(config)
        sensors = []
        for uuid, kind in (("color", "COLOR"), ("depth", "DEPTH"), ("semantic", "SEMANTIC")):
            sensor = habitat_sim.CameraSensorSpec()
            sensor.uuid, sensor.sensor_type = uuid, getattr(habitat_sim.SensorType, kind)
            sensor.resolution, sensor.position = list(size_hw), [0.0, CAMERA_HEIGHT_M, 0.0]
            sensor.hfov = FIELD_OF_VIEW_DEG
            sensors.append(sensor)
        agent = habitat_sim.agent.AgentConfiguration()
        agent.sensor_specifications = sensors
        try:
            self._sim: Any = habitat_sim.Simulator(habitat_sim.Configuration(backend, [agent]))
        except Exception as error:  # the C++ side raises many kinds
            got = f"{type(error).__name__}: {error}"[:160]
            raise InputError(mesh, expected="a scene that habitat-sim opens", got=got) from error
        if not self._sim.pathfinder.is_loaded:
            self._sim.close()
            raise InputError(
                mesh, expected="a navmesh beside the scene", got="none", do="download the .navmesh files too"
            )

    def objects(self) -> list[HabitatObject]:
        """Annotated objects with a box; those whose box is empty in the annotation are left out."""
        out = []
        for item in self._sim.semantic_scene.objects if self._sim.semantic_scene else ():
            if item is None or item.category is None:
                continue
            box = item.obb
            size = np.array(
                getattr(box, "sizes", None) if hasattr(box, "sizes") else 2 * np.array(box.half_extents), float
            )
            semantic_id = getattr(item, "semantic_id", None)
            if semantic_id is None:
                semantic_id = int(str(item.id).rpartition("_")[2])
            if (size > 0).all() and np.isfinite(size).all():
                out.append(
                    HabitatObject(
                        semantic_id=int(semantic_id),
                        category=str(item.category.name()),
                        center=np.array(box.center, np.float64),
                        size=size,
                        rotation_xyzw=np.array(box.rotation, np.float64),
                    )
                )
        return out

    def walk(self, seed: int) -> Float64[np.ndarray, "n 3"]:
        """The longest of some shortest ways between places chosen by the seed, all on the floor where the first one is."""
        pathfinder = self._sim.pathfinder
        pathfinder.seed(seed)
        best, longest = np.array([pathfinder.get_random_navigable_point()], np.float64), 0.0
        for _ in range(_TRIES):
            path = self._habitat.ShortestPath()
            path.requested_start = best[0]
            path.requested_end = pathfinder.get_random_navigable_point()
            if pathfinder.find_path(path) and path.geodesic_distance > longest:
                points = np.array(path.points, np.float64)
                if np.ptp(points[:, 1]) < 0.5:  # not over the stairs: the floor's height is that of the walk
                    best, longest = points, float(path.geodesic_distance)
        return best

    def look(self, place: Float64[np.ndarray, "3"], yaw_rad: float) -> HabitatView:
        """Puts the agent down and reads its sensors."""
        agent = self._sim.get_agent(0)
        state = self._habitat.AgentState()
        state.position = place.astype(np.float32)
        state.rotation = self._habitat.utils.common.quat_from_angle_axis(yaw_rad, np.array([0.0, 1.0, 0.0]))
        agent.set_state(state)
        seen = self._sim.get_sensor_observations()
        sensor = agent.get_state().sensor_states["color"]
        rotation = sensor.rotation
        has_objects = bool(self._sim.semantic_scene and self._sim.semantic_scene.objects)
        return HabitatView(
            rgb=np.array(seen["color"])[..., :3].astype(np.uint8),
            depth_m=np.array(seen["depth"], np.float32),
            semantic=np.array(seen["semantic"]).astype(np.int64) if has_objects else None,
            position=np.array(sensor.position, np.float64),
            rotation_wxyz=np.array([rotation.w, rotation.x, rotation.y, rotation.z], np.float64),
            hfov_deg=FIELD_OF_VIEW_DEG,
        )

    def close(self) -> None:
        """Frees the simulator's GPU context."""
        self._sim.close()
