"""Something that drives over the floor of a room by a script: a toy or a cart on a straight way, at one speed or braking."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.camera_paths import CameraWay
from video3d.data.simulate.camera_sight import Sight
from video3d.data.simulate.cart import cart
from video3d.data.simulate.floor_plan import Footprint, Room
from video3d.data.simulate.floor_way import FloorWays
from video3d.data.simulate.furnisher import yaw_facing
from video3d.data.simulate.scene import yaw_quat
from video3d.data.simulate.stage import CameraAt, Drive, StageConfig, StagingFailed
from video3d.vocabulary import COLORS

_LIFT_M = 0.001
_TRIES = 60
MOVERS = ("toy car", "toy train", "tricycle", "cart")
"""What may drive about. A room that one of them drives in holds no other of its name, or ``the tricycle`` would be either."""

_COLORS = tuple(c.name for c in COLORS if c.name not in ("white", "grey", "brown"))  # of a cart
_IN_VIEW = 0.7  # of the frames
_LEAST_PX = 130.0  # of its outline, where the picture is 224 pixels wide


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorMover:
    """A thing and its script.

    Attributes:
        object_id: in the scene.
        body: its body's name.
        start_m: where it is at time 0, on the floor.
        way: unit vector of its direction.
        yaw_rad: its turn.
        speed_mps: until it brakes.
        length_m: how far it goes at all; it brakes over the last 0.2 m.
        swept: the floor that it drives over, under its own object id.
    """

    object_id: int
    body: str
    start_m: Float64[np.ndarray, "2"]
    way: Float64[np.ndarray, "2"]
    yaw_rad: float
    speed_mps: float
    length_m: float
    swept: Footprint

    def place(self, time_s: float) -> Float64[np.ndarray, "2"]:
        """Where it is on the floor at a time."""
        brake = min(0.2, self.length_m / 2)
        late = max(time_s - (self.length_m - brake) / self.speed_mps, 0.0)
        u = min(late * self.speed_mps / (2 * brake), 1.0)
        return self.start_m + self.way * (min(time_s * self.speed_mps, self.length_m - brake) + brake * (2 * u - u * u))

    def set(self, model: Any, data: Any, time_s: float) -> None:
        """Puts its body where it is at a time."""
        mocap = int(model.body_mocapid[model.body(self.body).id])
        data.mocap_pos[mocap] = [*self.place(time_s), _LIFT_M]
        data.mocap_quat[mocap] = yaw_quat(self.yaw_rad)

    def drive(self) -> Drive:
        """Its script; a change of 0.02 makes it 2 % faster."""

        def drive(model: Any, data: Any, time_s: float, change: float) -> None:
            self.set(model, data, time_s * (1 + change))

        return drive

    def watched(self, until_s: float) -> Footprint:
        """The floor about the middle of where it drives until a time: what a camera looks at.

        Not ``swept``: that is as long as a room, and a camera that keeps its distance from the whole of it finds no place.
        """
        x, y = (self.place(0.0) + self.place(until_s)) / 2
        half = self.swept.half_m[0]
        return Footprint(
            object_id=self.object_id, center_m=(float(x), float(y)), half_m=(half, half), yaw_rad=self.yaw_rad,
            bottom_m=0.0, top_m=self.swept.top_m,
        )  # fmt: skip

    def followed(self, way: CameraWay) -> CameraWay:
        """The same way with the gaze turning after it, as somebody does who watches something drive by."""
        places = np.stack([self.place(float(time)) for time in way.times_s])
        aim = places - way.eye_m[:, :2]
        yaw = np.unwrap(np.arctan2(aim[:, 1], aim[:, 0]))
        down = np.arctan2(self.swept.top_m / 2 - way.eye_m[:, 2], np.maximum(np.linalg.norm(aim, axis=1), 1.0))
        return replace(
            way,
            yaw_rad=yaw + way.yaw_rad - way.yaw_rad.mean(),  # the hand's own sway stays
            pitch_rad=np.clip(way.pitch_rad + 0.55 * (down - down.mean()), -0.5, 0.2),
        )

    def in_view(self, camera: CameraAt, times_s: Float64[np.ndarray, "f"], sight: Sight) -> bool:
        """Whether in most frames its middle is in the picture, is not hidden, and it looks large enough to be followed."""
        shown = []
        for pose, time in zip(camera(times_s, 0.0), times_s, strict=True):
            middle = np.array([*self.place(float(time)), self.swept.top_m * 0.6])
            large = sight.outline_px(pose, middle, self._size_m()) >= _LEAST_PX
            shown.append(large and sight.sees(pose, middle, self.object_id))
        return float(np.mean(shown)) >= _IN_VIEW

    def _size_m(self) -> Float64[np.ndarray, "3"]:
        return np.array([2 * self.swept.half_m[0], 2 * self.swept.half_m[1] - self.length_m, self.swept.top_m])


def add_mover(
    builder: SceneBuilder,
    rng: np.random.Generator,
    library: AssetLibrary,
    config: StageConfig,
    room: Room,
    end_s: float,
) -> FloorMover:
    """Adds a toy or a cart with a free straight way before it. Errors: ``StagingFailed`` where there is none."""
    toys = [a for a in library.of(*MOVERS, test=config.split == "test") if float(a.size_m[:2].max()) < 1.0]
    asset = toys[int(rng.integers(len(toys)))] if toys and rng.random() < 0.6 else None
    if asset is None:
        asset, scale = cart(_COLORS[int(rng.integers(len(_COLORS)))]), float(rng.uniform(0.9, 1.3))
    else:
        scale = float(rng.uniform(1.0, 1.35)) if asset.size_m[2] < 0.3 else 1.0
    size = asset.size_m * scale
    ways = FloorWays(room, 0.02, float(size[2]) + 0.05, float(np.linalg.norm(size[:2])) / 2 + 0.04)
    speed, length, found = float(rng.uniform(0.2, 0.55)), 0.0, None
    for _ in range(_TRIES):
        start, goal = ways.spot(rng), ways.spot(rng)
        if start is None or goal is None or float(np.linalg.norm(goal - start)) < 0.8:
            continue
        free = ways.free_along(start, goal)
        if free > length:
            length, found = free, (start, (goal - start) / np.linalg.norm(goal - start))
        if length > 2.6:
            break
    if found is None or length < 1.0:
        raise StagingFailed("tour: no way for something to drive")
    start, way = found
    # It drives on for all of the clip and the future, or comes to rest while it is watched.
    length = min(length, speed * end_s * 1.05 + 0.2)
    yaw = yaw_facing(way)
    at = (float(start[0]), float(start[1]), _LIFT_M)
    object_id = builder.asset(asset, at, yaw, motion="scripted", scale=scale)
    middle = start + way * length / 2
    swept = Footprint(
        object_id=object_id,
        center_m=(float(middle[0]), float(middle[1])),
        half_m=(float(size[0] / 2), float(length / 2 + size[1] / 2)),
        yaw_rad=yaw,
        bottom_m=0.0,
        top_m=float(size[2]),
    )
    return FloorMover(
        object_id=object_id, body=f"object{object_id}", start_m=start, way=way, yaw_rad=yaw, speed_mps=speed,
        length_m=length, swept=swept,
    )  # fmt: skip
