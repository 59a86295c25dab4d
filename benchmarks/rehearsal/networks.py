"""Every part of a model as a network without memory: for its configuration and for the names and shapes of its weights.

The sizes of the published checkpoints, or those of the embedded model, with which the rehearsal itself is tried.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoFramepackTransformer3DModel
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    LlamaConfig,
    LlamaModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

TINY = Path(str(files("eichi"))) / "models" / "tiny"
LLAMA = {
    "vocab_size": 128320,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_theta": 500000.0, "rope_type": "default"},
}
CLIP = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
SIGLIP = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": 384,
    "patch_size": 14,
}
TRANSFORMER = {"has_image_proj": True, "has_clean_x_embedder": True}


def networks(full: bool) -> dict[str, nn.Module]:
    """The parts that have weights, on `meta`."""
    with torch.device("meta"):
        return _full() if full else _small()


def _full() -> dict[str, nn.Module]:
    return {
        "transformer": HunyuanVideoFramepackTransformer3DModel(**TRANSFORMER),
        "vae": AutoencoderKLHunyuanVideo(),
        "text_encoder": LlamaModel(LlamaConfig(**LLAMA)),
        "text_encoder_2": CLIPTextModel(CLIPTextConfig(**CLIP)),
        "image_encoder": SiglipVisionModel(SiglipVisionConfig(**SIGLIP)),
    }


def _small() -> dict[str, nn.Module]:
    transformer, vae = HunyuanVideoFramepackTransformer3DModel, AutoencoderKLHunyuanVideo
    return {
        "transformer": transformer.from_config(transformer.load_config(TINY / "transformer")),
        "vae": vae.from_config(vae.load_config(TINY / "vae")),
        "text_encoder": LlamaModel(LlamaConfig.from_pretrained(TINY / "text_encoder")),
        "text_encoder_2": CLIPTextModel(CLIPTextConfig.from_pretrained(TINY / "text_encoder_2")),
        "image_encoder": SiglipVisionModel(SiglipVisionConfig.from_pretrained(TINY / "image_encoder")),
    }


def save_config(network: Any, folder: Path) -> None:
    """Write a network's configuration beside where its weights are."""
    folder.mkdir(parents=True, exist_ok=True)
    if hasattr(network, "save_config"):
        network.save_config(folder)
    else:
        network.config.save_pretrained(folder)
