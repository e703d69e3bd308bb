"""One run, from a recipe and a data set to a folder that ``video3d ask --model`` reads.

OUT/config.json, model*.safetensors, ...   the model, when the run is over
OUT/learned.safetensors                    what of it was learned, apart from where it started
OUT/nano_words-*.safetensors               the same in parts, of a run that started from nano-base: what nano comes with
OUT/run.json, steps.jsonl, checkpoints/    what goes on after a kill
OUT/report.json, report.md
"""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors.torch import save_file

from video3d.cache_dir import default_cache_dir
from video3d.data.presented import Withheld
from video3d.data.store import DataSet, open_dataset
from video3d.model.nano import NANO_BASE, load_model
from video3d.model.nano_words import write_words
from video3d.training.describe import described
from video3d.training.examples import Collate, Examples, Order, Pack, find_packs, held_out, word_ids
from video3d.training.features import SceneStore, stack_scenes, store_for
from video3d.training.learner import SceneLearner
from video3d.training.recipes import Recipe, recipe_json
from video3d.training.report import write_report
from video3d.training.start import LORA_SCALE, autocasts, finish, learned, load_start, mark
from video3d.training.trainer import (
    LEARNED,
    STEPS,
    SceneTrainer,
    StopWhenLearned,
    arguments,
    cut_steps,
    read_steps,
    whole_checkpoint,
)
from video3d.types import InputError

LEARNED_SHARE = 0.99
"""Of answers that an overfitting run has to give."""


def train(
    recipe: Recipe, data: str | Path, out: Path, *, resume: bool = False, overfit: int = 0, features: Path | None = None
) -> dict[str, Any]:
    """Trains and writes the model and a report.

    Args:
        recipe: what to do.
        data: a Video-3D-QA folder.
        out: folder to write; it may hold a run only if that is gone on with.
        resume: go on from the last checkpoint in ``out``, if there is one.
        overfit: learn so many questions by heart instead, and say how many the finished model then answers.
        features: where what is computed before training is kept; ``None``: in the cache.

    Returns:
        The report.

    Raises:
        InputError: a recipe that does not fit the data or the model, or a folder that holds something else.
        SystemExit: told to stop by a signal; a checkpoint is written.
    """
    began = time.monotonic()
    dataset = open_dataset(data)
    recipe = by_heart(recipe) if overfit else recipe
    note = {"recipe": recipe_json(recipe), "data": dataset.content_hash, "overfit": overfit}
    open_run(out, note, resume=resume)
    device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(recipe.seed)
    model, processor = load_start(recipe, device)
    mark(model, recipe)
    told = (lambda truth: described(truth, recipe.told, recipe.seed)) if recipe.told else None
    store = store_for(
        model,
        processor,
        dataset,
        frames=recipe.frames,
        facts=recipe.facts,
        root=features or default_cache_dir() / "features",
        told=told,
        told_key=(recipe.told, recipe.seed) if told else (),
        without=tuple(one for one in get_args(Withheld) if one in recipe.without),
    )
    packs = packs_of(dataset, recipe, "train")
    judged_split = "train" if overfit else held_out(dataset.splits())
    if overfit:
        packs = first_questions(packs, overfit)
    judged = packs if overfit else spread(packs_of(dataset, recipe, judged_split), recipe.eval_scenes)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    steps = num_steps(recipe, len(packs))
    accumulate = accumulation(recipe, world)
    lengths = [pack.num_bytes for pack in packs]
    order = Order(lengths, total=steps * recipe.batch, seed=recipe.seed, grouped=recipe.batch_device)
    taken = [packs[at] for at in dict.fromkeys(order)]  # a short run does not reach all
    fill(store, model, [pack.clip_id for pack in (*taken, *judged)])

    def examples(split: str, of: list[Pack]) -> Examples:
        heads = (
            (model.config.categories, model.config.events) if recipe.spatial and model.reasoning is not None else None
        )
        found = Examples(store, processor, split=split, packs=of, told=told, heads=heads, seed=recipe.seed)
        found.wordless = recipe.stage == "depth"
        return found

    learner = SceneLearner(model, store.level)
    trainer = SceneTrainer(
        recipe,
        order,
        out / STEPS,
        model=learner,
        args=arguments(
            recipe, out, steps=steps, bf16=autocasts(recipe, device), accumulate=accumulate, evaluates=bool(judged)
        ),
        train_dataset=examples("train", packs),
        eval_dataset=examples(judged_split, judged) if judged else None,
        data_collator=Collate(level=store.level, pad_id=pad_id(processor)),
        callbacks=[StopWhenLearned(LEARNED_SHARE)] if overfit else [],
    )
    if recipe.ema and (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
        raise InputError("ema", expected="0 where weights are in parts on several devices", got=recipe.ema)
    checkpoint = whole_checkpoint(out / "checkpoints") if resume else None
    if trainer.is_world_process_zero():
        cut_steps(out / STEPS, int(checkpoint.name.split("-")[1]) if checkpoint else 0)
    with stops(trainer):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if trainer.stop_asked:
        say(f"stopped after step {trainer.state.global_step}; go on with --resume")
        raise SystemExit(128 + signal.SIGTERM)
    scores = trainer.evaluate() if judged else {}
    model = whole_model(trainer, model, recipe)
    if not trainer.is_world_process_zero():
        return {}
    report = {
        **note,
        "steps": trainer.state.global_step,
        "minutes": round((time.monotonic() - began) / 60, 2),
        "scores": scores,
        "judged": [entry for entry in trainer.state.log_history if "eval_loss" in entry],
        "lines": read_steps(out / STEPS),
    }
    with trainer.averaged():
        weights = {name: weight.detach().cpu().contiguous() for name, weight in learned(model).items()}
        save_file({name: weight.bfloat16() for name, weight in weights.items()}, out / LEARNED)
        if recipe.start == NANO_BASE and recipe.lora_rank:
            write_words(weights, out, scale=LORA_SCALE, settings=recipe.settings)
        finish(model, processor, recipe, out, note)
    if overfit:
        right, asked = answered(out, store, examples("train", packs))
        report["by_heart"] = {"right": right, "asked": asked}
    write_report(report, model, out)
    return report


def whole_model(trainer: SceneTrainer, model: Any, recipe: Recipe) -> Any:
    """The model with all of its weights, also where every device held a part of them; then made anew from where it started."""
    if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
        return model
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)  # all processes give their part
    if not trainer.is_world_process_zero():
        return model
    made, _ = load_start(recipe, "cpu")
    mark(made, recipe)
    made.load_state_dict({name.removeprefix("model."): weight for name, weight in weights.items()})
    return made


def by_heart(recipe: Recipe) -> Recipe:
    """The recipe changed so that it learns a handful of questions as fast as it can."""
    steps = recipe.steps or 240
    return replace(
        recipe, ema=0.0, weight_decay=0.0, schedule="cosine", warmup=10.0, steps=steps, batch=min(recipe.batch, 4),
        batch_device=min(recipe.batch_device, 4), eval_every=20, save_every=100,
    )  # fmt: skip


def open_run(out: Path, note: dict[str, Any], *, resume: bool) -> None:
    """Makes the folder of a run, or checks that it is the very run that is to go on.

    Raises:
        InputError: a folder with something in it, or with another run.
    """
    path = out / "run.json"
    if resume and path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        told = json.loads(json.dumps(note))
        if before != told:
            old, new = before["recipe"] | before, told["recipe"] | told
            differs = [key for key in new if key != "recipe" and old.get(key) != new[key]]
            raise InputError(
                out, expected=f"the run that is to go on, with {differs[0]} {old.get(differs[0])}", got=new[differs[0]],
                do="give the same recipe and data, or another --out",
            )  # fmt: skip
        return
    if out.is_dir() and any(out.iterdir()):
        raise InputError(
            out, expected="an empty or new folder", got="one with files", do="add --resume, or name another"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(out, expected="a folder that can be written", got=error.strerror or error) from error


def packs_of(dataset: DataSet, recipe: Recipe, split: str) -> list[Pack]:
    """What the recipe learns of a split. For depth, and where all is told from the truth, the clips themselves.

    Raises:
        InputError: nothing to learn from.
    """
    if recipe.stage == "depth" or not recipe.types:
        packs = [Pack(clip_id, (), 0) for clip_id in dataset.clip_ids(split)]
    elif split in dataset.splits():
        packs = find_packs(dataset.root / f"{split}.jsonl", recipe.types, recipe.questions)
    else:
        packs = []
    if not packs:
        raise InputError(dataset.root, expected=f"questions of {', '.join(recipe.types)} in {split}", got="none")
    return packs


def num_steps(recipe: Recipe, num_packs: int) -> int:
    """Steps of the optimiser in all."""
    return recipe.steps or max(1, round(recipe.epochs * num_packs / recipe.batch))


def first_questions(packs: list[Pack], most: int) -> list[Pack]:
    """The first packs with so many questions in all."""
    taken: list[Pack] = []
    for pack in packs:
        if most <= 0:
            break
        taken.append(Pack(pack.clip_id, pack.offsets[:most], pack.num_bytes))
        most -= max(len(pack.offsets), 1)
    return taken


def spread(packs: list[Pack], most: int) -> list[Pack]:
    """At most so many, evenly spread."""
    return [] if not most else packs[:: max(1, -(-len(packs) // most))]


def accumulation(recipe: Recipe, world: int) -> int:
    """Batches of a device that make one step.

    Raises:
        InputError: a batch that the devices cannot share evenly.
    """
    if recipe.batch % (recipe.batch_device * world):
        raise InputError(
            "batch",
            expected=f"a multiple of batch_device x processes ({recipe.batch_device} x {world})",
            got=recipe.batch,
        )
    return recipe.batch // (recipe.batch_device * world)


def pad_id(processor: Any) -> int:
    """What padding is made of; nobody sees it."""
    tokenizer = processor.tokenizer
    return tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id


def say(text: str) -> None:
    """To the log."""
    print(text, file=sys.stderr, flush=True)


def fill(store: SceneStore, model: Any, clip_ids: list[str]) -> None:
    """Computes what training reads, telling how far it is; of several processes each takes its share."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    mine = list(dict.fromkeys(clip_ids))[rank::world]
    missing, began = store.missing(mine), time.monotonic()
    model.eval()
    for number, _ in enumerate(store.fill(model, missing), start=1):
        if number % 50 == 0 or number == len(missing):
            each = (time.monotonic() - began) / number
            say(f"features of {number} / {len(missing)} clips, {each:.2f} s each ({store.level}, {store.folder})")
    while world > 1 and store.missing(clip_ids):  # others are not done
        time.sleep(1)


@contextmanager
def stops(trainer: SceneTrainer) -> Iterator[None]:
    """While in it, SIGTERM and SIGINT ask for a checkpoint at the end of the step."""
    asked = (signal.SIGTERM, signal.SIGINT)

    def ask(number: int, _: Any) -> None:
        trainer.stop_asked = True

    before = {number: signal.signal(number, ask) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def answered(folder: Path, store: SceneStore, examples: Examples) -> tuple[int, int]:
    """How many questions a finished model answers word for word, asked one by one as ``video3d ask`` asks them.

    Returns:
        Right answers, and questions.
    """
    model, processor = load_model(folder, dtype=torch.float32)
    right = asked = 0
    for at in range(len(examples)):
        scene = store[examples.packs[at].clip_id]
        batch = {name: value.to(model.device) for name, value in stack_scenes([scene], store.level).items()}
        with torch.no_grad():
            tokens = SceneLearner(model, store.level).encode(batch, torch.tensor(scene.size_hw)).tokens
        cache: Any = None
        prompts, answers = word_ids(processor, scene, examples.questions(at))
        for prompt, answer in zip(prompts, answers, strict=True):
            ids = torch.tensor([prompt], device=model.device)
            if cache is None:
                cache = model.prefill_scene(tokens, processor.scene_prefix(ids))
            said = model.generate(ids, scene_cache=cache, max_new_tokens=len(answer) + 8, do_sample=False)
            right += said[0, len(prompt) :].tolist() == answer
            asked += 1
    return right, asked
