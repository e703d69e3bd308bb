"""Structure from motion with a known answer, for tests of what becomes of it."""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from video3d.estimate import CameraEstimate
from video3d.types import Recording

Calibrate = Callable[[CameraEstimate | None], list[dict[str, Any]]]


@pytest.fixture
def calibrate(monkeypatch: pytest.MonkeyPatch) -> Calibrate:
    """Let structure from motion answer so (None: it must not be asked); returns the questions it got."""

    def install(answer: CameraEstimate | None) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        def estimate_camera(recording: Recording, **options: Any) -> CameraEstimate:
            assert answer is not None, "structure from motion ran although nothing is missing"
            asked.append({"recording": recording, **options})
            return answer

        monkeypatch.setitem(sys.modules, "video3d.estimate.camera", SimpleNamespace(estimate_camera=estimate_camera))
        return asked

    return install
