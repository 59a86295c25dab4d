"""`eichi doctor --fix` with stand-ins for uv, pip and the card: what it does, says and refuses."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from eichi import torchfix
from eichi.errors import DeviceError, InputError
from eichi.settings import Settings
from eichi.setup.builds import Build
from eichi.setup.cards import Card
from eichi.setup.torches import AUTO, PLAIN
from eichi.torchfix import fix
from eichi.words import languages, say
from tests.setup.test_torches import UNREACHABLE, Answering

RTX = Card("RTX 4090", (580, 65, 6), (8, 9))
CPU, CUDA = Build("2.13.0", "cpu"), Build("2.13.0", "cuda", "13.0")
OFFERED = (True, " - torch==2.13.0+cpu\n + torch==2.13.0+cu130\n")


class Machine:
    """What lies where: builds of torch one after another, a card, uv or none, how programs end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.builds: list[Build | None] = [CPU, CUDA]
        self.card: Card | None = RTX
        self.uv: Answering | None = Answering("uv", answers={AUTO: OFFERED})
        self.ran: list[Sequence[str]] = []
        self.missing: tuple[str, ...] = ()
        self.said: list[str] = []
        self.folder = folder
        monkeypatch.setattr(torchfix, "build_in", lambda packages: self.builds.pop(0))
        monkeypatch.setattr(torchfix, "best", lambda: self.card)
        monkeypatch.setattr(torchfix, "find", lambda root, environ: self.uv)
        monkeypatch.setattr("subprocess.run", self._run)
        monkeypatch.setattr("sys.prefix", str(folder))

    def _run(self, command: Sequence[str], **named: Any) -> "subprocess.CompletedProcess[str]":
        self.ran.append(command)
        failed = any(part in " ".join(command) for part in self.missing)
        return subprocess.CompletedProcess(command, int(failed), "True\n", "")

    def fix(self, **settings: Any) -> torchfix.Fixed:
        def tell(id: str, **values: object) -> None:
            self.said.append(id)
            assert all(say(id, language, **values) for language in languages())

        return fix(Settings(**settings), tell)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def test_a_cpu_torch_beside_a_card_is_replaced_by_uv(machine: Machine) -> None:
    assert machine.fix() == torchfix.Fixed(True, "2.13.0+cpu", "2.13.0+cuda13.0")
    assert machine.uv is not None
    (asked,) = machine.uv.asked
    assert asked[-4:] == ("--reinstall-package", "torch", "torch==2.13.0", "--torch-backend=auto")
    assert machine.said == ["fix.cpu", "fix.command", "start.torch", "start.torch.size", "fix.done"]


def test_the_start_scripts_mark_is_away_meanwhile(machine: Machine) -> None:
    (machine.folder / "ready").touch()
    machine.fix()
    assert not (machine.folder / "begun").exists()
    machine.builds, machine.uv = [CPU], Answering("uv", answers={AUTO: (False, ""), PLAIN: (False, UNREACHABLE)})
    with pytest.raises(DeviceError, match="torch could not be found"):
        machine.fix()
    assert not (machine.folder / "begun").exists()  # nothing was touched


def test_a_replacement_that_fails_leaves_the_mark(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine.folder / "ready").touch()
    monkeypatch.setattr(Answering, "run", lambda self, *arguments, quiet=False: 1)
    with pytest.raises(DeviceError):
        machine.fix()
    assert (machine.folder / "begun").exists()


def test_without_uv_pip_asks_for_the_builds_that_run(machine: Machine) -> None:
    machine.uv, machine.missing = None, ("cu132",)
    machine.fix()
    done = [" ".join(command[1:]) for command in machine.ran if "--dry-run" not in command and "install" in command]
    assert done[-1].endswith("--extra-index-url https://download.pytorch.org/whl/cu130 torch==2.13.0+cu130")


@pytest.mark.parametrize(
    ("missing", "id"),
    [(("--help",), "error.fix.tool"), (("--dry-run",), "error.fix.server"), (("+cu132",), "")],
)
def test_what_pip_cannot(machine: Machine, missing: tuple[str, ...], id: str) -> None:
    machine.uv, machine.missing = None, missing
    if not id:
        assert machine.fix().changed
        return
    with pytest.raises(DeviceError) as raised:
        machine.fix()
    assert raised.value.id == id


def test_nothing_to_repair(machine: Machine) -> None:
    machine.builds = [CUDA]
    assert machine.fix() == torchfix.Fixed(False, "2.13.0+cuda13.0", "2.13.0+cuda13.0")
    machine.builds, machine.card = [CPU], None
    assert not machine.fix().changed
    assert machine.said == ["fix.nothing.card", "fix.nothing"]


def test_what_is_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(kind: type[Exception], **settings: Any) -> str:
        machine.builds = [CPU, CPU]
        with pytest.raises(kind) as raised:
            machine.fix(**settings)
        assert all(str(raised.value.say(language)) for language in languages())  # type: ignore[attr-defined]
        return str(raised.value.id)  # type: ignore[attr-defined]

    assert refused(InputError, offline=True) == "error.fix.offline"
    assert refused(DeviceError) == "error.fix.still"
    machine.card = Card("RTX 3060", (470, 82), (8, 6))
    assert refused(DeviceError) == "start.driver"
    machine.card, machine.uv = (
        RTX,
        Answering("uv", answers={AUTO: (False, UNREACHABLE), PLAIN: (True, " + torch==2.13.0\n")}),
    )
    monkeypatch.setattr("sys.platform", "win32")
    assert refused(DeviceError) == "error.fix.registry"
    monkeypatch.setattr("sys.prefix", sys.base_prefix)
    assert refused(InputError) == "error.fix.python"


def test_a_new_torch_that_finds_no_card(machine: Machine) -> None:
    machine.missing = ("import torch",)
    with pytest.raises(DeviceError) as raised:
        machine.fix()
    assert raised.value.id == "start.torch.broken"


def test_the_version_is_the_programs_where_there_is_none(machine: Machine) -> None:
    machine.builds = [None, CUDA]
    assert machine.fix().before is None
    assert machine.said[0] == "fix.absent"
