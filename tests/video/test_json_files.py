"""JSON from outside: typed look-ups, and tables read row by row."""

import json

import pytest

from video3d.types import InputError
from video3d.video import json_files
from video3d.video.json_files import as_numbers, iterate_rows, read_json_object, want

ROWS = [{"token": "a", "text": 'quotes " and ] and }, {'}, {"n": [1, {"deep": None}], "é": -1.5e3}, {}]


@pytest.mark.parametrize("chunk", [1, 2, 5, 1 << 20])
@pytest.mark.parametrize("indent", [None, 0, 4])
def test_rows_come_whole_whatever_the_chunks(tmp_path, monkeypatch, chunk, indent):
    monkeypatch.setattr(json_files, "_CHUNK_CHARS", chunk)
    path = tmp_path / "table.json"
    path.write_text(json.dumps(ROWS, indent=indent), encoding="utf-8")
    assert list(iterate_rows(path)) == ROWS
    path.write_text("  [ ]  ")
    assert list(iterate_rows(path)) == []


def test_a_row_without_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(json_files, "_CHUNK_CHARS", 1000)
    monkeypatch.setattr(json_files, "_MAX_ROW_CHARS", 5000)
    path = tmp_path / "table.json"
    path.write_text('[{"a": "' + "x" * 100_000)
    with pytest.raises(InputError, match="a JSON list of objects"):
        list(iterate_rows(path))


@pytest.mark.parametrize("text", ["", "[", '[{"a": 1}', '{"a": 1}', "[1]", "[{]", "[nul]", '[{"a": 1} {"b"'])
def test_damaged_tables(tmp_path, text):
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.raises(InputError):
        list(iterate_rows(path))


def test_objects(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("\ufeff" + json.dumps({"w": 3}), encoding="utf-8")
    assert read_json_object(path) == {"w": 3}
    with pytest.raises(InputError, match="nothing there"):
        read_json_object(tmp_path / "none.json")


@pytest.mark.parametrize("value", [True, "3", None, [3], 3.0])
def test_wrong_kinds_are_named(value):
    with pytest.raises(InputError, match=r"head: w: expected a value of kind integer, got"):
        want({"w": value}, "w", int, "head")
    with pytest.raises(InputError, match="got nothing"):
        want({}, "w", int, "head")


@pytest.mark.parametrize(
    "value",
    [[1, 2], [[1, 2, 3]], [1, 2, "3"], [1, 2, None], [1, 2, float("nan")], [1, [2], 3], [True] * 3, [10**400] * 3],
)
def test_numbers_of_another_shape_or_kind(value):
    with pytest.raises(InputError, match="finite numbers of shape 3"):
        as_numbers(value, (3,), "t")
