"""Stage 1: the depth head of the embedded network, from simulated clips alone.

    python -m video3d.training.depth DATASET --work DIR --out nano_depth.safetensors

DATASET is a Video-3D-QA folder (``video3d data simulate``). The tower stays frozen, so every augmented view goes through it
once and its features are kept in DIR (0.9 MB a view); the head then learns from them at 20 ms a view on two cores. A killed
run goes on from its last checkpoint. Colours, contrast, sharpness and noise are strongly randomised, and windows of 45 to
100 % of a frame are magnified, because nothing real is seen.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from video3d.data.store import DataSet, open_dataset
from video3d.model.depth_head import DepthHead, depth_loss
from video3d.model.nano import DINOV2, find_packaged
from video3d.model.nano_depth import DEPTH_LAYERS, tower_layers

SKY_M = 100.0
"""What the simulator leaves unknown is sky or beyond 65 m: taken to be this far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthRecipe:
    """How the shipped head was trained.

    Attributes:
        indoor: views of rooms.
        street: views of streets.
        frames_per_clip: frames of a clip to draw views from.
        side_px: of the square views.
        steps: of the optimiser.
        batch: views a step.
        lr: peak learning rate (AdamW, one cycle, a tenth of it warm-up).
        smallest_window: of a frame's side.
        seed: of everything random.
    """

    indoor: int = 2300
    street: int = 700
    frames_per_clip: int = 8
    side_px: int = 224
    steps: int = 1200
    batch: int = 16
    lr: float = 1e-3
    smallest_window: float = 0.45
    seed: int = 0


def photometric(rgb: Float[Tensor, "b 3 h w"], draw: torch.Generator) -> Float[Tensor, "b 3 h w"]:
    """Gamma, brightness, contrast, saturation, tint, blur and noise, drawn for every view."""

    def between(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.empty(len(rgb), channels, 1, 1).uniform_(low, high, generator=draw)

    x = rgb.clamp(1e-3, 1) ** torch.exp(between(-0.6, 0.6))
    x = x * between(0.6, 1.4)
    middle = x.mean((1, 2, 3), keepdim=True)
    x = (x - middle) * between(0.6, 1.4) + middle
    grey = x.mean(1, keepdim=True)
    x = (grey + (x - grey) * between(0.0, 1.6)) * between(0.8, 1.2, 3)
    for i in range(len(x)):
        sharpness = torch.rand(1, generator=draw).item()
        if sharpness < 0.35:
            line = torch.tensor([0.25, 0.5, 0.25] if sharpness < 0.2 else [0.06, 0.24, 0.4, 0.24, 0.06])
            kernel = (line[:, None] * line[None]).expand(3, 1, -1, -1)
            x[i : i + 1] = conv2d(pad(x[i : i + 1], (len(line) // 2,) * 4, mode="replicate"), kernel, groups=3)
    return (x + torch.randn(x.shape, generator=draw) * between(0.0, 0.04)).clamp(0, 1)


def window(
    rgb: np.ndarray, depth_m: np.ndarray, k_px: np.ndarray, side: int, smallest: float, draw: torch.Generator
) -> tuple[Float32[Tensor, "3 s s"], Float32[Tensor, "s s"], Float32[Tensor, "3 3"]]:
    """A square window of a frame (h w 3), magnified to ``side``, mirrored half of the time; K stays true."""
    height = rgb.shape[0]
    share, down, right, mirror = torch.rand(4, generator=draw).tolist()
    size = int(height * (smallest + (1 - smallest) * share))
    top, left = int(down * (height - size + 1)), int(right * (height - size + 1))
    cut = np.s_[top : top + size, left : left + size]
    x = torch.from_numpy(np.ascontiguousarray(rgb[cut])).permute(2, 0, 1)[None].float() / 255
    d = torch.from_numpy(np.ascontiguousarray(depth_m[cut]))[None, None].float()
    x = interpolate(x, size=(side, side), mode="bicubic", antialias=True).clamp(0, 1)[0]
    d = interpolate(d, size=(side, side), mode="nearest-exact")[0, 0]
    k = torch.from_numpy(np.asarray(k_px, dtype=np.float32).copy())
    k[0, 2] -= left
    k[1, 2] -= top
    k[:2] *= side / size
    if mirror < 0.5:
        x, d = x.flip(-1), d.flip(-1)
        k[0, 2] = side - k[0, 2]
    return x, d, k


def prepare(dataset: DataSet, recipe: DepthRecipe, tower: Any, work: Path) -> Path:
    """Writes the tower's features of augmented views, their depth and K; a finished file is used again."""
    path = work / f"views-{recipe.indoor}-{recipe.street}-{recipe.seed}.safetensors"
    if path.is_file():
        return path
    rng, draw = np.random.default_rng(recipe.seed), torch.Generator().manual_seed(recipe.seed)
    left = {"indoor": recipe.indoor, "street": recipe.street}
    views: list[tuple[Tensor, Tensor, Tensor]] = []
    while sum(left.values()):
        before = sum(left.values())
        for clip in dataset.clips("train"):
            for frame in rng.permutation(len(clip.rgb))[: min(recipe.frames_per_clip, left[clip.truth.domain])]:
                assert clip.depth_m is not None
                k_px = np.broadcast_to(clip.truth.k_px, (len(clip.rgb), 3, 3))[frame]
                views.append(
                    window(clip.rgb[frame], clip.depth_m[frame], k_px, recipe.side_px, recipe.smallest_window, draw)
                )
                left[clip.truth.domain] -= 1
        if sum(left.values()) == before:
            break  # the set has no clips of what is still wanted
    kept: list[list[Tensor]] = [[] for _ in DEPTH_LAYERS]
    for start in range(0, len(views), 12):
        pixels = photometric(torch.stack([view[0] for view in views[start : start + 12]]), draw)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for whole, layer in zip(kept, tower_layers(tower, pixels), strict=True):
                whole.append(layer.bfloat16().contiguous())
        if start % 240 == 0:
            print(f"features {start} / {len(views)}", file=sys.stderr, flush=True)
    tensors = {f"layer_{at}": torch.cat(parts) for at, parts in zip(DEPTH_LAYERS, kept, strict=True)}
    tensors["depth_m"] = torch.stack([view[1] for view in views]).half()
    tensors["k_px"] = torch.stack([view[2] for view in views])
    beside = path.with_suffix(".partial")
    save_file(tensors, beside)
    beside.rename(path)
    return path


def train(views: Path, recipe: DepthRecipe, work: Path) -> DepthHead:
    """Trains the head on prepared views; goes on from ``work/depth-checkpoint.pt`` if there is one of this recipe."""
    data = load_file(views)
    layers = [data[f"layer_{at}"] for at in DEPTH_LAYERS]
    torch.manual_seed(recipe.seed)
    head = DepthHead(layers[0].shape[-1], len(layers))
    torch.nn.init.zeros_(head.out.weight)
    with torch.no_grad():
        assert head.out.bias is not None
        head.out.bias.copy_(torch.tensor([1.2, -1.5]))
    optimizer = torch.optim.AdamW(head.parameters(), recipe.lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, recipe.steps, pct_start=0.1)
    checkpoint, first = work / "depth-checkpoint.pt", 0
    if checkpoint.is_file():
        kept = torch.load(checkpoint, weights_only=True)
        if kept["recipe"] == repr(recipe):
            head.load_state_dict(kept["head"])
            optimizer.load_state_dict(kept["optimizer"])
            schedule.load_state_dict(kept["schedule"])
            first = kept["step"]
    size = (recipe.side_px, recipe.side_px)
    started = time.perf_counter()
    for step in range(first, recipe.steps):
        # Drawn from the step's own number, so that a resumed run sees what an unbroken one would have seen.
        draw = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        which = torch.randint(0, len(layers[0]), (recipe.batch,), generator=draw)
        with torch.autocast("cpu", torch.bfloat16):
            maps = head([layer[which] for layer in layers], data["k_px"][which], size)
        true = data["depth_m"][which].float()
        loss = depth_loss(maps, torch.where(true.isfinite(), true, SKY_M))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0 or step + 1 == recipe.steps:
            print(f"step {step + 1}: loss {loss.item():.3f}, {time.perf_counter() - started:.0f} s", file=sys.stderr)
            state = {"recipe": repr(recipe), "step": step + 1, "head": head.state_dict()}
            state |= {"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
            torch.save(state, checkpoint.with_suffix(".partial"))
            checkpoint.with_suffix(".partial").rename(checkpoint)
    return head.eval()


def main() -> None:
    """The command of the module's first lines."""
    from video3d.model.convert_dinov2 import convert_dinov2

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=DepthRecipe.steps)
    arguments = parser.parse_args()
    recipe = DepthRecipe(steps=arguments.steps)
    arguments.work.mkdir(parents=True, exist_ok=True)
    tower = convert_dinov2(find_packaged(DINOV2))
    views = prepare(open_dataset(arguments.dataset), recipe, tower, arguments.work)
    head = train(views, recipe, arguments.work)
    save_file({name: value.bfloat16().contiguous() for name, value in head.state_dict().items()}, arguments.out)


if __name__ == "__main__":
    main()
