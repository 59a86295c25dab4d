"""Reading the prompt: two tokenizers and two text encoders, tiny, and used exactly as the program uses them.

Llama: the prompt inside HunyuanVideo's template, the third hidden state from the end, the template's leading tokens cut
off. CLIP: the bare prompt, pooled at the end token. Both learn together with the transformer.

The byte-level tokenizer reads any text. It splits like Llama 3's and learns the template's words whole, so that the
template takes the same 95 leading tokens as with the real tokenizer, and the constant in `diffusers` holds for both.
Text is lowered first: with so small a vocabulary "Moves" and "moves" should be one word.

CLIP's end token must not have the number 2: transformers takes that for an old configuration and pools elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video_framepack import DEFAULT_PROMPT_TEMPLATE
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from training.rng import stream
from training.words import corpus

TEMPLATE: str = DEFAULT_PROMPT_TEMPLATE["template"]
CROP: int = DEFAULT_PROMPT_TEMPLATE["crop_start"]
WIDTH = 64
# What the transformer is told: states (n, tokens, WIDTH), their mask (n, tokens), the pooled vector (n, WIDTH).
Told: TypeAlias = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
# Tokens of the prompt itself that a training batch carries; longer prompts occur in no clip.
ROOM = 32

BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"
LLAMA_SPECIAL = (BEGIN, END, "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
FIRST, LAST = "<|startoftext|>", "<|endoftext|>"
CLIP_SPECIAL = ("<|unk|>", "<|mask|>", "<|none|>", FIRST, LAST)
# Llama 3's rule for cutting text into words.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def tokenizers(vocabulary: int = 1024) -> tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]:
    """The tokenizers of Llama and CLIP, learnt from prompts, the manual's sentences and the template."""
    lines = corpus(stream("corpus", 0), 6000) + [TEMPLATE] * 200
    llama = _learn(lines, vocabulary, LLAMA_SPECIAL, f"{BEGIN} $A")
    clip = _learn(lines, vocabulary, CLIP_SPECIAL, f"{FIRST} $A {LAST}")
    return (
        PreTrainedTokenizerFast(
            tokenizer_object=llama, bos_token=BEGIN, eos_token="<|eot_id|>", pad_token=END, padding_side="right",
            model_max_length=512,
        ),
        PreTrainedTokenizerFast(
            tokenizer_object=clip, bos_token=FIRST, eos_token=LAST, pad_token=LAST, padding_side="right",
            model_max_length=77,
        ),
    )  # fmt: skip


def _learn(lines: list[str], vocabulary: int, special: Sequence[str], frame: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=frame, special_tokens=[(s, tokenizer.token_to_id(s)) for s in special if s in frame]
    )
    return tokenizer


def encoders(llama: PreTrainedTokenizerFast, clip: PreTrainedTokenizerFast) -> tuple[LlamaModel, CLIPTextModel]:
    """Untrained text encoders for these vocabularies. Of Llama's four layers the program uses the first two."""
    reader = LlamaModel(
        LlamaConfig(
            vocab_size=len(llama), hidden_size=WIDTH, intermediate_size=160, num_hidden_layers=4,
            num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=512, initializer_range=0.1,
            bos_token_id=llama.bos_token_id, eos_token_id=llama.eos_token_id, pad_token_id=llama.pad_token_id,
        )
    )  # fmt: skip
    # The hidden state the program uses is not normalised: at the usual 0.02 the words would start as whispers.
    nn.init.normal_(reader.embed_tokens.weight, std=0.5)
    pooler = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(clip), hidden_size=WIDTH, intermediate_size=160, projection_dim=WIDTH,
            num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=77, bos_token_id=clip.bos_token_id,
            eos_token_id=clip.eos_token_id, pad_token_id=clip.pad_token_id,
        )
    )  # fmt: skip
    return reader, pooler


def vision_encoder() -> SiglipVisionModel:
    """The frozen, random vision encoder: it tells the start picture coarsely, which the latents do better anyway."""
    config = SiglipVisionConfig(
        hidden_size=WIDTH, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, image_size=64,
        patch_size=32, vision_use_head=False,
    )  # fmt: skip
    encoder = SiglipVisionModel(config)
    encoder.eval().requires_grad_(False)
    return encoder


@dataclass(frozen=True)
class Tokens:
    """Prompts as numbers: Llama's (n, CROP + ROOM) with their mask, CLIP's (n, ROOM)."""

    llama: torch.Tensor
    mask: torch.Tensor
    clip: torch.Tensor

    def pick(self, rows: torch.Tensor) -> "Tokens":
        """Some of the prompts, Llama's numbers as long as the longest of them."""
        mask = self.mask[rows]
        longest = int(mask.sum(1).max())
        return Tokens(self.llama[rows, :longest], mask[:, :longest], self.clip[rows])

    def to(self, device: str) -> "Tokens":
        """The same on a device."""
        return Tokens(self.llama.to(device), self.mask.to(device), self.clip.to(device))


def tokenize(llama: PreTrainedTokenizerFast, clip: PreTrainedTokenizerFast, prompts: Sequence[str]) -> Tokens:
    """Prompts as the program would tokenise them, padded to one length. Padding is masked, so its length is free."""
    whole = llama(
        [TEMPLATE.format(p) for p in prompts],
        padding="max_length", truncation=True, max_length=CROP + ROOM, return_tensors="pt",
    )  # fmt: skip
    bare = clip(list(prompts), padding="max_length", truncation=True, max_length=ROOM, return_tensors="pt")
    return Tokens(whole.input_ids, whole.attention_mask, bare.input_ids)


def read(llama: LlamaModel, clip: CLIPTextModel, tokens: Tokens) -> Told:
    """What the transformer is told about each prompt, ROOM tokens wide."""
    hidden = llama(input_ids=tokens.llama, attention_mask=tokens.mask, output_hidden_states=True, use_cache=False)
    states = hidden.hidden_states[-3][:, CROP:]
    return states, tokens.mask[:, CROP:], clip(input_ids=tokens.clip).pooler_output


def saved_tokenizers(folder: Path) -> tuple[PreTrainedTokenizerFast, PreTrainedTokenizerFast]:
    """The tokenizers of a state folder, learnt on first use."""
    paths = folder / "tokenizer", folder / "tokenizer_2"
    if not all(p.exists() for p in paths):
        for path, made in zip(paths, tokenizers(), strict=True):
            made.save_pretrained(path)
    llama, clip = (PreTrainedTokenizerFast.from_pretrained(p) for p in paths)
    return llama, clip


def parameters(*modules: nn.Module) -> list[nn.Parameter]:
    """All parameters of several modules."""
    return [p for module in modules for p in module.parameters()]
