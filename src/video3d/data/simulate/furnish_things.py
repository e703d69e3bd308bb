"""Things on tops, on walls and about on floors, in any room."""

import numpy as np

from video3d.data.simulate.floor_plan import Footprint
from video3d.data.simulate.furnisher import Furnisher
from video3d.data.simulate.scene import Look
from video3d.vocabulary import COLORS

ON_DESKS = (
    "laptop",
    "lamp",
    "telephone",
    "pen holder",
    "book",
    "cup",
    "keyboard",
    "clock",
    "printer",
    "tablet",
    "calendar",
)
ON_TABLES = (
    "bowl",
    "vase",
    "cup",
    "plate",
    "fruit bowl",
    "bottle",
    "teapot",
    "cake",
    "book",
    "newspaper",
    "flowers",
    "candle",
    "apple",
)
ON_COUNTERS = (
    "microwave",
    "kettle",
    "toaster",
    "coffee maker",
    "knife block",
    "pan",
    "cutting board",
    "blender",
    "jar",
    "bread",
    "mixer",
    "paper towels",
    "scale",
    "bottle",
)
ON_SHELVES = (
    "book",
    "vase",
    "potted plant",
    "clock",
    "radio",
    "teddy bear",
    "box",
    "toy plane",
    "camera",
    "lantern",
    "candle",
    "jar",
    "stereo",
    "speaker",
    "hat",
    "helmet",
    "toy train",
    "doll",
    "xylophone",
    "lamp",
)
ON_NIGHTSTANDS = ("lamp", "clock", "book", "telephone", "glass", "radio", "candle")
# By room: what lies about on the floor, and what else stands along the walls.
ON_FLOORS = {
    "bathroom": (
        "laundry basket", "trash can", "bucket", "stool", "shoes", "towel", "basket", "cat", "scale", "potted plant", "box",
    ),
    "bedroom": (
        "shoes", "suitcase", "backpack", "bag", "teddy bear", "laundry basket", "cat", "dog", "book", "box", "guitar", "ottoman",
        "gift", "trash can", "basketball", "fan", "chest", "umbrella",
    ),
    "dining room": (
        "high chair", "dog", "cat", "vase", "basket", "box", "crate", "potted plant", "umbrella", "toy car", "gift", "trash can",
    ),
    "kitchen": (
        "trash can", "stool", "basket", "crate", "bucket", "broom", "cat", "dog", "high chair", "fire extinguisher", "box", "bag",
        "shoes", "bottle",
    ),
    "living room": (
        "ottoman", "cat", "dog", "guitar", "toy car", "basket", "vase", "teddy bear", "gift", "umbrella", "speaker", "box",
        "soccer ball", "toy train", "rabbit", "bag", "stool", "fan", "potted plant",
    ),
    "office": (
        "trash can", "box", "backpack", "bag", "suitcase", "speaker", "fan", "umbrella", "fire extinguisher", "guitar", "stool",
        "safe", "potted plant",
    ),
    "playroom": (
        "toy car", "toy train", "teddy bear", "doll", "rocking horse", "soccer ball", "basketball", "skateboard", "tricycle",
        "xylophone", "box", "crate", "stool", "helmet", "backpack", "tennis racket", "rabbit", "dog", "basket",
    ),
}  # fmt: skip
EXTRAS = {
    "bathroom": ("shelf", "cabinet", "dryer", "potted plant", "stool", "coat rack", "water heater"),
    "bedroom": ("bookcase", "shelf", "desk", "floor lamp", "potted plant", "chest", "coat rack", "armchair", "crib", "bench"),
    "dining room": ("cabinet", "bookcase", "potted plant", "floor lamp", "piano", "fireplace", "dresser", "aquarium", "bench"),
    "kitchen": ("freezer", "cabinet", "shelf", "water cooler", "dishwasher", "potted plant", "bench"),
    "living room": (
        "bookcase", "shelf", "potted plant", "floor lamp", "piano", "aquarium", "fireplace", "cabinet", "dresser", "chest",
    ),
    "office": ("bookcase", "shelf", "cabinet", "potted plant", "floor lamp", "water cooler", "coat rack", "armchair", "sofa"),
    "playroom": ("bookcase", "shelf", "chest", "potted plant", "ladder", "bench", "exercise machine", "treadmill", "armchair"),
}  # fmt: skip


def hang_pictures(f: Furnisher) -> None:
    """Pictures, a clock, a wall lamp, an air conditioner: what hangs on walls in any room."""
    for category, low, high, chance in (
        ("picture", 1.2, 1.5, 0.7),
        ("picture", 1.2, 1.6, 0.35),
        ("clock", 1.6, 2.0, 0.3),
        ("wall lamp", 1.5, 1.8, 0.3),
        ("air conditioner", 2.0, 2.2, 0.12),
        ("mirror", 1.0, 1.3, 0.3),
    ):
        thing = f.pick(category, most_m=(1.6, 0.4, 1.2))
        if thing is not None and thing.placement == "wall" and f.rng.random() < chance:
            f.on_wall(thing, float(f.rng.uniform(low, high)))


def things_on_tops(f: Furnisher) -> None:
    """Things on whatever has a top and is still empty: no bare shelves and tables."""
    rng = f.rng
    for surface in f.surfaces():
        if surface.height_m > 1.6:
            continue
        kinds = {
            "desk": ON_DESKS, "table": ON_TABLES, "coffee table": ON_TABLES, "kitchen island": ON_COUNTERS, "oven": ON_COUNTERS,
            "nightstand": ON_NIGHTSTANDS,
        }.get(surface.category, ON_SHELVES)  # fmt: skip
        most = 2 + int(4 * surface.half_m[0] * surface.half_m[1] > 0.6)  # larger tops carry more
        for category in f.unused(kinds, int(rng.integers(0, most + 1))):
            put(f, surface.object_id, category)


def clutter(f: Furnisher, style: str) -> None:
    """Things that lie about on the floor of such a room."""
    rng = f.rng
    for category in f.unused(ON_FLOORS[style], int(rng.integers(3, 7))):
        thing = f.pick(category, most_m=(1.0, 1.0, 1.3))
        if thing is not None:
            f.at_wall(thing) if rng.random() < 0.4 and thing.size_m[2] > 0.35 else f.anywhere(thing)


_IN_BOXES = (
    "teddy bear", "basketball", "soccer ball", "book", "shoes", "bottle", "toy car", "apple", "vase", "hat", "teapot", "pillow",
    "doll", "bag", "pot", "potted plant",
)  # fmt: skip


def open_box(f: Furnisher, category: str = "box") -> None:
    """An open box (or crate, basket) on the floor with one thing in it that can be seen from above and is surely inside."""
    rng = f.rng
    width, depth, height, wall = rng.uniform(0.32, 0.5), rng.uniform(0.3, 0.42), rng.uniform(0.13, 0.24), 0.012
    if category in f.used:
        return
    for _ in range(6):  # higher than the walls, where that can be: then it is seen from the side too
        thing = f.pick(*_IN_BOXES, most_m=(0.42, 0.36, 0.4))
        if thing is None:
            return
        fits = bool((thing.size_m[:2] <= np.array([width, depth]) - 0.04).all())
        if fits and float(thing.size_m[2]) > 0.7 * height:
            break
    else:
        return
    low, high = f.truth.floor_polygon_m.min(0), f.truth.floor_polygon_m.max(0)
    for _ in range(60):
        x, y = rng.uniform(low, high)
        yaw = float(rng.uniform(-np.pi, np.pi))
        made = Footprint(
            object_id=0, center_m=(float(x), float(y)), half_m=(float(width / 2), float(depth / 2)), yaw_rad=yaw, bottom_m=0.0,
            top_m=float(height),
        )  # fmt: skip
        if f.claim(made):
            break
    else:
        return
    color = COLORS[int(rng.integers(len(COLORS)))]
    half = height / 2
    boxes = np.array(
        [
            [0, 0, wall / 2, width / 2, depth / 2, wall / 2],
            [width / 2 - wall / 2, 0, half, wall / 2, depth / 2, half],
            [-width / 2 + wall / 2, 0, half, wall / 2, depth / 2, half],
            [0, depth / 2 - wall / 2, half, width / 2, wall / 2, half],
            [0, -depth / 2 + wall / 2, half, width / 2, wall / 2, half],
        ]
    )
    box_id = f.builder.compound(
        category, (float(x), float(y), 0.0), boxes, np.tile([1.0, 0, 0, 0], (5, 1)), Look(rgba=(*color.rgb, 1.0)),
        yaw_rad=yaw, color=color.name, kind="prop",
    )  # fmt: skip
    f.used[category] = 1
    f.put_inside(box_id, thing, float(x), float(y), wall, yaw, 1.0)


def put(f: Furnisher, support_id: int, category: str) -> int | None:
    """Puts a thing of a category on top of something, if it is at hand and fits; its object id, or None."""
    thing = f.pick(category, most_m=(0.75, 0.6, 0.8))
    return None if thing is None else f.on_top(support_id, thing, scale=f.scale())
