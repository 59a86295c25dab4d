"""Which kernel is chosen, that only the blocks get it, and that memory stays bounded where nothing is fused."""

from typing import Any

import pytest
import torch
from diffusers.models import attention_dispatch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.utils._python_dispatch import TorchDispatchMode

from eichi.errors import DeviceError
from eichi.models import attention
from eichi.models.attention import Choice, Chunked, choose, chunked, fused, works
from tests import small
from tests.models.test_stepcache import call

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


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


@pytest.mark.parametrize("masked", [False, True])
def test_runs_of_queries_are_the_same_and_bounded(monkeypatch: pytest.MonkeyPatch, masked: bool) -> None:
    monkeypatch.setattr(attention, "LIMIT", 2**18)
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 4, 1001, 16) for _ in range(3))
    mask = torch.rand(1, 1, 1001, 1001) > 0.5 if masked else None
    with sdpa_kernel(SDPBackend.MATH):
        with Largest() as whole:
            expected = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        with Largest() as runs:
            made = chunked(query, key, value, mask)
    assert torch.allclose(made, expected, atol=1e-5)
    assert whole.size >= 4 * 1001 * 1001 * 4
    assert runs.size <= max(2**18, query.nbytes)


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
    with attention.attention(transformer, Choice("chunked", "none")):
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
    with attention.attention(transformer, Choice("flash", "installed")):
        assert torch.equal(call(transformer, 1, 500.0), plain)
    assert len(calls) == len(transformer.transformer_blocks) + len(transformer.single_transformer_blocks)
    call(transformer, 1, 500.0)
    assert len(calls) == len(transformer.transformer_blocks) + len(transformer.single_transformer_blocks)


@pytest.mark.parametrize(
    ("device", "here", "own", "choice"),
    [
        (CUDA, {"flash", "sage", "xformers"}, True, Choice("flash", "installed")),
        (CUDA, {"sage", "xformers"}, True, Choice("native", "fused")),
        (CUDA, {"sage", "xformers"}, False, Choice("xformers", "installed")),
        (CUDA, {"sage"}, False, Choice("chunked", "none")),
        (CPU, {"flash"}, True, Choice("native", "fused")),
        (CPU, {"xformers"}, False, Choice("chunked", "none")),
    ],
)
def test_the_choice(
    monkeypatch: pytest.MonkeyPatch, device: torch.device, here: set[str], own: bool, choice: Choice
) -> None:
    monkeypatch.setattr(attention, "works", lambda kernel, _: kernel in here)
    monkeypatch.setattr(attention, "fused", lambda *_: own)
    assert choose(device) == choice


def test_what_is_asked_for_is_used_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(CPU, "chunked") == Choice("chunked", "asked")
    assert choose(CPU, "native") == Choice("native", "asked")
    with pytest.raises(DeviceError, match="sage"):
        choose(CPU, "sage")
    monkeypatch.setattr(attention, "find_spec", lambda _: object())  # installed, and not for this device
    assert not works("flash", CPU)


def test_torch_has_a_fused_kernel_on_a_cpu() -> None:
    assert fused(CPU)


def test_other_functions_go_through() -> None:
    with Chunked():
        assert torch.equal(torch.ones(2) + 1, torch.full((2,), 2.0))
