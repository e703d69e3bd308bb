"""Ego motion against a KITTI odometry sequence's poses: a row of ``driving.py``."""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from driving_pictures import draw

from video3d.answers.driving import drive
from video3d.answers.driving_ego import driving_world, vehicle_path
from video3d.answers.facts import scene_facts
from video3d.pipeline import load
from video3d.video import open_recording


def odometry_rows(source: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Ego motion: travelled, speed, and the drift of the end of the path, against the recording's poses."""
    recording = open_recording(source)
    if not np.isfinite(recording.time_s).all():
        recording = replace(recording, time_s=np.arange(recording.num_frames) / args.fps)
    true = recording.world_from_camera
    assert true is not None
    step = np.linalg.norm(np.diff(true[:, :3, 3], axis=0), axis=1)
    rows = []
    ignore = frozenset(args.ignore)
    scene = load(depth=args.depth or "video:none").read(recording, num_frames=args.frames, ignore=ignore)
    started = time.process_time()
    clip, _ = driving_world(scene.clip, camera_height_m=args.camera_height)
    facts = scene_facts(clip, sequence=True)
    said = drive(clip, facts, ())
    seconds = time.process_time() - started
    ego, path = said.ego, vehicle_path(clip, ordered=True)
    if ego is not None and path is not None:
        covered = slice(int(path.frame_index[0]), int(path.frame_index[-1]) + 1)
        way = float(step[covered.start : covered.stop - 1].sum())
        own = np.linalg.inv(path.world_from_camera[0]) @ path.world_from_camera
        reference = np.linalg.inv(true[path.frame_index[0]]) @ true[path.frame_index]
        factor = 1.0 if clip.world.metric else float(way / ego.travelled) if ego.travelled else float("nan")
        off = own[:, :3, 3] * factor - reference[:, :3, 3]
        true_speed = way / float(path.time_s[-1] - path.time_s[0])
        speed = ego.speed if clip.world.metric else None
        rows.append(
            {
                "what": f"{source.name}, {'poses ignored' if 'poses' in ignore else 'given poses'}",
                "poses": len(path.frame_index),
                "metric": clip.world.metric,
                "travelled": round(float(ego.travelled or np.nan), 3),
                "true_m": round(way, 3),
                "scale_error": round(float((ego.travelled or np.nan) / way - 1), 4) if clip.world.metric else None,
                "speed_error_m_s": None if speed is None else round(speed - true_speed, 3),
                "drift_of_path": round(float(np.linalg.norm(off[-1]) / way), 4),
                "drift_scale_apart": round(_drift_apart(own, reference, way), 4),
                "camera_height": None if said.road is None else round(said.road.camera_height or 0.0, 3),
                "free_ahead": None if said.road is None else said.road.free_ahead,
                "cpu_s": round(seconds, 2),
            }
        )
    print("\n".join(said.notes), file=sys.stderr)
    if args.pictures:
        draw(source.name, clip, (), said, args.pictures, ordered=True)
    return rows


def _drift_apart(own: np.ndarray, reference: np.ndarray, way: float) -> float:
    """Distance of the ends over the path, the paths brought to one length."""
    length = np.linalg.norm(np.diff(own[:, :3, 3], axis=0), axis=1).sum()
    return float(np.linalg.norm(own[-1, :3, 3] * way / length - reference[-1, :3, 3]) / way)
