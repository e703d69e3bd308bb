"""Textures: the same seed gives the same picture, they tile, and they show what they are called."""

import numpy as np
import pytest

from video3d.data.simulate import facades, textures_indoor, textures_street
from video3d.data.simulate.textures import courses, noise

TILING = [
    textures_indoor.wood_texture,
    textures_indoor.tile_texture,
    textures_indoor.carpet_texture,
    textures_indoor.concrete_texture,
    textures_indoor.plaster_texture,
    textures_indoor.wallpaper_texture,
    textures_indoor.brick_texture,
    textures_indoor.floor_texture,
    textures_indoor.wall_texture,
    textures_street.asphalt_texture,
    textures_street.sidewalk_texture,
    textures_street.grass_texture,
    textures_street.kerb_texture,
]
OTHERS = [
    facades.facade_texture,
    lambda rng: textures_street.road_texture(rng, 7.0),
]


@pytest.mark.parametrize("draw", TILING + OTHERS)
def test_image_size_and_seed(draw):
    (first, size_m), (again, _), (other, _) = (draw(np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)
    assert min(size_m) > 0.1
    assert max(first.shape) <= 1024
    assert first.std() > 1, "something is to be seen"
    assert 15 < first.mean() < 245


@pytest.mark.parametrize("draw", TILING)
@pytest.mark.parametrize("seed", range(3))
def test_seams_look_like_the_rest(draw, seed):
    image = draw(np.random.default_rng(seed))[0].astype(float)
    for axis in (0, 1):
        steps = np.abs(np.diff(image, axis=axis, append=np.take(image, [0], axis=axis))).mean(axis=(1 - axis, 2))
        assert steps[-1] <= 1.3 * steps.max() if steps.max() < 4 else steps[-1] <= 1.1 * steps[:-1].max()


def test_noise_is_rough_as_asked(rng):
    step = [np.abs(np.diff(noise(rng, (64, 128), roughness=power), axis=1)).mean() for power in (0.0, 1.0, 2.0)]
    assert step[0] > step[1] > step[2]
    long_x = noise(rng, (128, 128), roughness=1.5, stretch=(8.0, 1.0))
    assert np.abs(np.diff(long_x, axis=1)).mean() < 0.5 * np.abs(np.diff(long_x, axis=0)).mean()


def test_courses_count_their_pieces():
    laid = courses((60, 80), 3, 4, np.array([0.0, 0.5, 0.25]))
    assert np.bincount(laid.piece.ravel()).tolist() == [400] * 12
    assert (laid.edge_px > 0).all()
    assert laid.edge_px.max() == pytest.approx(10, abs=1)
    assert laid.piece[30, 0] == laid.piece[30, 79], "a shifted row goes over the edge"


def _white(image: np.ndarray) -> np.ndarray:
    return np.asarray(image.min(axis=-1) > 130)


def test_road_markings_are_where_they_should_be():
    image, size_m = textures_street.road_texture(np.random.default_rng(0), 7.0, grey=0.3)
    assert size_m == (7.0, 8.0)
    share = _white(image).mean(axis=0)  # of each column
    x_m = (np.arange(image.shape[1]) + 0.5) / image.shape[1] * 7.0
    assert share[np.abs(x_m - 3.5) < 0.05].mean() == pytest.approx(3 / 8, abs=0.05), "dashes of 3 m every 8 m"
    assert share[np.abs(x_m - 0.25) < 0.05].min() > 0.9, "the edge line is whole"
    assert share[(x_m > 0.5) & (x_m < 3.2)].max() < 0.05, "nothing in the lane"
    four = textures_street.road_texture(np.random.default_rng(0), 14.0, lanes=4, middle="double", grey=0.3)[0]
    found = _white(four).mean(axis=0)
    x_m = (np.arange(four.shape[1]) + 0.5) / four.shape[1] * 14.0
    assert found[np.abs(x_m - 7.12) < 0.04].min() > 0.9
    assert found[np.abs(x_m - 3.5) < 0.04].mean() == pytest.approx(3 / 8, abs=0.06)


@pytest.mark.parametrize("style", facades.STYLES)
@pytest.mark.parametrize("size_m", [(3.0, 3.0), (12.0, 9.0), (25.0, 21.0)])
def test_facades_fit_any_front(style, size_m):
    image, found_m = facades.facade_texture(np.random.default_rng(1), size_m[0], size_m[1], style)
    assert found_m == size_m
    assert image.shape[1] / image.shape[0] == pytest.approx(size_m[0] / size_m[1], rel=0.02)
    assert max(image.shape) <= 513
