"""Names and shapes of weights, known without loading them."""

import json
from math import prod
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from eichi.catalog import NETWORKS, ModelFolders, find
from eichi.errors import ModelError
from eichi.models.formats import INDEX, arrange
from eichi.models.networks import make_network
from eichi.models.shapes import transformer_shapes
from tests import small


@pytest.mark.parametrize("part", NETWORKS)
def test_the_published_shapes_are_the_network_s(part: str) -> None:
    """Made of the config that is kept with them, and as large as the catalogue says."""
    published, anatomy = find("framepack").published[part], find("framepack").anatomy
    network = make_network(part, published.config)
    assert published.shapes == {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert all(parameter.is_meta for parameter in network.parameters() if parameter.numel() > 10_000)
    assert 2 * sum(prod(shape) for shape in published.shapes.values()) == anatomy.size(part)


def test_shapes_are_read_where_the_weights_are(tmp_path: Path) -> None:
    folder = small.build(tmp_path / "model")
    network = small.transformer()
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert transformer_shapes(find(str(folder)), ModelFolders(tmp_path)) == expected
    assert transformer_shapes(find("framepack"), ModelFolders(tmp_path)) == dict(
        find("framepack").published["transformer"].shapes
    )


def test_weights_in_several_files(tmp_path: Path) -> None:
    folder = small.build(tmp_path / "model") / "transformer"
    (single,) = folder.glob("*.safetensors")
    before = arrange("transformer", folder).shapes
    tensors = load_file(single)
    halves = {"a.safetensors": list(tensors)[::2], "b.safetensors": list(tensors)[1::2]}
    for name, keys in halves.items():
        save_file({key: tensors[key] for key in keys}, folder / name)
    single.unlink()
    assert {name: piece.path.name for name, piece in arrange("transformer", folder).pieces.items()} == {
        key: name for name, keys in halves.items() for key in keys
    }
    (folder / "a.safetensors").rename(folder / "c.safetensors")
    table = {key: "c.safetensors" if name[0] == "a" else name for name, keys in halves.items() for key in keys}
    (folder / f"x{INDEX}").write_text(json.dumps({"weight_map": table}))
    found = arrange("transformer", folder)
    assert {name: piece.path for name, piece in found.pieces.items()} == {key: folder / at for key, at in table.items()}
    assert found.shapes == before


def test_damaged_weights_are_one_sentence(tmp_path: Path) -> None:
    folder = small.build(tmp_path / "model")
    (single,) = (folder / "transformer").glob("*.safetensors")
    single.write_bytes(single.read_bytes()[:-1])
    with pytest.raises(ModelError, match="transformer"):
        transformer_shapes(find(str(folder)), ModelFolders(tmp_path))
