"""How well objects are found on held-out simulated clips: all of them by themselves, and each by its name.

    python benchmarks/objects.py DATASET [--split test] [--clips 100]

Detection: a thing is found where a box of its name shares at least 0.25 (0.5) of their union with it, or, as what questions need,
where a thing of its name is believed within half a metre; F1 at the threshold of the score that serves it best, and at the one
that the package uses. Names: of the things whose name is theirs alone in the clip, how far from its true centre each is believed
when it is asked for. ``as given`` is what the package gives: by default what patches vote for and what the embedded detector sees, made one
(``--detector none``: votes alone).

Example row:
    objects 903  F1@0.25 0.36 (P 0.35 R 0.37)  F1@0.5 0.15  within 0.5 m 0.45 | named 523: median 0.23 m, <0.25 53 %, <0.5 67 %, <1 77 %
"""

import argparse
import time
from pathlib import Path

import numpy as np

from video3d.answers.named_question import Mention
from video3d.data.presented import recording_of
from video3d.data.questions.arrangement import box_at, is_still
from video3d.data.questions.visibility import seen_mask, with_visibility
from video3d.data.store import open_dataset
from video3d.encoding import finders
from video3d.finding import LEAST_SURE
from video3d.geometry.boxes import iou_3d_matrix
from video3d.model.object_votes import find_named, find_objects
from video3d.pipeline import load
from video3d.types.detector import EMBEDDED

NEAR_M = 0.5


def shown_things(truth):
    """Things whose place at the end is shown: seen well in the last frame, or well somewhere and still."""
    for thing in truth.objects:
        still = is_still(truth, thing.object_id)
        seen = seen_mask(truth, thing.object_id)
        if box_at(truth, thing.object_id) is not None and bool(seen.any() if still else seen[-1]):
            yield thing, still


class Given:
    """What the package gives, at its own thresholds."""

    def __init__(self):
        self.total = self.found = self.near = self.shared = 0
        self.off = []

    def judge(self, things, find, position):
        """Adds a clip's things: those found by themselves, and where each is that is asked for by its name alone."""
        boxes, names = [thing.box(-1) for thing, _ in things], [thing.category for thing, _ in things]
        said = find.count(None)
        self.total, self.found = self.total + len(things), self.found + len(said)
        taken = (set(), set())
        for label, place in said if boxes else ():
            shared = iou_3d_matrix([place.box], boxes)[0]
            apart = [float(np.linalg.norm(box.center_world - place.box.center_world)) for box in boxes]
            for used, fits in zip(taken, (shared >= 0.25, np.array(apart) < NEAR_M), strict=True):
                same = [j for j, name in enumerate(names) if name == label and fits[j] and j not in used]
                used.update(sorted(same, key=lambda j: apart[j])[:1])
        self.shared, self.near = self.shared + len(taken[0]), self.near + len(taken[1])
        for (thing, _), box in zip(things, boxes, strict=True):
            if names.count(thing.category) == 1:
                place = find.locate(
                    [Mention(said=thing.category, category=thing.category, color=thing.color or None)], position
                )[0]
                off = np.inf if place is None else float(np.linalg.norm(place.box.center_world - box.center_world))
                self.off.append(off)

    def row(self):
        """Words for a line."""
        both, off = max(1, self.found + self.total), np.array(self.off)
        near = f"P {self.near / max(1, self.found):.2f} R {self.near / max(1, self.total):.2f} within {NEAR_M} m"
        shares = (
            ", ".join(f"<{m} m {100 * float((off < m).mean()):.0f} %" for m in (0.25, 0.5, 1.0)) if len(off) else ""
        )
        return f"{self.found} things, F1@0.25 {2 * self.shared / both:.3f}, {near}; by name {len(off)}: {shares}"


def best_f1(rows, column, total):
    rows = sorted(rows, key=lambda row: -row[0])
    right = np.cumsum([row[column] for row in rows])
    f1 = 2 * right / (np.arange(1, len(rows) + 1) + total)
    k = int(f1.argmax())
    return f1[k], right[k] / (k + 1), right[k] / total, rows[k][0]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("dataset", type=Path)
    options.add_argument("--split", default="test")
    options.add_argument("--clips", type=int, default=100)
    options.add_argument("--detector", default=EMBEDDED)
    asked = options.parse_args()
    dataset = open_dataset(asked.dataset)
    engine = load(detector=asked.detector)
    given = {"indoor": Given(), "street": Given()}
    domains = {"indoor": ([], [], [0]), "street": ([], [], [0])}
    took = []
    every = max(1, len(dataset.clip_ids(asked.split)) // asked.clips)
    for clip_id in dataset.clip_ids(asked.split)[::every][: asked.clips]:
        clip = dataset.clip(clip_id)
        truth = with_visibility(clip.truth)
        rows, named, total = domains["street" if truth.domain == "street" else "indoor"]
        scene = engine.read(recording_of(clip), num_frames=16)
        began = time.perf_counter()
        looked = engine.look(scene)
        votes = looked.votes
        took.append(time.perf_counter() - began)
        if votes is None:
            print(f"{clip_id}: no upright metric world")
            continue
        things = list(shown_things(truth))
        given["street" if truth.domain == "street" else "indoor"].judge(
            things, finders(looked), scene.clip.num_frames - 1
        )
        boxes, names = [thing.box(-1) for thing, _ in things], [thing.category for thing, _ in things]
        total[0] += len(things)
        found = find_objects(votes)
        shared = (
            iou_3d_matrix([one.box for one in found], boxes) if found and boxes else np.zeros((len(found), len(boxes)))
        )
        matched = [set(), set(), set()]
        for k, one in enumerate(found):
            apart = np.array([np.linalg.norm(box.center_world - one.box.center_world) for box in boxes])
            hit = [one.score]
            for taken, fits in zip(matched, (shared[k] >= 0.25, shared[k] >= 0.5, apart < NEAR_M), strict=True):
                same = [j for j, name in enumerate(names) if name == one.category and fits[j] and j not in taken]
                taken.update(sorted(same, key=lambda j: apart[j])[:1])
                hit.append(bool(same))
            rows.append(hit)
        for thing, still in things:
            if names.count(thing.category) == 1:
                one = find_named(
                    votes, thing.category, thing.color, frame=None if still else int(votes.frame.max(initial=0))
                )
                off = (
                    np.inf if one is None else float(np.linalg.norm(one.box.center_world - thing.box(-1).center_world))
                )
                named.append((off, 0.0 if one is None else one.score))
    for domain, (rows, named, (total,)) in domains.items():
        if not rows:
            continue
        words = []
        for column, what in ((1, "F1@0.25"), (2, "F1@0.5"), (3, f"within {NEAR_M} m")):
            f1, precision, recall, score = best_f1(rows, column, total)
            words.append(f"{what} {f1:.3f} (P {precision:.2f} R {recall:.2f} at {score:.2f})")
        sure = [row for row in rows if row[0] >= LEAST_SURE]
        right = sum(row[3] for row in sure)
        words.append(
            f"at {LEAST_SURE}: P {right / max(1, len(sure)):.2f} R {right / max(1, total):.2f} within {NEAR_M} m"
        )
        off = np.array([one for one, _ in named])
        shares = ", ".join(f"<{m} m {100 * float((off < m).mean()):.0f} %" for m in (0.25, 0.5, 1.0))
        print(f"{domain}: {total} objects, " + ", ".join(words))
        print(f"  by name: {len(off)}, median {np.median(off):.2f} m, {shares}")
        score = np.array([one for _, one in named])
        for low, high in ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 0.9), (0.9, 1.01)):
            which = (score >= low) & (score < high)
            if which.any():
                print(
                    f"    score {low:.2f}-{min(high, 1):.2f}: {int(which.sum())}, {100 * float((off[which] < NEAR_M).mean()):.0f} % within {NEAR_M} m"
                )
        print(f"  as given (detector {asked.detector}): {given[domain].row()}")
    print(f"tower, tokens and votes: {np.median(took):.2f} s a clip of 16 frames (median)")


if __name__ == "__main__":
    main()
