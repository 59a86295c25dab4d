"""Networks that are filled one tensor at a time are those that the libraries load, whatever their files call things."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPTextModel, LlamaModel, SiglipVisionModel

from eichi.catalog import ModelFolders, find
from eichi.errors import ModelError
from eichi.models.formats import read_config
from eichi.models.load import Components
from eichi.models.networks import make_network
from eichi.models.source import FileSource, fill
from eichi.settings import Runtime
from tests import small

PARTS: dict[str, Callable[..., nn.Module]] = {
    "vae": lambda folder, dtype: AutoencoderKLHunyuanVideo.from_pretrained(folder, torch_dtype=dtype),
    "text_encoder": lambda folder, dtype: LlamaModel.from_pretrained(folder, dtype=dtype),
    "text_encoder_2": lambda folder, dtype: CLIPTextModel.from_pretrained(folder, dtype=dtype),
    "image_encoder": lambda folder, dtype: SiglipVisionModel.from_pretrained(folder, dtype=dtype),
}


def filled(part: str, place: Path, config: Any, dtype: torch.dtype) -> nn.Module:
    network = make_network(part, read_config(place, config))
    fill(network, FileSource(part, place), dtype)
    return network


def same(ours: nn.Module, theirs: nn.Module) -> bool:
    """Whether all that two networks hold is equal, bit by bit, tables that stand in no file among it."""
    pairs = [dict([*one.named_parameters(), *one.named_buffers()]) for one in (ours, theirs)]
    assert pairs[0].keys() == pairs[1].keys()
    return all(
        a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(*(pair.values() for pair in pairs), strict=True)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("part", PARTS)
def test_the_same_as_the_libraries_load(part: str, dtype: torch.dtype) -> None:
    root = find("tiny").root
    assert root is not None
    ours = filled(part, root / part, {}, dtype)
    assert same(ours, PARTS[part](root / part, dtype))
    assert not ours.training
    assert not any(parameter.requires_grad for parameter in ours.parameters())


@pytest.mark.parametrize("prefix", ["model.", "text_model.", "a.larger.network."])
@pytest.mark.parametrize("part", PARTS)
def test_a_prefix_is_nothing_of_the_part_s(tmp_path: Path, part: str, prefix: str) -> None:
    """As in networks that the part was taken out of; without a config beside it, the known one."""
    entry = find("tiny")
    assert entry.root is not None
    (path,) = (entry.root / part).glob("*.safetensors")
    tensors = {f"{prefix}{name}": tensor for name, tensor in load_file(path).items()}
    save_file(tensors | {"other.weight": torch.zeros(2)}, tmp_path / "one.safetensors")
    made = filled(part, tmp_path / "one.safetensors", entry.published[part].config, torch.float32)
    assert same(made, PARTS[part](entry.root / part, torch.float32))


def test_what_a_cpu_wants_as_it_is_stays_in_its_file() -> None:
    """No second copy of seven billion numbers."""
    root = find("tiny").root
    assert root is not None
    source = FileSource("text_encoder", root / "text_encoder")
    network = make_network("text_encoder", read_config(root / "text_encoder", {}))
    read: dict[str, int] = {}
    plain = source.read

    def watched(name: str) -> torch.Tensor:
        tensor = plain(name)
        read[name] = tensor.data_ptr()
        return tensor

    source.read = watched  # type: ignore[method-assign]
    fill(network, source, torch.float16)
    assert all(network.get_parameter(name).data_ptr() == place for name, place in read.items())


@pytest.mark.parametrize("damage", ["number", "shape", "missing", "config"])
@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_part_is_one_sentence(tmp_path: Path, part: str, damage: str) -> None:
    folder = small.build(tmp_path / "model")
    (path,) = (folder / part).glob("*.safetensors")
    tensors = load_file(path)
    name = next(name for name, tensor in tensors.items() if tensor.ndim >= 2)
    if damage == "number":
        tensors[name][-1] = float("nan")
    if damage == "shape":
        tensors[name] = tensors[name][:-1]
    if damage == "missing":
        del tensors[name]
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    if damage == "config":
        (folder / part / "config.json").write_text("[]", encoding="utf-8")
    components = Components(small.entry(folder), Runtime(ModelFolders(tmp_path), "cpu"))
    with pytest.raises(ModelError) as caught:
        getattr(components, part)
    assert caught.value.id == "error.model.damaged"
    assert "\n" not in str(caught.value)


def test_weights_may_come_from_elsewhere(tmp_path: Path) -> None:
    """Of a part whose source is given no file is looked for; what tells it from others is what the source says."""
    entry, folder = find("tiny"), small.build(tmp_path / "model")
    assert entry.root is not None
    source = FileSource("text_encoder_2", entry.root / "text_encoder_2")
    plain = Components(entry, Runtime(ModelFolders(tmp_path), "cpu"))
    given = Components(
        entry, Runtime(ModelFolders(tmp_path), "cpu"), ("text_encoder_2", "vae"), sources={"text_encoder_2": source}
    )
    assert given.folders.keys() == {"vae"}
    assert same(given.text_encoder_2, plain.text_encoder_2)
    assert given.fingerprint.keys() == {"text_encoder_2", "vae"}
    other = {"text_encoder_2": FileSource("text_encoder_2", folder / "text_encoder_2")}
    parts = Components(entry, Runtime(ModelFolders(tmp_path), "cpu"), ("text_encoder_2",), sources=other)
    assert parts.fingerprint["text_encoder_2"] != given.fingerprint["text_encoder_2"]
