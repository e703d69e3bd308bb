"""Real segmenters of transformers, tiny and with random weights, saved with their processors."""

import json
from pathlib import Path

import torch
from transformers import (
    Sam2Config,
    Sam2Model,
    SamConfig,
    SamHQConfig,
    SamHQModel,
    SamHQProcessor,
    SamModel,
    SamProcessor,
)
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

SIDE, PATCH, WIDE = 64, 8, 16
DECODER = {"hidden_size": WIDE, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16}


def save_sam(folder: Path, *, high_quality: bool = False) -> Path:
    vision = {
        "hidden_size": 16, "output_channels": WIDE, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIDE,
        "patch_size": PATCH, "window_size": 4, "global_attn_indexes": [1], "num_pos_feats": WIDE // 2, "mlp_dim": 32,
        "initializer_range": 0.1,
    }  # fmt: skip
    prompts = {"hidden_size": WIDE, "image_size": SIDE, "patch_size": PATCH}
    decoder = DECODER | ({"vit_dim": 16} if high_quality else {})
    config, network, processor = (
        (SamHQConfig, SamHQModel, SamHQProcessor) if high_quality else (SamConfig, SamModel, SamProcessor)
    )
    model = network(config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder))
    square = {"height": SIDE, "width": SIDE}
    images = SamImageProcessorPil(
        size={"longest_edge": SIDE}, pad_size=square, mask_size={"longest_edge": 32}, mask_pad_size=square
    )
    return _saved(folder, model, processor(images))


def save_sam2(folder: Path, *, model_type: str = "sam2") -> Path:
    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 8, "num_attention_heads": 1, "image_size": [SIDE, SIDE],
        "blocks_per_stage": [1, 2, 1, 1], "embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [4, 4, 4, 4], "global_attention_blocks": [2], "window_positional_embedding_background_size": [4, 4],
    }  # fmt: skip
    vision = {
        "backbone_config": backbone, "backbone_channel_list": [64, 32, 16, 8], "fpn_hidden_size": WIDE,
        "backbone_feature_sizes": [[SIDE // 4] * 2, [SIDE // 8] * 2, [SIDE // 16] * 2],
    }  # fmt: skip
    prompts = {"hidden_size": WIDE, "image_size": SIDE, "patch_size": 16}
    model = Sam2Model(Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=DECODER))
    _saved(folder, model)
    colours = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    pictures = {"image_processor_type": "Sam2ImageProcessorFast", "size": {"height": SIDE, "width": SIDE}, **colours}
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures))  # its own class needs torchvision
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": model_type}))
    return folder


def _saved(folder: Path, model: torch.nn.Module, processor: object = None) -> Path:
    with torch.no_grad():  # fresh weights hardly depend on picture and boxes
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "positional" not in name:
                weight.normal_(0, 0.3)
    model.save_pretrained(folder)
    if processor is not None:
        processor.save_pretrained(folder)
    return folder
