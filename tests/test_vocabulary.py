"""The vocabulary: one meaning a name, and the labels of the data sets find their category."""

import pytest

from video3d.vocabulary import CATEGORIES, COLORS, category, normalise

LABELS = {
    "vehicle.car": "car",
    "vehicle.bus.bendy": "bus",
    "human.pedestrian.adult": "person",
    "movable_object.trafficcone": "traffic cone",
    "Pedestrian": "person",
    "Cyclist": "cyclist",
    "Tram": "tram",
    "DontCare": None,
    "kitchen cabinets": "cabinet",
    "office chair": "office chair",
    "coffee table": "coffee table",
    "bookshelf": "bookcase",
    "otherfurniture": None,
    "trash can": "trash can",
    "shower curtain": "curtain",
    "DiningTable": "table",
    "TVStand": "tv stand",
    "GarbageCan": "trash can",
    "ArmChair": "armchair",
    "chest_of_drawers": "dresser",
    "tv_monitor": "tv",
    "static_object.bicycle_rack": None,
    "Winchester armchair": "armchair",
    "": None,
}


@pytest.mark.parametrize(("label", "expected"), LABELS.items())
def test_labels_of_the_data_sets(label: str, expected: str | None) -> None:
    assert normalise(label) == expected


def test_every_name_and_alias_means_one_category() -> None:
    seen: dict[str, str] = {}
    for entry in CATEGORIES:
        for name in (entry.name, *entry.aliases):
            assert seen.setdefault(name, entry.name) == entry.name
            assert name == name.lower().strip()
            assert name
            assert category(name) is entry
            assert normalise(name) == entry.name
    with pytest.raises(KeyError):
        category("no such thing")


def test_chinese_names_are_distinct() -> None:
    # A question in Chinese must be able to tell two categories apart as well.
    zh = [entry.zh for entry in CATEGORIES]
    assert len(set(zh)) == len(zh)


def test_plurals_are_distinct_and_none_is_a_singular() -> None:
    plurals = [entry.plural for entry in CATEGORIES if entry.countable]
    assert len(set(plurals)) == len(plurals)
    assert not set(plurals) & {entry.name for entry in CATEGORIES}


def test_colours_are_far_apart() -> None:
    for first in COLORS:
        for second in COLORS:
            if first is not second:
                assert sum((a - b) ** 2 for a, b in zip(first.rgb, second.rgb, strict=True)) ** 0.5 > 0.2
