"""What the page knows of the machine's memory."""

import os
from pathlib import Path

import pytest

from eichi.settings import Settings
from eichi.web.machine import MIB, Probe


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
