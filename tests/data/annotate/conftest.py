"""The small data set, made once."""

from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="needs pyarrow: pip install '.[data]'")


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine rows about two clips."""
    from small_data import write_data

    return write_data(tmp_path_factory.mktemp("annotated") / "data")
