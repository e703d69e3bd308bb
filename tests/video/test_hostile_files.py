"""Whatever is named as a source: one clear line, no traceback, no noise, nothing written, nothing waited for."""

import signal
import warnings
from contextlib import contextmanager

import pytest
from hostile import HOSTILE

from video3d.types import InputError
from video3d.video import describe, open_recording, read_clip


@contextmanager
def no_longer_than(seconds):
    def too_long(*_):
        raise TimeoutError(f"still at it after {seconds} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(("name", "build"), HOSTILE, ids=[name for name, _ in HOSTILE])
def test_it_is_refused_in_one_line(tmp_path, name, build, capfd):
    source = build(tmp_path)
    if source is None:
        pytest.skip("this user may read everything")
    before = sorted(tmp_path.rglob("*"))
    capfd.readouterr()
    with no_longer_than(20), warnings.catch_warnings(record=True) as warned, pytest.raises(InputError) as raised:
        warnings.simplefilter("always")
        recording = open_recording(source)
        describe(recording)
        read_clip(recording, 8)
    line = str(raised.value)
    assert "\n" not in line and "\x1b" not in line and len(line) < 300, line
    assert "expected" in line and "got" in line
    assert capfd.readouterr() == ("", "") and not warned
    assert sorted(tmp_path.rglob("*")) == before


def test_names_are_told_apart():
    names = [name for name, _ in HOSTILE]
    assert len(set(names)) == len(names) >= 100
