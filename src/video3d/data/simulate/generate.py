"""``video3d data simulate``: many clips, over processes, the same bytes for a seed however often it is interrupted.

The unit of work is a shard: a fresh process makes its clips one after the other and writes the shard and its candidate questions,
beside and then renamed. What a clip is depends on the seed and its number alone. Questions are chosen when all shards are there.
"""

import json
import os
import shutil
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from video3d.data.candidate_file import read_candidates, write_candidates
from video3d.data.compose import SIMULATED_BY
from video3d.data.questions.ask import candidates
from video3d.data.questions.candidate import Candidate
from video3d.data.simulate.run_folder import PLAN, WORK, check_folder, clear_partial, held_plan, release, take
from video3d.data.store import load_pyarrow, write_shard
from video3d.data.truth import ClipData, Split
from video3d.data.workers import end, leave_interrupts_alone
from video3d.replaced import replaced
from video3d.types import InputError

SHARD_CLIPS = 20
_TRIES = 12  # draws of one scenario before a tour is staged instead
_SHARD_TRIES = 3  # a worker that is killed (memory) is started again


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateConfig:
    """What to make. Every field but the clips' number is part of what a clip is.

    Attributes:
        clips: how many.
        seed: of everything.
        size_hw: of the frames.
        num_frames: a clip.
        backend: ``classic`` or ``filament``.
        furniture: digest of the asset library.
        questions: a clip, on average.
    """

    clips: int
    seed: int
    size_hw: tuple[int, int] = (224, 224)
    num_frames: int = 16
    backend: Literal["classic", "filament"] = "classic"
    furniture: str = ""
    questions: int = 8

    def made_by(self) -> dict[str, Any]:
        """What the manifest says of how the data was made."""
        return {"command": SIMULATED_BY, **asdict(self), "size_hw": list(self.size_hw)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One shard: which clips, and where it goes."""

    split: Split
    number: int
    clips: tuple[int, ...]

    @property
    def name(self) -> str:
        """``train-00003``."""
        return f"{self.split}-{self.number:05d}"


def split_of(clip: int) -> Split:
    """Of twenty clips, four are for test and one for validation; which ones does not depend on how many there are.

    A fifth for test, because its rows are shared out among some sixty subtypes, of which each has to be measured.
    """
    return "test" if clip % 5 == 4 else "val" if clip % 20 == 10 else "train"


def plan(num_clips: int) -> tuple[Job, ...]:
    """The shards of a data set: clips of one split in the order of their numbers, ``SHARD_CLIPS`` each.

    >>> [(job.name, job.clips) for job in plan(12)][1:]
    [('val-00000', (10,)), ('test-00000', (4, 9))]
    """
    jobs = []
    for split in ("train", "val", "test"):
        clips = [clip for clip in range(num_clips) if split_of(clip) == split]
        for number, start in enumerate(range(0, len(clips), SHARD_CLIPS)):
            jobs.append(Job(split=split, number=number, clips=tuple(clips[start : start + SHARD_CLIPS])))
    return tuple(jobs)


def clip_seed(seed: int, clip: int) -> np.random.SeedSequence:
    """The seed of one clip: independent streams for every (seed, clip)."""
    return np.random.SeedSequence([seed, clip])


# ---- one clip ---------------------------------------------------------------------------------------------------------


def simulate_clip(config: SimulateConfig, clip: int, library: Any) -> ClipData:
    """One clip by its number. Draws again where a draw does not work out; deterministic all the same.

    Errors: ``RuntimeError`` when nothing at all can be staged, which is a fault of the program.
    """
    from video3d.data.simulate.film import Identity, film
    from video3d.data.simulate.image_effects import apply_effects, draw_effects
    from video3d.data.simulate.render import Quality, open_renderer
    from video3d.data.simulate.scenarios import draw_scenario, stager
    from video3d.data.simulate.stage import StageConfig, StagingFailed

    quality = Quality(shadow_px=768)
    split = split_of(clip)
    stage_config = StageConfig(split=split, size_hw=config.size_hw, num_frames=config.num_frames)
    identity = Identity(clip_id=f"sim-{config.seed}-{clip:06d}", split=split, seed=config.seed)
    streams = clip_seed(config.seed, clip).spawn(2 * _TRIES + 1)
    scenario = draw_scenario(np.random.default_rng(streams[0]))
    last: Exception | None = None
    for number, stream in enumerate(streams[1:]):
        rng = np.random.default_rng(stream)
        try:
            staged = stager(scenario if number < _TRIES else "tour")(rng, library, stage_config)
            effects = draw_effects(rng)
            with open_renderer(staged.scene.model, config.size_hw, config.backend, quality=quality) as renderer:
                return film(
                    staged,
                    identity,
                    renderer.render,
                    library=library,
                    touch_up=lambda rgb, effects=effects, rng=rng: apply_effects(rgb, effects, rng),
                )
        except StagingFailed as error:
            last = error
    raise RuntimeError(f"clip {clip} of seed {config.seed} cannot be staged: {last}")


# ---- one shard --------------------------------------------------------------------------------------------------------


def make_shard(config: SimulateConfig, job: Job, root: Path, furniture: Path | None, counter: Any) -> dict[str, Any]:
    """Makes one shard in this process; returns what it cost."""
    from video3d.data.simulate.asset_cache import load_library

    began, cpu = time.perf_counter(), time.process_time()
    library = load_library(None, furniture)
    if library.digest != config.furniture:
        raise InputError("the furniture", expected=f"the library {config.furniture[:12]}", got=library.digest[:12])
    questions: dict[str, list[Candidate]] = {}

    def clips() -> Iterator[ClipData]:
        for number in job.clips:
            made = simulate_clip(config, number, library)
            questions[made.truth.clip_id] = list(candidates(made.truth))
            yield made
            if counter is not None:
                with counter.get_lock():
                    counter.value += 1

    write_shard(root / "clips" / f"{job.name}.parquet", clips())
    write_candidates(root / WORK / f"{job.name}.jsonl.gz", questions)
    return {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu, "clips": len(job.clips)}


_counter: Any = None


def _begin_worker(counter: Any, parent: int) -> None:
    """A worker leaves when its parent is gone: a killed run must not go on in the background."""
    leave_interrupts_alone()
    global _counter  # noqa: PLW0603 - what the pool's initializer is for
    _counter = counter

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(config: SimulateConfig, job: Job, root: Path, furniture: Path | None) -> dict[str, Any]:
    return make_shard(config, job, root, furniture, _counter)


# ---- all of them ------------------------------------------------------------------------------------------------------


def prepare(config: SimulateConfig, root: Path) -> tuple[Job, ...]:
    """Makes or takes up the folder; returns the shards that are still to be made.

    Errors: ``InputError`` when the folder holds something else, or a run with other options.
    """
    load_pyarrow()
    wanted = _wanted(config)
    path = root / WORK / PLAN
    try:
        check_folder(root)
        if path.is_file():
            held = held_plan(root)
            strangers = [k for k in wanted if k not in ("clips", "questions") and held.get(k) != wanted[k]]
            if strangers:
                name = strangers[0]
                raise InputError(
                    root, expected=f"a run with {name} {held.get(name)}, as it began", got=f"{name} {wanted[name]}",
                    do="name another --out, or give the same options to go on",
                )  # fmt: skip
        clear_partial(root)
        with replaced(path) as beside:
            beside.write_text(json.dumps(wanted, sort_keys=True), encoding="utf-8")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(root, expected="a folder that can be written", got=error) from error
    jobs = plan(config.clips)
    names = {job.name for job in jobs}
    for stray in root.glob("clips/*.parquet"):
        if stray.name.removesuffix(".parquet") not in names:
            stray.unlink()
    return tuple(job for job in jobs if not _is_made(root, job))


def _wanted(config: SimulateConfig) -> dict[str, Any]:
    return config.made_by() | {"shard_clips": SHARD_CLIPS}


def finished(config: SimulateConfig, root: Path) -> bool:
    """Whether the folder holds the finished data set of this configuration already.

    Errors: ``InputError`` when it holds another: a data set is never overwritten.
    """
    from video3d.data.store import MANIFEST, open_dataset

    if not (root / MANIFEST).is_file():
        return False
    made = open_dataset(root).manifest["made_by"]
    if made != config.made_by():
        strangers = [
            key for key, value in config.made_by().items() if not isinstance(made, dict) or made.get(key) != value
        ]
        got = f"one with another {strangers[0] if strangers else 'origin'}"
        raise InputError(root, expected="a folder to make, or this same data set", got=got, do="name another --out")
    if (root / WORK).is_dir():  # stopped on its last steps
        if not all((root / name).is_file() for name in ("README.md", "selection.json", "ATTRIBUTION.md")):
            return False
        clear_work(root)
    return True


def _is_made(root: Path, job: Job) -> bool:
    """Whether a shard is there with exactly its clips (a run with fewer clips ends in a shorter shard)."""
    from video3d.data.store import clip_ids_of

    shard, questions = root / "clips" / f"{job.name}.parquet", root / WORK / f"{job.name}.jsonl.gz"
    try:
        # gzip takes an empty file for one of no lines
        if not (shard.is_file() and questions.is_file() and questions.stat().st_size):
            return False
        made = clip_ids_of(shard)
        asked = {clip_id for clip_id, _ in read_candidates(questions)}
        return asked <= set(made) and [int(clip_id.rsplit("-", 1)[1]) for clip_id in made] == list(job.clips)
    except (OSError, EOFError, ValueError, KeyError, IndexError, TypeError, zlib.error):  # damaged: made again
        return False


def make_clips(config: SimulateConfig, root: Path, *, processes: int, furniture: Path | None = None) -> dict[str, Any]:
    """Makes all shards that are missing; progress on stderr. Returns what this run made and what it cost.

    The folder is locked until ``clear_work``, or the end of the process, or an error.

    Errors: ``InputError``. An interruption loses at most the shards that were being made.
    """
    take(root)
    try:
        return _make_clips(config, root, processes, furniture)
    except BaseException:
        release(root)
        raise


def _make_clips(config: SimulateConfig, root: Path, processes: int, furniture: Path | None) -> dict[str, Any]:
    todo = prepare(config, root)
    context = get_context("spawn")
    counter = context.Value("i", 0)
    began = time.perf_counter()
    costs: list[dict[str, Any]] = []
    os.environ.setdefault("LP_NUM_THREADS", "0")  # one process a core already: Mesa's own threads only get in the way
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    tries = {job.name: 0 for job in todo}
    total = sum(len(job.clips) for job in todo)
    with tqdm(total=total, unit="clip", file=sys.stderr, desc="simulate", mininterval=1.0) as bar:
        while todo:
            pool = ProcessPoolExecutor(processes, context, _begin_worker, (counter, os.getpid()), max_tasks_per_child=1)
            broken: list[Job] = []
            running: dict[Future[dict[str, Any]], Job] = {}
            try:
                running = {pool.submit(_work, config, job, root, furniture): job for job in todo}
                waiting = set(running)
                while waiting:
                    done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                    bar.update(counter.value - bar.n)
                    for future in done:
                        try:
                            costs.append(future.result())
                        except BrokenProcessPool:
                            broken.append(running[future])
            except OSError as error:
                _stop(pool, root)
                raise InputError(root, expected="a folder that can be written", got=error) from error
            except BaseException:
                _stop(pool, root)
                raise
            pool.shutdown()
            todo = tuple(broken)
            for job in todo[:processes]:
                tries[job.name] += 1
                if tries[job.name] > _SHARD_TRIES:
                    do = "give fewer --processes or a machine with more memory"
                    raise InputError(
                        f"shard {job.name}", expected="a worker that finishes", got="one that was killed", do=do
                    )
    wall = time.perf_counter() - began
    cpu, made = sum(c["cpu_s"] for c in costs), sum(c["clips"] for c in costs)
    return {
        "clips_made": made,
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "clips_per_s": round(made / wall, 3) if made else None,
        "clips_per_cpu_s": round(made / cpu, 3) if made else None,
    }


def _stop(pool: ProcessPoolExecutor, root: Path) -> None:
    """Ends the workers and removes what they had half written."""
    end(pool)
    with suppress(OSError):
        clear_partial(root)


def made_candidates(root: Path) -> Callable[[Path], Iterator[tuple[str, Candidate]]]:
    """Where ``compose`` finds the candidates that were made with the clips of a shard."""
    return lambda shard: read_candidates(root / WORK / f"{shard.stem}.jsonl.gz")


def clear_work(root: Path) -> None:
    """Removes what only an unfinished run needs, and gives the folder free."""
    shutil.rmtree(root / WORK, ignore_errors=True)
    release(root)
