"""Step caches: what they skip, that branches do not mix, and that it can be taken off again."""

from collections.abc import Iterator

import pytest
import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from diffusers.hooks import FirstBlockCacheConfig, MagCacheConfig
from torch import Tensor

from eichi.models.stepcache import CacheConfig, Kind, StepCache, apply_cache, remove_cache
from tests import small

STEPS = 6
# The identity: the predicted change is the change of the input itself.
LINEAR = (1.0, 0.0)


@pytest.fixture(scope="module")
def transformer() -> HunyuanVideoFramepackTransformer3DModel:
    torch.manual_seed(0)
    return small.transformer()


@pytest.fixture
def clean(
    transformer: HunyuanVideoFramepackTransformer3DModel,
) -> Iterator[HunyuanVideoFramepackTransformer3DModel]:
    yield transformer
    remove_cache(transformer)


@torch.inference_mode()
def call(
    transformer: HunyuanVideoFramepackTransformer3DModel, seed: int, time: float, words: int = 3, half: int = 2
) -> Tensor:
    """One evaluation of a state drawn from `seed`, with so many words and latents at half the resolution."""
    noise, dtype, config = torch.Generator().manual_seed(seed), transformer.dtype, transformer.config

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=noise).to(dtype)

    output: Tensor = transformer(
        hidden_states=draw(1, 16, 2, 4, 4),
        timestep=torch.tensor([time], dtype=dtype),
        encoder_hidden_states=draw(1, words, config.text_embed_dim),
        encoder_attention_mask=torch.ones(1, words, dtype=dtype),
        pooled_projections=draw(1, config.pooled_projection_dim),
        image_embeds=draw(1, 4, config.image_proj_dim),
        indices_latents=torch.arange(20, 22),
        guidance=torch.tensor([10000.0], dtype=dtype),
        latents_clean=draw(1, 16, 2, 4, 4),
        indices_latents_clean=torch.tensor([0, 19]),
        latents_history_2x=draw(1, 16, half, 4, 4),
        indices_latents_history_2x=torch.arange(19 - half, 19),
        latents_history_4x=draw(1, 16, 16, 4, 4),
        indices_latents_history_4x=torch.arange(1, 17),
        return_dict=False,
    )[0]
    return output


def test_zero_threshold_changes_nothing(clean: HunyuanVideoFramepackTransformer3DModel) -> None:
    plain = [call(clean, seed, 900.0 - seed) for seed in range(STEPS)]
    cache = apply_cache(clean, CacheConfig("tea", 0.0, STEPS, LINEAR))
    cached = [call(clean, seed, 900.0 - seed) for seed in range(STEPS)]
    assert all(torch.equal(a, b) for a, b in zip(plain, cached, strict=True))
    assert cache.reused == 0


def test_first_and_last_are_computed(clean: HunyuanVideoFramepackTransformer3DModel) -> None:
    plain = [call(clean, 1, 500.0 - step) for step in range(STEPS)]
    cache = apply_cache(clean, CacheConfig("tea", 100.0, STEPS, LINEAR))
    cached = [call(clean, 1, 500.0 - step) for step in range(STEPS)]
    assert cache.reused == STEPS - 2
    assert torch.equal(cached[0], plain[0])
    assert torch.equal(cached[-1], plain[-1])
    assert not torch.equal(cached[2], plain[2])
    # The tokens hardly moved, so the residual of the first step is nearly right for all.
    assert torch.allclose(cached[2], plain[2], atol=0.1)


def test_changes_add_up(clean: HunyuanVideoFramepackTransformer3DModel) -> None:
    """A constant polynomial predicts 0.04 a step: three steps stay under 0.15, the fourth is computed."""
    cache = apply_cache(clean, CacheConfig("tea", 0.15, 9, (0.04,)))
    pattern = []
    for step in range(9):
        before = cache.reused
        call(clean, 1, 500.0 - step)
        pattern.append(cache.reused > before)
    assert pattern == [False, True, True, True, False, True, True, True, False]


def test_branches_have_their_own_state(clean: HunyuanVideoFramepackTransformer3DModel) -> None:
    cache = apply_cache(clean, CacheConfig("tea", 100.0, STEPS, LINEAR))
    both = []
    for step in range(STEPS):
        for branch, seed in (("positive", 1), ("negative", 2)):
            cache.branch = branch
            both.append(call(clean, seed, 500.0 - step))
    assert cache.reused == 2 * (STEPS - 2)
    for branch, seed, mixed in (("positive", 1, both[::2]), ("negative", 2, both[1::2])):
        cache.reset()
        cache.branch = branch
        alone = [call(clean, seed, 500.0 - step) for step in range(STEPS)]
        assert all(torch.equal(a, b) for a, b in zip(alone, mixed, strict=True))


def test_removed_leaves_no_trace(clean: HunyuanVideoFramepackTransformer3DModel) -> None:
    plain = call(clean, 3, 100.0)
    apply_cache(clean, CacheConfig("tea", 100.0, STEPS, LINEAR))
    call(clean, 4, 200.0)
    remove_cache(clean)
    assert torch.equal(call(clean, 3, 100.0), plain)
    remove_cache(clean)


def test_reset_forgets() -> None:
    cache = StepCache(CacheConfig("tea", 1.0, STEPS, LINEAR))
    cache.decide(torch.ones(2))
    assert cache.decide(torch.ones(2))
    cache.reset()
    assert cache.reused == 0
    assert not cache.decide(torch.ones(2))


RATIOS = tuple(1.0 + 0.1 * (-1) ** step for step in range(12))


@pytest.mark.parametrize("kind", ["mag", "first"])
def test_the_same_as_diffusers_own(clean: HunyuanVideoFramepackTransformer3DModel, kind: Kind) -> None:
    """Up to the last step, which is always computed here."""
    times = [900.0 - 40 * step for step in range(12)]
    threshold = {"mag": 0.25, "first": 0.3}[kind]
    cache = apply_cache(clean, CacheConfig(kind, threshold, 12, ratios=RATIOS))
    ours = [call(clean, 1, time) for time in times]
    assert 2 < cache.reused < 10
    remove_cache(clean)
    other = small.transformer()
    other.load_state_dict(clean.state_dict())
    other.enable_cache(
        MagCacheConfig(threshold, num_inference_steps=12, mag_ratios=list(RATIOS))
        if kind == "mag"
        else FirstBlockCacheConfig(threshold)
    )
    with other.cache_context("positive"):
        theirs = [call(other, 1, time) for time in times]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours[:-1], theirs[:-1], strict=True))


def test_a_table_serves_any_number_of_steps() -> None:
    config = CacheConfig("mag", 0.1, 3, ratios=(1.0, 1.1, 1.2, 1.3, 1.4))
    assert [config.ratio(step) for step in range(3)] == [1.0, 1.2, 1.4]
    assert CacheConfig("mag", 0.1, 1, ratios=(1.0, 0.9)).ratio(0) == 0.9


@pytest.mark.parametrize("kind", ["mag", "first"])
def test_nothing_is_reused_at_zero(clean: HunyuanVideoFramepackTransformer3DModel, kind: Kind) -> None:
    cache = apply_cache(clean, CacheConfig(kind, 0.0, STEPS, ratios=(1.0,) * STEPS))
    for _ in range(STEPS):
        call(clean, 1, 500.0)
    assert cache.reused == 0
