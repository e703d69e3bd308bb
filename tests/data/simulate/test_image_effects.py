"""What the camera does to pictures: each effect against what it should do, and no effect without a reason."""

import numpy as np
import pytest

from video3d.data.simulate.image_effects import CameraEffects, apply_effects, draw_effects


def linear(code: np.ndarray) -> np.ndarray:
    share = code / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def grey(value: int, size: int = 64, frames: int = 1) -> np.ndarray:
    return np.full((frames, size, size, 3), value, np.uint8)


def test_no_effects_change_nothing(rng):
    rgb = rng.integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    assert np.array_equal(apply_effects(rgb, CameraEffects(), rng), rgb)


def test_the_same_seed_gives_the_same_bytes_and_the_input_stays():
    rgb = np.random.default_rng(1).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    before = rgb.copy()
    first, second = (
        apply_effects(rgb, draw_effects(np.random.default_rng(5)), np.random.default_rng(6)) for _ in range(2)
    )
    assert np.array_equal(first, second)
    assert np.array_equal(rgb, before)
    assert not np.array_equal(first, rgb)


@pytest.mark.parametrize("stops", [-1.0, 0.5, 1.0])
def test_exposure_scales_light(rng, stops):
    out = apply_effects(grey(110), CameraEffects(exposure_ev=stops), rng)
    assert linear(out).mean() / linear(grey(110)).mean() == pytest.approx(2**stops, rel=0.02)


def test_exposure_saturates(rng):
    assert (apply_effects(grey(200), CameraEffects(exposure_ev=4.0), rng) == 255).all()


def test_white_balance_scales_red_and_blue(rng):
    out = linear(apply_effects(grey(110), CameraEffects(white_balance=(1.3, 0.8)), rng)).mean(axis=(0, 1, 2))
    assert out / out[1] == pytest.approx([1.3, 1, 0.8], rel=0.02)


def test_vignette_darkens_the_corners_by_what_it_says(rng):
    out = linear(apply_effects(grey(180, 201), CameraEffects(vignette=0.4), rng))[0, ..., 1]
    assert out[0, 0] / out[100, 100] == pytest.approx(0.6, rel=0.03)
    assert out[100, 100] == pytest.approx(linear(np.array(180)), rel=0.01)


def test_noise_has_the_variance_of_its_model(rng):
    for value in (40, 120, 200):
        out = linear(apply_effects(grey(value, 128), CameraEffects(shot_noise=1e-3, read_noise=0.01), rng))
        signal = float(linear(np.array(value)))
        assert out.mean() == pytest.approx(signal, rel=0.03)
        assert out.var() == pytest.approx(1e-3 * signal + 1e-4, rel=0.08)


def test_noise_differs_between_frames(rng):
    out = apply_effects(grey(120, frames=2), CameraEffects(shot_noise=1e-3), rng)
    assert not np.array_equal(out[0], out[1])


@pytest.mark.parametrize(
    ("effects", "variance_xy"),
    [
        (CameraEffects(defocus_px=0.6), (0.36, 0.36)),
        (CameraEffects(defocus_px=1.2), (1.44, 1.44)),
        (CameraEffects(motion_px=(6.0, 0.0)), (3.0, 0.0)),
        (CameraEffects(motion_px=(0.0, 4.0)), (0.0, 4 / 3)),
    ],
)
def test_blur_spreads_a_point_by_its_width_and_keeps_its_light(rng, effects, variance_xy):
    rgb = grey(0, 41)
    rgb[0, 20, 20] = 255
    out = linear(apply_effects(rgb, effects, rng))[0, ..., 1]
    assert out.sum() == pytest.approx(1.0, rel=0.02)
    y, x = np.mgrid[:41, :41] - 20
    found = (out * x**2).sum() / out.sum(), (out * y**2).sum() / out.sum()
    assert found == pytest.approx(variance_xy, rel=0.25, abs=0.02)


def test_strength_scales_what_is_drawn():
    def change(strength: float) -> float:
        rgb = np.random.default_rng(0).integers(60, 180, (1, 48, 48, 3), dtype=np.uint8)
        drawn = [draw_effects(np.random.default_rng(seed), strength) for seed in range(20)]
        return float(
            np.mean([np.abs(apply_effects(rgb, e, np.random.default_rng(0)).astype(int) - rgb).mean() for e in drawn])
        )

    none, half, full = change(0.0), change(0.5), change(1.0)
    assert none < 3, "only the compression's trace"
    assert none < half < full < 40
