"""Which things people take for one another: what makes "the chair" doubtful beside an armchair.

Two categories of one group may be called by each other's names, or look alike in a small picture; only a colour tells such
things apart. A category that is in no group is confused only with itself.
"""

from video3d.vocabulary import CATEGORIES

_GROUPS = """
chair, armchair, office chair, high chair, stool, ottoman, wheelchair
bench, table, coffee table, side table, desk, dressing table, changing table, workbench, kitchen island, counter
| nightstand
pool table, table tennis table, football table
bed, crib
bookcase, shelf, cabinet, wall cabinet, dresser, wardrobe, filing cabinet, tv stand, safe, bathroom vanity, nightstand, refrigerator
| freezer, chest, dressing table, counter, dollhouse
sink, bathtub, bathroom vanity
toilet, bidet, urinal
oven, stove, microwave, dishwasher, washing machine, dryer, toaster
washing machine, dryer, dishwasher, freezer
water heater, radiator, air conditioner, water cooler
treadmill, exercise machine
floor lamp, lamp, ceiling lamp, wall lamp, lantern, flashlight, candle, street lamp, coat rack
rug, mat, towel, blanket
trash can, laundry basket, bucket, basket, barrel, cylinder, pot, bowl, fruit bowl, column, pen holder
tv, monitor, computer, laptop, tablet, projector
radio, stereo, speaker, dvd player, game console, microwave, printer, computer
telephone, mobile phone, remote control, game controller, tablet
mirror, picture, window, whiteboard, calendar, tv
fan, ceiling fan
clock, scale
curtain, blinds, folding screen
cup, glass, vase, jar, bottle, pot, kettle, teapot, pen holder, salt shaker, milk carton
bowl, fruit bowl, plate, tray, pan, cutting board
knife, fork, spoon, pen, ruler, scissors
coffee maker, blender, mixer, toaster
apple, ball, basketball, soccer ball
bread, cake, hamburger, hot dog, sponge, soap
box, block, crate, gift, milk carton, rubik's cube, chest, book, domino, basket, toaster
book, newspaper, calendar, tablet
pillow, towel, blanket
bag, backpack, suitcase, basket
hat, helmet
teddy bear, doll
toy car, toy train, toy plane
chessboard, tray
tennis racket, table tennis bat
ramp, plank, domino, block, stair, barrier, shelf
stair, staircase, ladder
hammer, drill, screwdriver, saw, stapler
shovel, broom, toilet brush
potted plant, flowers, christmas tree, tree, bush, hedge, vase
tree, street lamp, pole, bollard, column, parking meter, traffic sign, traffic light
door, window, wardrobe
fence, railing, barrier
car, van, truck, bus, trailer, construction vehicle, tram, train, toy car
motorcycle, bicycle, kick scooter, tricycle, cyclist
person, cyclist
dog, cat, rabbit, chicken, bird
horse, cow, rocking horse
traffic cone, bollard, fire hydrant, mailbox, parking meter
cart, stroller, toy car
cart, box, crate, basket, laundry basket, chest
parasol, umbrella
"""

# "Shoes" and their like take a plural verb, "bread" no article: no template is made for them. Surfaces are not things.
_NEVER_NAMED = frozenset(
    {
        "shoes",
        "flowers",
        "headphones",
        "blinds",
        "scissors",
        "paper towels",
        "wall",
        "ceiling",
        "floor",
        "rock",
        "building",
    }
    | {entry.name for entry in CATEGORIES if not entry.countable}
)

# Colour words that some people would use for each other's things, under some lights.
_NEAR_COLORS = frozenset(
    frozenset(pair.split("-"))
    for pair in [
        "red-orange",
        "red-pink",
        "red-purple",
        "orange-yellow",
        "orange-brown",
        "red-brown",
        "purple-pink",
        "purple-blue",
        "white-grey",
        "grey-black",
        "yellow-brown",
        "blue-green",
    ]
)


def _read() -> dict[str, frozenset[str]]:
    known = {entry.name for entry in CATEGORIES}
    rivals: dict[str, set[str]] = {name: {name} for name in known}
    for line in _GROUPS.strip().replace("\n|", ",").splitlines():
        members = [name.strip() for name in line.split(",")]
        if unknown := set(members) - known:
            raise ValueError(f"confusion: {sorted(unknown)} are not in the vocabulary")
        for name in members:
            rivals[name].update(members)
    return {name: frozenset(members) for name, members in rivals.items()}


_RIVALS = _read()


def confused(first: str, second: str) -> bool:
    """Whether one category may be taken for the other; every category for itself.

    >>> confused("chair", "stool"), confused("desk", "table"), confused("chair", "table")
    (True, True, False)
    """
    return first == second or second in _RIVALS.get(first, ())


def nameable(category: str) -> bool:
    """Whether sentences can be made about a category: it is in the vocabulary, singular, and counts."""
    return category in _RIVALS and category not in _NEVER_NAMED


def colors_clash(first: str | None, second: str | None) -> bool:
    """Whether two things' colours may be called by one word; a thing of no one colour may be called anything.

    >>> colors_clash("red", "blue"), colors_clash("red", "orange"), colors_clash("red", None)
    (False, True, True)
    """
    return first is None or second is None or first == second or frozenset({first, second}) in _NEAR_COLORS
