"""Where a pixel is in the world: reads a recording and lifts one pixel of every frame to 3D.

python examples/make_room.py room
python examples/points.py room
"""

import sys

import numpy as np

import video3d
from video3d.geometry.resize import resize_depth
from video3d.geometry.rigid import transform_points, unproject


def main() -> None:
    clip = video3d.load().read(sys.argv[1], num_frames=6).clip
    print(f"world: {clip.world.origin}, metric: {clip.world.metric}, up known: {clip.world.gravity_aligned}")
    height, width = clip.size_hw
    for i in range(clip.num_frames):
        depth = resize_depth(clip.depth_m[i : i + 1], clip.size_hw)
        camera = unproject(depth, clip.k_px[i : i + 1])[0]  # (h, w, 3) in the camera's frame
        point = transform_points(clip.world_from_camera[i], camera)[height // 2, width // 2]
        print(
            f"frame {clip.frame_index[i]:4d}: its middle looks at {np.round(point, 2)} m, {depth[0, height // 2, width // 2]:.2f} m ahead"
        )


if __name__ == "__main__":
    main()
