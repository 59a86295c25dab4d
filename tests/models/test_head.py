"""The output head in float32 of a network in bfloat16: alone, in all of it, and whatever is done to the weights."""

from itertools import product
from pathlib import Path

import pytest
import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from diffusers.hooks import HookRegistry
from safetensors.torch import load_file
from torch import Tensor

from eichi.catalog import find
from eichi.models.head import NAME
from eichi.models.merged import Merged
from eichi.models.offload import place_transformer, streamed_names
from eichi.models.stepcache import CacheConfig, apply_cache
from eichi.models.weights import Weights
from eichi.options import WeightsOptions
from eichi.plan.memory import Placement
from tests import loras, small
from tests.models.test_stepcache import call

CPU, BF16 = torch.device("cpu"), torch.bfloat16


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.build(tmp_path_factory.mktemp("framepack")) / "transformer"


def theirs(part: Path, dtype: torch.dtype) -> HunyuanVideoFramepackTransformer3DModel:
    """The library's own network, head and all in one type."""
    return HunyuanVideoFramepackTransformer3DModel.from_pretrained(part, torch_dtype=dtype)


def ours(part: Path, dtype: torch.dtype = BF16) -> HunyuanVideoFramepackTransformer3DModel:
    weights = Weights("small", *small.source(part), dtype, CPU)
    weights.change(WeightsOptions())
    return weights.transformer


def error(made: Tensor, expected: Tensor) -> float:
    """Root mean square, relative to what is expected."""
    return float((made.float() - expected).square().mean().sqrt() / expected.square().mean().sqrt())


def head_of(network: HunyuanVideoFramepackTransformer3DModel, given: tuple[Tensor, ...]) -> Tensor:
    made: Tensor = network.proj_out(network.norm_out(*given))
    return made


@torch.inference_mode()
def test_the_head_is_that_of_a_network_in_float32(part: Path) -> None:
    given: list[tuple[Tensor, ...]] = []
    network = theirs(part, BF16)
    network.norm_out.register_forward_pre_hook(lambda _, values: given.append(values))
    call(network, 1, 500.0)
    assert [tensor.dtype for tensor in given[0]] == [BF16, BF16]
    expected = head_of(theirs(part, torch.float32), tuple(tensor.float() for tensor in given[0]))
    made = head_of(ours(part), given[0])
    assert made.dtype == torch.float32
    assert torch.allclose(made, expected, atol=1e-5)
    assert error(head_of(network, given[0]), expected) > 0.002


@torch.inference_mode()
def test_the_whole_network_is_nearer_to_float32() -> None:
    """The embedded model: trained weights, of whose error the head's is a part that can be seen from half way on."""
    entry = find("tiny")
    assert entry.root is not None
    part = entry.root / "transformer"
    whole, mixed, half = theirs(part, torch.float32), ours(part), theirs(part, BF16)
    for seed, time in product(range(3), (500.0, 100.0)):
        expected = call(whole, seed, time)
        made, rounded = error(call(mixed, seed, time), expected), error(call(half, seed, time), expected)
        assert rounded**2 - made**2 > 0.002**2  # errors that know nothing of each other add up in squares


@torch.inference_mode()
def test_nothing_changes_where_all_is_float32(part: Path) -> None:
    network = ours(part, torch.float32)
    made = call(network, 1, 500.0)
    HookRegistry.check_if_exists_or_initialize(network.norm_out).remove_hook(NAME)
    assert torch.equal(call(network, 1, 500.0), made)


@pytest.mark.parametrize("fp8", ["off", "row"])
def test_whatever_is_done_to_the_weights(part: Path, tmp_path: Path, fp8: str) -> None:
    """A LoRA of the head, eight bits, blocks that come and go, merged weights that are kept, a step cache."""
    plain = load_file(next(part.glob("*.safetensors")))
    down, up = torch.randn(2, plain["proj_out.weight"].shape[1]), torch.randn(64, 2)
    lora = loras.write(tmp_path / "head.safetensors", loras.lettered("", {"proj_out": (down, up)}))
    options = WeightsOptions.model_validate({"loras": [f"{lora}:1"], "fp8": fp8})
    merged, placement = Merged(tmp_path / "merged", 2**30), Placement("streamed", 2)
    for _ in range(2):  # the second time from what was kept
        weights = Weights("small", *small.source(part), BF16, CPU, merged)
        network = weights.transformer
        weights.change(options, streamed_names(network, placement), mapped=True)
        place_transformer(network, placement, CPU)
        assert network.proj_out.weight.dtype == network.norm_out.linear.weight.dtype == torch.float32
        assert torch.allclose(network.proj_out.weight, plain["proj_out.weight"] + up @ down, atol=1e-5)
        cache = apply_cache(network, CacheConfig("first", 0.5, 3))
        assert [call(network, 1, time).dtype for time in (900.0, 890.0, 880.0)] == [torch.float32] * 3
        assert cache.reused == 1
    weights.change(WeightsOptions())
    assert torch.equal(network.proj_out.weight, plain["proj_out.weight"])
