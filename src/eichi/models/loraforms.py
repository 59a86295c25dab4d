"""What a change of a layer is made of, and which size it has: LoRA, LoHa, LoKr, a full difference, a bias.

    lora    up @ down                       with `mid` for a convolution: the three of a Tucker decomposition
    loha    (w1_a @ w1_b) · (w2_a @ w2_b)   number by number; t1 and t2 as `mid`
    lokr    w1 ⊗ w2                         Kronecker; each whole or as w_a @ w_b, w2 with t2
    diff    the difference itself, of a matrix or of the weight of a norm
    bias    the difference of a bias

A `magnitude` beside one of the first three makes it a DoRA: every row of the changed weight, or every column, is given
a length of its own. Names, factors and shapes are LyCORIS' and PEFT's. Works on shapes alone, without torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

from eichi.catalog import Shapes

# Types whose numbers are a change as they stand; whole numbers would have to be multiplied by something.
TYPES = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")


@dataclass(frozen=True)
class Size:
    """What a change has: rows and columns of the weight, the rank of its factors, 0 where it has none."""

    outputs: int
    inputs: int
    rank: int = 0


class Misshapen(Exception):
    """Factors that cannot be multiplied."""


def measure(kind: str, shapes: Shapes) -> Size | None:
    """The size of a change, from the shapes of its parts; None where a part is missing. Raises Misshapen."""
    needed, function = FORMS[kind]
    if not any(shapes.keys() >= set(parts) for parts in needed):
        return None
    try:
        size = function(shapes)
    except IndexError as error:
        raise Misshapen from error
    if size.outputs * size.inputs == 0:
        raise Misshapen
    return size


def by_columns(shape: tuple[int, ...], size: Size) -> bool | None:
    """Whether magnitudes of this shape are those of columns; None for a shape that is neither's."""
    if len(shape) == 2 and shape[0] == 1 and shape[1] == size.inputs:
        return True
    return False if prod(shape) == size.outputs else None


def _lora(shapes: Shapes) -> Size:
    up, down, mid = shapes["up"], shapes["down"], shapes.get("mid")
    if len(up) < 2 or len(down) < 2:
        raise Misshapen
    rank = _same(down[0], prod(up[1:]))
    if mid is None:
        return Size(up[0], prod(down[1:]), rank)
    _same(mid[0], mid[1], rank)
    return Size(up[0], prod(down[1:]) * prod(mid[2:]), rank)


def _loha(shapes: Shapes) -> Size:
    if "t1" in shapes or "t2" in shapes:
        sizes = [_tucker(shapes[f"t{one}"], shapes[f"w{one}_a"], shapes[f"w{one}_b"]) for one in (1, 2)]
    else:
        sizes = [_product(shapes[f"w{one}_a"], shapes[f"w{one}_b"]) for one in (1, 2)]
    _same(*(size.outputs for size in sizes))
    _same(*(size.inputs for size in sizes))
    return sizes[0]


def _lokr(shapes: Shapes) -> Size:
    one, two = (_factor(shapes, name) for name in ("w1", "w2"))
    return Size(one.outputs * two.outputs, one.inputs * two.inputs, one.rank or two.rank)


def _factor(shapes: Shapes, name: str) -> Size:
    """A factor of a Kronecker product, whole or in factors of its own."""
    whole = shapes.get(name)
    if whole is not None:
        if len(whole) < 2:
            raise Misshapen
        return Size(whole[0], prod(whole[1:]))
    a, b = shapes[f"{name}_a"], shapes[f"{name}_b"]
    return _tucker(shapes["t2"], a, b) if name == "w2" and "t2" in shapes else _product(a, b)


def _product(a: tuple[int, ...], b: tuple[int, ...]) -> Size:
    if len(a) != 2 or len(b) < 2:
        raise Misshapen
    return Size(a[0], prod(b[1:]), _same(a[1], b[0]))


def _tucker(core: tuple[int, ...], a: tuple[int, ...], b: tuple[int, ...]) -> Size:
    if len(a) != 2 or len(b) != 2 or len(core) < 3:
        raise Misshapen
    return Size(a[1], b[1] * prod(core[2:]), _same(core[0], core[1], a[0], b[0]))


def _diff(shapes: Shapes) -> Size:
    return Size(shapes["diff"][0], prod(shapes["diff"][1:]))


def _bias(shapes: Shapes) -> Size:
    return Size(prod(shapes["diff"]), 1)


def _same(*numbers: int) -> int:
    if len(set(numbers)) > 1 or not numbers[0]:
        raise Misshapen
    return numbers[0]


# By kind: the sets of parts that make a whole, and the size of it.
FORMS: Mapping[str, tuple[tuple[tuple[str, ...], ...], Callable[[Shapes], Size]]] = {
    "lora": ((("down", "up"),), _lora),
    "loha": ((("w1_a", "w1_b", "w2_a", "w2_b"),), _loha),
    "lokr": (
        (("w1", "w2"), ("w1", "w2_a", "w2_b"), ("w1_a", "w1_b", "w2"), ("w1_a", "w1_b", "w2_a", "w2_b")),
        _lokr,
    ),
    "diff": ((("diff",),), _diff),
    "bias": ((("diff",),), _bias),
}
