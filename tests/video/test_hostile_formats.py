"""Every hostile recording is refused in one short line, by its reader and by whoever finds the reader."""

import importlib
import re
from pathlib import Path

import pytest
from hostile_formats import HOSTILE

from video3d.types import InputError
from video3d.video.read import open_recording
from video3d.video.validate import validated

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
needs_proc = pytest.mark.skipif(not CLEAR.exists(), reason="needs Linux's /proc to measure memory")


def memory_gb(what: str) -> float:
    """Of this process: VmRSS now, VmHWM at most since the peak was last reset."""
    return int(re.search(rf"{what}:\s+(\d+) kB", STATUS.read_text()).group(1)) / 2**20


@pytest.fixture(scope="module", autouse=True)
def before_gb() -> float:
    """Memory before the first hostile file, the peak reset: what other tests loaded does not count."""
    if not CLEAR.exists():
        return 0.0
    CLEAR.write_text("5")
    return memory_gb("VmRSS")


@pytest.mark.parametrize(("name", "build"), HOSTILE, ids=[name for name, _ in HOSTILE])
def test_refused_in_one_line(tmp_path, name, build):
    source = build(tmp_path)
    reader = importlib.import_module(f"video3d.video.{name.split(':')[0]}")
    before = sorted(p for p in tmp_path.rglob("*"))

    def read_all(opened):
        frames = range(opened.num_frames)
        opened.load_rgb(frames)
        if opened.load_depth_m is not None:
            opened.load_depth_m(frames)

    for opening in (lambda: validated(reader.open_recording(source)), lambda: open_recording(source)):
        with pytest.raises(InputError) as caught:
            read_all(opening())
        message = str(caught.value)
        assert "\n" not in message and len(message.replace(str(tmp_path), "")) < 300
        assert str(tmp_path) in message  # it says which file
    assert reader.detect(source) in (True, False)
    assert sorted(p for p in tmp_path.rglob("*")) == before  # nothing was written


@needs_proc
def test_there_was_no_waste_of_memory(before_gb):
    assert memory_gb("VmHWM") - before_gb < 1  # GB more than before, at any time while the files above were read


def test_names_are_unique():
    assert len({name for name, _ in HOSTILE}) == len(HOSTILE) > 150
