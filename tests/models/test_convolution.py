"""Convolutions by oneDNN: torch's own results, where they are meant to be and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from eichi.catalog import ModelFolders, find
from eichi.models.convolution import apply_convolution, remove_convolution
from eichi.models.load import Components
from eichi.pipeline.decode import Decoder
from eichi.pipeline.encode import encode_tile
from eichi.settings import Runtime
from tests import small

OURS, THEIRS = "oneDNN", "torch"
NAMES = {"aten::mkldnn_convolution": OURS, "aten::conv3d": THEIRS, "aten::convolution": THEIRS}

pytestmark = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"), reason="torch's own is the faster here"
)


class Calls(TorchDispatchMode):
    """Notes every convolution while it is entered: who computes it, and its kernel."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.made: list[tuple[str, tuple[int, ...]]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function.name() in NAMES:
            self.made.append((NAMES[function.name()], tuple(args[1].shape[2:])))
        return function(*args, **(kwargs or {}))


@contextmanager
def watching() -> Iterator[list[tuple[str, tuple[int, ...]]]]:
    with torch.inference_mode(), Calls() as calls:
        yield calls.made


def axes(least: int, most: int) -> st.SearchStrategy[tuple[int, int, int]]:
    return st.tuples(*[st.integers(least, most)] * 3)


@given(
    axes(1, 3), axes(1, 2), axes(0, 2), axes(1, 2), axes(5, 12), st.integers(1, 2), st.integers(1, 2), st.booleans(),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_equals_torch(
    kernel: tuple[int, int, int],
    stride: tuple[int, int, int],
    padding: tuple[int, int, int],
    dilation: tuple[int, int, int],
    size: tuple[int, int, int],
    batch: int,
    groups: int,
    bias: bool,
    strided: bool,
) -> None:
    """Whatever the layer is like and however its input lies in memory."""
    torch.manual_seed(0)
    layer = nn.Conv3d(6, 8, kernel, stride, padding, dilation, groups, bias)
    clips = torch.randn(batch, 6, *size)
    clips = clips.transpose(2, 4).contiguous().transpose(2, 4) if strided else clips
    expected = layer(clips)
    apply_convolution(layer)
    with watching() as made:
        assert (layer(clips) - expected).abs().max() < 1e-5
    assert made == [(THEIRS if kernel == (1, 1, 1) else OURS, kernel)]


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> AutoencoderKLHunyuanVideo:
    """The embedded one, as every job has it."""
    return Components(find("tiny"), Runtime(ModelFolders(tmp_path_factory.mktemp("models")), "cpu")).vae


def there_and_back(vae: AutoencoderKLHunyuanVideo) -> tuple[Tensor, Tensor]:
    """A clip of a tile as latents, and these as frames."""
    noise = np.random.default_rng(0)
    frames = [noise.integers(0, 256, (32, 48, 3), dtype=np.uint8) for _ in range(17)]
    latents = encode_tile(vae, frames)
    with torch.inference_mode():
        return latents, Decoder(vae, 5, "forward")._decode(latents)


def test_every_job_convolves_this_way(vae: AutoencoderKLHunyuanVideo) -> None:
    with watching() as made:
        there_and_back(vae)
    assert {name for name, kernel in made if kernel != (1, 1, 1)} == {OURS}
    layers = [layer for layer in vae.modules() if isinstance(layer, nn.Conv3d) and layer.kernel_size != (1, 1, 1)]
    assert sum(name == OURS for name, _ in made) == len(layers)


def test_a_clip_stays_the_same_and_it_comes_off(vae: AutoencoderKLHunyuanVideo) -> None:
    ours = there_and_back(vae)
    remove_convolution(vae)
    try:
        with watching() as made:
            theirs = there_and_back(vae)
    finally:
        apply_convolution(vae)
    assert {name for name, _ in made} == {THEIRS}
    for one, other in zip(ours, theirs, strict=True):
        assert (one - other).abs().max() < 1e-5


@pytest.mark.parametrize("target", [torch.bfloat16, torch.float64, "meta"])
def test_other_types_and_devices_are_left_alone(target: torch.dtype | str) -> None:
    vae = small.vae().to(target)
    apply_convolution(vae)
    like = next(vae.parameters())
    with watching() as made:
        vae.encode(torch.zeros(1, 3, 1, 16, 16, dtype=like.dtype, device=like.device))
    assert {name for name, _ in made} == {THEIRS}


def test_gradients_come_through() -> None:
    """An optimiser that works on the network gets what torch would give it."""
    torch.manual_seed(0)
    layer, clips = nn.Conv3d(2, 3, 3), torch.randn(1, 2, 5, 6, 6)
    layer(clips).square().sum().backward()
    expected, layer.weight.grad = layer.weight.grad, None
    apply_convolution(layer)
    layer(clips).square().sum().backward()
    assert expected is not None and layer.weight.grad is not None
    assert torch.allclose(layer.weight.grad, expected, rtol=1e-4)


@pytest.mark.parametrize("slower", ["DEFAULT", "SVE256"])
def test_where_it_is_slower_torch_does_it(monkeypatch: pytest.MonkeyPatch, slower: str) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: slower)
    layer = nn.Conv3d(2, 2, 3)
    apply_convolution(layer)
    with watching() as made:
        layer(torch.zeros(1, 2, 3, 3, 3))
    assert [name for name, _ in made] == [THEIRS]
