"""What a file is, by its tensors and not by its name; and what is read of it is what was put in."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from eichi.catalog import NETWORKS, Shapes
from eichi.models import fp8
from eichi.models.formats import INDEX, Layout, arrange, layouts, misfit
from eichi.models.header import HeaderError
from eichi.models.source import FileSource
from eichi.models.weights import Weights
from eichi.options import WeightsOptions
from eichi.reasons import Reason, Unfit
from tests import loras, small, trees
from tests.trees import Tensors

Writing = Callable[[Tensors], Tensors]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.build(tmp_path_factory.mktemp("model"))


def same(tensors: Tensors) -> Tensors:
    return tensors


# By part: a way that files have it, and what they are kept in then.
WAYS: dict[str, tuple[str, Writing, str]] = {
    "transformer-bf16": ("transformer", trees.half, "bf16"),
    "transformer-comfy": ("transformer", lambda t: trees.prefixed("model.diffusion_model.", trees.half(t)), "bf16"),
    "transformer-kijai": ("transformer", trees.mixed, "fp8"),
    "llama-fp16": ("text_encoder", lambda t: trees.llama(trees.half(t, torch.float16)), "fp16"),
    "llama-scaled": ("text_encoder", lambda t: trees.llama(trees.scaled(t)), "fp8 scaled"),
    "llama-llava": ("text_encoder", lambda t: trees.prefixed("language_model.model.", t), "fp32"),
    "clip": ("text_encoder_2", trees.clip, "fp32"),
    "clip-deep": (
        "text_encoder_2",
        lambda t: trees.prefixed("text_encoders.clip_l.transformer.text_model.", t),
        "fp32",
    ),
    "siglip": ("image_encoder", lambda t: trees.prefixed("vision_model.", t), "fp32"),
    "vae": ("vae", lambda t: trees.prefixed("vae.", trees.half(t)), "bf16"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_part_is_told_by_its_tensors(root: Path, tmp_path: Path, way: str) -> None:
    """Whatever the file is called, and whatever else lies in it; the numbers are those of its type."""
    part, write, precision = WAYS[way]
    original = trees.parts(root)[part]
    path = trees.write(tmp_path / "x" / "nothing.safetensors", write(original))
    found = layouts(path)
    wanted = {name: tuple(tensor.shape) for name, tensor in original.items()}
    whole = {kind for kind, layout in found.items() if not layout.lacks(trees.known(root).published[kind].shapes)}
    assert whole == {part}
    assert found[part].precision == precision
    assert not found[part].lacks(wanted)
    source = FileSource(part, path)
    for name, tensor in original.items():
        read = source.read(name)
        assert (read.dtype, tuple(read.shape)) == (source.dtype(name), wanted[name])
        error = (read.float() - tensor.float()).abs().max() / (tensor.abs().max() + 1e-6)
        assert error < {"fp32": 1e-9, "fp16": 1e-3, "bf16": 1e-2}.get(precision, 0.07)


def test_a_scale_is_multiplied_out(root: Path, tmp_path: Path) -> None:
    """Of the whole matrix or of every row, in the old words and in the new; one of another size is refused."""
    name, values = "layers.0.mlp.up_proj.weight", torch.tensor([[1.0, 2.0], [4.0, -8.0]]).to(trees.EIGHT)
    anchor = {"embed_tokens.weight": torch.ones(2, 2)}
    for scale, word in (
        (torch.tensor(0.5), "scale_weight"),
        (torch.tensor([[0.5], [0.5]]), "weight_scale"),
        (torch.tensor([0.5, 0.5]), "weight_scale"),
    ):
        tensors = {
            name: values,
            name.replace("weight", word): scale,
            name.replace("weight", "scale_input"): torch.ones(()),
        }
        path = trees.write(tmp_path / "x.safetensors", anchor | tensors)
        source = FileSource("text_encoder", path)
        assert torch.equal(source.read(name), torch.tensor([[0.5, 1.0], [2.0, -4.0]]))
    path = trees.write(tmp_path / "y.safetensors", anchor | {name: values, name.replace("weight", word): torch.ones(3)})
    with pytest.raises(HeaderError):
        FileSource("text_encoder", path).read(name)


def lacks(layout: Layout, wanted: Shapes) -> Reason:
    found = layout.lacks(wanted)
    assert found is not None
    return found.reason


def test_what_cannot_be_read_is_lacking(root: Path, tmp_path: Path) -> None:
    """Weights as whole numbers are of ways to quantise that are not known here."""
    tensors = trees.parts(root)["text_encoder"]
    name = "layers.1.mlp.up_proj.weight"
    path = trees.write(tmp_path / "x.safetensors", tensors | {name: torch.ones(tensors[name].shape, dtype=torch.int8)})
    wanted = trees.known(root).published["text_encoder"].shapes
    assert lacks(arrange("text_encoder", path), wanted) == {"reason": "reason.types", "types": "I8"}


def test_a_wrong_shape_is_not_called_missing(root: Path, tmp_path: Path) -> None:
    tensors = trees.parts(root)["text_encoder"]
    wanted, name = trees.known(root).published["text_encoder"].shapes, "layers.1.mlp.up_proj.weight"
    rows, columns = wanted[name]
    path = trees.write(tmp_path / "x.safetensors", tensors | {name: torch.ones(rows, columns - 1)})
    told = {"name": name, "shape": f"{rows}×{columns - 1}", "expected": f"{rows}×{columns}"}
    assert lacks(arrange("text_encoder", path), wanted) == {"reason": "reason.shapes", **told}
    assert misfit({}, {name: (1,)}) is not None
    assert misfit(wanted, wanted) is None


def test_hunyuanvideo_s_own_transformer_is_not_framepack_s(root: Path, tmp_path: Path) -> None:
    tensors = trees.parts(root)["transformer"]
    plain = {name: tensor for name, tensor in tensors.items() if not name.startswith("clean_x_embedder")}
    path = trees.write(tmp_path / "FramePackI2V_HY_bf16.safetensors", plain)
    told = lacks(layouts(path)["transformer"], trees.known(root).published["transformer"].shapes)
    assert told["reason"] == "reason.lacks"
    assert "clean_x_embedder.proj.weight" in str(told["lacks"])


def test_one_file_may_be_several_parts(root: Path, tmp_path: Path) -> None:
    parts = trees.parts(root)
    tensors = trees.prefixed("model.diffusion_model.", parts["transformer"])
    tensors |= trees.prefixed("first_stage_model.", parts["vae"])
    tensors |= trees.prefixed("text_encoders.llava_llama3.model.", parts["text_encoder"])
    tensors |= trees.prefixed("text_encoders.clip_l.text_model.", parts["text_encoder_2"])
    path = trees.write(tmp_path / "all.safetensors", tensors)
    shapes = {part: published.shapes for part, published in trees.known(root).published.items()}
    found = {part for part, layout in layouts(path).items() if not layout.lacks(shapes[part])}
    assert found == set(NETWORKS) - {"image_encoder"}


@pytest.mark.parametrize("table", ['{"weight_map": {"a": "../x.safetensors"}}', '{"weight_map": []}', "[]", '{"a": 1}'])
def test_an_index_that_leads_elsewhere_is_refused(tmp_path: Path, table: str) -> None:
    (tmp_path / f"model{INDEX}").write_text(table, encoding="utf-8")
    with pytest.raises(HeaderError):
        arrange("transformer", tmp_path)


def test_an_empty_layout_has_no_precision() -> None:
    assert Layout({}).precision == "?"


def weights(path: Path, root: Path, dtype: torch.dtype = torch.bfloat16) -> Weights:
    config = trees.known(root).published["transformer"].config
    return Weights("small", FileSource("transformer", path), config, dtype, CPU)


QUERY, EMBEDDER = "transformer_blocks.0.attn.to_q.weight", "x_embedder.proj.weight"


@pytest.mark.parametrize("asked", ["off", "tensor", "row"])
def test_eight_bits_stay_eight_bits(root: Path, tmp_path: Path, asked: str) -> None:
    """Not rounded again; around the blocks they are cast up, and what is multiplied with is what the file has."""
    tensors = trees.mixed(trees.parts(root)["transformer"])
    made = weights(trees.write(tmp_path / "x.safetensors", tensors), root)
    made.change(WeightsOptions.model_validate({"fp8": asked}))
    layer = made.transformer.get_submodule(QUERY.removesuffix(".weight"))
    assert isinstance(layer, fp8.Fp8Linear)
    assert torch.equal(layer.weight.float(), tensors[QUERY].float())
    assert torch.equal(layer.scale, torch.ones_like(layer.scale))
    assert (layer.scale.numel() > 1) == (asked == "row")
    outer = made.transformer.get_parameter(EMBEDDER)
    assert (outer.dtype, torch.equal(outer.float(), tensors[EMBEDDER].float())) == (torch.bfloat16, True)
    assert not made.losses
    whole = weights(trees.write(tmp_path / "y.safetensors", trees.half(tensors)), root)
    whole.change(WeightsOptions())
    given = torch.randn(3, layer.in_features, dtype=torch.bfloat16)
    assert torch.equal(layer(given), whole.transformer.get_submodule(QUERY.removesuffix(".weight"))(given))


def test_a_lora_in_eight_bits_is_rounded_by_rows(root: Path, tmp_path: Path) -> None:
    """Merged in float32 before that; taken back, the file's own bits are there again."""
    tensors = trees.mixed(trees.parts(root)["transformer"])
    path = trees.write(tmp_path / "x.safetensors", tensors)
    made = weights(path, root)
    lora = loras.build(tmp_path / "a.safetensors", "musubi", made.shapes)
    made.change(WeightsOptions.model_validate({"loras": [lora]}))
    layer = made.transformer.get_submodule(QUERY.removesuffix(".weight"))
    assert isinstance(layer, fp8.Fp8Linear) and layer.scale.numel() > 1
    whole = weights(trees.write(tmp_path / "y.safetensors", {n: t.float() for n, t in tensors.items()}), root)
    whole.change(WeightsOptions.model_validate({"loras": [lora]}))
    expected = whole.transformer.get_parameter(QUERY).float()
    back = fp8.Rounded(layer.weight, layer.scale).back()
    assert (back - expected).abs().max() < 0.07 * expected.abs().max()
    assert not torch.equal(back, tensors[QUERY].float())
    assert made.losses.keys() >= {QUERY}
    made.change(WeightsOptions())
    layer = made.transformer.get_submodule(QUERY.removesuffix(".weight"))
    assert torch.equal(fp8.Rounded(layer.weight, layer.scale).back(), tensors[QUERY].float())
    assert not made.losses


def test_a_number_that_is_none_is_refused_in_eight_bits(root: Path, tmp_path: Path) -> None:
    tensors = trees.mixed(trees.parts(root)["transformer"])
    wrong = tensors[QUERY].clone().view(torch.uint8)
    wrong[0, 0] = 0x7F
    path = trees.write(tmp_path / "x.safetensors", tensors | {QUERY: wrong.view(trees.EIGHT)})
    with pytest.raises(Unfit) as caught:
        weights(path, root).change(WeightsOptions())
    assert caught.value.reason["name"] == QUERY
