"""Furniture libraries: read, refused where they are damaged, converted to the same bytes every time."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from video3d.data.simulate.asset import Asset
from video3d.data.simulate.asset_cache import cache_folder, convert_furniture, load_library
from video3d.data.simulate.attribution import assets_report, attribution
from video3d.data.simulate.collision import collision_boxes, largest_rectangle, support_surface
from video3d.data.simulate.mesh import weld
from video3d.data.simulate.obj import read_obj
from video3d.data.simulate.sh3f import Archive, find_furniture, parse_properties, read_catalogue
from video3d.types import InputError

PROPERTIES = """\
# PluginFurnitureCatalog.properties
id=Test#Models
license=Creative Commons
id#1=Test#table-1
name#1=Caf\\u00e9 table
tags#1=Wood, Dining
category#1=Living room
model#1=/models/table/table.obj
width#1=120.0
depth#1=80
height#1=75.0
dropOnTopElevation#1=75
movable#1=true
creator#1=Ann Author
id#2=Test#chair-1
name#2=Chair
category#2=Living room
model#2=/models/chair.zip
width#2=40
depth#2=40
height#2=90
modelRotation#2=0 0 -1 0 1 0 1 0 0
creator#2=Bob
id#3=Test#thing
name#3=Whatsit
category#3=Miscellaneous
model#3=/models/table/table.obj
width#3=10
depth#3=10
height#3=10
creator#3=Ann Author
"""
# A cube with quads, y up, from one corner to another.
_QUADS = ((1, 2, 3, 4), (8, 7, 6, 5), (1, 5, 6, 2), (2, 6, 7, 3), (3, 7, 8, 4), (4, 8, 5, 1))


def _cuboids(cuboids: list[tuple[tuple[float, ...], tuple[float, ...], str]], library: str = "m.mtl") -> str:
    lines, base = [f"mtllib {library}"], 0
    for (x0, y0, z0), (x1, y1, z1), material in cuboids:
        lines.append(f"usemtl {material}")
        for x, y, z in ((x0, y0, z0), (x0, y0, z1), (x1, y0, z1), (x1, y0, z0)):
            lines.append(f"v {x} {y} {z}")
        for x, y, z in ((x0, y1, z0), (x0, y1, z1), (x1, y1, z1), (x1, y1, z0)):
            lines.append(f"v {x} {y} {z}")
        # Outward: the bottom is seen from below.
        lines += ["f " + " ".join(str(base + i) for i in quad[::-1]) for quad in _QUADS]
        base += 8
    return "\n".join(lines)


def _table_obj() -> str:
    legs = [((x, 0.0, z), (x + 0.06, 0.71, z + 0.06), "wood") for x in (0.0, 1.14) for z in (0.0, 0.74)]
    return _cuboids([((0.0, 0.71, 0.0), (1.2, 0.75, 0.8), "wood"), *legs])


def write_library(folder: Path, *, obj: str | None = None, properties: str = PROPERTIES) -> Path:
    """A library of three models, one of them zipped once more, one that has no category."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as chair:
        # A seat and a back. The catalogue's rotation turns its front from +x to +z.
        chair.writestr("chair.obj", _cuboids([((0, 0, 0), (1, 1, 1), "red"), ((0, 1, 0), (0.1, 2, 1), "red")], "c.mtl"))
        chair.writestr("c.mtl", "newmtl red\nKd 0.8 0.1 0.1\n")
    path = folder / "Test.sh3f"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as library:
        library.writestr("PluginFurnitureCatalog.properties", properties.encode("latin-1"))
        library.writestr("models/table/table.obj", obj if obj is not None else _table_obj())
        library.writestr("models/table/m.mtl", "newmtl wood\nKd 0.4 0.23 0.11\n")
        library.writestr("models/chair.zip", inner.getvalue())
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Asset]:
    folder = tmp_path_factory.mktemp("tiny")
    write_library(folder)
    convert_furniture(folder, folder / "cache", processes=1)
    library = load_library(folder / "cache", folder)
    return {a.asset_id: a for a in library.assets if not a.asset_id.startswith("primitive/")}


def _left(folder: Path) -> list[str]:
    """What a conversion leaves behind, but for the lock."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".furniture.lock")


def test_properties_are_java_properties() -> None:
    data = b"! c\na=1\nb : two\\\n   three\nc\\:d e\\=f\nempty=\n\\u00e9=\\t\nback=C\\\\"
    assert parse_properties(data) == {"a": "1", "b": "twothree", "c:d": "e=f", "empty": "", "é": "\t", "back": "C\\"}


def test_a_library_is_read_converted_and_loaded(tiny: dict[str, Asset]) -> None:
    assert set(tiny) == {"test/table-1", "test/chair-1"}  # the whatsit has no category
    table = tiny["test/table-1"]
    assert (table.name, table.category, table.kind, table.placement) == ("Café table", "table", "furniture", "floor")
    assert table.color == "brown"
    assert table.creator == "Ann Author"
    np.testing.assert_allclose(table.size_m, [1.2, 0.8, 0.75], atol=1e-9)
    points = np.concatenate([part.vertices_m for part in table.parts])
    np.testing.assert_allclose(points.min(axis=0), [-0.6, -0.4, 0.0], atol=1e-3)
    np.testing.assert_allclose(points.max(axis=0), [0.6, 0.4, 0.75], atol=1e-3)
    assert table.support_height_m == pytest.approx(0.75, abs=1e-6)
    assert table.support_bounds_m is not None
    assert np.subtract(table.support_bounds_m[2:], table.support_bounds_m[:2]) == pytest.approx([1.2, 0.8], abs=0.05)


def test_the_catalogue_rotation_turns_a_model_before_it_is_scaled(tiny: dict[str, Asset]) -> None:
    chair = tiny["test/chair-1"]
    assert chair.color == "red"
    assert chair.has_front
    high = np.concatenate([p.vertices_m for p in chair.parts])
    back = high[high[:, 2] > 0.5]  # the back rest is above the seat and at the back: +y
    assert back[:, 1].min() > 0.1


def test_a_ball_of_15_cm_rolls_under_the_table_and_not_through_its_legs(tiny: dict[str, Asset]) -> None:
    boxes = tiny["test/table-1"].collision_boxes_m
    assert not _blocked(boxes, np.array([[0.0, y, 0.075] for y in np.linspace(-0.6, 0.6, 200)]), 0.075)
    assert _blocked(boxes, np.array([[0.57, y, 0.075] for y in np.linspace(-0.6, 0.6, 200)]), 0.075)


def _blocked(boxes: np.ndarray, centers: np.ndarray, radius: float) -> bool:
    away = np.maximum(np.abs(centers[:, None] - boxes[None, :, :3]) - boxes[None, :, 3:], 0)
    return bool((np.linalg.norm(away, axis=2) < radius).any())


def test_the_same_library_gives_the_same_bytes(tmp_path: Path) -> None:
    write_library(tmp_path)
    first = convert_furniture(tmp_path, tmp_path / "a", processes=1)
    second = convert_furniture(tmp_path, tmp_path / "b", processes=2)
    assert first.fresh
    assert second.fresh
    assert not convert_furniture(tmp_path, tmp_path / "a").fresh
    for path in sorted(first.folder.iterdir()):
        assert path.read_bytes() == (second.folder / path.name).read_bytes()
    assert _left(tmp_path / "a") == [first.folder.name]


def test_two_workers_and_a_cut_off_cache(tmp_path: Path) -> None:
    write_library(tmp_path)
    folder = convert_furniture(tmp_path, tmp_path / "cache", processes=1).folder
    for name in ("geometry.npz", "textures.bin", "index.json"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2] if whole else b"x")
        if name != "textures.bin":  # no pictures in this library
            with pytest.raises(InputError, match="delete the folder"):
                load_library.__wrapped__(tmp_path / "cache", tmp_path)
        (folder / name).write_bytes(whole)
    index = json.loads((folder / "index.json").read_text())
    index["assets"][0]["parts"][0][1] += 5
    (folder / "index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="delete the folder"):
        load_library.__wrapped__(tmp_path / "cache", tmp_path)


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ("", "triangles"),
        ("v 0 0 0\nv 1 0 0\nf 1 2 3\n", "indices"),
        ("v 0 0 0\nv 1 0 nan\nv 0 1 0\nf 1 2 3\n", "finite"),
        ("v 0 0 0\nv 1 0 x\nv 0 1 0\nf 1 2 3\n", "numbers"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 a 3\n", "corners"),
        ("v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n", "triangles"),
    ],
)
def test_a_model_that_is_cut_off_or_nonsense_is_refused_and_leaves_nothing(
    tmp_path: Path, obj: str, message: str
) -> None:
    write_library(tmp_path, obj=obj)
    with pytest.raises(InputError, match=message):
        convert_furniture(tmp_path, tmp_path / "cache", processes=1)
    assert _left(tmp_path / "cache") == []


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sh3f").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(InputError, match="a zip file"):
        convert_furniture(tmp_path, tmp_path / "cache")
    with pytest.raises(InputError, match="sweethome3d-furniture"):
        find_furniture(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"no \.sh3f"):
        find_furniture(empty)


def test_a_library_cut_off_is_refused(tmp_path: Path) -> None:
    path = write_library(tmp_path)
    data = bytearray(path.read_bytes())
    at = data.find(b"models/table/table.obj") + 40
    data[at : at + 60] = bytes(60)  # inside the compressed OBJ: the directory is whole, the member is not
    path.write_bytes(data)
    with pytest.raises(InputError, match="whole"):
        convert_furniture(tmp_path, tmp_path / "cache", processes=1)
    assert _left(tmp_path / "cache") == []


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "Bomb.sh3f"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("PluginFurnitureCatalog.properties", PROPERTIES)
        with bomb.open("models/table/table.obj", "w", force_zip64=True) as member:
            for _ in range(140):
                member.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    with Archive(path, path.name) as archive, pytest.raises(InputError, match="at most 128 MB"):
        archive.read("models/table/table.obj")


def test_names_that_lead_outside_reach_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret.mtl").write_text("newmtl wood\nKd 1 0 0\n")
    obj = _table_obj().replace("mtllib m.mtl", "mtllib ../../../secret.mtl")
    properties = PROPERTIES.replace("/models/chair.zip", "../../../../etc/passwd")
    path = write_library(tmp_path, obj=obj, properties=properties)
    with Archive(path, path.name) as archive:
        entries = read_catalogue(archive, "Test")
        with pytest.raises(InputError, match="etc/passwd"):
            archive.read(entries[1].model_path)
        parts = read_obj(
            archive.read(entries[0].model_path),
            lambda name: archive.read(name) if archive.has(name) else None,
            entries[0].model_path,
        )
    assert parts[0].material.rgba == (0.7, 0.7, 0.7, 1.0)  # the material outside was not read


@pytest.mark.parametrize("line", ["width#1=wide", "width#1=-3", "height#1=nan", "modelRotation#1=1 0 0"])
def test_a_catalogue_that_makes_no_sense_is_refused(tmp_path: Path, line: str) -> None:
    key = line.split("=")[0]
    kept = [row for row in PROPERTIES.splitlines() if not row.startswith(key + "=")]
    write_library(tmp_path, properties="\n".join([*kept, line]))
    with pytest.raises(InputError):
        convert_furniture(tmp_path, tmp_path / "cache", processes=1)


def test_without_furniture_there_is_everything_and_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("video3d.data.simulate.sh3f.DEBIAN_FOLDER", tmp_path / "absent")
    monkeypatch.delenv("VIDEO3D_FURNITURE", raising=False)
    library = load_library.__wrapped__(tmp_path, None)
    assert not library.furnished
    assert "apt install sweethome3d-furniture" in library.notes[0]
    wanted = {
        "table",
        "chair",
        "sofa",
        "bed",
        "cabinet",
        "lamp",
        "cup",
        "book",
        "box",
        "door",
        "window",
        "car",
        "person",
    }
    assert wanted <= {asset.category for asset in library.assets}
    assert "made by video3d (CC0-1.0)" in attribution(library)
    assert {asset.licence for asset in library.assets} == {"CC0-1.0"}, "as the clips say that show them"


def test_who_asks_for_no_furniture_is_not_told_to_install_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDEO3D_FURNITURE", raising=False)
    assert load_library.__wrapped__(tmp_path, Path("none")).notes == ()
    assert assets_report(Path("none"), tmp_path)["install"] is None
    monkeypatch.setenv("VIDEO3D_FURNITURE", "none")
    assert load_library.__wrapped__(tmp_path, None).notes == ()


@pytest.mark.parametrize("cache", ["file", "file/under", "/proc/nope"])
def test_a_cache_that_cannot_be_made_is_one_line(tmp_path: Path, cache: str) -> None:
    write_library(tmp_path)
    (tmp_path / "file").write_text("")
    if cache.startswith("/proc") and not Path("/proc").is_dir():
        pytest.skip("needs /proc")
    with pytest.raises(InputError, match="VIDEO3D_CACHE"):
        convert_furniture(tmp_path, tmp_path / cache, processes=1)


def test_a_place_for_the_attribution_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can be written"):
        assets_report(Path("none"), tmp_path, tmp_path / "file" / "x")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_first_conversion_shows_how_far_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_library(tmp_path)
    assets_report(tmp_path, tmp_path / "cache")
    assert "furniture" in capsys.readouterr().err
    assets_report(tmp_path, tmp_path / "cache")
    assert capsys.readouterr().err == "", "it is there already"


def test_the_report_counts_and_the_attribution_names_every_maker(tmp_path: Path) -> None:
    write_library(tmp_path)
    report = assets_report(tmp_path, tmp_path / "cache", tmp_path / "out")
    assert report["listed"] == 3
    assert report["converted"] == 2
    assert sum(report["by_category"].values()) == report["assets"]
    text = (tmp_path / "out" / "ATTRIBUTION.md").read_text()
    assert "| Café table | table-1 | Ann Author |" in text
    assert "Bob" in text
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a folder"):
        assets_report(tmp_path, tmp_path / "cache", tmp_path / "file")


def test_collision_boxes_of_a_tray_stay_open() -> None:
    """A box without a lid: the bottom and four walls, and nothing in the middle."""
    obj = _cuboids(
        [
            ((0, 0, 0), (0.6, 0.02, 0.4), "a"),
            ((0, 0.02, 0), (0.02, 0.3, 0.4), "a"),
            ((0.58, 0.02, 0), (0.6, 0.3, 0.4), "a"),
            ((0.02, 0.02, 0), (0.58, 0.3, 0.02), "a"),
            ((0.02, 0.02, 0.38), (0.58, 0.3, 0.4), "a"),
        ]
    )
    part = read_obj(obj.encode(), lambda _: None, "tray.obj")[0]
    points = part.points[:, [0, 2, 1]] * [1, -1, 1] + [-0.3, 0.2, 0]
    mesh = weld(points, part.triangles)
    boxes = collision_boxes(mesh.points, mesh.corners, np.array([0.6, 0.4, 0.3]))
    assert len(boxes) <= 40
    assert not _blocked(boxes, np.array([[0.0, 0.0, z] for z in np.linspace(0.13, 0.5, 50)]), 0.1)
    assert _blocked(boxes, np.array([[0.0, 0.0, 0.05]]), 0.04)
    low, high = (boxes[:, :3] - boxes[:, 3:]).min(axis=0), (boxes[:, :3] + boxes[:, 3:]).max(axis=0)
    np.testing.assert_allclose(low, [-0.3, -0.2, 0], atol=1e-6)
    np.testing.assert_allclose(high, [0.3, 0.2, 0.3], atol=1e-6)


def test_a_surface_with_something_above_it_is_none() -> None:
    obj = _cuboids([((0, 0, 0), (1, 0.5, 1), "a"), ((0, 0.6, 0), (1, 0.7, 1), "a")])
    part = read_obj(obj.encode(), lambda _: None, "two.obj")[0]
    mesh = weld(part.points[:, [0, 2, 1]] * [1, -1, 1] + [-0.5, 0.5, 0], part.triangles)
    found = support_surface(mesh.points, mesh.corners, np.array([1.0, 1.0, 0.7]), stated_m=0.5)
    assert found is not None
    assert found[0] == pytest.approx(0.7)  # not 0.5: only 10 cm are free above it


def test_the_largest_rectangle_is_the_largest() -> None:
    rng = np.random.default_rng(4)
    for _ in range(30):
        cells = rng.uniform(size=(6, 7)) < 0.7
        found = largest_rectangle(cells)
        best = max(
            (a1 - a0) * (b1 - b0)
            for a0 in range(6)
            for a1 in range(a0 + 1, 7)
            for b0 in range(7)
            for b1 in range(b0 + 1, 8)
            if cells[a0:a1, b0:b1].all()
        )
        assert found is not None
        a0, b0, a1, b1 = found
        assert cells[a0:a1, b0:b1].all()
        assert (a1 - a0) * (b1 - b0) == best


def test_the_cache_is_named_by_what_it_was_made_from(tmp_path: Path) -> None:
    write_library(tmp_path)
    before = cache_folder(tmp_path, tmp_path)
    write_library(tmp_path, obj=_table_obj().replace("1.2", "1.3"))
    assert cache_folder(tmp_path, tmp_path) != before
