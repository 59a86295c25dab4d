"""Guidance inside of attention: the formula by hand, and a transformer that is the library's without such words."""

from typing import Any

import pytest
import torch
from torch import Tensor

from eichi.models.attention import attention
from eichi.models.nag import AWAY, Nag, guided, nagging
from tests import small

HEIGHT, WORDS = 8, 5


def inputs(words: Tensor, **kwargs: Any) -> dict[str, Any]:
    """One pass over two latents with a start picture and a history."""
    drawn = torch.Generator().manual_seed(1)

    def latents(count: int) -> Tensor:
        return torch.randn((1, 16, count, HEIGHT, HEIGHT), generator=drawn)

    given = {
        "hidden_states": latents(2),
        "timestep": torch.tensor([500.0]),
        "encoder_hidden_states": words,
        "encoder_attention_mask": torch.ones(words.shape[:2]),
        "pooled_projections": torch.ones(1, small.WIDTH),
        "image_embeds": torch.randn((1, 3, small.WIDTH), generator=drawn),
        "indices_latents": torch.tensor([1, 2]),
        "guidance": torch.tensor([1000.0]),
        "latents_clean": latents(2),
        "indices_latents_clean": torch.tensor([0, 3]),
        "latents_history_2x": latents(2),
        "indices_latents_history_2x": torch.tensor([4, 5]),
        "latents_history_4x": latents(16),
        "indices_latents_history_4x": torch.arange(6, 22),
        "return_dict": False,
    }
    return given | kwargs


def test_the_formula() -> None:
    plus, minus = torch.tensor([[[3.0, -1.0]]]), torch.tensor([[[1.0, 1.0]]])
    away = torch.tensor([[[7.0, -5.0]]])  # 3 Z+ - 2 Z-: three times as large
    assert guided(plus, minus, Nag(3.0, 1.0, 4.0)).equal(away)
    assert guided(plus, minus, Nag(3.0, 1.0, 1.5)).allclose(away / 2)
    assert guided(plus, minus, Nag(3.0, 0.25, 1.5)).allclose(away / 8 + plus * 0.75)
    assert guided(plus, minus, Nag(1.0, 1.0, 1.0)).equal(plus)
    assert guided(0 * plus, 0 * minus, Nag(3.0, 1.0, 1.5)).isfinite().all()


@pytest.fixture(scope="module")
def words() -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(2)
    prompt, away = torch.randn((2, 1, WORDS, small.WIDTH), generator=drawn)
    return prompt, away


@torch.inference_mode()
def test_what_words_do(words: tuple[Tensor, Tensor]) -> None:
    """Nothing where none of them is mixed in, where none are away, or where both prompts are one; else something."""
    torch.manual_seed(0)
    network, prompt = small.transformer().eval(), words[0]
    plain = network(**inputs(prompt))[0]
    both, told = torch.cat(words, dim=1), {AWAY: WORDS}
    before = [block.attn.processor for block in network.transformer_blocks]
    with nagging(network, Nag(4.0, 0.0, 2.0)):
        assert network(**inputs(both, attention_kwargs=told))[0].allclose(plain, atol=1e-6)
    with nagging(network, Nag(4.0, 0.5, 2.0)):
        assert network(**inputs(prompt, attention_kwargs={AWAY: 0}))[0].allclose(plain, atol=1e-6)
        twice = inputs(torch.cat([prompt, prompt], dim=1), attention_kwargs=told)
        assert network(**twice)[0].allclose(plain, atol=1e-5)
        moved = network(**inputs(both, attention_kwargs=told))[0]
        assert (moved - plain).abs().max() > 0.01 * plain.abs().max()
        with attention(network, "chunked"):
            assert network(**inputs(both, attention_kwargs=told))[0].allclose(moved, atol=1e-5)
    assert [block.attn.processor for block in network.transformer_blocks] == before
    assert network(**inputs(prompt))[0].equal(plain)
