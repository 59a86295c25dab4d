"""What the page knows of the machine's memory."""

import os
from pathlib import Path

import pytest

from eichi.plan.cards import find_card
from eichi.settings import Settings
from eichi.setup.builds import Build
from eichi.web.machine import MIB, Probe, other_maker


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


@pytest.mark.skipif(os.name == "nt", reason="the command is a shell script here")
def test_what_is_known_of_the_card(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = (
        'case "$1" in *free*) printf "11000\\n7000\\n";; *) printf "NVIDIA GeForce RTX 4070\\nNVIDIA T4\\n";; esac'
    )
    card(tmp_path / "bin", monkeypatch, answers)
    probe = Probe()
    machine = probe.look(Settings(home=home, attention="sage"))
    assert (machine.card, machine.kernel) == (find_card("RTX 4070"), "sage")
    other = probe.look(Settings(home=home, device="cuda:1"))
    assert (other.gpu, other.card) == (7000 * MIB, None)


@pytest.mark.parametrize(
    ("system", "processor", "build", "maker"),
    [
        ("linux", "x86_64", Build("2.13.0", "cpu"), None),
        ("linux", "x86_64", Build("2.13.0", "cuda", "13.0"), None),
        ("linux", "x86_64", None, None),
        ("win32", "AMD64", Build("2.13.0", "xpu"), ("xpu", "xpu")),
        ("linux", "x86_64", Build("2.13.0", "rocm", "6.4"), ("cuda", "amd")),
        ("darwin", "arm64", Build("2.13.0", "cpu"), ("mps", "mps")),
        ("darwin", "x86_64", Build("2.13.0", "cpu"), None),
    ],
)
def test_whose_gpu_torch_is_built_for(
    monkeypatch: pytest.MonkeyPatch, system: str, processor: str, build: Build | None, maker: tuple[str, str] | None
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: processor)
    monkeypatch.setattr("eichi.web.machine.build_in", lambda _: build)
    assert other_maker() == maker
