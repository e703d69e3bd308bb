"""Fixtures that every test may use."""

import os
from pathlib import Path

# Before anything loads torch or a BLAS: the tests' arrays are small, and threads that wait for each other by spinning on two
# busy cores made them six times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

# numpy's BLAS has read the environment by now where a plugin of pytest imported it (jaxtyping's does).
threadpool_limits(1, user_api="blas")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process a core for the whole suite or a folder of it; none but this one for single files and choices (`-k`, `::`).

    Each process imports everything that its tests need, which takes longer than most files of tests.
    """
    option = config.option
    narrowed = option.keyword or option.markexpr or any(".py" in argument for argument in config.args)
    return 0 if narrowed else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real recordings beside the checkout; a test that asks for them is skipped where they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real recordings in ../shared/data, which are not on this machine")
    return SHARED_DATA


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording that the README makes, smaller: 16 frames of 160x120 with exact depth and poses."""
    import make_room

    out = tmp_path_factory.mktemp("recordings") / "room"
    make_room.write_room(out, num_frames=16, size_hw=(120, 160))
    return out
