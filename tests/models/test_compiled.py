"""Compiled blocks give what plain ones give, with the step cache's hooks on them, too.

Through torch's tracing and lowering, without its code generator, which needs a compiler and minutes.
"""

import pytest
import torch

from eichi.models.compiled import compile_blocks
from eichi.models.stepcache import CacheConfig, apply_cache
from tests import small
from tests.models.test_stepcache import call


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cached", [False, True])
def test_the_same_within_rounding(cached: bool) -> None:
    torch.manual_seed(0)
    transformer = small.transformer()
    config = CacheConfig("first", 0.5, 4)
    if cached:
        cache = apply_cache(transformer, config)
    plain = [call(transformer, 1, 500.0 - step) for step in range(4)]
    if cached:
        assert cache.reused > 0
        cache.reset()
    compile_blocks(transformer, "aot_eager")
    made = [call(transformer, 1, 500.0 - step) for step in range(4)]
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(made, plain, strict=True))
    assert all(block._compiled_call_impl is not None for block in transformer.transformer_blocks)
