"""Where can a robot go? The free floor, what stands in the way, and a path to the farthest place within reach.

python examples/make_room.py room
python examples/navigate.py room
"""

import sys

import video3d


def main() -> None:
    engine = video3d.load()
    found = engine.analyze(sys.argv[1], "Where can a robot 40 cm wide go?", num_frames=16)
    print(f"{found.task}, because {found.why}")
    if found.navigable is None:
        print("no floor:", "; ".join(found.notes))
        return
    floor = found.navigable
    print(f"free floor {floor.area:.1f} m², within reach {floor.reachable_area:.1f} m², radius {floor.robot_radius} m")
    for obstacle in found.obstacles[:5]:
        print(f"  {obstacle.name or 'a thing'}, {obstacle.distance:.2f} m away, seen in frames {obstacle.frames}")
    if found.path is None:
        print("no path:", "; ".join(found.notes))
    else:
        print(f"path of {found.path.length:.2f} m, clear by {found.path.clearance:.2f} m: {found.path.places}")


if __name__ == "__main__":
    main()
