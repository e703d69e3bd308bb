"""Every hostile recording is refused in one short line, by its reader and by whoever finds the reader."""

import importlib
import resource
import sys

import pytest
from hostile_formats import HOSTILE

from video3d.types import InputError
from video3d.video.read import open_recording
from video3d.video.validate import validated


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


def test_there_was_no_waste_of_memory():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform != "darwin" else 2**30)
    assert peak < 4  # GB, of the whole test process so far


def test_names_are_unique():
    assert len({name for name, _ in HOSTILE}) == len(HOSTILE) > 150
