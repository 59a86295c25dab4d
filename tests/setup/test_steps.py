"""The set-up from its first mark to its last, with a uv and a Python that only write down what they are told."""

import errno
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eichi.setup import start, steps
from eichi.setup.alone import alone
from eichi.setup.cards import Card
from eichi.setup.steps import Place, set_up
from eichi.setup.torches import Trouble
from eichi.setup.uv import Uv, python_of
from eichi.words import languages, say

RTX = Card("RTX 4090", (580, 65, 6), (8, 9))
BASE = sys.executable


@dataclass(frozen=True)
class Noting(Uv):
    """uv that makes what it is asked for in a few files; it fails at the step that is named."""

    fails: str = ""
    calls: list[str] = field(default_factory=list)
    build: str = "cuda: Optional[str] = '13.0'"
    code: int = 2  # that it fails with

    def run(self, *arguments: str, quiet: bool = False) -> int:
        line = " ".join(arguments)
        self.calls.append(line + " --quiet" * quiet)
        if self.fails and self.fails in line:
            return self.code
        if arguments[0] == "venv":
            self._environment(Path(arguments[-1]))
        if "--editable" in arguments:
            Path(arguments[3]).with_name("eichi").touch()
        if any(one.startswith("torch==") for one in arguments):
            version = Path(arguments[3]).parents[1] / "lib" / "python3.11" / "site-packages" / "torch" / "version.py"
            version.parent.mkdir(parents=True, exist_ok=True)
            version.write_text(f"__version__ = '2.13.0'\n{self.build}\n")
        return 0

    def ask(self, *arguments: str) -> tuple[bool, str]:
        return True, " + torch==2.13.0+cu130\n"

    def _environment(self, folder: Path) -> None:
        python = python_of(folder)
        python.parent.mkdir(parents=True, exist_ok=True)
        (folder / "pyvenv.cfg").touch()
        # Imports of torch and of the program succeed; all else is Python's own.
        gone = f'*"import eichi"*) cat "{folder}/gone" 2>/dev/null; exit 0;;'
        python.write_text(f'#!/bin/sh\ncase "$*" in *"import torch"*) echo True;; {gone} *) exec {BASE} "$@";; esac\n')
        python.chmod(0o755)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    root = tmp_path / "program"
    (root / "install").mkdir(parents=True)
    (root / "install" / "lock.txt").write_text("click==8.5.1 \\\n    --hash=sha256:00\n")
    (root / "constraints.txt").write_text("click==8.5.1\ntorch==2.13.0\n")
    monkeypatch.setattr(steps, "best", lambda: RTX)
    monkeypatch.setattr(steps, "ROOM", 0)
    monkeypatch.setattr(steps, "CARD_ROOM", 0)
    return Place(root)


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for Python is a script of the shell's")


def run(place: Place, uv: Noting, *extras: str) -> list[str]:
    said: list[str] = []

    def tell(id: str, **values: object) -> None:
        said.append(id)
        assert all(say(id, language, **values) for language in languages())

    set_up(place, uv, BASE, extras, tell)
    return said


def test_a_set_up_from_nothing(place: Place) -> None:
    uv = Noting("uv")
    assert not place.ready
    assert run(place, uv) == [
        "start.begin", "start.card", "start.libraries", "start.torch", "start.torch.size", "start.ready",
    ]  # fmt: skip
    assert place.ready
    assert not (place.environment / "begun").exists()
    venv, libraries, torch, program = uv.calls
    assert venv.startswith("venv --clear --python") and "--quiet" not in libraries + torch
    assert "--no-deps --require-hashes" in libraries and libraries.endswith("install/lock.txt")
    assert torch.endswith("torch==2.13.0 --torch-backend=auto")
    assert "--no-deps --no-build-isolation --editable" in program


@pytest.mark.parametrize("step", ["venv", "--require-hashes", "torch==", "--editable"])
def test_what_fails_on_its_way_is_begun_anew(place: Place, step: str) -> None:
    with pytest.raises(Trouble) as raised:
        run(place, Noting("uv", fails=step))
    assert raised.value.id == "start.failed"
    assert not place.ready
    uv = Noting("uv")
    said = run(place, uv)
    assert place.ready
    assert uv.calls[0].startswith("venv --clear")
    assert ("start.anew" in said) == (step != "venv")


@pytest.mark.parametrize(("code", "cause"), [(-9, "SIGKILL"), (-25, "SIGXFSZ"), (0xC0000005, "0xC0000005")])
@pytest.mark.parametrize("step", ["venv", "--require-hashes", "torch==", "--editable"])
def test_what_the_system_ended_is_named(place: Place, step: str, code: int, cause: str) -> None:
    with pytest.raises(Trouble) as raised:
        run(place, Noting("uv", fails=step, code=code))
    assert raised.value.id == "start.killed" and raised.value.values["cause"] == cause


def test_an_extra_that_the_system_ended_is_named(place: Place) -> None:
    said: list[str] = []
    with pytest.raises(Trouble):
        set_up(place, Noting("uv", fails="[sage]", code=-9), BASE, ("sage",), lambda id, **values: said.append(id))
    assert "start.killed" in said and place.ready


def test_what_lost_a_library_is_made_anew(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    run(place, Noting("uv"))
    (place.environment / "gone").write_text("av numpy\n")
    assert place.gaps == ("av", "numpy")
    assert started(place, monkeypatch, "check")[0] == 1
    said: list[dict[str, object]] = []
    uv = Noting("uv")
    set_up(place, uv, BASE, (), lambda id, **values: said.append({"id": id, **values}))
    assert said[2] == {"id": "start.gaps", "names": "av, numpy"}
    assert uv.calls[0].startswith("venv --clear")


def test_a_torch_that_died_without_a_word_is_told_by_its_signal(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.run", lambda *given, **named: subprocess.CompletedProcess([], -4, "", ""))
    with pytest.raises(Trouble) as raised:
        steps._try(place, None, lambda id, **values: None)
    assert raised.value.values == {"reason": "SIGILL"}


def test_an_update_goes_on_with_what_is_there(place: Place) -> None:
    run(place, Noting("uv"))
    place.lock.write_text("click==8.6.0 \\\n    --hash=sha256:00\n")
    assert not place.ready
    uv = Noting("uv")
    run(place, uv)
    assert place.ready
    assert not any(call.startswith("venv") for call in uv.calls)
    assert not any("--reinstall-package" in call for call in uv.calls)


def test_another_python_is_made_anew(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    run(place, Noting("uv"))
    monkeypatch.setattr(steps, "_version", lambda python: "3.11" if python == BASE else "3.14")
    uv = Noting("uv")
    assert "start.python" in run(place, uv)
    assert uv.calls[0].startswith("venv --clear")


def test_a_cpu_torch_beside_a_card_is_changed_and_said_where_it_stays(place: Place) -> None:
    cpu = Noting("uv", build="cuda: Optional[str] = None")
    assert "start.torch.cpu" in run(place, cpu)
    (place.environment / "ready").unlink()
    uv = Noting("uv")
    assert "start.torch.cpu" not in run(place, uv)
    assert "--reinstall-package torch" in uv.calls[1]


def test_extras_are_kept_for_later_set_ups(place: Place) -> None:
    uv = Noting("uv")
    assert "start.extras" in run(place, uv, "triton")
    assert uv.calls[-1].endswith(f"{place.root}[triton]") and "--constraints" in uv.calls[-1]
    (place.environment / "ready").unlink()
    again = Noting("uv")
    run(place, again)
    assert again.calls[-1].endswith("[triton]")


def test_an_extra_that_cannot_be_had_keeps_nobody_from_the_page(place: Place) -> None:
    with pytest.raises(Trouble) as raised:
        run(place, Noting("uv", fails="[sage]"), "triton", "sage")
    assert (raised.value.id, raised.value.values) == ("start.extras.failed", {"names": "sage"})
    assert place.ready and place.extras == ("triton",)


def test_what_doctor_began_is_not_ready(place: Place) -> None:
    run(place, Noting("uv"))
    (place.environment / "begun").touch()
    assert not place.ready


def test_a_disk_without_room_is_said_before_anything(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the build for the card takes, where there is one."""
    uv = Noting("uv")
    monkeypatch.setattr(steps, "CARD_ROOM", 2**60)
    with pytest.raises(Trouble) as raised:
        run(place, uv)
    assert (raised.value.id, raised.value.values["needed"], uv.calls) == ("start.room.card", 2**30, [])
    monkeypatch.setattr(steps, "best", lambda: None)
    monkeypatch.setattr(steps, "ROOM", 2**60)
    with pytest.raises(Trouble) as raised:
        run(place, uv)
    assert (raised.value.id, uv.calls) == ("start.room", [])


def test_the_registrys_build_for_cuda_is_weighed_as_well(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a card, where torch's own server cannot be reached."""
    monkeypatch.setattr(steps, "best", lambda: None)
    monkeypatch.setattr(steps, "CARD_ROOM", 2**60)
    uv = Noting("uv")
    with pytest.raises(Trouble, match=r"start\.room\.card"):
        run(place, uv)
    assert not any("torch==" in call for call in uv.calls)


def test_what_an_interrupted_set_up_left_takes_no_room_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(place.root).free
    with pytest.raises(Trouble):
        run(place, Noting("uv", fails="torch=="))
    with (place.environment / "left").open("wb") as file:
        file.truncate(2**40)
    monkeypatch.setattr(steps, "CARD_ROOM", free + 2**39)
    run(place, Noting("uv"))
    assert place.ready


@pytest.mark.parametrize("gone", ["bin/eichi", "pyvenv.cfg"])
def test_what_of_an_environment_is_gone_is_brought_again(place: Place, gone: str) -> None:
    run(place, Noting("uv"))
    (place.environment / gone).unlink()
    assert place.ready == (gone == "pyvenv.cfg")
    (place.environment / "ready").write_bytes(b"\xff damaged")
    assert not place.ready
    uv = Noting("uv")
    said = run(place, uv)
    assert place.ready and ("start.anew" in said) == (gone == "pyvenv.cfg")
    assert any("--editable" in call for call in uv.calls)


@pytest.mark.parametrize(
    ("system", "last", "id"),
    [
        ("nt", "OSError: [WinError 126] Error loading c10.dll; DLL load failed", "start.torch.windows"),
        ("posix", "ImportError: libgomp.so.1: cannot open shared object file", "start.torch.broken"),
    ],
)
def test_a_torch_that_cannot_be_loaded(
    place: Place, monkeypatch: pytest.MonkeyPatch, system: str, last: str, id: str
) -> None:
    broken = subprocess.CompletedProcess([], 1, "", f"Traceback\n{last}\n")
    monkeypatch.setattr("subprocess.run", lambda *given, **named: broken)
    monkeypatch.setattr("os.name", system)
    with pytest.raises(Trouble) as raised:
        steps._try(place, None, lambda id, **values: None)
    assert (raised.value.id, raised.value.values) == (id, {"reason": last})


def started(place: Place, monkeypatch: pytest.MonkeyPatch, *arguments: str, uv: Uv | None = None) -> tuple[int, Any]:
    ran: list[list[str]] = []
    monkeypatch.setattr(start, "find", lambda root, environ: uv)
    monkeypatch.setattr("os.execv", lambda program, command: ran.append(command))
    return start.main(place.root, list(arguments)), ran


def test_the_verbs(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert started(place, monkeypatch, "check")[0] == 1
    assert started(place, monkeypatch, "prepare", "--lang", "ru")[0] == 1
    assert capsys.readouterr().err == say("start.uv.failed", "ru") + "\n"
    assert started(place, monkeypatch, "prepare", "--with", "magic", uv=Noting("uv"))[0] == 2
    assert started(place, monkeypatch, "prepare", uv=Noting("uv", fails="torch=="))[0] == 1
    assert started(place, monkeypatch, "prepare", uv=Noting("uv"))[0] == 0
    assert started(place, monkeypatch, "check", "--port", "8002")[0] == 0
    assert started(place, monkeypatch, "check", "--with", "triton")[0] == 1
    _, ran = started(place, monkeypatch, "open", "--with", "triton", "--port", "8002", "--with=sage", "x y")
    assert ran == [[str(place.eichi), "ui", "--inbrowser", "--port", "8002", "x y"]]


def test_a_stop_and_a_full_disk_are_said(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error, code, id in (
        (KeyboardInterrupt, 130, "start.stopped"),
        (OSError(28, "No space"), 1, "start.disk"),
        (OSError(errno.EROFS, "Read-only"), 1, "start.uv.folder"),
    ):

        def fail(*given: object, error: Any = error) -> None:
            raise error

        monkeypatch.setattr(start, "set_up", fail)
        assert started(place, monkeypatch, "prepare", uv=Noting("uv"))[0] == code
        assert capsys.readouterr().err.startswith(say(id, reason="")[:10])


def test_a_second_start_waits_for_the_first_and_has_nothing_left_to_do(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.root.mkdir(exist_ok=True)
    waited: list[float] = []
    uv = Noting("uv")
    with ExitStack() as first:
        first.enter_context(alone(place.environment, lambda: None))
        (place.environment).mkdir()
        (place.environment / "begun").touch()

        def goes_on(seconds: float) -> None:
            """The first comes to its end while the second sleeps."""
            waited.append(seconds)
            run(place, Noting("uv"))
            first.close()

        monkeypatch.setattr("time.sleep", goes_on)
        assert started(place, monkeypatch, "prepare", uv=uv)[0] == 0
    assert len(waited) == 1 and uv.calls == []
    assert capsys.readouterr().err == say("start.other") + "\n"


def test_a_start_goes_on_where_the_one_it_waited_for_failed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = Noting("uv")
    with ExitStack() as first:
        first.enter_context(alone(place.environment, lambda: None))
        monkeypatch.setattr("time.sleep", lambda seconds: first.close())
        assert started(place, monkeypatch, "prepare", uv=uv)[0] == 0
    assert uv.calls[0].startswith("venv --clear") and place.ready


def test_a_disk_that_knows_no_locks_keeps_nobody_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(file: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("eichi.setup.alone._lock", unknown)
    with alone(place.environment, lambda: pytest.fail("it waits")):
        pass


def test_the_language_of_who_sits_there() -> None:
    assert start.language_for(["--lang", "ja"], {"EICHI_LANGUAGE": "ru"}) == "ja"
    assert start.language_for(["--lang=zh_TW"], {}) == "zh-TW"
    assert start.language_for(["--port", "1"], {"LANG": "ru_RU.UTF-8", "LC_ALL": "C"}) == "ru"
    assert start.language_for([], {"LANG": "fr_FR.UTF-8"}) == "en"
    assert start.language_for(["--lang"], {}) == "en"


def test_it_needs_nothing_but_python() -> None:
    """No library of the program's: they are not there yet."""
    root = Path(__file__).parents[2]
    code = f"import sys; sys.path.insert(0, {str(root / 'src')!r}); import eichi.setup.start"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
