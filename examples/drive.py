"""What a car needs: the road, its own motion, vehicles and how far things are. In a room: the floor, and no vehicle.

python examples/make_room.py room
python examples/drive.py room
"""

import sys

import video3d


def main() -> None:
    engine = video3d.load()
    found = engine.analyze(sys.argv[1], task="driving", num_frames=16)
    if found.road is not None:
        print(f"road {found.road.camera_height:.2f} {found.unit} under the camera, free ahead: {found.road.free_ahead}")
    if found.ego is not None:
        print(f"own speed {found.ego.speed} {found.unit}/s, travelled {found.ego.travelled} {found.unit}")
    for one in found.vehicles:
        print(
            f"  {one.name}: {one.distance} {found.unit}, {one.bearing_deg} deg, {one.side}, {one.time_to_collision_s} s"
        )
    for one in found.distance_to_objects[:5]:
        print(f"  {one.name or 'a thing'}: {one.distance:.2f} {found.unit}, {one.bearing_deg:.0f} deg to the right")
    print("to know:", "; ".join(found.notes))


if __name__ == "__main__":
    main()
