"""How depth is had where a recording has none: what ``--depth`` names is what is done, and no more."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from exact_room import DEPTH, PerfectNetwork, exact_estimate, notes, without

from video3d import pipeline
from video3d.estimate import CameraEstimate, complete_depth
from video3d.types import PosedClip
from video3d.types.depth import DepthEstimate

Calibrate = Callable[[CameraEstimate | None], list[dict[str, Any]]]
Read = Callable[..., tuple[PosedClip, list[DepthEstimate | None], list[str]]]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, calibrate: Calibrate) -> Read:
    """Reads a video of the room with a choice of depth: the clip, the priors of all comparisons of views, networks loaded."""

    def read(**choice: str) -> tuple[PosedClip, list[DepthEstimate | None], list[str]]:
        priors: list[DepthEstimate | None] = []
        networks: list[str] = []

        def refine_clip(*arguments: Any) -> None:
            priors.append(arguments[-1])

        def load_depth(name: str) -> PerfectNetwork | None:
            networks.append(name)
            return None if name == "none" else PerfectNetwork("metric_depth")

        calibrate(exact_estimate())
        monkeypatch.setattr(complete_depth, "refine_clip", refine_clip)
        monkeypatch.setattr(pipeline, "load_depth", load_depth)
        recording = without("depth", "poses", "intrinsics").recording
        return pipeline.load(**choice).read(recording, num_frames=7).clip, priors, networks

    return read


def test_none_is_the_reconstructed_points_and_says_what_would_fill_them(read: Read) -> None:
    clip, priors, networks = read(depth="none")
    assert priors == []
    assert set(networks) <= {"none"}
    assert 0.01 < np.isfinite(clip.depth_m).mean() < 0.1
    assert not clip.world.metric
    assert "--depth video fills it" in notes(clip)


@pytest.mark.parametrize("name", ["nano", "owner/network", "videos/network"])
def test_a_network_alone_is_asked_and_no_views_are_compared(read: Read, name: str) -> None:
    clip, priors, networks = read(depth=name)
    assert priors == []
    assert networks == [name]
    np.testing.assert_allclose(clip.depth_m, DEPTH[clip.frame_index], rtol=1e-3)


@pytest.mark.parametrize(("name", "network"), [("video", "nano"), ("video:owner/network", "owner/network")])
def test_video_is_views_with_a_network_as_their_prior(read: Read, name: str, network: str) -> None:
    clip, (prior,), networks = read(depth=name)
    assert networks == [network]
    assert prior is not None
    np.testing.assert_allclose(prior.values, DEPTH[clip.frame_index], rtol=1e-3)


@pytest.mark.parametrize("choice", [{}, {"depth": "video:none"}])
def test_views_alone_are_what_nobody_has_to_ask_for(read: Read, choice: dict[str, str]) -> None:
    _, priors, networks = read(**choice)
    assert priors == [None]
    assert set(networks) <= {"none"}
