"""What people put into which room, and where: one function a style, from what must be there to what may be."""

from collections.abc import Callable

import numpy as np

from video3d.data.simulate.asset import Asset
from video3d.data.simulate.floor_plan import Footprint
from video3d.data.simulate.furnish_things import EXTRAS, ON_COUNTERS, ON_DESKS, ON_NIGHTSTANDS, ON_TABLES, put
from video3d.data.simulate.furnisher import Furnisher, yaw_facing


def living_room(f: Furnisher) -> None:
    """A sofa at a wall, a low table before it, a television across, armchairs, a lamp, shelves."""
    rng = f.rng
    wall, along = int(rng.integers(f.num_walls)), float(rng.uniform(0.35, 0.65))
    sofa = f.pick("sofa", most_m=(2.6, 1.3, 1.3))
    sofa_id = None if sofa is None else f.at_wall(sofa, wall=wall, along=along, scale=f.scale())
    if sofa_id is None and sofa is not None:
        sofa_id = f.at_wall(sofa)
    if sofa_id is not None:
        table = f.pick("coffee table", most_m=(1.4, 0.9, 0.6))
        rug = f.pick("rug", most_m=(2.4, 2.4, 0.05)) if rng.random() < 0.45 else None
        rug_id = None if rug is None else _before(f, sofa_id, rug, gap_m=float(rng.uniform(0.05, 0.2)), straight=True)
        if table is not None and rug_id is not None:
            middle = f.footprint(rug_id)
            f.on_floor(table, *middle.center_m, middle.yaw_rad, on=rug_id)
        elif table is not None:
            _before(f, sofa_id, table, gap_m=float(rng.uniform(0.3, 0.45)))
        beyond = 0.0 if rug_id is None else f.footprint(rug_id).half_m[0]
        for side in rng.permutation([-1, 1])[: int(rng.integers(0, 3))]:
            chair = f.pick("armchair", "armchair", "ottoman", "rocking chair")
            if chair is not None:
                _flank(f, sofa_id, chair, int(side), beyond)
        beside = f.pick("side table", "floor lamp", "potted plant", most_m=(0.7, 0.7, 1.9))
        if beside is not None:
            _beside(f, sofa_id, beside, int(rng.choice([-1, 1])))
    stand = f.pick("tv stand", "tv stand", "cabinet", most_m=(2.0, 0.7, 0.9))
    if stand is not None:
        stand_id = f.at_wall(stand, wall=wall + f.num_walls // 2, along=1 - along) or f.at_wall(stand)
        for _ in range(4):  # not every television has room on every stand
            tv = f.pick("tv", most_m=(float(stand.size_m[0]), 0.5, 1.1))
            if stand_id is None or tv is None or f.on_top(stand_id, tv, yaw_rad=0.0, back=True) is not None:
                break
    lamp = f.pick("floor lamp")
    if lamp is not None and "floor lamp" not in f.used and rng.random() < 0.7:
        f.at_wall(lamp, corner=True)
    _extras(f, "living room", int(rng.integers(2, 5)))


def bedroom(f: Furnisher) -> None:
    """A bed with its head at a wall, nightstands beside it, a wardrobe, a dresser."""
    rng = f.rng
    bed = f.pick("bed", most_m=(2.2, 2.4, 2.0))
    bed_id = None if bed is None else f.at_wall(bed, along=float(rng.uniform(0.25, 0.75)), scale=f.scale())
    if bed_id is not None:
        stand = f.pick("nightstand", most_m=(0.8, 0.7, 0.9))
        for number, side in enumerate(rng.permutation([-1, 1])[: int(rng.integers(1, 3))]):
            stand_id = None if stand is None else _beside(f, bed_id, stand, int(side))
            if stand_id is not None:
                first = ["lamp"] if number == 0 and rng.random() < 0.7 else []
                for category in first + f.unused(ON_NIGHTSTANDS, int(rng.integers(1, 3))):
                    put(f, stand_id, category)
        rug = f.pick("rug", "mat", most_m=(2.0, 2.0, 0.05))
        if rug is not None and rng.random() < 0.4:
            _before(f, bed_id, rug, gap_m=0.1, straight=True)
    for category, chance in (("wardrobe", 0.85), ("dresser", 0.7), ("dressing table", 0.35), ("mirror", 0.2)):
        piece = f.pick(category)
        if piece is not None and piece.placement == "floor" and rng.random() < chance:
            f.at_wall(piece)
    chair = f.pick("chair", "armchair", "stool")
    if chair is not None and rng.random() < 0.6:
        f.anywhere(chair)
    _extras(f, "bedroom", int(rng.integers(1, 4)))


def dining_room(f: Furnisher) -> None:
    """A table with chairs that face it, a cabinet, a plant."""
    rng = f.rng
    table = f.pick("table", most_m=(2.2, 1.4, 0.95))
    if table is not None:
        low, high = f.truth.floor_polygon_m.min(0), f.truth.floor_polygon_m.max(0)
        for _ in range(12):
            x, y = rng.uniform(low + 1.0, high - 1.0)
            table_id = f.on_floor(
                table, float(x), float(y), float(rng.choice([0.0, np.pi / 2])), scale=f.scale(), gap_m=0.7
            )
            if table_id is not None:
                _chairs_around(f, table_id, int(rng.integers(2, 7)))
                for category in f.unused(ON_TABLES, int(rng.integers(2, 5))):
                    put(f, table_id, category)
                break
    for category in ("cabinet", "bookcase", "refrigerator"):
        piece = f.pick(category)
        if piece is not None and rng.random() < 0.6:
            f.at_wall(piece)
    _extras(f, "dining room", int(rng.integers(1, 3)))


def kitchen(f: Furnisher) -> None:
    """A row of kitchen furniture along a wall with things on the counters, a small table."""
    rng = f.rng
    wall = int(rng.integers(f.num_walls))
    start, end, inward = f.wall(wall)
    length, along = float(np.linalg.norm(end - start)), (end - start) / np.linalg.norm(end - start)
    row = [
        c
        for c in ("refrigerator", "sink", "oven", "cabinet", "stove", "washing machine", "cabinet")
        if rng.random() < 0.85
    ]
    at = 0.05
    for category in (row[i] for i in rng.permutation(len(row))):
        piece = f.pick(category, most_m=(1.6, 0.9, 2.1), least_height_m=0.55)
        if piece is None:
            continue
        width = float(piece.size_m[0])
        if at + width > length - 0.05:
            break
        place = start + along * (at + width / 2) + inward * (piece.size_m[1] / 2 + 0.015)
        placed = f.on_floor(piece, place[0], place[1], yaw_facing(inward), gap_m=0.004)
        at += width + 0.012 if placed is not None else 0.3
        if placed is None:
            continue
        if category == "stove":
            hood = f.pick("range hood")
            if hood is not None:
                f.over(placed, hood, max(1.55, f.footprint(placed).top_m + 0.65))
        elif f.footprint(placed).top_m < 1.2 and rng.random() < 0.5:
            hung = f.pick("wall cabinet", most_m=(width + 0.02, 0.5, 0.8))
            if hung is not None:
                f.over(placed, hung, 1.45)
        if category in ("cabinet", "oven", "washing machine"):
            for thing in f.unused(ON_COUNTERS, int(rng.integers(1, 4))):
                put(f, placed, thing)
    table = f.pick("table", "kitchen island", most_m=(1.6, 1.1, 1.0))
    if table is not None:
        table_id = f.anywhere(table, gap_m=0.6)
        if table_id is not None:
            _chairs_around(f, table_id, int(rng.integers(1, 5)))
            for category in f.unused(ON_TABLES, int(rng.integers(1, 4))):
                put(f, table_id, category)
    _extras(f, "kitchen", int(rng.integers(1, 3)))


def office(f: Furnisher) -> None:
    """A desk with its chair and computer, shelves, a bin."""
    rng = f.rng
    for _ in range(int(rng.integers(1, 3))):
        desk = f.pick("desk", most_m=(2.0, 1.0, 1.1))
        if desk is None:
            break
        desk_id = f.at_wall(desk, scale=f.scale())
        if desk_id is None:
            continue
        chair = f.pick("office chair", "chair")
        if chair is not None:
            _before(f, desk_id, chair, gap_m=float(rng.uniform(0.03, 0.25)), toward=True)
        screen = f.pick("computer", "laptop", "monitor", most_m=(0.75, 0.6, 0.7))
        if screen is not None:
            f.on_top(desk_id, screen, yaw_rad=0.0, back=screen.category != "laptop")
        for category in f.unused(ON_DESKS, int(rng.integers(2, 5))):
            put(f, desk_id, category)
    for category in ("bookcase", "filing cabinet", "shelf", "trash can", "potted plant", "safe"):
        piece = f.pick(category)
        if piece is not None and rng.random() < 0.6:
            f.at_wall(piece, corner=bool(rng.random() < 0.3))
    board = f.pick("whiteboard")
    if board is not None and rng.random() < 0.4:
        f.at_wall(board)
    _extras(f, "office", int(rng.integers(1, 4)))


def bathroom(f: Furnisher) -> None:
    """Bath, toilet, basin, washing machine, a laundry basket."""
    rng = f.rng
    for category in (
        "bathtub",
        "toilet",
        "bathroom vanity",
        "sink",
        "washing machine",
        "shower",
        "laundry basket",
        "trash can",
        "stool",
        "cabinet",
    ):
        piece = f.pick(category)
        if piece is not None and rng.random() < 0.75 and not (category == "sink" and "bathroom vanity" in f.used):
            f.at_wall(piece)
    for category in ("towel rack", "toilet paper", "radiator"):
        thing = f.pick(category, most_m=(1.0, 0.4, 0.8))
        if thing is not None and thing.placement == "wall" and rng.random() < 0.6:
            f.on_wall(thing, 0.12 if category == "radiator" else float(rng.uniform(0.8, 1.1)))
    for category in f.unused(("toilet brush", "scale", "towel", "mat", "bucket", "shoes"), 3):
        thing = f.pick(category, most_m=(0.8, 0.6, 0.6))
        if thing is not None:
            f.anywhere(thing, gap_m=0.05)
    _extras(f, "bathroom", int(rng.integers(1, 3)))


def playroom(f: Furnisher) -> None:
    """A bit of everything: toys, a crib or bed, a piano, shelves, sports gear."""
    rng = f.rng
    big = ("crib", "bed", "piano", "football table", "table tennis table", "exercise machine", "bookcase", "shelf", "chest", "sofa", "desk", "armchair", "workbench", "bench", "high chair", "dollhouse", "stroller", "wheelchair", "pool table", "treadmill", "dresser")  # fmt: skip
    for category in f.unused(big, int(rng.integers(4, 7))):
        piece = f.pick(category, most_m=(2.8, 1.8, 2.2))
        if piece is not None:
            f.at_wall(piece) if rng.random() < 0.8 else f.anywhere(piece)
    for category in f.unused(("rug", "toy car", "toy train", "teddy bear", "soccer ball", "doll", "rocking horse"), 4):
        thing = f.pick(category, most_m=(1.6, 1.6, 1.0))
        if thing is not None:
            f.anywhere(thing)
    _extras(f, "playroom", int(rng.integers(1, 3)))


STYLES: dict[str, Callable[[Furnisher], None]] = {
    "bathroom": bathroom,
    "bedroom": bedroom,
    "dining room": dining_room,
    "kitchen": kitchen,
    "living room": living_room,
    "office": office,
    "playroom": playroom,
}


def _axes(print_: Footprint) -> tuple[np.ndarray, np.ndarray]:
    """Front and right of a thing in the plane."""
    c, s = np.cos(print_.yaw_rad), np.sin(print_.yaw_rad)
    return np.array([s, -c]), np.array([c, s])


def _before(
    f: Furnisher, object_id: int, asset: Asset, *, gap_m: float, toward: bool = False, straight: bool = False
) -> int | None:
    """Puts something before the front of another: turned alike, or facing it; a little askew unless ``straight``."""
    base = f.footprint(object_id)
    front, right = _axes(base)
    askew = 0.0 if straight else 0.05
    place = base.center_m + front * (base.half_m[1] + gap_m + asset.size_m[1] / 2) + right * f.rng.normal(0, askew)
    yaw = base.yaw_rad + (np.pi if toward else 0.0) + f.rng.normal(0, askew)
    return f.on_floor(asset, float(place[0]), float(place[1]), float(yaw), gap_m=0.02)


def _beside(f: Furnisher, object_id: int, asset: Asset, side: int) -> int | None:
    """Puts something beside another, backs in line."""
    base = f.footprint(object_id)
    front, right = _axes(base)
    place = (
        base.center_m
        + side * right * (base.half_m[0] + asset.size_m[0] / 2 + f.rng.uniform(0.05, 0.2))
        - front * (base.half_m[1] - asset.size_m[1] / 2)
    )
    return f.on_floor(asset, place[0], place[1], base.yaw_rad, gap_m=0.02)


def _flank(f: Furnisher, object_id: int, asset: Asset, side: int, beyond_m: float) -> int | None:
    """Puts an armchair at a side of the place before a sofa, facing that place."""
    base = f.footprint(object_id)
    front, right = _axes(base)
    before = base.center_m + front * (base.half_m[1] + 0.7)
    away = max(base.half_m[0] * 0.6 + f.rng.uniform(0.35, 0.6), beyond_m + 0.1)
    place = before + side * right * (away + float(asset.size_m[1]) / 2)
    return f.on_floor(asset, place[0], place[1], yaw_facing(-side * right) + f.rng.normal(0, 0.12))


def _chairs_around(f: Furnisher, table_id: int, num: int) -> None:
    """Chairs along the sides of a table, all of one model, each facing it."""
    chair = f.pick("chair", most_m=(0.7, 0.75, 1.2))
    if chair is None:
        return
    base = f.footprint(table_id)
    front, right = _axes(base)
    seats = []
    for direction, across, reach, width in (
        (front, right, base.half_m[1], base.half_m[0]), (-front, right, base.half_m[1], base.half_m[0]),
        (right, front, base.half_m[0], base.half_m[1]), (-right, front, base.half_m[0], base.half_m[1]),
    ):  # fmt: skip
        fits = max(1, int(2 * width / (chair.size_m[0] + 0.12)))
        for seat in range(min(fits, 3)):
            offset = (seat - (min(fits, 3) - 1) / 2) * (2 * width / min(fits, 3))
            seats.append(
                (direction, base.center_m + direction * (reach + chair.size_m[1] / 2 + 0.06) + across * offset)
            )
    for direction, place in (seats[i] for i in f.rng.permutation(len(seats))[:num]):
        pulled = direction * f.rng.uniform(0.0, 0.15)
        f.on_floor(
            chair,
            place[0] + pulled[0],
            place[1] + pulled[1],
            yaw_facing(-direction) + f.rng.normal(0, 0.08),
            gap_m=0.03,
        )


def _extras(f: Furnisher, style: str, num: int) -> None:
    low, high = f.truth.floor_polygon_m.min(0), f.truth.floor_polygon_m.max(0)
    large = int(float(np.prod(high - low)) > 22.0)  # a large room holds more
    for category in f.unused(EXTRAS[style], num + large):
        piece = f.pick(category, most_m=(2.0, 1.0, 2.2), least_height_m=0.4)
        if piece is not None and piece.placement == "floor":
            f.at_wall(piece, scale=f.scale(), corner=category in ("potted plant", "floor lamp", "coat rack"))
