"""What each model of the Sweet Home 3D libraries is here: read name by name and looked at picture by picture.

A model's category is what ``video3d.vocabulary`` makes of its catalogue name, unless a list below says otherwise. Left out
are models that are no single thing, that nobody would recognise from a few metres, or that have no use in a room or a street;
each list says why. Libraries: ``c0`` BlendSwap-CC-0, ``by`` BlendSwap-CC-BY, ``kl`` KatorLegaz, ``re`` Reallusion, ``sc`` Scopia.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from video3d.data.simulate.asset import Placement
from video3d.data.simulate.sh3f import CatalogueEntry
from video3d.vocabulary import category, normalise

_LIBRARIES = {"c0": "blendswap-cc-0", "by": "blendswap-cc-by", "kl": "katorlegaz", "re": "reallusion", "sc": "scopia"}
_SPDX = {
    "blendswap-cc-0": "CC0-1.0",
    "blendswap-cc-by": "CC-BY-3.0",
    "katorlegaz": "CC-BY-3.0-US",
    "reallusion": "CC-BY-3.0-US",
    "scopia": "CC-BY-3.0",
}

# Why: the models left out.
_LEFT_OUT = {
    "flat on the wall and smaller than a hand: sockets, switches, bells, detectors": """
        by/wallDoubleSocket by/wallSocket sc/rounded-* sc/square-* sc/*-whites sc/entry-bell-ring sc/entry-bell-speech-unit
        sc/smoke-detector sc/CCTV c0/numberLock sc/intercom sc/intercom_with_screen by/surveillanceCamera c0/emergencySign""",
    "several things or a whole furnished place in one model": """
        sc/contemp_living_room c0/childHut sc/swimming-pool sc/kitchenKnifeStandSet kl/plate-and-ustensils
        sc/ensemble-assiette-couteau-fourchette-cuillere-verre kl/chair-ottoman by/kitchenTools sc/box_room sc/office_box
        sc/dining_room sc/office_furniture1 sc/elevator c0/technicalTable1 c0/technicalTable2 by/fitnessTower c0/deer
        kl/custom-desk
        by/kitchenDrawersCabinet by/breadBox c0/knifeStandSwap""",
    "painted on the ground": """
        sc/fleche-tout-droit sc/fleche-tourner-a-droite-et-direct sc/fleche-tourner-a-droite sc/stationnement-creneau
        sc/stationnement-en-bataille sc/stationnement-epi-45 sc/stationnement-epi-60 sc/stationnement-epi-75 sc/rails
        kl/concrete-sidewalk sc/passage-a-niveau
        sc/passage-pieton""",
    "parts of a building, not things in it": """
        kl/window-shutter kl/porch-column-01 kl/porch-column-02 kl/porch-column-03 sc/chimney sc/round-chimney
        sc/garage-door sc/garage-door2 sc/elevator-door kl/screen-door c0/shower c0/showerDoor kl/showerHeadAndFaucet
        sc/escalator sc/garden-faucet sc/diving-board sc/external-unity-air-conditioning c0/spiralStaircase""",
    "garden and playground pieces that neither a room nor a street has": """
        c0/childSwing c0/seesaw sc/parque sc/child_swing sc/rectangle-swimming-pool sc/round-swimming-pool sc/sandpit sc/trampoline
        sc/garden-hut sc/barnum sc/campingTent sc/hammock sc/jacuzzi sc/dog-house sc/football-goal sc/big-football-goal
        sc/basketball_net_and_board by/bonecoDeNeve by/rowboat by/poolLounge c0/shippingContainer c0/wheelbarrow sc/mower
        kl/hose-reel c0/umbrella sc/bluePineSnow sc/pineSnow by/fountain c0/relaxChair sc/beach_chair by/chair_deck c0/deckChair
        c0/fence sc/ext_table c0/pallet c0/lantern c0/stoneLantern
        c0/motorbike c0/peterbilt c0/pedestrianRailing1 c0/pedestrianRailing2""",
    "clothes without a wearer, flat or on hangers": """
        by/suit by/wire-coathanger kl/clothes-hanger kl/hanging-clothes1 kl/hanging-clothes2 sc/robe sc/short-shadows
        sc/pantalon-shadows sc/blouson sc/jupe sc/jupe-doeskin sc/chaussette sc/gant-textured c0/bootie sc/sleepingBag
        c0/towel2 by/towel""",
    "too small or too flat to be told from a few metres": """
        c0/butter c0/comb c0/cardGame by/lipStick sc/bague sc/montre sc/montre-with-pose sc/keys sc/billet-10-euros
        sc/billet-20-euros sc/billet-50-euros sc/com_bath2_peineta sc/com_bath2_cepillo sc/com_bath2_soap c0/housePuzzle
        by/thermometer kl/ashtray sc/cendrier sc/glasses by/sunglasses sc/induction-cooker-2-zones sc/induction-cooker-4-zones
        sc/pencil1 sc/pencil2 c0/woodToy kl/tape-measure sc/squeezer c0/flacon kl/oil-servers""",
    "no name that people would agree on": """
        sc/kitchen_tool1 sc/kitchen_tool2 sc/kitchen_tool3 sc/kitchen_tool4 sc/meuleuse-electrique sc/pince-coupante
        sc/rouleau-de-ruban-adhesif sc/stoneGrillDevice sc/spiceTower sc/sandwichMaker sc/deepFryerWithFrenchFries sc/wood_logs
        sc/flipper sc/dart_game sc/air-mattress sc/futon by/utensilsPot sc/frenchFries sc/steak sc/roasted-chicken
        sc/bowlWithSalad sc/sugar c0/potty sc/tatami c0/tatami sc/punching-ball sc/furnace sc/changing-table c0/forkLift
        sc/wall-hanger sc/com_bath2_esponja kl/track-lights kl/fluorescent-strip kl/wall-lamp-artwork sc/japanese_style_screen
        sc/cooker c0/lockedLocker sc/basin by/mp3Station sc/bandeja c0/showerStall sc/glassDoor2""",
    "people who sit or lie on nothing, and shop-window dolls": """
        re/sitMale01 re/sitMale02 re/sitMale03 re/sitFemale01 re/sitFemale02 re/sitFemale03 re/lyingDownFemale01
        re/lyingDownMale01 re/lyingDownMale02 re/boyLying re/boySitting re/girlSittingGround re/girlSittingTable
        re/holdingMale01 re/holdingFemale01 re/holdingFemale02 re/holdingFemale03 sc/mannequinMale sc/mannequinBrunette""",
    "needles, twigs or crystals that a few thousand triangles cannot show": """
        sc/pine sc/sycamoreMaple sc/bamboo sc/chandelier-lamp""",
}

# Category: the models whose name alone would say nothing, or something else.
_CATEGORY = {
    "table": "c0/tableWithTablecloth sc/table-on-trestles sc/kids_desk_table",
    "coffee table": "sc/living_room_table sc/rattanTable",
    "desk": "sc/wooden_office_alder_table sc/wooden_office_pear_table_rect sc/wooden_office_pear_table sc/wooden_office_teak_table",
    "chair": "c0/chairWithCushion by/chairWithCushion by/classSeat",
    "office chair": "kl/office-chair sc/office_chair",
    "sofa": "sc/beige_sofa_2seats sc/beige_sofa sc/convertible-sofa-BZ-closed",
    "bed": "sc/convertible-sofa-BZ-opened",
    "bench": "sc/littlebank sc/wood_bank",
    "stool": "c0/foldingChair",
    "wall cabinet": "c0/upperCornerCabinet c0/glassDoorCabinet by/kitchenGlassDoorCabinet",
    "potted plant": "by/luckyBamboo by/spatifilum sc/ficus c0/flowerBox c0/plantie",
    "car": "by/fordFocus kl/concept-sedan-02-sport kl/VW-new-beetle sc/seat_leon sc/peugeot-308 sc/renault-scenic sc/chevrolet",
    "motorcycle": "sc/yamaha-yzr-r6 kl/scooter sc/scooter2",
    "armchair": "sc/ext_chair",
    "dresser": "by/chest",
    "fruit bowl": "sc/apples",
    "pot": "by/largePan",
    "computer": "kl/apple-imac-1998 sc/apple_pc",
    "picture": "sc/frame1 sc/frame2",
    "air conditioner": "sc/internal-unity-air-conditioning",
    "door": "sc/double_door_with_little_part sc/double_door",
    "window": """sc/window_2x1_medium_with_large_pane sc/window_2x3_regular sc/window_2x3 sc/window_2x4 sc/window_2x6
        sc/window_4x3 sc/window_4x5""",
    "tree": "sc/acacia sc/bamboo sc/ficusTree sc/copperBeech sc/peachBlossom",
    "traffic cone": "sc/cone",
    "floor lamp": "sc/living_lamp",
    "ceiling lamp": "c0/lamp2",
    "wall lamp": "c0/outdoorLamp",
    "lamp": "kl/pedestal-vase-lamp",
    "kettle": "by/boiler",
    "stove": "c0/mano_cooktop",
    "sink": "sc/bathroom1",
}

# Models that look to their right, where all others look ahead: a quarter of a turn makes them look ahead too.
_LOOK_RIGHT = "c0/caballito by/toytrain"

# Furniture on whose top people put things.
SUPPORTS = frozenset(
    {
        "table",
        "coffee table",
        "side table",
        "nightstand",
        "desk",
        "dressing table",
        "workbench",
        "bookcase",
        "shelf",
        "cabinet",
    }
    | {
        "dresser",
        "filing cabinet",
        "tv stand",
        "chest",
        "safe",
        "counter",
        "kitchen island",
        "refrigerator",
        "freezer",
        "oven",
    }
    | {"washing machine", "dryer", "crate"}
)
_WALL = frozenset(
    {
        "wall cabinet",
        "wall lamp",
        "door",
        "window",
        "picture",
        "mirror",
        "air conditioner",
        "towel rack",
        "range hood",
        "blinds",
    }
    | {"curtain", "toilet paper", "urinal", "railing", "radiator"}
)
# Stand on something although others of their category hang.
_STANDING = "sc/frame1 sc/frame2"
_CEILING = frozenset({"ceiling lamp", "ceiling fan"})
_STREET = frozenset(
    {
        "car",
        "bus",
        "truck",
        "van",
        "motorcycle",
        "bicycle",
        "kick scooter",
        "person",
        "tree",
        "bush",
        "hedge",
        "rock",
        "mailbox",
    }
    | {
        "fire hydrant",
        "traffic cone",
        "street lamp",
        "traffic light",
        "traffic sign",
        "crossing",
        "horse",
        "construction vehicle",
    }
)


def _full(short: str) -> str:
    library, _, rest = short.partition("/")
    return f"{_LIBRARIES[library]}/{rest.lower()}"


def _matches(model_id: str, patterns: str) -> bool:
    from fnmatch import fnmatchcase

    return any(fnmatchcase(model_id, _full(pattern)) for pattern in patterns.split())


def left_out_because(entry: CatalogueEntry) -> str | None:
    """Why a model is not used, or None where it is."""
    for reason, patterns in _LEFT_OUT.items():
        if _matches(entry.model_id, patterns):
            return reason
    return None if category_of(entry) else "no category of the vocabulary"


def category_of(entry: CatalogueEntry) -> str | None:
    """The vocabulary's category of a model, None where it has none. Models of other libraries go by their name alone."""
    for name, patterns in _CATEGORY.items():
        if _matches(entry.model_id, patterns):
            return name
    return normalise(entry.name)


def placement_of(entry: CatalogueEntry, category_name: str) -> Placement:
    """Where a model of a category belongs; a model that its catalogue hangs 80 cm or higher hangs on a wall."""
    if category_name in _CEILING:
        return "ceiling"
    if _matches(entry.model_id, _STANDING):
        return "support"
    if category_name in _WALL or (entry.elevation_cm >= 80.0 and category_name not in _STREET):
        return "wall"
    if category_name in _STREET:
        return "street"
    kind = category(category_name).kind
    width, depth, height = entry.size_cm
    if kind in ("prop", "plant", "animal"):
        return "support" if height <= 60.0 and max(width, depth) <= 110.0 else "floor"
    return "floor"


def turned_ahead(entry: CatalogueEntry) -> CatalogueEntry:
    """The entry with its model's front towards +z of the model's axes, y up, as Sweet Home 3D means it to be."""
    if not _matches(entry.model_id, _LOOK_RIGHT):
        return entry
    quarter = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    width, depth, height = entry.size_cm
    rotation = tuple(float(x) for x in (quarter @ np.reshape(entry.rotation, (3, 3))).ravel())
    return replace(entry, rotation=rotation, size_cm=(depth, width, height))


def licence_of(entry: CatalogueEntry) -> str:
    """SPDX id of a model's licence, by its library's LICENSE.TXT; a reference for a library that is not known."""
    return _SPDX.get(entry.library.lower(), f"LicenseRef-{entry.library}")


def held_out(ids: Iterable[str]) -> frozenset[str]:
    """About 15 % of the models of one category, at least one and never of fewer than three, by a hash of their ids.

    >>> len(held_out(f"scopia/chair{i}" for i in range(20))), len(held_out(["a", "b"]))
    (3, 0)
    """
    ordered = sorted(ids, key=lambda name: hashlib.sha256(name.encode()).digest())
    return frozenset(ordered[: max(1, round(0.15 * len(ordered)))] if len(ordered) >= 3 else ())
