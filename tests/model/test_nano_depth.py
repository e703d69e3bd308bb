"""The embedded depth network: its shape, its words on uncertainty, and that the camera counts."""

import numpy as np
import pytest

from video3d.model.nano_depth import load_nano_depth, network_hw
from video3d.types.depth import DepthEstimator


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    rng = np.random.default_rng(0)
    v, u = np.mgrid[:96, :128]
    rooms = []
    for shade in (90, 160):
        floor = (
            np.where((v > 50)[..., None], [120, 90, 60], [shade, shade, shade + 20])
            + 12 * ((u // 8 + v // 8) % 2)[..., None]
        )
        rooms.append(np.clip(floor + rng.normal(0, 4, (96, 128, 3)), 0, 255).astype(np.uint8))
    return np.stack(rooms)


def test_it_follows_the_protocol(frames: np.ndarray) -> None:
    network = load_nano_depth()
    assert isinstance(network, DepthEstimator) and network.metric
    found = network(frames)
    assert found.kind == "metric_depth" and found.values.shape == (2, 96, 128)
    known = np.isfinite(found.values)
    assert known.mean() > 0.5 and (found.values[known] > 0).all() and (found.values[known] <= 65).all()
    assert found.log_sigma is not None and (found.log_sigma[known] > 0).all()
    assert (np.isfinite(found.log_sigma) == known).all()
    again = network(frames)
    assert np.array_equal(found.values, again.values, equal_nan=True)


def test_frames_do_not_speak_for_each_other(frames: np.ndarray) -> None:
    both, one = load_nano_depth()(frames), load_nano_depth()(frames[1:])
    assert np.nanmax(np.abs(both.values[1] / one.values[0] - 1)) < 0.05  # batches round differently in bfloat16


def test_a_longer_lens_means_farther(frames: np.ndarray) -> None:
    k = np.broadcast_to(np.array([[110.0, 0, 64], [0, 110, 48], [0, 0, 1]]), (2, 3, 3)).copy()
    long = k.copy()
    long[:, 0, 0] = long[:, 1, 1] = 220.0
    near, far = (np.nanmedian(load_nano_depth()(frames, given).values) for given in (k, long))
    assert far > 1.2 * near


@pytest.mark.parametrize("hw", [(480, 640), (1280, 720), (20, 20), (8, 4000)])
def test_sizes_are_whole_patches(hw: tuple[int, int]) -> None:
    height, width = network_hw(hw)
    assert height % 14 == 0 and width % 14 == 0 and 4 <= height // 14 <= 96 and 4 <= width // 14 <= 96
