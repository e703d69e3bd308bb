"""Where can a thing be put? Flat surfaces, and free places on them (zone.world_from_anchor is the pose of each).

python examples/make_room.py room
python examples/place.py room
"""

import sys

import video3d


def main() -> None:
    engine = video3d.load()
    found = engine.analyze(sys.argv[1], "Where can I put a 20 cm vase?", clearance=0.02, num_frames=16)
    for plane in found.surface_planes:
        height = "" if plane.height is None else f", {plane.height:.2f} {found.unit} above the floor"
        print(f"{plane.id}: {plane.kind}, {plane.area:.2f} {found.unit}²{height}")
    for zone in found.placement_zones[:5]:
        x, y, z = zone.center
        print(f"{zone.id} on {zone.plane}: room for {zone.size} at ({x:.2f}, {y:.2f}, {z:.2f}), score {zone.score:.2f}")
    print("to know:", "; ".join(found.notes))


if __name__ == "__main__":
    main()
