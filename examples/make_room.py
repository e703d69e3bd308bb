"""Makes a small RGB-D recording of a furnished room by ray casting: colour, exact depth, poses, intrinsics.

    python examples/make_room.py room            # 32 frames, 320x240, images/ depth/ poses.txt K.txt
    video3d ask room "How high does the camera travel above the floor?"

Everything is a box or a ball, so that the truth can be checked by hand: the room is 5.0 x 4.0 x 2.6 m, the table top is
0.75 m high, the ball has a radius of 0.18 m. World: +z up, metres, origin on the floor in the room's corner. Needs
numpy and pillow.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

ROOM_M = np.array([5.0, 4.0, 2.6])
# name: (corner nearest the origin, opposite corner, colour, pattern)
BOXES = {
    "table top": ((1.9, 1.45, 0.71), (3.3, 2.35, 0.75), (150, 105, 62), "wood"),
    "table leg 1": ((1.95, 1.5, 0.0), (2.02, 1.57, 0.71), (120, 84, 50), "plain"),
    "table leg 2": ((3.18, 1.5, 0.0), (3.25, 1.57, 0.71), (120, 84, 50), "plain"),
    "table leg 3": ((1.95, 2.23, 0.0), (2.02, 2.3, 0.71), (120, 84, 50), "plain"),
    "table leg 4": ((3.18, 2.23, 0.0), (3.25, 2.3, 0.71), (120, 84, 50), "plain"),
    "books": ((2.15, 1.65, 0.75), (2.45, 1.87, 0.87), (176, 58, 46), "stripes"),
    "carton": ((2.85, 1.85, 0.75), (3.1, 2.1, 1.02), (196, 160, 110), "speckle"),
    "sofa seat": ((0.9, 3.15, 0.0), (2.9, 3.9, 0.42), (66, 98, 134), "weave"),
    "sofa back": ((0.9, 3.75, 0.42), (2.9, 3.98, 0.88), (58, 88, 122), "weave"),
    "cushion": ((1.05, 3.55, 0.42), (1.5, 3.75, 0.8), (222, 184, 72), "speckle"),
    "bookcase": ((4.62, 0.5, 0.0), (4.98, 1.9, 1.9), (232, 226, 214), "shelves"),
    "cabinet": ((4.5, 2.6, 0.0), (4.98, 3.6, 0.82), (112, 146, 106), "panels"),
    "rug": ((1.3, 0.9, 0.0), (3.9, 2.9, 0.012), (168, 84, 76), "weave"),
    "picture": ((1.2, 3.985, 1.25), (2.5, 4.0, 2.05), (240, 236, 226), "painting"),
    "poster": ((4.985, 2.75, 1.2), (5.0, 3.45, 2.1), (40, 70, 110), "painting"),
}
BALL = (np.array([3.75, 0.85, 0.18]), 0.18, (212, 92, 40))


def noise_volume(cells: int = 16, steps: int = 8) -> np.ndarray:
    """Smooth random values in -1..1 on a cube that tiles, with ``steps`` samples a cell; the same at every call."""
    volume = np.random.default_rng(3).uniform(-1, 1, (cells, cells, cells)).astype(np.float32)
    s = np.arange(steps) / steps
    s = s * s * (3 - 2 * s)
    for axis in range(3):
        a, b = volume, np.roll(volume, -1, axis)
        blend = np.stack([a * (1 - t) + b * t for t in s], axis=axis + 1)
        volume = blend.reshape([cells * steps if i <= axis else cells for i in range(3)])
    return volume


NOISE = noise_volume()


def noise(points: np.ndarray, scale: float) -> np.ndarray:
    """Smooth value noise on world points, -1..1, ``scale`` cells a metre."""
    index = np.floor(points * (scale * 8)).astype(np.int32) & (len(NOISE) - 1)
    return NOISE[index[..., 0], index[..., 1], index[..., 2]]


def paint(points: np.ndarray, normal_axis: np.ndarray, base: np.ndarray, pattern: str) -> np.ndarray:
    """Colour of surface points: a base colour with a pattern that a feature detector and a person can both hold on to."""
    u = np.where(normal_axis == 0, points[..., 1], points[..., 0])
    v = np.where(normal_axis == 2, points[..., 1], points[..., 2])
    shade = 1 + 0.10 * noise(points, 9.0) + 0.08 * noise(points, 41.0)
    color = np.broadcast_to(base, (*points.shape[:-1], 3)).astype(float).copy()
    if pattern == "wood":
        shade += 0.10 * np.sin(38 * v + 5 * noise(points, 3.0))
    elif pattern == "planks":
        row = np.floor(v / 0.16)
        seam = (np.abs(v / 0.16 - np.round(v / 0.16)) < 0.03) | (np.modf(u / 1.1 + 0.37 * row)[0] < 0.008)
        shade += 0.16 * np.sin(row * 12.9898) - 0.35 * seam
    elif pattern == "stripes":
        shade += 0.35 * (np.floor(v / 0.03) % 2) - 0.15
    elif pattern == "weave":
        shade += 0.12 * np.sign(np.sin(55 * u) * np.sin(55 * v)) + 0.12 * (noise(points, 17.0) > 0.2)
    elif pattern == "speckle":
        shade -= 0.4 * (noise(points, 33.0) > 0.35)
    elif pattern == "shelves":
        book = np.floor(u / 0.045)
        on_shelf = (np.modf(v / 0.38)[0] < 0.72) & (np.modf(v / 0.38)[0] > 0.06)
        hue = np.stack([np.sin(book * 1.7 + (1 + np.floor(v / 0.38)) * k) for k in (2.1, 3.3, 4.7)], axis=-1)
        color = np.where((on_shelf & (normal_axis == 0))[..., None], 118 + 62 * hue, color)
    elif pattern == "panels":
        shade -= 0.4 * (np.abs(np.modf(u / 0.5)[0] - 0.5) > 0.47) + 0.2 * (np.abs(np.modf(v / 0.41)[0] - 0.5) > 0.46)
    elif pattern == "painting":
        blobs = np.stack([noise(points + k, 4.0) for k in (0.0, 7.0, 13.0)], axis=-1)
        color = color * 0.5 + 90 * (blobs > 0.05) + 25 * blobs
    elif pattern == "plaster":
        shade += 0.05 * noise(points, 2.0) - 0.10 * (noise(points, 24.0) > 0.62)
    return color * shade[..., None]


def cast(origin: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance along unnormalised world rays to the nearest surface, and its colour."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / rays
        far = np.where(rays > 0, ROOM_M, 0.0)
        walls = (far - origin) * inverse
    axis = np.argmin(walls, axis=-1)
    t = np.take_along_axis(walls, axis[..., None], axis=-1)[..., 0]
    points = origin + t[..., None] * rays
    color = np.empty_like(rays)
    for which, base, pattern in (
        ((axis == 2) & (rays[..., 2] < 0), (158, 122, 88), "planks"),
        ((axis == 2) & (rays[..., 2] >= 0), (236, 234, 230), "plaster"),
        (axis == 0, (206, 198, 182), "plaster"),
        (axis == 1, (190, 202, 204), "plaster"),
    ):
        color[which] = paint(points[which], axis[which], np.array(base), pattern)
    light = np.where(axis == 2, 1.0, np.where(axis == 0, 0.86, 0.93))
    for low, high, base, pattern in BOXES.values():
        with np.errstate(invalid="ignore"):
            near = (np.array(low) - origin) * inverse
            away = (np.array(high) - origin) * inverse
        enter, leave = np.minimum(near, away), np.maximum(near, away)
        face = np.argmax(enter, axis=-1)
        t_in, t_out = enter.max(axis=-1), leave.min(axis=-1)
        hit = (t_in < t_out) & (t_in > 1e-6) & (t_in < t)
        at = origin + t_in[hit][:, None] * rays[hit]
        t = np.where(hit, t_in, t)
        color[hit] = paint(at, face[hit], np.array(base), pattern)
        light[hit] = np.choose(face[hit], [0.80, 0.90, 1.05])
    center, radius, base = BALL
    a, b = (rays**2).sum(-1), ((origin - center) * rays).sum(-1)
    root = b * b - a * (((origin - center) ** 2).sum() - radius**2)
    t_ball = (-b - np.sqrt(np.maximum(root, 0))) / a
    hit = (root > 0) & (t_ball > 1e-6) & (t_ball < t)
    at = origin + t_ball[hit][:, None] * rays[hit]
    t = np.where(hit, t_ball, t)
    color[hit] = paint(at, np.zeros(len(at), dtype=int), np.array(base), "stripes")
    light[hit] = 0.55 + 0.45 * np.clip((at - center) @ np.array([0.2, -0.4, 0.9]) / radius, -0.6, 1)
    return t, color * light[..., None]


def look_at(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    """world_from_camera of an upright OpenCV camera (x right, y down, z forward) at ``eye`` that looks at ``target``."""
    z = (target - eye) / np.linalg.norm(target - eye)
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :4] = np.stack([x, np.cross(z, x), z, eye], axis=1)
    return pose


def walk(num_frames: int) -> np.ndarray:
    """Poses of somebody who walks along the window side of the room and turns to the left while looking around."""
    s = np.linspace(0.0, 1.0, num_frames)
    eye = np.stack([0.75 + 2.6 * s, 0.55 + 0.30 * np.sin(2.4 * s), 1.45 + 0.05 * np.sin(9 * s)], axis=1)
    target = np.stack([3.9 - 2.3 * s, 1.6 + 2.0 * s**0.8, 0.75 + 0.1 * np.cos(5 * s)], axis=1)
    return np.stack([look_at(e, t) for e, t in zip(eye, target, strict=True)])


def render(pose: np.ndarray, k_px: np.ndarray, size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """RGB (2x2 samples a pixel) and z-depth in metres at pixel centres (+0.5)."""
    h, w = size_hw
    offsets = [(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75), (0.5, 0.5)]
    rgb = np.zeros((h, w, 3))
    depth = np.zeros((h, w))
    for dv, du in offsets:
        v, u = np.mgrid[0:h, 0:w]
        rays_camera = np.stack([u + du, v + dv, np.ones((h, w))], axis=-1) @ np.linalg.inv(k_px).T
        t, color = cast(pose[:3, 3], rays_camera @ pose[:3, :3].T)  # rays have z = 1 in the camera: t is z-depth
        if (dv, du) == (0.5, 0.5):
            depth = t
        else:
            rgb += color / 4
    return np.clip(rgb, 0, 255).astype(np.uint8), depth


def write_room(out: Path, *, num_frames: int = 32, size_hw: tuple[int, int] = (240, 320)) -> None:
    """Writes images/, depth/ (uint16 mm), poses.txt (world_from_camera) and K.txt."""
    height, width = size_hw
    k_px = np.array([[0.86 * width, 0, width / 2], [0, 0.86 * width, height / 2], [0, 0, 1.0]])
    for name in ("images", "depth"):
        (out / name).mkdir(parents=True)
    poses = walk(num_frames)
    for i, pose in enumerate(poses):
        rgb, depth_m = render(pose, k_px, size_hw)
        Image.fromarray(rgb).save(out / "images" / f"{i:05d}.jpg", quality=95)
        Image.fromarray(np.round(depth_m * 1000).astype(np.uint16)).save(out / "depth" / f"{i:05d}.png")
    np.savetxt(out / "poses.txt", poses.reshape(-1, 16))
    # K.txt of this layout has integer pixel centres, as the cameras that write it do.
    np.savetxt(out / "K.txt", k_px - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder to make; must not exist")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--width", type=int, default=320)
    args = parser.parse_args()
    if args.out.exists():
        parser.error(f"{args.out} exists; name a new folder")
    write_room(args.out, num_frames=args.frames, size_hw=(args.height, args.width))
    size = " x ".join(f"{side:g}" for side in ROOM_M)
    print(f"{args.out}: {args.frames} frames of {args.width}x{args.height} in a room of {size} m")


if __name__ == "__main__":
    main()
