"""Layers and tiles of one kind are walked once: the second takes as much as the first, whatever else is on the card.

A kind is what a layer is made of (its parts, the types of its weights, how FP8 multiplies) with the shapes and types of
what goes in. Of its walk is kept how much it took at its peak, what it multiplied in and what came out; the next one of
the kind is given so much and gives as much. One that keeps something for itself, or gives back what it was given, is
walked every time, as is one whose weights are not all on the card: that ends in the error that it should.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from benchmarks.fakecard.count import Counter, Product
from eichi.models.fp8 import Fp8Linear


@dataclass(frozen=True)
class Layer:
    """What came of a walk: bytes at the peak, what was multiplied in, what came out."""

    size: int
    products: frozenset[Product]
    made: tuple[Any, ...]
    form: TreeSpec

    def again(self, counter: Counter) -> Any:
        """The same as if it were walked."""
        counter.take(self.size)
        counter.products[counter.phase] |= self.products
        return tree_unflatten([one.fresh if isinstance(one, Kind) else one for one in self.made], self.form)


@dataclass(frozen=True)
class Kind:
    """What is known of a tensor."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    device: str

    @classmethod
    def of(cls, tensor: Tensor) -> "Kind":
        return cls(tuple(tensor.shape), tensor.dtype, tensor.device.type)

    @property
    def fresh(self) -> Tensor:
        """Another tensor of the kind."""
        return torch.empty(self.shape, dtype=self.dtype, device=self.device)


class Once:
    """What was walked, from the begin of a program to its end."""

    def __init__(self) -> None:
        self.known: dict[Hashable, Layer] = {}

    def wrap(self, call: Callable[..., Any], counter: Counter, *apart: Hashable) -> Callable[..., Any]:
        """A method of a network that is walked once for every kind; `apart` is what else tells kinds apart."""

        @wraps(call)
        def wrapped(network: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if any(parameter.device.type != counter.device for parameter in network.parameters()):
                return call(network, *args, **kwargs)
            given = tree_flatten((args, kwargs))[0]
            key = (call.__qualname__, *apart, _made_of(network), tuple(map(_kind, given)))
            if key in self.known:
                return self.known[key].again(counter)
            products, counter.products[counter.phase] = counter.products[counter.phase], set()
            before = counter.live
            with counter.measured() as more:
                made = call(network, *args, **kwargs)
            found = frozenset(counter.products[counter.phase])
            counter.products[counter.phase] |= products
            leaves, form = tree_flatten(made)
            if counter.live - before == _new(leaves, given):
                kept = tuple(Kind.of(leaf) if isinstance(leaf, Tensor) else leaf for leaf in leaves)
                self.known[key] = Layer(more[0], found, kept, form)
            return made

        return wrapped


def _new(made: list[Any], given: list[Any]) -> int:
    """Bytes of what came out, without what went in."""
    before = {one.untyped_storage()._cdata for one in given if isinstance(one, Tensor)}
    after = {one.untyped_storage()._cdata: one.untyped_storage() for one in made if isinstance(one, Tensor)}
    if before & after.keys():
        return -1
    return sum(storage.nbytes() for storage in after.values())


def _made_of(network: nn.Module) -> Hashable:
    """What a network is made of: parts with the type of their weights and the way that FP8 multiplies."""
    parts = set()
    for module in network.modules():
        weight = getattr(module, "weight", None)
        product = module.product if isinstance(module, Fp8Linear) else False
        parts.add((type(module), weight.dtype if isinstance(weight, Tensor) else None, product))
    return frozenset(parts), getattr(network, "use_tiling", None)


def _kind(given: Any) -> Hashable:
    if isinstance(given, Tensor):
        return Kind.of(given)
    return given if isinstance(given, bool | int | float | str) else type(given).__qualname__
