"""The embedded object head, from simulated clips alone.

    video3d train nano-objects DATASET [DATASET ...] --out DIR

A DATASET is a Video-3D-QA folder with instance masks (``video3d data simulate``); DIR/nano_objects.safetensors is what ships. The
vision tower is nano's and stays as it is, so every frame goes through it once; what the head is to say of a patch is known from the
masks and the truth (``object_patches``). Patches are kept in DIR (1 MB a clip), and a killed run goes on from its last checkpoint with the same bits.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from video3d.data.store import DataSet, open_dataset
from video3d.model.nano import load_nano
from video3d.model.nano_objects import WEIGHTS
from video3d.model.object_head import ObjectHead, object_loss
from video3d.replaced import replaced
from video3d.training.features import weights_hash
from video3d.training.network import learn, mixed_precision, run_network, warmup_share
from video3d.training.object_patches import COLORS, Patches, PatchesWanted, gathered, look, prepare
from video3d.training.recipes import at_least, check_ema
from video3d.training.targets import CATEGORIES
from video3d.types import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecipe:
    """How the shipped head was trained.

    Attributes:
        frames: of every clip, evenly spread.
        patches: of every clip that are kept; two thirds show objects where there are so many.
        changed_frames: of every clip, with other colours, light, sharpness and noise, and windows of them magnified.
        changed_patches: of these.
        smallest_window: of a frame's side.
        width: of the head's hidden layers.
        steps: of the optimiser.
        batch: patches a step.
        lr: peak learning rate (AdamW, 2 % warm-up, cosine).
        weight_decay: of it.
        ema: how much of the running mean of the weights, which is what is kept, stays every step.
        seed: of everything random.
    """

    frames: int = 16
    patches: int = 900
    changed_frames: int = 6
    changed_patches: int = 450
    smallest_window: float = 0.4
    width: int = 512
    steps: int = 4000
    batch: int = 2048
    lr: float = 2e-3
    weight_decay: float = 0.05
    ema: float = 0.998
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no run can be made from.

        Raises:
            InputError: a value out of range.
        """
        at_least(self, 1, "frames", "patches", "width", "steps", "batch")
        at_least(self, 0, "lr", "weight_decay", "seed", "changed_frames", "changed_patches")
        check_ema(self.ema)
        if not 0.05 <= self.smallest_window <= 1:
            raise InputError("smallest_window", expected="a share from 0.05 to 1", got=self.smallest_window)

    @property
    def wanted(self) -> PatchesWanted:
        """Which patches are kept."""
        return PatchesWanted(**{field.name: getattr(self, field.name) for field in fields(PatchesWanted)})


def train(patches: Patches, recipe: ObjectRecipe, work: Path, data: str) -> ObjectHead:
    """Trains on prepared patches; goes on from ``work/objects-checkpoint.pt`` if there is one of this recipe and data.

    Returns:
        The head with the running mean of its weights.

    Raises:
        InputError: a checkpoint that cannot be read.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(recipe.seed)
    head = ObjectHead(patches.features.shape[-1], recipe.width, len(CATEGORIES), len(COLORS)).to(device)
    optimizer = torch.optim.AdamW(head.parameters(), recipe.lr, weight_decay=recipe.weight_decay)

    def loss_of(step: int) -> Tensor:
        draw = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        torch.manual_seed(recipe.seed * 1_000_003 + step)  # of what is dropped
        batch = patches.at(torch.randint(0, len(patches), (recipe.batch,), generator=draw), device)
        with mixed_precision(device):
            said = head(batch.features, batch.geometry)
        return object_loss(said, batch.targets)[0]

    mean = learn(
        dict(head.named_parameters()),
        optimizer,
        torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.lr, recipe.steps, pct_start=warmup_share(recipe.steps, 0.02)
        ),
        loss_of,
        steps=recipe.steps,
        ema=recipe.ema,
        max_grad_norm=5.0,
        checkpoint=work / "objects-checkpoint.pt",
        run=f"{recipe!r} {data}",
    )
    head.load_state_dict(mean)
    return head.cpu().eval()


@torch.no_grad()
def judged(head: ObjectHead, patches: Patches) -> dict[str, float]:
    """How well the head does on patches of clips that it has not seen."""
    said, true = head(patches.features, patches.geometry), patches.targets
    there, colored = true.category >= 0, true.color >= 0
    named, none = said.category_logits.argmax(-1), said.category_logits.shape[-1] - 1
    off = (said.center_m - true.center_m)[there].norm(dim=-1)
    front = there & true.has_front
    towards = nn.functional.cosine_similarity(said.heading[front], true.heading[front], dim=-1)
    return {
        "patches": float(len(patches)),
        "category": float((named == true.category)[there].float().mean()),
        "no_object": float((named == none)[~there].float().mean()),
        "color": float((said.color_logits.argmax(-1) == true.color)[colored].float().mean()),
        "center_median_m": float(off.median()),
        "size_log_median": float((said.log_size - true.size_m.log())[there].abs().median()),
        "front_within_45_deg": float((towards > 0.5**0.5).float().mean()),
    }


def train_network(data: Sequence[Path], recipe: ObjectRecipe, out: Path, *, resume: bool) -> dict[str, Any]:
    """The whole run: ``OUT/nano_objects.safetensors`` is what ships with the package, ``OUT/report.json`` what was run.

    Args:
        data: Video-3D-QA folders.
        recipe: of it.
        out: folder to make; patches and checkpoints lie in it.
        resume: go on with what is there.

    Returns:
        The report.

    Raises:
        InputError: no data set, or a folder that holds something else.
    """

    def make(datasets: list[DataSet]) -> dict[str, Any]:
        model, processor = load_nano()
        seen = f"{weights_hash(model.vision_tower)} {recipe.wanted!r}"
        folder = out / f"patches-{hashlib.sha256(seen.encode()).hexdigest()[:12]}"
        look = (model, processor, recipe.wanted, folder)
        paths = list(prepare(datasets, "train", *look))
        held = list(prepare([one for one in datasets if "val" in one.splits()], "val", *look))
        head = train(gathered(paths), recipe, out, " ".join(dataset.content_hash for dataset in datasets))
        save_head(head, out / WEIGHTS.name)
        scores = judged(head, gathered(held)) if held else {}
        val = {name: round(value, 4) for name, value in scores.items()}
        return {"weights": str(out / WEIGHTS.name), "val": val or None}

    return run_network(data, recipe, out, make, resume=resume)


def plan_network(data: Sequence[Path], recipe: ObjectRecipe) -> dict[str, Any]:
    """What a run would take: weights that learn, clips, and the time of a clip and of a step, measured here."""
    datasets = [open_dataset(one) for one in data]
    clips = [clip_id for dataset in datasets for clip_id in dataset.clip_ids("train")]
    if not clips:
        raise InputError("dataset", expected="clips in train", got="none")
    model, processor = load_nano()
    began = time.perf_counter()
    patches = look(model, processor, datasets[0].clip(clips[0]), recipe.wanted)
    clip_s, step_s = time.perf_counter() - began, []
    head = ObjectHead(patches.features.shape[-1], recipe.width, len(CATEGORIES), len(COLORS))
    batch = patches.at(torch.arange(recipe.batch) % len(patches))
    for _ in range(3):
        began = time.perf_counter()
        with mixed_precision("cpu"):
            said = head(batch.features, batch.geometry)
        object_loss(said, batch.targets)[0].backward()
        step_s.append(time.perf_counter() - began)
    return {
        "recipe": asdict(recipe),
        "learned": sum(weight.numel() for weight in head.parameters()),
        "clips": len(clips),
        "clip_s": round(clip_s, 2),
        "step_s": round(min(step_s), 3),
        "hours": round((clip_s * len(clips) + min(step_s) * recipe.steps) / 3600, 2),
    }


def plan_words(plan: dict[str, Any]) -> str:
    """What ``--dry-run`` prints of ``plan_network``."""
    recipe = plan["recipe"]
    return (
        f"nano-objects: {plan['clips']} clips, {recipe['steps']} steps of {recipe['batch']} patches\n"
        f"weights: {plan['learned']:,} learned\n"
        f"time on the CPU: {plan['clip_s']} s a clip and {plan['step_s']} s a step (measured), {plan['hours']} h in all"
    )


def save_head(head: ObjectHead, path: Path) -> None:
    """The head as it ships: bfloat16, with what its outputs are called."""
    names = {"categories": json.dumps(CATEGORIES), "colors": json.dumps(COLORS)}
    weights = {name: weight.bfloat16().contiguous() for name, weight in head.state_dict().items()}
    with replaced(path) as beside:
        save_file(weights, beside, names)


def head_of(path: Path) -> ObjectHead:
    """A head that ``save_head`` wrote, in float32."""
    with safe_open(path, framework="pt") as file:
        weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118  no mapping
    width, read = weights["read.weight"].shape
    head = ObjectHead(len(weights["norm.weight"]), width, len(CATEGORIES), len(COLORS))
    assert read == head.read.in_features
    head.load_state_dict(weights)
    return head.eval()
