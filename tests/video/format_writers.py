"""Writes one small known recording in every layout that the readers know, and checks what a reader gives back.

The scene: a marked world point that every camera sees. Where it projects, the frame has a red square and the depth map
the point's z-depth, so that a wrong axis, offset, inversion or half a pixel shows.
"""

import io
import json
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from video3d.geometry.rigid import inverse_rigid, scale_k
from video3d.types import Recording

RED = np.array([230, 20, 20])


@dataclass(frozen=True)
class Scene:
    """K with pixel centres at +0.5, OpenCV axes, world z up, metres."""

    rgb: np.ndarray
    depth_m: np.ndarray
    k_px: np.ndarray
    world_from_camera: np.ndarray
    point_world: np.ndarray

    @property
    def size_hw(self):
        return self.rgb.shape[1:3]

    @property
    def depth_hw(self):
        return self.depth_m.shape[1:3]


def make_scene(num_frames=3, size_hw=(48, 64), depth_hw=(24, 32), roll_rad=0.0, seed=3) -> Scene:
    rng = np.random.default_rng(seed)
    k_px = np.array(
        [[0.9 * size_hw[1], 0, size_hw[1] / 2 + 1.25], [0, 0.95 * size_hw[1], size_hw[0] / 2 - 0.5], [0, 0, 1]]
    )
    forward_x = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # a camera that looks along world x, up is z
    poses = np.tile(np.eye(4), (num_frames, 1, 1))
    for pose in poses:
        sway = Rotation.from_rotvec(rng.uniform(-0.08, 0.08, 3)).as_matrix()
        pose[:3, :3] = forward_x @ Rotation.from_rotvec([0, 0, roll_rad]).as_matrix() @ sway
        pose[:3, 3] = np.array([0.5, -0.25, 1.5]) + rng.uniform(-0.1, 0.1, 3)
    point_world = np.array([2.65, -0.2, 1.42])
    rgb = rng.integers(90, 110, (num_frames, *size_hw, 3)).astype(np.uint8)
    depth_m = np.round(rng.uniform(2.5, 3.0, (num_frames, *depth_hw)), 3).astype(np.float32)
    depth_m[:, 0, 0] = np.nan
    scene = Scene(rgb, depth_m, k_px, poses, point_world)
    for frame in range(num_frames):
        (x, y), z = project_point(scene, frame)
        rgb[frame, int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = RED
        row, column = int(y * depth_hw[0] / size_hw[0]), int(x * depth_hw[1] / size_hw[1])
        depth_m[frame, row - 1 : row + 2, column - 1 : column + 2] = np.float32(round(z, 3))
    return scene


def project_point(scene: Scene, frame: int):
    point_camera = (inverse_rigid(scene.world_from_camera[frame]) @ [*scene.point_world, 1])[:3]
    px = scene.k_px @ point_camera
    return px[:2] / px[2], point_camera[2]


def moved(scene: Scene, new_from_old: np.ndarray) -> Scene:
    """The same scene in another world frame."""
    point = (new_from_old @ [*scene.point_world, 1])[:3]
    return replace(scene, world_from_camera=new_from_old @ scene.world_from_camera, point_world=point)


def check_recording(recording: Recording, scene: Scene, *, depth=True, exact_size=True) -> None:
    """The recording gives back the scene: sizes, K, poses, and the marked point in every frame and depth map."""
    frames = range(len(scene.rgb))
    assert recording.num_frames == len(scene.rgb) == len(recording.time_s)
    if exact_size:
        assert recording.size_hw == tuple(scene.size_hw)
        np.testing.assert_allclose(recording.k_px, np.tile(scene.k_px, (len(scene.rgb), 1, 1)), atol=1e-4)
        np.testing.assert_allclose(recording.world_from_camera, scene.world_from_camera, atol=1e-5)
    rgb = recording.load_rgb(frames)
    assert rgb.shape == (len(scene.rgb), *recording.size_hw, 3)
    depth_m = recording.load_depth_m(frames) if depth else None
    if depth:
        assert depth_m.shape == (len(scene.rgb), *recording.depth_size_hw)
    for frame in frames:
        point_camera = (inverse_rigid(recording.world_from_camera[frame]) @ [*scene.point_world, 1])[:3]
        px = recording.k_px[frame] @ point_camera
        x, y = px[:2] / px[2]
        marked = np.abs(rgb[frame].astype(int) - RED).max(axis=-1) < 60
        rows, columns = np.nonzero(marked)
        # the square's centre is the centre of the pixel that holds the point: at most half a pixel away
        assert abs(rows.mean() + 0.5 - y) <= 0.75 and abs(columns.mean() + 0.5 - x) <= 0.75
        if depth:
            scale = np.array(recording.depth_size_hw) / recording.size_hw
            assert abs(depth_m[frame, int(y * scale[0]), int(x * scale[1])] - point_camera[2]) < 1.1e-3
    backwards = recording.load_rgb([len(scene.rgb) - 1, 0])
    np.testing.assert_array_equal(backwards, rgb[[-1, 0]])


def depth_mm(depth_m: np.ndarray) -> np.ndarray:
    return np.nan_to_num(np.round(depth_m * 1000)).astype(np.uint16)


def encoded(image: np.ndarray, kind="PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **({"quality": 97, "subsampling": 0} if kind == "JPEG" else {}))
    return buffer.getvalue()


def save(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_text(matrix) -> str:
    return "\n".join(" ".join(f"{v:.12g}" for v in row) for row in np.atleast_2d(matrix)) + "\n"


def integer_centred(k_px: np.ndarray) -> np.ndarray:
    out = k_px.copy()
    out[:2, 2] -= 0.5
    return out


def four(k_px: np.ndarray) -> np.ndarray:
    out = np.eye(4)
    out[:3, :3] = k_px
    return out


# ScanNet ---------------------------------------------------------------------------------------------------------


def write_scannet_posed_images(root: Path, scene: Scene) -> Path:
    for i in range(len(scene.rgb)):
        save(root / f"{i:05d}.jpg", encoded(scene.rgb[i], "JPEG"))
        save(root / f"{i:05d}.png", encoded(depth_mm(scene.depth_m[i])))
        save(root / f"{i:05d}.txt", rows_text(scene.world_from_camera[i]))
    depth_k = scale_k(scene.k_px, tuple(scene.size_hw), tuple(scene.depth_hw))
    save(root / "intrinsic.txt", rows_text(four(integer_centred(scene.k_px))))
    save(root / "depth_intrinsic.txt", rows_text(four(integer_centred(depth_k))))
    return root


def write_scannet_export(root: Path, scene: Scene) -> Path:
    for i in range(len(scene.rgb)):
        save(root / "color" / f"{i * 10}.jpg", encoded(scene.rgb[i], "JPEG"))
        save(root / "depth" / f"{i * 10}.png", encoded(depth_mm(scene.depth_m[i])))
        save(root / "pose" / f"{i * 10}.txt", rows_text(scene.world_from_camera[i]))
    depth_k = scale_k(scene.k_px, tuple(scene.size_hw), tuple(scene.depth_hw))
    save(root / "intrinsic" / "intrinsic_color.txt", rows_text(four(integer_centred(scene.k_px))))
    save(root / "intrinsic" / "intrinsic_depth.txt", rows_text(four(integer_centred(depth_k))))
    return root


def sens_head(
    scene: Scene, *, version=4, num_frames=None, compression=(2, 1), units_per_m=1000.0, name=b"StructureSensor"
):
    depth_k = scale_k(scene.k_px, tuple(scene.size_hw), tuple(scene.depth_hw))
    matrices = (four(integer_centred(scene.k_px)), np.eye(4), four(integer_centred(depth_k)), np.eye(4))
    (h, w), (dh, dw) = scene.size_hw, scene.depth_hw
    num_frames = len(scene.rgb) if num_frames is None else num_frames
    head = struct.pack("<IQ", version, len(name)) + name + np.stack(matrices).astype("<f4").tobytes()
    return head + struct.pack("<2i4IfQ", *compression, w, h, dw, dh, units_per_m, num_frames)


def sens_frame(scene: Scene, frame: int, *, compression=(2, 1), pose=None, depth=None, sizes=None) -> bytes:
    pose = scene.world_from_camera[frame] if pose is None else pose
    rgb = scene.rgb[frame]
    color = rgb.tobytes() if compression[0] == 0 else encoded(rgb, {1: "PNG", 2: "JPEG"}[compression[0]])
    if depth is None:
        depth = depth_mm(scene.depth_m[frame]).astype("<u2").tobytes()
        depth = zlib.compress(depth) if compression[1] == 1 else depth
    sizes = (len(color), len(depth)) if sizes is None else sizes
    stamps = 7_000_000 + 33_000 * frame, 7_000_500 + 33_000 * frame
    return np.asarray(pose, "<f4").tobytes() + struct.pack("<4Q", *stamps, *sizes) + color + depth


def write_sens(path: Path, scene: Scene, *, compression=(2, 1)) -> Path:
    frames = (sens_frame(scene, i, compression=compression) for i in range(len(scene.rgb)))
    return save(path, sens_head(scene, compression=compression) + b"".join(frames) + struct.pack("<Q", 0))


# ARKitScenes -----------------------------------------------------------------------------------------------------


def write_arkit(root: Path, scene: Scene, *, folder="lowres_wide") -> Path:
    """Frames at 10 Hz as the sensor has them: whatever roll the scene's cameras have."""
    rows = []
    for i in range(len(scene.rgb)):
        stem = f"41069021_{1000 + i / 10:.3f}"
        save(root / folder / f"{stem}.png", encoded(scene.rgb[i]))
        save(root / "lowres_depth" / f"{stem}.png", encoded(depth_mm(scene.depth_m[i])))
        save(root / f"{folder}_intrinsics" / f"{stem}.pincam", pincam(scene.k_px, scene.size_hw))
        depth_k = scale_k(scene.k_px, tuple(scene.size_hw), tuple(scene.depth_hw))
        save(root / "lowres_wide_intrinsics" / f"{stem}.pincam", pincam(depth_k, scene.depth_hw))
        if folder == "lowres_wide":
            save(root / "lowres_wide_intrinsics" / f"{stem}.pincam", pincam(scene.k_px, scene.size_hw))
        camera_from_world = inverse_rigid(scene.world_from_camera[i])
        turn = Rotation.from_matrix(camera_from_world[:3, :3]).as_rotvec()
        rows.append([1000 + i / 10 + 0.0004, *turn, *camera_from_world[:3, 3]])
    save(root / "lowres_wide.traj", rows_text(rows))
    return root


def pincam(k_px: np.ndarray, size_hw) -> str:
    return f"{size_hw[1]} {size_hw[0]} {k_px[0, 0]} {k_px[1, 1]} {k_px[0, 2]} {k_px[1, 2]}\n"


# Record3D --------------------------------------------------------------------------------------------------------

Y_UP_FROM_Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def opengl(world_from_camera: np.ndarray) -> np.ndarray:
    return world_from_camera @ np.diag([1.0, -1, -1, 1])


def r3d_pose(pose: np.ndarray) -> list[float]:
    return [*Rotation.from_matrix(pose[:3, :3]).as_quat().tolist(), *pose[:3, 3].tolist()]


def r3d_metadata(scene: Scene) -> dict:
    (h, w), (dh, dw) = scene.size_hw, scene.depth_hw
    return {
        "h": h, "w": w, "dh": dh, "dw": dw, "fps": 60,
        "K": scene.k_px.T.ravel().tolist(),
        "poses": [r3d_pose(opengl(p)) for p in scene.world_from_camera],
        "initPose": [0, 0, 0, 1, 0, 0, 0],
    }  # fmt: skip


def lzfse_stored(data: bytes) -> bytes:
    """An LZFSE stream of one block that is not compressed."""
    return b"bvx-" + struct.pack("<I", len(data)) + data + b"bvx$"


def r3d_entries(scene: Scene, metadata: dict | None = None) -> dict[str, bytes]:
    entries = {"metadata": json.dumps(r3d_metadata(scene) if metadata is None else metadata).encode()}
    for i in range(len(scene.rgb)):
        entries[f"rgbd/{i}.jpg"] = encoded(scene.rgb[i], "JPEG")
        entries[f"rgbd/{i}.depth"] = lzfse_stored(scene.depth_m[i].astype("<f4").tobytes())
        entries[f"rgbd/{i}.conf"] = lzfse_stored(bytes(scene.depth_m[i].size))
    return entries


def write_zip(path: Path, entries: dict[str, bytes], compression=zipfile.ZIP_STORED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path
