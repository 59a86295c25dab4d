"""One section is drawn step by step, and whoever asks hears of every step which section it is."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from eichi.catalog import ModelFolders
from eichi.errors import RunError
from eichi.events import Adjusted, Preview, Step
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
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))


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


def test_a_kernel_that_gives_no_numbers_is_replaced(components: Components, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its first step already; it is not taken again where torch's own gives numbers."""
    fallen: list[str] = []
    kernels: Any = SimpleNamespace(foreign=True, condemn=fallen.append)

    def fall_back() -> str | None:
        gone, kernels.foreign = "sage" if kernels.foreign else None, False
        return gone

    kernels.fall_back = fall_back
    monkeypatch.setattr(components, "kernels", kernels)
    noise = torch.ones(1, 16, 1, 4, 4)
    drawn: list[int] = []

    def predictions(*_: object) -> Iterator[Tensor]:
        for step in range(STEPS):
            drawn.append(step)
            yield noise * (float("nan") if kernels.foreign else 1.0)

    monkeypatch.setattr("eichi.pipeline.denoise.sample_section", predictions)
    denoiser: Any = SimpleNamespace(restart=lambda: None, options=StepOptions(steps=STEPS))
    events = list(denoise_section(components, denoiser, noise, SPOILT))
    assert [event.id for event in events if isinstance(event, Adjusted)] == ["note.attention.nan"]
    assert drawn == [0, *range(STEPS)]
    assert fallen == ["sage"]


def test_no_kernel_is_blamed_for_what_torchs_own_cannot_draw_either(
    components: Components, monkeypatch: pytest.MonkeyPatch
) -> None:
    condemned: list[str] = []
    kernels: Any = SimpleNamespace(foreign=True, fall_back=lambda: "flash", condemn=condemned.append)
    monkeypatch.setattr(components, "kernels", kernels)
    with pytest.raises(RunError) as caught:
        draw(components, monkeypatch, last=float("nan"))
    assert caught.value is SPOILT
    assert condemned == []
