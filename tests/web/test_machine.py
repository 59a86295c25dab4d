"""What the page knows of the machine's memory, and what it says of a plan's."""

import os
from pathlib import Path

import pytest
from eichi.web.parts import summary

from eichi import make_plan
from eichi.options import VideoOptions
from eichi.plan.memory import GIB, Machine
from eichi.settings import Settings
from eichi.web.desk import Desk
from eichi.web.i18n import Words
from eichi.web.machine import MIB, Probe

WORDS = Words("en")


def card(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A command of NVIDIA's name that says this."""
    folder.mkdir()
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.mark.skipif(os.name == "nt", reason="the command is a shell script here")
@pytest.mark.parametrize(
    ("device", "script", "expected"),
    [
        ("auto", "printf '11000\\n7000\\n'", 11000.0),
        ("cuda:1", "printf '11000\\n7000\\n'", 7000.0),
        ("cuda:2", "printf '11000\\n7000\\n'", None),
        ("cpu", "printf '11000\\n'", None),
        ("auto", "echo '[N/A]'", None),
        ("auto", "echo 'no driver' >&2; exit 9", None),
    ],
)
def test_free_memory_is_that_of_the_card(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, device: str, script: str, expected: float | None
) -> None:
    card(tmp_path / "bin", monkeypatch, script)
    machine = Probe().look(Settings(home=home, device=device))
    assert machine.gpu == (None if expected is None else expected * MIB)
    assert machine.ram > 0


def test_a_plan_says_its_memory(desk: Desk, video: VideoOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan(video)
    here: dict[str, Machine] = {}
    monkeypatch.setattr(desk.probe, "look", lambda settings: here["now"])
    told = []
    for machine in (Machine(None, 64 * GIB), Machine(16 * GIB, 64 * GIB), Machine(None, 0.0), Machine(0.0, 64 * GIB)):
        here["now"] = machine
        told.append(summary("line", plan, desk, WORDS))
    assert ["GPU memory" in text for text in told] == [False, True, False, True]
    assert ["Too little RAM" in text for text in told] == [False, False, True, False]
    assert ["Too little GPU memory" in text for text in told] == [False, False, False, True]
