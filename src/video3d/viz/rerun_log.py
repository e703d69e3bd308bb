"""A scene and its analysis for rerun's viewer: frames, depth, cameras and words on a timeline, the rest in one 3D world.

Entities: ``world/points``, ``world/overhead``, ``world/trajectory``, ``world/camera`` (with ``image``, ``boxes`` in it, and ``depth``), ``world/boxes/KIND``, ``world/areas/KIND``,
``world/path``, ``world/marks``, ``map``, ``answer``, ``seen``. Timelines: ``frame`` (of the recording) and, where it is known, ``time``.
"""

import io
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from video3d.geometry.rigid import is_known, scale_k
from video3d.replaced import replaced
from video3d.types import InputError, install_extra
from video3d.viz.in_frames import seen_in
from video3d.viz.shown import COLORS, Shown
from video3d.viz.standpoint import first_view, overhead
from video3d.viz.trapezoids import filled

MAGIC = b"RRF2"
_IMAGE_SIDE = 960  # frames are shown no larger
_DEPTH_SIDE = 480
_ALPHA = 110


def need_rerun() -> Any:
    """The library.

    Raises:
        InputError: it is not installed.
    """
    try:
        import rerun
    except ImportError as error:
        raise InputError("the viewer", expected="rerun-sdk", got=f"none ({error})", do=install_extra("viz")) from error
    return rerun


def need_display() -> None:
    """Raises InputError where a window cannot be opened."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InputError(
            "the viewer", expected="a display", got="none (DISPLAY is not set)", do="--save FILE.rrd, --save FILE.html or --web"
        )  # fmt: skip


def save_rrd(shown: Shown, out: Path, *, text: str) -> None:
    """Writes the recording beside and renames it; ``rerun FILE`` shows it.

    Args:
        shown: what is drawn.
        out: the file.
        text: the result in words.

    Raises:
        InputError: rerun is not installed, or the file cannot be written.
    """
    rr = need_rerun()
    with replaced(out) as beside:
        beside.touch()  # what cannot be written is found out by us, and said in our words
        recording = _recording(rr, shown)
        recording.save(beside, default_blueprint=_blueprint(shown))
        log(rr, recording, shown, text)
        recording.disconnect()  # whole on the disk


def open_rerun(shown: Shown, *, text: str) -> None:
    """Opens rerun's own window, which stays when this program has ended.

    Raises:
        InputError: rerun is not installed, or there is no display.
    """
    rr = need_rerun()
    need_display()
    recording = _recording(rr, shown)
    try:
        recording.spawn(default_blueprint=_blueprint(shown))
    except RuntimeError as error:
        raise InputError("the viewer", expected="rerun to start", got=error, do="--save FILE.rrd") from error
    log(rr, recording, shown, text)
    recording.flush()


def _recording(rr: Any, shown: Shown) -> Any:
    recording = rr.RecordingStream("video3d")
    recording.send_recording_name(Path(shown.result.source).name or "recording")
    return recording


def _blueprint(shown: Shown) -> Any:
    import rerun.blueprint as rrb

    views = [rrb.Spatial2DView(origin="world/camera/image", name="frame")]
    if np.isfinite(shown.clip.depth_m).any():
        views.append(rrb.Spatial2DView(origin="world/camera/depth", name="depth"))
    views += [rrb.Spatial2DView(origin="map", name="map")] if shown.map is not None else []
    words = rrb.Tabs(
        rrb.TextDocumentView(origin="answer", name="result"), rrb.TextLogView(origin="seen", name="seen on the way")
    )
    eye, middle, up = first_view(shown)
    three = rrb.Spatial3DView(
        origin="world", name="world", contents=["$origin/**", "- world/camera/depth", "- world/camera/image/boxes", "- world/camera/image/names"],
        # A ceiling hides the room until it is wanted.
        overrides={name: rrb.EntityBehavior(visible=False) for name in ("world/overhead", "world/areas/ceiling")},
        eye_controls=rrb.EyeControls3D(position=eye, look_target=middle, eye_up=up),
    )  # fmt: skip
    return rrb.Blueprint(
        rrb.Horizontal(rrb.Vertical(three, words, row_shares=[3, 1]), rrb.Vertical(*views), column_shares=[3, 2]),
        collapse_panels=True,
    )


def log(rr: Any, recording: Any, shown: Shown, text: str) -> None:
    """Logs everything to a recording that has its sink.

    Args:
        rr: rerun.
        recording: its stream.
        shown: what is drawn.
        text: the result in words.
    """
    _world(rr, recording, shown)
    result = shown.result
    recording.log("answer", rr.TextDocument(text, media_type="text/plain"), static=True)
    for i in range(shown.clip.num_frames):
        _at(recording, shown, i)
        _frame(rr, recording, shown, i)
    last = shown.last[-1] if shown.last else shown.clip.num_frames - 1
    _at(recording, shown, last)
    asked = f"{result.query!r}: " if result.query else ""
    for line in [result.answer] if result.answer else text.splitlines()[1:2]:
        recording.log("seen", rr.TextLog(f"answer to {asked}{line.strip()}", level="INFO"))
    for note in result.notes:
        recording.log("seen", rr.TextLog(note, level="WARN"))


def _at(recording: Any, shown: Shown, i: int) -> None:
    recording.set_time("frame", sequence=int(shown.clip.frame_index[i]))
    if np.isfinite(shown.clip.time_s[i]):
        recording.set_time("time", duration=float(shown.clip.time_s[i]))
    else:
        recording.disable_timeline("time")


def _world(rr: Any, recording: Any, shown: Shown) -> None:
    """What does not change: the world, its points and everything that was found in it."""
    up = shown.clip.world.gravity_aligned
    recording.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP if up else rr.ViewCoordinates.RDF, static=True)
    thin, thick = rr.Radius.ui_points(1.0), rr.Radius.ui_points(3.0)
    over = overhead(shown)
    for name, some in {"points": ~over, "overhead": over}.items():
        if some.any():
            points = rr.Points3D(shown.points[some], colors=shown.colors[some], radii=0.6 * shown.voxel)
            recording.log(f"world/{name}", points, static=True)
    if shown.walked:
        line = rr.LineStrips3D([shown.trajectory], colors=[COLORS["trajectory"]], radii=thin)
        recording.log("world/trajectory", line, static=True)
    for kind in dict.fromkeys(one.kind for one in shown.boxes):
        some = [one for one in shown.boxes if one.kind == kind]
        boxes = rr.Boxes3D(
            centers=[one.box.center_world for one in some], half_sizes=[one.box.size_m / 2 for one in some],
            quaternions=[rr.Quaternion(xyzw=_xyzw(one.box.world_from_box)) for one in some], colors=[COLORS[kind]],
            labels=[one.label for one in some], radii=thin, show_labels=kind in ("object", "vehicle") and len(some) <= 40,
        )  # fmt: skip
        recording.log(f"world/boxes/{kind}", boxes, static=True)
    for kind in dict.fromkeys(one.kind for one in shown.areas):
        some = [one for one in shown.areas if one.kind == kind]
        corners, triangles = [], []
        for one in some:
            more, faces = filled(one.rings)
            triangles.append(faces + sum(len(part) for part in corners))
            corners.append(more)
        joined = np.concatenate(corners)
        if len(joined):
            mesh = rr.Mesh3D(
                vertex_positions=joined, triangle_indices=np.concatenate(triangles), albedo_factor=[*COLORS[kind], _ALPHA],
                face_rendering="DoubleSided",
            )  # fmt: skip
            recording.log(f"world/areas/{kind}", mesh, static=True)
        rings = [np.concatenate([ring, ring[:1]]) for one in some for ring in one.rings]
        outline = rr.LineStrips3D(rings, colors=[COLORS[kind]], radii=thin)
        recording.log(f"world/areas/{kind}/outline", outline, static=True)
    if shown.path is not None and len(shown.path) > 1:
        line = rr.LineStrips3D([shown.path], colors=[COLORS["path"]], radii=thick)
        recording.log("world/path", line, static=True)
    if shown.marks:
        marks = rr.Points3D(
            [one.place for one in shown.marks], labels=[one.text for one in shown.marks], radii=rr.Radius.ui_points(6.0),
            colors=[COLORS["path" if one.kind == "goal" else "thing"] for one in shown.marks],
            show_labels=len(shown.marks) <= 40,
        )  # fmt: skip
        recording.log("world/marks", marks, static=True)
    if shown.map is not None:
        from video3d.viz.map_files import map_image

        recording.log("map", rr.Image(map_image(shown.map)), static=True)


def _frame(rr: Any, recording: Any, shown: Shown, i: int) -> None:
    """One frame: its camera, pixels, depth, and what is seen in it. No camera is logged where it is not known."""
    clip = shown.clip
    rgb = _smaller(clip.rgb[i], _IMAGE_SIDE)
    h, w = rgb.shape[:2]
    k_px, pose = clip.k_px[i], clip.world_from_camera[i]
    placed = bool(clip.piece[i] == 0 and is_known(pose))
    if placed and is_known(k_px):
        at = rr.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3])
        recording.log("world/camera", at)
        for name, (rows, columns) in {"image": (h, w), "depth": _depth_hw(clip.depth_m[i])}.items():
            k = scale_k(k_px[None], clip.size_hw, (rows, columns))[0]
            camera = rr.Pinhole(
                image_from_camera=k, resolution=[columns, rows], camera_xyz=rr.ViewCoordinates.RDF,
                image_plane_distance=0.04 * shown.reach, color=COLORS["trajectory"],
            )  # fmt: skip
            recording.log(f"world/camera/{name}", camera)
    else:
        recording.log("world/camera", rr.Clear(recursive=True))
    recording.log("world/camera/image", rr.EncodedImage(contents=_jpeg(rgb), media_type="image/jpeg"))
    depth = _smaller(clip.depth_m[i], _DEPTH_SIDE)
    if np.isfinite(depth).any():
        # Thousandths, as 16-bit numbers, are a quarter of the size that floating point takes when compressed; farther is unknown.
        small = np.where(np.isfinite(depth) & (depth < 65.535), depth, 0.0)
        wide = bool(np.nanmax(depth) >= 65.535) or not clip.world.metric
        image = np.nan_to_num(depth, nan=0.0) if wide else np.rint(small * 1000).astype(np.uint16)
        recording.log("world/camera/depth", rr.DepthImage(image, meter=1.0 if wide else 1000.0, colormap="Turbo"))
    seen = [one for one in seen_in(shown, i) if one.box.name]
    scale = w / clip.size_hw[1]
    strips = [line.reshape(2, 2) * scale for one in seen for line in one.lines_px]
    colors = [COLORS[one.box.kind] for one in seen for _ in one.lines_px]
    boxes = rr.LineStrips2D(strips, colors=colors, radii=rr.Radius.ui_points(1.2))
    recording.log("world/camera/image/boxes", boxes)
    spots = np.array([one.lines_px.reshape(-1, 2).mean(axis=0) for one in seen]).reshape(-1, 2) * scale
    names = rr.Points2D(spots, labels=[one.box.label for one in seen], colors=[COLORS[one.box.kind] for one in seen])
    recording.log("world/camera/image/names", names)
    things = [f"{one.box.label} {one.distance:.2f} {shown.unit}" for one in seen[:12]]
    if things:
        recording.log("seen", rr.TextLog(f"frame {int(clip.frame_index[i])}: " + "; ".join(things), level="DEBUG"))


def _smaller(values: np.ndarray, side: int) -> np.ndarray:
    """At most so many pixels wide or high; depth by the nearest pixel, so that unknown stays unknown."""
    step = max(values.shape[:2]) / side
    if step <= 1:
        return values
    h, w = (max(1, round(length / step)) for length in values.shape[:2])
    if values.ndim == 2:
        return values[np.arange(h) * values.shape[0] // h][:, np.arange(w) * values.shape[1] // w]
    from PIL import Image

    return np.asarray(Image.fromarray(values).resize((w, h), Image.Resampling.BILINEAR))


def _depth_hw(depth: np.ndarray) -> tuple[int, int]:
    h, w = _smaller(depth, _DEPTH_SIDE).shape
    return h, w


def _jpeg(rgb: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=85)
    return file.getvalue()


def _xyzw(rotation: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(rotation).as_quat()
