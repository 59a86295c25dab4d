"""The bytes of all tensors that live on a device, at every moment of a run; memory that ends as it does on a card.

A dispatch mode sees every tensor that an operation gives. The bytes of a storage count from then until it dies. Peaks
are kept by phase, whoever asks says which one it is. Beyond a limit torch's own error is raised, as a card would.

Not seen: what kernels take for themselves while they run, what the allocator rounds up and keeps, and gaps between
tensors. Made for tensors without numbers (fake ones, or torch's `meta` device), so it also answers what programs ask of
numbers: yes, none, or what the tensor holds where it is a constant after all. Knows nothing of models.
"""

import weakref
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

aten = torch.ops.aten
# Where matrices are multiplied: nearly all of the work, so what these compute in is what the program computes in.
PRODUCTS = {
    aten.mm.default,
    aten.addmm.default,
    aten.bmm.default,
    aten.convolution.default,
    aten._scaled_mm_v2.default,
    aten._scaled_dot_product_flash_attention.default,
    aten._scaled_dot_product_efficient_attention.default,
}
# What a length is asked for is the text's; nothing else asks for a whole number.
LENGTH = 256

Product = tuple[str, torch.dtype]  # the type of device, and the type of the first factor


class Counter(TorchDispatchMode):
    """Counts bytes on devices of one type; `peaks` are by phase. `limit` bytes are all there are."""

    def __init__(self, device: str, limit: float = float("inf")) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's has no types
        self.device, self.limit = device, limit
        self.phase = ""
        self.live = 0
        self.beside = 0  # what something else takes at its peak, at the same time
        self.peaks: defaultdict[str, int] = defaultdict(int)
        self.products: defaultdict[str, set[Product]] = defaultdict(set)
        self.moved: defaultdict[str, int] = defaultdict(int)  # bytes that came from RAM
        self.pinned: dict[int, int] = {}  # bytes of RAM by storage
        self._known: set[int] = set()

    @property
    def peak(self) -> int:
        """The largest of all phases."""
        return max(self.peaks.values(), default=0)

    def restart(self) -> None:
        """Forget the peaks; what lives counts on."""
        self.peaks.clear()
        self.products.clear()
        self.moved.clear()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is done inside counts as if it went on beside what comes after, at its peak, until `beside` is 0 again.

        For work that a thread does, and that is done here before the work that it is done beside.
        """
        phase = self.phase
        with self.measured() as more:
            yield
        self.beside, self.phase = more[0], phase

    @contextmanager
    def measured(self) -> Iterator[list[int]]:
        """How many bytes more than at its begin something takes at its peak: the only one of the list, at its end."""
        before, peaks, more = self.live, self.peaks, [0]
        self.peaks = defaultdict(int)
        try:
            yield more
        finally:
            more[0] = max(0, self.peak - self.beside - before)
            for name, size in self.peaks.items():
                peaks[name] = max(peaks[name], size)
            self.peaks = peaks

    def take(self, size: int) -> None:
        """Count as if so many bytes more were needed for a moment. Raises torch.OutOfMemoryError."""
        total = self.live + self.beside + size
        if total > self.limit:
            raise torch.OutOfMemoryError(f"{size} bytes more than {self.limit:.0f} are not there")
        self.peaks[self.phase] = max(self.peaks[self.phase], total)

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if call is aten._local_scalar_dense.default:
            return _answer(args[0])
        if call is aten._pin_memory.default:
            return self._pin(args[0])
        if call is aten.is_pinned.default:
            return args[0].untyped_storage()._cdata in self.pinned
        result = call(*args, **(kwargs or {}))
        if call is aten._to_copy.default and args[0].device.type == "cpu" and result.device.type == self.device:
            self.moved[self.phase] += result.nbytes
        if call in PRODUCTS:
            self._product(next(given for given in tree_iter(args) if isinstance(given, Tensor)))
        for tensor in tree_iter(result):
            if isinstance(tensor, Tensor) and tensor.device.type == self.device:
                self._count(tensor.untyped_storage())
        return result

    def _product(self, factor: Tensor) -> None:
        self.products[self.phase].add((factor.device.type, factor.dtype))

    def _pin(self, tensor: Tensor) -> Tensor:
        """A copy in memory that is known as pinned."""
        copy = torch.empty_like(tensor)
        storage = copy.untyped_storage()
        self.pinned[storage._cdata] = storage.nbytes()
        weakref.finalize(storage, self.pinned.pop, storage._cdata)
        return copy

    def _count(self, storage: torch.UntypedStorage) -> None:
        """A storage, the first time that it is seen. Raises torch.OutOfMemoryError."""
        if storage._cdata in self._known:
            return
        size = storage.nbytes()
        self._known.add(storage._cdata)
        self.live += size
        weakref.finalize(storage, self._drop, storage._cdata, size)
        self.take(0)

    def _drop(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


def _answer(tensor: Tensor) -> float | int | bool:
    """What a tensor of one number says. Tests for what is no number pass; nothing changed, so caches reuse."""
    constant: Tensor | None = getattr(tensor, "constant", None)
    if constant is not None:
        with no_dispatch():
            return constant.item()
    return True if tensor.dtype == torch.bool else 0.0 if tensor.is_floating_point() else LENGTH
