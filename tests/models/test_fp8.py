"""Eight bits: how exact they are, which weights are in them, that they come after LoRAs and can be left again."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from eichi.errors import DeviceError
from eichi.models import fp8
from eichi.models.weights import Weights
from eichi.options import WeightsOptions
from tests import loras, small

CPU = torch.device("cpu")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rows", [False, True])
def test_the_error_is_that_of_three_bits_of_mantissa(rows: bool) -> None:
    matrix = draw(64, 64)
    rounded = fp8.quantise(matrix, rows)
    assert rounded.values.dtype == torch.float8_e4m3fn
    assert rounded.scale.shape == ((64, 1) if rows else (1, 1))
    assert rounded.values.float().abs().max() == 448
    back = rounded.back()
    # Half a step: 2^-4 of a number, and half of the smallest step near zero.
    assert bool(((back - matrix).abs() <= matrix.abs() * 2**-4 + rounded.scale * 2**-10).all())
    assert fp8.loss(matrix, rounded).share == pytest.approx(0.026, abs=0.002)
    half = matrix.bfloat16()
    assert torch.equal(fp8.quantise(half, rows).back(), fp8.quantise(half.float(), rows).back())


def test_rows_are_better_where_rows_are_unlike() -> None:
    matrix = draw(32, 64) * torch.logspace(0, -5, 32)[:, None]

    def worst(rows: bool) -> float:
        back = fp8.quantise(matrix, rows).back()
        return float(((back - matrix).norm(dim=1) / matrix.norm(dim=1)).max())

    assert worst(rows=True) < 0.04
    assert worst(rows=False) > 0.3


@given(st.integers(0, 2**16), st.floats(-30, 30), st.booleans())
def test_scale_does_not_matter(seed: int, power: float, rows: bool) -> None:
    matrix = draw(8, 16, seed=seed)
    share = fp8.loss(matrix * 2.0**power, fp8.quantise(matrix * 2.0**power, rows)).share
    assert share == pytest.approx(fp8.loss(matrix, fp8.quantise(matrix, rows)).share, rel=0.15)
    assert share < 0.05


@pytest.mark.parametrize("rows", [False, True])
def test_zeros_stay_zeros(rows: bool) -> None:
    matrix = draw(4, 8)
    matrix[1] = 0
    assert torch.equal(fp8.quantise(matrix, rows).back()[1], torch.zeros(8))
    nothing = torch.zeros(4, 8)
    assert torch.equal(fp8.quantise(nothing, rows).back(), nothing)
    assert fp8.loss(nothing, fp8.quantise(nothing, rows)).share == 0


def test_losses_add_up() -> None:
    one, two = draw(8, 8), 10 * draw(8, 8, seed=1)
    parts = [fp8.loss(matrix, fp8.quantise(matrix, rows=True)) for matrix in (one, two)]
    both = fp8.loss(torch.cat([one, two]), fp8.quantise(torch.cat([one, two]), rows=True))
    assert sum(parts, fp8.Loss()).share == pytest.approx(both.share)


def test_440_layers_of_the_published_model() -> None:
    shapes = loras.PUBLISHED
    kept = [name for name, shape in shapes.items() if fp8.eligible(name, len(shape))]
    assert len(kept) == 440
    assert sum(shapes[name][0] * shapes[name][1] for name in kept) == pytest.approx(9.06e9, rel=0.001)
    assert not fp8.eligible("context_embedder.token_refiner.refiner_blocks.0.attn.to_q.weight", 2)
    assert not fp8.eligible("transformer_blocks.0.attn.to_q.bias", 1)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("biased", [False, True])
@torch.no_grad()
def test_a_layer_multiplies_in_both_ways(rows: bool, biased: bool) -> None:
    network = nn.Sequential(nn.Linear(64, 48, bias=biased))
    plain = network[0]
    assert isinstance(plain, nn.Linear)
    given, exact = draw(2, 5, 64), network(draw(2, 5, 64))
    rounded = fp8.quantise(plain.weight, rows)
    fp8.put(network, "0", rounded)
    layer = network[0]
    assert isinstance(layer, fp8.Fp8Linear)
    expected = nn.functional.linear(given, rounded.back(), plain.bias)
    assert torch.equal(network(given), expected)
    layer.product = True
    assert network(given).shape == expected.shape
    for made in (expected, network(given)):
        assert 0.005 < float((made - exact).norm() / exact.norm()) < 0.06
    fp8.lift(network, "0")
    fp8.lift(network, "0")
    assert type(network[0]) is nn.Linear


def test_multiplication_is_found_out_by_trying() -> None:
    assert fp8.multiplies(CPU)
    fp8.check_product(CPU)
    meta = torch.device("meta")
    assert fp8.multiplies(meta) in (True, False)


def test_a_device_that_cannot_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **values: object) -> Tensor:
        raise RuntimeError("torch._scaled_mm is only supported on CUDA devices with compute capability >= 9.0 or 8.9")

    monkeypatch.setattr(fp8, "scaled_mm", refuse)
    with pytest.raises(DeviceError, match="cannot multiply in FP8"):
        fp8.check_product(CPU)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    small.transformer().save_pretrained(folder)
    return folder


def fresh(folder: Path) -> Weights:
    return Weights("small", *small.source(folder), torch.bfloat16, CPU)


def wanted(**values: object) -> WeightsOptions:
    return WeightsOptions.model_validate(values)


@pytest.mark.parametrize("how", ["tensor", "row"])
def test_loras_are_merged_before(folder: Path, tmp_path: Path, how: str) -> None:
    path = loras.build(tmp_path / "a.safetensors", "musubi", fresh(folder).shapes)
    merged, weights = fresh(folder), fresh(folder)
    merged.change(wanted(loras=[path]))
    weights.change(wanted(loras=[path], fp8=how))
    made, plain = weights.transformer.state_dict(), merged.transformer.state_dict()
    names = [name for name, tensor in plain.items() if fp8.eligible(name, tensor.dim())]
    assert len(names) == 2 * 12 + 2 * 5 == len(weights.losses)
    for name in names:
        rounded = fp8.quantise(plain[name], rows=how == "row")
        assert torch.equal(made[name].float(), rounded.values.float())
        assert torch.equal(made[name.replace("weight", "scale")], rounded.scale)
    rest = plain.keys() - set(names)
    assert all(torch.equal(made[name], plain[name]) for name in rest)


def test_going_into_eight_bits_and_back(folder: Path, tmp_path: Path) -> None:
    path = loras.build(tmp_path / "a.safetensors", "musubi", fresh(folder).shapes)
    weights, plain = fresh(folder), fresh(folder)
    plain.change(wanted())
    counts = []
    row: dict[str, object] = {"fp8": "row"}
    for options in (wanted(fp8="tensor"), wanted(**row), wanted(**row, fp8_math=True), wanted(**row, loras=[path])):
        weights.made = 0
        weights.change(options)
        counts.append(weights.made)
    # The modulation of a block is changed by the LoRA and not held in eight bits.
    assert counts == [len(weights.shapes), 34, 0, 40]
    assert 0.02 < weights.loss.share < 0.03
    weights.change(wanted())
    assert weights.losses == {}
    ours, theirs = weights.transformer.state_dict(), plain.transformer.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_network_is_nearly_the_same(folder: Path) -> None:
    """Through the whole network, by either product."""
    from tests.models.test_stepcache import call

    weights = Weights("small", *small.source(folder), torch.float32, CPU)
    weights.change(wanted())
    exact = call(weights.transformer, 0, 500.0)
    for options in (wanted(fp8="row"), wanted(fp8="tensor"), wanted(fp8="row", fp8_math=True)):
        weights.change(options)
        made = call(weights.transformer, 0, 500.0)
        assert 1e-5 < float((made - exact).norm() / exact.norm()) < 0.1
    weights.change(wanted())
    assert torch.equal(call(weights.transformer, 0, 500.0), exact)


def test_a_device_without_such_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fp8.check_stored(CPU)
    monkeypatch.setattr(torch.Tensor, "to", absent)
    with pytest.raises(DeviceError, match="cannot store FP8"):
        fp8.check_stored(CPU)


def absent(*_: object) -> None:
    raise TypeError("no such type here")


def test_a_gpu_is_given_larger_pieces() -> None:
    """Of one of a megabyte it would spend most of its time on getting started."""
    matrix = torch.empty(4096, 4096)
    here, there = (list(fp8.spans(tensor)) for tensor in (matrix, matrix.to("meta")))
    assert (len(here), len(there)) == (16, 4)
    assert here[-1].stop == there[-1].stop == 4096
