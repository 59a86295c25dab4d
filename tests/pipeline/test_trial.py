"""Every way to run a model is tried twice, the others too where one fails, and nothing of one is left behind."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from eichi.catalog import PARTS, ModelFolders, find
from eichi.models import kernels, meter
from eichi.models.kernels import PACKAGES
from eichi.models.load import Components
from eichi.models.lorafile import read_lora
from eichi.models.loramatch import match_lora
from eichi.models.meter import Peaks
from eichi.options import LoraOptions, WeightsOptions
from eichi.pipeline import ways as module
from eichi.pipeline.report import Memory, Trial
from eichi.pipeline.trial import Bench, about
from eichi.pipeline.ways import CARDS, FREE, RANK, Given, Room, Way, example_lora, lacks_ram, room, unable, ways
from eichi.plan.memory import CUDA, GIB, Machine, Need, Placement, choose, forecast
from eichi.settings import Runtime
from tests import small

CUDA_DEVICE = torch.device("cuda")


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Components:
    """A small model, which needs as little memory as the embedded one."""
    folder = small.build(tmp_path_factory.mktemp("framepack"))
    entry = replace(small.entry(folder), anatomy=find("tiny").anatomy)
    return Components(entry, Runtime(ModelFolders(folder), "cpu"))


@pytest.fixture
def given(components: Components, picture: Path) -> Given:
    return Given(components.entry, components.runtime.models, picture, "a", 2)


@pytest.fixture
def bench(components: Components, given: Given) -> Bench:
    return Bench(components, given, minutes=10)


def test_each_is_told_and_leaves_nothing(components: Components, bench: Bench, tmp_path: Path) -> None:
    lora = example_lora(components.weights.shapes, tmp_path / "example.safetensors")
    plain = bench.try_out(Way("plain", 64))
    merged = bench.try_out(Way("lora", 64, WeightsOptions(loras=(LoraOptions(file=lora),), fp8="row")))
    missing = bench.try_out(Way("no file", 64, WeightsOptions(loras=(LoraOptions(file=tmp_path / "none"),))))
    chunked = bench.try_out(Way("chunked", 64, attention="chunked"))
    assert [run.good for run in (plain, merged, missing, chunked)] == [True, True, False, True]
    assert [run.repeats for run in (plain, merged, missing, chunked)] == [True, True, None, True]
    assert plain.latents != merged.latents and plain.frames != merged.frames
    assert "note.fp8.loss" in merged.notes
    assert missing.error is not None and str(tmp_path) in missing.error.message
    assert (plain.kernel, chunked.kernel) == ("native", "chunked")
    assert plain.placement == Placement("cpu") and plain.memory is None
    assert None not in (plain.step, plain.loading, plain.decoding, plain.seconds)
    assert (components.kernels.wanted, components.limit, components.runtime.compiled) == ("auto", None, False)
    assert about(components).versions


@pytest.mark.parametrize("kind", ["forward", "frame"])
def test_other_kinds_are_tried_with_the_same_weights(bench: Bench, kind: Any) -> None:
    run = bench.try_out(Way(kind, 64, kind=kind))
    assert (run.good, run.repeats, run.error) == (True, True, None)


def test_a_step_cache_says_what_it_saved(bench: Bench) -> None:
    bench.given = replace(bench.given, steps=6)
    assert bench.try_out(Way("mag", 64, cache="mag")).reused > 0


def test_bytes_that_differ_are_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run, seeds = bench._run, iter([1, 2])
    monkeypatch.setattr(bench, "_run", lambda plan: run(replace(plan, seed=next(seeds))))
    made = bench.try_out(Way("plain", 64))
    assert (made.good, made.repeats) == (True, False)


def test_what_a_library_complains_of_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> Iterator[None]:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(bench, "_run", fail)
    run = bench.try_out(Way("plain", 64))
    assert run.error is not None and "illegal memory access" in run.error.message


def test_time_that_is_short_is_said(components: Components, given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """A way takes twenty seconds here; the one after it must have as many left."""
    clock = [0.0]
    bench = Bench(components, given, minutes=0.5, clock=lambda: clock[0])

    def tried(way: Way) -> Trial:
        clock[0] += 20.0
        bench._costs[way.side] = 20.0
        return Trial(way.name, way.side, True)

    monkeypatch.setattr(bench, "_tried", tried)
    monkeypatch.setattr("eichi.pipeline.trial.unable", lambda *_: None)
    assert [bench.try_out(Way("a", side)).left for side in (64, 64, 640)] == [None, "time", "time"]


def test_what_is_tried_and_in_which_order(components: Components, given: Given, tmp_path: Path) -> None:
    anatomy = find("framepack").anatomy
    entry = replace(components.entry, sizes={64: ((64, 64),), 640: ((640, 640),)}, anatomy=anatomy)
    tried = ways(entry, tmp_path / "a")
    assert [(way.name, way.side) for way in tried[:2]] == [("plain", 64), ("plain", 640)]
    assert tried[-1].compiled
    assert len({(way.name, way.side) for way in tried}) == len(tried)
    assert {f"{gb} GB" for gb in CARDS} <= {way.name for way in tried}
    assert {f"attention {kernel}" for kernel in PACKAGES} <= {way.name for way in tried}
    told = Given(entry, given.models, given.picture, "a", 2)
    example_lora(components.weights.shapes, tmp_path / "a")
    plans = [told.plan(way) for way in tried]
    assert {(plan.width, plan.height) for plan in plans} == {(64, 64), (640, 640)}


def test_what_a_cpu_cannot_do_is_said(components: Components) -> None:
    left = {
        "device": Way("a", 64, card=8),
        "large": Way("a", 640),
        "compile": Way("a", 64, compiled=True),
        "kernel": Way("a", 64, attention="sage"),
    }
    assert {name: unable(way, components) for name, way in left.items()} == {name: name for name in left}
    assert unable(Way("a", 64), components) is None


@pytest.fixture
def card(components: Components, monkeypatch: pytest.MonkeyPatch) -> Components:
    """A card of 24 GB that is only said to be there, and a model that is said to be large."""
    monkeypatch.setattr(components, "entry", replace(components.entry, anatomy=find("framepack").anatomy))
    monkeypatch.setattr(components, "device", CUDA_DEVICE)
    monkeypatch.setattr(module, "total", lambda _: 24 * GIB)
    monkeypatch.setattr(Components, "machine", Machine(23.0 * GIB, 64.0 * GIB))
    return components


def test_smaller_cards_are_played_and_larger_ones_left_out(card: Components, given: Given) -> None:
    anatomy = card.entry.anatomy
    small_card, large = Way("a", 64, card=8), Way("a", 64, card=32)
    assert (unable(small_card, card), unable(large, card)) == (None, "card")
    plan = given.plan(small_card)
    assert room(plan, small_card, card) == Room(FREE * 8 * GIB, FREE * 8 * GIB)
    streamed = room(plan, Way("a", 64, streamed=0.5), card)
    assert streamed.planned is not None
    placement = choose(anatomy, plan.need, Machine(streamed.planned, 64.0 * GIB))
    assert placement.level == "streamed" and placement.streamed == pytest.approx(30, abs=2)
    tight = room(plan, Way("a", 64, tight=True), card)
    assert tight.planned is None and tight.allowed is not None
    assert tight.allowed < forecast(anatomy, plan.need, choose(anatomy, plan.need, Machine(23.0 * GIB, 64.0))).gpu
    assert room(plan, Way("a", 64), card) == Room()


def test_weights_that_are_no_files_must_fit_into_ram(
    card: Components, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Way("a", 64, card=8)
    plan = given.plan(way)
    assert not lacks_ram(plan, way, card, mapped=False)
    monkeypatch.setattr(Components, "machine", Machine(23.0 * GIB, 16.0 * GIB))
    assert lacks_ram(plan, way, card, mapped=False)
    assert not lacks_ram(plan, way, card, mapped=True)


def test_on_a_card_the_peak_stands_beside_its_forecast(
    components: Components, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Peaks are those of a card that is only said to be there."""
    monkeypatch.setattr(meter, "peaks", lambda _: Peaks(4 * GIB, 5 * GIB))
    placement = Placement("streamed", 30, whole=False, beside=False)
    monkeypatch.setattr(components, "need", Need(64, 64))
    monkeypatch.setattr(components, "placement", placement)
    run = bench.try_out(Way("plain", 64))
    expected = forecast(components.entry.anatomy, Need(64, 64), placement)
    size = expected.gpu - CUDA
    moved = round(expected.moved / GIB, 2)
    assert run.memory == Memory(4.0, 5.0, round(size / GIB, 2), round(5 * GIB / size, 2), moved)
    assert run.rate is not None and run.step is not None
    assert run.rate == pytest.approx(moved * GIB / 1e9 / run.step, rel=0.05)


def test_a_way_is_set_and_put_back(components: Components, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed: list[float | None] = []
    exact: list[bool] = []
    seen: list[Any] = []
    monkeypatch.setattr(meter, "allow", lambda _, size: allowed.append(size))
    monkeypatch.setattr("eichi.pipeline.trial.repeat", lambda _, wanted: exact.append(wanted))
    monkeypatch.setattr("eichi.pipeline.trial.unable", lambda *_: None)
    monkeypatch.setattr("eichi.pipeline.trial.room", lambda *_: Room(7.0, 8.0))
    run = bench._run

    def watched(plan: Any) -> Any:
        seen.append((components.limit, components.kernels.exact, components.runtime.compiled))
        components.runtime = replace(components.runtime, compiled=False)  # it would take half a minute
        return run(plan)

    monkeypatch.setattr(bench, "_run", watched)
    assert bench.try_out(Way("a", 64, exact=True, compiled=True)).good
    assert seen[0] == (7.0, True, True)
    assert (allowed, exact) == ([8.0, None], [True, False])
    assert (components.limit, components.kernels.exact, components.runtime.compiled) == (None, False, False)


def test_the_example_fits_every_matrix(components: Components, tmp_path: Path) -> None:
    file = read_lora(example_lora(components.weights.shapes, tmp_path / "example.safetensors"))
    match = match_lora(file, components.weights.shapes, "small")
    assert len({components.weights.shapes[name] for name in match.shares}) > 1  # also those that are no squares
    assert len(match.shares) == len(file.layers)
    assert (match.odd, match.unmatched) == ((), ())
    assert {layer.size.rank for layer in file.layers} == {RANK}


def test_kernels_that_are_installed_are_named(components: Components, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "version", lambda name: "1.2")
    assert about(components).kernels == dict.fromkeys(PACKAGES, "1.2")


def test_what_is_measured_is_of_one_way(components: Components, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are given back where others come, or the same elsewhere; peaks would be those of the way before."""
    gone: list[set[str]] = []
    monkeypatch.setattr(components, "release", lambda *names: gone.append(set(names)))
    row = WeightsOptions(fp8="row")
    tried = [Way("a", 64), Way("a", 640), Way("b", 64, row), Way("c", 64, WeightsOptions(fp8="row", fp8_math=True))]
    for way in [*tried, Way("d", 64, row, card=8), Way("d", 64, compiled=True, card=8)]:
        bench._clear(way)
    assert gone == [set(PARTS), {"transformer"}, set(PARTS), {"transformer"}]
