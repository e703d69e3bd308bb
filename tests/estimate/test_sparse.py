"""Sparse depth maps: who wins a pixel, and what is left out."""

import numpy as np

from video3d.estimate.sparse import splat_depth


def splat(px: list, depth: list, size_hw: tuple[int, int] = (480, 640), frame: list | None = None) -> np.ndarray:
    return splat_depth(
        2,
        size_hw,
        point_frame=np.array(frame or [0] * len(px), np.int64),
        point_px=np.array(px, np.float32).reshape(-1, 2),
        point_depth=np.array(depth, np.float64),
    )


def test_a_point_fills_a_disc_of_two_pixels_in_its_own_frame_only() -> None:
    depth = splat([[100.5, 50.5]], [3.0], frame=[1])
    assert np.isnan(depth[0]).all()
    y, x = np.nonzero(np.isfinite(depth[1]))
    assert len(y) == 13
    assert np.hypot(y - 50, x - 100).max() == 2
    assert (depth[1][y, x] == 3).all()


def test_the_nearer_centre_wins_a_pixel_and_the_nearer_point_a_tie() -> None:
    beside = splat([[100.5, 50.5], [102.5, 50.5]], [1.0, 5.0])[0, 50]
    assert beside[99:104].tolist() == [1.0, 1.0, 1.0, 5.0, 5.0]  # the middle is as near to both
    for depths in ([4.0, 2.0], [2.0, 4.0]):
        assert splat([[10.2, 10.8], [10.9, 10.1]], depths)[0, 10, 10] == 2.0


def test_a_small_picture_gets_single_pixels() -> None:
    assert np.isfinite(splat([[3.5, 3.5]], [1.0], size_hw=(8, 10))).sum() == 1


def test_the_border_cuts_a_disc_and_what_has_no_place_is_left_out() -> None:
    assert np.isfinite(splat([[0.5, 0.5]], [1.0])).sum() == 6
    assert np.isnan(splat([[-5, 3], [3, np.nan], [9, 9], [9, 9], [9, 9]], [1, 1, np.nan, 0, -2])).all()
    assert np.isnan(splat([], [])).all()
