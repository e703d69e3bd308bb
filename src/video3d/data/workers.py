"""Worker processes that end with what they were started for, however that ends, and without a word of their own."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context


def leave_interrupts_alone() -> None:
    """For the begin of a worker: Ctrl-C reaches it too, but who started it ends it and says what there is to say."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def workers(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that work side by side; they are ended at once where an error or a signal ends what they work for.

    They start afresh (spawn): a fork would copy the threads and locks of whatever is loaded here. ``submit`` is safe to be interrupted,
    ``map`` is not: it cancels what is waiting, and a pool whose workers the same signal has killed then trips over that.

    Args:
        processes: how many.
    """
    pool = ProcessPoolExecutor(processes, get_context("spawn"), leave_interrupts_alone)
    try:
        yield pool
    except BaseException:
        end(pool)
        raise
    pool.shutdown()


def end(pool: ProcessPoolExecutor) -> None:
    """Ends the workers of a pool, those too that it starts meanwhile in place of others."""
    running = getattr(pool, "_processes", None) or {}  # the pool's own, in which it keeps those it starts
    ending = threading.Thread(target=pool.shutdown, kwargs={"wait": True, "cancel_futures": True})
    ending.start()
    while ending.is_alive():
        for worker in list(running.values()):
            worker.terminate()
        ending.join(0.05)
