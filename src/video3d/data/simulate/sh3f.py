"""Furniture libraries of Sweet Home 3D (.sh3f): found, and read without trusting them.

A .sh3f is a zip: ``PluginFurnitureCatalog.properties`` lists the models (``name#7=Chair``), each an OBJ with its MTL and pictures
in the same zip, or a zip of its own inside. Nothing is ever unpacked to disk: members are read by name into memory, so a name
with ``..`` in it reaches nothing, and a member that says it is larger than any model is refused before it is read.
Format: http://www.sweethome3d.com/documentation/ (Furniture Library Editor) and java.util.Properties.
"""

import hashlib
import io
import os
import posixpath
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from video3d.types import InputError

DEBIAN_FOLDER = Path("/usr/share/sweethome3d/furniture")
INSTALL = "apt install sweethome3d-furniture, or name a folder of .sh3f files with --furniture or VIDEO3D_FURNITURE"
CATALOGUE = "PluginFurnitureCatalog.properties"
_MEMBER_BYTES = 128 << 20  # the largest OBJ of the Debian package has 9 MB
_LIBRARY_BYTES = 2 << 30
_MEMBERS = 50_000
_MODELS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """One model as its library lists it.

    Attributes:
        model_id: library and id, lower case, e.g. ``scopia/armchair2``; stable and unique.
        name: the catalogue's name for it.
        group: the catalogue's category, e.g. ``Living room``.
        tags: its tags.
        library: name of the .sh3f without its ending.
        model_path: of the OBJ, or of a zip that holds it, in the .sh3f.
        size_cm: width, depth and height.
        rotation: 3x3, row by row, to apply to the model before it is scaled.
        drop_cm: height at which things are put down on it; None where not given, negative where nothing may be.
        elevation_cm: of its bottom above the floor.
        creator: who made it.
    """

    model_id: str
    name: str
    group: str
    tags: tuple[str, ...]
    library: str
    model_path: str
    size_cm: tuple[float, float, float]
    rotation: tuple[float, ...]
    drop_cm: float | None
    elevation_cm: float
    creator: str


def find_furniture(path: Path | None = None) -> Path | None:
    """The folder (or file) with furniture libraries: the one named, ``$VIDEO3D_FURNITURE``, or the Debian package's.

    ``none`` in either place means none: scenes are then furnished with what is made here.

    Errors: ``InputError`` where one is named, by argument or environment, that holds no .sh3f.
    """
    named = _named(path)
    if none_asked(path):
        return None
    if named is None:
        return DEBIAN_FOLDER if DEBIAN_FOLDER.is_dir() and any(DEBIAN_FOLDER.glob("*.sh3f")) else None
    named = named.expanduser()
    if not library_files(named):
        found = "no .sh3f in it" if named.exists() else "nothing there"
        raise InputError(named, expected="a .sh3f file, or a folder of them", got=found, do=INSTALL)
    return named


def none_asked(path: Path | None = None) -> bool:
    """Whether scenes without furniture were asked for, rather than none found."""
    return str(_named(path)) == "none"


def _named(path: Path | None) -> Path | None:
    return path or (Path(os.environ["VIDEO3D_FURNITURE"]) if os.environ.get("VIDEO3D_FURNITURE") else None)


def library_files(source: Path) -> tuple[Path, ...]:
    """The .sh3f files of a file, a folder or an unpacked package, by name."""
    if source.is_file():
        return (source,) if source.suffix.lower() == ".sh3f" else ()
    return tuple(sorted((p for p in source.rglob("*.sh3f") if p.is_file()), key=lambda p: (p.name, str(p))))


def parse_properties(data: bytes) -> dict[str, str]:
    r"""Reads java.util.Properties: Latin-1 with ``\uXXXX``, comments, continued lines, ``key=value``, ``key:value``, ``key value``.

    >>> parse_properties(b"# furniture\nname#1=Caf\\u00e9 \\\n   table\nwidth#1 : 74.2")
    {'name#1': 'Café table', 'width#1': '74.2'}
    """
    lines: list[str] = []
    partial = ""
    for raw in data.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        line = raw.lstrip(" \t\f")
        if not partial and (not line or line[0] in "#!"):
            continue
        line = partial + line
        if (len(line) - len(line.rstrip("\\"))) % 2:
            partial = line[:-1]
            continue
        partial = ""
        lines.append(line)
    if partial:
        lines.append(partial)
    found = {}
    for line in lines:
        match = re.match(r"((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)", line, flags=re.DOTALL)
        if match:
            found[_unescape(match[1])] = _unescape(match[2])
    return found


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] == "u" and len(code) == 5:
            return chr(int(code[1:], 16))
        return {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}.get(code, code[-1])

    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", one, text, flags=re.DOTALL)


class Archive:
    """A zip that is read by member name, with limits. Use as a context manager.

    Errors: ``InputError`` for what is no zip, is cut off, or would unpack to more than any furniture library holds.
    """

    def __init__(self, source: Path | bytes, label: str) -> None:
        self.label = label
        try:
            self._zip = zipfile.ZipFile(source if isinstance(source, Path) else io.BytesIO(source))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise self._refused("a zip file", error) from error
        infos = self._zip.infolist()
        if len(infos) > _MEMBERS or sum(i.file_size for i in infos) > _LIBRARY_BYTES:
            self._zip.close()
            raise self._refused(f"at most {_MEMBERS} members of {_LIBRARY_BYTES >> 30} GB in all", "more than that")
        self._members = {info.filename.lstrip("/"): info for info in infos if not info.is_dir()}
        self._folded = {name.lower(): name for name in self._members}

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def _refused(self, expected: str, got: object) -> InputError:
        return InputError(self.label, expected=expected, got=got, do="install the furniture package again")

    def names(self) -> tuple[str, ...]:
        """Names of all members, sorted."""
        return tuple(sorted(self._members))

    def fingerprint(self) -> bytes:
        """Names, sizes and checksums of all members as the zip's directory has them."""
        rows = [f"{name}\0{i.file_size}\0{i.CRC}\n" for name, i in sorted(self._members.items())]
        return hashlib.sha256("".join(rows).encode()).digest()

    def has(self, name: str) -> bool:
        """Whether there is such a member; case does not matter, as on the systems that the models were made on."""
        return self._find(name) is not None

    def _find(self, name: str) -> str | None:
        clean = posixpath.normpath(name.replace("\\", "/").lstrip("/"))
        return clean if clean in self._members else self._folded.get(clean.lower())

    def read(self, name: str) -> bytes:
        """The bytes of a member. Errors: ``InputError`` where it is absent, too large or damaged."""
        found = self._find(name)
        if found is None:
            raise self._refused(f"a member {name}", "none of that name")
        info = self._members[found]
        if info.file_size > _MEMBER_BYTES:
            raise self._refused(f"members of at most {_MEMBER_BYTES >> 20} MB", f"{found} of {info.file_size >> 20} MB")
        try:
            with self._zip.open(info) as stream:
                data = stream.read(info.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise self._refused(f"{found} whole", error) from error
        if len(data) != info.file_size:
            raise self._refused(f"{info.file_size} bytes of {found}", f"{len(data)}")
        return data


def read_catalogue(archive: Archive, library: str) -> tuple[CatalogueEntry, ...]:
    """The models that a library lists, in its order. Errors: ``InputError`` for a missing list or an entry that makes no sense."""
    properties = parse_properties(archive.read(CATALOGUE))
    numbers = sorted({int(m[1]) for key in properties if (m := re.fullmatch(r"model#(\d{1,9})", key))})
    if not numbers or len(numbers) > _MODELS:
        raise InputError(archive.label, expected=f"1 to {_MODELS} models in {CATALOGUE}", got=len(numbers))
    entries: dict[str, CatalogueEntry] = {}
    for number in numbers:
        entry = _entry(properties, number, archive, library)
        # The first of two with one id keeps it.
        unique = entry.model_id if entry.model_id not in entries else f"{entry.model_id}-{number}"
        entries[unique] = _entry(properties, number, archive, library, model_id=unique)
    return tuple(entries.values())


def _entry(
    properties: Mapping[str, str], number: int, archive: Archive, library: str, *, model_id: str | None = None
) -> CatalogueEntry:
    def text(key: str) -> str:
        return properties.get(f"{key}#{number}", "").strip()

    def numbers(key: str, default: str = "") -> tuple[float, ...]:
        raw = text(key) or default
        try:
            values = tuple(float(word) for word in raw.split())
        except ValueError:
            values = (float("nan"),)
        if any(not -1e6 < value < 1e6 for value in values):  # NaN too
            raise InputError(f"{archive.label} {key}#{number}", expected="finite numbers", got=raw)
        return values

    sizes = tuple(v for key in ("width", "depth", "height") for v in numbers(key)[:1])
    if len(sizes) != 3 or min(sizes) <= 0:
        raise InputError(f"{archive.label} #{number}", expected="width, depth and height above 0 cm", got=sizes)
    rotation = numbers("modelRotation", "1 0 0 0 1 0 0 0 1")
    if len(rotation) != 9:
        raise InputError(f"{archive.label} modelRotation#{number}", expected="9 numbers", got=len(rotation))
    drop = numbers("dropOnTopElevation")
    own_id = text("id").rsplit("#", 1)[-1] or str(number)
    slug = "/".join(re.sub(r"[^a-z0-9._-]+", "-", piece) for piece in (library.lower(), own_id.lower()))
    return CatalogueEntry(
        model_id=model_id or slug,
        name=text("name") or own_id,
        group=text("category"),
        tags=tuple(tag.strip() for tag in text("tags").split(",") if tag.strip()),
        library=library,
        model_path=text("model"),
        size_cm=(sizes[0], sizes[1], sizes[2]),
        rotation=rotation,
        drop_cm=drop[0] if drop else None,
        elevation_cm=(numbers("elevation") or (0.0,))[0],
        creator=text("creator"),
    )
