"""Merging against peft: one change, written in every format, gives the same weights; what is taken off is gone."""

from pathlib import Path

import pytest
import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from eichi.catalog import Shapes
from eichi.errors import LoraError
from eichi.models.head import kept_in
from eichi.models.lora import open_loras
from eichi.models.weights import Weights
from eichi.options import WeightsOptions
from tests import loras, small

STRENGTH = 0.7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    small.transformer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def originals(folder: Path) -> dict[str, Tensor]:
    (path,) = folder.glob("*.safetensors")
    return load_file(path)


@pytest.fixture(scope="module")
def shapes(originals: dict[str, Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in originals.items()}


@pytest.fixture(scope="module")
def expected(folder: Path, shapes: Shapes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """What diffusers and peft make of the change."""
    path = loras.build(tmp_path_factory.mktemp("lora") / "a.safetensors", "diffusers", shapes)
    network = HunyuanVideoFramepackTransformer3DModel.from_pretrained(folder)
    alphas = {f"transformer.{name}.alpha": loras.ALPHA for name in loras.split(loras.changes(shapes), shapes)}
    network.load_lora_adapter(load_file(path), prefix="transformer", network_alphas=alphas)
    network.fuse_lora(lora_scale=STRENGTH)
    network.unload_lora()
    return dict(network.state_dict())


def fresh(folder: Path, dtype: torch.dtype = torch.float32) -> Weights:
    return Weights("small", *small.source(folder), dtype, torch.device("cpu"))


def wanted(*files: Path | str, **values: object) -> WeightsOptions:
    return WeightsOptions.model_validate({"loras": [str(file) for file in files]} | values)


def same(weights: Weights, tensors: dict[str, Tensor]) -> bool:
    made = weights.transformer.state_dict()
    return made.keys() == tensors.keys() and all(torch.equal(made[name], tensors[name]) for name in made)


@pytest.mark.parametrize("name", loras.FORMATS)
def test_every_format_merges_as_peft_does(
    folder: Path, shapes: Shapes, originals: dict[str, Tensor], expected: dict[str, Tensor], tmp_path: Path, name: str
) -> None:
    path = loras.build(tmp_path / "a.safetensors", name, shapes)
    weights = fresh(folder)
    weights.change(wanted(f"{path}:{STRENGTH}"))
    made = weights.transformer.state_dict()
    changed = {weight for change in loras.changes(shapes) for weight in change.weights}
    for weight, tensor in made.items():
        assert torch.equal(tensor, originals[weight]) == (weight not in changed)
        assert torch.allclose(tensor, expected[weight], rtol=0, atol=1e-6), weight


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_file_s_precision_does_not_become_the_model_s(
    folder: Path, shapes: Shapes, tmp_path: Path, dtype: torch.dtype
) -> None:
    path = loras.musubi(tmp_path / "a.safetensors", loras.split(loras.changes(shapes), shapes), torch.float32)
    half = loras.musubi(tmp_path / "b.safetensors", loras.split(loras.changes(shapes), shapes), dtype)
    for file in (path, half):
        weights = fresh(folder, torch.bfloat16)
        weights.change(wanted(file))
        made = weights.transformer.state_dict()
        assert all(tensor.dtype == kept_in(name, torch.bfloat16) for name, tensor in made.items())


def test_arithmetic_is_rounded_once(folder: Path, shapes: Shapes, originals: dict[str, Tensor], tmp_path: Path) -> None:
    """Two LoRAs into bfloat16: the sum is taken in float32."""
    paths = [loras.build(tmp_path / f"{name}.safetensors", "musubi", shapes) for name in "ab"]
    weights = fresh(folder, torch.bfloat16)
    weights.change(wanted(f"{paths[0]}:0.3", f"{paths[1]}:-1.1"))
    name = "single_transformer_blocks.1.proj_mlp.weight"
    down, up = loras.split(loras.changes(shapes), shapes)[name.removesuffix(".weight")]
    exact = originals[name].double() + (0.3 - 1.1) * loras.ALPHA / loras.RANK * (up.double() @ down.double())
    made = weights.transformer.state_dict()[name]
    assert (made.double() - exact).abs().max() <= (exact.abs() * 2**-8).max()
    assert (made != exact.to(torch.bfloat16)).float().mean() < 0.01


def test_a_convolution(folder: Path, shapes: Shapes, originals: dict[str, Tensor], tmp_path: Path) -> None:
    down, up = torch.randn(2, 16, 1, 2, 2), torch.randn(24, 2, 1, 1, 1)
    tensors = {"lora_unet_x_embedder_proj.lora_down.weight": down, "lora_unet_x_embedder_proj.lora_up.weight": up}
    weights = fresh(folder)
    weights.change(wanted(f"{loras.write(tmp_path / 'a.safetensors', tensors)}:1"))
    added = torch.einsum("or,rcthw->octhw", up[:, :, 0, 0, 0], down)
    made = weights.transformer.x_embedder.proj.weight
    assert torch.allclose(made, originals["x_embedder.proj.weight"] + added, atol=1e-6)


def test_only_what_differs_is_made_again(
    folder: Path, shapes: Shapes, originals: dict[str, Tensor], tmp_path: Path
) -> None:
    """Counted: a strength, a second file, and back to the originals, to the bit."""
    style = loras.build(tmp_path / "style.safetensors", "musubi, original", shapes)
    query = "transformer_blocks.0.attn.to_q"
    pairs = loras.split(loras.changes(shapes), shapes)
    touch = loras.musubi(tmp_path / "touch.safetensors", {query: pairs[query]})
    weights, counts = fresh(folder), []
    for options in (
        wanted(),
        wanted(style),
        wanted(style),
        wanted(f"{style}:0.5"),
        wanted(f"{style}:0.5", touch),
        wanted(f"{style}:0.5", f"{touch}:0"),
        wanted(touch),
        wanted(),
    ):
        before = weights.made
        weights.made = 0
        weights.change(options)
        counts.append(weights.made)
        assert before >= 0
    assert counts == [len(originals), 40, 0, 40, 1, 1, 40, 1]
    assert same(weights, originals)


def test_a_changed_file_is_merged_again(
    folder: Path, shapes: Shapes, originals: dict[str, Tensor], tmp_path: Path
) -> None:
    query = "transformer_blocks.0.attn.to_q"
    pairs = loras.split(loras.changes(shapes), shapes)
    path = loras.musubi(tmp_path / "a.safetensors", {query: pairs[query]})
    weights = fresh(folder)
    weights.change(wanted(path))
    first = weights.transformer.state_dict()[f"{query}.weight"].clone()
    down, up = pairs[query]
    loras.musubi(path, {query: (-down, up), "transformer_blocks.0.attn.to_k": (down, up)})
    weights.change(wanted(path))
    second = weights.transformer.state_dict()[f"{query}.weight"]
    assert weights.made == 2
    assert torch.allclose(first + second, 2 * originals[f"{query}.weight"], atol=1e-6)


@pytest.mark.parametrize("half", ["lora_down", "lora_up"])
@pytest.mark.parametrize("number", [torch.nan, torch.inf])
def test_invalid_numbers_are_refused_and_leave_nothing_behind(
    folder: Path, shapes: Shapes, originals: dict[str, Tensor], tmp_path: Path, half: str, number: float
) -> None:
    good = loras.build(tmp_path / "good.safetensors", "musubi", shapes)
    tensors = load_file(good)
    tensors[f"lora_unet_single_transformer_blocks_1_proj_out.{half}.weight"][0, 0] = number
    bad = tmp_path / "bad.safetensors"
    save_file(tensors, bad)
    weights = fresh(folder)
    weights.change(wanted(good))
    with pytest.raises(LoraError, match="NaN") as caught:
        weights.change(wanted(bad))
    assert "single_transformer_blocks_1_proj_out" in str(caught.value)
    weights.change(wanted())
    assert same(weights, originals)


def test_a_strength_beyond_all_numbers_is_the_lora_s_fault(
    folder: Path, originals: dict[str, Tensor], tmp_path: Path
) -> None:
    query = "transformer_blocks.0.attn.to_q"
    path = loras.write(tmp_path / "a.safetensors", {f"{query}.diff": torch.full((24, 24), 3e38)})
    weights = fresh(folder)
    with pytest.raises(LoraError, match=f"{query}.weight become too large to compute with"):
        weights.change(wanted(f"{path}:2"))
    weights.change(wanted())
    assert same(weights, originals)


def test_a_file_that_is_gone_is_refused_and_can_come_back(folder: Path, shapes: Shapes, tmp_path: Path) -> None:
    path = loras.build(tmp_path / "a.safetensors", "musubi", shapes)
    weights = fresh(folder)
    with pytest.raises(LoraError, match="no LoRA file"):
        weights.change(wanted(tmp_path / "b.safetensors"))
    weights.change(wanted(path))
    assert weights.made == len(shapes)
    assert open_loras(wanted(f"{path}:0").loras, shapes, "small") == []
