"""What a LoRA file adds to one weight, computed some rows at a time in float32.

Every kind of change knows its factors and gives rows of their product; the product itself is never whole in memory. A
full difference stays in the type of the file. How the kinds are defined stands in `loraforms`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from eichi.errors import LoraError
from eichi.models.fp8 import spans
from eichi.models.header import short
from eichi.models.loramatch import Share

EPSILON = torch.finfo(torch.float32).eps  # LyCORIS adds it to lengths, so that a row of zeros has one


class Rows(Protocol):
    """Rows [first, last) of a change, [count, inputs] in float32, a tensor of their own."""

    def __call__(self, first: int, last: int) -> Tensor: ...


@dataclass(frozen=True)
class Delta:
    """A change of one weight: `rows`, multiplied by `factor`; for a DoRA the lengths that rows get, or columns."""

    rows: Rows
    factor: float
    magnitude: Tensor | None = None
    columns: Tensor | None = None

    def change(self, before: Tensor, first: int) -> Tensor:
        """What is added to rows [count, inputs] of the original, of which the first has this number in the weight."""
        last = first + len(before)
        added = self.rows(first, last).mul_(self.factor)
        if self.magnitude is None:
            return added
        changed = added.add_(before)
        if self.columns is not None:
            return changed.mul_(self.magnitude / self.columns).sub_(before)
        lengths = changed.norm(dim=1, keepdim=True).add_(EPSILON)
        return changed.mul_(self.magnitude[first:last] / lengths).sub_(before)


def open_delta(path: Path, share: Share, weight: Tensor, device: torch.device) -> Delta:
    """The change of a weight by a share of a file. Raises LoraError."""
    layer = share.layer
    tensors = _read(path, share, device)
    magnitude = tensors.pop("magnitude", None)
    rows = FORMS[layer.kind](tensors, share.first)
    if magnitude is None:
        return Delta(rows, layer.factor)
    if not layer.columns:
        lengths = magnitude.reshape(-1, 1)[share.first : share.first + share.rows]
        return Delta(rows, layer.factor, lengths)
    return Delta(rows, layer.factor, magnitude, _columns(rows, layer.factor, weight, device))


def _columns(rows: Rows, factor: float, weight: Tensor, device: torch.device) -> Tensor:
    """The lengths of the columns of a changed weight [1, inputs]."""
    total = torch.zeros(1, weight[:1].numel(), device=device)
    for span in spans(weight):
        before = weight[span].to(device, torch.float32).flatten(1)
        total += rows(span.start, span.start + len(before)).mul_(factor).add_(before).square_().sum(0, keepdim=True)
    return total.sqrt_().add_(EPSILON)


def _read(path: Path, share: Share, device: torch.device) -> dict[str, Tensor]:
    """The tensors of a change by what they are to it; of what has the rows of the layer, those of the share."""
    layer = share.layer
    found: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for part, key in layer.parts:
                if (layer.kind, part) in BY_ROWS:
                    tensor = file.get_slice(key)[share.first : share.first + share.rows]
                else:
                    tensor = file.get_tensor(key)
                found[part] = tensor.to(device) if part == "diff" else tensor.to(device, torch.float32)
    except (SafetensorError, OSError) as error:
        raise LoraError("error.lora.damaged", path=path, reason=error) from error
    for part, key in layer.parts:
        if not all(bool(found[part][span].float().isfinite().all()) for span in spans(found[part])):
            raise LoraError("error.lora.numbers", path=path, layer=short(key))
    return found


# What is read by rows: nothing else in the file is needed for a share.
BY_ROWS = {("lora", "up"), ("diff", "diff"), ("bias", "diff")}


def _lora(parts: dict[str, Tensor], start: int) -> Rows:
    up, down, mid = parts["up"].flatten(1), parts["down"].flatten(1), parts.get("mid")
    if mid is None:
        return lambda first, last: up[first:last] @ down
    return lambda first, last: _tucker(mid, up[first:last].T, down)


def _loha(parts: dict[str, Tensor], start: int) -> Rows:
    def half(name: str) -> Rows:
        a, b, core = parts[f"w{name}_a"], parts[f"w{name}_b"], parts.get(f"t{name}")
        if core is None:
            return lambda first, last: a[first:last] @ b.flatten(1)
        return lambda first, last: _tucker(core, a[:, first:last], b)

    one, two = half("1"), half("2")
    return lambda first, last: one(start + first, start + last).mul_(two(start + first, start + last))


def _lokr(parts: dict[str, Tensor], start: int) -> Rows:
    def factor(name: str) -> tuple[Callable[[Tensor], Tensor], int]:
        whole = parts.get(name)
        if whole is not None:
            flat = whole.flatten(1)
            return lambda rows: flat[rows], len(flat)
        a, b, core = parts[f"{name}_a"], parts[f"{name}_b"], parts.get("t2") if name == "w2" else None
        if core is None:
            return lambda rows: a[rows] @ b.flatten(1), len(a)
        return lambda rows: _tucker(core, a[:, rows], b), a.shape[1]

    (one, _), (two, step) = factor("w1"), factor("w2")

    def product(first: int, last: int) -> Tensor:
        rows = torch.arange(start + first, start + last, device=next(iter(parts.values())).device)
        left, right = one(rows // step), two(rows % step)
        return (left[:, :, None] * right[:, None, :]).flatten(1)

    return product


def _diff(parts: dict[str, Tensor], start: int) -> Rows:
    whole = parts["diff"]
    return lambda first, last: whole[first:last].to(torch.float32, copy=True).reshape(last - first, -1)


def _tucker(core: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Rows of a Tucker product: core [rank, rank, kernel …], a [rank, rows], b [rank, inputs]."""
    return torch.einsum("i j ..., i p, j r -> p r ...", core, a, b).flatten(1)


FORMS: dict[str, Callable[[dict[str, Tensor], int], Rows]] = {
    "lora": _lora,
    "loha": _loha,
    "lokr": _lokr,
    "diff": _diff,
    "bias": _diff,
}
