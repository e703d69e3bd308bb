"""Tours: someone or a robot walks through a furnished room; now and then something drives about on the floor."""

from dataclasses import replace

import numpy as np

from video3d.data.simulate.asset import AssetLibrary
from video3d.data.simulate.builder import SceneBuilder
from video3d.data.simulate.camera_paths import MAX_TURN_RAD_S, CameraPlanner, CameraWay, Kind, Shot, Viewer
from video3d.data.simulate.camera_sight import Sight
from video3d.data.simulate.floor_mover import MOVERS, FloorMover, add_mover
from video3d.data.simulate.floor_plan import Footprint, Room
from video3d.data.simulate.furnish import furnish_room
from video3d.data.simulate.scene import BuiltScene
from video3d.data.simulate.stage import (
    StageConfig,
    StagedClip,
    StagingFailed,
    changed_starts,
    frame_times,
    intrinsics,
    nominal_start,
)

_KINDS: tuple[tuple[Kind, float], ...] = (
    ("approach", 0.30), ("turn", 0.2), ("around", 0.14), ("slide", 0.12), ("route", 0.18), ("stand", 0.06),
)  # fmt: skip
# Not around: what drives crosses the circle.
_WITH_MOVER: tuple[tuple[Kind, float], ...] = (("stand", 0.4), ("turn", 0.2), ("slide", 0.4))
_DRAWS, _ENOUGH = 60, 12
_LEAST_SEEN, _LEAST_WITH_MOVER = 7, 5  # a camera that stands and watches sees less of the room
_AFTER_S = 3.0
_FOLLOWS = 0.6  # of the cameras that watch something drive turn after it


def stage_tour(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A walk through a furnished room. Errors: ``StagingFailed`` where no way shows enough."""
    return _stage(rng, library, config, with_mover=False)


def stage_tour_mover(rng: np.random.Generator, library: AssetLibrary, config: StageConfig) -> StagedClip:
    """A room in which a toy drives over the floor. Errors: ``StagingFailed`` where there is no way for it."""
    return _stage(rng, library, config, with_mover=True)


def _stage(
    rng: np.random.Generator, library: AssetLibrary, config: StageConfig, *, with_mover: bool
) -> StagedClip:  # fmt: skip
    scene_id = f"room-{int(rng.integers(1 << 48)):012x}"
    times = frame_times(config.num_frames, float(rng.uniform(0.16, 0.4)))
    shown, end = float(times[-1]), float(times[-1]) + _AFTER_S
    viewer: Viewer = "person" if rng.random() < 0.55 else "robot"
    height = float(rng.uniform(1.42, 1.68) if viewer == "person" else rng.uniform(0.45, 1.15))
    shot = Shot(viewer=viewer, height_m=height, shown_s=shown, end_s=end)
    k_px = intrinsics(config.size_hw, float(rng.uniform(62, 84)))
    builder = SceneBuilder()
    still = tuple(asset for asset in library.assets if asset.category not in MOVERS)
    room = furnish_room(builder, rng, replace(library, assets=still) if with_mover else library, config)
    mover = add_mover(builder, rng, library, config, room, end) if with_mover else None
    scene = builder.compile()
    walls = room if mover is None else replace(room, footprints=(*room.footprints, mover.swept))
    way = _best_way(rng, walls, shot, scene, k_px, config, times, mover)
    change = changed_starts(scene, nominal_start(scene), rng, num=2)
    return StagedClip(
        scene=scene,
        domain="indoor",
        scenario="tour" if mover is None else "tour_mover",
        viewer=viewer,
        scene_id=scene_id,
        starts=change,
        times_s=times,
        end_s=end,
        camera=way.camera(),
        k_px=k_px,
        size_hw=config.size_hw,
        drive=None if mover is None else mover.drive(),
        must_see=() if mover is None else (mover.object_id,),
        supports=room.supports | ({} if mover is None else {mover.object_id: 0}),
        inside=room.inside,
        room=room.truth,
    )


def _best_way(
    rng: np.random.Generator,
    room: Room,
    shot: Shot,
    scene: BuiltScene,
    k_px: np.ndarray,
    config: StageConfig,
    times_s: np.ndarray,
    mover: FloorMover | None,
) -> CameraWay:
    """The way that shows most, of a kind drawn by weight. Errors: ``StagingFailed``."""
    sight, planner = Sight(scene, k_px, config.size_hw), CameraPlanner(room, shot, rng)
    targets = _targets(room, scene)
    if not targets:
        raise StagingFailed("tour: nothing to look at")
    kinds, weights = zip(*(_KINDS if mover is None else _WITH_MOVER), strict=True)
    order = [kinds[i] for i in rng.choice(len(kinds), len(kinds), replace=False, p=np.array(weights) / sum(weights))]
    most, least = 0, _LEAST_SEEN if mover is None else _LEAST_WITH_MOVER
    for kind in order[:3]:  # another kind where this one does not work out in this room
        best: tuple[float, CameraWay] | None = None
        found = 0
        for _ in range(_DRAWS):
            way = planner.draw(kind, targets if mover is None else (mover.watched(shot.shown_s),))
            if way is not None and mover is not None and kind in ("stand", "slide") and rng.random() < _FOLLOWS:
                way = mover.followed(way)
            if way is None or way.turn_rates().max(initial=0.0) > MAX_TURN_RAD_S:
                continue
            found += 1
            score = _score(sight, way, times_s, mover)
            most = max(most, int(score))
            if best is None or score > best[0]:
                best = (score, way)
            if found >= _ENOUGH:
                break
        if best is not None and best[0] >= least:
            return best[1]
    raise StagingFailed(f"tour: no way shows {least} things, the best {most}")


def _score(sight: Sight, way: CameraWay, times_s: np.ndarray, mover: FloorMover | None) -> float:
    """Number of things that are well seen in at least two frames; 0 where what the clip is about is not."""
    seen = sight.well_seen(way.camera(), times_s)
    if mover is not None and not mover.in_view(way.camera(), times_s, sight):
        return 0.0
    if way.kind in ("approach", "around", "stand") and way.target_id and seen.get(way.target_id, 0) < 2:
        return 0.0
    return float(sum(count >= 2 for count in seen.values()))


def _targets(room: Room, scene: BuiltScene) -> tuple[Footprint, ...]:
    """Furniture, doors and plants of some size: what one would walk up to."""
    kinds = {placed.object_id: placed.kind for placed in scene.objects}
    return tuple(
        p
        for p in room.footprints
        if kinds.get(p.object_id) in ("furniture", "structure", "plant")
        and p.bottom_m < 0.3
        and p.top_m > 0.3
        and max(p.half_m) > 0.15
    )
