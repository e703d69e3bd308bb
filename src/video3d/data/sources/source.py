"""What a source is: a data set on disk (or a simulator of its owner's) that is read into clips with their truth.

One module a data set. Each has the functions of :class:`Source` and a constant ``INFO`` that says in words what the data set is,
what terms it has and how it has to lie on disk. The registry at the end is the only list of them.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol, cast, runtime_checkable

from video3d.data.row import Row
from video3d.data.truth import ClipData, Domain, Split
from video3d.types import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """A data set in words; what ``video3d data build`` prints and the page of the data set repeats.

    Attributes:
        name: as on the command line, ``[a-z0-9_]``; ``SceneTruth.source``.
        title: as its owners write it.
        domain: indoor or street.
        viewer: who carries the camera.
        licence: what is written into every clip and row.
        terms: the terms in a sentence: what they allow, whether a form has to be signed.
        obtain: where it is to be had, in words.
        layout: what is expected under ROOT, one line each.
        size: what it takes on disk and how long building takes, in words.
        commercial: whether its terms allow commercial use.
    """

    name: str
    title: str
    domain: Domain
    viewer: Literal["person", "robot", "car"]
    licence: str
    terms: str
    obtain: str
    layout: tuple[str, ...]
    size: str
    commercial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneRef:
    """One recording of a source, known without reading it.

    Attributes:
        name: how the source finds it again: a scan, a drive, a house; unique within the source.
        scene_id: the room or place; recordings of one place share it, so that a place is never in two splits.
        split: the owner's, where there is one.
    """

    name: str
    scene_id: str
    split: Split


@runtime_checkable
class Source(Protocol):
    """What the module of every data set has."""

    INFO: SourceInfo

    def check(self, root: Path) -> None:
        """Whether the data set lies under ``root`` as expected.

        Errors: ``InputError`` that names the first thing that is missing and what to do about it.
        """
        ...

    def prepare(self, root: Path, work: Path) -> Path:
        """Whatever is worth doing once before scenes are read in parallel; returns the root to read from.

        Most sources return ``root`` as it is. ``work`` is an empty or earlier prepared folder that the source may fill.
        """
        ...

    def scenes(self, root: Path, split: Split | None = None) -> list[SceneRef]:
        """All recordings, sorted by name, of one split or of all. Cheap: no recording is opened."""
        ...

    def read_scene(
        self, root: Path, ref: SceneRef, *, num_frames: int, size_hw: tuple[int, int], num_clips: int = 1
    ) -> list[ClipData]:
        """The clips of one recording, each of at most ``num_frames`` frames of ``size_hw``.

        Of a walk, ``num_clips`` are made: the whole walk, then stretches of it. A drive is cut into as many as it has.

        Errors: ``InputError`` for a recording that is missing, damaged or contradicts itself.
        """
        ...

    def rows(self, root: Path, ref: SceneRef, clip: ClipData) -> Iterable[Row]:
        """The data set's own annotations of a clip as questions; empty where it has none."""
        ...


SOURCES: dict[str, str] = {
    "scannet": "video3d.data.sources.scannet",
    "scannetpp": "video3d.data.sources.scannetpp",
    "arkitscenes": "video3d.data.sources.arkitscenes",
    "ai2thor": "video3d.data.sources.ai2thor",
    "nuscenes": "video3d.data.sources.nuscenes",
    "kitti": "video3d.data.sources.kitti",
    "habitat": "video3d.data.sources.habitat",
    "isaac": "video3d.data.sources.isaac",
}
"""Module of every source by its name; a module is imported when its source is asked for."""


def source(name: str) -> Source:
    """The source of a name.

    Errors: ``InputError`` for a name that is none of them.

    >>> source("scannnet")
    Traceback (most recent call last):
    video3d.types.errors.InputError: scannnet: expected a data set: ai2thor, arkitscenes, habitat, isaac, kitti, nuscenes, scannet, scannetpp, got 'scannnet'
    """
    if name not in SOURCES:
        raise InputError(name[:40], expected=f"a data set: {', '.join(sorted(SOURCES))}", got=repr(name[:40]))
    return cast(Source, import_module(SOURCES[name]))


def require(path: Path, *, info: SourceInfo, what: str, folder: bool = False) -> Path:
    """``path``, which must be there. Errors: ``InputError`` that says what is missing and how the data set has to lie."""
    try:
        there = path.is_dir() if folder else path.is_file()
    except OSError as error:
        raise InputError(path, expected=what, got=error.strerror or error) from error
    if not there:
        got = "nothing there" if not path.exists() else "something else"
        raise InputError(path, expected=what, got=got, do=f"{info.obtain}; layout: {'; '.join(info.layout)}")
    return path


def require_package(module: str, *, what: str, do: str) -> None:
    """Errors: ``InputError`` where a package that is imported only when it is used is not installed."""
    if find_spec(module) is None:
        raise InputError(module, expected=what, got="none", do=do)


def nothing_to_prepare(root: Path, work: Path) -> Path:
    """``prepare`` of sources that are read as they lie."""
    return root


def no_rows(root: Path, ref: SceneRef, clip: ClipData) -> Iterable[Row]:
    """``rows`` of sources that have no questions of their own."""
    return ()


def folders(path: Path) -> list[Path]:
    """The folders in a folder, sorted by name, hidden ones left out. Errors: ``InputError`` when it cannot be listed."""
    try:
        return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError as error:
        raise InputError(path, expected="a folder that can be listed", got=error.strerror or error) from error


def only(refs: Iterable[SceneRef], split: Split | None) -> list[SceneRef]:
    """The recordings of one split, or all, sorted by name."""
    return sorted((ref for ref in refs if split is None or ref.split == split), key=lambda ref: ref.name)


def hashed_split(name: str) -> Split:
    """A split by the hash of a name: 80, 10 and 10 %, the same on every machine.

    >>> hashed_split("kitchen-1") == hashed_split("kitchen-1")
    True
    """
    at = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 10
    return "train" if at < 8 else "val" if at == 8 else "test"


def list_file(path: Path) -> list[str]:
    """The names of a list of scenes, one a line."""
    from video3d.video.text_files import read_rows

    return [words[0] for _, words in read_rows(path)]
