"""Names and shapes of weights, known without loading them."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from safetensors.torch import load_file, save_file

from eichi.catalog import Shelves, find
from eichi.errors import ModelError
from eichi.models.shapes import INDEX, published_shapes, read_shapes, transformer_shapes, weight_files
from tests import small


def test_the_published_shapes_are_the_network_s() -> None:
    with torch.device("meta"):
        network = HunyuanVideoFramepackTransformer3DModel(has_image_proj=True, has_clean_x_embedder=True)
    real = {name: tuple(tensor.shape) for name, tensor in network.named_parameters()}
    inside = {
        name: shape
        for name, shape in real.items()
        if name.startswith(("transformer_blocks", "single_transformer_blocks"))
    }
    assert published_shapes() == inside


def test_shapes_are_read_where_the_weights_are(tmp_path: Path) -> None:
    folder = small.build(tmp_path / "model")
    network = small.transformer()
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert transformer_shapes(find(str(folder)), Shelves(tmp_path)) == expected
    assert transformer_shapes(find("framepack"), Shelves(tmp_path)) == published_shapes()


def test_weights_in_several_files(tmp_path: Path) -> None:
    folder = small.build(tmp_path / "model") / "transformer"
    (single,) = folder.glob("*.safetensors")
    before = weight_files(folder)
    tensors = load_file(single)
    halves = {"a.safetensors": list(tensors)[::2], "b.safetensors": list(tensors)[1::2]}
    for name, keys in halves.items():
        save_file({key: tensors[key] for key in keys}, folder / name)
    single.unlink()
    assert {name: path.name for name, path in weight_files(folder).items()} == {
        key: name for name, keys in halves.items() for key in keys
    }
    (folder / "a.safetensors").rename(folder / "c.safetensors")
    table = {key: "c.safetensors" if name[0] == "a" else name for name, keys in halves.items() for key in keys}
    (folder / INDEX).write_text(json.dumps({"weight_map": table}))
    assert weight_files(folder) == {key: folder / name for key, name in table.items()}
    assert weight_files(folder).keys() == before.keys()
    assert len(read_shapes(weight_files(folder))) == len(before)


def test_damaged_weights_are_one_sentence(tmp_path: Path) -> None:
    folder = small.build(tmp_path / "model")
    (single,) = (folder / "transformer").glob("*.safetensors")
    single.write_bytes(single.read_bytes()[:-1])
    with pytest.raises(ModelError, match="transformer"):
        transformer_shapes(find(str(folder)), Shelves(tmp_path))
