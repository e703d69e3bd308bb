"""nuScenes: tables written after the schema, and one real key frame put into the official layout."""

import numpy as np
import pytest
from drive_writers import nuscenes_tables, write_nuscenes
from format_writers import check_recording, make_scene
from packed_nuscenes import read_packed, write_tables

from video3d.types import InputError
from video3d.video import json_files, nuscenes, read_clip


def test_round_trip(tmp_path):
    scene = make_scene(num_frames=4)
    source = write_nuscenes(tmp_path, *nuscenes_tables(scene))
    assert nuscenes.detect(source)
    recording = nuscenes.open_recording(source)
    check_recording(recording, scene)  # sparse depth from the sweep: the ego poses of both sensors are needed
    assert [n.split("/")[0] for n in recording.frame_names] == ["CAM_FRONT", "CAM_BACK"] * 2
    np.testing.assert_allclose(recording.time_s, [0, 0.001, 0.502, 0.503], atol=1e-9)
    assert (np.isfinite(recording.load_depth_m([0, 3])).sum(axis=(1, 2)) == 1).all()
    assert not recording.sequence and recording.world.metric and recording.world.gravity_aligned
    assert recording.rig == 2 and read_clip(recording, 3).frame_index.tolist() == [0, 1]  # whole instants
    np.testing.assert_array_equal(recording.up_world, [0, 0, 1])
    assert any("other scenes, by SOURCE#NAME: scene-0103" in note for note in recording.notes)


def test_scene_by_name(tmp_path):
    tables, files = nuscenes_tables(make_scene(num_frames=2))
    tables["scene"].reverse()
    source = write_nuscenes(tmp_path / "data", tables, files)
    named = source.with_name("data#scene-0061")
    assert nuscenes.detect(named) and not nuscenes.detect(source.with_name("other#scene-0061"))
    assert nuscenes.open_recording(named).num_frames == 2
    with pytest.raises(InputError, match="none of 2, scene-0103, scene-0061"):
        nuscenes.open_recording(source.with_name("data#scene-9999"))


def test_tables_longer_than_a_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(json_files, "_CHUNK_CHARS", 7)
    scene = make_scene(num_frames=2)
    check_recording(nuscenes.open_recording(write_nuscenes(tmp_path, *nuscenes_tables(scene))), scene)


def test_rows_of_other_key_frames_and_sensors_do_not_matter(tmp_path):
    scene = make_scene(num_frames=2)
    tables, files = nuscenes_tables(scene)
    tables["sample_data"] += [
        {"token": "x", "sample_token": "elsewhere", "is_key_frame": True},
        {**tables["sample_data"][0], "token": "sweep", "is_key_frame": False, "filename": "sweeps/none.jpg"},
    ]
    check_recording(nuscenes.open_recording(write_nuscenes(tmp_path, tables, files)), scene)


def test_without_lidar(tmp_path):
    scene = make_scene(num_frames=2)
    tables, files = nuscenes_tables(scene)
    tables["sample_data"] = [row for row in tables["sample_data"] if "LIDAR" not in row["filename"]]
    recording = nuscenes.open_recording(write_nuscenes(tmp_path, tables, files))
    assert recording.load_depth_m is None
    check_recording(recording, scene, depth=False)


@pytest.fixture(scope="module")
def real_frame(shared_data, tmp_path_factory):
    """The real key frame in the official layout, and what its annotations say of each camera."""
    folder = shared_data / "nuscenes_sample"
    frame = read_packed(folder)
    return write_tables(folder, frame, tmp_path_factory.mktemp("nuscenes")), frame


@pytest.mark.shared
def test_real_key_frame(real_frame):
    root, _ = real_frame
    recording = nuscenes.open_recording(root)
    assert recording.num_frames == 6 and recording.size_hw == (900, 1600)
    assert recording.frame_names[0] == "CAM_FRONT/d-CAM_FRONT"
    height_m = recording.world_from_camera[:, 2, 3]
    assert (height_m > 1.4).all() and (height_m < 1.8).all()  # cameras on a car's roof, the map's ground at 0
    directions = recording.world_from_camera[:, :3, 2]
    assert np.abs(directions[:, 2]).max() < 0.05  # they look level, all around
    turns = np.degrees(np.unwrap(np.arctan2(directions[:, 1], directions[:, 0])))
    assert (np.diff(turns) < -40).all()  # the order is clockwise
    depth_m = recording.load_depth_m(range(6))
    known = np.isfinite(depth_m).sum(axis=(1, 2))
    assert (known > 2000).all() and np.nanmin(depth_m) > 1 and np.nanmax(depth_m) < 110
    rgb = recording.load_rgb([0, 5])
    assert rgb.shape == (2, 900, 1600, 3)


@pytest.mark.shared
def test_lidar_depth_meets_the_annotated_boxes(real_frame):
    """Boxes that LiDAR saw: the depth in their middle is that of the box, to half its size."""
    root, frame = real_frame
    recording = nuscenes.open_recording(root)
    errors_m, sizes_m = [], []
    for i, name in enumerate(recording.frame_names):
        depth_m = recording.load_depth_m([i])[0]
        for box in frame["cam_instances"][name.split("/")[0]]:
            left, top, right, bottom = box["bbox"]
            length, height, width = box["bbox_3d"][3:6]
            middle = depth_m[
                int(top + 0.2 * (bottom - top)) : int(bottom - 0.2 * (bottom - top)) + 1,
                int(left + 0.25 * (right - left)) : int(right - 0.25 * (right - left)) + 1,
            ]
            inside = middle[np.abs(middle - box["depth"]) < max(length, width) + 1]
            if np.isfinite(middle).sum() >= 5 and box["depth"] < 40 and box["bbox_label_3d"] in (0, 1, 7):
                errors_m.append(box["depth"] - (np.median(inside) if inside.size else np.nanmedian(middle)))
                sizes_m.append(max(length, width))
                assert height > 0
    errors_m, sizes_m = np.array(errors_m), np.array(sizes_m)
    assert len(errors_m) >= 10
    near = np.abs(errors_m) < sizes_m / 2 + 0.3
    assert near.mean() >= 0.8, (errors_m.round(2), sizes_m.round(2))
