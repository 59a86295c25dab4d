"""Only the blocks get a kernel, it can change meanwhile, and memory stays bounded where nothing is fused."""

from typing import Any

import pytest
import torch
from diffusers.models import attention_dispatch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.utils._python_dispatch import TorchDispatchMode

from eichi.models import attention
from eichi.models.attention import Chunked, chunked
from tests import small
from tests.models.test_stepcache import call


class Largest(TorchDispatchMode):
    """The bytes of the largest tensor that is made while it is entered."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.size = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, torch.Tensor):
                self.size = max(self.size, tensor.nbytes)
        return made


@pytest.mark.parametrize("masked", [0, 1, 6])
def test_runs_of_queries_are_the_same_and_bounded(monkeypatch: pytest.MonkeyPatch, masked: int) -> None:
    """Whatever is masked: nothing, the same for all heads, or for each what is its own."""
    monkeypatch.setattr(attention, "LIMIT", 2**18)
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 6, 1001, 16) for _ in range(3))
    mask = torch.rand(1, masked, 1001, 1001) > 0.5 if masked else None
    with sdpa_kernel(SDPBackend.MATH):
        with Largest() as whole:
            expected = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        with Largest() as runs:
            made = chunked(query, key, value, mask)
    assert torch.allclose(made, expected, atol=1e-5)
    assert whole.size >= 6 * 1001 * 1001 * 4
    given = 0 if mask is None else mask.nbytes  # parts of which are looked at, and copied for a run alone
    assert runs.size <= max(2**18, query.nbytes, given)


def test_the_mode_reaches_the_transformer_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "LIMIT", 2**10)
    torch.manual_seed(0)
    transformer = small.transformer()
    plain = call(transformer, 1, 500.0)
    seen: list[int] = []

    def counted(query: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        seen.append(query.shape[-2])
        return chunked(query, *args, **kwargs)

    monkeypatch.setattr(attention, "chunked", counted)
    with attention.attention(transformer, "chunked"):
        runs = call(transformer, 1, 500.0)
    assert torch.allclose(runs, plain, atol=1e-5)
    assert max(seen) == 28
    count = len(seen)
    call(transformer, 1, 500.0)
    assert len(seen) == count


def test_only_the_blocks_get_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The part that reads the prompt has a mask, which flash kernels refuse."""
    name = attention_dispatch.AttentionBackendName.FLASH
    native = attention_dispatch._AttentionBackendRegistry._backends[attention_dispatch.AttentionBackendName.NATIVE]
    calls = []

    def flash(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attn_mask: Any = None) -> torch.Tensor:
        assert attn_mask is None
        calls.append(query.shape)
        made: torch.Tensor = native(query, key, value)
        return made

    monkeypatch.setitem(attention_dispatch._AttentionBackendRegistry._backends, name, flash)
    monkeypatch.setitem(
        attention_dispatch._AttentionBackendRegistry._supported_arg_names, name, {"query", "key", "value", "attn_mask"}
    )
    torch.manual_seed(0)
    transformer = small.transformer()
    plain = call(transformer, 1, 500.0)
    with attention.attention(transformer, "flash"):
        assert torch.equal(call(transformer, 1, 500.0), plain)
    assert len(calls) == len(transformer.transformer_blocks) + len(transformer.single_transformer_blocks)
    call(transformer, 1, 500.0)
    assert len(calls) == len(transformer.transformer_blocks) + len(transformer.single_transformer_blocks)


def test_other_functions_go_through() -> None:
    with Chunked():
        assert torch.equal(torch.ones(2) + 1, torch.full((2,), 2.0))


def test_the_kernel_can_be_changed_while_a_job_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    name = attention_dispatch.AttentionBackendName.FLASH
    calls: list[int] = []

    def flash(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return torch.full_like(query, float("nan"))

    monkeypatch.setitem(attention_dispatch._AttentionBackendRegistry._backends, name, flash)
    monkeypatch.setitem(
        attention_dispatch._AttentionBackendRegistry._supported_arg_names, name, {"query", "key", "value"}
    )
    torch.manual_seed(0)
    transformer = small.transformer()
    plain = call(transformer, 1, 500.0)
    with attention.attention(transformer, "flash") as attending:
        assert not call(transformer, 1, 500.0).isfinite().all()
        count = len(calls)
        for kernel in ("native", "chunked"):
            attending.use(kernel)
            assert torch.allclose(call(transformer, 1, 500.0), plain, atol=1e-5)
    assert len(calls) == count
    assert torch.equal(call(transformer, 1, 500.0), plain)
