"""Stage 1: the embedded depth network, from simulated clips alone.

    video3d train nano-depth DATASET [DATASET ...] --out DIR

A DATASET is a Video-3D-QA folder (``video3d data simulate``); DIR/nano_depth.safetensors is what ships. The head learns fully, the tower by low-rank adapters (LoRA,
arXiv 2106.09685; PEFT), which is what of it fits beside the package. Because nothing real is seen, colours, light, contrast,
sharpness and noise are strongly randomised, windows of 35 to 100 % of a frame are magnified, and shapes of frames vary. A
killed run goes on from its last checkpoint with the same bits. About 2 s a step on two cores.
"""

import hashlib
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad

from video3d.data.store import DataSet
from video3d.model.depth_head import DepthHead, depth_loss
from video3d.model.nano import DINOV2
from video3d.model.nano_depth import DEPTH_LAYERS, WEIGHTS, tower_layers
from video3d.packaged import find_packaged
from video3d.replaced import replaced
from video3d.training.network import learn, mixed_precision, run_network, warmup_share
from video3d.training.recipes import at_least, check_ema
from video3d.types import InputError

SKY_M = 100.0
"""What the simulator leaves unknown is sky or beyond 65 m: taken to be this far."""
ADAPTED = ("q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2")
"""Linear maps of a block that get an adapter, in every block from the first that the head reads to the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthRecipe:
    """How the shipped network was trained.

    Attributes:
        frames_per_clip: frames of a clip that are used.
        sizes_px: height and width of the views; one is drawn every step.
        steps: of the optimiser.
        batch: views a step.
        lr_head: peak learning rate of the head (AdamW, one cycle, a twentieth of it warm-up).
        lr_tower: of the adapters.
        rank: of the adapters.
        ema: how much of the running mean of the weights, which is what is kept, stays every step.
        smallest_window: of a frame's side.
        seed: of everything random.
    """

    frames_per_clip: int = 8
    sizes_px: tuple[tuple[int, int], ...] = ((168, 168), (168, 224), (196, 252), (224, 168), (224, 224))
    steps: int = 2000
    batch: int = 16
    lr_head: float = 1e-3
    lr_tower: float = 4e-4
    rank: int = 16
    ema: float = 0.998
    smallest_window: float = 0.35
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no run can be made from.

        Raises:
            InputError: a value out of range.
        """
        at_least(self, 1, "frames_per_clip", "steps", "batch", "rank")
        at_least(self, 0, "lr_head", "lr_tower", "seed")
        check_ema(self.ema)
        if not 0.05 <= self.smallest_window <= 1:
            raise InputError("smallest_window", expected="a share from 0.05 to 1", got=self.smallest_window)


def photometric(rgb: Float[Tensor, "b 3 h w"], draw: torch.Generator) -> Float[Tensor, "b 3 h w"]:
    """Gamma, light that varies over the view, contrast, saturation, mixed channels, a faint other view, blur and noise."""
    count = len(rgb)

    def between(low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(count, *(shape or (1, 1, 1))).uniform_(low, high, generator=draw)

    def some(share: float) -> Tensor:
        return (torch.rand(count, 1, 1, 1, generator=draw) < share).float()

    # Surfaces of the simulator are cleaner than real ones: a faint other view is texture that says nothing of depth.
    other = rgb[torch.randperm(count, generator=draw)]
    x = rgb + (other - rgb) * between(0.0, 0.25) * some(0.4)
    x = x.clamp(1e-3, 1) ** torch.exp(between(-0.6, 0.6))
    light = interpolate(between(-0.5, 0.5, 1, 4, 4), size=rgb.shape[-2:], mode="bicubic", align_corners=False)
    x = x * between(0.6, 1.4) * torch.exp(light * some(0.6))
    middle = x.mean((1, 2, 3), keepdim=True)
    x = (x - middle) * between(0.6, 1.4) + middle
    grey = x.mean(1, keepdim=True)
    x = (grey + (x - grey) * between(0.0, 1.6)) * between(0.8, 1.2, 3, 1, 1)
    mix = torch.eye(3) + between(-0.25, 0.25, 3, 3) * some(0.3)[..., 0]
    x = torch.einsum("bij,bjhw->bihw", mix, x)
    for i in range(count):
        sharpness = torch.rand(1, generator=draw).item()
        if sharpness < 0.4:
            line = torch.tensor([0.25, 0.5, 0.25] if sharpness < 0.2 else [0.06, 0.24, 0.4, 0.24, 0.06])
            kernel = (line[:, None] * line[None]).expand(3, 1, -1, -1)
            x[i : i + 1] = conv2d(pad(x[i : i + 1], (len(line) // 2,) * 4, mode="replicate"), kernel, groups=3)
    return (x + torch.randn(x.shape, generator=draw) * between(0.0, 0.05)).clamp(0, 1)


def window(
    rgb: np.ndarray,
    depth_m: np.ndarray,
    k_px: np.ndarray,
    size_hw: tuple[int, int],
    smallest: float,
    draw: torch.Generator,
) -> tuple[Float32[Tensor, "3 h w"], Float32[Tensor, "h w"], Float32[Tensor, "3 3"]]:
    """A window of a frame (h w 3) at ``size_hw`` and of its aspect, mirrored half of the time; K stays true."""
    height, width = rgb.shape[:2]
    share, down, right, mirror = torch.rand(4, generator=draw).tolist()
    scale = (smallest + (1 - smallest) * share) * min(height / size_hw[0], width / size_hw[1])
    rows, columns = int(size_hw[0] * scale), int(size_hw[1] * scale)
    top, left = int(down * (height - rows + 1)), int(right * (width - columns + 1))
    cut = np.s_[top : top + rows, left : left + columns]
    x = torch.from_numpy(np.ascontiguousarray(rgb[cut])).permute(2, 0, 1)[None].float() / 255
    d = torch.from_numpy(np.ascontiguousarray(depth_m[cut]))[None, None].float()
    x = interpolate(x, size=size_hw, mode="bicubic", antialias=True).clamp(0, 1)[0]
    d = interpolate(d, size=size_hw, mode="nearest-exact")[0, 0]
    k = torch.from_numpy(np.asarray(k_px, dtype=np.float32).copy())
    k[0, 2] -= left
    k[1, 2] -= top
    k[0] *= size_hw[1] / columns
    k[1] *= size_hw[0] / rows
    if mirror < 0.5:
        x, d = x.flip(-1), d.flip(-1)
        k[0, 2] = size_hw[1] - k[0, 2]
    return x, d, k


@dataclass(frozen=True, slots=True)
class Frames:
    """What views are drawn from, on disk: rgb (n s s 3) uint8, depth (n s s) float16 in metres (NaN unknown), K (n 3 3)."""

    rgb: np.ndarray
    depth_m: np.ndarray
    k_px: np.ndarray


def prepare(datasets: Sequence[DataSet], recipe: DepthRecipe, work: Path) -> Frames:
    """Writes the frames of the training clips where they can be reached one by one; finished files are used again.

    Raises:
        InputError: no training clips, clips without depth, or frames that are smaller than views or of several sizes.
    """
    key = hashlib.sha256(" ".join(dataset.content_hash for dataset in datasets).encode()).hexdigest()[:12]
    names = [f"frames-{name}-{key}-{recipe.frames_per_clip}-{recipe.seed}.npy" for name in ("rgb", "depth", "k")]
    paths = [work / name for name in names]
    if not paths[-1].is_file():
        total = recipe.frames_per_clip * sum(len(dataset.clip_ids("train")) for dataset in datasets)
        rgb = depth = None
        side = (0, 0)
        k_px: list[np.ndarray] = []
        rng = np.random.default_rng(recipe.seed)
        for clip in (clip for dataset in datasets for clip in dataset.clips("train")):
            if clip.depth_m is None:
                raise InputError(clip.truth.clip_id, expected="a clip with depth", got="none")
            if rgb is None or depth is None:
                side = clip.rgb.shape[1:3]
                rgb = np.lib.format.open_memmap(paths[0], "w+", np.uint8, (total, *side, 3))
                depth = np.lib.format.open_memmap(paths[1], "w+", np.float16, (total, *side))
            if clip.rgb.shape[1:3] != side:
                raise InputError(clip.truth.clip_id, expected=f"frames of {side[0]} x {side[1]}, as the others", got=f"{clip.rgb.shape[1]} x {clip.rgb.shape[2]}")  # fmt: skip
            for frame in np.sort(rng.permutation(len(clip.rgb))[: recipe.frames_per_clip]):
                rgb[len(k_px)], depth[len(k_px)] = clip.rgb[frame], clip.depth_m[frame]
                k_px.append(np.broadcast_to(clip.truth.k_px, (len(clip.rgb), 3, 3))[frame])
            if len(k_px) % (200 * recipe.frames_per_clip) == 0:
                print(f"frames {len(k_px)} / {total}", file=sys.stderr, flush=True)
        if not k_px:
            raise InputError(datasets[0].root, expected="clips in train", got="none")
        with replaced(paths[2]) as beside, beside.open("wb") as file:
            np.save(file, np.stack(k_px))
    rgb, depth, kept = (np.load(path, mmap_mode="r") for path in paths)
    return Frames(rgb[: len(kept)], depth[: len(kept)], kept)


class _Network(nn.Module):
    """Tower and head; only what learns is in its state."""

    def __init__(self, tower: nn.Module, recipe: DepthRecipe) -> None:
        super().__init__()
        from peft import LoraConfig, inject_adapter_in_model

        for weight in tower.parameters():
            weight.requires_grad_(False)
        blocks = list(range(min(DEPTH_LAYERS), max(DEPTH_LAYERS)))
        adapters = LoraConfig(
            r=recipe.rank, lora_alpha=recipe.rank, target_modules=list(ADAPTED), layers_to_transform=blocks
        )
        cut: Any = tower
        cut.encoder.layer = cut.encoder.layer[: max(DEPTH_LAYERS)]  # later blocks are not read
        self.tower: Any = inject_adapter_in_model(adapters, cut)
        self.head = DepthHead(self.tower.config.hidden_size, len(DEPTH_LAYERS))
        nn.init.zeros_(self.head.out.weight)
        with torch.no_grad():
            assert self.head.out.bias is not None
            self.head.out.bias.copy_(torch.tensor([1.2, -1.5]))

    def forward(self, pixels: Tensor, true_m: Tensor, k_px: Tensor) -> Tensor:
        size = (pixels.shape[2], pixels.shape[3])
        with mixed_precision(pixels.device.type):
            maps = self.head(tower_layers(self.tower, pixels), k_px, size)
        return depth_loss(maps, torch.where(true_m.isfinite(), true_m, SKY_M))

    def learned(self) -> dict[str, nn.Parameter]:
        return {name: weight for name, weight in self.named_parameters() if weight.requires_grad}


def train(frames: Frames, tower: nn.Module, recipe: DepthRecipe, work: Path) -> dict[str, Tensor]:
    """Trains on prepared frames; goes on from ``work/depth-checkpoint.pt`` if there is one of this recipe.

    Returns:
        The running mean of what was learned: ``head.*`` and ``tower.*.lora_A/B.default.weight``.

    Raises:
        InputError: a checkpoint that cannot be read.
    """
    torch.manual_seed(recipe.seed)
    network = _Network(tower, recipe)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.to(device)
    learned = network.learned()
    head = [weight for name, weight in learned.items() if name.startswith("head.")]
    adapters = [weight for name, weight in learned.items() if not name.startswith("head.")]
    groups = [{"params": head, "weight_decay": 0.01}, {"params": adapters, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, recipe.lr_head)
    peaks = [recipe.lr_head, recipe.lr_tower]

    def loss_of(step: int) -> Tensor:
        draw = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        size = recipe.sizes_px[int(torch.randint(len(recipe.sizes_px), (1,), generator=draw))]
        which = torch.randint(0, len(frames.k_px), (recipe.batch,), generator=draw).tolist()
        views = [
            window(frames.rgb[i], frames.depth_m[i], frames.k_px[i], size, recipe.smallest_window, draw) for i in which
        ]
        pixels, true, k = (torch.stack(parts) for parts in zip(*views, strict=True))
        return network(photometric(pixels, draw).to(device), true.to(device), k.to(device))

    return learn(
        learned,
        optimizer,
        torch.optim.lr_scheduler.OneCycleLR(optimizer, peaks, recipe.steps, pct_start=warmup_share(recipe.steps, 0.05)),
        loss_of,
        steps=recipe.steps,
        ema=recipe.ema,
        max_grad_norm=1.0,
        checkpoint=work / "depth-checkpoint.pt",
        run=repr(recipe),
    )


_PUBLISHED = {
    "attention.q_proj.": "attention.attention.query.",
    "attention.k_proj.": "attention.attention.key.",
    "attention.v_proj.": "attention.attention.value.",
    "attention.o_proj.": "attention.output.dense.",
    "lora_A.default.weight": "right",
    "lora_B.default.weight": "left",
}


def published(learned: dict[str, Tensor]) -> dict[str, Tensor]:
    """What is shipped, in bfloat16: the head's weights, and ``convert_dinov2``'s changes of the tower.

    >>> list(published({"tower.encoder.layer.3.attention.q_proj.lora_A.default.weight": torch.zeros(2, 4)}))
    ['tower.encoder.layer.3.attention.attention.query.right']
    """
    return {_published_name(name): value.bfloat16().contiguous() for name, value in learned.items()}


def _published_name(name: str) -> str:
    for ours, theirs in _PUBLISHED.items():
        name = name.replace(ours, theirs)
    return name


def train_network(data: Sequence[Path], recipe: DepthRecipe, out: Path, *, resume: bool) -> dict[str, Any]:
    """The whole run: ``OUT/nano_depth.safetensors`` is what ships with the package, ``OUT/report.json`` what was run.

    Args:
        data: Video-3D-QA folders.
        recipe: of it.
        out: folder to make; frames and checkpoints lie in it.
        resume: go on with what is there.

    Returns:
        The report.

    Raises:
        InputError: no data set, or a folder that holds something else.
    """
    from video3d.model.convert_dinov2 import convert_dinov2

    def make(datasets: list[DataSet]) -> dict[str, Any]:
        learned = train(prepare(datasets, recipe, out), convert_dinov2(find_packaged(DINOV2)), recipe, out)
        with replaced(out / WEIGHTS.name) as beside:
            save_file(published(learned), beside)
        return {"weights": str(out / WEIGHTS.name)}

    return run_network(data, recipe, out, make, resume=resume)


def plan_network(data: Sequence[Path], recipe: DepthRecipe) -> dict[str, Any]:
    """What a run would take: weights that learn and that are frozen, and seconds a step, measured here on random views.

    Of the data nothing is read.
    """
    from video3d.model.convert_dinov2 import convert_dinov2

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = _Network(convert_dinov2(find_packaged(DINOV2)), recipe).to(device)
    learned = sum(weight.numel() for weight in network.learned().values())
    height, width = sorted(recipe.sizes_px, key=lambda size: size[0] * size[1])[len(recipe.sizes_px) // 2]
    pixels, true = torch.rand(recipe.batch, 3, height, width), torch.rand(recipe.batch, height, width) + 1
    k = torch.tensor([[width, 0.0, width / 2], [0.0, width, height / 2], [0.0, 0.0, 1.0]]).expand(recipe.batch, 3, 3)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        network(pixels.to(device), true.to(device), k.to(device)).backward()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return {
        "recipe": asdict(recipe),
        "learned": learned,
        "frozen": sum(weight.numel() for weight in network.parameters()) - learned,
        "step_s": round(min(seconds), 2),
        "hours": round(min(seconds) * recipe.steps / 3600, 2),
    }


def plan_words(plan: dict[str, Any]) -> str:
    """What ``--dry-run`` prints of ``plan_network``."""
    recipe = plan["recipe"]
    return (
        f"nano-depth: {recipe['steps']} steps of {recipe['batch']} views\n"
        f"weights: {plan['learned']:,} learned, {plan['frozen']:,} frozen\n"
        f"time on this device: {plan['step_s']} s a step (measured), {plan['hours']} h in all, without reading the clips"
    )
