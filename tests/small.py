"""A complete checkpoint of the real architecture with random weights, a few hundred kilobytes: for tests of plumbing.

Same classes and layout as the published ones, every width cut down. What it draws is noise, the same noise each time.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoFramepackTransformer3DModel
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
    SiglipImageProcessorPil,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from eichi.catalog import CARD, HUNYUAN, Entry, find
from eichi.models.formats import read_config
from eichi.models.source import FileSource

WIDTH = 16


def build(folder: Path, like: str = "framepack") -> Path:
    """Write a checkpoint into a folder and return it."""
    torch.manual_seed(0)
    transformer().save_pretrained(folder / "transformer")
    vae().save_pretrained(folder / "vae")
    words = sorted({*HUNYUAN.text.replace("{}", " ").split(), *["a", "red", "star", "moves", "right", "left"]})
    tokenizer(words, "<|begin|>").save_pretrained(folder / "tokenizer")
    tokenizer(words, "<|begin|>").save_pretrained(folder / "tokenizer_2")
    size = len(words) + 4
    LlamaModel(
        LlamaConfig(
            vocab_size=size,
            hidden_size=WIDTH,
            intermediate_size=32,
            num_hidden_layers=3,
            num_attention_heads=2,
            max_position_embeddings=512,
        )
    ).save_pretrained(folder / "text_encoder")
    CLIPTextModel(
        CLIPTextConfig(
            vocab_size=size,
            hidden_size=WIDTH,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            eos_token_id=size - 1,
            bos_token_id=size - 2,
            pad_token_id=size - 3,
        )
    ).save_pretrained(folder / "text_encoder_2")
    SiglipVisionModel(
        SiglipVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=64,
            patch_size=32,
        )
    ).save_pretrained(folder / "image_encoder")
    SiglipImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder / "feature_extractor")
    (folder / CARD).write_text(json.dumps({"like": like}), encoding="utf-8")
    return folder


def entry(folder: Path) -> Entry:
    """The catalogue entry of a built checkpoint: small sizes, and the head that its own tokenizer makes."""
    found = find(str(folder))
    head = len(HUNYUAN.text.split("{}")[0].split()) + 1
    return replace(
        found, sizes={64: ((48, 80), (64, 64), (80, 48))}, resolution=64, template=replace(HUNYUAN, head=head)
    )


def source(folder: Path) -> tuple[FileSource, Mapping[str, Any]]:
    """A transformer's folder as its weights are given: what they are read from, and its config."""
    return FileSource("transformer", folder), read_config(folder, {})


def transformer(**others: Any) -> HunyuanVideoFramepackTransformer3DModel:
    """Two blocks of each kind, 24 channels, unless told otherwise."""
    config = {
        "num_attention_heads": 2,
        "attention_head_dim": 12,
        "num_layers": 2,
        "num_single_layers": 2,
        "num_refiner_layers": 1,
        "text_embed_dim": WIDTH,
        "pooled_projection_dim": WIDTH,
        "rope_axes_dim": (4, 4, 4),
        "has_image_proj": True,
        "image_proj_dim": WIDTH,
        "has_clean_x_embedder": True,
    }
    model = HunyuanVideoFramepackTransformer3DModel(**config | others)
    return model.eval()


def vae() -> AutoencoderKLHunyuanVideo:
    """The real down- and upsampling with eight channels."""
    model = AutoencoderKLHunyuanVideo(
        block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4, mid_block_add_attention=False
    )
    return model.eval()


def tokenizer(words: list[str], begin: str) -> PreTrainedTokenizerFast:
    """Whole words, unknown ones as one token; a beginning and an end token like the real ones."""
    special = ["<|unknown|>", "<|pad|>", begin, "<|end|>"]
    # The specials come last so that CLIP's end token has the highest id.
    table = {word: i for i, word in enumerate([*words, *special])}
    model = Tokenizer(models.WordLevel(table, unk_token="<|unknown|>"))
    model.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    model.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A <|end|>", special_tokens=[(begin, table[begin]), ("<|end|>", table["<|end|>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=model,
        unk_token="<|unknown|>",
        pad_token="<|pad|>",
        bos_token=begin,
        eos_token="<|end|>",
        padding_side="right",
        model_max_length=512,
    )
