"""Says what a recording holds, in plain values for people and programs."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from video3d.types import Recording
from video3d.video.sample import sample_uniform

_DEPTH_FRAMES = 16


def describe(recording: Recording) -> dict[str, Any]:
    """What was found, and what is missing, ready for JSON: no NaN (unknown is None), no arrays.

    Depth is looked at in up to 16 evenly spread frames: its range is from the 1st to the 99th percentile of what is
    known, so that single wrong pixels do not count; ``valid_share`` is the share of pixels that is known.

    Errors: ``InputError`` when one of these frames does not decode.
    """
    height, width = recording.size_hw
    duration_s, fps = _times(recording)
    missing = [
        name
        for name, there in (
            ("depth", recording.load_depth_m),
            ("intrinsics", recording.k_px),
            ("poses", recording.world_from_camera),
            ("times", fps),
            ("scale", _knows_scale(recording) or None),
            ("gravity", recording.up_world if not recording.world.gravity_aligned else True),
        )
        if there is None
    ]
    return {
        "source": str(recording.source),
        "format": recording.format,
        "frames": recording.num_frames,
        "sequence": recording.sequence,
        "duration_s": duration_s,
        "fps": fps,
        "size": {"width": width, "height": height},
        "intrinsics": None if recording.k_px is None else _intrinsics(recording.k_px, width, height),
        "poses": None if recording.world_from_camera is None else _poses(recording.world_from_camera, recording),
        "depth": _depth(recording),
        "scale": "unknown" if "scale" in missing else "measured",
        "gravity": "unknown" if "gravity" in missing else "measured",
        "up_world": None if recording.up_world is None else [round(float(x), 4) for x in recording.up_world],
        "missing": missing,
        "notes": list(recording.notes),
    }


def _knows_scale(recording: Recording) -> bool:
    """Depth is in metres unless it comes with poses in a unit of their own."""
    return recording.world.metric or (recording.load_depth_m is not None and recording.world_from_camera is None)


def _times(recording: Recording) -> tuple[float | None, float | None]:
    """Seconds from the first frame to the end of the last, and frames a second on average."""
    known = recording.time_s[np.isfinite(recording.time_s)]
    if known.size < 2 or known.size < recording.num_frames:
        return None, None
    span_s = float(known.max() - known.min())
    if span_s <= 0:
        return None, None
    fps = (known.size - 1) / span_s
    return round(known.size / fps, 3), round(fps, 3)


def _intrinsics(k_px: Float64[np.ndarray, "f 3 3"], width: int, height: int) -> dict[str, Any]:
    k = np.median(k_px, axis=0)
    fov_x, fov_y = np.degrees(2 * np.arctan([width / (2 * k[0, 0]), height / (2 * k[1, 1])]))
    return {
        "fx": round(float(k[0, 0]), 3),
        "fy": round(float(k[1, 1]), 3),
        "cx": round(float(k[0, 2]), 3),
        "cy": round(float(k[1, 2]), 3),
        "fov_x_deg": round(float(fov_x), 2),
        "fov_y_deg": round(float(fov_y), 2),
        "same_for_all_frames": bool((k_px == k_px[0]).all()),
    }


def _poses(world_from_camera: Float64[np.ndarray, "f 4 4"], recording: Recording) -> dict[str, Any]:
    position = world_from_camera[np.isfinite(world_from_camera).all(axis=(1, 2)), :3, 3]
    steps = np.linalg.norm(np.diff(position, axis=0), axis=1)
    return {
        "known": int(position.shape[0]),
        "path_length": round(float(steps.sum()), 3) if recording.sequence else None,
        "extent": [round(float(x), 3) for x in np.ptp(position, axis=0)],
        "unit": "m" if recording.world.metric else "unknown",
        "world_origin": recording.world.origin,
    }


def _depth(recording: Recording) -> dict[str, Any] | None:
    if recording.load_depth_m is None or recording.depth_size_hw is None:
        return None
    height, width = recording.depth_size_hw
    num_known, num_px, samples = 0, 0, []
    looked_at = sample_uniform(recording.num_frames, _DEPTH_FRAMES)
    for frame in looked_at:
        depth_m = recording.load_depth_m([int(frame)])
        known = depth_m[np.isfinite(depth_m)]
        num_known, num_px = num_known + known.size, num_px + depth_m.size
        samples.append(known[:: max(1, known.size // 20_000)])
    values = np.concatenate(samples)
    low, middle, high = (round(float(x), 3) for x in np.percentile(values if values.size else [0.0], (1, 50, 99)))
    return {
        "size": {"width": width, "height": height},
        "range_m": [low, high] if values.size else None,
        "median_m": middle if values.size else None,
        "valid_share": round(num_known / num_px, 4),
        "frames_looked_at": int(looked_at.size),
    }
