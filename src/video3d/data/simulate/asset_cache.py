"""The library of all assets: furniture converted once to a cache of a few megabytes, and what is made here.

Conversion reads every model, makes it fit for a simulator (see ``convert``) and writes a folder that is named by what it was made
from. It is written beside and renamed when it is whole, so that a reader never meets half of one.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from tqdm import tqdm

from video3d.cache_dir import default_cache_dir
from video3d.data.simulate.asset import Asset, AssetLibrary
from video3d.data.simulate.asset_store import read_assets, read_index, write_assets
from video3d.data.simulate.catalogue import held_out, left_out_because
from video3d.data.simulate.convert import convert_model
from video3d.data.simulate.primitives import primitive_assets
from video3d.data.simulate.sh3f import (
    INSTALL,
    Archive,
    CatalogueEntry,
    find_furniture,
    library_files,
    none_asked,
    read_catalogue,
)
from video3d.data.workers import workers
from video3d.types import InputError, install_extra

CACHE_FORMAT = 4
"""Raised whenever the conversion changes: an older cache is then made again."""
FEW = 6
"""Where furniture has fewer models than this of a category, those made here are added."""

_BESIDE = ".furniture-beside-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionReport:
    """What a conversion did.

    Attributes:
        folder: the cache.
        listed: models that the libraries list.
        converted: models in the cache.
        left_out: reason to names of models that are not.
        num_bytes: size of the cache.
        fresh: it was converted now; false where it was there already.
    """

    folder: Path
    listed: int
    converted: int
    left_out: dict[str, tuple[str, ...]]
    num_bytes: int
    fresh: bool


def furniture_key(source: Path) -> str:
    """What the cache of a furniture library is named by: the checksums of all its members and the format of the cache.

    Reads only the directories of the zips: a few hundredths of a second for the Debian package.
    """
    digest = hashlib.sha256(str(CACHE_FORMAT).encode())
    for path in library_files(source):
        with Archive(path, path.name) as archive:
            digest.update(path.stem.encode() + archive.fingerprint())
    return digest.hexdigest()


def cache_folder(source: Path, cache_dir: Path | None) -> Path:
    """Where the cache of a furniture library is, or would be."""
    return (cache_dir or default_cache_dir()) / f"furniture-{CACHE_FORMAT}-{furniture_key(source)[:16]}"


def _convert_some(task: tuple[Path, tuple[CatalogueEntry, ...]]) -> list[Asset]:
    path, entries = task
    with Archive(path, path.name) as archive:
        return [convert_model(entry, archive) for entry in entries]


def convert_furniture(
    source: Path,
    cache_dir: Path | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    processes: int | None = None,
) -> ConversionReport:
    """Converts furniture libraries to a cache, unless it is there already.

    Args:
        source: a .sh3f or a folder of them.
        cache_dir: where caches are kept; None: the default.
        progress: called with the number of models done and of all.
        processes: how many at a time; None: one a core.

    Errors: ``InputError`` for libraries that are damaged or hostile, and where the packages that conversion needs are missing.
        Nothing is then left behind.
    """
    folder = cache_folder(source, cache_dir)
    if folder.is_dir():
        return _report(folder, fresh=False)
    _need_packages()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.parent):
            fresh = not folder.is_dir()  # another process may have converted it while this one waited
            if fresh:
                _convert(source, folder, progress, processes)
    except OSError as error:
        do = "name another with VIDEO3D_CACHE"
        raise InputError(
            folder.parent, expected="a folder for caches that can be written", got=error.strerror or error, do=do
        ) from error
    return _report(folder, fresh=fresh)


def _convert(source: Path, folder: Path, progress: Callable[[int, int], None] | None, processes: int | None) -> None:
    for left in folder.parent.glob(f"{_BESIDE}*"):  # of conversions that were killed
        shutil.rmtree(left, ignore_errors=True)
    tasks, extra = _planned(source)
    total = sum(len(entries) for _, entries in tasks)
    count = min(processes or os.cpu_count() or 1, max(len(tasks), 1))
    assets: list[Asset] = []
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=_BESIDE) as beside:
        for done in _converted(tasks, count):
            assets += done
            if progress:
                progress(len(assets), total)
        whole = Path(beside) / "whole"
        whole.mkdir()
        write_assets(whole, _with_held_out(assets), extra)
        whole.rename(folder)


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """``convert_furniture``'s progress on stderr: minutes, the first time; nothing where nothing is converted."""
    bars: list[tqdm[Any]] = []

    def show(done: int, total: int) -> None:
        if not bars:
            bars.append(tqdm(total=total, unit="model", file=sys.stderr, desc="furniture", mininterval=1.0))
        bars[0].update(done - bars[0].n)

    try:
        yield show
    finally:
        for bar in bars:
            bar.close()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other process converts. Where the system has no such locks, two processes may do the same work."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / ".furniture.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _planned(source: Path) -> tuple[list[tuple[Path, tuple[CatalogueEntry, ...]]], dict[str, Any]]:
    """The models to convert, a few at a time, and what the index says of the others."""
    tasks: list[tuple[Path, tuple[CatalogueEntry, ...]]] = []
    left_out: dict[str, list[str]] = {}
    listed = 0
    for path in library_files(source):
        with Archive(path, path.name) as archive:
            entries = read_catalogue(archive, path.stem)
        listed += len(entries)
        used = []
        for entry in entries:
            if (reason := left_out_because(entry)) is None:
                used.append(entry)
            else:
                left_out.setdefault(reason, []).append(f"{entry.model_id} ({entry.name})")
        tasks += [(path, tuple(used[k : k + 4])) for k in range(0, len(used), 4)]
    return tasks, {"format": CACHE_FORMAT, "listed": listed, "left_out": left_out}


def _converted(tasks: list[tuple[Path, tuple[CatalogueEntry, ...]]], processes: int) -> Iterator[list[Asset]]:
    if processes == 1:
        yield from map(_convert_some, tasks)
        return
    with workers(processes) as pool:
        for done in [pool.submit(_convert_some, task) for task in tasks]:
            yield done.result()


def _need_packages() -> None:
    for module in ("meshoptimizer", "scipy", "PIL"):
        try:
            __import__(module)
        except ImportError as error:
            raise InputError(
                "converting furniture", expected=f"the package {module}", got="none", do=install_extra("sim")
            ) from error


def _with_held_out(assets: list[Asset]) -> list[Asset]:
    by_category: dict[str, list[str]] = {}
    for asset in assets:
        by_category.setdefault(asset.category, []).append(asset.asset_id)
    chosen = frozenset[str]().union(*(held_out(ids) for ids in by_category.values()))
    return [replace(asset, held_out=asset.asset_id in chosen) for asset in assets]


def _report(folder: Path, *, fresh: bool) -> ConversionReport:
    index = read_index(folder)
    return ConversionReport(
        folder=folder,
        listed=int(index["listed"]),
        converted=len(index["assets"]),
        left_out={reason: tuple(names) for reason, names in sorted(index["left_out"].items())},
        num_bytes=sum(path.stat().st_size for path in folder.iterdir()),
        fresh=fresh,
    )


@lru_cache(maxsize=4)
def load_library(cache_dir: Path | None = None, furniture: Path | None = None) -> AssetLibrary:
    """All assets at hand: furniture, converted first where that has not been done yet, and what is made here.

    Args:
        cache_dir: where caches are kept; None: ``$VIDEO3D_CACHE`` or the platform's folder for caches.
        furniture: a .sh3f or a folder of them; None: ``$VIDEO3D_FURNITURE`` or the Debian package, where there is one.

    Without furniture the library holds what is made here alone, and says what to install unless none was asked for.

    Errors: ``InputError`` for furniture that is named and absent, or damaged.
    """
    source = find_furniture(furniture)
    made = primitive_assets()
    if source is None:
        notes = () if none_asked(furniture) else (f"no furniture library found: {INSTALL}",)
        return AssetLibrary(assets=made, furnished=False, digest=_digest("", made), notes=notes)
    with progress_bar() as progress:
        folder = convert_furniture(source, cache_dir, progress=progress).folder
    assets = read_assets(folder)
    count: dict[str, int] = {}
    for asset in assets:
        count[asset.category] = count.get(asset.category, 0) + 1
    added = tuple(asset for asset in made if count.get(asset.category, 0) < FEW)
    return AssetLibrary(
        assets=assets + added, furnished=True, digest=_digest(read_index(folder)["digest"], added), notes=()
    )


def _digest(furniture: str, made: tuple[Asset, ...]) -> str:
    digest = hashlib.sha256(furniture.encode())
    for asset in made:
        digest.update(repr((asset.asset_id, asset.category, asset.held_out)).encode())
        digest.update(asset.size_m.tobytes() + asset.collision_boxes_m.tobytes())
        for part in asset.parts:
            digest.update(part.vertices_m.tobytes() + part.faces.tobytes() + repr(part.rgba).encode())
    return digest.hexdigest()
