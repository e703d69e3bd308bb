"""DINOv2-S/14 from the ONNX graph of a saliency network that was fine-tuned from it.

The graph keeps names for what was not folded; weights of ``MatMul`` were folded into anonymous, transposed constants
and are found through the path of the node that uses them. Only the backbone is read; the saliency decoder is left.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from transformers import Dinov2Config, Dinov2Model

# The folded position embedding: of the class token, and of the 37 x 37 patches.
_CLASS_POSITION, _PATCH_POSITION = "onnx::Concat_1957", "onnx::Reshape_1962"


def read_backbone(path: Path) -> dict[str, torch.Tensor]:
    """Weights under the names of the published checkpoint (``encoder.layer.0.attention.attention.query.weight``)."""
    graph = onnx.load(str(path), load_external_data=False).graph
    constants = {constant.name: constant for constant in graph.initializer}

    def read(name: str) -> torch.Tensor:
        return torch.from_numpy(numpy_helper.to_array(constants[name]).copy())

    weights = {name.removeprefix("backbone."): read(name) for name in constants if name.startswith("backbone.")}
    for node in graph.node:
        if node.op_type == "MatMul" and node.name.startswith("/backbone/") and node.input[1] in constants:
            name = node.name.removeprefix("/backbone/").removesuffix("/MatMul").replace("/", ".")
            weights[f"{name}.weight"] = read(node.input[1]).T.contiguous()
    weights["embeddings.position_embeddings"] = torch.cat([read(_CLASS_POSITION), read(_PATCH_POSITION)], 1)
    return weights


def convert_dinov2(path: Path, changes: Mapping[str, torch.Tensor] | None = None) -> Dinov2Model:
    """Read the file into a float32 model.

    Args:
        path: of the ONNX graph.
        changes: what training added, as factors: ``left`` (out r) and ``right`` (r in) of a weight's published name, such
            as ``encoder.layer.3.mlp.fc1.left``; their product is added to the weight (LoRA, arXiv 2106.09685).

    Raises:
        ValueError: a weight is missing, left over, or of another shape.
    """
    weights = read_backbone(path)
    for name, left in (changes or {}).items():
        if name.endswith(".left"):
            changed = name.removesuffix(".left")
            right = (changes or {})[f"{changed}.right"]
            weights[f"{changed}.weight"] = weights[f"{changed}.weight"] + left.float() @ right.float()
    patch = weights["embeddings.patch_embeddings.projection.weight"]  # (d 3 p p)
    side = round((weights["embeddings.position_embeddings"].shape[1] - 1) ** 0.5)
    config = Dinov2Config(
        hidden_size=patch.shape[0],
        num_hidden_layers=1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer.")),
        num_attention_heads=patch.shape[0] // 64,
        patch_size=patch.shape[-1],
        image_size=side * patch.shape[-1],
        use_mask_token=False,  # masks are for pre-training, and the graph has none
    )
    # Loaded through from_pretrained, which knows the published names whatever this version calls its modules.
    loaded: Any = Dinov2Model.from_pretrained(None, config=config, state_dict=weights, output_loading_info=True)
    model, info = loaded
    wrong = {key: sorted(info[key]) for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if info.get(key)}
    if wrong:
        raise ValueError(f"{path.name}: expected the weights of DINOv2-S/14, got {wrong}")
    return model.eval()
