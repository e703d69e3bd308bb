"""Isaac Sim: what Replicator's BasicWriter writes, in the documented structure: USD's row vectors, stage units, either up axis."""

import json
from pathlib import Path

import numpy as np
import pytest
from format_writers import encoded, save
from toy_scene import box, check_visible, corners_agree, render, toy

from video3d.data.sources import isaac
from video3d.data.sources.isaac_files import load_array
from video3d.types import InputError

BOX = np.dtype([
    ("semanticId", "<u4"), ("x_min", "<f4"), ("y_min", "<f4"), ("z_min", "<f4"), ("x_max", "<f4"), ("y_max", "<f4"),
    ("z_max", "<f4"), ("transform", "<f4", (4, 4)), ("occlusionRatio", "<f4"),
])  # fmt: skip
PRIMS = ["/World/Table", "/World/Table/Box", "/World/Chair_01", "/World/Lamp"]
COLORS = [(140, 25, 255, 255), (25, 255, 140, 255), (255, 140, 25, 255), (9, 8, 7, 255)]
Z_UP_FROM_Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])


def write(folder: Path, scene, pictures, *, up="Z", unit=0.01, nested=False, colored=True, depth=True, projection=True):
    rgb, depth_m, ids = pictures
    h, w = scene.size_hw
    stage_from_world = np.linalg.inv(Z_UP_FROM_Y_UP) if up == "Y" else np.eye(4)

    def put(annotator, name, content):
        save(folder / annotator / name if nested else folder / name, content)

    def array(values):
        import io

        buffer = io.BytesIO()
        np.save(buffer, values)
        return buffer.getvalue()

    for i, pose in enumerate(scene.world_from_camera):
        n = f"{i:04d}"
        put("rgb", f"rgb_{n}.png", encoded(np.dstack([rgb[i], np.full((h, w), 255, np.uint8)])))
        view = stage_from_world @ pose @ np.diag([1.0, -1, -1, 1])
        view[:3, 3] /= unit
        k = scene.k_px
        p = np.zeros((4, 4))
        p[0, 0], p[1, 1], p[2, 0], p[2, 1] = 2 * k[0, 0] / w, 2 * k[1, 1] / h, 1 - 2 * k[0, 2] / w, 2 * k[1, 2] / h - 1
        p[2, 3], p[3, 2] = -1, 0.01
        params = {
            "cameraAperture": [20.955, 15.29], "cameraApertureOffset": [0.0, 0.0], "cameraFocalLength": 20.955 * k[0, 0] / w,
            "cameraModel": "pinhole", "cameraViewTransform": np.linalg.inv(view).T.ravel().tolist(),
            "metersPerSceneUnit": unit, "renderProductResolution": [w, h],
        }  # fmt: skip
        if projection:
            params["cameraProjection"] = p.ravel().tolist()
        put("camera_params", f"camera_params_{n}.json", json.dumps(params))
        table = np.zeros(len(scene.boxes), BOX)
        for row, b in zip(table, scene.boxes, strict=True):
            # a unit cube's prim, scaled along its axes: extents -50..50 units
            move = np.eye(4)
            move[:3, :3] = b.world_from_box * (b.size_m / (100 * unit))
            move[:3, 3] = b.center_world / unit
            stage = stage_from_world.copy()
            row["transform"] = (stage @ move).T
            for axis in "xyz":
                row[f"{axis}_min"], row[f"{axis}_max"] = -50, 50
        table["semanticId"] = [0, 1, 2, 3]
        table["occlusionRatio"] = [0.0, 0.0, 0.5, np.nan]
        seen = [j for j in range(4) if j < 3 or i == 0]  # the lamp is listed once only
        put("bounding_box_3d", f"bounding_box_3d_{n}.npy", array(table[seen]))
        labels = {
            "0": {"class": "dining_table"},
            "1": {"class": "cardboard box"},
            "2": {"class": "chair,wood"},
            "3": {"class": "lamp"},
        }
        put("bounding_box_3d", f"bounding_box_3d_labels_{n}.json", json.dumps(labels))
        put("bounding_box_3d", f"bounding_box_3d_prim_paths_{n}.json", json.dumps([PRIMS[j] for j in seen]))
        if depth:
            z = np.where(np.isfinite(depth_m[i]), depth_m[i], np.inf).astype("<f4")
            put("distance_to_image_plane", f"distance_to_image_plane_{n}.npy", array(z))
        if colored:
            image = np.zeros((h, w, 4), np.uint8)
            image[...] = (0, 0, 0, 255)
            for j, color in enumerate(COLORS, start=1):
                image[ids[i] == j] = color
            mapping = {"(0, 0, 0, 0)": "BACKGROUND", "(0, 0, 0, 255)": "UNLABELLED"}
            mapping |= {
                str(c): p + ("/Leg" if p.endswith("Chair_01") else "") for c, p in zip(COLORS, PRIMS, strict=True)
            }
        else:
            image = ids[i].astype(np.uint16) + 1
            mapping = {"0": "BACKGROUND", "1": "UNLABELLED", **{str(j + 2): p for j, p in enumerate(PRIMS)}}
        put("instance_segmentation", f"instance_segmentation_{n}.png", encoded(image))
        put("instance_segmentation", f"instance_segmentation_mapping_{n}.json", json.dumps(mapping))
        put("instance_segmentation", f"instance_segmentation_semantics_mapping_{n}.json", "{}")


@pytest.fixture(scope="module")
def made():
    scene = toy(num_frames=3, yaw=0.3)
    return scene, render(scene)


def read(root, **options):
    (ref,) = isaac.scenes(root)
    (clip,) = isaac.read_scene(root, ref, num_frames=8, size_hw=(48, 64), **options)
    return clip


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"up": "Y", "unit": 1.0},
        {"nested": True, "colored": False},
        {"up": "Y", "nested": True, "depth": False},
    ],
    ids=str,
)
def test_the_scene_comes_back(how, made, tmp_path):
    scene, (rgb, depth_m, ids) = made
    write(tmp_path / "kitchen" / "cam0", scene, made[1], **how)
    isaac.check(tmp_path)
    clip = read(tmp_path)
    truth = clip.truth
    assert truth.clip_id == "isaac-kitchen-cam0-00" and truth.scene_id == "isaac-kitchen"
    np.testing.assert_allclose(truth.k_px[0], scene.k_px, atol=1e-6)
    np.testing.assert_allclose(truth.world_from_camera, scene.world_from_camera, atol=1e-6)
    np.testing.assert_array_equal(clip.rgb, rgb)
    if how.get("depth", True):
        np.testing.assert_allclose(clip.depth_m, depth_m, atol=1e-5)
    else:
        assert clip.depth_m is None
    by = {o.category: o for o in truth.objects}
    assert sorted(by) == ["box", "chair", "lamp", "table"]
    for name, b in zip(scene.names, scene.boxes, strict=True):
        corners_agree(by[name].box(), b, atol=1e-4)
        assert by[name].motion == "static" and np.linalg.det(by[name].world_from_object[0, :3, :3]) > 0.999
        number = scene.names.index(name) + 1
        assert (truth.visible_px[:, truth.index(by[name].object_id)] == (ids == number).sum(axis=(1, 2))).all()
    assert by["box"].supported_by == by["table"].object_id and by["table"].supported_by == 0
    check_visible(truth, scene, ids)


def test_a_moving_prim_is_known_only_where_it_is_listed(made, tmp_path):
    scene, pictures = made
    write(tmp_path / "s", scene, pictures)
    path = tmp_path / "s" / "bounding_box_3d_0001.npy"
    table = np.load(path)
    table["transform"][1][3, 0] += 20  # the box slides by 20 cm
    np.save(path, table)
    path = tmp_path / "s" / "bounding_box_3d_0002.npy"
    np.save(path, np.load(path)[[0, 2]])
    save(tmp_path / "s" / "bounding_box_3d_prim_paths_0002.json", json.dumps([PRIMS[0], PRIMS[2]]))
    clip = read(tmp_path)
    moved = next(o for o in clip.truth.objects if o.category == "box")
    assert moved.motion == "dynamic" and np.isnan(moved.world_from_object[2]).all()
    assert abs(moved.world_from_object[1, 0, 3] - moved.world_from_object[0, 0, 3] - 0.2) < 1e-4


def test_without_masks_the_boxes_and_the_occlusion_decide(made, tmp_path):
    write(tmp_path / "s", *made)
    for path in (tmp_path / "s").glob("instance_*"):
        path.unlink()
    clip = read(tmp_path)
    chair = next(i for i, o in enumerate(clip.truth.objects) if o.category == "chair")
    assert clip.instance is None and (clip.truth.visible_share[:, chair] <= 0.5).all()


def test_focal_length_and_aperture_say_the_same_as_the_projection(made, tmp_path):
    scene, _ = made
    centred = type(scene)(**{**scene.__dict__, "k_px": np.array([[51.2, 0, 32], [0, 51.2, 24], [0, 0, 1.0]])})
    write(tmp_path / "s", centred, made[1], projection=False)
    np.testing.assert_allclose(read(tmp_path).truth.k_px[0], centred.k_px, atol=1e-9)


def test_stage_json_says_what_the_files_do_not(made, tmp_path):
    write(tmp_path / "s", *made)
    save(tmp_path / "stage.json", '{"upAxis": "Z", "framesPerSecond": 30, "licence": "CC0-1.0"}')
    truth = read(tmp_path).truth
    np.testing.assert_allclose(truth.times_s, np.arange(3) / 30)
    assert truth.licence == "CC0-1.0"
    save(tmp_path / "stage.json", '{"upAxis": "X"}')
    with pytest.raises(InputError, match="up axis"):
        read(tmp_path)


def test_a_camera_that_looks_down_needs_the_axis_said(made, tmp_path):
    scene, pictures = made
    down = np.array([[0.0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, -1, 5], [0, 0, 0, 1]])
    write(tmp_path / "s", type(scene)(**{**scene.__dict__, "world_from_camera": np.stack([down] * 3)}), pictures)
    with pytest.raises(InputError, match=r"stage\.json"):
        read(tmp_path)


def bytes_of(table):
    import io

    buffer = io.BytesIO()
    np.save(buffer, table, allow_pickle=True)
    return buffer.getvalue()


BAD = np.zeros(1, BOX)
DAMAGE = {
    "pickled array": ("bounding_box_3d_0001.npy", lambda d: bytes_of(np.array([{"a": 1}], object)), "npy"),
    "array cut short": ("bounding_box_3d_0001.npy", lambda d: d[:200], "npy"),
    "array whose header does not end": ("bounding_box_3d_0001.npy", lambda d: d.replace(b"), }", b"(((("), "npy"),
    "array of numbers": ("bounding_box_3d_0001.npy", lambda d: bytes_of(np.zeros(3)), "semanticId"),
    "array that claims a terabyte": ("distance_to_image_plane_0001.npy", lambda d: d.replace(b"(48, 64)", b"(9999999, 99999)")[:128], "npy"),
    "zip for an array": ("distance_to_image_plane_0001.npy", lambda d: b"PK\x03\x04" + d, "npy"),
    "flat box": ("bounding_box_3d_0001.npy", lambda d: bytes_of(np.concatenate([BAD, BAD, BAD])), "volume"),
    "depth of another size": ("distance_to_image_plane_0001.npy", lambda d: bytes_of(np.zeros((4, 4), "<f4")), "numbers"),
    "fisheye": ("camera_params_0001.json", lambda d: d.replace(b'"pinhole"', b'"fisheyePolynomial"'), "pinhole"),
    "camera of NaN": ("camera_params_0001.json", lambda d: d.replace(b'"cameraViewTransform": [', b'"cameraViewTransform": [NaN,'), "finite|numbers"),
    "camera of another size": ("camera_params_0001.json", lambda d: d.replace(b"[64, 48]", b"[640, 480]"), "64 x 48"),
    "no unit": ("camera_params_0001.json", lambda d: d.replace(b"metersPerSceneUnit", b"x"), "metersPerSceneUnit"),
    "labels cut short": ("bounding_box_3d_labels_0001.json", lambda d: d[:20], "JSON"),
    "too few prims": ("bounding_box_3d_prim_paths_0001.json", lambda d: b'["/World/Table"]', "prim paths"),
    "prims of numbers": ("bounding_box_3d_prim_paths_0001.json", lambda d: b"[1, 2, 3]", "prim paths"),
    "mask of colours that are none": ("instance_segmentation_mapping_0001.json", lambda d: b'{"(300, 1, 2, 3)": "/World/Table"}', "colours"),
    "mask cut short": ("instance_segmentation_0001.png", lambda d: d[:60], "image"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_one_clear_line(name, made, tmp_path):
    file, change, says = DAMAGE[name]
    write(tmp_path / "s", *made)
    path = tmp_path / "s" / file
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=says):
        read(tmp_path)


def test_missing_things_say_what_to_do(tmp_path, made):
    with pytest.raises(InputError, match="BasicWriter"):
        isaac.check(tmp_path)
    write(tmp_path / "s", *made)
    (tmp_path / "s" / "camera_params_0002.json").unlink()
    with pytest.raises(InputError, match="camera_params_0002"):
        read(tmp_path)
    with pytest.raises(InputError, match="nothing there"):
        load_array(tmp_path / "none.npy")


def test_mirrored_and_sheared_prims(made, tmp_path):
    scene, pictures = made
    write(tmp_path / "s", scene, pictures)
    path = tmp_path / "s" / "bounding_box_3d_0000.npy"
    table = np.load(path)
    table["transform"][0][0, :3] *= -1
    np.save(path, table)
    clip = read(tmp_path)
    table_object = next(o for o in clip.truth.objects if o.category == "table")
    corners_agree(table_object.box(0), box([2.6, 0, 0.4], [0.8, 1.2, 0.8], 0.3), atol=1e-4)
    table["transform"][0][0, 2] += 50
    np.save(path, table)
    with pytest.raises(InputError, match="sheared"):
        read(tmp_path)
