"""The example LoRA: a handful of steps teach it something, and its file does in the program what it did in training."""

from pathlib import Path

import pytest
import torch

from eichi.catalog import ModelFolders, find
from eichi.models.load import Components
from eichi.models.lorafile import read_lora
from eichi.models.loramatch import match_lora
from eichi.options import WeightsOptions
from eichi.settings import Runtime
from training import lora


@pytest.mark.parametrize("style", lora.STYLES)
def test_a_style_repaints(style: str) -> None:
    frames = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    painted = lora.STYLES[style](frames)
    assert painted.shape == frames.shape
    assert -1.001 <= float(painted.min()) < float(painted.max()) <= 1.001
    assert float((painted - frames).abs().mean()) > 0.2


@pytest.mark.slow
def test_it_learns_and_its_file_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora, "SIZES", ((48, 48),))
    student = lora.Student("tiny", "blueprint", count=2)
    (clips,) = student.clips
    assert (len(clips), clips.clips.shape) == (2, (2, 37, 16, 6, 6))

    @torch.no_grad()
    def mean() -> float:
        return sum(float(student.error(number, batch=2)) for number in range(1000, 1004)) / 4

    before = mean()
    student.learn(8, batch=2)
    assert mean() < 0.97 * before

    path = tmp_path / "blueprint.safetensors"
    student.save(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    components = Components(find("tiny"), Runtime(ModelFolders(tmp_path), "cpu"))
    match = match_lora(read_lora(path), components.weights.shapes, "tiny")
    assert (match.unmatched, match.foreign, match.file.format) == ((), False, "diffusers")
    components.want(WeightsOptions.model_validate({"loras": [f"{path}:1"]}))
    merged = components.transformer.state_dict()
    taught = student.net.transformer
    for name in match.shares:
        layer = taught.get_submodule(name.removesuffix(".weight"))
        expected = layer.get_base_layer().weight + layer.get_delta_weight("default")
        assert torch.allclose(merged[name], expected, atol=2e-3), name
