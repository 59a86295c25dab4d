"""What the transformer is told: prompts, the start picture, and pictures as latents.

A prompt goes two ways. LLaMA reads it inside HunyuanVideo's template; its third last hidden state is kept from the
first token after the template's head on, at most 256 tokens. CLIP reads the bare prompt, at most 77 tokens, and gives
one pooled vector. The start picture goes through SigLIP. Pictures become latents by the mode of the VAE's posterior,
not by a draw, so that equal requests give equal bytes.

States keep their real length: the transformer cuts the padding that others feed it, and a batch has one prompt.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from eichi.models.load import Components
from eichi.pipeline.encode import encode_tile

# hidden_states[-3]: the last two layers of LLaMA are not used.
LAYER = -3


@dataclass(frozen=True)
class PromptStates:
    """A prompt as the transformer takes it: `states` [1, n, d], `mask` [1, n] of ones, `pooled` [1, p]."""

    states: Tensor
    mask: Tensor
    pooled: Tensor


@torch.inference_mode()
def encode_prompt(components: Components, prompt: str) -> PromptStates:
    """Both text encoders' reading of one prompt, in the transformer's precision."""
    template, dtype = components.entry.template, components.transformer_dtype
    head = template.head
    ids = components.tokenizer(
        # str.format would trip over braces in a user's prompt.
        template.text.replace("{}", prompt, 1),
        max_length=head + template.limit,
        truncation=True,
        return_tensors="pt",
    ).input_ids.to(components.device)
    states = components.text_encoder(input_ids=ids, output_hidden_states=True).hidden_states[LAYER][:, head:]
    clip_ids = components.tokenizer_2(
        prompt, max_length=template.clip_limit, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids.to(components.device)
    pooled = components.text_encoder_2(clip_ids).pooler_output
    return PromptStates(
        states.to(dtype), torch.ones(states.shape[:2], dtype=dtype, device=states.device), pooled.to(dtype)
    )


@torch.inference_mode()
def blend(earlier: PromptStates, later: PromptStates, share: float) -> PromptStates:
    """Two prompts mixed, the later one by its `share`, 0-1: states and pooled vectors linearly, in float32.

    States of different length are padded with zeros, and what either mask lets through counts: with one prompt's mask
    alone the last words of the longer one would fall out.
    """
    length = max(earlier.states.shape[1], later.states.shape[1])
    one, other = _padded(earlier, length), _padded(later, length)

    def mixed(before: Tensor, after: Tensor) -> Tensor:
        return torch.lerp(before.float(), after.float(), share).to(after.dtype)

    return PromptStates(
        mixed(one.states, other.states), torch.maximum(one.mask, other.mask), mixed(one.pooled, other.pooled)
    )


def _padded(words: PromptStates, length: int) -> PromptStates:
    """A prompt with zeros behind its states, and in its mask, up to a length."""
    more = length - words.states.shape[1]
    return PromptStates(pad(words.states, (0, 0, 0, more)), pad(words.mask, (0, more)), words.pooled)


@torch.inference_mode()
def encode_vision(components: Components, pixels: NDArray[np.uint8]) -> Tensor:
    """SigLIP's last hidden state [1, n, d] of a picture [h, w, 3], in the transformer's precision."""
    inputs = components.feature_extractor(images=pixels, return_tensors="pt")
    values = inputs.pixel_values.to(components.device, components.dtype)
    state: Tensor = components.image_encoder(values).last_hidden_state
    return state.to(components.transformer_dtype)


@torch.inference_mode()
def encode_picture(components: Components, pixels: NDArray[np.uint8]) -> Tensor:
    """The latent [1, 16, 1, h/8, w/8] of a picture [h, w, 3], scaled, float32 on the CPU."""
    return encode_tile(components.vae, [pixels])
