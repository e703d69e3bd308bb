"""Scenes come back from disk bit for bit; anything else in their place is one line of complaint."""

import json
import struct
from dataclasses import fields, replace

import pytest
import torch
from safetensors.torch import save_file

from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.scene_file import _FIELDS, SceneMetadata, load_scene, model_fingerprint, save_scene
from video3d.types import InputError, World
from video3d.types.scene_tokens import SceneTokens

META = SceneMetadata(
    model_fingerprint="0123abcd", world=World(metric=True, gravity_aligned=True, origin="first camera")
)
HEADER = {
    "format": "video3d scene", "version": "1", "model_fingerprint": "0123abcd", "metric": "true",
    "gravity_aligned": "true", "origin": "first camera",
}  # fmt: skip


def made(dtype=torch.float32, optional=True) -> SceneTokens:
    draw = torch.Generator().manual_seed(0)
    b, n = 2, 5
    mask = torch.ones(b, n, dtype=torch.bool)
    mask[1, :2] = False
    points = torch.randn(b, n, 3, generator=draw)
    points[~mask] = torch.nan
    more = {}
    if optional:
        seen = torch.rand(b, n, 2, generator=draw)
        seen[~mask] = torch.nan
        more = {
            "content": torch.randn(b, n, 6, generator=draw).to(dtype),
            "num_views": mask.int() * 3,
            "seen_s": seen,
            "patch_content": torch.randn(b, 2, 3, 4, 6, generator=draw).to(dtype),
        }
    return SceneTokens(embeds=torch.randn(b, n, 8, generator=draw).to(dtype), mask=mask, points_world=points, **more)


def bits(value: torch.Tensor) -> torch.Tensor:
    return value.contiguous().view(torch.uint8)


def tensors_of(scene: SceneTokens) -> dict[str, torch.Tensor]:
    return {f.name: value for f in fields(scene) if (value := getattr(scene, f.name)) is not None}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("optional", [True, False])
def test_a_scene_comes_back_bit_for_bit(tmp_path, dtype, optional):
    scene = made(dtype, optional)
    save_scene(scene, tmp_path / "a.scene", META)
    back = load_scene(tmp_path / "a.scene", expected_fingerprint="0123abcd")
    assert back.metadata == META
    for field in fields(SceneTokens):
        one, other = getattr(scene, field.name), getattr(back.scene, field.name)
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype == other.dtype and torch.equal(bits(one), bits(other))
    assert [path.name for path in tmp_path.iterdir()] == ["a.scene"]


def test_every_field_of_a_scene_is_saved():
    assert set(_FIELDS) == {field.name for field in fields(SceneTokens)}


def test_views_of_shared_memory_can_be_saved(tmp_path):
    scene = made(optional=False)
    wide = torch.randn(2, 5, 16)
    shared = replace(scene, embeds=wide[..., ::2], content=wide)
    save_scene(shared, tmp_path / "a.scene", META)
    assert torch.equal(load_scene(tmp_path / "a.scene").scene.embeds, wide[..., ::2])


def test_a_scene_of_another_model_is_refused_only_where_one_is_expected(tmp_path):
    save_scene(made(), tmp_path / "a.scene", META)
    load_scene(tmp_path / "a.scene")
    with pytest.raises(InputError, match="encoded by this model"):
        load_scene(tmp_path / "a.scene", expected_fingerprint="ffff")


def test_saving_replaces_what_was_there_and_leaves_it_if_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "a.scene"
    save_scene(made(), path, META)
    before = path.read_bytes()
    with pytest.raises(InputError):
        save_scene(replace(made(), embeds=torch.full((2, 5, 8), torch.nan)), path, META)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match="No space left"):
        save_scene(made(torch.bfloat16), path, META)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("where", ["no/such/folder/a.scene", "", "nul\0l"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path, where):
    with pytest.raises(InputError) as caught:
        save_scene(made(), tmp_path / where, META)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def broken_tensors() -> dict[str, dict[str, torch.Tensor]]:
    good = tensors_of(made())
    some = {
        "no_embeds": {k: v for k, v in good.items() if k != "embeds"},
        "no_mask": {k: v for k, v in good.items() if k != "mask"},
        "another_tensor": good | {"extra": torch.zeros(1)},
        "mask_of_floats": good | {"mask": good["mask"].float()},
        "mask_transposed": good | {"mask": good["mask"].T.contiguous()},
        "points_of_two": good | {"points_world": good["points_world"][..., :2].contiguous()},
        "embeds_double": good | {"embeds": good["embeds"].double()},
        "embeds_flat": good | {"embeds": good["embeds"].flatten()},
        "embeds_nan": good | {"embeds": good["embeds"] * torch.nan},
        "embeds_infinite": good | {"embeds": good["embeds"] * torch.inf},
        "points_infinite": good | {"points_world": good["points_world"] * torch.inf},
        "content_of_another_width": good | {"content": good["content"][..., :3].contiguous()},
        "views_negative": good | {"num_views": -good["num_views"]},
        "views_long": good | {"num_views": good["num_views"].long()},
        "padding_at_the_right": good | {"mask": good["mask"].flip(1)},
        "nothing": {},
        "no_tokens": {k: v[:, :0].contiguous() for k, v in good.items()},
    }
    return some


@pytest.mark.parametrize("name", sorted(broken_tensors()))
def test_tensors_that_are_no_scene_are_one_line(tmp_path, name):
    path = tmp_path / "a.scene"
    save_file(broken_tensors()[name], path, metadata=HEADER)
    with pytest.raises(InputError) as caught:
        load_scene(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "model"},
        {"version": "2"},
        {"version": "one"},
        {"metric": "yes"},
        {"origin": None},
        {"model_fingerprint": None},
        None,
    ],
)
def test_other_metadata_are_one_line(tmp_path, change):
    header = None if change is None else {k: v for k, v in (HEADER | change).items() if v is not None}
    save_file(tensors_of(made()), tmp_path / "a.scene", metadata=header)
    with pytest.raises(InputError):
        load_scene(tmp_path / "a.scene")


def test_every_truncation_and_many_flipped_bytes_are_one_line_or_the_same_scene(tmp_path):
    path = tmp_path / "a.scene"
    save_scene(made(), path, META)
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            load_scene(path)
    draw = torch.Generator().manual_seed(1)
    for _ in range(300):
        place, value = (
            int(torch.randint(len(whole) // 2, (1,), generator=draw)),
            int(torch.randint(256, (1,), generator=draw)),
        )
        path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        try:  # noqa: SIM105
            load_scene(path)  # a changed number is a number
        except InputError:
            pass


def declared(shape: list[int], dtype: str = "F32", offsets: tuple[int, int] = (0, 64)) -> bytes:
    header = {"__metadata__": HEADER}
    header |= {"embeds": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}
    header |= {"mask": {"dtype": "BOOL", "shape": shape[:2], "data_offsets": (64, 66)}}
    header |= {"points_world": {"dtype": "F32", "shape": [*shape[:2], 3], "data_offsets": (66, 90)}}
    return json.dumps(header).encode()


@pytest.mark.parametrize(
    "header",
    [
        declared([1, 1 << 40, 1 << 20]),
        declared([1, 1 << 30, 1 << 30]),
        declared([1, 2, 1 << 30], offsets=(0, 1 << 33)),
        declared([-1, 2, 8]),
        declared([1, 2, 8.0]),
        declared([True, 2, 8]),
        declared([1, 2, 0]),
        declared([1, 2, 8], dtype="X"),
        declared([1, 2, 8], offsets=(8, 4)),
        b"[]",
        b"[" * 60_000,
        b'{"embeds": 3}',
        b"{}",
        b"\xff\xfe",
    ],
)
def test_hostile_headers_are_one_line(tmp_path, header):
    path = tmp_path / "a.scene"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(90))
    with pytest.raises(InputError) as caught:
        load_scene(path)
    assert "\n" not in str(caught.value)


def test_lengths_that_no_header_has_and_things_that_are_no_files_are_one_line(tmp_path):
    (tmp_path / "a.scene").write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    (tmp_path / "empty").write_bytes(b"")
    for path in (tmp_path / "a.scene", tmp_path / "empty", tmp_path, tmp_path / "none", tmp_path / "nul\0l"):
        with pytest.raises(InputError):
            load_scene(path)


def test_a_byte_that_is_neither_true_nor_false_is_found(tmp_path):
    path = tmp_path / "a.scene"
    scene = SceneTokens(
        embeds=torch.zeros(1, 3, 2), mask=torch.ones(1, 3, dtype=torch.bool), points_world=torch.zeros(1, 3, 3)
    )
    save_scene(scene, path, META)
    path.write_bytes(path.read_bytes().replace(b"\1\1\1", b"\1\7\1"))
    with pytest.raises(InputError, match="bytes 0 and 1"):
        load_scene(path)


def test_a_fingerprint_tells_encoders_apart_and_nothing_else():
    def of(**changes):
        return model_fingerprint(Video3DConfig(**changes).to_dict())

    same = of()
    assert same == of(scene_trained=True) == of(categories=["chair"]) and len(same) == 12
    assert same != of(pool=3) and same != of(position_kind="mlp")
    assert same != of(text_config={"model_type": "llama", "hidden_size": 64})
    vision = {"model_type": "dinov2", "hidden_size": 48}
    assert of(vision_config=vision) == of(vision_config=vision | {"dtype": "bfloat16"}) != same
    weights = torch.ones(3)
    assert model_fingerprint({}, weights) != model_fingerprint({}, weights * 2) != model_fingerprint({})
