"""Plausible masses: how heavy a thing is for the room that its solid parts take up."""

_KIND = {
    "furniture": 220.0,
    "prop": 450.0,
    "experiment": 500.0,
    "structure": 600.0,
    "vehicle": 160.0,
    "person": 450.0,
    "animal": 900.0,
    "plant": 120.0,
    "sign": 800.0,
}
# Kilograms a cubic metre of what the collision boxes fill: mostly air in a sofa, mostly paper in a book.
_CATEGORY = {
    "sofa": 80.0,
    "armchair": 90.0,
    "bed": 90.0,
    "ottoman": 90.0,
    "table": 250.0,
    "coffee table": 250.0,
    "desk": 200.0,
    "chair": 350.0,
    "wardrobe": 60.0,
    "cabinet": 160.0,
    "bookcase": 250.0,
    "refrigerator": 120.0,
    "washing machine": 250.0,
    "tv": 250.0,
    "lamp": 120.0,
    "book": 700.0,
    "bottle": 800.0,
    "cup": 600.0,
    "glass": 600.0,
    "bowl": 200.0,
    "plate": 900.0,
    "vase": 250.0,
    "box": 120.0,
    "basket": 50.0,
    "pillow": 60.0,
    "teddy bear": 80.0,
    "basketball": 90.0,
    "soccer ball": 80.0,
    "rubik's cube": 600.0,
    "gift": 150.0,
    "suitcase": 80.0,
    "bag": 120.0,
    "backpack": 120.0,
    "hammer": 2000.0,
    "traffic cone": 60.0,
    "trash can": 120.0,
    "piano": 300.0,
    "safe": 1500.0,
    "fire hydrant": 2500.0,
    "tree": 40.0,
    "rock": 2000.0,
    "hat": 60.0,
    "helmet": 150.0,
    "laundry basket": 40.0,
    "guitar": 150.0,
    "jar": 400.0,
    "umbrella": 100.0,
    "lantern": 150.0,
    "christmas tree": 15.0,
    "potted plant": 60.0,
    "crib": 60.0,
    "dog": 500.0,
    "cat": 350.0,
    "coat rack": 40.0,
    "stroller": 80.0,
    "bicycle": 220.0,
    "motorcycle": 250.0,
}


def plausible_mass(category: str, kind: str, volume_m3: float) -> float:
    """Kilograms, from 10 g to 40 t, of a thing whose solid parts fill a volume.

    >>> round(plausible_mass("book", "prop", 0.2 * 0.15 * 0.03), 2)
    0.63
    """
    return float(min(max(_CATEGORY.get(category, _KIND[kind]) * volume_m3, 0.01), 40_000.0))
