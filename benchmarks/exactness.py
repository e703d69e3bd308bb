"""Rendered depth and masks against rays traced by formula, as a Markdown table.

    python benchmarks/exactness.py [--backend classic|filament] [--seeds 3]

Scenes are planes, boxes and spheres, seen by cameras of several sizes, focal lengths and principal points (Filament: by those
whose principal point is in the middle): a room at 1 to 8 m, a street at 2 to 120 m. ``wrong`` are pixels that show another
geom and are not beside an outline; ``outline`` those that are. ``reprojected`` are pixels lifted in one picture and looked up
in the next one's depth, on flat surfaces seen in both.
"""

import argparse
import os
import sys

from video3d.data.simulate.exactness import measure_exactness, sample_scenes


def centred(camera) -> bool:
    height, width = camera.size_hw
    k = camera.k_px
    return k[0, 2] == width / 2 and k[1, 2] == height / 2 and k[0, 0] == k[1, 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=("classic", "filament"), default="classic")
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    print(
        "| scene | pixels | depth median mm | flat p99 | flat max | round p99 | wrong px | outline px | reprojected median mm | p99 |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for seed in range(args.seeds):
        for name, model, cameras in sample_scenes(seed):
            chosen = [camera for camera in cameras if args.backend == "classic" or centred(camera)]
            found = measure_exactness(name, model, chosen, backend=args.backend)
            print(
                f"| {name} {seed} | {found.pixels} | {found.depth_median_mm:.3f} | {found.flat_p99_mm:.3f} "
                f"| {found.flat_max_mm:.3f} | {found.round_p99_mm:.2f} | {found.wrong_geom_px} | {found.outline_px} "
                f"| {found.reprojection_median_mm:.3f} | {found.reprojection_p99_mm:.3f} |"
            )
    sys.stdout.flush()
    if args.backend == "filament":
        os._exit(0)  # its threads do not end by themselves


if __name__ == "__main__":
    main()
