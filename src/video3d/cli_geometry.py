"""``video3d geometry`` and ``video3d reconstruct``: what a recording looks like in space, as files."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from video3d.cli_text import dump, geometry_json, table
from video3d.types import InputError
from video3d.types.depth import DEPTH_OF_VIEWS
from video3d.types.detector import EMBEDDED

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON object for programs.")]
Frames = Annotated[int, Parameter(name="--frames", help="How many frames to read, 1 to 1024, evenly spread.")]
Depth = Annotated[
    str,
    Parameter(
        name="--depth",
        help="Where a recording has no depth. none: at reconstructed points only, the fastest. nano, a Hugging Face id or a "
        "folder: that network, frame by frame. video:none: many views compared, 2-3 s a frame. video: nano and many "
        "views; video:NAME: another network and many views.",
    ),
]
Sized = Annotated[
    str,
    Parameter(
        name="--detector",
        help="What sees things whose usual size tells a plain video's metres: yolov4-tiny, which comes along, none, or a folder or "
        "Hugging Face id of OWL-ViT, OWLv2 or Grounding DINO.",
    ),
]
Ignore = Annotated[
    str,
    Parameter(name="--ignore", help="Treat as missing, comma-separated: depth, poses, intrinsics."),
]
Source = Annotated[str, Parameter(help="A video file, a folder of images, or a recording (see docs/recordings.md).")]


def geometry(
    source: Source,
    *,
    out: Annotated[Path, Parameter(name="--out", help="Folder to make.")],
    frames: Frames = 32,
    depth: Depth = DEPTH_OF_VIEWS,
    detector: Sized = EMBEDDED,
    ignore: Ignore = "",
    overwrite: Annotated[bool, Parameter(negative="", help="Replace an earlier result in --out.")] = False,
    json_: Json = False,
) -> None:
    """Write cameras.json, depth/, points.ply, report.json and report.html: measured where it can be, else estimated."""
    from video3d.pipeline import load
    from video3d.viz.export import check_out, write_geometry

    check_frames(frames)
    check_out(out, overwrite=overwrite)  # before the long work, not after it
    scene = load(depth=depth, detector=detector).read(source, num_frames=frames, ignore=ignored(ignore))
    report = write_geometry(scene.clip, out, report=scene.report(), overwrite=overwrite)
    print(dump(report) if json_ else table(report | {"out": str(out)}))


def reconstruct(
    source: Source,
    *,
    out: Annotated[Path, Parameter(name="--out", help="PLY file to make.")],
    voxel_m: Annotated[
        float | None,
        Parameter(
            name="--voxel-m",
            help="Side of a voxel in metres, or in the world's unit where its scale is unknown. By default 0.02 m, "
            "coarser where depth is less sure; without a scale, 1/256 of the scene.",
        ),
    ] = None,
    frames: Frames = 64,
    depth: Depth = DEPTH_OF_VIEWS,
    detector: Sized = EMBEDDED,
    ignore: Ignore = "",
    overwrite: Annotated[bool, Parameter(negative="", help="Replace an earlier PLY of that name.")] = False,
    json_: Json = False,
) -> None:
    """Fuse the depth of all frames into a coloured mesh (binary PLY)."""
    from video3d.geometry.reconstruct import check_voxel
    from video3d.geometry.reconstruct import reconstruct as mesh_of
    from video3d.pipeline import load
    from video3d.viz.mesh import check_mesh_out, write_mesh

    check_frames(frames)
    check_voxel(voxel_m)
    check_mesh_out(out, overwrite=overwrite)
    clip = load(depth=depth, detector=detector).read(source, num_frames=frames, ignore=ignored(ignore)).clip
    mesh, side = mesh_of(clip, voxel_m)
    unit = "m" if clip.world.metric else "x"
    write_mesh(mesh, out, unit="metres" if clip.world.metric else "one unknown unit", overwrite=overwrite)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    said: dict[str, Any] = {
        "out": str(out),
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "extent": [round(float(v), 3) for v in high - low],
        "unit": unit,
        "metric": clip.world.metric,
        "gravity_aligned": clip.world.gravity_aligned,
        "voxel": round(side, 5),
        # Depth of a clip is one or the other: no frame of it is measured where others are estimated.
        "measured_share": 1.0 if clip.status.depth == "measured" else 0.0,
        "geometry": geometry_json(clip.status),
    }
    if not clip.world.metric:
        said["scale"] = "unknown: lengths are right up to one factor (x)"
    print(dump(said) if json_ else table(said))


def check_frames(frames: int) -> None:
    """Raises InputError unless a number of frames can be asked for."""
    if not 1 <= frames <= 1024:
        raise InputError("--frames", expected="a number from 1 to 1024", got=frames)


def ignored(text: str) -> frozenset[str]:
    """The quantities that ``--ignore`` names."""
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    strangers = sorted(names - {"depth", "poses", "intrinsics"})
    if strangers:
        raise InputError("--ignore", expected="some of depth, poses, intrinsics", got=strangers[0])
    return names
