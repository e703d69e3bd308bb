"""The Debian package of furniture, where it is installed and converted: what comes of its 820 models."""

from pathlib import Path

import numpy as np
import pytest
from test_assets_made_here import check_shape, check_stands_exactly

from video3d.data.simulate.asset import Asset, AssetLibrary
from video3d.data.simulate.asset_cache import cache_folder, load_library
from video3d.data.simulate.attribution import attribution
from video3d.data.simulate.catalogue import left_out_because
from video3d.data.simulate.convert import convert_model
from video3d.data.simulate.sh3f import DEBIAN_FOLDER, Archive, CatalogueEntry, library_files, read_catalogue
from video3d.vocabulary import category

pytestmark = pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="the package sweethome3d-furniture is not installed")
needs_cache = pytest.mark.skipif(
    DEBIAN_FOLDER.is_dir() and not cache_folder(DEBIAN_FOLDER, None).is_dir(),
    reason="the furniture is not converted yet (minutes): video3d data assets",
)


@pytest.fixture(scope="module")
def entries() -> dict[str, tuple[Path, CatalogueEntry]]:
    found = {}
    for path in library_files(DEBIAN_FOLDER):
        with Archive(path, path.name) as archive:
            found |= {entry.model_id: (path, entry) for entry in read_catalogue(archive, path.stem)}
    return found


@pytest.fixture(scope="module")
def library() -> AssetLibrary:
    return load_library()


def _converted(entries: dict[str, tuple[Path, CatalogueEntry]], model_id: str) -> Asset:
    path, entry = entries[model_id]
    with Archive(path, path.name) as archive:
        return convert_model(entry, archive)


def test_all_models_are_listed_and_most_are_used(entries: dict[str, tuple[Path, CatalogueEntry]]) -> None:
    assert len(entries) == 820
    used = [entry for _, entry in entries.values() if left_out_because(entry) is None]
    assert 560 <= len(used) <= 620


def test_models_converted_here_are_sound(entries: dict[str, tuple[Path, CatalogueEntry]]) -> None:
    for model_id in ("scopia/chair", "blendswap-cc-by/coffeetable", "katorlegaz/coffee-mug", "blendswap-cc-by/tulip"):
        asset = _converted(entries, model_id)
        check_shape(asset)
        assert sum(len(part.faces) for part in asset.parts) < 12_000
        assert len(asset.collision_boxes_m) <= 41


def test_a_ball_of_15_cm_passes_under_the_table_and_between_its_legs(
    entries: dict[str, tuple[Path, CatalogueEntry]],
) -> None:
    table = _converted(entries, "scopia/table4")
    assert table.support_height_m == pytest.approx(0.75, abs=0.01)
    check_stands_exactly(table)
    x0, y0, x1, y1 = table.support_bounds_m or (0.0, 0.0, 0.0, 0.0)
    assert (x1 - x0) * (y1 - y0) > 0.85 * table.size_m[0] * table.size_m[1]
    boxes, radius = table.collision_boxes_m, 0.075
    for way in (
        np.array([[0, y, radius] for y in np.linspace(-0.8, 0.8, 300)]),
        np.array([[x, 0, radius] for x in np.linspace(-1, 1, 300)]),
    ):
        away = np.maximum(np.abs(way[:, None] - boxes[None, :, :3]) - boxes[None, :, 3:], 0)
        assert np.linalg.norm(away, axis=2).min() > radius


def test_front_of_a_sofa_is_at_minus_y(entries: dict[str, tuple[Path, CatalogueEntry]]) -> None:
    sofa = _converted(entries, "scopia/leather_sofa")
    points = np.concatenate([part.vertices_m for part in sofa.parts])
    back = points[points[:, 2] > 0.9 * sofa.size_m[2]]
    assert back[:, 1].mean() > 0.1


def test_what_looked_to_its_right_looks_ahead(entries: dict[str, tuple[Path, CatalogueEntry]]) -> None:
    for model_id in ("blendswap-cc-0/caballito", "blendswap-cc-by/toytrain"):
        asset = _converted(entries, model_id)
        check_shape(asset)
        assert asset.size_m[1] > 2 * asset.size_m[0]
        points = np.concatenate([part.vertices_m for part in asset.parts])
        top = points[points[:, 2] > 0.95 * asset.size_m[2], 1]  # the horse's head, the engine's chimney and cab
        assert top.mean() < -0.15 * asset.size_m[1]


@needs_cache
def test_the_cache_is_small_and_every_asset_is_sound(library: AssetLibrary) -> None:
    folder = cache_folder(DEBIAN_FOLDER, None)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 32e6
    furniture = [asset for asset in library.assets if not asset.asset_id.startswith("primitive/")]
    assert len(furniture) >= 560
    for asset in furniture:
        check_shape(asset)
        assert category(asset.category).name == asset.category
        assert sum(len(part.faces) for part in asset.parts) <= 16_000
        if asset.support_height_m is not None:
            check_stands_exactly(asset)


@needs_cache
def test_what_is_needed_has_models_and_some_are_held_out(library: AssetLibrary) -> None:
    for name in (
        "table",
        "chair",
        "sofa",
        "bed",
        "desk",
        "cabinet",
        "lamp",
        "potted plant",
        "person",
        "car",
        "door",
        "window",
    ):
        assert len(library.of(name, test=True)) >= 5
        assert 0 < len(library.of(name)) < len(library.of(name, test=True))
    assert sum(asset.support_height_m is not None for asset in library.assets) >= 60
    assert library.of("traffic light") and library.of("crossing")


@needs_cache
def test_every_maker_is_named(library: AssetLibrary) -> None:
    text = attribution(library)
    for asset in library.assets:
        assert asset.creator in text or asset.creator == "video3d"
    assert {asset.licence for asset in library.assets} == {"CC0-1.0", "CC-BY-3.0", "CC-BY-3.0-US"}
