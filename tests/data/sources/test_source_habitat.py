"""Habitat from a stand-in for habitat-sim that ray-casts the toy scene in Habitat's axes (y up, a camera looks along -z)."""

import math
from importlib.util import find_spec

import numpy as np
import pytest
from format_writers import save
from scipy.spatial.transform import Rotation
from toy_scene import Toy, box, check_visible, corners_agree, look, render

from video3d.data.sources import habitat
from video3d.data.sources.build import build_source
from video3d.data.sources.habitat_sim_scene import HabitatObject, HabitatView
from video3d.types import InputError

SIZE = (48, 64)
HFOV = 79.0
FLOOR = 2.9  # the walk is on the upper storey
# Habitat from ours: x, y, z -> x, z, -y, and the storey's height
HABITAT_FROM_OURS = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
BOXES = [
    box([3.0, 0.4, 0.4], [0.8, 1.2, 0.8], 0.5),
    box([3.0, 0.4, 0.9], [0.3, 0.2, 0.2], 0.5),
    box([1.5, -2.0, 0.45], [0.5, 0.5, 0.9]),
]
NAMES = ["table", "box", "chair"]
IDS = [40, 7, 123]


def in_habitat(points):
    return points @ HABITAT_FROM_OURS.T + [0, FLOOR, 0]


class Scene:
    def __init__(self, size_hw=SIZE, *, annotated=True):
        self.size_hw, self.annotated, self.closed = size_hw, annotated, False

    def objects(self):
        if not self.annotated:
            return []
        found = [
            HabitatObject(
                semantic_id=i,
                category=name,
                center=in_habitat(b.center_world),
                size=b.size_m,
                rotation_xyzw=Rotation.from_matrix(HABITAT_FROM_OURS @ b.world_from_box).as_quat(),
            )
            for i, name, b in zip(IDS, ["dining table", "box", "chair"], BOXES, strict=True)
        ]
        wall = HabitatObject(
            semantic_id=1, category="wall", center=np.zeros(3), size=np.ones(3), rotation_xyzw=np.array([0, 0, 0, 1.0])
        )
        return [*found, wall]

    def walk(self, seed):
        self.seed = seed
        return in_habitat(np.array([[0.0, 0, 0], [1.5, 0, 0], [1.5, 0.6, 0]]))

    def look(self, place, yaw_rad):
        # Worked out apart from the code: at 0 Habitat looks along its -z, which is our +y; turning about +y is to the left.
        ours = (place - [0, FLOOR, 0]) @ HABITAT_FROM_OURS
        pose = look(ours + np.array([0, 0, 1.4]), yaw_rad + math.pi / 2)
        focal = self.size_hw[1] / 2 / math.tan(math.radians(HFOV / 2))
        k = np.array([[focal, 0, self.size_hw[1] / 2], [0, focal, self.size_hw[0] / 2], [0, 0, 1]])
        rgb, depth_m, ids = render(Toy(NAMES, BOXES, k, pose[None], self.size_hw))
        rotation = Rotation.from_rotvec([0, yaw_rad, 0]).as_quat()
        return HabitatView(
            rgb=rgb[0],
            depth_m=np.nan_to_num(depth_m[0]),
            semantic=np.array([1, *IDS])[ids[0]] if self.annotated else None,
            position=in_habitat(ours + np.array([0, 0, 1.4])),
            rotation_wxyz=np.roll(rotation, 1),
            hfov_deg=HFOV,
        )

    def close(self):
        self.closed = True


def tree(root):
    save(root / "hm3d/val/00800-TEEsavR23oF/TEEsavR23oF.basis.glb", "mesh")
    save(root / "hm3d/minival/00800-TEEsavR23oF/TEEsavR23oF.basis.glb", "mesh")
    save(root / "hm3d/train/00000-kfPV7w3FaU5/kfPV7w3FaU5.basis.glb", "mesh")
    save(root / "replica/room_0/habitat/mesh_semantic.ply", "mesh")
    save(root / "gibson/Adrian.glb", "mesh")
    return root


@pytest.fixture
def opened(monkeypatch):
    made = []

    def start(root, ref, size_hw):
        made.append(Scene(size_hw, annotated=not ref.name.startswith("gibson")))
        return made[-1]

    monkeypatch.setattr(habitat, "open_scene", start)
    return made


def read(root, name="hm3d-00800-TEEsavR23oF", **options):
    ref = next(r for r in habitat.scenes(root) if r.name == name)
    return habitat.read_scene(root, ref, num_frames=6, size_hw=SIZE, **options)


def test_a_walk_comes_back_in_our_world(opened, tmp_path):
    (clip,) = read(tree(tmp_path))
    truth = clip.truth
    assert opened[0].closed and truth.split == "val" and "Matterport" in truth.licence
    by = {o.category: o for o in truth.objects}
    assert sorted(by) == sorted(NAMES)
    for name, b in zip(NAMES, BOXES, strict=True):
        corners_agree(by[name].box(), b, atol=1e-6)
        assert (
            np.linalg.det(by[name].world_from_object[0, :3, :3]) > 0.999 and by[name].world_from_object[0, 2, 2] > 0.999
        )
    assert by["box"].supported_by == by["table"].object_id and by["chair"].supported_by == 0
    np.testing.assert_allclose(truth.world_from_camera[:, 2, 3], 1.4, atol=1e-6)  # the storey's floor is z = 0
    np.testing.assert_allclose(truth.world_from_camera[0, :2, 3], 0, atol=1e-6)
    np.testing.assert_allclose(truth.times_s[-1], 2.1, atol=1e-6)


def test_depth_masks_and_poses_agree_with_each_other(opened, tmp_path):
    (clip,) = read(tree(tmp_path))
    truth = clip.truth
    scene = Toy(NAMES, BOXES, truth.k_px[0], truth.world_from_camera, SIZE)
    rgb, depth_m, ids = render(scene)
    np.testing.assert_allclose(clip.depth_m, depth_m, atol=1e-4)
    check_visible(truth, scene, ids, tolerance=0.0)
    assert truth.visible_px.sum() > 200
    np.testing.assert_array_equal(clip.rgb, rgb)


def test_scenes_and_their_splits(tmp_path):
    refs = {r.name: r.split for r in habitat.scenes(tree(tmp_path))}
    assert refs["hm3d-00800-TEEsavR23oF"] == "val" and refs["hm3d-00000-kfPV7w3FaU5"] == "train"
    assert sorted(refs) == ["gibson-Adrian", "hm3d-00000-kfPV7w3FaU5", "hm3d-00800-TEEsavR23oF", "replica-room_0"]


def test_a_scene_without_annotation(opened, tmp_path):
    (clip,) = read(tree(tmp_path), "gibson-Adrian")
    assert clip.truth.objects == () and not clip.truth.complete and "no annotated" in clip.notes[0]


def test_built_into_a_data_set(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(habitat, "check", lambda root: None)
    tree(tmp_path / "root")
    report = build_source(
        "habitat",
        tmp_path / "root",
        out=tmp_path / "o",
        num_frames=4,
        size_hw=SIZE,
        num_clips=2,
        progress=lambda line: None,
    )
    assert report.clips == 8 and not report.failed


def test_simulators_that_say_nothing_useful(monkeypatch, tmp_path):
    tree(tmp_path)
    scene = Scene()
    monkeypatch.setattr(habitat, "open_scene", lambda *a: scene)
    monkeypatch.setattr(Scene, "walk", lambda self, seed: np.full((2, 3), np.nan))
    with pytest.raises(InputError, match="way"):
        read(tmp_path)
    assert scene.closed
    monkeypatch.undo()
    ref = habitat.scenes(tmp_path)[0]
    view = Scene().look(in_habitat(np.zeros(3)), 0.0)
    bad = [
        HabitatObject(
            semantic_id=1,
            category="chair",
            center=np.array([np.nan, 0, 0]),
            size=np.ones(3),
            rotation_xyzw=np.array([0, 0, 0, 1.0]),
        )
    ]
    for views, things, size in (([view], bad, SIZE), ([view], [], (10, 10))):
        with pytest.raises(InputError):
            habitat.clip_of_views(views, things, ref, number=0, size_hw=size, times_s=np.zeros(1), floor_z=0.0)


def test_not_installed_says_what_to_do(tmp_path):
    if find_spec("habitat_sim") is not None:
        pytest.skip("habitat-sim is installed here")
    with pytest.raises(InputError, match="Replica"):
        habitat.check(tmp_path)
    with pytest.raises(InputError, match="conda install habitat-sim"):
        habitat.check(tree(tmp_path))
    with pytest.raises(InputError, match="conda install habitat-sim"):
        read(tmp_path)
