"""What the model costs, part by part, with random weights of a named shape: no video is read and nothing is fetched.

    python benchmarks/model.py                                              # a CPU: SigLIP-B and a 135M language model
    python benchmarks/model.py --preset official --device cuda --dtype bf16  # the published 7B shape, 32 frames of 384 px
    python benchmarks/model.py --frames 16 --json out.json

- preprocessing: from 32 depth maps of 480 x 640 to the position code of every token, ours beside the straightforward way
  (every pixel unprojected, scaled to 384 px, averaged in cells of 27 px, rounded to voxels, encoded), alternating in one run;
- encode: frames to scene tokens; prefill: the language model reads them; question: a question of ``--words`` tokens and
  ``--answer`` tokens of answer, from pixels ("first") and on the kept scene ("second");
- what bounds it: prefill does about 2 operations a weight and token, an answer's token reads every weight once.

Times are medians. Peak memory is the process's, on a GPU the device's.
"""

import argparse
import json
import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch loads

import numpy as np
import torch
from transformers import LlamaConfig, SiglipVisionConfig

from video3d.geometry.lift_cells import centered_window, lift_cells
from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.position import WorldPosition, sin3d, voxel_index
from video3d.model.presets import OFFICIAL, random_model

GRID, CELL_PX, FRAME_PX = 14, 27, 384
BOX: dict[str, Any] = {"voxel_m": 0.1, "min_m": (-15.0, -15.0, -5.0), "max_m": (15.0, 15.0, 5.0)}


def small_model(dtype: torch.dtype) -> Video3DForConditionalGeneration:
    """The published wiring around towers that a laptop runs: SigLIP-B/14 and the shape of SmolLM2-135M."""
    config = Video3DConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=768, intermediate_size=3072, num_hidden_layers=11, num_attention_heads=12, image_size=384,
            patch_size=14, vision_use_head=False,
        ),
        text_config=LlamaConfig(
            vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
            num_key_value_heads=3, tie_word_embeddings=True, max_position_embeddings=16384,
        ),
        **OFFICIAL,
    )  # fmt: skip
    torch.manual_seed(0)
    return Video3DForConditionalGeneration(config).to(dtype).eval()


def recording(frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth of a wall with holes, intrinsics, and poses that turn: what is seen does not change what it costs."""
    rng = np.random.default_rng(0)
    depth = rng.uniform(0.5, 5.0, (frames, 480, 640)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.1] = np.nan
    k = np.tile(np.array([[577.0, 0, 320], [0, 577, 240], [0, 0, 1]]), (frames, 1, 1))
    pose = np.tile(np.eye(4), (frames, 1, 1))
    angle = np.linspace(0, 3, frames)
    pose[:, 0, 0], pose[:, 0, 1], pose[:, 1, 0], pose[:, 1, 1] = (
        np.cos(angle),
        -np.sin(angle),
        np.sin(angle),
        np.cos(angle),
    )
    return depth, k, pose


def ours(depth: np.ndarray, k: np.ndarray, pose: np.ndarray, width: int) -> torch.Tensor:
    window = centered_window((480, 640), GRID, frame_px=FRAME_PX, cell_px=CELL_PX)
    points = torch.from_numpy(lift_cells(depth, k, pose, (GRID, GRID), window).points_world)
    return WorldPosition(Video3DConfig(), width)(points, points.isfinite().all(-1))


def straightforward(depth: np.ndarray, k: np.ndarray, pose: np.ndarray, width: int) -> torch.Tensor:
    """Every pixel to the world, then nearest scaling, cutting, averaging, rounding and encoding."""
    z = torch.from_numpy(depth).nan_to_num(0.0)
    f, h, w = z.shape
    v, u = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    kt, pt = torch.from_numpy(k).float(), torch.from_numpy(pose).float()
    x = (u - kt[:, 0, 2, None, None]) * z / kt[:, 0, 0, None, None]
    y = (v - kt[:, 1, 2, None, None]) * z / kt[:, 1, 1, None, None]
    camera = torch.stack([x, y, z, torch.ones_like(z)], -1).view(f, h * w, 4)
    world = (camera @ pt.transpose(1, 2))[..., :3].view(f, h, w, 3).permute(0, 3, 1, 2)
    world = torch.nn.functional.interpolate(world, size=(FRAME_PX, FRAME_PX * w // h), mode="nearest")
    left = (world.shape[-1] - FRAME_PX) // 2
    world = world[..., : GRID * CELL_PX, left : left + GRID * CELL_PX]
    cells = torch.nn.functional.avg_pool2d(world, CELL_PX).permute(0, 2, 3, 1)
    return sin3d(voxel_index(cells, **BOX), width)


def median(work: Callable[[], Any], repeats: int, device: str) -> float:
    times = []
    for _ in range(repeats):
        if device != "cpu":
            torch.cuda.synchronize()
        begin = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", help="a name of video3d.model.presets; default: towers that a laptop runs")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--words", type=int, default=24, help="tokens of a question")
    parser.add_argument("--answer", type=int, default=8, help="tokens of an answer")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    dtype, device = {"fp32": torch.float32, "bf16": torch.bfloat16}[arguments.dtype], arguments.device
    found: dict[str, Any] = {"frames": arguments.frames, "device": device, "dtype": arguments.dtype}

    given = recording(arguments.frames)
    width = 3584
    times: dict[str, list[float]] = {"ours": [], "straightforward": []}
    for _ in range(max(arguments.repeats, 5)):  # alternating: what disturbs one disturbs the other
        for name, way in (("ours", ours), ("straightforward", straightforward)):
            times[name].append(median(lambda way=way: way(*given, width), 1, "cpu"))
    found["preprocess_ms"] = {name: 1e3 * statistics.median(values) for name, values in times.items()}
    found["preprocess_ratio"] = found["preprocess_ms"]["straightforward"] / found["preprocess_ms"]["ours"]

    if arguments.preset:
        model = random_model(arguments.preset, dtype=dtype, device=device)
    else:
        model = small_model(dtype).to(device)  # pyright: ignore[reportArgumentType]
    weights = sum(p.numel() for p in model.language_model.parameters())
    pixels = torch.randn(1, arguments.frames, 3, FRAME_PX, FRAME_PX, device=device, dtype=dtype)
    points = torch.rand(1, arguments.frames, GRID, GRID, 3, device=device) * 6 - 3
    scene = model.encode_scene(pixels, points)
    n = scene.embeds.shape[1]
    system = torch.randint(10, 1000, (1, 16), device=device)
    question = torch.randint(10, 1000, (1, arguments.words), device=device)
    prefix = torch.cat([system, torch.full((1, n), model.config.scene_token_id, device=device)], 1)
    prompt = torch.cat([prefix, question], 1)
    cache = model.prefill_scene(scene, prefix)
    answer = {"max_new_tokens": arguments.answer, "min_new_tokens": arguments.answer, "do_sample": False}

    def first() -> Any:
        return model.generate(prompt, pixel_values=pixels, points_world=points, pad_token_id=1, **answer)

    def second() -> Any:
        return model.generate(prompt, scene_cache=cache, pad_token_id=1, **answer)

    same = bool(torch.equal(first(), second()))
    seconds = {
        "encode": median(lambda: model.encode_scene(pixels, points), arguments.repeats, device),
        "prefill": median(lambda: model.prefill_scene(scene, prefix), arguments.repeats, device),
        "first question": median(first, arguments.repeats, device),
        "second question": median(second, arguments.repeats, device),
    }
    long = dict(answer, max_new_tokens=arguments.answer + 16, min_new_tokens=arguments.answer + 16)
    more = median(lambda: model.generate(prompt, scene_cache=cache, pad_token_id=1, **long), arguments.repeats, device)
    found |= {
        "scene_tokens": n,
        "language_weights": weights,
        "seconds": seconds,
        "second_over_first": seconds["second question"] / seconds["first question"],
        "same_tokens": same,
        "prefill_tokens_per_s": n / seconds["prefill"],
        "prefill_tflops": 2 * weights * n / seconds["prefill"] / 1e12,
        "decode_tokens_per_s": 16 / max(more - seconds["second question"], 1e-9),
    }
    if device == "cpu":
        found["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    else:
        found["peak_gb"], found["gpu"] = torch.cuda.max_memory_allocated() / 1e9, torch.cuda.get_device_name()
    print(json.dumps(found, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
