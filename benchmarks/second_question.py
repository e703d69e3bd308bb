"""What a second question on a scene costs beside the first, at the model alone: no video is read.

    python benchmarks/second_question.py                    # nano as it comes: its gate is shut, the scene is left out
    python benchmarks/second_question.py --open             # what a trained model of this size would cost
    python benchmarks/second_question.py --model DIR --frames 16 --json out.json

In one run, on the same frames, prompts and machine, each the median of ``--repeats`` and with the same number of answer
tokens: Hugging Face's own way (pixels in every call), scene tokens kept, and keys and values kept. The answers of all
three are compared: they have to be the same tokens in float32, and are usually the same in bfloat16.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch loads

import numpy as np
import torch

from video3d.model.nano import load_model, prepare_nano
from video3d.types import PatchPoints, PosedClip, World

FACTS = """[VIDEO ANALYSIS]
depth (measured): median 2.31 m, from 0.62 to 6.04 m
camera path (measured): 4.87 m, start to end 2.10 m
camera height (measured): 1.42 m above the floor
room seen (measured): 5.1 x 3.8 x 2.6 m
surfaces: floor; table top 0.74 m above the floor
objects: unknown
[QUESTION]
"""
QUESTIONS = ("How high is the camera?", "How large is the room?", "What stands above the floor?")


def make_scene(num_frames: int, size_hw: tuple[int, int], patch_px: int) -> tuple[PosedClip, PatchPoints]:
    """Noise to look at and a wall of points: what is seen does not change what it costs."""
    rng = np.random.default_rng(0)
    f, (h, w) = num_frames, size_hw
    grid = (h // patch_px, w // patch_px)
    share = (rng.random((f, *grid)) < 0.8).astype(np.float32)
    points = rng.uniform(-3, 3, (f, *grid, 3)).astype(np.float32)
    points[share == 0] = np.nan
    clip = PosedClip(
        frame_index=np.arange(f, dtype=np.int64),
        time_s=np.arange(f) / 3.0,
        rgb=rng.integers(0, 256, (f, h, w, 3), dtype=np.uint8),
        depth_m=np.full((f, h, w), 2, np.float32),
        k_px=np.tile(np.array([[w, 0, w / 2], [0, w, h / 2], [0, 0, 1.0]]), (f, 1, 1)),
        world_from_camera=np.tile(np.eye(4), (f, 1, 1)),
        piece=np.zeros(f, np.int64),
        world=World(metric=True),
    )
    depth = np.where(share > 0, np.float32(2), np.float32(np.nan))
    return clip, PatchPoints(points_world=points, depth_m=depth, valid_share=share, patch_px=patch_px)


def timed(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median wall time in seconds, and the last result."""
    seconds, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


def common_prefix(rows: list[torch.Tensor]) -> torch.Tensor:
    """The ids that all prompts begin with."""
    shortest = min(row.shape[1] for row in rows)
    same = torch.stack([row[0, :shortest] == rows[0][0, :shortest] for row in rows]).all(0)
    return rows[0][:, : int(same.int().cumprod(0).sum())]


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """One run."""
    found: dict[str, Any] = {
        "model": arguments.model,
        "frames": arguments.frames,
        "gate": "open" if arguments.open else "as saved",
    }
    if arguments.model == "nano":
        prepare_nano()
    found["load_s"], (model, processor) = timed(lambda: load_model(arguments.model), arguments.repeats)
    if arguments.open and model.scene_projector.gate is not None:
        model.scene_projector.gate.data.fill_(0.5)
    clip, points = make_scene(arguments.frames, processor.frame_size_hw((480, 640)), processor.patch_px)
    prompts = [processor(clip, points, FACTS + question).to(model.device) for question in QUESTIONS]
    settings = {"max_new_tokens": arguments.tokens, "min_new_tokens": arguments.tokens, "do_sample": False}
    first = prompts[0]
    pixels = {name: first[name] for name in ("pixel_values", "points_world", "valid_share")}
    words = [{name: prompt[name] for name in ("input_ids", "attention_mask")} for prompt in prompts]

    with torch.no_grad():
        found["encode_scene_s"], scene = timed(lambda: model.encode_scene(**pixels), arguments.repeats)
    prefix = common_prefix([prompt["input_ids"] for prompt in words])
    found["prefill_scene_s"], cache = timed(lambda: model.prefill_scene(scene, prefix), arguments.repeats)
    found["copy_of_keys_s"], _ = timed(cache.fork, arguments.repeats)

    def first_question() -> Any:
        kept = model.prefill_scene(model.encode_scene(**pixels), prefix)
        return model.generate(**words[0], scene_cache=kept, **settings)

    found["first_question_s"], _ = timed(first_question, arguments.repeats)
    ways = {
        "pixels_again": lambda: model.generate(**words[1], **pixels, **settings),
        "tokens_kept": lambda: model.generate(**words[1], scene=scene, **settings),
        "keys_kept": lambda: model.generate(**words[1], scene_cache=cache, **settings),
    }
    answers = {}
    for name, way in ways.items():
        found[f"second_question_{name}_s"], answers[name] = timed(way, arguments.repeats)
    one, _ = timed(lambda: model.generate(**words[1], scene_cache=cache, max_new_tokens=1), arguments.repeats)
    found["second_question_first_token_s"] = one
    found["tokens_per_s"] = (arguments.tokens - 1) / (found["second_question_keys_kept_s"] - one)
    found["second_to_first"] = found["second_question_keys_kept_s"] / found["first_question_s"]
    found["same_tokens"] = all(torch.equal(answer, answers["keys_kept"]) for answer in answers.values())
    found["prompt_tokens"], found["scene_tokens"] = words[1]["input_ids"].shape[1], scene.mask.shape[1]
    found["answer_tokens"], found["dtype"] = arguments.tokens, str(model.dtype)
    found["answer"] = processor.answers(answers["keys_kept"], words[1]["input_ids"].shape[1])[0]
    found["threads"], found["device"] = torch.get_num_threads(), str(model.device)
    # Before the conversion, which holds both towers in float32. Linux counts in KiB, macOS in bytes.
    found["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )
    if torch.cuda.is_available():
        found["peak_gpu_memory_mb"] = torch.cuda.max_memory_allocated() / 2**20
    if arguments.model == "nano":
        with tempfile.TemporaryDirectory() as scratch:
            found["convert_s"], _ = timed(lambda: prepare_nano(Path(scratch)), 1)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=24, help="answer tokens, the same in every way")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of torch; otherwise its own choice")
    parser.add_argument("--open", action="store_true", help="open the gate, so that the scene is read")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    found = measure(arguments)
    for name, value in found.items():
        print(f"{name:32} {value:.3f}" if isinstance(value, float) else f"{name:32} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
