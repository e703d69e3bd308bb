"""A clip as one row of a Parquet shard, and back.

Frames are JPEG (an Hugging Face ``Image`` column, so that ``datasets`` shows them), depth is PNG with 16-bit millimetres (0 unknown;
beyond 65.534 m it is unknown), masks are PNG with the object id. Poses of objects and of what happens are translation and quaternion
(w, x, y, z), of what moves only: what stands still has one pose. Alternatives of what happens are kept at half the rate.
"""

import io
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, UInt16
from PIL import Image
from scipy.spatial.transform import Rotation

from video3d.data.truth import ClipData, Contact, ObjectTruth, Removal, Rollout, RoomTruth, SceneTruth, SignalTruth
from video3d.types import InputError
from video3d.video.images import check_size, read_depth_png_m, read_rgb

JPEG_QUALITY = 92
_MAX_MM = 65534
_STILL_M = 1e-6


def encode_clip(clip: ClipData) -> dict[str, Any]:
    """The row of a clip: plain Python values and bytes for the columns of ``clip_schema``."""
    truth = clip.truth
    return {
        "clip_id": truth.clip_id,
        "scene_id": truth.scene_id,
        "source": truth.source,
        "licence": truth.licence,
        "domain": truth.domain,
        "split": truth.split,
        "scenario": truth.scenario,
        "viewer": truth.viewer,
        "seed": truth.seed,
        "height": truth.size_hw[0],
        "width": truth.size_hw[1],
        "times_s": truth.times_s.tolist(),
        "k_px": truth.k_px.ravel().tolist(),
        "world_from_camera": truth.world_from_camera.ravel().tolist(),
        "rgb": [{"bytes": _jpeg(frame), "path": None} for frame in clip.rgb],
        "depth_mm": None if clip.depth_m is None else [_png(_millimetres(depth)) for depth in clip.depth_m],
        "instance": None if clip.instance is None else [_png(mask) for mask in clip.instance],
        "objects": [_object_row(found) for found in truth.objects],
        "visible_px": truth.visible_px.ravel().tolist(),
        "visible_share": truth.visible_share.round(4).ravel().tolist(),
        "room": None
        if truth.room is None
        else {"floor_polygon_m": truth.room.floor_polygon_m.ravel().tolist(), "height_m": truth.room.height_m},
        "rollouts": [_rollout_row(rollout, truth) for rollout in truth.rollouts],
        "removals": [
            {"removed_id": r.removed_id, "fallen_ids": list(r.fallen_ids), "stay_ids": list(r.stay_ids)}
            for r in truth.removals
        ],
        "signal": None
        if truth.signal is None
        else {"object_id": truth.signal.object_id, "shown": list(truth.signal.shown), "after": truth.signal.after},
        "complete": truth.complete,
        "notes": list(clip.notes),
    }


def decode_truth(row: dict[str, Any]) -> SceneTruth:
    """The truth of a row, without touching its pixels. Errors: ``InputError`` for what is not a clip."""
    try:
        truth = _truth(row)
    except InputError:
        raise
    except Exception as error:  # a damaged row may hold anything anywhere
        raise _no_clip(row, error) from error
    check_size(truth.size_hw, f"the frames of clip {truth.clip_id}")
    return truth


def _no_clip(row: dict[str, Any], error: Exception) -> InputError:
    got = f"{type(error).__name__}: {str(error)[:200]}"
    return InputError(f"clip {row.get('clip_id', '?')}", expected="a clip of this schema", got=got)


def _truth(row: dict[str, Any]) -> SceneTruth:
    num, objects = len(row["times_s"]), tuple(_object(o, len(row["times_s"])) for o in row["objects"])
    return SceneTruth(
        clip_id=row["clip_id"],
        scene_id=row["scene_id"],
        source=row["source"],
        licence=row["licence"],
        domain=row["domain"],
        split=row["split"],
        scenario=row["scenario"],
        viewer=row["viewer"],
        seed=row["seed"],
        size_hw=(operator.index(row["height"]), operator.index(row["width"])),
        times_s=np.array(row["times_s"], dtype=np.float64),
        k_px=np.array(row["k_px"], dtype=np.float64).reshape(num, 3, 3),
        world_from_camera=np.array(row["world_from_camera"], dtype=np.float64).reshape(num, 4, 4),
        objects=objects,
        visible_px=np.array(row["visible_px"], dtype=np.int64).reshape(num, len(objects)),
        visible_share=np.array(row["visible_share"], dtype=np.float32).reshape(num, len(objects)),
        room=None
        if row["room"] is None
        else RoomTruth(
            floor_polygon_m=np.array(row["room"]["floor_polygon_m"], dtype=np.float64).reshape(-1, 2),
            height_m=row["room"]["height_m"],
        ),
        rollouts=tuple(_rollout(r, objects) for r in row["rollouts"]),
        removals=tuple(
            Removal(removed_id=r["removed_id"], fallen_ids=tuple(r["fallen_ids"]), stay_ids=tuple(r["stay_ids"]))
            for r in row["removals"]
        ),
        signal=None
        if row["signal"] is None
        else SignalTruth(
            object_id=row["signal"]["object_id"], shown=tuple(row["signal"]["shown"]), after=row["signal"]["after"]
        ),
        complete=row["complete"],
    )


def decode_clip(row: dict[str, Any], frames: Sequence[int] | None = None) -> ClipData:
    """The whole clip of a row. ``frames`` limits which frames are decoded: the others stay black, NaN and 0.

    Errors: ``InputError`` for a row that is damaged.
    """
    truth = decode_truth(row)
    try:
        return _with_pixels(row, truth, frames)
    except InputError:
        raise
    except Exception as error:
        raise _no_clip(row, error) from error


def _with_pixels(row: dict[str, Any], truth: SceneTruth, frames: Sequence[int] | None) -> ClipData:
    name = f"clip {truth.clip_id}"
    num, (height, width) = truth.num_frames, truth.size_hw
    images = {key: row[key] for key in ("rgb", "depth_mm", "instance") if key == "rgb" or row[key] is not None}
    for key, found in images.items():
        # Before anything of the size that the row claims is made.
        if found is None or len(found) != num:
            got = "none" if found is None else f"{len(found)} of {key}"
            raise InputError(name, expected=f"{num} pictures, one a frame", got=got)
    depths, masks = images.get("depth_mm"), images.get("instance")
    wanted = range(num) if frames is None else frames
    rgb = np.zeros((num, height, width, 3), np.uint8)
    depth = None if depths is None else np.full((num, height, width), np.nan, np.float32)
    instance = None if masks is None else np.zeros((num, height, width), np.uint16)
    for frame in wanted:
        rgb[frame] = read_rgb(
            _bytes(images["rgb"][frame]["bytes"], f"{name}, frame {frame}"),
            truth.size_hw,
            name=f"{name}, frame {frame}",
        )
        if depth is not None and depths is not None:
            thing = f"{name}, depth {frame}"
            depth[frame] = read_depth_png_m(
                _bytes(depths[frame], thing), unknown=(0,), size_hw=truth.size_hw, name=thing
            )
        if instance is not None and masks is not None:
            thing = f"{name}, mask {frame}"
            instance[frame] = _mask(_bytes(masks[frame], thing), truth.size_hw, thing)
    return ClipData(truth=truth, rgb=rgb, depth_m=depth, instance=instance, notes=tuple(row["notes"]))


def _bytes(found: object, thing: str) -> bytes:
    if not isinstance(found, bytes):  # a string would be taken for a path
        raise InputError(thing, expected="the bytes of an image", got=type(found).__name__)
    return found


def clip_schema() -> Any:
    """The Arrow schema of a shard, with the metadata by which Hugging Face ``datasets`` knows the frames as images."""
    import json

    import pyarrow as pa

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pose = pa.list_(pa.float32())
    placed = pa.struct(
        [
            ("object_id", pa.int32()), ("category", pa.string()), ("kind", pa.string()), ("motion", pa.string()),
            ("color", pa.string()), ("size_m", pa.list_(pa.float64())), ("poses", pa.list_(pa.float64())),
            ("supported_by", pa.int32()), ("inside_of", pa.int32()), ("has_front", pa.bool_()),
        ]
    )  # fmt: skip
    contact = pa.struct(
        [("first_id", pa.int32()), ("second_id", pa.int32()), ("begin_s", pa.float64()), ("end_s", pa.float64())]
    )
    rollout = pa.struct(
        [
            ("times_s", pa.list_(pa.float64())), ("moving_ids", pa.list_(pa.int32())), ("moving", pose),
            ("still", pose), ("camera", pose), ("contacts", pa.list_(contact)),
        ]
    )  # fmt: skip
    ids = pa.list_(pa.int32())
    fields = [
        *((name, pa.string()) for name in ("clip_id", "scene_id", "source", "licence", "domain", "split", "scenario", "viewer")),
        ("seed", pa.int64()), ("height", pa.int32()), ("width", pa.int32()),
        ("times_s", pa.list_(pa.float64())), ("k_px", pa.list_(pa.float64())), ("world_from_camera", pa.list_(pa.float64())),
        ("rgb", pa.list_(image)), ("depth_mm", pa.list_(pa.binary())), ("instance", pa.list_(pa.binary())),
        ("objects", pa.list_(placed)), ("visible_px", pa.list_(pa.int64())), ("visible_share", pa.list_(pa.float32())),
        ("room", pa.struct([("floor_polygon_m", pa.list_(pa.float64())), ("height_m", pa.float64())])),
        ("rollouts", pa.list_(rollout)),
        ("removals", pa.list_(pa.struct([("removed_id", pa.int32()), ("fallen_ids", ids), ("stay_ids", ids)]))),
        ("signal", pa.struct([("object_id", pa.int32()), ("shown", pa.list_(pa.string())), ("after", pa.string())])),
        ("complete", pa.bool_()), ("notes", pa.list_(pa.string())),
    ]  # fmt: skip
    schema = pa.schema(fields)
    features = {"info": {"features": _features(schema)}}
    return schema.with_metadata({"huggingface": json.dumps(features, sort_keys=True)})


def _features(schema: Any) -> dict[str, Any]:
    """The same schema in the words of Hugging Face ``datasets``."""
    import pyarrow as pa

    def feature(kind: Any) -> Any:
        if pa.types.is_list(kind):
            return {"feature": feature(kind.value_type), "_type": "List"}
        if pa.types.is_struct(kind):
            names = [kind.field(i).name for i in range(kind.num_fields)]
            if names == ["bytes", "path"]:
                return {"_type": "Image"}
            return {kind.field(i).name: feature(kind.field(i).type) for i in range(kind.num_fields)}
        return {"dtype": {"double": "float64", "float": "float32"}.get(str(kind), str(kind)), "_type": "Value"}

    return {field.name: feature(field.type) for field in schema}


def _jpeg(frame: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(frame).save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return out.getvalue()


def _millimetres(depth_m: Float32[np.ndarray, "h w"]) -> UInt16[np.ndarray, "h w"]:
    raw = np.rint(np.nan_to_num(depth_m.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0) * 1000)
    return np.where((raw < 1) | (raw > _MAX_MM), 0, raw).astype(np.uint16)


def _png(image: UInt16[np.ndarray, "h w"]) -> bytes:
    out = io.BytesIO()
    small = int(image.max(initial=0)) < 256
    # Masks of fewer than 256 objects are 8-bit PNGs: a third of the bytes.
    Image.fromarray(image.astype(np.uint8) if small else image).save(out, "PNG", compress_level=7)
    return out.getvalue()


def _mask(data: bytes, size_hw: tuple[int, int], name: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if (image.height, image.width) != size_hw or image.mode not in ("L", "I;16"):
                got = f"{image.width} x {image.height}, mode {image.mode}"
                raise InputError(name, expected=f"a mask of {size_hw[1]} x {size_hw[0]}", got=got)
            return np.asarray(image).astype(np.uint16)
    except InputError:
        raise
    except Exception as error:  # decoders raise anything at all on damaged files
        raise InputError(name, expected="a PNG mask that decodes", got=type(error).__name__) from error


def _seven(poses: Float64[np.ndarray, "n 4 4"]) -> Float64[np.ndarray, "n 7"]:
    """Translation and quaternion (w, x, y, z, w >= 0); NaN where the pose is."""
    known = np.isfinite(poses).all(axis=(1, 2))
    out = np.full((len(poses), 7), np.nan)
    if known.any():
        out[known, :3] = poses[known, :3, 3]
        out[known, 3:] = Rotation.from_matrix(poses[known, :3, :3]).as_quat(canonical=True, scalar_first=True)
    return out


def _matrices(seven: np.ndarray) -> Float64[np.ndarray, "n 4 4"]:
    seven = seven.reshape(-1, 7).astype(np.float64)
    known = np.isfinite(seven).all(axis=1)
    out = np.full((len(seven), 4, 4), np.nan)
    if known.any():
        out[known] = np.eye(4)
        out[known, :3, :3] = Rotation.from_quat(seven[known, 3:], scalar_first=True).as_matrix()
        out[known, :3, 3] = seven[known, :3]
    return out


def _moves(poses: np.ndarray) -> bool:
    return not np.array_equal(np.isnan(poses[1:]), np.isnan(poses[:-1])) or bool(
        (np.abs(np.nan_to_num(poses - poses[:1])) > _STILL_M).any()
    )


def _object_row(found: ObjectTruth) -> dict[str, Any]:
    poses = found.world_from_object if _moves(found.world_from_object) else found.world_from_object[:1]
    return {
        "object_id": found.object_id,
        "category": found.category,
        "kind": found.kind,
        "motion": found.motion,
        "color": found.color,
        "size_m": found.size_m.tolist(),
        "poses": _seven(poses).ravel().tolist(),
        "supported_by": found.supported_by,
        "inside_of": found.inside_of,
        "has_front": found.has_front,
    }


def _object(row: dict[str, Any], num_frames: int) -> ObjectTruth:
    poses = _matrices(np.array(row["poses"], dtype=np.float64))
    if len(poses) not in (1, num_frames):
        raise ValueError(f"object {row['object_id']} has {len(poses)} poses for {num_frames} frames")
    return ObjectTruth(
        object_id=row["object_id"],
        category=row["category"],
        kind=row["kind"],
        motion=row["motion"],
        size_m=np.array(row["size_m"], dtype=np.float64),
        world_from_object=np.ascontiguousarray(np.broadcast_to(poses, (num_frames, 4, 4))),
        color=row["color"],
        supported_by=row["supported_by"],
        inside_of=row["inside_of"],
        has_front=row["has_front"],
    )


def _rollout_row(rollout: Rollout, truth: SceneTruth) -> dict[str, Any]:
    """What happens: one pose for what stands still, all of them for what moves; alternatives keep every second time."""
    step = 1 if rollout is truth.rollouts[0] else 2
    poses = rollout.world_from_object[::step]
    moving = [i for i in range(poses.shape[1]) if _moves(poses[:, i])]
    return {
        "times_s": rollout.times_s[::step].tolist(),
        "moving_ids": [truth.objects[i].object_id for i in moving],
        "moving": _seven(poses[:, moving].reshape(-1, 4, 4)).ravel().tolist(),
        "still": _seven(poses[0]).ravel().tolist(),
        "camera": _seven(rollout.world_from_camera[::step]).ravel().tolist(),
        "contacts": [
            {"first_id": c.first_id, "second_id": c.second_id, "begin_s": c.begin_s, "end_s": c.end_s}
            for c in rollout.contacts
        ],
    }


def _rollout(row: dict[str, Any], objects: tuple[ObjectTruth, ...]) -> Rollout:
    num = len(row["times_s"])
    poses = np.tile(_matrices(np.array(row["still"]))[None], (num, 1, 1, 1))
    ids = [found.object_id for found in objects]
    moving = [ids.index(object_id) for object_id in row["moving_ids"]]
    if moving:
        poses[:, moving] = _matrices(np.array(row["moving"])).reshape(num, len(moving), 4, 4)
    return Rollout(
        times_s=np.array(row["times_s"], dtype=np.float64),
        world_from_object=poses,
        world_from_camera=_matrices(np.array(row["camera"])),
        contacts=tuple(Contact(**contact) for contact in row["contacts"]),
    )
