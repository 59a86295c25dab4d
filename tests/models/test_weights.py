"""Weights made one tensor at a time are those that diffusers loads, and damaged files are refused."""

import os
from pathlib import Path

import pytest
import torch
from diffusers import HunyuanVideoFramepackTransformer3DModel
from safetensors.torch import load_file, save_file

from eichi.catalog import ModelFolders
from eichi.errors import DeviceError, LoraError, ModelError
from eichi.models import fp8
from eichi.models.head import kept_in
from eichi.models.load import Components
from eichi.models.merged import Found, Merged
from eichi.models.offload import CPU, streamed_names
from eichi.models.weights import Weights
from eichi.options import WeightsOptions
from eichi.plan.memory import Need, Placement
from eichi.settings import Runtime
from tests import loras, small


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small.build(tmp_path / "model")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_same_as_diffusers_loads(folder: Path, dtype: torch.dtype) -> None:
    part = folder / "transformer"
    network = HunyuanVideoFramepackTransformer3DModel.from_pretrained(part)
    weights = Weights("small", *small.source(part), dtype, torch.device("cpu"))
    weights.change(WeightsOptions())
    ours, theirs = weights.transformer.state_dict(), network.state_dict()
    assert list(ours) == list(theirs)
    for name, tensor in ours.items():
        assert tensor.dtype == kept_in(name, dtype)
        assert torch.equal(tensor, theirs[name].to(tensor.dtype))
    assert not weights.transformer.training
    assert not any(parameter.requires_grad for parameter in weights.transformer.parameters())
    assert weights.transformer.dtype == dtype


def test_the_file_may_go_and_come_back(folder: Path) -> None:
    """Nothing that is made stays tied to the file it was read from."""
    components = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))
    before = components.transformer.state_dict()
    (path,) = (folder / "transformer").glob("*.safetensors")
    copies = {name: tensor.clone() for name, tensor in before.items()}
    path.write_bytes(bytes(path.stat().st_size))
    assert all(torch.equal(tensor, copies[name]) for name, tensor in components.transformer.state_dict().items())


@pytest.mark.parametrize("damage", ["cut", "shape", "missing"])
def test_damaged_weights_are_one_sentence(folder: Path, damage: str) -> None:
    (path,) = (folder / "transformer").glob("*.safetensors")
    tensors = load_file(path)
    if damage == "shape":
        tensors["proj_out.weight"] = torch.ones(3, 3)
    if damage == "missing":
        del tensors["proj_out.weight"]
    save_file(tensors, path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="transformer") as caught:
        _ = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu")).transformer
    assert "\n" not in str(caught.value)


def test_what_is_wanted_is_made_when_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    components = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))
    path = loras.build(tmp_path / "a.safetensors", "musubi", components.weights.shapes)
    name = "transformer_blocks.0.attn.to_q.weight"
    plain = components.transformer.state_dict()[name].clone()
    before = components.fingerprint
    components.want(WeightsOptions.model_validate({"loras": [path]}))
    assert not torch.equal(components.transformer.state_dict()[name], plain)
    assert components.weights.made == 40
    assert components.fingerprint == before  # prompts are read by encoders that no LoRA changes
    components.want(WeightsOptions())
    assert torch.equal(components.transformer.state_dict()[name], plain)


def test_a_file_that_goes_while_a_job_runs_is_not_missed(folder: Path, tmp_path: Path) -> None:
    components = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))
    path = loras.build(tmp_path / "a.safetensors", "musubi", components.weights.shapes)
    wanted = WeightsOptions.model_validate({"loras": [path]})
    components.want(wanted)
    made = components.transformer
    path.unlink()
    assert components.transformer is made
    components.want(wanted)
    for _ in range(2):
        with pytest.raises(LoraError, match=r"a\.safetensors"):
            _ = components.transformer
    components.want(WeightsOptions())
    components.release("transformer")
    assert components.transformer is not made
    assert components.weights.made == len(components.weights.shapes)


def test_multiplication_in_eight_bits_is_refused_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.models.fp8.multiplies", lambda device: False)
    components = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))
    components.want(WeightsOptions(fp8="row"))
    components.want(WeightsOptions(fp8_math=True))
    with pytest.raises(DeviceError, match=r"weights\.fp8_math"):
        components.want(WeightsOptions(fp8="row", fp8_math=True))


class Counted(Merged):
    """Merged weights that count what was found."""

    hits = 0

    def find(self, key: str) -> Found | None:
        found = super().find(key)
        self.hits += found is not None
        return found


@pytest.mark.parametrize("kind", ["off", "tensor", "row"])
def test_merged_weights_are_kept_and_found(folder: Path, tmp_path: Path, kind: str) -> None:
    merged = Counted(tmp_path / "merged", 2**30)
    weights = Weights("small", *small.source(folder / "transformer"), torch.float32, torch.device("cpu"), merged)
    path = loras.build(tmp_path / "a.safetensors", "musubi", weights.shapes)

    def wanted(strength: float) -> WeightsOptions:
        return WeightsOptions.model_validate({"loras": [{"file": path, "strength": strength}], "fp8": kind})

    weights.change(wanted(0.8))
    first = {name: tensor.clone() for name, tensor in weights.transformer.state_dict().items()}
    loss, count = weights.loss, len(list(merged.folder.iterdir()))
    assert (merged.hits, count) == (0, 40)
    weights.change(wanted(0.4))
    assert merged.hits == 0
    weights.change(wanted(0.8))
    assert (merged.hits, weights.made) == (40, 40)
    assert all(torch.equal(tensor, first[name]) for name, tensor in weights.transformer.state_dict().items())
    assert weights.loss == loss
    # Another file under the same name, and another checkpoint, are not taken for these.
    os.utime(path, ns=(1, 1))
    weights.change(wanted(0.8))
    assert merged.hits == 40


def test_merged_weights_have_a_limit_and_may_be_damaged(folder: Path, tmp_path: Path) -> None:
    merged = Counted(tmp_path / "merged", 2**30)
    weights = Weights("small", *small.source(folder / "transformer"), torch.float32, torch.device("cpu"), merged)
    wanted = WeightsOptions.model_validate(
        {"loras": [loras.build(tmp_path / "a.safetensors", "musubi", weights.shapes)]}
    )
    weights.change(wanted)
    for file in merged.folder.iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    weights.change(WeightsOptions())
    weights.change(wanted)
    assert merged.hits == 0
    merged.limit = sum(file.stat().st_size for file in merged.folder.iterdir()) // 2
    merged.tidy()
    assert 0 < len(list(merged.folder.iterdir())) < 40


def test_weights_that_are_no_numbers_are_refused(folder: Path) -> None:
    (path,) = (folder / "transformer").glob("*.safetensors")
    tensors = load_file(path)
    tensors["proj_out.weight"][0, 0] = torch.nan
    save_file(tensors, path)
    with pytest.raises(ModelError, match=r"proj_out\.weight"):
        _ = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu")).transformer


def test_nothing_comes_to_the_device_that_is_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card with room for weights in eight bits need not have it for those before; and what leaves goes first."""
    device = torch.device("cpu:0")  # another than the RAM, in name
    weights = Weights("small", *small.source(folder / "transformer"), torch.float32, device)
    blocks = ("transformer_blocks.", "single_transformer_blocks.")
    weights.change(WeightsOptions(), blocks)
    sent: list[str] = []
    send = weights._send

    def noted(name: str) -> None:
        sent.append(name)
        send(name)

    monkeypatch.setattr(weights, "_send", noted)
    weights.change(WeightsOptions(fp8="row"), ("transformer_blocks.0.",))
    assert sent and not [name for name in sent if weights.recipes[name].fp8 != "off"]
    first = [name.startswith("transformer_blocks.0.") for name in sent]
    assert first == sorted(first, reverse=True)
    fresh = Weights("small", *small.source(folder / "transformer"), torch.float32, device)
    fresh.change(WeightsOptions(fp8="row"))
    theirs = fresh.transformer.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in weights.transformer.state_dict().items())
    sent.clear()
    weights.give_way(blocks)
    assert sent and all(name.startswith(blocks) for name in sent)


def test_what_will_be_rounded_goes_before_prompts_are_read(folder: Path) -> None:
    """It is twice as large; and it comes back, whatever is wanted then."""
    weights = Weights("small", *small.source(folder / "transformer"), torch.float32, CPU)
    weights.change(WeightsOptions())
    before = weights.transformer.state_dict()
    weights.give_way((), "row")
    hollow = {name for name, tensor in weights.transformer.state_dict().items() if tensor.is_meta}
    assert hollow == {name for name, tensor in before.items() if fp8.eligible(name, tensor.ndim)}
    weights.change(WeightsOptions())
    assert weights.made == len(hollow)
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights.transformer.state_dict().items())
    weights.change(WeightsOptions(fp8="row"))
    weights.give_way((), "row")
    assert not any(tensor.is_meta for tensor in weights.transformer.state_dict().values())


def test_a_transformer_gives_way_before_it_is_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompts of the next job are read beside as much of it as is planned for that job."""
    components = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))
    weights = components.weights
    given: list[tuple[object, ...]] = []
    monkeypatch.setattr(weights, "give_way", lambda *told: given.append(told))
    components.want(WeightsOptions(fp8="row"))
    components._settle(Need(64, 64), Placement("streamed", 2, whole=False, beside=False))
    assert given == [(streamed_names(weights.transformer, components.placement), "row")]
