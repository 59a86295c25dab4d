"""Which workers a machine gets: one for each card that is asked for and there, or some that share the processor."""

from pathlib import Path

import pytest

from eichi.errors import OptionError
from eichi.jobs.slots import BY_BUS, ORDER, THREADS, VISIBLE, physical, slots
from eichi.settings import Settings

PCI = {ORDER: BY_BUS}


@pytest.mark.parametrize(
    ("device", "devices", "cards", "visible", "expected"),
    [
        ("auto", "auto", 2, None, [{VISIBLE: "0", **PCI}, {VISIBLE: "1", **PCI}]),
        ("auto", "auto", 1, None, [PCI]),  # torch may have been built without CUDA
        ("cuda", "1", 2, None, [{VISIBLE: "1", **PCI}]),
        ("auto", "cuda:1, cuda:0", 2, None, [{VISIBLE: "1", **PCI}, {VISIBLE: "0", **PCI}]),
        ("auto", "auto", 9, "GPU-a,3", [{VISIBLE: "GPU-a"}, {VISIBLE: "3"}]),
        ("auto", "1", 9, "5,3", [{VISIBLE: "3"}]),
        ("auto", "auto", 9, "1,-1,0", [{}]),  # the library reads no further
        ("auto", "0,7", 2, None, [{VISIBLE: "0", **PCI}]),  # the other is not there
        ("cuda:1", "auto", 2, None, [PCI]),
        ("cuda", "0,1", 0, None, [{VISIBLE: "0", **PCI}, {VISIBLE: "1", **PCI}]),  # AMD's
        ("mps", "2", 0, None, [PCI]),
        ("cpu", "auto", 2, None, [{}]),
        ("auto", "auto", 0, None, [{}]),
        ("auto", "none", 2, None, []),
    ],
)
def test_a_card_a_worker(
    tmp_path: Path, device: str, devices: str, cards: int, visible: str | None, expected: list[dict[str, str]]
) -> None:
    environment = {} if visible is None else {VISIBLE: visible}
    settings = Settings(home=tmp_path, device=device, devices=devices)
    assert [dict(slot.variables) for slot in slots(settings, environment, lambda: cards)] == expected


@pytest.mark.parametrize(
    ("gpus", "cards", "expected"),
    [(2, 4, ["0,1", "2,3"]), (2, 5, ["0,1", "2,3"]), (3, 2, ["0,1"]), (4, 4, ["0,1,2,3"])],
)
def test_cards_that_compute_one_video_are_one_workers(
    tmp_path: Path, gpus: int, cards: int, expected: list[str]
) -> None:
    made = slots(Settings(home=tmp_path, gpus=gpus), {}, lambda: cards)
    assert [slot.variables[VISIBLE] for slot in made] == expected


def test_workers_on_a_processor_share_its_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    settings = Settings(home=tmp_path, device="cpu", devices="3")
    made = slots(settings, {}, lambda: 2)
    assert [(slot.number, slot.variables) for slot in made] == [(n, {THREADS: "2"}) for n in (1, 2, 3)]
    assert [slot.variables for slot in slots(settings, {THREADS: "1"})] == [{}] * 3


@pytest.mark.parametrize("wrong", ["all", "0;x", "-1", "cuda:", "1.5"])
def test_what_is_no_list_of_cards_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(OptionError, match="numbers separated by commas"):
        Settings(home=tmp_path).given(devices=wrong)


def test_a_card_has_one_name_in_every_process() -> None:
    assert [physical(1, {}), physical(0, {VISIBLE: "1"}), physical(0, {VISIBLE: "GPU-a, 1"})] == ["1", "1", "GPU-a"]
