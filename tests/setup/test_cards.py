"""Cards and drivers by what the driver's program and the kernel say."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from eichi.setup import cards as asked
from eichi.setup.cards import Card, backends, best, cards, dotted, driver_name, needed, usable, version_of

SMI = "NVIDIA GeForce RTX 3060, 551.86, 8.6\nNVIDIA RTX 4090, Laptop, 551.86, 8.9\n"


def answer(monkeypatch: pytest.MonkeyPatch, said: str, code: int = 0) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr("subprocess.run", lambda *given, **named: CompletedProcess(given, code, said, ""))
    monkeypatch.setattr(asked, "KERNEL", ())


def test_cards_are_read_with_their_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, SMI)
    first, second = cards()
    assert best() == second
    assert first == Card("NVIDIA GeForce RTX 3060", (551, 86), (8, 6))
    assert second.name == "NVIDIA RTX 4090, Laptop"


def test_a_program_without_a_driver_is_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9)
    assert cards() == ()


def test_an_old_driver_that_cannot_say_what_the_card_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "GeForce GTX 1080, 450.80.02, [Not Supported]\n")
    assert cards() == (Card("GeForce GTX 1080", (450, 80, 2)),)


def test_the_kernel_speaks_where_the_program_is_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    told = tmp_path / "version"
    told.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (root@x)\n")
    monkeypatch.setattr(asked, "KERNEL", (tmp_path / "absent", told))
    assert cards() == (Card("NVIDIA", (580, 65, 6)),)


@pytest.mark.parametrize(
    ("system", "driver", "compute", "wanted"),
    [
        ("linux", (580, 65, 6), (8, 9), ("cu132", "cu130", "cu129", "cu128", "cu126")),
        ("linux", (550, 54, 14), (8, 6), ("cu129", "cu128", "cu126")),
        ("win32", (528, 33), (8, 6), ("cu129", "cu128", "cu126")),
        ("win32", (528, 32), (8, 6), ()),
        ("linux", (525, 60, 13), None, ("cu129", "cu128", "cu126")),
        ("linux", (470, 82), (8, 6), ()),
        ("linux", (580, 65, 6), (6, 1), ("cu126",)),  # GTX 10
        ("linux", (580, 65, 6), (12, 0), ("cu132", "cu130", "cu129", "cu128")),  # RTX 50
        ("linux", (470, 82), (3, 5), ()),
    ],
)
def test_which_builds_run(
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    driver: tuple[int, ...],
    compute: tuple[int, ...] | None,
    wanted: tuple[str, ...],
) -> None:
    monkeypatch.setattr("sys.platform", system)
    assert backends(Card("x", driver, compute)) == wanted


def test_versions() -> None:
    assert version_of(" 580.65.06 ") == (580, 65, 6)
    assert version_of("[N/A]") == ()
    assert dotted((12, 0)) == "12.0"
    assert driver_name(version_of("580.65.06")) == "580.65.06"
    assert needed(14) == needed(13)


@pytest.mark.parametrize(
    ("compute", "wanted"), [((8, 6), True), ((8, 9), True), ((7, 0), False), ((12, 0), True), ((13, 0), True)]
)
def test_what_torch_was_built_for(compute: tuple[int, ...], wanted: bool) -> None:
    assert usable(compute, ["sm_75", "sm_80", "sm_86", "sm_90a", "sm_120", "compute_120", "ptx"]) == wanted
