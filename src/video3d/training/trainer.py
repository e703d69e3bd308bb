"""Hugging Face's ``Trainer`` around ``SceneLearner``: what is learned is what is saved, every step is written down, weights are
averaged, and a run that is told to stop leaves a checkpoint to go on from, exactly.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import Dataset, Sampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from video3d.replaced import replaced
from video3d.training.learner import Learned
from video3d.training.recipes import Recipe
from video3d.training.start import groups, learned

LEARNED, MEAN, STEPS = "learned.safetensors", "mean.safetensors", "steps.jsonl"


class SceneTrainer(Trainer):
    """Trains a ``SceneLearner``.

    Args:
        recipe: of the run.
        order: numbers of examples as the run takes them.
        steps_file: one line a step is added to it.
        **rest: of ``Trainer``.
    """

    def __init__(self, recipe: Recipe, order: Sampler[int], steps_file: Path, **rest: Any) -> None:
        super().__init__(**rest)
        self.recipe, self.order, self.steps_file = recipe, order, steps_file
        self.stop_asked = False
        self._sums: dict[str, float] = {}
        self.mean: dict[str, Tensor] = {}
        if recipe.ema:
            self.mean = {name: weight.detach().clone() for name, weight in learned(self._module).items()}
        self.remove_callback(PrinterCallback)  # it prints to where results go
        self.add_callback(_EveryStep(self))

    @property
    def _module(self) -> torch.nn.Module:
        return self.accelerator.unwrap_model(self.model)

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        return self.order

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW (0.9, 0.999) with the recipe's rates by part."""
        if self.optimizer is None:
            whole: Any = self.model if model is None else model
            parts = list(groups(whole, self.recipe))
            self.optimizer = torch.optim.AdamW(parts, lr=self.recipe.lr)
        return self.optimizer

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, **_: Any) -> Any:
        """One number from a batch; its parts are kept for the step's line."""
        found: Learned = model(**inputs)
        if model.training:
            values = {"loss": found.loss.detach(), **found.parts, "right": found.right, "questions": found.asked}
            for name, value in values.items():
                self._sums[name] = self._sums.get(name, 0.0) + float(value)
            self._sums["batches"] = self._sums.get("batches", 0.0) + 1
        return (found.loss, found) if return_outputs else found.loss

    @torch.no_grad()
    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Loss and share of answers that are word for word right, on the held-out handful, with the mean weights."""
        model = self._module
        model.eval()
        sums = torch.zeros(4, device=self.args.device)
        with self.averaged(), self.accelerator.autocast():
            for inputs in self.get_eval_dataloader(eval_dataset):
                found: Learned = model(**self._prepare_inputs(inputs))
                values = (found.loss, found.right, found.asked, torch.ones(()))
                sums += torch.stack([value.float().to(sums.device) for value in values])
        whole: Any = self.accelerator.reduce(sums, "sum")
        loss, right, asked, batches = whole.tolist()
        scores = {f"{metric_key_prefix}_loss": loss / max(batches, 1), f"{metric_key_prefix}_questions": asked}
        if asked:
            scores[f"{metric_key_prefix}_accuracy"] = right / asked
        self.log(scores)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, scores)
        model.train()
        return scores

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The mean weights in the place of the last ones."""
        weights = learned(self._module) if self.mean else {}
        last = {name: weight.detach().clone() for name, weight in weights.items()}
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(self.mean[name])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, weight in weights.items():
                    weight.copy_(last[name])

    def average(self) -> None:
        """Takes a step's weights into the mean, which in the first steps forgets faster."""
        keep = min(self.recipe.ema, (1 + self.state.global_step) / (10 + self.state.global_step))
        with torch.no_grad():
            for name, weight in learned(self._module).items():
                self.mean[name].lerp_(weight, 1 - keep)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None) -> None:
        """What is learned and its mean; what is frozen is where the run started from."""
        if not self.args.should_save:
            return
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        names = learned(self._module)
        weights = names if state_dict is None else {name: state_dict[name] for name in names if name in state_dict}
        for file, tensors in ((LEARNED, weights), (MEAN, self.mean)):
            if tensors:
                save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, folder / file)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        folder = Path(resume_from_checkpoint)
        whole: Any = self.model if model is None else model
        whole.load_state_dict(load_file(folder / LEARNED), strict=False)
        if self.recipe.ema:
            kept = load_file(folder / MEAN)
            self.mean = {name: kept[name].to(self.args.device) for name in self.mean}

    def write_step(self, seconds: float) -> None:
        """The line of the step that has just ended: means over its batches, of this process."""
        batches = self._sums.pop("batches", 1.0)
        sums = {name: self._sums.pop(name, 0.0) for name in ("right", "questions")}
        line = {"step": self.state.global_step} | {name: value / batches for name, value in self._sums.items()} | sums
        line |= {"lr": self._get_learning_rate(), "seconds": round(seconds, 4)}
        self._sums = {}
        if self.is_world_process_zero():
            with self.steps_file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(line) + "\n")


class _EveryStep(TrainerCallback):
    def __init__(self, trainer: SceneTrainer) -> None:
        self.trainer, self.began = trainer, time.perf_counter()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.began = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        trainer = self.trainer
        if trainer.mean:
            trainer.average()
        trainer.write_step(time.perf_counter() - self.began)
        stop = trainer.stop_asked
        if args.world_size > 1:  # all processes stop at the same step
            stop = bool(trainer.accelerator.reduce(torch.tensor(float(stop), device=args.device), "sum"))
        if stop:
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if state.is_world_process_zero and logs:
            names = ("loss", "grad_norm", "learning_rate", "eval_loss", "eval_accuracy")
            told = [f"{name} {logs[name]:.4g}" for name in names if name in logs]
            print(f"step {state.global_step} / {state.max_steps}: {', '.join(told)}", file=sys.stderr, flush=True)


class StopWhenLearned(TrainerCallback):
    """Stops when a share of the judged answers is right."""

    def __init__(self, share: float) -> None:
        self.share = share

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        """Called with the scores."""
        if (metrics or {}).get("eval_accuracy", 0.0) >= self.share:
            control.should_training_stop = True


def whole_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint that was written to its end; its last file is the state."""
    found = []
    for path in folder.glob("checkpoint-*"):
        try:
            found.append((int(json.loads((path / "trainer_state.json").read_text())["global_step"]), path))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return max(found)[1] if found else None


def cut_steps(path: Path, last: int) -> None:
    """Drops the lines of steps behind a checkpoint, and a line that was not written to its end."""
    kept = [line for line in read_steps(path) if line["step"] <= last]
    with replaced(path) as beside:
        beside.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")


def read_steps(path: Path) -> list[dict[str, Any]]:
    """The lines of ``steps.jsonl``."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines


def arguments(
    recipe: Recipe, out: Path, *, steps: int, bf16: bool, accumulate: int, evaluates: bool
) -> TrainingArguments:
    """A recipe in Hugging Face's words. FSDP and DeepSpeed come through Accelerate's own configuration, not from here."""
    from importlib.util import find_spec

    return TrainingArguments(
        output_dir=str(out / "checkpoints"),
        max_steps=steps,
        per_device_train_batch_size=recipe.batch_device,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=accumulate,
        learning_rate=recipe.lr,
        weight_decay=recipe.weight_decay,
        warmup_steps=recipe.warmup if recipe.warmup < 1 else int(recipe.warmup),
        lr_scheduler_type=recipe.schedule,
        max_grad_norm=recipe.max_grad_norm,
        bf16=bf16,
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=recipe.checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if recipe.checkpointing else None,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=recipe.eval_every,
        save_strategy="steps",
        save_steps=recipe.save_every,
        save_total_limit=2,
        logging_steps=10,
        logging_nan_inf_filter=False,
        dataloader_num_workers=recipe.workers,
        dataloader_pin_memory=torch.cuda.is_available(),
        remove_unused_columns=False,
        report_to=["tensorboard"] if find_spec("tensorboard") else [],
        disable_tqdm=True,
        seed=recipe.seed,
        data_seed=recipe.seed,
    )
