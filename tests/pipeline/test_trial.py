"""Every way to run a model is tried, the others too where one fails, and what is changed for one is not left behind."""

from pathlib import Path

import pytest
import torch

from eichi import make_plan
from eichi.catalog import Shelves
from eichi.models.attention import PACKAGES
from eichi.models.load import Components
from eichi.models.lorafile import read_lora
from eichi.models.loramatch import match_lora
from eichi.options import VideoOptions, WeightsOptions
from eichi.pipeline.trial import Way, about, example_lora, try_out, ways
from eichi.plan.memory import GIB, Need, forecast
from eichi.plan.plan import Plan
from eichi.settings import Runtime
from tests import small

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Components:
    folder = small.build(tmp_path_factory.mktemp("framepack"))
    return Components(small.entry(folder), Runtime(Shelves(folder), "cpu"))


@pytest.fixture
def plan(components: Components, picture: Path) -> Plan:
    values = {"image": picture, "prompt": "a", "seconds": 1.0, "seed": 1, "sampling": {"steps": 2, "teacache": False}}
    return make_plan(VideoOptions.parse(values), components.entry)


def test_what_is_tried(tmp_path: Path) -> None:
    names = [way.name for way in ways(CPU, tmp_path / "a.safetensors")]
    assert {"plain", "lora", "fp8 tensor", "fp8 row", "streamed", "attention native", "attention chunked"} <= set(names)
    assert not any(name == f"attention {kernel}" for name in names for kernel in PACKAGES)


def test_each_is_told_and_leaves_nothing(components: Components, plan: Plan, tmp_path: Path) -> None:
    lora = example_lora(components, tmp_path / "example.safetensors")
    tried = [Way("lora", {"loras": [lora], "fp8": "row"}), Way("no file", {"loras": [tmp_path / "none"]})]
    tried += [Way("sage", {}, "sage"), Way("chunked", {}, "chunked", share=0.5)]
    runs = list(try_out(plan, components, tried))
    assert [run.good for run in runs] == [True, False, False, True]
    assert "note.fp8.loss" in runs[0].notes
    assert "sage" in str(runs[2].error)
    assert runs[3].seconds is not None and runs[3].seconds > 0
    assert (components.attention, components.share) == ("auto", None)
    assert about(components).versions


def test_the_example_fits_every_matrix(components: Components, tmp_path: Path) -> None:
    file = read_lora(example_lora(components, tmp_path / "example.safetensors"))
    match = match_lora(file, components.weights.shapes, "small")
    assert len({components.weights.shapes[name] for name in match.shares}) > 1  # also those that are no squares
    assert len(match.shares) == len(file.layers)
    assert (match.odd, match.unmatched) == ((), ())


def test_on_a_gpu_the_peak_stands_beside_its_forecast(
    components: Components, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here a GPU that is only said to be there, and that computes nothing."""
    monkeypatch.setattr(components, "device", torch.device("cuda"))
    monkeypatch.setattr(components, "need", Need(64, 64))
    monkeypatch.setattr("eichi.pipeline.trial.compute", lambda *_: iter(()))
    for name, answer in (("empty_cache", None), ("reset_peak_memory_stats", None), ("max_memory_reserved", 5 * GIB)):
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    (run,) = try_out(plan, components, [Way("plain", {})])
    expected = forecast(components.entry.anatomy, Need(64, 64), components.placement)
    assert (run.peak_gib, run.forecast_gib) == (5.0, round(expected.gpu / GIB, 2))
    assert expected.gpu > GIB / 10


def test_a_card_that_multiplies_is_tried_with_that_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.pipeline.trial.multiplies", lambda _: True)
    tried = ways(CPU, tmp_path / "a.safetensors")
    wanted = [WeightsOptions.model_validate(way.weights) for way in tried]
    assert ("row", True) in {(weights.fp8, weights.fp8_math) for weights in wanted}
