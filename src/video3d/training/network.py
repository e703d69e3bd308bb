"""What the recipes of nano's own networks (``depth``, ``objects``) share: a loop that can be killed and gone on with, and a report."""

import json
import pickle
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from video3d.data.store import DataSet, open_dataset
from video3d.model.nano import device_dtype
from video3d.replaced import replaced
from video3d.training.report import device_name, git_sha
from video3d.types import InputError

STEPS_BETWEEN_CHECKPOINTS = 100
STEPS_BETWEEN_WORDS = 100


def mixed_precision(device: str) -> torch.autocast:
    """A context in which bfloat16 is computed in where the device has it: emulated it was 15 to 20 times slower than float32."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=device_dtype(device) == torch.bfloat16)


def warmup_share(steps: int, share: float) -> float:
    """Of a one-cycle schedule, the share of its steps until its peak: never just one step, for which it divides by zero.

    >>> warmup_share(4000, 0.02), warmup_share(20, 0.05), warmup_share(2, 0.05), warmup_share(1, 0.05)
    (0.02, 0.075, 0.75, 0.5)
    """
    if share * steps >= 1.5:
        return share
    return 1.5 / steps if steps > 1 else 0.5


def learn(
    learned: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    loss_of: Callable[[int], Tensor],
    *,
    steps: int,
    ema: float,
    max_grad_norm: float,
    checkpoint: Path,
    run: str,
) -> dict[str, Tensor]:
    """Learns step by step, from the last checkpoint where there is one of the same run.

    Args:
        learned: what learns, by name.
        optimizer: of it.
        schedule: of the optimiser's rate.
        loss_of: the loss of a step, from its number alone, so that a resumed run sees what an unbroken one would have seen.
        steps: in all.
        ema: how much of the running mean of the weights stays every step; less at the beginning.
        max_grad_norm: gradients are cut to it.
        checkpoint: file, written beside and renamed.
        run: what the run is, in words; a checkpoint of another run is not gone on with.

    Returns:
        The running mean of what was learned.

    Raises:
        InputError: a checkpoint that cannot be read.
    """
    mean = {name: weight.detach().clone() for name, weight in learned.items()}
    first = 0
    kept = _read(checkpoint, run)
    if kept is not None:
        with torch.no_grad():
            for name, weight in learned.items():
                weight.copy_(kept["learned"][name])
                mean[name].copy_(kept["mean"][name])
        optimizer.load_state_dict(kept["optimizer"])
        schedule.load_state_dict(kept["schedule"])
        first = kept["step"]
    began, losses = time.perf_counter(), []
    for step in range(first, steps):
        loss = loss_of(step)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learned.values(), max_grad_norm)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        keep = min(ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, weight in learned.items():
                mean[name].lerp_(weight, 1 - keep)
        last = step + 1 == steps
        if (step + 1) % STEPS_BETWEEN_WORDS == 0 or last:
            each = (time.perf_counter() - began) / (step + 1 - first)
            said = f"loss {np.mean(losses[-STEPS_BETWEEN_WORDS:]):.3f}, {each:.2f} s a step"
            print(
                f"step {step + 1}: {said}, {each * (steps - step - 1) / 60:.1f} min left", file=sys.stderr, flush=True
            )
        if (step + 1) % STEPS_BETWEEN_CHECKPOINTS == 0 or last:
            state = {"run": run, "step": step + 1, "mean": mean, "optimizer": optimizer.state_dict()}
            state |= {"learned": {name: weight.detach() for name, weight in learned.items()}}
            with replaced(checkpoint) as beside:
                torch.save(state | {"schedule": schedule.state_dict()}, beside)
    return {name: weight.cpu() for name, weight in mean.items()}


def _read(checkpoint: Path, run: str) -> dict[str, Any] | None:
    """A checkpoint of this run; None where there is none, or one of another."""
    if not checkpoint.is_file():
        return None
    try:
        kept = torch.load(checkpoint, weights_only=True, map_location="cpu")
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        got = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(checkpoint, expected="a checkpoint of this run", got=got, do="remove it") from error
    return kept if isinstance(kept, dict) and kept.get("run") == run else None


def run_network(
    data: Sequence[Path],
    recipe: Any,
    out: Path,
    make: Callable[[list[DataSet]], dict[str, Any]],
    *,
    resume: bool,
) -> dict[str, Any]:
    """A whole run: what ``make`` does with the data sets in ``out``, and ``OUT/report.json``, which says what was run.

    Args:
        data: Video-3D-QA folders.
        recipe: of it, a frozen configuration.
        out: folder to make; what is computed once and checkpoints lie in it.
        make: trains and writes; gives what the report says of it, the weights' path among it.
        resume: go on with what is there.

    Returns:
        The report.

    Raises:
        InputError: no data set, or a folder that holds something else.
    """
    datasets = [open_dataset(one) for one in data]
    if out.is_dir() and any(out.iterdir()) and not resume:
        raise InputError(out, expected="an empty or new folder", got="one with files", do="add --resume, or name another")  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    made = make(datasets)
    report = made | {
        "recipe": asdict(recipe),
        "data": [dataset.content_hash for dataset in datasets],
        "git": git_sha(),
        "minutes": round((time.monotonic() - began) / 60, 2),
        "device": device_name(),
    }
    with replaced(out / "report.json") as beside:
        beside.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report
