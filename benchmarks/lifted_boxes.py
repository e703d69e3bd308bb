"""How well depth lifts the boxes of a detector that makes no mistakes into the world, on simulated clips whose truth is known.

    python benchmarks/lifted_boxes.py DATASET [--split test] [--clips 30] [--looked 8] [--jitter 0.0] [--masks [--leak 0]]

The boxes are those around the masks of the truth, of things with at least 0.4 of their outline and 150 pixels shown in a frame. Every
still thing that has such a box is to be found; a thing is found where a lifted box of its name shares 0.25 (0.5) of the union
with its true box, each lifted box for one thing. The true box is the whole thing, the lifted one what was seen of it. Things that
move are left out. ``--jitter`` moves every side of every box by a normal error of that share of the box's side. ``--masks`` gives the
masks too, as they are, or with so many pixels around them (``--leak``; fewer than 0: off them).
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from video3d.data.presented import recording_of
from video3d.data.questions.arrangement import box_at, is_still
from video3d.data.store import open_dataset
from video3d.geometry.boxes import iou_3d_matrix
from video3d.geometry.lifted_boxes import lift_boxes
from video3d.pipeline import load
from video3d.types.detector import SeenBox, SeenMask

LEAST_SHARE, LEAST_PX = 0.4, 150


def leaking(shows, px):
    """A mask with pixels around it, or without those at its edge."""
    if not px:
        return shows
    cross = np.ones((3, 3), bool)
    less = binary_erosion(shows, cross, iterations=-px) if px < 0 else binary_dilation(shows, cross, iterations=px)
    return less if less.any() else shows


def boxes_of(clip, thing, looked, jitter, rng, leak=None):
    """Boxes around a thing's mask in the frames that show it well; with masks where ``leak`` is not None."""
    truth, found = clip.truth, []
    column = truth.index(thing.object_id)
    for frame in looked:
        if truth.visible_share[frame, column] < LEAST_SHARE or truth.visible_px[frame, column] < LEAST_PX:
            continue
        shows = clip.instance[frame] == thing.object_id
        row, col = np.nonzero(shows)
        low, high = np.array([col.min(), row.min()]), np.array([col.max() + 1, row.max() + 1])
        side = (high - low) * jitter
        low, high = low + rng.normal(size=2) * side, high + rng.normal(size=2) * side
        edge = np.array(clip.rgb.shape[2:0:-1])
        low, high = np.clip(low, 0, edge - 2), np.clip(high, 2, edge)
        if (high - low > 1).all():
            box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
            mask = None if leak is None else SeenMask.of(leaking(shows, leak))
            found.append(SeenBox(frame=int(frame), label=thing.category, score=1.0, box_px=box, mask=mask))
    return found


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("dataset", type=Path)
    options.add_argument("--split", default="test")
    options.add_argument("--clips", type=int, default=30)
    options.add_argument("--looked", type=int, default=8)
    options.add_argument("--jitter", type=float, default=0.0)
    options.add_argument("--masks", action="store_true")
    options.add_argument("--leak", type=int, default=0)
    options.add_argument("--by-name", action="store_true")
    asked = options.parse_args()
    dataset, engine, rng = open_dataset(asked.dataset), load(), np.random.default_rng(0)
    ids = dataset.clip_ids(asked.split)
    ids = ids[:: max(1, len(ids) // asked.clips)][: asked.clips]
    rows, extra, took = defaultdict(list), defaultdict(int), []
    for clip_id in ids:
        clip = dataset.clip(clip_id)
        truth, domain = clip.truth, "street" if clip.truth.domain == "street" else "indoor"
        scene = engine.read(recording_of(clip), num_frames=truth.num_frames)
        looked = np.unique(np.linspace(0, truth.num_frames - 1, asked.looked).round().astype(int)).tolist()
        seen, things = [], []
        for thing in truth.objects:
            if is_still(truth, thing.object_id) and box_at(truth, thing.object_id) is not None:
                boxes = boxes_of(clip, thing, looked, asked.jitter, rng, asked.leak if asked.masks else None)
                seen += boxes
                things += [(thing, len(boxes))] if boxes else []
        began = time.perf_counter()
        lifted = lift_boxes(seen, scene.clip, looked=looked, floor_z=scene.facts.floor_z)
        found = [one.found for one in lifted]
        took.append(time.perf_counter() - began)
        true = [thing.box(-1) for thing, _ in things]
        shared = iou_3d_matrix(true, [one.box for one in found]) if found and true else np.zeros((len(true), 0))
        same = np.array([[one.label == thing.category for one in found] for thing, _ in things], bool)
        free, hits = np.ones(len(found), bool), {}
        for flat in np.argsort(-shared, axis=None, kind="stable"):
            i, j = np.unravel_index(flat, shared.shape)
            if i not in hits and free[j] and same[i, j] and shared[i, j] > 0:
                hits[i], free[j] = (shared[i, j], j), False
        for i, (thing, views) in enumerate(things):
            overlap, j = hits.get(i, (0.0, None))
            near = [one for one in found if one.label == thing.category]
            off = min((np.linalg.norm(one.box.center_world - true[i].center_world) for one in near), default=np.inf)
            size = np.nan if j is None else float(np.prod(found[j].box.size_m) / np.prod(true[i].size_m))
            rows[domain].append((overlap, float(off), size, views, float(true[i].size_m.max()), thing.category))
        extra[domain] += len(found) - len(hits)
    for domain, some in rows.items():
        overlap, off, size, views, side = (np.array([row[k] for row in some]) for k in range(5))
        print(
            f"{domain}: {len(some)} things, recall@0.25 {np.mean(overlap >= 0.25):.2f}, recall@0.5 {np.mean(overlap >= 0.5):.2f}, "
            f"middle off by {np.median(off):.3f} m (median; {np.median(off / side):.2f} of the longest side), within 0.25 m {np.mean(off < 0.25):.2f}, "
            f"volume of what was seen / true {np.nanmedian(size):.2f} (median), boxes left over {extra[domain]}"
        )
        for low, high, what in ((1, 1, "one frame"), (2, 3, "2-3 frames"), (4, 99, "4 frames and more")):
            which = (views >= low) & (views <= high)
            if which.any():
                print(
                    f"  seen in {what}: {which.sum()}, recall@0.25 {np.mean(overlap[which] >= 0.25):.2f}, off {np.median(off[which]):.3f} m"
                )
        for low, high in ((0, 0.3), (0.3, 1.0), (1.0, 99)):
            which = (side >= low) & (side < high)
            if which.any():
                print(
                    f"  longest side {low:g}-{high:g} m: {which.sum()}, recall@0.25 {np.mean(overlap[which] >= 0.25):.2f}, off {np.median(off[which]):.3f} m"
                )
        if asked.by_name:
            for name in sorted({row[5] for row in some}):
                own = [row for row in some if row[5] == name]
                print(
                    f"    {name}: {len(own)}, IoU {np.mean([row[0] for row in own]):.2f}, off {np.median([row[1] for row in own]):.2f} m"
                )
    print(f"lifting and merging: {1000 * np.median(took):.0f} ms a clip (median)")


if __name__ == "__main__":
    main()
