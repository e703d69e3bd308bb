"""How many tokens a scene has, and what they cost, when its recording is played again and again.

    python benchmarks/voxel_tokens.py                         # a room made by examples/make_room.py
    python benchmarks/voxel_tokens.py RECORDING --plays 1 2 4 8 --frames 32 --voxel-m 0.2 --cap 512 --json out.json

A recording played n times is n times as long and shows nothing new. Frames go through the vision tower of the nano model;
its patches are pooled and lifted as the model does, then laid out as a ``grid`` (a token for each, and row separators) or
merged by ``voxel``. Times are for one scene: the tower for all frames (measured once and multiplied: both layouts need it),
merging at once without and with a cap, each the median of ``--repeats``, and merging as a stream, a frame at a time, with
the memory that it holds at the end; then the language model reading so many tokens, where it was made for as many. The
stream's tokens are compared with those merged at once. Ends with an error where voxel tokens grow by 10 % or more.

    | plays | frames | grid tokens | voxel tokens | growth | ... | merge ms | stream ms a frame | read grid s | read voxels s |
    |---|---|---|---|---|---|---|---|---|---|
    | 1 | 32 | 2240 | 757 | 0.0 % | ... | 9 | 2.7 | 15.3 | 4.0 |
    | 8 | 256 | 17920 | 757 | 0.0 % | ... | 145 | 2.7 | too many | 5.1 |
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch loads

import torch

from video3d.geometry.lift import lift_patches
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.nano import load_model
from video3d.model.processing_video3d import Video3DProcessor
from video3d.model.scene_encoder import SCENE_KEYS
from video3d.model.scene_stream import SceneAccumulator
from video3d.model.tokens import GridTokens, MergedTokens, merge_by_voxel
from video3d.pipeline import load
from video3d.types.scene_tokens import SceneInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number of plays."""

    plays: int
    frames: int
    grid_tokens: int
    voxel_tokens: int
    growth_percent: float
    capped_tokens: int
    tower_s: float
    merge_ms: float
    capped_merge_ms: float
    stream_ms_per_frame: float
    stream_mb: float
    grid_read_s: float | None
    voxel_read_s: float
    answer_s: float


def timed(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median wall time in milliseconds, and the last result."""
    spent, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        spent.append(1e3 * (time.perf_counter() - start))
    return statistics.median(spent), result


def merging_model(voxel_m: float) -> tuple[Any, Video3DProcessor]:
    """Nano with merged tokens and an open gate: what a trained model of this size would cost."""
    nano, processor = load_model("nano")
    model = Video3DForConditionalGeneration.from_towers(
        nano.vision_tower,
        nano.language_model,
        scene_token_id=processor.scene_token_id,
        arrangement="voxel",
        token_voxel_m=voxel_m,
    )
    model.scene_projector.gate.data.fill_(0.5)  # pyright: ignore[reportOptionalMemberAccess]
    return model, Video3DProcessor.for_model(model.config, processor.tokenizer)


def played_once(
    recording: Path, num_frames: int, model: Any, processor: Video3DProcessor
) -> tuple[GridTokens, int, float]:
    """Tokens of every frame of a recording, the row separators that a grid would add, and the encoder's seconds."""
    scene = load().read(recording, num_frames=num_frames)
    clip = processor.fit_clip(scene.clip)
    batch = processor(clip, lift_patches(clip, processor.patch_px), "a")
    inputs = SceneInputs(**{name: batch[name] for name in SCENE_KEYS if name in batch})
    start = time.perf_counter()
    tokens = model.tokens_to_merge(inputs)
    encode_s = time.perf_counter() - start
    times = tokens.time_s
    if times is None or not bool(times.isfinite().all()):  # a recording that does not say: a frame a second
        tokens = replace(tokens, time_s=tokens.frame.float())
    rows = batch["points_world"].shape[2]
    return tokens, clip.num_frames * rows, encode_s


def played(once: GridTokens, plays: int) -> GridTokens:
    """The same recording several times in a row."""
    frames, length = int(once.frame.max()) + 1, float(once.time_s.max()) + 1.0  # pyright: ignore
    return GridTokens(
        content=once.content.repeat(1, plays, 1),
        points_world=once.points_world.repeat(1, plays, 1),
        weight=once.weight.repeat(1, plays),
        frame=torch.cat([once.frame + frames * play for play in range(plays)], 1),
        mask=once.mask.repeat(1, plays),
        distance_m=once.distance_m.repeat(1, plays),  # pyright: ignore
        time_s=torch.cat([once.time_s + length * play for play in range(plays)], 1),
    )


def streamed(tokens: GridTokens, voxel_m: float) -> SceneAccumulator:
    scene = SceneAccumulator(voxel_m=voxel_m)
    scene.add_frames(tokens)
    return scene


@torch.no_grad()
def reading(model: Any, num_tokens: int) -> float | None:
    """Seconds that the language model takes to read a scene of so many tokens; None for more than it was made for."""
    config = model.language_model.config
    if num_tokens > config.max_position_embeddings:
        return None
    embeds = torch.zeros(1, num_tokens, config.hidden_size, dtype=model.language_model.dtype)
    return timed(lambda: model.language_model(inputs_embeds=embeds, logits_to_keep=1), 1)[0] / 1e3


@torch.no_grad()
def answering(model: Any, processor: Video3DProcessor, merged: MergedTokens) -> float:
    """Seconds from scene tokens to an answer of eight words."""
    scene = model.scene_of_merged(merged)
    prompt = processor(text="What is in this room?", num_scene_tokens=int(scene.mask.sum()))["input_ids"]
    answer = {"max_new_tokens": 8, "min_new_tokens": 8, "do_sample": False}
    return timed(lambda: model.generate(prompt, scene=scene, **answer), 1)[0] / 1e3


def measured(
    once: GridTokens, separators: int, tower_s: float, model: Any, processor: Video3DProcessor, args: argparse.Namespace
) -> list[Row]:
    rows: list[Row] = []
    for plays in args.plays:
        tokens = played(once, plays)
        frames = plays * (int(once.frame.max()) + 1)
        merge = partial(merge_by_voxel, tokens, voxel_m=args.voxel_m)
        merge_ms, merged = timed(merge, args.repeats)
        capped_ms, capped = timed(partial(merge, max_tokens=args.cap), args.repeats)
        stream_ms, stream = timed(partial(streamed, tokens, args.voxel_m), 1)
        found, expected = stream.tokens().content.float(), merged.content.float()
        if not torch.allclose(found, expected, atol=1e-4, rtol=1e-5 if merged.content.dtype == torch.float32 else 1e-2):
            sys.exit(f"stream and batch differ by {float((found - expected).abs().max())}")
        num = merged.mask.shape[1]
        first = rows[0].voxel_tokens if rows else num
        rows.append(
            Row(
                plays=plays,
                frames=frames,
                grid_tokens=tokens.mask.shape[1] + plays * separators,
                voxel_tokens=num,
                growth_percent=100.0 * (num / first - 1),
                capped_tokens=capped.mask.shape[1],
                tower_s=plays * tower_s,
                merge_ms=merge_ms,
                capped_merge_ms=capped_ms,
                stream_ms_per_frame=stream_ms / frames,
                stream_mb=stream.num_bytes / 1e6,
                grid_read_s=reading(model, tokens.mask.shape[1] + plays * separators),
                voxel_read_s=reading(model, num) or 0.0,
                answer_s=answering(model, processor, merged),
            )
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path, nargs="?", help="any recording with depth and poses; none: a made room")
    parser.add_argument("--plays", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--voxel-m", type=float, default=0.2)
    parser.add_argument("--cap", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="keep the numbers here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recording = args.recording
        if recording is None:
            sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
            import make_room

            recording = Path(folder) / "room"
            make_room.write_room(recording)
        model, processor = merging_model(args.voxel_m)
        once, separators, tower_s = played_once(recording, args.frames, model, processor)
    rows = measured(once, separators, tower_s, model, processor, args)
    print(
        "| plays | frames | grid tokens | voxel tokens | growth | with cap | tower s | merge ms | with cap ms", end=""
    )
    print(" | stream ms a frame | stream MB | read grid s | read voxels s | answer s |\n" + "|---" * 14 + "|")
    for row in rows:
        grid_s = "too many" if row.grid_read_s is None else f"{row.grid_read_s:.1f}"
        print(
            f"| {row.plays} | {row.frames} | {row.grid_tokens} | {row.voxel_tokens} | {row.growth_percent:.1f} %"
            f" | {row.capped_tokens} | {row.tower_s:.2f} | {row.merge_ms:.0f} | {row.capped_merge_ms:.0f}"
            f" | {row.stream_ms_per_frame:.1f} | {row.stream_mb:.1f} | {grid_s} | {row.voxel_read_s:.1f} | {row.answer_s:.1f} |"
        )
    if args.json:
        sizes = {"voxel_m": args.voxel_m, "cap": args.cap, "threads": torch.get_num_threads()}
        args.json.write_text(json.dumps({**sizes, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    if max(row.growth_percent for row in rows) >= 10:
        sys.exit("voxel tokens grew by 10 % or more")


if __name__ == "__main__":
    main()
