"""Devices of every maker, here with modules that only say they are there: what is picked, asked and done without."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from eichi.models import ram
from eichi.models.device import (
    card_of,
    empty_cache,
    measure,
    peak,
    pick_device,
    reset_peak,
    room,
    side_stream,
    streams,
    synchronise,
    title,
)
from eichi.models.kernels import choose
from eichi.plan.cards import find_card
from eichi.plan.memory import GIB

CPU = torch.device("cpu")


class Maker(SimpleNamespace):
    """torch's module for a kind of device; it writes down what was asked of it."""

    def __init__(self, here: bool = True, **answers: Any) -> None:
        super().__init__(asked=[], is_available=lambda: here)
        for name, answer in answers.items():
            setattr(self, name, self._said(name, answer))

    def _said(self, name: str, answer: Any) -> Any:
        def say(*given: Any) -> Any:
            self.asked.append((name, *given))
            if isinstance(answer, Exception):
                raise answer
            return answer

        return say


def intel(**answers: Any) -> Maker:
    whole: dict[str, Any] = {
        "mem_get_info": (10 * GIB, 16 * GIB),
        "memory_reserved": 3 * GIB,
        "memory_allocated": GIB,
        "max_memory_reserved": 4 * GIB,
        "get_device_name": "Arc",
        "get_device_properties": SimpleNamespace(total_memory=16 * GIB),
        "synchronize": None,
        "empty_cache": None,
        "reset_peak_memory_stats": None,
    }
    return Maker(**(whole | answers))


def apple() -> Maker:
    return Maker(recommended_max_memory=24 * GIB, current_allocated_memory=2 * GIB, synchronize=None, empty_cache=None)


@pytest.mark.parametrize(
    ("here", "picked"),
    [((), "cpu"), (("mps",), "mps"), (("xpu", "mps"), "xpu"), (("cuda", "xpu"), "cuda")],
)
def test_auto_takes_what_torch_has(here: tuple[str, ...], picked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("cuda", "xpu", "mps"):
        monkeypatch.setattr(torch, kind, Maker(kind in here))
    assert pick_device("auto").type == picked


def test_what_intel_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    device, maker = torch.device("xpu", 0), intel()
    monkeypatch.setattr(torch, "xpu", maker)
    assert room(device) == (12 * GIB, 16 * GIB)
    machine = measure(device, 7.0)
    assert (machine.gpu, machine.preserve_gb, machine.streams) == (12 * GIB, 7.0, False)
    assert (title(device), peak(device)) == ("Arc", 4 * GIB)
    maker.asked.clear()
    synchronise(device)
    empty_cache(device)
    reset_peak(device)
    assert maker.asked == [("synchronize", device), ("empty_cache",), ("reset_peak_memory_stats", device)]


def test_a_card_of_intel_that_does_not_tell_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "xpu", intel(mem_get_info=RuntimeError("no")))
    assert room(torch.device("xpu", 0)) == (15 * GIB, 16 * GIB)


@pytest.mark.parametrize(("free", "found"), [(64, 22), (5, 5)])
def test_apples_memory_is_the_computers(free: int, found: int, monkeypatch: pytest.MonkeyPatch) -> None:
    device, maker = torch.device("mps"), apple()
    monkeypatch.setattr(torch, "mps", maker)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=free * GIB, total=64 * GIB))
    machine = measure(device)
    assert (machine.gpu, machine.ram, machine.streams) == (found * GIB, free * GIB, False)
    assert (title(device), peak(device)) == ("mps", None)
    maker.asked.clear()
    synchronise(device)
    empty_cache(device)
    reset_peak(device)
    assert maker.asked == [("synchronize",), ("empty_cache",)]


def test_a_processor_is_asked_nothing() -> None:
    assert (room(CPU), peak(CPU), title(CPU), side_stream(CPU), streams(CPU)) == (None, None, "cpu", None, False)
    synchronise(CPU)
    empty_cache(CPU)
    reset_peak(CPU)
    machine = measure(CPU, 8.0)
    assert (machine.gpu, machine.preserve_gb) == (None, 8.0)
    assert machine.ram > 0


@pytest.mark.parametrize("kind", ["xpu", "mps"])
def test_attention_is_chosen_on_any_device(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of the type that is computed in are tried; nothing that is for CUDA."""
    tried: list[Any] = []
    monkeypatch.setattr("eichi.models.kernels.fused", lambda device, dtype=None: tried.append(dtype))
    assert choose(torch.device(kind), dtype=torch.float32).kernel == "chunked"
    assert tried == [torch.float32]


def driver(monkeypatch: pytest.MonkeyPatch, name: str, told: Any = None) -> None:
    """A CUDA driver that tells this of its card."""
    properties = SimpleNamespace(
        name=name,
        total_memory=12 * GIB,
        major=8,
        minor=9,
        multi_processor_count=46,
        clock_rate=2_475_000,
        memory_bus_width=192,
        memory_clock_rate=10_501_000,
    )
    monkeypatch.setattr(torch, "cuda", Maker(get_device_properties=told or properties))


def test_what_is_known_of_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda", 0)
    driver(monkeypatch, "NVIDIA GeForce RTX 4070")
    known = card_of(cuda)
    assert known is find_card("RTX 4070")
    driver(monkeypatch, "NVIDIA GeForce RTX 4071")
    worked_out = card_of(cuda)
    assert worked_out is not None
    assert known is not None
    assert worked_out.bf16 == pytest.approx(known.bf16, rel=0.01)
    assert worked_out.memory == known.memory
    driver(monkeypatch, "", RuntimeError("no driver"))
    assert card_of(cuda) is None
    driver(monkeypatch, "AMD")
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert card_of(cuda) is None
    assert card_of(CPU) is None


@pytest.mark.parametrize(("system", "limit"), [("win32", 16 * GIB), ("linux", None)])
def test_windows_lets_half_of_the_memory_be_pinned(
    system: str, limit: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=32 * GIB))
    assert ram.pinnable() == limit
