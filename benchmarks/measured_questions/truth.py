"""Truth of the measured questions, computed from the raw files of the recordings with numpy and pillow alone.

    python benchmarks/measured_questions/truth.py DATA_DIR            # check the files against the recordings
    python benchmarks/measured_questions/truth.py DATA_DIR --write    # compute the truths again

Nothing of video3d is used, so that a mistake there cannot hide here. Every row of ``questions*.jsonl`` holds the question
and, under ``ask``, what it means: a name of a function below and its arguments. How the truths are found:

- Pixel (x, y) is column x, row y of the raw depth PNG (millimetres), and nothing else: no window, no smoothing. Its ray
  goes through the pixel's centre by K as the files give it.
- Up is the recording's: minus ``gravity-direction.txt`` for the kitchen, +y of the HoloLens's world for the office.
- The floor is the lowest peak of a histogram of all points' heights (every 8th pixel of every 4th frame, 1 cm bins): the
  lowest bin with at least a third of the points of the fullest bin of the lowest 40 cm, refined by the mean of the
  points within 2 cm. Kitchen: 1.48 m below the first camera's world origin; office: 1.54 m.
- Travel is the sum of the steps between all poses of the recording.
- A turn is the change of the heading atan2(forward_y, forward_x) seen from above, unwrapped over all poses, left > 0.
- The room is the smallest upright rectangle around the 10 cm cells that hold at least 3 points (every 8th pixel, every
  2nd frame), 1 % cut off at each side; its direction is searched in steps of 3 degrees.
"""

import argparse
import functools
import json
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent


class Recording:
    """Raw depth, poses and intrinsics, in the recording's own world turned so that +z is up."""

    def __init__(self, data: Path, name: str) -> None:
        folder = data / name
        if name == "seven_scenes_kitchen":
            self.depth_files = sorted(folder.glob("frame-*.depth.png"))
            poses = [np.loadtxt(str(f).replace(".depth.png", ".pose.txt")) for f in self.depth_files]
            self.k = np.loadtxt(folder / "camera-intrinsics.txt")
            up = -np.loadtxt(folder / "gravity-direction.txt")
        else:
            self.depth_files = sorted((folder / "depth").glob("*.png"))
            poses = np.loadtxt(folder / "poses.txt").reshape(-1, 4, 4)
            self.k = np.loadtxt(folder / "K.txt")
            up = np.array([0.0, 1.0, 0.0])
        z = up / np.linalg.norm(up)
        x = np.cross([0.0, 0.0, 1.0] if abs(z[2]) < 0.9 else [0.0, 1.0, 0.0], z)
        x /= np.linalg.norm(x)
        level = np.eye(4)
        level[:3, :3] = np.stack([x, np.cross(z, x), z])
        self.poses = level @ np.stack(poses)
        self.num = len(self.depth_files)

    @functools.lru_cache(maxsize=256)  # noqa: B019  (two recordings, one short run)
    def depth(self, frame: int) -> np.ndarray:
        """Depth in metres, NaN unknown."""
        raw = np.array(Image.open(self.depth_files[frame])).astype(float)
        raw[(raw == 0) | (raw == 65535)] = np.nan
        return raw / 1000

    def camera_point(self, frame: int, x: int, y: int) -> np.ndarray:
        """The point at a pixel in the camera's frame."""
        z = self.depth(frame)[y, x]
        return z * np.array([(x - self.k[0, 2]) / self.k[0, 0], (y - self.k[1, 2]) / self.k[1, 1], 1.0])

    def world_point(self, frame: int, x: int, y: int) -> np.ndarray:
        """The point at a pixel in the world."""
        return self.poses[frame][:3, :3] @ self.camera_point(frame, x, y) + self.poses[frame][:3, 3]

    @functools.cached_property
    def cloud(self) -> np.ndarray:
        """World points of every 8th pixel of every 2nd frame."""
        found = []
        for frame in range(0, self.num, 2):
            depth = self.depth(frame)
            y, x = np.mgrid[4 : depth.shape[0] : 8, 4 : depth.shape[1] : 8]
            z = depth[y, x]
            known = np.isfinite(z)
            x, y, z = x[known], y[known], z[known]
            points = np.stack([(x - self.k[0, 2]) / self.k[0, 0] * z, (y - self.k[1, 2]) / self.k[1, 1] * z, z], axis=1)
            found.append(points @ self.poses[frame][:3, :3].T + self.poses[frame][:3, 3])
        return np.concatenate(found)

    @functools.cached_property
    def floor(self) -> float:
        """Height of the floor, see the first lines."""
        z = self.cloud[:, 2]
        low = np.percentile(z, 0.1)
        counts, edges = np.histogram(z, bins=np.arange(low, low + 0.4, 0.01))
        peak = edges[np.flatnonzero(counts >= counts.max() / 3)[0]] + 0.005
        for _ in range(10):
            peak = z[np.abs(z - peak) <= 0.02].mean()
        return float(peak)

    @functools.cached_property
    def heading(self) -> np.ndarray:
        """Heading of every pose in degrees, unwrapped."""
        forward = self.poses[:, :3, 2]
        return np.degrees(np.unwrap(np.arctan2(forward[:, 1], forward[:, 0])))

    @functools.cached_property
    def room(self) -> tuple[float, float, float]:
        """Length, width, and height of what was seen over the floor."""
        cells, counts = np.unique(np.floor(self.cloud / 0.1).astype(int), axis=0, return_counts=True)
        cells = (cells[counts >= 3] + 0.5) * 0.1
        best = (np.inf, 0.0, 0.0)
        for angle in np.radians(np.arange(0, 90, 3)):
            c, s = np.cos(angle), np.sin(angle)
            sides = [np.ptp(np.percentile(cells[:, :2] @ axis, [1, 99])) for axis in ((c, s), (-s, c))]
            best = min(best, (sides[0] * sides[1], max(sides), min(sides)))
        return best[1], best[2], float(np.percentile(cells[:, 2], 99) - self.floor)


def pixel_range(r, frame, x, y):
    return float(np.linalg.norm(r.camera_point(frame, x, y)))


def pixel_depth(r, frame, x, y):
    return float(r.depth(frame)[y, x])


def known(values):
    """Values, none of which may be NaN: a pixel without depth has no truth."""
    if not np.isfinite(values).all():
        raise SystemExit(f"a pixel of this question has no depth: {values}")
    return values


def range_order(r, frame, *points):
    """Number of the nearest point, counted from 1."""
    return int(np.argmin(known([pixel_range(r, frame, x, y) for x, y in points]))) + 1


def range_order_far(r, frame, *points):
    return int(np.argmax(known([pixel_range(r, frame, x, y) for x, y in points]))) + 1


def range_difference(r, frame, a, b):
    return abs(pixel_range(r, frame, *a) - pixel_range(r, frame, *b))


def apart(r, frame, a, other, b):
    return float(np.linalg.norm(r.world_point(frame, *a) - r.world_point(other, *b)))


def apart_vertical(r, frame, a, other, b):
    return float(abs(r.world_point(frame, *a)[2] - r.world_point(other, *b)[2]))


def apart_horizontal(r, frame, a, other, b):
    return float(np.linalg.norm((r.world_point(frame, *a) - r.world_point(other, *b))[:2]))


def camera_to_point(r, camera, frame, x, y):
    return float(np.linalg.norm(r.poses[camera][:3, 3] - r.world_point(frame, x, y)))


def point_height(r, frame, x, y):
    return float(r.world_point(frame, x, y)[2] - r.floor)


def height_order(r, frame, *points):
    """Number of the highest point, counted from 1."""
    return int(np.argmax(known([r.world_point(frame, x, y)[2] for x, y in points]))) + 1


def height_order_low(r, frame, *points):
    return int(np.argmin(known([r.world_point(frame, x, y)[2] for x, y in points]))) + 1


def camera_height(r, what):
    z = r.poses[:, 2, 3] - r.floor
    return float({"mean": z.mean(), "min": z.min(), "max": z.max(), "first": z[0], "last": z[-1]}[what] if isinstance(what, str) else z[what])  # fmt: skip


def travel(r, first=0, last=-1):
    centers = r.poses[first : (r.num if last == -1 else last + 1), :3, 3]
    return float(np.linalg.norm(np.diff(centers, axis=0), axis=1).sum())


def displacement(r, first=0, last=-1):
    return float(np.linalg.norm(r.poses[last][:3, 3] - r.poses[first][:3, 3]))


def turn(r, first=0, last=-1):
    return float(r.heading[last] - r.heading[first])


def turn_side(r, first=0, last=-1):
    return "left" if turn(r, first, last) > 0 else "right"


def moved(r, first, last):
    """Forward, left and up of the first of the two cameras, level."""
    step = r.poses[last][:3, 3] - r.poses[first][:3, 3]
    yaw = np.radians(r.heading[first])
    return np.array(
        [step[0] * np.cos(yaw) + step[1] * np.sin(yaw), step[1] * np.cos(yaw) - step[0] * np.sin(yaw), step[2]]
    )


def forward_or_back(r, first, last):
    return "forward" if moved(r, first, last)[0] > 0 else "back"


def left_or_right(r, first, last):
    return "left" if moved(r, first, last)[1] > 0 else "right"


def up_or_down(r, first, last):
    return "up" if moved(r, first, last)[2] > 0 else "down"


def tilt(r, frame):
    return float(np.degrees(np.arcsin(r.poses[frame][2, 2])))


def room(r, what):
    return float(r.room[("length", "width", "height").index(what)])


def room_area(r):
    return float(r.room[0] * r.room[1])


def median_depth(r, frame):
    return float(np.nanmedian(r.depth(frame)))


def nearest(r, frame):
    """Straight line to the nearest place of a frame: the 0.2 % quantile, for single pixels at edges are noise."""
    depth = r.depth(frame)
    y, x = np.mgrid[: depth.shape[0], : depth.shape[1]]
    rays = np.sqrt(1 + ((x - r.k[0, 2]) / r.k[0, 0]) ** 2 + ((y - r.k[1, 2]) / r.k[1, 1]) ** 2)
    return float(np.nanpercentile(depth * rays, 0.2))


def surface(r, frame, x, y):
    """Horizontal or vertical: by the plane through the points of a 21 x 21 window, fitted by least squares."""
    points = [
        r.world_point(frame, i, j) for i in range(x - 10, x + 11, 2) for j in range(y - 10, y + 11, 2)
        if np.isfinite(r.depth(frame)[j, i])
    ]  # fmt: skip
    centered = np.array(points) - np.mean(points, axis=0)
    normal = np.linalg.svd(centered)[2][2]
    return "horizontal" if abs(normal[2]) > 0.7 else "vertical"


def num_frames(r):
    return r.num


FUNCTIONS = {
    f.__name__: f
    for f in (
        pixel_range, pixel_depth, range_order, range_order_far, range_difference, apart, apart_vertical, apart_horizontal,
        camera_to_point, point_height, height_order, height_order_low, camera_height, travel, displacement, turn, turn_side, forward_or_back,
        left_or_right, up_or_down, tilt, room, room_area, median_depth, nearest, surface, num_frames,
    )
}  # fmt: skip


def truth(recordings: dict[str, Recording], row: dict) -> float | str:
    """The truth of one row."""
    name, *args = row["ask"]
    found = FUNCTIONS[name](recordings[row["recording"]], *args)
    return found if isinstance(found, str | int) else round(float(known(found)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--write", action="store_true", help="write the truths into the files")
    options = parser.parse_args()
    recordings = {n: Recording(options.data_dir, n) for n in ("seven_scenes_kitchen", "hololens_office")}
    for name, recording in recordings.items():
        print(f"{name}: {recording.num} frames, floor at z = {recording.floor:.3f}, room {recording.room}")
    for path in sorted(HERE.glob("questions*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        wrong = 0
        for row in rows:
            found = truth(recordings, row)
            same = row.get("truth") == found
            wrong += not same
            if not same and not options.write:
                print(f"{row['id']}: the file says {row.get('truth')}, the recording {found}")
            row["truth"] = found
        if options.write:
            path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        print(f"{path.name}: {len(rows)} questions, {wrong} truths {'written anew' if options.write else 'differ'}")


if __name__ == "__main__":
    main()
