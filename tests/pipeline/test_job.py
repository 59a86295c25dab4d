"""What every job has around it: memory that runs out in the middle of a section costs the section's start, no more."""

import gc
import weakref
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from eichi import VideoOptions, generate, make_plan
from eichi.catalog import ModelFolders, find
from eichi.errors import DeviceError
from eichi.events import Adjusted, Event, Finished, Preparing, SectionDone, Step
from eichi.models.load import Components
from eichi.options import StepOptions, WeightsOptions
from eichi.pipeline.job import arrange, computed, make_weights, retry_steps, step_cache
from eichi.pipeline.promptcache import read_prompts
from eichi.plan.memory import GIB, Machine, Need, Placement, plan_memory
from eichi.settings import Runtime
from tests import small


def components(tmp_path: Path, gpu: float = 80 * GIB) -> Components:
    """A small model, placed as if there were a GPU."""
    made = Components(small.entry(small.build(tmp_path / "model")), Runtime(ModelFolders(tmp_path), "cpu"))
    made.arrange(Need(64, 64), Machine(gpu, 64 * GIB))
    return made


class Exhausted:
    """A forward pass that runs out of memory at its `at`-th calls."""

    def __init__(self, forward: Any, *at: int) -> None:
        self.forward, self.at, self.calls = forward, at, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls in self.at:
            raise torch.OutOfMemoryError
        return self.forward(*args, **kwargs)


def run(tmp_path: Path, picture: Path, name: str, *at: int, gpu: float = 80 * GIB) -> tuple[list[Event], bytes]:
    """A two-section job whose transformer fails at its `at`-th calls; its events and its video."""
    parts = components(tmp_path, gpu)
    options = VideoOptions.parse(
        {"image": picture, "prompt": "a", "seconds": 2, "seed": 1, "sampling": {"steps": 2, "teacache": True}}
    )
    plan = make_plan(options, parts.entry)
    block = parts.transformer.single_transformer_blocks[0]
    block.norm.forward = Exhausted(block.norm.forward, *at)
    events = list(generate(plan, tmp_path / name, parts))
    last = events[-1]
    assert isinstance(last, Finished)
    return events, Path(last.video).read_bytes()


def test_the_section_is_drawn_again_with_less(tmp_path: Path, picture: Path) -> None:
    plain, video = run(tmp_path, picture, "plain")
    # Two steps a section: the second step of the second section fails, and then its first again.
    events, same = run(tmp_path, picture, "short", 4, 5)
    assert same == video
    *before, one, two = [event for event in events if isinstance(event, Adjusted)]
    assert [(note.id, note.values["level"]) for note in (one, two)] == [("note.memory.lower", "streamed")] * 2
    assert [note.id for note in before] == [event.id for event in plain if isinstance(event, Adjusted)]
    steps = [(event.order, event.step) for event in events if isinstance(event, Step)]
    assert steps == [(0, 1), (0, 2), (1, 1), (1, 1), (1, 2)]
    done = [event for event in events if isinstance(event, SectionDone)]
    assert [event.order for event in done] == [0, 1]
    assert all(event.reused == 0 for event in done)


def test_where_nothing_is_left_to_give_it_is_said(tmp_path: Path, picture: Path) -> None:
    with pytest.raises(DeviceError, match="too little memory"):
        run(tmp_path, picture, "bottom", *range(1, 99))


def test_without_an_arrangement_there_is_no_second_try(tmp_path: Path) -> None:
    parts = Components(small.entry(small.build(tmp_path / "model")), Runtime(ModelFolders(tmp_path), "cpu"))
    assert [note.id for note in arrange(parts, VideoOptions(), Need(64, 64))][:1] == ["note.memory.cpu"]
    assert parts.placement == Placement("all")

    def draw() -> Generator[int, None, None]:
        yield 1
        raise torch.OutOfMemoryError

    drawn = retry_steps(draw, parts)
    assert next(drawn) == 1
    with pytest.raises(torch.OutOfMemoryError):
        next(drawn)


@pytest.mark.parametrize(("gpu", "stays"), [(80 * GIB, True), (24 * GIB, False), (None, False)])
def test_encoders_stay_only_where_there_is_room_for_everything(tmp_path: Path, gpu: float | None, stays: bool) -> None:
    parts = Components(small.entry(small.build(tmp_path / "model")), Runtime(ModelFolders(tmp_path), "cpu"))
    if gpu is not None:
        # Of the real model's size, so that it is a question.
        parts.entry = replace(parts.entry, anatomy=find("framepack").anatomy)
        parts.arrange(Need(640, 640), Machine(gpu, 64 * GIB))
    list(read_prompts(parts, {"a"}))
    assert ("text_encoder" in parts._loaded) == stays
    if stays:
        assert parts.step_down() is not None
        assert "text_encoder" not in parts._loaded


def test_a_large_part_that_goes_gives_its_memory_back_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks tie a network into a circle: a GPU would be full until somebody looked for circles."""
    monkeypatch.setattr("eichi.models.load.MANY", 1000)
    parts = components(tmp_path)
    parts.placement = Placement("kept", whole=False)
    encoder = weakref.ref(parts.text_encoder)
    gc.disable()
    try:
        parts.leave("text_encoder")
        assert encoder() is None
    finally:
        gc.enable()


def test_a_step_cache_leaves_nothing_behind(tmp_path: Path) -> None:
    parts = components(tmp_path)
    with step_cache(StepOptions(), parts) as cache:
        assert cache is not None
        cache.state.residual = torch.ones(1)
    assert cache.states == {}


def test_what_is_loaded_counts_as_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the second job would hear that there is too little memory, which the first one has."""
    parts = components(tmp_path)
    monkeypatch.setattr("eichi.models.load.measure", lambda *_: Machine(GIB, GIB))
    assert parts.machine == Machine(GIB, GIB)
    size = sum(parameter.nbytes for parameter in parts.transformer.parameters())
    assert parts.machine == Machine(GIB, GIB)  # on no GPU
    monkeypatch.setattr("eichi.models.load.on_gpu", lambda device: True)
    assert parts.machine == Machine(GIB + size, GIB)
    parts.limit = GIB / 2
    assert parts.machine == Machine(GIB / 2, GIB)
    parts.placement, parts.limit = Placement("streamed", 3, pinned=True), None
    assert parts.machine == Machine(GIB + size, GIB + size)  # in RAM of its own


@pytest.mark.parametrize(("steps", "nearest"), [(4, 10), (17, 10), (18, 25), (25, 25), (60, 50)])
def test_magcache_takes_the_table_of_the_nearest_number_of_steps(tmp_path: Path, steps: int, nearest: int) -> None:
    parts = Components(small.entry(small.build(tmp_path / "model")), Runtime(ModelFolders(tmp_path), "cpu"))
    parts.entry = replace(parts.entry, magcache=tuple((1.0,) * count for count in (25, 10, 50)))
    with step_cache(StepOptions(steps=steps, cache="mag"), parts) as cache:
        assert cache is not None
        assert len(cache.config.ratios) == nearest


def test_where_the_weights_go_is_said_with_its_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU; here one that is only said to be there, and nothing is loaded for it."""
    parts = Components(small.entry(small.build(tmp_path / "model")), Runtime(ModelFolders(tmp_path), "cpu"))
    parts.device = torch.device("cuda")
    parts.entry = replace(parts.entry, anatomy=find("framepack").anatomy)
    monkeypatch.setattr("eichi.models.load.measure", lambda *_: Machine(80 * GIB, 64 * GIB))
    (note,) = arrange(parts, VideoOptions(), Need(640, 640))
    assert note.id == "note.memory.plan"
    assert (note.values["level"], note.values["streamed"]) == ("all", 0)
    assert (note.values["gpu"], note.values["ram"]) == (45.21, 3.0)


def test_several_gpus_without_room_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small.build(tmp_path / "model")
    entry = replace(small.entry(folder), anatomy=find("framepack").anatomy)
    parts = Components(entry, Runtime(ModelFolders(tmp_path), "cpu", gpus=2))
    monkeypatch.setattr("eichi.pipeline.job.on_gpu", lambda device: True)
    monkeypatch.setattr("eichi.models.load.measure", lambda *_: Machine(24 * GIB, 64 * GIB))
    assert "note.gpus.one" in [note.id for note in arrange(parts, VideoOptions(prompt="a"), Need(640, 640))]
    with pytest.raises(DeviceError) as caught:
        list(arrange(parts, VideoOptions(prompt="a"), Need(640, 640), together=True))
    assert caught.value.id == "error.gpus.room"
    monkeypatch.setattr("eichi.models.load.measure", lambda *_: Machine(40 * GIB, 64 * GIB))
    notes = list(arrange(parts, VideoOptions(prompt="a"), Need(640, 640), together=True))
    assert notes[0] == Adjusted("note.gpus.shared", {"gpus": 2})
    assert parts.placement.level == "kept"
    assert parts.step_down() is None


def test_what_needs_cuda_is_said_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Components(small.entry(small.build(tmp_path / "model")), Runtime(ModelFolders(tmp_path), "cpu"))
    parts.device = torch.device("mps")
    parts.entry = replace(parts.entry, anatomy=find("framepack").anatomy)
    monkeypatch.setattr("eichi.models.load.measure", lambda *_: Machine(16 * GIB, 64 * GIB, streams=False))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: None)
    notes = list(arrange(parts, VideoOptions(), Need(640, 640)))
    assert [note.id for note in notes] == ["note.memory.plan", "note.device.streams"]
    assert notes[1].values == {"device": "mps"}
    assert (parts.placement.beside, parts.placement.pinned) == (False, False)


@pytest.mark.parametrize(("ram", "short"), [(64, []), (2, ["memory.short.cpu_float"])])
def test_a_cpu_has_a_forecast_before_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ram: int, short: list[str]
) -> None:
    parts = Components(small.entry(small.build(tmp_path / "model")), Runtime(ModelFolders(tmp_path), "cpu"))
    monkeypatch.setattr("eichi.models.load.measure", lambda *_: Machine(None, ram * GIB))
    note, *rest = arrange(parts, VideoOptions(), Need(640, 640))
    forecast = plan_memory(find("framepack"), Need(640, 640), Machine(None, 64 * GIB)).ram
    assert (note.id, note.values) == ("note.memory.cpu", {"ram": forecast})
    assert [one.id for one in rest] == short


def test_where_memory_runs_out_while_weights_are_loaded_they_take_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, tried = components(tmp_path), []

    def bring(self: Components, *names: str) -> Generator[Preparing, None, None]:
        tried.append(self.placement.level)
        if len(tried) == 1:
            raise torch.OutOfMemoryError
        yield from load(self, *names)

    load = Components.bring
    monkeypatch.setattr(Components, "bring", bring)
    (note,) = (word for word in make_weights(parts) if isinstance(word, Adjusted))
    assert (note.id, note.values["level"]) == ("note.memory.lower", parts.placement.level)
    assert len(tried) > 1 and tried[0] != tried[1] == parts.placement.level


def test_what_fp8_costs_is_said(tmp_path: Path) -> None:
    parts = Components(small.entry(small.build(tmp_path / "model")), Runtime(ModelFolders(tmp_path), "cpu"))
    assert list(make_weights(parts)) == []
    parts.want(WeightsOptions(fp8="row"))
    (note,) = (word for word in make_weights(parts) if isinstance(word, Adjusted))
    assert note.id == "note.fp8.loss"
    assert note.values["layers"] == len(parts.weights.losses)
    assert note.values["percent"] == round(100 * parts.weights.loss.share, 2) > 0


def test_a_kernel_that_is_not_taken_is_said(tmp_path: Path) -> None:
    folder = small.build(tmp_path / "model")
    parts = Components(small.entry(folder), Runtime(ModelFolders(tmp_path), "cpu", attention="sage"))
    said = [note for note in arrange(parts, VideoOptions(prompt="a"), Need(64, 64)) if "attention" in note.id]
    assert said == [Adjusted("note.attention.dropped", {"kernel": "sage", "reason": "absent", "taken": "native"})]


def test_a_record_names_every_kernel_that_drew(tmp_path: Path) -> None:
    parts: Any = SimpleNamespace(kernels=SimpleNamespace(record={"attention": "native"}), gpus=1)
    assert computed({"seed": 1}, parts) == {"seed": 1, "attention": "native"}
    assert computed({"attention": "flash 2.8"}, parts) == {"attention": "flash 2.8, native"}
    assert computed({"attention": "flash 2.8, native"}, parts) == {"attention": "flash 2.8, native"}
    parts.kernels.record = {}  # a CPU's
    assert computed({"seed": 1}, parts) == {"seed": 1}
    parts.gpus = 2
    assert computed({"seed": 1}, parts) == {"seed": 1, "gpus": 2}
