"""The embedded object head, from simulated clips alone.

    video3d train nano-objects DATASET [DATASET ...] --out DIR

A DATASET is a Video-3D-QA folder with instance masks (``video3d data simulate``); DIR/nano_objects.safetensors is what ships. The head
takes the place of the vision tower's last blocks, which it starts from. Those before them are nano's and stay as they are, so every frame goes
through them once; what the head is to say of a patch is known from the masks and the truth (``object_patches``). What they gave is kept in
DIR (3 MB a clip), and a killed run goes on from its last checkpoint, on a CPU with the same bits.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from video3d.data.store import DataSet, open_dataset
from video3d.model.nano import NANO, load_nano
from video3d.model.nano_objects import WEIGHTS, blocks_of, packaged_head
from video3d.model.object_head import ObjectHead, PatchObjects, PatchTargets, object_loss
from video3d.replaced import replaced
from video3d.training.features import weights_hash
from video3d.training.network import learn, mixed_precision, run_network, warmup_share
from video3d.training.object_patches import COLORS, FramesWanted, Patches, Shelf, kept, look, prepare, tower_of
from video3d.training.recipes import at_least, check_ema
from video3d.training.targets import CATEGORIES
from video3d.types import InputError

TOWER_BLOCKS = 12
"""Of nano's vision tower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRecipe:
    """How an object head is trained. (The shipped one so, by 1,200 steps on from a head of single patches: docs/results/objects.md.)

    Attributes:
        frames: of every clip, evenly spread.
        changed_frames: of every clip, with other colours, light, sharpness and noise, and windows of them magnified.
        smallest_window: of a frame's side.
        start: ``nano``: the head that comes with the package; empty: a new one.
        blocks: of the tower that are the head's own, where it is new or the one it starts from has none.
        width: of a new head's hidden layers.
        steps: of the optimiser.
        batch: frames a step; objects' patches and half as many others count.
        most_patches: of one thing in one frame that count, on average: what is large has many, and they say much the same.
        lr: peak learning rate (AdamW, 2 % warm-up, cosine).
        lr_blocks: of the blocks.
        weight_decay: of it.
        ema: how much of the running mean of the weights, which is what is kept, stays every step.
        seed: of everything random.
    """

    frames: int = 8
    changed_frames: int = 6
    smallest_window: float = 0.4
    start: str = "nano"
    blocks: int = 3
    width: int = 512
    steps: int = 2000
    batch: int = 16
    most_patches: int = 12
    lr: float = 3e-4
    lr_blocks: float = 1e-4
    weight_decay: float = 0.05
    ema: float = 0.998
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no run can be made from.

        Raises:
            InputError: a value out of range.
        """
        at_least(self, 1, "frames", "width", "steps", "batch", "most_patches")
        at_least(self, 0, "lr", "lr_blocks", "weight_decay", "seed", "changed_frames", "blocks")
        check_ema(self.ema)
        if not 0.05 <= self.smallest_window <= 1:
            raise InputError("smallest_window", expected="a share from 0.05 to 1", got=self.smallest_window)
        if self.blocks > TOWER_BLOCKS:
            raise InputError("blocks", expected=f"at most {TOWER_BLOCKS}, as nano's tower has", got=self.blocks)
        if self.start not in ("", NANO):
            raise InputError("start", expected=f"{NANO}, or nothing for a new head", got=self.start)

    @property
    def wanted(self) -> FramesWanted:
        """Which frames are looked at."""
        return FramesWanted(**{field.name: getattr(self, field.name) for field in fields(FramesWanted)})


def start_head(recipe: ObjectRecipe, tower: Any) -> ObjectHead:
    """The head that a run starts from, with blocks of the tower.

    Raises:
        InputError: a packaged head of other categories or colours.
    """
    torch.manual_seed(recipe.seed)
    if recipe.start:
        weights, categories, colors = packaged_head()
        if (tuple(categories), tuple(colors)) != (tuple(CATEGORIES), COLORS):
            raise InputError("start", expected="a head of these categories and colours", got=NANO, do="--set start=")
        head, own = _head_for(weights, recipe.blocks), blocks_of(weights)
    else:
        head, own = _new_head(tower.config.hidden_size, recipe.width, recipe.blocks), 0
    if head.blocks and not own:
        head.start_blocks(tower)
    return head


def train(shelf: Shelf, head: ObjectHead, recipe: ObjectRecipe, work: Path, data: str) -> ObjectHead:
    """Trains a head on prepared frames; goes on from ``work/objects-checkpoint.pt`` if there is one of this recipe and data.

    Returns:
        The head with the running mean of its weights.

    Raises:
        InputError: a checkpoint that cannot be read.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    run = f"{recipe!r} {data} {weights_hash(head)}"
    head.to(device).train()
    learned = dict(head.named_parameters())
    blocks = [weight for name, weight in learned.items() if name.startswith(("blocks.", "looked."))]
    others = [weight for name, weight in learned.items() if not name.startswith(("blocks.", "looked."))]
    groups = [{"params": others}, {"params": blocks}] if blocks else [{"params": others}]
    optimizer = torch.optim.AdamW(groups, recipe.lr, weight_decay=recipe.weight_decay)
    peaks = [recipe.lr, recipe.lr_blocks][: len(groups)]

    def loss_of(step: int) -> Tensor:
        draw = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        torch.manual_seed(recipe.seed * 1_000_003 + step)  # of what is dropped
        frames = shelf.drawn(recipe.batch, draw)
        with mixed_precision(device):
            said = head(frames.features.to(device), frames.geometry.to(device))
        return object_loss(*told(said, frames, draw, recipe.most_patches))[0]

    schedule = torch.optim.lr_scheduler.OneCycleLR
    mean = learn(
        learned,
        optimizer,
        schedule(optimizer, peaks, recipe.steps, pct_start=warmup_share(recipe.steps, 0.02)),
        loss_of,
        steps=recipe.steps,
        ema=recipe.ema,
        max_grad_norm=5.0,
        checkpoint=work / "objects-checkpoint.pt",
        run=run,
    )
    head.load_state_dict(mean)
    return head.cpu().eval()


def told(
    said: PatchObjects, frames: Patches, draw: torch.Generator | None = None, most: int | None = None
) -> tuple[PatchObjects, PatchTargets]:
    """What is said and what is true of patches with a known place, in a row.

    Args:
        said: of every patch.
        frames: that it was said of.
        draw: leaves out others than objects' until there are half as many, and one a frame; ``None``: all count.
        most: of one thing in one frame that ``draw`` leaves, on average; ``None``: all.
    """
    there = frames.known & (frames.targets.category >= 0)
    others = frames.known & ~there
    if draw is not None:
        if most is not None:
            few = there & (torch.rand(there.shape, generator=draw) * patches_alike(frames) < most)
            there = few if bool(few.any()) else there
        share = (0.5 * float(there.sum()) + len(frames)) / max(float(others.sum()), 1.0)
        drawn = others & (torch.rand(others.shape, generator=draw) < share)
        others = drawn if bool((there | drawn).any()) else others
    count = (there | others).to(said.log_scale.device)

    def counted(one: Any) -> dict[str, Tensor]:
        return {field.name: getattr(one, field.name).to(count.device)[count] for field in fields(one)}

    return PatchObjects(**counted(said)), PatchTargets(**counted(frames.targets))


def patches_alike(frames: Patches) -> Tensor:
    """How many patches of its frame, of known places, show the thing that each shows (f gh gw): those of one category and size."""
    targets = frames.targets
    number = torch.arange(len(frames))[:, None, None].expand(targets.category.shape)
    size, known = (targets.size_m * 1e4).round().long(), frames.known[..., None].long()
    rows = torch.cat([number[..., None], targets.category[..., None], size, known], -1)
    _, which, counts = torch.unique(rows.flatten(0, 2), dim=0, return_inverse=True, return_counts=True)
    return counts[which].view(targets.category.shape)


@torch.no_grad()
def judged(head: ObjectHead, parts: Iterable[Patches]) -> dict[str, float]:
    """How well the head does on frames of clips that it has not seen: all their patches with a known place.

    ``category_by_thing`` counts every thing of a frame alike, however many patches it has.
    """
    rows, alike = [], []
    for part in parts:
        rows.append(told(head(part.features, part.geometry), part))
        alike.append(patches_alike(part)[part.known])
    said = PatchObjects(
        **{at.name: torch.cat([getattr(row, at.name) for row, _ in rows]) for at in fields(PatchObjects)}
    )
    true = PatchTargets(
        **{at.name: torch.cat([getattr(row, at.name) for _, row in rows]) for at in fields(PatchTargets)}
    )
    there, colored = true.category >= 0, true.color >= 0
    named, none = said.category_logits.argmax(-1), said.category_logits.shape[-1] - 1
    off = (said.center_m - true.center_m)[there].norm(dim=-1)
    front = there & true.has_front
    each = there / torch.cat(alike)
    towards = nn.functional.cosine_similarity(said.heading[front], true.heading[front], dim=-1)
    return {
        "patches": float(len(true.category)),
        "category": float((named == true.category)[there].float().mean()),
        "category_by_thing": float(((named == true.category) * each).sum() / each.sum()),
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
        out: folder to make; what frames gave and checkpoints lie in it.
        resume: go on with what is there.

    Returns:
        The report; ``val`` has each of ``judged`` before and after, on clips of the split val.

    Raises:
        InputError: no data set, or a folder that holds something else.
    """

    def make(datasets: list[DataSet]) -> dict[str, Any]:
        model, processor = load_nano()
        head = start_head(recipe, model.vision_tower)
        tower = tower_of(model, len(head.blocks))
        seen = f"{weights_hash(model.vision_tower)} {len(head.blocks)} {recipe.wanted!r}"
        folder = out / f"frames-{hashlib.sha256(seen.encode()).hexdigest()[:12]}"
        look = (tower, processor, recipe.wanted, folder)
        paths = list(prepare(datasets, "train", *look))
        held = list(prepare([one for one in datasets if "val" in one.splits()], "val", *look))
        before = judged(head.eval(), (part for path in held for part in kept(path))) if held else {}
        head = train(
            Shelf([part for path in paths for part in kept(path)]),
            head,
            recipe,
            out,
            " ".join(dataset.content_hash for dataset in datasets),
        )
        save_head(head, out / WEIGHTS.name)
        after = judged(head, (part for path in held for part in kept(path))) if held else {}
        val = {name: [round(before[name], 4), round(value, 4)] for name, value in after.items()}
        return {"weights": str(out / WEIGHTS.name), "val": val or None}

    return run_network(data, recipe, out, make, resume=resume)


def plan_network(data: Sequence[Path], recipe: ObjectRecipe) -> dict[str, Any]:
    """What a run would take: weights that learn, clips, and the time of a clip and of a step, measured here."""
    datasets = [open_dataset(one) for one in data]
    clips = [clip_id for dataset in datasets for clip_id in dataset.clip_ids("train")]
    if not clips:
        raise InputError("dataset", expected="clips in train", got="none")
    model, processor = load_nano()
    head = start_head(recipe, model.vision_tower).train()
    began = time.perf_counter()
    parts = look(tower_of(model, len(head.blocks)), processor, datasets[0].clip(clips[0]), recipe.wanted)
    clip_s, step_s = time.perf_counter() - began, []
    shelf = Shelf(parts)
    for step in range(3):
        began = time.perf_counter()
        draw = torch.Generator().manual_seed(step)
        frames = shelf.drawn(recipe.batch, draw)
        with mixed_precision("cpu"):
            said = head(frames.features, frames.geometry)
        object_loss(*told(said, frames, draw, recipe.most_patches))[0].backward()
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
        f"nano-objects: {plan['clips']} clips, {recipe['steps']} steps of {recipe['batch']} frames\n"
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
        return _head_for({name: file.get_tensor(name) for name in file.keys()}).eval()  # noqa: SIM118  no mapping


def _head_for(weights: Mapping[str, Tensor], blocks: int = 0) -> ObjectHead:
    """A head of these weights, in float32; with ``blocks`` new ones where it has none of its own."""
    own = blocks_of(weights)
    head = _new_head(len(weights["norm.weight"]), len(weights["read.weight"]), own or blocks)
    left = head.load_state_dict({name: weight.float() for name, weight in weights.items()}, strict=False)
    assert not left.unexpected_keys and all(name.startswith(("blocks.", "looked.")) for name in left.missing_keys)
    return head


def _new_head(features_width: int, width: int, blocks: int) -> ObjectHead:
    return ObjectHead(features_width, width, len(CATEGORIES), len(COLORS), blocks, features_width // 64)
