"""One section is drawn step by step, and whoever asks hears of every step which section it is."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from eichi.catalog import Shelves
from eichi.errors import RunError
from eichi.events import Preview, Step
from eichi.models.load import Components
from eichi.options import StepOptions
from eichi.pipeline.denoise import denoise_section
from eichi.settings import Runtime
from tests import small

STEPS = 4
SPOILT = RunError("error.run.nan", number=3)


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Components:
    folder = small.build(tmp_path_factory.mktemp("model"))
    return Components(small.entry(folder), Runtime(Shelves(folder), "cpu"))


def draw(
    components: Components, monkeypatch: pytest.MonkeyPatch, last: float = 1.0, **options: Any
) -> tuple[list[Step], list[Preview], Tensor]:
    """What is said of a section whose predictions are known, and its latents; the denoiser is not asked for any."""
    noise = torch.randn((1, 16, 3, 4, 6), generator=torch.Generator().manual_seed(0))

    def predictions(*_: object) -> Iterator[Tensor]:
        for step in range(STEPS):
            yield noise * (last if step == STEPS - 1 else 0.0)

    monkeypatch.setattr("eichi.pipeline.denoise.sample_section", predictions)
    denoiser: Any = SimpleNamespace(restart=lambda: None, options=StepOptions(steps=STEPS))
    drawing = denoise_section(components, denoiser, noise, SPOILT, (2, 5), **options)
    steps: list[Step] = []
    previews: list[Preview] = []
    while True:
        try:
            event = next(drawing)
        except StopIteration as end:
            assert torch.equal(end.value, noise * last)
            return steps, previews, end.value
        if isinstance(event, Step):
            steps.append(event)
        if isinstance(event, Preview):
            previews.append(event)


def test_every_step_says_which_section_it_is_of(components: Components, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, previews, _ = draw(components, monkeypatch)
    assert steps == [Step(2, 5, step, STEPS) for step in range(1, STEPS + 1)]
    assert previews == []


def test_every_preview_says_which_section_it_is_of(components: Components, monkeypatch: pytest.MonkeyPatch) -> None:
    _, previews, _ = draw(components, monkeypatch, previews=2)
    assert [(preview.order, preview.step) for preview in previews] == [(2, 2), (2, 4)]
    assert {preview.pixels.shape for preview in previews} == {(3, 4, 6, 3)}


def test_latents_that_are_no_numbers_are_refused(components: Components, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError) as caught:
        draw(components, monkeypatch, last=float("inf"))
    assert caught.value is SPOILT
