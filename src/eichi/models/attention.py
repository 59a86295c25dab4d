"""Which kernel computes attention, and why: the one that is installed and works here, or one whose memory is bounded.

Attention of n tokens has n² scores a head. Fused kernels never hold them all: FlashAttention, xformers, and torch's own
on most devices. SageAttention is fused, too, and faster, for it rounds to eight bits; so it must be asked for. Where
nothing is fused, torch would hold all scores at once, which is 17 GiB for a 640-pixel section of the full model; there,
queries go in runs whose scores stay under a limit.

A kernel counts as working when it gives on this device what the plain formula gives: what is installed may be built for
another GPU. Kernels are set for the blocks alone, through diffusers' dispatcher; the part that reads the prompt masks
tokens, which FlashAttention cannot do. Not run on a GPU yet.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import torch
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from eichi.errors import DeviceError
from eichi.models.borrowed import attention_backend

log = logging.getLogger(__name__)

Kernel = Literal["flash", "xformers", "native", "chunked", "sage"]
PACKAGES: dict[Kernel, str] = {"flash": "flash_attn", "xformers": "xformers", "sage": "sageattention"}
FUSED = [
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.OVERRIDEABLE,  # Intel's
]
LIMIT = 2**28  # bytes of scores that are held at a time


@dataclass(frozen=True)
class Choice:
    """A kernel, and why: it was `asked` for, is `installed`, torch's own is `fused`, or there is `none` that is."""

    kernel: Kernel
    why: Literal["asked", "installed", "fused", "none"]


def choose(device: torch.device, wanted: str = "auto", dtype: torch.dtype | None = None) -> Choice:
    """The kernel to use on a device for numbers of a type, by default what published models compute in there.

    On a GPU the packages' kernels know halves only, so a model in float32 uses torch's own whatever was asked for.
    Raises DeviceError for a kernel that was asked for and does not work.
    """
    if device.type == "cuda" and dtype == torch.float32 and wanted in (*PACKAGES, "auto"):
        return Choice("native", "fused") if fused(device, dtype) else Choice("chunked", "none")
    if wanted != "auto":
        kernel: Kernel = wanted  # type: ignore[assignment]  # the setting has no others
        if not works(kernel, device):
            raise DeviceError("error.attention.absent", kernel=wanted, device=device, setting="EICHI_ATTENTION")
        return Choice(kernel, "asked")
    if device.type == "cuda" and works("flash", device):
        return Choice("flash", "installed")
    if fused(device, dtype):
        return Choice("native", "fused")
    if device.type == "cuda" and works("xformers", device):
        return Choice("xformers", "installed")
    return Choice("chunked", "none")


def works(kernel: Kernel, device: torch.device) -> bool:
    """Whether a kernel gives the right answer here; found out by trying."""
    package = PACKAGES.get(kernel)
    if package is None:
        return True
    return find_spec(package) is not None and _right(lambda *given: _dispatched(kernel, *given), device)


def fused(device: torch.device, dtype: torch.dtype | None = None) -> bool:
    """Whether torch's own attention has a fused kernel here for numbers of a type."""

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        with sdpa_kernel(FUSED):
            return _dispatched("native", query, key, value)

    return _right(attend, device, dtype)


@contextmanager
def attention(transformer: nn.Module, choice: Choice) -> Iterator[None]:
    """Let the blocks of a transformer use a kernel for the time of a job."""
    log.info("attention: %s (%s)", choice.kernel, choice.why)
    if choice.kernel == "chunked":
        with Chunked():
            yield
        return
    with attention_backend(_processors(transformer), AttentionBackendName(choice.kernel)):
        yield


class Chunked(TorchFunctionMode):
    """Attention in runs of queries while it is entered."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        call = chunked if function is scaled_dot_product_attention else function
        return call(*args, **(kwargs or {}))


def chunked(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any) -> Tensor:
    """torch's attention [..., heads, n, d] in runs of queries whose scores stay under the limit, one query at least."""
    scores = query.shape[:-2].numel() * key.shape[-2] * max(query.element_size(), 4)
    step = max(1, LIMIT // scores)
    made = torch.empty((*query.shape[:-1], value.shape[-1]), dtype=query.dtype, device=query.device)
    for first in range(0, query.shape[-2], step):
        rows = slice(first, first + step)
        mask = attn_mask[..., rows, :] if attn_mask is not None and attn_mask.shape[-2] > 1 else attn_mask
        made[..., rows, :] = scaled_dot_product_attention(query[..., rows, :], key, value, attn_mask=mask, **options)
    return made


def _processors(transformer: nn.Module) -> list[Any]:
    """What computes attention in the blocks."""
    rows = (transformer.transformer_blocks, transformer.single_transformer_blocks)
    return [block.attn.processor for row in rows for block in row]  # type: ignore[union-attr]


def _dispatched(kernel: Kernel, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention [1, n, heads, d] by a kernel of diffusers' dispatcher."""
    made: Tensor = dispatch_attention_fn(query, key, value, backend=AttentionBackendName(kernel))
    return made


def _right(
    attend: Callable[[Tensor, Tensor, Tensor], Tensor], device: torch.device, dtype: torch.dtype | None = None
) -> bool:
    """Whether attention comes out as the formula says, as near as eight bits are."""
    kind = dtype or (torch.float32 if device.type == "cpu" else torch.bfloat16)
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, 128, 2, 128, generator=generator).to(device, kind) for _ in range(3))
    try:
        made = attend(query, key, value).float()
    except (ImportError, OSError, RuntimeError, ValueError, NotImplementedError, TypeError, AssertionError):
        return False
    scores = torch.einsum("bqhd,bkhd->bhqk", query.float(), key.float()) / 128**0.5
    expected = torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), value.float())
    return bool((made - expected).abs().max() < 0.05)
