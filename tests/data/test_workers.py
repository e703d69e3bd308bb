"""Worker processes end with what they were started for, at once and quietly."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from video3d.data.simulate import asset_cache
from video3d.data.workers import workers


def _takes_long(task: object) -> None:
    time.sleep(30)


def test_work_is_done_side_by_side() -> None:
    with workers(2) as pool:
        assert [done.result() for done in [pool.submit(divmod, number, 3) for number in (7, 8)]] == [(2, 1), (2, 2)]
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("killed_too", [True, False])
def test_furniture_that_is_stopped_by_a_signal_ends_at_once_and_quietly(
    killed_too: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a shell: the signal reaches the workers, or the process alone that waits for them."""
    fell: list[object] = []
    monkeypatch.setattr(threading, "excepthook", fell.append)
    monkeypatch.setattr(asset_cache, "_convert_some", _takes_long)

    def stop() -> None:
        while len(children := multiprocessing.active_children()) < 2 and time.monotonic() - began < 10:
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        for child in children if killed_too else ():
            child.terminate()

    before = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    stopping, began = threading.Thread(target=stop), time.monotonic()
    stopping.start()
    try:
        with pytest.raises(SystemExit) as stopped:
            list(asset_cache._converted([(Path(), ())] * 8, 2))
    finally:
        stopping.join()
        signal.signal(signal.SIGTERM, before)
    assert stopped.value.code == 143
    assert time.monotonic() - began < 20
    assert not fell and not multiprocessing.active_children()
