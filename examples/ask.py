"""Asks several questions about one recording; the scene is read and encoded once.

python examples/make_room.py room
python examples/ask.py room
"""

import sys

import video3d

QUESTIONS = (
    "How big is the room?",
    "Which is nearer in frame 0: pixel (60, 140) or pixel (220, 90)?",
    "Did the camera turn left or right?",
    "How high is the camera above the floor at the start?",
    "Describe the place in one sentence.",
    "What could a person do here?",
)


def main() -> None:
    engine = video3d.load("nano")
    for question in QUESTIONS:
        answer = engine.ask(sys.argv[1], question, num_frames=8)
        print(f"{question}\n  [{answer.source}, {answer.timings_s['total']:.1f} s] {answer.text}")
        for quantity in answer.quantities:
            print(f"    {quantity.name} = {quantity.value:.3f} {quantity.unit}")


if __name__ == "__main__":
    main()
