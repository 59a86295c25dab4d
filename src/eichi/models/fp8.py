"""Weights in eight bits: the matrices inside the blocks as e4m3 numbers with a scale, two thirds of the memory in all.

An e4m3 number has a sign, four bits of exponent and three of mantissa: eight steps from a number to its double, 448 at
the most, 2^-9 at the least. The error of rounding is relative, 2.6 % in the root mean square whatever a weight's size,
as long as it lies well inside that range; the scale moves it there:

    weight ≈ values · scale        scale = max |weight| / 448

One scale for a whole matrix ("tensor") is what FramePack-eichi 1.9 does. A row of small weights then lies at the
bottom of the range, where steps are no longer relative. One scale for each row ("row") puts every row at the top and
costs four bytes a row. Rows are the better the more unlike they are; where they are alike both do the same.

Only the matrices of the blocks are put into eight bits: 440 of them, 9.06 of 12.87 billion numbers. Modulation, norms,
embedders and the output layer decide over whole pictures, and stay.

Products are made in one of two ways. Either the weight is multiplied out again, in float32, rounded to the type of the
input and used as any other: works everywhere and saves memory alone. Or input and weight are multiplied as they are, in
eight bits, by torch's own `scaled_mm`, the input having got a scale too, whole or by rows as the weight has it: faster
where the hardware has it (Ada, Hopper and newer), and a second rounding, which is why it must be asked for. eichi 1.9
has this second way switched off for its quality; it gave the input no scale and fewer bits of mantissa.

LoRAs are merged before, in float32: a model in eight bits with a LoRA is the merged model put into eight bits.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import ScalingType, linear, scaled_mm

from eichi.errors import DeviceError

TYPE = torch.float8_e4m3fn
LARGEST = torch.finfo(TYPE).max
# A row of zeros has no scale of its own; anything that is no zero will do.
SMALLEST = 2.0**-100
# Numbers that are worked on at a time: four megabytes in float32, for which a processor's cache has room. On a GPU
# every piece is some launches of kernels, which take longer than the work on so little; there it is 16 megabytes, about
# what the cache of a card holds that multiplies in eight bits.
PIECE, LARGE_PIECE = 2**20, 2**22
# On a CPU, of numbers that are multiplied out: with what is made of them they stay in its nearest cache.
NEAR = 2**18

# Where float32 has what an e4m3 number has in its first bit and in the others, once they are moved by 20 bits. The sign
# comes along by itself, since the number is widened as a signed one.
SIGN, EXPONENT_AND_MANTISSA = -(2**31), 0x07F00000


@dataclass(frozen=True)
class Rounded:
    """A matrix as e4m3 `values` [out, in] and float32 `scale`, [1, 1] for the whole or [out, 1] for rows."""

    values: Tensor
    scale: Tensor

    def back(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The matrix that is really multiplied with, made in float32 and rounded to `dtype`."""
        if self.values.device.type != "cpu":
            return (self.values.to(torch.float32) * self.scale).to(dtype)
        made = torch.empty(self.values.shape, dtype=dtype)
        for span in spans(self.values, NEAR):
            scale = self.scale[span] if self.scale.numel() > 1 else self.scale
            made[span] = _widened(self.values[span]).mul_(scale)
        return made

    def rows(self, step: int) -> "Rounded":
        """One row of `step`."""
        return Rounded(self.values[::step], self.scale[::step] if self.scale.numel() > 1 else self.scale)

    def to(self, device: torch.device) -> "Rounded":
        """The same on a device."""
        return Rounded(self.values.to(device), self.scale.to(device))


@dataclass(frozen=True)
class Loss:
    """What rounding did: sums of squares of the error and of the weights. Losses add up."""

    error: float = 0.0
    weights: float = 0.0

    def __add__(self, other: "Loss") -> "Loss":
        return Loss(self.error + other.error, self.weights + other.weights)

    @property
    def share(self) -> float:
        """Root mean square error relative to that of the weights."""
        return (self.error / self.weights) ** 0.5 if self.weights else 0.0


def eligible(name: str, dimensions: int) -> bool:
    """Whether a tensor of the transformer is put into eight bits."""
    inside = name.startswith(("transformer_blocks.", "single_transformer_blocks."))
    return inside and dimensions == 2 and name.endswith(".weight") and "norm" not in name


def _widened(values: Tensor) -> Tensor:
    """Numbers of e4m3 on a CPU in float32, six times as fast as torch has it (2.13): by their bits.

    Sign, exponent and mantissa are moved to where float32 has its own; its exponent begins 120 lower. No number of ours
    is infinite or NaN.
    """
    bits = values.view(torch.int8).to(torch.int32).bitwise_left_shift_(20).bitwise_and_(SIGN | EXPONENT_AND_MANTISSA)
    return bits.view(torch.float32).mul_(2.0**120)


def spans(matrix: Tensor, piece: int | None = None) -> Iterator[slice]:
    """Runs of rows that are small enough to have in float32 several times, where the matrix is."""
    piece = piece or (PIECE if matrix.device.type == "cpu" else LARGE_PIECE)
    step = max(1, piece // max(1, matrix[:1].numel()))
    yield from (slice(first, first + step) for first in range(0, len(matrix), step))


def quantise(matrix: Tensor, rows: bool) -> Rounded:
    """Round a matrix [out, in], with a scale for each row or one for all."""
    top = torch.cat([matrix[span].abs().amax(1, keepdim=True) for span in spans(matrix)]).to(torch.float32)
    scale = ((top if rows else top.amax().view(1, 1)) / LARGEST).clamp(min=SMALLEST)
    values = torch.empty(matrix.shape, dtype=TYPE, device=matrix.device)
    for span in spans(matrix):
        scaled = matrix[span].to(torch.float32, copy=True).div_(scale[span] if rows else scale)
        # The division may end a hair above the largest number, which the type would turn into NaN.
        values[span] = scaled.clamp_(-LARGEST, LARGEST).to(TYPE)
    return Rounded(values, scale)


def loss(matrix: Tensor, rounded: Rounded) -> Loss:
    """How far a rounded matrix is from the original."""
    total = Loss()
    for span in spans(matrix):
        wide = matrix[span].to(torch.float32)
        scale = rounded.scale[span] if rounded.scale.numel() > 1 else rounded.scale
        back = Rounded(rounded.values[span], scale).back()
        total += Loss(float(back.sub_(wide).square_().sum()), float(wide.square().sum()))
    return total


class Fp8Linear(nn.Linear):
    """A linear layer whose weight is e4m3; `product` chooses multiplication in eight bits."""

    scale: Tensor

    def __init__(self, plain: nn.Linear, rounded: Rounded) -> None:
        super().__init__(plain.in_features, plain.out_features, bias=False, device="meta")
        self.weight = nn.Parameter(rounded.values, requires_grad=False)
        self.bias = plain.bias
        self.register_buffer("scale", rounded.scale)
        self.product = False

    def forward(self, input: Tensor) -> Tensor:
        rounded = Rounded(self.weight, self.scale)
        if not self.product:
            return linear(input, rounded.back(input.dtype), self.bias)
        made: Tensor = multiply(input.flatten(0, -2), rounded, self.bias).unflatten(0, input.shape[:-1])
        return made


def multiply(input: Tensor, rounded: Rounded, bias: Tensor | None = None) -> Tensor:
    """Input [n, in] times matrix, both in eight bits: [n, out] in the type of the input."""
    rows = rounded.scale.numel() > 1
    recipe = ScalingType.RowWise if rows else ScalingType.TensorWise
    given = quantise(input, rows)
    values, scale = rounded.values.t(), rounded.scale.t()
    # By rows a GPU gives bfloat16 alone.
    kind = input.dtype if input.device.type == "cpu" else torch.bfloat16
    bias = None if bias is None else bias.to(kind)
    made: Tensor = scaled_mm(given.values, values, given.scale, recipe, scale, recipe, bias=bias, output_dtype=kind)
    return made.to(input.dtype)


def multiplies(device: torch.device) -> bool:
    """Whether a device multiplies in eight bits; found out by trying, since neither torch nor drivers tell."""
    kind = torch.float32 if device.type == "cpu" else torch.bfloat16
    try:
        for rows in (False, True):
            square = torch.eye(32, dtype=kind, device=device)
            multiply(square, quantise(square, rows))
    except (RuntimeError, NotImplementedError, ValueError):
        return False
    return True


def check_stored(device: torch.device) -> None:
    """Refuse weights in eight bits where a device has no such numbers, as Apple's. Raises DeviceError."""
    try:
        torch.zeros(1, device=device).to(TYPE).to(torch.float32)
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise DeviceError("error.fp8.stored", device=device, key="weights.fp8") from error


def check_product(device: torch.device) -> None:
    """Refuse to multiply in eight bits where the device cannot. Raises DeviceError."""
    if not multiplies(device):
        raise DeviceError("error.fp8.device", device=device, key="weights.fp8_math")


def put(model: nn.Module, layer: str, rounded: Rounded, anew: bool = False) -> None:
    """Give a linear layer of a model a rounded weight, whether it had one before or not; `anew` leaves the memory of
    that as it is.
    """
    plain = model.get_submodule(layer)
    assert isinstance(plain, nn.Linear), "only linear layers are eligible"
    before = plain.scale if isinstance(plain, Fp8Linear) and not anew else None
    same = before is not None and before.shape == rounded.scale.shape and plain.weight.device == rounded.values.device
    if isinstance(plain, Fp8Linear) and same:
        plain.weight.copy_(rounded.values)
        plain.scale.copy_(rounded.scale)
    else:
        model.set_submodule(layer, Fp8Linear(plain, rounded))


def lift(model: nn.Module, layer: str) -> None:
    """Make a layer a plain linear one again; its weight, to be set by the caller, is empty."""
    rounded = model.get_submodule(layer)
    if not isinstance(rounded, Fp8Linear):
        return
    plain = nn.Linear(rounded.in_features, rounded.out_features, bias=False, device="meta")
    plain.bias = rounded.bias
    model.set_submodule(layer, plain)
