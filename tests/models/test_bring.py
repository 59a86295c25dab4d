"""A part that takes a while says how far it is, may be left between two words, and stays in its file where it does."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from eichi.catalog import NETWORKS, ModelFolders
from eichi.events import Preparing
from eichi.models.load import Components
from eichi.options import WeightsOptions
from eichi.pipeline.promptcache import read_prompts
from eichi.settings import Runtime
from tests import small


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small checkpoint as the published one is: the transformer in bfloat16, the rest in float16."""
    folder = small.build(tmp_path / "model")
    for path in folder.glob("*/*.safetensors"):
        dtype = torch.bfloat16 if path.parent.name == "transformer" else torch.float16
        save_file({name: tensor.to(dtype) for name, tensor in load_file(path).items()}, path)
    return folder


def components(folder: Path, half: bool = False) -> Components:
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu", half=half))


def lora(folder: Path) -> Path:
    """A change of one matrix."""
    torch.manual_seed(1)
    path, layer = folder / "one.safetensors", "transformer.transformer_blocks.0.attn.to_q"
    pair = {f"{layer}.lora_A.weight": torch.randn(2, 24), f"{layer}.lora_B.weight": torch.randn(24, 2)}
    save_file(pair, path)
    return path


def test_how_far_a_part_is_is_said_from_nothing_to_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.models.load.MANY", 1)
    parts = components(folder)
    for part in NETWORKS:
        words = list(parts.bring(part))
        assert {word.what for word in words} == {part}
        assert [word.done for word in words] == sorted({word.done for word in words})
        assert (words[0].done, words[-1].done) == (0, words[-1].total)
        assert 2 < len(words) <= 52  # every fiftieth, not every tensor
        assert list(parts.bring(part)) == []


def test_what_is_small_says_nothing(folder: Path) -> None:
    assert list(components(folder).bring(*NETWORKS)) == []
    assert list(components(folder).announce("prompts")) == []


@pytest.mark.parametrize("part", ["vae", "transformer"])
def test_a_part_may_be_left_half_way(folder: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr("eichi.models.load.MANY", 1)
    parts = components(folder)
    words = parts.bring(part)
    assert next(words).done < next(words).done < next(words).done
    words.close()
    left, whole = getattr(parts, part).state_dict(), getattr(components(folder), part).state_dict()
    assert all(torch.equal(left[name], whole[name]) for name in whole)


def test_another_strength_is_as_far_as_what_is_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = components(folder)
    list(parts.bring("transformer"))
    monkeypatch.setattr("eichi.models.load.MANY", 1)
    parts.want(WeightsOptions.model_validate({"loras": [lora(folder)]}))
    assert [word for word in parts.bring("transformer") if word.done] == [Preparing("transformer", 1152, 1152)]


def test_a_cpu_in_half_leaves_what_is_unchanged_in_its_file(folder: Path) -> None:
    """What a LoRA changes has memory of its own, and the file's again when it goes; nothing is written to the file."""
    (path,) = (folder / "transformer").glob("*.safetensors")
    content = path.read_bytes()
    parts = components(folder, half=True)

    def plain() -> set[str]:
        return set(parts.weights._left)

    every = {name for name, tensor in parts.transformer.state_dict().items() if tensor.dtype == torch.bfloat16}
    assert plain() == every
    before = {name: tensor.clone() for name, tensor in parts.transformer.state_dict().items()}
    parts.want(WeightsOptions.model_validate({"loras": [lora(folder)]}))
    changed = parts.transformer.state_dict()
    assert [name for name in every if not torch.equal(changed[name], before[name])] == [*(every - plain())]
    parts.want(WeightsOptions.model_validate({"fp8": "row"}))
    assert parts.weights.losses.keys() == every - plain()
    parts.want(WeightsOptions())
    after = parts.transformer.state_dict()
    assert plain() == every
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert path.read_bytes() == content


def test_a_prompt_is_read_layer_by_layer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large model, on a CPU; a prompt that was read before needs no encoder."""
    monkeypatch.setattr("eichi.models.load.LARGE", 1)
    parts = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu", cache=folder / "cache"))
    said = list(read_prompts(parts, ["a red star"]))
    assert said == [Preparing("prompts", done, 3 if done else 0) for done in range(4)]
    assert not any(layer._forward_hooks for layer in parts.text_encoder.layers)
    assert list(read_prompts(parts, ["a red star"])) == []


def test_llama_is_not_copied_on_a_cpu(folder: Path) -> None:
    for half, computed in ((False, torch.float32), (True, torch.bfloat16)):
        encoder = components(folder, half).text_encoder
        assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float16}
        assert encoder(input_ids=torch.arange(4)[None]).last_hidden_state.dtype == computed
