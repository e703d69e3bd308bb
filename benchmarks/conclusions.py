"""How right geometry's conclusions are, by kind of question: from what the model believes of things, or from what is true of them.

    python benchmarks/conclusions.py DATASET [--split val] [--domain street] [--clips 40] [--truth] [--wrong FILE]

With ``--truth`` every thing is where it is, as large, and called as it is called: what is wrong then is the reading of the
question or the conclusion, not what was seen. Nothing is generated: where no conclusion is drawn, the score is 0, though the
language model may still be right; what is measured of the camera and the room stands in every prompt besides. Scores are those of the examination (``video3d eval video3d-qa``).

Example row:
    relation.object_frame          n  109  concluded 0.98  score 0.596
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from video3d.answers.named import Finders, Located
from video3d.answers.notes import notes_on
from video3d.data.presented import asked, recording_of
from video3d.data.store import open_dataset
from video3d.encoding import finders
from video3d.evaluation.qa_parse import parse_answer
from video3d.evaluation.qa_score import grade
from video3d.pipeline import load
from video3d.types.track import Track
from video3d.vocabulary import may_move

CONCLUDES = ("likely: ", "perhaps: ")
FRAMES = 16
LEAST_PX = 25  # of a thing in a frame that shows it
LAST_FRAMES = 8  # over which what moves is followed
ERROR_M = 0.02  # how well true places are said to be known


def true_finders(data, clip):
    """Things of a clip by name, as they truly are: of those that a frame shows, the first of a name."""
    truth, frames = data.truth, [int(frame) for frame in clip.frame_index]
    shown = {
        thing.object_id: [at for at, frame in enumerate(frames) if (data.instance[frame] == thing.object_id).sum() >= LEAST_PX]
        for thing in truth.objects
    }  # fmt: skip

    def located(thing, position):
        there = [at for at in range(len(frames)) if np.isfinite(thing.world_from_object[frames[at]]).all()]
        at = frames[min(there, key=lambda at: abs(at - position))]
        x, y = (float(value) for value in thing.world_from_object[at][:2, 1])
        return Located(
            box=thing.box(at),
            score=1.0,
            frames=tuple(shown[thing.object_id]),
            color=(thing.color or "", 1.0 if thing.color else 0.0),
            front_world=(-x, -y) if thing.has_front else None,
        )

    def named(mention):
        fits = [
            thing
            for thing in truth.objects
            if thing.category == mention.category and mention.color in (None, thing.color) and shown[thing.object_id]
        ]
        return fits[0] if fits else None

    def locate(mentions, position):
        return [None if (thing := named(one)) is None else located(thing, position) for one in mentions]

    def count(name):
        seen = [thing for thing in truth.objects if shown[thing.object_id] and name in (None, thing.category)]
        return tuple((thing.category, located(thing, len(frames) - 1)) for thing in seen)

    def follow(mentions):
        return [track(named(one)) if may_move(one.category) else None for one in mentions]

    def track(thing):
        if thing is None:
            return None
        at = np.array(shown[thing.object_id][-LAST_FRAMES:])
        places = np.stack([thing.world_from_object[frames[one]][:3, 3] for one in at])
        moved = np.full(len(at), bool(np.ptp(places, axis=0).max() > ERROR_M))
        return Track(
            frame=at, time_s=clip.time_s[at], center_world=places, sigma_m=np.full(len(at), ERROR_M), moved=moved
        )

    return Finders(locate, count, follow)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("dataset", type=Path)
    options.add_argument("--split", default="val")
    options.add_argument("--domain", choices=("indoor", "street"), help="of these clips only; both if not given")
    options.add_argument("--clips", type=int, default=40)
    options.add_argument("--truth", action="store_true", help="conclude from what is true of things")
    options.add_argument("--wrong", type=Path, help="write every question whose score is below 1 there")
    wanted = options.parse_args()
    dataset, engine = open_dataset(wanted.dataset), load()
    domains = dataset.column("domain")
    ids = [one for one in dataset.clip_ids(wanted.split) if wanted.domain in (None, domains[one])]
    ids = ids[:: max(1, len(ids) // wanted.clips)][: wanted.clips]
    rows = {one: [] for one in ids}
    for row in dataset.rows(wanted.split):
        if row.clip_id in rows:
            rows[row.clip_id].append(row)
    number, concluded, score, wrong, began = Counter(), Counter(), Counter(), [], time.perf_counter()
    for at, clip_id in enumerate(ids, 1):
        data = dataset.clip(clip_id)
        scene = engine.read(recording_of(data), num_frames=FRAMES)
        find = true_finders(data, scene.clip) if wanted.truth else finders(engine.look(scene))
        if find is None:
            print(f"{clip_id}: no upright metric world", file=sys.stderr)
            continue
        for row in rows[clip_id]:
            notes = notes_on(asked(row), scene.clip, scene.facts, find)
            number[row.subtype] += 1
            right = 0.0
            if len(notes) == 1 and notes[0].startswith(CONCLUDES):
                concluded[row.subtype] += 1
                said = parse_answer(notes[0].split(": ", 1)[1], row.answer)
                right = grade(said, row.answer, row.answer_text["en"], caption=row.type == "caption").score
            score[row.subtype] += right
            if right < 1:
                wrong.append(f"{right:.2f} | {clip_id} | {asked(row)} | {row.answer_text['en']} | {'; '.join(notes)}")
        if at % 10 == 0:
            left = (time.perf_counter() - began) / at * (len(ids) - at)
            print(f"clip {at} of {len(ids)}, {left:.0f} s left", file=sys.stderr, flush=True)
    for kind in sorted({name.split(".")[0] for name in number}):
        names = [name for name in number if name.split(".")[0] == kind]
        for name in sorted(names):
            print(f"{name:30s} n {number[name]:4d}  concluded {concluded[name] / number[name]:.2f}  score {score[name] / number[name]:.3f}")  # fmt: skip
        total = sum(number[name] for name in names)
        print(f"{kind:30s} n {total:4d}  concluded {sum(concluded[name] for name in names) / total:.2f}  score {sum(score[name] for name in names) / total:.3f}")  # fmt: skip
    if wanted.wrong is not None:
        wanted.wrong.write_text("\n".join([*wrong, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
