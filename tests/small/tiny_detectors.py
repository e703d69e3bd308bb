"""Real detectors of transformers, tiny and with random weights, saved with their processors."""

from pathlib import Path

import torch
from transformers import (
    BertTokenizer,
    CLIPTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoProcessor,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2Processor,
    OwlViTConfig,
    OwlViTForObjectDetection,
    OwlViTProcessor,
    SwinConfig,
)
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil
from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def clip_tokenizer() -> CLIPTokenizer:
    """Letter by letter."""
    words = ["<|pad|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={word: i for i, word in enumerate(words)}, merges=[], pad_token="<|pad|>", model_max_length=16
    )


def bert_tokenizer() -> BertTokenizer:
    """Letter by letter, with the full stop and the ends where the network expects them."""
    words = [f"[unused{i}]" for i in range(1030)]
    words[0], words[100], words[101], words[102], words[103] = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
    words[1012], words[1029] = ".", "?"
    words[200:226], words[300:326] = LETTERS, [f"##{letter}" for letter in LETTERS]
    return BertTokenizer(vocab={word: i for i, word in enumerate(words)})


def save_owl(folder: Path, version: int) -> Path:
    text = {
        "vocab_size": 55, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "max_position_embeddings": 16, "pad_token_id": 0, "bos_token_id": 53, "eos_token_id": 54,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 48,
        "patch_size": 16,
    }  # fmt: skip
    kinds = {
        1: (OwlViTConfig, OwlViTForObjectDetection, OwlViTProcessor, OwlViTImageProcessorPil),
        2: (Owlv2Config, Owlv2ForObjectDetection, Owlv2Processor, Owlv2ImageProcessorPil),
    }
    config, network, processor, images = kinds[version]
    model = network(config(text_config=text, vision_config=vision, projection_dim=16))
    with torch.no_grad():  # a fresh head hardly depends on the picture
        for weight in model.class_head.parameters():
            weight.normal_(0, 0.5)
    return _saved(folder, model, processor(images(size={"height": 48, "width": 48}), clip_tokenizer()))


def save_dino(folder: Path, most_words: int = 32) -> Path:
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=32, patch_size=4, embed_dim=8, depths=[1, 1, 1], num_heads=[1, 1, 2], window_size=2,
            out_features=["stage2", "stage3"],
        ),
        text_config={
            "model_type": "bert", "vocab_size": 1030, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "max_position_embeddings": 64,
        },
        num_queries=6, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=16, decoder_ffn_dim=16, d_model=32,
        encoder_attention_heads=2, decoder_attention_heads=2, num_feature_levels=3, max_text_len=most_words,
    )  # fmt: skip
    model = GroundingDinoForObjectDetection(config)
    images = GroundingDinoImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64})
    return _saved(folder, model, GroundingDinoProcessor(images, bert_tokenizer()))


def _saved(folder: Path, model: torch.nn.Module, processor: object) -> Path:
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
