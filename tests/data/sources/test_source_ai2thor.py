"""AI2-THOR from events as its documentation has them: a stand-in for the simulator that ray-casts the toy scene in Unity's axes."""

import gzip
import json
import math

import numpy as np
import pytest
from format_writers import save
from toy_scene import Toy, box, check_visible, corners_agree, look, render

from video3d.data.sources import ai2thor
from video3d.data.sources.ai2thor_events import box_of_corners, camera_pose, immediate_parent, object_box
from video3d.data.sources.build import build_source
from video3d.data.sources.walk import grid_walk, seeded, views_along
from video3d.data.store import open_dataset
from video3d.geometry.boxes import box_corners
from video3d.types import InputError

SIZE = (48, 64)
NAMES = [
    "DiningTable|+02.00|+00.40|+00.30",
    "Bowl|+02.00|+00.86|+00.30",
    "Apple|+02.00|+00.88|+00.30",
    "Chair|+00.20|+00.45|-01.00",
]
TYPES = ["DiningTable", "Bowl", "Apple", "Chair"]
BOXES = [
    box([2.0, 0.3, 0.4], [0.8, 1.2, 0.8]),  # ours: x, y (Unity's z), z (Unity's y)
    box([2.0, 0.3, 0.86], [0.3, 0.3, 0.12]),
    box([2.0, 0.3, 0.88], [0.08, 0.08, 0.08], 0.4),
    box([0.2, -1.0, 0.45], [0.5, 0.5, 0.9], 0.3),
]
COLORS = [(10, 20, 30), (200, 10, 60), (66, 77, 88), (1, 2, 3)]


class Event:
    def __init__(self, metadata, frame=None, depth=None, segmentation=None):
        self.metadata = metadata
        self.frame, self.depth_frame, self.instance_segmentation_frame = frame, depth, segmentation
        self.object_id_to_color = dict(zip(NAMES, COLORS, strict=True))


def xyz(x, y, z):
    return {"x": float(x), "y": float(y), "z": float(z)}


def metadata_object(name, kind, b, *, parents=None, oriented=False, **more):
    unity = box_corners(b)[:, [0, 2, 1]]
    low, high = unity.min(0), unity.max(0)
    order = [0, 1, 3, 2, 4, 5, 7, 6]  # Unity's own order goes around faces
    return {
        "name": name, "objectId": name, "objectType": kind, "visible": True, "parentReceptacles": parents, "openable": False,
        "position": xyz(*(low + high) / 2), "rotation": xyz(0, 0, 0),
        "axisAlignedBoundingBox": {
            "cornerPoints": unity.tolist(), "center": xyz(*(low + high) / 2), "size": xyz(*(high - low)),
        },
        "objectOrientedBoundingBox": {"cornerPoints": unity[order].tolist()} if oriented else None,
        **more,
    }  # fmt: skip


OBJECTS = [
    metadata_object(NAMES[0], TYPES[0], BOXES[0], parents=["Floor|+00.00|+00.00|+00.00"]),
    metadata_object(NAMES[1], TYPES[1], BOXES[1], parents=[NAMES[0]], oriented=True),
    metadata_object(NAMES[2], TYPES[2], BOXES[2], parents=[NAMES[0], NAMES[1]], oriented=True),
    metadata_object(NAMES[3], TYPES[3], BOXES[3], parents=["Floor|+00.00|+00.00|+00.00"], oriented=True),
    metadata_object("Floor|+00.00|+00.00|+00.00", "Floor", box([0, 0, -0.01], [6, 6, 0.02])),
]


class Simulator:
    """Answers GetReachablePositions and TeleportFull as the documentation says."""

    def __init__(self, scene, size_hw, reachable=None):
        self.scene, self.size_hw, self.stopped = scene, size_hw, False
        grid = [xyz(0.25 * i, 0.9, 0.25 * j) for i in range(-6, 4) for j in range(-3, 6)]
        self.reachable = grid if reachable is None else reachable

    def step(self, action, **options):
        if action == "GetReachablePositions":
            return Event({"actionReturn": self.reachable, "lastActionSuccess": True})
        assert action == "TeleportFull"
        x, z, turn, down = options["x"], options["z"], options["rotation"]["y"], options["horizon"]
        # The camera, in our world, worked out apart from the code: clockwise turn from Unity's z, which is our y.
        pose = look([x, z, 1.575], math.pi / 2 - math.radians(turn), math.radians(down))
        focal = self.size_hw[0] / 2 / math.tan(math.radians(45))
        k = np.array([[focal, 0, self.size_hw[1] / 2], [0, focal, self.size_hw[0] / 2], [0, 0, 1]])
        rgb, depth_m, ids = render(Toy(TYPES, BOXES, k, pose[None], self.size_hw))
        colors = np.zeros((*self.size_hw, 3), np.uint8)
        for number, color in enumerate(COLORS, start=1):
            colors[ids[0] == number] = color
        metadata = {
            "lastActionSuccess": True, "errorMessage": "", "sceneName": self.scene, "fov": 90.0, "objects": OBJECTS,
            "cameraPosition": xyz(x, 1.575, z),
            "agent": {"position": xyz(x, 0.9, z), "rotation": xyz(0, turn, 0), "cameraHorizon": down, "isStanding": True},
        }  # fmt: skip
        return Event(metadata, rgb[0], np.nan_to_num(depth_m[0], nan=20.0), colors)

    def stop(self):
        self.stopped = True


@pytest.fixture
def simulator(monkeypatch):
    made = []

    def start(scene, size_hw):
        made.append(Simulator(scene, size_hw))
        return made[-1]

    monkeypatch.setattr(ai2thor, "open_controller", start)
    return made


def read(root, name="FloorPlan1", num_clips=1):
    ref = next(r for r in ai2thor.scenes(root) if r.name == name)
    return ai2thor.read_scene(root, ref, num_frames=6, size_hw=SIZE, num_clips=num_clips)


def test_a_walk_comes_back_in_our_world(simulator, tmp_path):
    (clip,) = read(tmp_path)
    truth = clip.truth
    assert simulator[0].stopped and truth.clip_id == "ai2thor-floorplan1-00" and truth.split == "train"
    by = {o.category: o for o in truth.objects}
    assert sorted(by) == ["apple", "bowl", "chair", "table"]
    for name, b in zip(("table", "bowl", "apple", "chair"), BOXES, strict=True):
        corners_agree(by[name].box(), b, atol=1e-6)
        assert abs(np.linalg.det(by[name].world_from_object[0, :3, :3]) - 1) < 1e-9  # handedness
    assert by["table"].supported_by == 0 and by["bowl"].supported_by == by["table"].object_id
    assert by["apple"].supported_by == by["bowl"].object_id == by["apple"].inside_of and by["bowl"].inside_of is None
    assert len(np.unique(truth.world_from_camera[:, :3, 3].round(3), axis=0)) > 3  # it walked
    assert (np.diff(truth.times_s) > 0).all()


def test_depth_masks_and_poses_agree_with_each_other(simulator, tmp_path):
    for clip in read(tmp_path, num_clips=2):
        truth = clip.truth
        checked = 0
        for frame in range(truth.num_frames):
            rows, columns = np.nonzero(clip.instance[frame] == truth.objects[-1].object_id)
            rays = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))], 1) @ np.linalg.inv(truth.k_px[frame]).T
            points = rays * clip.depth_m[frame][rows, columns][:, None]
            world = points @ truth.world_from_camera[frame, :3, :3].T + truth.world_from_camera[frame, :3, 3]
            thing = truth.objects[-1].box()
            local = (world - thing.center_world) @ thing.world_from_box
            assert (np.abs(local) <= thing.size_m / 2 + 1e-4).all()  # what is seen of the table lies on its box
            checked += len(rows)
        assert truth.objects[-1].category == "table" and checked > 20
        scene = Toy(
            ["table", "bowl", "apple", "chair"], BOXES, truth.k_px[0], truth.world_from_camera, SIZE
        )  # fmt: skip
        check_visible(truth, scene, render(scene)[2], tolerance=0.0)


def test_the_same_walk_each_time_and_another_for_another_clip(simulator, tmp_path):
    one, two = read(tmp_path, num_clips=2)
    again = read(tmp_path, num_clips=1)[0]
    np.testing.assert_array_equal(one.truth.world_from_camera, again.truth.world_from_camera)
    assert not np.allclose(one.truth.world_from_camera, two.truth.world_from_camera)


@pytest.mark.parametrize(("turn", "ahead"), [(0, [0, 1, 0]), (90, [1, 0, 0]), (180, [0, -1, 0]), (270, [-1, 0, 0])])
def test_turns_are_clockwise_from_unitys_z(turn, ahead):
    metadata = {"agent": {"rotation": xyz(0, turn, 0), "cameraHorizon": 0.0}, "cameraPosition": xyz(1, 2, 3)}
    pose = camera_pose(metadata)
    np.testing.assert_allclose(pose[:3, 2], ahead, atol=1e-12)
    np.testing.assert_allclose(pose[:3, 1], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(pose[:3, 3], [1, 3, 2])
    assert abs(np.linalg.det(pose) - 1) < 1e-12
    metadata["agent"]["cameraHorizon"] = 30.0
    assert camera_pose(metadata)[2, 2] == pytest.approx(-0.5)  # positive looks down


def test_a_recorded_apple():
    """Corner points as a real event had them, in Unity's order."""
    corners = [
        [-1.1608015, 0.9170721, -0.0358212], [-1.1648639, 1.0042650, -0.0324487], [-1.0973300, 1.0095447, -0.0876010],
        [-1.0932676, 0.9223518, -0.0909735], [-1.0883988, 0.9170164, 0.0528304], [-1.0924612, 1.0042094, 0.0562030],
        [-1.0249274, 1.0094892, 0.0010506], [-1.0208648, 0.9222962, -0.0023219],
    ]  # fmt: skip
    found = object_box({"objectId": "Apple", "objectOrientedBoundingBox": {"cornerPoints": corners}})
    np.testing.assert_allclose(sorted(found.size_m), [0.0874, 0.0874, 0.1144], atol=2e-3)
    np.testing.assert_allclose(found.center_world, np.mean(corners, axis=0)[[0, 2, 1]], atol=1e-6)
    assert found.world_from_box[2, 2] > 0.99 and abs(np.linalg.det(found.world_from_box) - 1) < 1e-6


def test_corners_in_any_order(rng):
    b = box([1, 2, 3], [0.3, 1.1, 0.7], 0.8)
    for _ in range(10):
        corners_agree(box_of_corners(rng.permutation(box_corners(b))), b, atol=1e-9)
    assert box_of_corners(np.zeros((8, 3))) is None


def test_immediate_parent():
    items = {"Bowl": {"parentReceptacles": ["Table", "Floor"]}, "Table": {"parentReceptacles": ["Floor"]}, "Floor": {}}
    assert immediate_parent({"parentReceptacles": ["Floor", "Table", "Bowl"]}, items) == "Bowl"
    assert immediate_parent({"parentReceptacles": None}, items) is None


def test_walks_stay_on_the_grid_and_look_where_they_go():
    places = np.array([[0.25 * i, 0.25 * j] for i in range(12) for j in range(8) if not (i == 6 and j < 6)])
    way = grid_walk(places, seeded("FloorPlan1-0"), step_m=0.25)
    assert np.linalg.norm(np.diff(way, axis=0), axis=1).max() < 0.26  # around the wall, not through it
    assert np.ptp(way, axis=0).min() > 1.0
    views, yaw, gone = views_along(way, 16, look_around_rad=0.0)
    moves = np.diff(views, axis=0)
    cosine = (moves[:, 0] * np.cos(yaw[:-1]) + moves[:, 1] * np.sin(yaw[:-1])) / np.linalg.norm(moves, axis=1)
    assert np.median(cosine) > 0.7 and (np.diff(gone) > 0).all()


def test_official_splits_and_listed_scenes(tmp_path):
    refs = ai2thor.scenes(tmp_path)
    assert len(refs) == 120 and len({r.name for r in refs}) == 120
    assert [sum(r.split == s for r in refs) for s in ("train", "val", "test")] == [80, 20, 20]
    save(tmp_path / "scenes.txt", "FloorPlan229\nFloorPlan3\n")
    assert [(r.name, r.split) for r in ai2thor.scenes(tmp_path)] == [("FloorPlan229", "test"), ("FloorPlan3", "train")]
    save(tmp_path / "scenes.txt", "../../etc\n")
    with pytest.raises(InputError, match="FloorPlan1"):
        ai2thor.scenes(tmp_path)


HOUSE = {
    "rooms": [{"id": "room|2", "roomType": "Kitchen",
               "floorPolygon": [xyz(0, 0, 0), xyz(0, 0, 4), xyz(3, 0, 4), xyz(3, 0, 0)]}],
    "walls": [{"id": "w", "polygon": [xyz(0, 0, 0), xyz(0, 2.7, 0), xyz(0, 2.7, 4), xyz(0, 0, 4)]}],
    "objects": [], "proceduralParameters": {},
}  # fmt: skip


def test_procthor_houses(simulator, tmp_path):
    with gzip.open(tmp_path / "val.jsonl.gz", "wb") as file:
        file.write((json.dumps({**HOUSE, "rooms": [HOUSE["rooms"][0]] * 2}) + "\n" + json.dumps(HOUSE) + "\n").encode())
    refs = ai2thor.scenes(tmp_path)
    assert [(r.name, r.split) for r in refs] == [("procthor-val-00000", "val"), ("procthor-val-00001", "val")]
    (clip,) = read(tmp_path, "procthor-val-00001")
    assert simulator[0].scene["rooms"][0]["roomType"] == "Kitchen"
    room = clip.truth.room
    np.testing.assert_allclose(room.floor_polygon_m[0:1].min(), 0)
    x, y = room.floor_polygon_m.T
    assert (np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2 == pytest.approx(12.0)  # counter-clockwise
    assert room.height_m == pytest.approx(2.7)
    assert read(tmp_path, "procthor-val-00000")[0].truth.room is None  # of two rooms
    save(tmp_path / "val.jsonl.gz", b"\x1f\x8bdamaged")
    with pytest.raises(InputError):
        ai2thor.scenes(tmp_path)


def test_built_into_a_data_set(simulator, tmp_path, monkeypatch):
    monkeypatch.setattr(ai2thor, "check", lambda root: None)
    (tmp_path / "root").mkdir()
    report = build_source(
        "ai2thor",
        tmp_path / "root",
        out=tmp_path / "o",
        num_frames=4,
        size_hw=SIZE,
        limit=3,
        progress=lambda line: None,
    )
    assert report.clips == 3 and not report.failed
    clip = open_dataset(tmp_path / "o").clip("ai2thor-floorplan10-00")
    assert clip.truth.licence == "Apache-2.0" and clip.instance.max() == 4


DAMAGE = {
    "no reachable place": lambda s: setattr(s, "reachable", []),
    "places of words": lambda s: setattr(s, "reachable", [{"x": "a", "y": 0, "z": 0}]),
    "places of NaN": lambda s: setattr(s, "reachable", [xyz(math.nan, 0, 0)]),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_simulator_that_says_nothing_useful(name, monkeypatch, tmp_path):
    made = Simulator("x", SIZE)
    DAMAGE[name](made)
    monkeypatch.setattr(ai2thor, "open_controller", lambda scene, size_hw: made)
    with pytest.raises(InputError):
        read(tmp_path)
    assert made.stopped


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.metadata.update(objects=3),
        lambda e: e.metadata.update(fov=0.0),
        lambda e: e.metadata.update(cameraPosition=None),
        lambda e: e.metadata.update(objects=[{**OBJECTS[0], "axisAlignedBoundingBox": None}]),
        lambda e: setattr(e, "depth_frame", np.zeros((3, 3))),
        lambda e: setattr(e, "instance_segmentation_frame", None),
    ],
)
def test_events_without_what_is_needed(change):
    simulator = Simulator("x", SIZE)
    event = simulator.step("TeleportFull", x=0.0, z=0.0, rotation=xyz(0, 90, 0), horizon=10.0)
    event.metadata = dict(event.metadata)
    change(event)
    ref = ai2thor._ref("FloorPlan1")
    with pytest.raises(InputError):
        ai2thor.clip_of_events([event], ref, number=0, size_hw=SIZE, times_s=np.zeros(1))


def test_not_installed_says_what_to_do(tmp_path):
    from importlib.util import find_spec

    if find_spec("ai2thor") is not None:
        pytest.skip("AI2-THOR is installed here")
    with pytest.raises(InputError, match="pip install ai2thor"):
        ai2thor.check(tmp_path)
    with pytest.raises(InputError, match="pip install ai2thor"):
        read(tmp_path)
