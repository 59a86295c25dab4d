"""How attention is computed while a job draws: by a kernel for the blocks, or in runs of queries.

Which kernel, and why, is for `kernels`. Kernels are set for the blocks alone, through diffusers' dispatcher; the part
that reads the prompt masks tokens, which FlashAttention cannot do. Where nothing is fused, queries go in runs whose
scores stay under a limit. Not run on a GPU yet.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from eichi.models.borrowed import attention_backend

Kernel = Literal["flash", "xformers", "native", "chunked", "sage"]
LIMIT = 2**26  # bytes of scores that are held at a time: thrice that stays below what a block takes elsewhere
HEADS = 4  # at a time: where nothing is fused, torch turns all their keys and values into float32


class Attending:
    """The attention of a transformer's blocks for the time of a job; `kernel` is what computes it now."""

    def __init__(self, transformer: nn.Module, kernel: Kernel, stack: ExitStack) -> None:
        self._transformer, self._stack = transformer, stack
        self.use(kernel)

    def use(self, kernel: Kernel) -> None:
        """Compute by a kernel from now on."""
        self._stack.close()
        self.kernel = kernel
        if kernel == "chunked":
            self._stack.enter_context(Chunked())
        else:
            processors = _processors(self._transformer)
            self._stack.enter_context(attention_backend(processors, AttentionBackendName(kernel)))


@contextmanager
def attention(transformer: nn.Module, kernel: Kernel) -> Iterator[Attending]:
    """Let the blocks of a transformer use a kernel for the time of a job."""
    with ExitStack() as stack:
        yield Attending(transformer, kernel, stack)


class Chunked(TorchFunctionMode):
    """Attention in runs of queries while it is entered."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        call = chunked if function is scaled_dot_product_attention else function
        return call(*args, **(kwargs or {}))


def chunked(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any) -> Tensor:
    """torch's attention [..., heads, n, d] of some heads at a time, in runs of queries.

    The scores of a run stay under the limit, if it has more than one query.
    """
    made = torch.empty((*query.shape[:-1], value.shape[-1]), dtype=query.dtype, device=query.device)
    for begin in range(0, query.shape[-3], HEADS):
        heads = slice(begin, begin + HEADS)
        some, keys, values = (part[..., heads, :, :] for part in (query, key, value))
        masks = attn_mask[..., heads, :, :] if attn_mask is not None and attn_mask.shape[-3:-2] > (1,) else attn_mask
        step = max(1, LIMIT // (some.shape[:-2].numel() * key.shape[-2] * max(query.element_size(), 4)))
        for first in range(0, query.shape[-2], step):
            rows = slice(first, first + step)
            mask = masks[..., rows, :] if masks is not None and masks.shape[-2] > 1 else masks
            made[..., heads, rows, :] = scaled_dot_product_attention(
                some[..., rows, :], keys, values, attn_mask=mask, **options
            )
    return made


def _processors(transformer: nn.Module) -> list[Any]:
    """What computes attention in the blocks."""
    rows = (transformer.transformer_blocks, transformer.single_transformer_blocks)
    return [block.attn.processor for row in rows for block in row]  # type: ignore[union-attr]


def dispatched(kernel: Kernel, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention [1, n, heads, d] by a kernel of diffusers' dispatcher; a run of queries is torch's own."""
    made: Tensor = dispatch_attention_fn(query, key, value, backend=AttentionBackendName(kernel))
    return made
