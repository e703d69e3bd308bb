"""The released layout to ours and back, on tiny checkpoints that the test writes."""

import json
import shutil

import official_checkpoint as official
import pytest
import torch
from official_checkpoint import Tiny
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from video3d.cli import run
from video3d.model.checkpoint_files import INDEX, SINGLE
from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.convert_official import convert_official, revert_official
from video3d.model.official_layout import EMBEDDINGS, house_name, official_name
from video3d.model.presets import OFFICIAL
from video3d.types import InputError


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("num_files", [1, 3])
@pytest.mark.parametrize("rows", [official.NUM_TOKENS, official.NUM_TOKENS + 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_round_trip_gives_every_file_its_bytes_back(tmp_path, num_files, rows, dtype):
    source = official.write(tmp_path / "official", Tiny(rows=rows), num_files=num_files, dtype=dtype)
    report = convert_official(source, tmp_path / "ours")
    assert report.added_rows == int(rows == official.NUM_TOKENS)
    revert_official(tmp_path / "ours", tmp_path / "back")
    assert files(tmp_path / "back") == files(source)


def test_config_says_what_the_published_code_does(tmp_path):
    source = official.write(tmp_path / "official", Tiny())
    convert_official(source, tmp_path / "ours")
    made = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert made["vision_feature_layer"] == -1
    assert (made["pool"], made["pool_mode"], made["pool_after_projector"]) == (2, "bilinear", True)
    assert (made["gated"], made["scene_trained"], made["grounding"], made["grounding_trained"]) == (False, *[True] * 3)
    assert (made["ground_token_id"], made["coord_token_id"]) == (official.GROUND, official.COORD)
    assert made["vision_config"]["image_size"] == 384
    assert made["vision_config"]["num_hidden_layers"] == 2
    assert made["text_config"]["vocab_size"] == official.NUM_TOKENS + 1 == made["scene_token_id"] + 1
    assert made["text_config"]["rope_parameters"]["rope_theta"] == 1000000.0
    assert not made["compat_unknown_depth"]
    generation = json.loads((tmp_path / "ours" / "generation_config.json").read_text())
    assert generation["suppress_tokens"] == [made["scene_token_id"]]


def test_config_is_the_preset(tmp_path):
    convert_official(official.write(tmp_path / "official", Tiny()), tmp_path / "ours")
    config = Video3DConfig.from_pretrained(tmp_path / "ours")
    assert {name: getattr(config, name) for name in OFFICIAL} == OFFICIAL


def test_weights_are_those_of_the_checkpoint_and_load(tmp_path):
    from video3d.model.nano import load_model

    source = official.write(tmp_path / "official", Tiny(), num_files=2)
    convert_official(source, tmp_path / "ours", compat=True)
    model, processor = load_model(tmp_path / "ours", dtype=torch.float32, device="cpu")
    state = model.state_dict()
    for name, value in official.weights(Tiny()).items():
        ours = house_name(name)
        assert official_name(ours) == name
        assert torch.equal(state[ours][: len(value)], value), name
    assert state[EMBEDDINGS][-1].eq(0).all()
    assert model.config.compat_unknown_depth
    assert processor.scene_token_id == model.config.scene_token_id
    text = processor.prompt("Where?", 2)
    assert text.startswith(
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<scene><scene>"
    )


def test_a_model_without_heads(tmp_path):
    source = official.write(tmp_path / "official", Tiny(grounding=False))
    assert not convert_official(source, tmp_path / "ours").grounding
    revert_official(tmp_path / "ours", tmp_path / "back")
    assert files(tmp_path / "back") == files(source)


def test_reverting_a_model_that_was_saved_in_other_files(tmp_path):
    source = official.write(tmp_path / "official", Tiny(), num_files=3)
    convert_official(source, tmp_path / "ours")
    ours = tmp_path / "ours"
    merged = {}
    for path in list(ours.glob("*.safetensors")):
        merged |= load_file(path)
        path.unlink()
    (ours / INDEX).unlink()
    save_file({name: value + 1 for name, value in merged.items()}, ours / SINGLE)
    revert_official(ours, tmp_path / "back")
    back = load_file(tmp_path / "back" / SINGLE)
    assert not (tmp_path / "back" / INDEX).exists()
    for name, value in official.weights(Tiny()).items():
        assert torch.equal(back[name], value + 1)


BROKEN = []


def broken(word):
    """A way to damage a checkpoint, and a word of the line that then is to be read."""

    def decorate(function):
        BROKEN.append(pytest.param(function, word, id=function.__name__))
        return function

    return decorate


SHARD = "model-00002-of-00002.safetensors"


@broken("no such file")
def missing_shard(folder):
    (folder / SHARD).unlink()


@broken("cut off")
def truncated_shard(folder):
    path = folder / SHARD
    path.write_bytes(path.read_bytes()[:-100])


@broken("cut off")
def truncated_header(folder):
    path = folder / SHARD
    path.write_bytes(path.read_bytes()[:5])


def edit(folder, change):
    tensors = load_file(folder / SHARD)
    change(tensors)
    save_file(tensors, folder / SHARD, metadata={"format": "pt"})
    index = json.loads((folder / INDEX).read_text())
    kept = {name: file for name, file in index["weight_map"].items() if file != SHARD}
    index["weight_map"] = kept | dict.fromkeys(tensors, SHARD)
    (folder / INDEX).write_text(json.dumps(index))


@broken("tensor model.norm.weight")
def missing_tensor(folder):
    drop_anywhere(folder, "model.norm.weight")


@broken("tensor model.embed_tokens.weight")
def missing_embeddings(folder):
    drop_anywhere(folder, "model.embed_tokens.weight")


def drop_anywhere(folder, name):
    index = json.loads((folder / INDEX).read_text())
    file = index["weight_map"].pop(name)
    tensors = load_file(folder / file)
    del tensors[name]
    save_file(tensors, folder / file)
    (folder / INDEX).write_text(json.dumps(index))


@broken("model.world_position_embedding")
def unknown_tensor(folder):
    edit(folder, lambda tensors: tensors.update({"model.world_position_embedding.mlp.0.weight": torch.zeros(2)}))


@broken("one too many")
def extra_layer_norm(folder):
    edit(folder, lambda tensors: tensors.update({"model.layers.0.self_attn.q_norm.weight": torch.zeros(2)}))


@broken("shape")
def wrong_shape(folder):
    def change(tensors):
        name = next(name for name in tensors if name.endswith("mlp.down_proj.weight"))
        tensors[name] = tensors[name][:-1].clone()

    edit(folder, change)


@broken("model_type llava_qwen")
def another_model(folder):
    set_config(folder, model_type="qwen2")


def set_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@broken("world_position_embedding_type")
def another_position(folder):
    set_config(folder, world_position_embedding_type="sample9-mlp")


@broken("num_hidden_layers")
def absurd_depth(folder):
    set_config(folder, num_hidden_layers=10**9)


@broken("shape")
def absurd_heads(folder):
    set_config(folder, num_attention_heads=7)


@broken("voxel_size")
def no_voxel(folder):
    set_config(folder, voxel_size="a lot")


@broken("ground_token_ids")
def token_outside(folder):
    set_config(folder, ground_token_ids=[10**6])


@broken("beside it")
def index_that_leaves_the_folder(folder):
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"] = dict.fromkeys(index["weight_map"], "../elsewhere.safetensors")
    (folder / INDEX).write_text(json.dumps(index))


@broken("a JSON file")
def config_of_nonsense(folder):
    (folder / "config.json").write_text("[" * 100000)


@broken("tokenizer")
def no_tokenizer(folder):
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "added_tokens.json"):
        (folder / name).unlink()


@broken("finite floating-point weights")
def weights_of_nothing(folder):
    edit(folder, lambda tensors: tensors[sorted(tensors)[0]].fill_(float("nan")))


@broken("official/generation_config.json")
def generation_config_of_nonsense(folder):
    (folder / "generation_config.json").write_text("{")


@broken("safetensors")
def only_pickles(folder):
    for path in [*folder.glob("*.safetensors"), folder / INDEX]:
        path.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"not read")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return official.write(tmp_path_factory.mktemp("whole") / "official", Tiny(), num_files=2)


@pytest.mark.parametrize(("damage", "word"), BROKEN)
def test_what_cannot_be_converted_is_one_line_and_leaves_nothing(tmp_path, whole, damage, word):
    source = shutil.copytree(whole, tmp_path / "official")
    damage(source)
    with pytest.raises(InputError) as caught:
        convert_official(source, tmp_path / "ours")
    assert "\n" not in str(caught.value)
    assert word in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["official"]


def test_out_must_be_free_and_checkpoint_must_be_there(tmp_path, whole):
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="something there already"):
        convert_official(whole, tmp_path / "ours")
    with pytest.raises(InputError, match="no such folder"):
        convert_official(tmp_path / "nowhere", tmp_path / "new")
    with pytest.raises(InputError, match="no such folder"):
        revert_official(tmp_path / "nowhere", tmp_path / "new")


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path, whole, monkeypatch):
    with pytest.raises(InputError, match="File name too long"):
        convert_official(whole, tmp_path / ("x" * 300))

    def full(*_args, **_kwargs):
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr("video3d.model.checkpoint_files.save_file", full)
    with pytest.raises(InputError, match="No space left"):
        convert_official(whole, tmp_path / "ours")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [None, 3, "48"])
def test_a_record_whose_shapes_are_none_is_refused(tmp_path, whole, shape):
    convert_official(whole, tmp_path / "ours")
    record = tmp_path / "ours" / "official" / "converted.json"
    record.write_text(json.dumps({"added_rows": 0, "tensors": {"model.norm.weight": shape}}))
    with pytest.raises(InputError, match="and tensors"):
        revert_official(tmp_path / "ours", tmp_path / "back")


def test_only_converted_models_of_published_parts_go_back(tmp_path, whole):
    with pytest.raises(InputError, match="video3d convert official"):
        revert_official(whole, tmp_path / "back")
    convert_official(whole, tmp_path / "ours")
    shard = tmp_path / "ours" / SHARD
    tensors = load_file(shard)
    index = json.loads((tmp_path / "ours" / INDEX).read_text())
    tensors["depth_head.weight"] = torch.zeros(2)
    index["weight_map"]["depth_head.weight"] = SHARD
    save_file(tensors, shard)
    (tmp_path / "ours" / INDEX).write_text(json.dumps(index))
    with pytest.raises(InputError, match="tensor depth_head"):
        revert_official(tmp_path / "ours", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_command_line(tmp_path, whole, capsys):
    ours, back = tmp_path / "ours", tmp_path / "back"
    run(["convert", "official", str(whole), str(ours), "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert shown["files"] == 2
    assert shown["grounding"]
    run(["convert", "official", str(ours), str(back), "--reverse"])
    assert files(back) == files(whole)
    assert run(["convert", "official", str(tmp_path / "nowhere"), str(tmp_path / "x")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
