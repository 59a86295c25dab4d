"""torch's CUDA without a driver and without a card: fake tensors on it, streams that do nothing, memory that is told.

Everything here is a stand-in, listed in one place and taken away again:

    inference mode     becomes no_grad: fake tensors of the one cannot be written to in the other, nor taken apart
    attention          a fused kernel: its result and its sums, where torch would take the formula
    streams, waiting   nothing waits, everything is done at once
    the decode thread  its work is done where it is handed over, and counts beside what comes after it
    memory             what the card has less what lives there; 64 GiB of RAM
    name               that of a card of its size, by which times are forecast
    what is no number  is not looked for, where weights are read
    trying kernels     torch's fused ones are there or not, as it is said: numbers are not compared
    `param.data = …`   moves a fake tensor with its storage, so that streamed blocks are moved by diffusers itself
    `.numpy()`         zeros, and in the files of a checkpoint
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

from benchmarks.fakecard.count import Counter
from eichi.models.kernels import Verdict
from eichi.models.source import TYPES
from eichi.plan.memory import GIB

PIECE = 2**24
RAM = 64 * GIB
NUMBERS = {torch.uint8: np.uint8, torch.int64: np.int64, torch.bool: np.bool_, torch.float64: np.float64}


class Stream:
    """A stream in which everything is done at once."""

    def __init__(self, device: Any = None, **others: Any) -> None:
        self.device = torch.device("cuda:0")

    def synchronize(self) -> None: ...

    def wait_stream(self, stream: Any) -> None: ...


class Fused(TorchFunctionMode):
    """Attention by the operations that fused kernels are: without a mask FlashAttention's, else the memory-saving one.

    Numbers in 32 bits and masks are not FlashAttention's.
    """

    def __torch_function__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if call is not scaled_dot_product_attention:
            return call(*args, **(kwargs or {}))
        return _attend(*args, **(kwargs or {}))


def _attend(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any) -> Tensor:
    if options.get("enable_gqa"):
        shared = query.shape[-3] // key.shape[-3]
        key, value = (tensor.repeat_interleave(shared, -3) for tensor in (key, value))
    made: Tensor
    if attn_mask is None and query.dtype != torch.float32:
        made = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]
    else:
        made = torch.ops.aten._scaled_dot_product_efficient_attention(query, key, value, attn_mask, False)[0]
    return made


class Inline:
    """An executor of one thread that has no thread: work is done when it is handed over, and counts as beside the rest
    until its result is taken.
    """

    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        future: _Taken = _Taken(self.counter)
        with self.counter.aside():
            try:
                future.set_result(call())
            except (torch.OutOfMemoryError, RuntimeError) as error:
                future.set_exception(error)
        return future

    def shutdown(self, cancel_futures: bool) -> None: ...


class _Taken(Future[Any]):
    """A result that no longer counts when it is taken."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self.counter = counter

    def result(self, timeout: float | None = None) -> Any:
        self.counter.beside = 0
        return super().result(timeout)


class _Opened:
    """A file of tensors of which the header is read: what is in it is not looked at, and cannot be mapped here."""

    def __init__(self, path: Any, framework: str) -> None:
        self.file = safe_open(path, framework=framework)

    def __enter__(self) -> "_Opened":
        self.file.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.file.__exit__(*error)

    def get_tensor(self, name: str) -> Tensor:
        told = self.file.get_slice(name)
        return torch.empty(told.get_shape(), dtype=TYPES[told.get_dtype()])

    def get_slice(self, name: str) -> Tensor:
        """A tensor that is to be read in part."""
        return self.get_tensor(name)


@contextmanager
def card(counter: Counter, free: Callable[[], float], title: str = "RTX 4090", fused: bool = True) -> Iterator[None]:
    """A card for the time of a run, and fake tensors; `free` says how much of it a program is told to be free."""

    def tried(*given: Any) -> Verdict:
        return Verdict("good" if fused else "fails")

    def memory(device: Any = None) -> tuple[int, int]:
        return int(free()), int(free())

    def nothing(*given: Any, **named: Any) -> None: ...

    def zero(device: Any = None) -> int:
        return 0

    stand_ins: dict[str, Any] = {
        "_lazy_init": nothing,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "get_device_capability": lambda device=None: (9, 0),
        "get_device_name": lambda device=None: title,
        "get_device_properties": lambda device=None: SimpleNamespace(name=title),
        "mem_get_info": memory,
        "memory_reserved": zero,
        "memory_allocated": zero,
        "max_memory_reserved": lambda device=None: counter.peak,
        "reset_peak_memory_stats": lambda device=None: counter.restart(),
        "empty_cache": nothing,
        "synchronize": nothing,
        "Stream": Stream,
        "stream": lambda stream: nullcontext(),
        "current_stream": Stream,
    }
    with ExitStack() as stack:
        for name, stand_in in stand_ins.items():
            stack.enter_context(patch.object(torch.cuda, name, stand_in))
        stack.enter_context(patch.object(FakeTensor, "data", property(_data, _set_data), create=True))
        stack.enter_context(patch.object(torch.utils, "swap_tensors", _set_data))  # networks that move do so by it
        stack.enter_context(patch.object(FakeTensor, "numpy", _numpy, create=True))
        stack.enter_context(patch.object(torch.inference_mode, "__enter__", _enter))
        stack.enter_context(patch.object(torch.inference_mode, "__exit__", _leave))
        for name in ("PIECE", "LARGE_PIECE"):  # nothing is computed here, so fewer pieces than there are
            stack.enter_context(patch(f"eichi.models.fp8.{name}", PIECE))
        for place in ("source", "weights"):
            stack.enter_context(patch(f"eichi.models.{place}.finite", lambda whole: True))
        stack.enter_context(patch("eichi.models.kernels._tried", tried))
        stack.enter_context(patch("psutil.virtual_memory", lambda: SimpleNamespace(available=RAM, total=RAM)))
        stack.enter_context(patch("eichi.models.deltas.safe_open", _Opened))
        stack.enter_context(patch("eichi.pipeline.originals.save_file", _save))
        stack.enter_context(patch("eichi.pipeline.background.ThreadPoolExecutor", lambda *given: Inline(counter)))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        stack.enter_context(counter)
        if fused:
            stack.enter_context(Fused())
        stack.enter_context(torch.no_grad())
        yield


def _data(tensor: FakeTensor) -> Tensor:
    whole: Tensor = torch.Tensor.data.__get__(tensor)  # type: ignore[attr-defined]
    return whole


def _set_data(tensor: FakeTensor, value: FakeTensor) -> None:
    torch.Tensor.data.__set__(tensor, value)  # type: ignore[attr-defined]
    tensor.fake_device = value.fake_device


def _numpy(tensor: Tensor) -> NDArray[Any]:
    """Zeros; a tensor on the card has none, as it has none there."""
    if tensor.device.type != "cpu":
        raise TypeError(f"a tensor on {tensor.device} has no numpy")
    return np.zeros(tuple(tensor.shape), NUMBERS.get(tensor.dtype, np.float32))


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    """Zeros of these shapes in a file: fake tensors have no bytes."""
    save_file({name: np.zeros(tuple(tensor.shape), np.float32) for name, tensor in tensors.items()}, path)


def _enter(mode: Any) -> None:
    mode.before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)


def _leave(mode: Any, kind: Any, error: Any, trace: Any) -> None:
    torch.set_grad_enabled(mode.before)
