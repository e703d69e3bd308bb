"""The 3D part of the page: viser's viewer with the scene in it, as one HTML text that fetches nothing."""

import io
from contextlib import redirect_stdout
from typing import Any

import numpy as np

from video3d.data.drawing import EDGES
from video3d.geometry.boxes import box_corners
from video3d.geometry.rigid import fov_rad, is_known
from video3d.types import InputError, install_extra
from video3d.viz.depth_strip import strip_frames, thumbnail
from video3d.viz.shown import COLORS, Shown
from video3d.viz.standpoint import first_view, overhead
from video3d.viz.trapezoids import filled

_MAX_CAMERAS = 24
_MAX_LABELS = 24  # more hide the scene; the surest have theirs
_MAX_ZONES, _MAX_MARKS = 5, 12
_AREA_OPACITY = 0.45


def need_viser() -> Any:
    """The library.

    Raises:
        InputError: it is not installed.
    """
    try:
        import viser
    except ImportError as error:
        raise InputError("the page", expected="viser", got=f"none ({error})", do=install_extra("viz")) from error
    return viser


def scene_html(shown: Shown) -> str:
    """The scene to look around in, as a whole page: points, cameras, boxes, areas, the path.

    Raises:
        InputError: viser is not installed.
    """
    viser = need_viser()
    with redirect_stdout(io.StringIO()):  # it announces its server, which is there only to serialize
        server = viser.ViserServer(host="127.0.0.1", port=0, verbose=False)
        try:
            _fill(server, shown)
            return server.get_scene_serializer().as_html()
        finally:
            server.stop()


def _fill(server: Any, shown: Shown) -> None:
    scene, reach = server.scene, shown.reach
    eye, middle, up = first_view(shown)
    scene.set_up_direction(tuple(up.tolist()))
    camera = server.initial_camera
    camera.position, camera.look_at, camera.up = eye, middle, up
    camera.near, camera.far = 0.002 * reach, 40 * reach
    thin = 0.0015 * reach
    over = overhead(shown)
    for name, some in {
        "/points": ~over,
        "/points overhead": over,
    }.items():  # a ceiling hides the room until it is wanted
        if some.any():
            scene.add_point_cloud(
                name, shown.points[some], shown.colors[some], point_size=1.1 * shown.voxel, precision="float32",
                point_shading="flat", visible=name == "/points",
            )  # fmt: skip
    if shown.walked:
        _line(scene, "/trajectory", shown.trajectory, COLORS["trajectory"], thin)
    _cameras(scene, shown)
    for kind in dict.fromkeys(one.kind for one in shown.boxes):
        some = [one for one in shown.boxes if one.kind == kind]
        edges = np.concatenate([box_corners(one.box)[EDGES] for one in some]).astype(np.float32)
        thick = thin if kind != "obstacle" else 0.6 * thin
        scene.add_line_segments(f"/{kind}s", edges, COLORS[kind], thickness=thick)
        wanted = sorted((one for one in some if one.name is not None), key=lambda one: -(one.confidence or 0.0))
        for number, one in enumerate(wanted[: _MAX_ZONES if kind == "zone" else _MAX_LABELS]):
            corner = one.box.center_world + up * abs(one.box.world_from_box.T @ up) @ one.box.size_m / 2
            scene.add_label(
                f"/{kind}s/label{number}", one.label, position=corner, anchor="bottom-center", font_screen_scale=0.8
            )
    for kind in dict.fromkeys(one.kind for one in shown.areas):
        some = [one for one in shown.areas if one.kind == kind]
        for number, one in enumerate(some):
            corners, triangles = filled(one.rings)
            if len(triangles):
                scene.add_mesh_simple(
                    f"/{kind}/area{number}", corners.astype(np.float32), triangles.astype(np.uint32), color=COLORS[kind],
                    opacity=_AREA_OPACITY, side="double", flat_shading=True, cast_shadow=False, receive_shadow=False,
                    visible=kind != "ceiling",
                )  # fmt: skip
        rings = [np.stack([ring, np.roll(ring, -1, axis=0)], axis=1) for one in some for ring in one.rings]
        outline = np.concatenate(rings).astype(np.float32)
        scene.add_line_segments(
            f"/{kind}/outline", outline, COLORS[kind], thickness=0.6 * thin, visible=kind != "ceiling"
        )
    if shown.path is not None and len(shown.path) > 1:
        _line(scene, "/path", shown.path, COLORS["path"], 4 * thin)
    for number, one in enumerate(shown.marks):
        color = COLORS["path" if one.kind == "goal" else "thing"]
        size = 5 * thin if one.kind == "goal" else 3 * thin
        scene.add_icosphere(f"/marks/{number}", radius=size, color=color, position=one.place)
        if number < _MAX_MARKS:
            scene.add_label(f"/marks/{number}/label", one.text, anchor="bottom-center", font_screen_scale=0.8)


def _cameras(scene: Any, shown: Shown) -> None:
    clip = shown.clip
    for i in strip_frames(clip, _MAX_CAMERAS):
        k_px, pose = clip.k_px[i], clip.world_from_camera[i]
        if clip.piece[i] != 0 or not (is_known(pose) and is_known(k_px)):
            continue
        small = thumbnail(clip.rgb[i], 160)
        scene.add_camera_frustum(
            f"/cameras/{int(clip.frame_index[i])}", fov=fov_rad(k_px, clip.size_hw)[0], aspect=clip.size_hw[1] / clip.size_hw[0],
            scale=0.018 * shown.reach, thickness=0.0006 * shown.reach, color=COLORS["trajectory"], image=small, format="jpeg",
            jpeg_quality=70, wxyz=_wxyz(pose[:3, :3]), position=pose[:3, 3], cast_shadow=False, receive_shadow=False,
        )  # fmt: skip


def _line(scene: Any, name: str, places: np.ndarray, color: tuple[int, int, int], thickness: float) -> None:
    segments = np.stack([places[:-1], places[1:]], axis=1).astype(np.float32)
    scene.add_line_segments(name, segments, color, thickness=thickness)


def _wxyz(rotation: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(rotation).as_quat(scalar_first=True)
