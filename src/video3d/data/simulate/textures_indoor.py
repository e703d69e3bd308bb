"""Floors and walls of rooms. See ``textures`` for what a texture is; each takes about 10 ms."""

import numpy as np

from video3d.data.simulate.textures import Rgb, Texture, blend, courses, noise, paint, per_piece, pick_color, to_image

_WOODS: tuple[Rgb, ...] = (
    (0.72, 0.53, 0.34),  # oak
    (0.55, 0.36, 0.22),  # walnut
    (0.82, 0.68, 0.50),  # ash
    (0.46, 0.28, 0.17),  # wenge
    (0.63, 0.40, 0.24),  # cherry
)
_TILES: tuple[Rgb, ...] = (
    (0.82, 0.80, 0.76),
    (0.62, 0.60, 0.58),
    (0.76, 0.66, 0.54),
    (0.88, 0.87, 0.85),
    (0.45, 0.47, 0.50),
)
_CARPETS: tuple[Rgb, ...] = (
    (0.52, 0.48, 0.44),
    (0.36, 0.40, 0.48),
    (0.58, 0.50, 0.42),
    (0.45, 0.32, 0.30),
    (0.40, 0.44, 0.38),
)
_PAINTS: tuple[Rgb, ...] = (
    (0.88, 0.86, 0.82),
    (0.84, 0.86, 0.86),
    (0.88, 0.84, 0.74),
    (0.74, 0.80, 0.76),
    (0.72, 0.78, 0.84),
    (0.86, 0.78, 0.74),
    (0.80, 0.78, 0.84),
)
_BRICKS: tuple[Rgb, ...] = ((0.62, 0.34, 0.26), (0.70, 0.46, 0.34), (0.80, 0.77, 0.72), (0.55, 0.40, 0.33))
_SIZE = (256, 256)


def wood_texture(rng: np.random.Generator, *, boards: int | None = None) -> Texture:
    """Floorboards, or parquet of short ones."""
    rows = int(boards or rng.choice([6, 8, 12, 16]))
    columns = int(rng.choice([1, 2])) if rows < 10 else int(rng.choice([3, 4]))
    laid = courses(_SIZE, rows, columns, rng.random(rows))
    base = pick_color(rng, _WOODS, 0.025)
    grain = noise(rng, _SIZE, roughness=1.1, stretch=(12.0, 1.0))
    # Each board is cut from another place of the log.
    grain = grain[(np.arange(256)[:, None] + 37 * laid.piece) % 256, (np.arange(256)[None] + 91 * laid.piece) % 256]
    rings = np.sin(2.5 * grain + 3 * noise(rng, _SIZE, roughness=2.2, stretch=(7.0, 1.0)))
    color = paint(base, 0.09 * per_piece(rng, laid.piece) + 0.05 * grain + 0.035 * rings)
    return to_image(blend(color, (base[0] * 0.4, base[1] * 0.38, base[2] * 0.36), 1.3 - laid.edge_px)), (1.6, 1.6)


def tile_texture(rng: np.random.Generator) -> Texture:
    """Stone or ceramic tiles with grout; sometimes in two colours like a chessboard."""
    count = int(rng.choice([2, 4, 6]))
    laid = courses(_SIZE, count, count)
    base = pick_color(rng, _TILES, 0.03)
    veins = np.abs(noise(rng, _SIZE, roughness=1.8))
    light = 0.05 * noise(rng, _SIZE, roughness=1.4) + 0.035 * per_piece(rng, laid.piece)
    light -= float(rng.random() < 0.5) * 0.18 * np.exp(-((veins / 0.08) ** 2))
    if rng.random() < 0.35:
        light = light - 0.55 * ((laid.piece // count + laid.piece % count) % 2)
    else:
        light = light + float(rng.choice([0.0, 0.0, 0.06])) * laid.along.max(axis=0)
    grout = float(rng.choice([0.35, 0.55, 0.9]))
    return to_image(blend(paint(base, light), (grout, grout, grout * 0.97), 2.2 - laid.edge_px)), (1.2, 1.2)


def carpet_texture(rng: np.random.Generator) -> Texture:
    """Pile, plain or with a woven grid or stripes."""
    base = pick_color(rng, _CARPETS)
    light = 0.10 * noise(rng, _SIZE, roughness=0.4) + 0.05 * noise(rng, _SIZE, roughness=1.5)
    y, x = np.mgrid[:256, :256]
    style = rng.integers(3)
    if style == 1:
        light = light + 0.10 * (np.sin(2 * np.pi * x / 16) * np.sin(2 * np.pi * y / 16))
    elif style == 2:
        light = light + 0.14 * np.sign(np.sin(2 * np.pi * x / 64))
    return to_image(paint(base, light)), (1.0, 1.0)


def concrete_texture(rng: np.random.Generator) -> Texture:
    """Polished or raw concrete."""
    grey = float(rng.uniform(0.42, 0.66))
    light = 0.07 * noise(rng, _SIZE, roughness=1.9) + 0.03 * noise(rng, _SIZE, roughness=0.5)
    pores = noise(rng, _SIZE, roughness=0.6) < -2.6
    return to_image(
        blend(paint((grey, grey, grey * 0.97), light), (grey * 0.6, grey * 0.6, grey * 0.6), 0.8 * pores)
    ), (2.4, 2.4)


def plaster_texture(rng: np.random.Generator) -> Texture:
    """A painted wall, smooth or roughcast."""
    base = pick_color(rng, _PAINTS, 0.025)
    rough = noise(rng, _SIZE, roughness=float(rng.uniform(0.6, 1.2)))
    return to_image(paint(base, float(rng.uniform(0.008, 0.03)) * rough + 0.015 * noise(rng, _SIZE, roughness=2.0))), (
        1.5,
        1.5,
    )


def wallpaper_texture(rng: np.random.Generator) -> Texture:
    """Stripes, dots, lozenges or leaves on a light ground."""
    base = pick_color(rng, _PAINTS, 0.03)
    ink: Rgb = tuple(float(v) for v in np.clip(np.array(base) * rng.uniform(0.72, 0.92) + rng.normal(0, 0.05, 3), 0, 1))  # pyright: ignore[reportAssignmentType]
    y, x = (np.mgrid[:256, :256] + 0.5) / 256
    style, count = rng.integers(4), int(rng.choice([4, 6, 8]))
    u, v = (x * count) % 1 - 0.5, (y * count) % 1 - 0.5
    u_odd, v_odd = (x * count + 0.5) % 1 - 0.5, (y * count + 0.5) % 1 - 0.5
    if style == 0:
        share = 12 * (np.abs(u) - float(rng.uniform(0.15, 0.35)))
        share = np.maximum(share, 1 - 60 * np.abs(np.abs(u) - 0.08))
    elif style == 1:
        share = 12 * (0.18 - np.minimum(np.hypot(u, v), np.hypot(u_odd, v_odd)))
    elif style == 2:
        share = 14 * (0.06 - np.abs(np.abs(u) + np.abs(v) - 0.5))
        share = np.maximum(share, 14 * (0.12 - np.abs(u) - np.abs(v)))
    else:
        leaves = [np.hypot(a * np.cos(t) + b * np.sin(t), 3 * (b * np.cos(t) - a * np.sin(t))) for a, b, t in
                  ((u, v, 0.9), (u_odd, v_odd, -0.9))]  # fmt: skip
        share = 10 * (0.3 - np.minimum(*leaves))
    color = blend(paint(base, np.zeros(_SIZE)), ink, share)
    return to_image(paint(color, 0.012 * noise(rng, _SIZE, roughness=0.7))), (1.2, 1.2)


def brick_texture(rng: np.random.Generator) -> Texture:
    """A brick wall in running bond, bare or painted."""
    laid = courses(_SIZE, 12, 4, np.arange(12) % 2 * 0.5)
    base = pick_color(rng, _BRICKS, 0.03)
    color = paint(base, 0.10 * per_piece(rng, laid.piece) + 0.07 * noise(rng, _SIZE, roughness=1.0))
    mortar = float(rng.uniform(0.55, 0.8))
    share = 2.4 - laid.edge_px + 0.5 * noise(rng, _SIZE, roughness=1.0)
    return to_image(blend(color, paint((mortar, mortar, mortar * 0.95), 0.05 * noise(rng, _SIZE)), share)), (0.96, 0.9)


def floor_texture(rng: np.random.Generator) -> Texture:
    """A floor: mostly wood and tiles, also carpet and concrete.

    >>> image, size_m = floor_texture(np.random.default_rng(0))
    >>> image.shape, len(size_m)
    ((256, 256, 3), 2)
    """
    kinds = (wood_texture, tile_texture, carpet_texture, concrete_texture)
    return kinds[rng.choice(4, p=[0.45, 0.25, 0.2, 0.1])](rng)


def wall_texture(rng: np.random.Generator) -> Texture:
    """A wall: mostly paint, also wallpaper, brick and concrete."""
    kinds = (plaster_texture, wallpaper_texture, brick_texture, concrete_texture)
    return kinds[rng.choice(4, p=[0.55, 0.28, 0.12, 0.05])](rng)
