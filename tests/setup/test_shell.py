"""start.sh in every branch, on a machine that has nothing but what a test puts there."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from eichi.setup.start import SCRIPTS
from eichi.words import languages, say
from tests.setup.scripts import ROOT, lay

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a script for other systems")

# Stand-ins, in the shell's own words: they find no other programs.
NOTE = '#!/bin/sh\nprintf "%s" "${0##*/}" >>"$LOG"; for one; do printf " [%s]" "$one" >>"$LOG"; done; echo >>"$LOG"\n'
HELP = 'case "$*" in *--help*) echo "  --torch-backend auto"; exit;; esac\n'
PYTHON = NOTE + 'case "$2" in check) read -r code <.venv/state; exit "$code";; esac\n'
UV = HELP + NOTE + 'echo 0 >.venv/state; echo "cache $UV_CACHE_DIR" >>"$LOG"\n'
BROKEN = HELP + NOTE + "exit 7\n"
MAKES_UV = 'echo "$MADE" >.uv/uv; chmod +x .uv/uv'
INSTALLER = f'echo "installed in $UV_UNMANAGED_INSTALL" >>"$LOG"; {MAKES_UV}'


@dataclass(frozen=True)
class Machine:
    """A folder with the script, and the only folder in which programs are found."""

    folder: Path
    programs: Path

    def has(self, name: str, text: str, where: Path | None = None) -> None:
        path = (where or self.programs) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def ready(self, code: int) -> None:
        """An environment whose Python says with this code whether it is ready."""
        self.has("python", PYTHON, self.folder / ".venv" / "bin")
        (self.folder / ".venv" / "state").write_text(f"{code}\n")

    def start(self, *arguments: str, **variables: str) -> tuple[int, list[str], str]:
        """The exit code, what was called, what was said."""
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        variables = {"PATH": str(self.programs), "LOG": str(log), "HOME": str(self.folder / "home"), **variables}
        # Neither /bin/sh nor the script is looked for in PATH.
        made = subprocess.run(
            ["/bin/sh", str(self.folder / "start.sh"), *arguments], env=variables, capture_output=True, text=True
        )
        calls = log.read_text().splitlines() if log.exists() else []
        return made.returncode, calls, made.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    folder = tmp_path / "a folder & more, ö"
    lay(folder)
    shutil.copyfile(ROOT / "start.sh", folder / "start.sh")
    machine = Machine(folder, tmp_path / "programs")
    machine.programs.mkdir()
    machine.ready(1)
    for name in ("mkdir", "chmod", "rm"):
        (machine.programs / name).symlink_to(str(shutil.which(name)))
    return machine


def test_a_second_start_calls_nobody(machine: Machine) -> None:
    machine.ready(0)
    code, calls, said = machine.start("--port", "8002", "it's", "a b", "*", "")
    assert (code, said) == (0, "")
    assert calls == [
        "python [start.py] [check] [--port] [8002] [it's] [a b] [*] []",
        "python [start.py] [open] [--port] [8002] [it's] [a b] [*] []",
    ]


@pytest.mark.parametrize("absolute", [True, False])
def test_it_may_be_called_by_a_link_and_from_anywhere(machine: Machine, tmp_path: Path, absolute: bool) -> None:
    """CDPATH leads to a folder of the same name elsewhere."""
    machine.ready(0)
    (machine.programs / "readlink").symlink_to(str(shutil.which("readlink")))
    elsewhere = tmp_path / "-links"
    (elsewhere / machine.folder.name).mkdir(parents=True)
    target = machine.folder / "start.sh" if absolute else Path("..", machine.folder.name, "start.sh")
    (elsewhere / "eichi").symlink_to(target)
    for called, where in (
        ("-links/eichi", tmp_path),
        ("eichi", elsewhere),
        (f"{machine.folder.name}/start.sh", tmp_path),
    ):
        variables = {"PATH": str(machine.programs), "LOG": str(tmp_path / "log"), "CDPATH": str(elsewhere)}
        made = subprocess.run(["/bin/sh", "--", called], cwd=where, env=variables, capture_output=True, text=True)
        assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    assert (tmp_path / "log").read_text().count("[open]") == 3
    assert [path.name for path in elsewhere.iterdir()].count(".venv.lock") == 0


def test_other_programs_pythons_are_left_out(machine: Machine) -> None:
    """What a shell was told for another program would shadow libraries of this one, or end every Python."""
    note = 'echo "told ${PYTHONPATH-} ${PYTHONHOME-} ${UV_PYTHON-}" >>"$LOG"\n'
    machine.has("uv", UV + note)
    machine.has("python", PYTHON.replace("case", note + "case", 1), machine.folder / ".venv" / "bin")
    told = {"PYTHONPATH": "/other", "PYTHONHOME": "/other"}
    calls = machine.start(UV_PYTHON="3.9", **told)[1]
    assert "told   " in calls and not any("other" in call or "3.9" in call for call in calls)
    named = str(machine.programs / "uv")
    assert f"told   {named}" in machine_again(machine).start(UV_PYTHON=named, **told)[1]


def test_uv_that_is_there_prepares(machine: Machine) -> None:
    machine.has("uv", UV)
    code, calls, said = machine.start("--with", "triton")
    assert (code, said) == (0, "")
    assert calls[1:] == [
        "uv [run] [--quiet] [--script] [start.py] [prepare] [--with] [triton]",
        "cache ",
        "python [start.py] [open] [--with] [triton]",
    ]


def test_the_programs_own_uv_keeps_what_it_fetches_beside_it(machine: Machine) -> None:
    machine.has("uv", BROKEN)
    machine.has("uv", UV, machine.folder / ".uv" / "bin")
    code, calls, _ = machine.start()
    assert code == 0
    assert f"cache {machine.folder}/.uv/cache" in calls
    assert "cache /mine" in machine_again(machine).start(UV_CACHE_DIR="/mine")[1]


def machine_again(machine: Machine) -> Machine:
    machine.ready(1)
    return machine


def test_a_set_up_that_fails_opens_nothing(machine: Machine) -> None:
    machine.has("uv", BROKEN)
    code, calls, _ = machine.start()
    assert code == 7
    assert not any("[open]" in call for call in calls)


def test_an_old_uv_is_not_taken(machine: Machine) -> None:
    machine.has("uv", NOTE)
    code, calls, said = machine.start()
    assert code == 1
    assert said.splitlines() == [say("start.uv"), say("start.uv.tools")]
    assert set(calls) == {"python [start.py] [check]", "uv [pip] [install] [--help]"}


@pytest.mark.parametrize("name", ["python3", "python"])
def test_pip_fetches_uv_into_the_folder(machine: Machine, name: str) -> None:
    machine.has(name, NOTE + 'case "$*" in *--version*) exit;; esac\nmkdir -p .uv\n' + MAKES_UV + "\n")
    code, calls, said = machine.start(MADE=UV)
    assert (code, said) == (0, say("start.uv") + "\n")
    assert calls[2].startswith(f"{name} [-m] [pip] [install]")
    assert "[--target] [.uv]" in calls[2] and "[--require-hashes] [--requirement] [install/uv.txt]" in calls[2]


@pytest.mark.parametrize("name", ["curl", "wget"])
def test_uvs_own_installer_is_the_last_way(machine: Machine, name: str) -> None:
    machine.has("python3", NOTE + 'case "$*" in *--version*) exit;; esac\nexit 1\n')
    machine.has(name, NOTE + f"echo '{INSTALLER}' >.uv/install.sh\n")
    machine.has("sh", '#!/bin/sh\n. "./$1"\n')
    code, calls, _ = machine.start(MADE=UV)
    assert code == 0
    version = (ROOT / "install" / "uv.txt").read_text().split("uv==")[1].split()[0]
    (fetched,) = (call for call in calls if call.startswith(name))
    assert f"[https://astral.sh/uv/{version}/install.sh]" in fetched
    assert f"installed in {machine.folder}/.uv" in calls


@pytest.mark.parametrize("name", ["python3", "curl", "wget"])
def test_what_kept_uv_away_is_left_to_who_tried(machine: Machine, name: str) -> None:
    machine.has(name, NOTE + 'case "$*" in *--version*) exit;; esac\necho why >&2; exit 6\n')
    code, _, said = machine.start()
    assert (code, said.splitlines()) == (1, [say("start.uv"), "why", say("start.uv.failed")])


def test_pip_says_nothing_of_root(machine: Machine) -> None:
    machine.has(
        "python3", '#!/bin/sh\ncase "$*" in *--version*) exit;; esac\necho "$PIP_ROOT_USER_ACTION" >&2; exit 1\n'
    )
    assert machine.start()[2].splitlines()[1] == "ignore"


def test_a_folder_that_cannot_be_written_to_is_said_before_anything_is_fetched(machine: Machine) -> None:
    (machine.folder / ".venv.lock").mkdir()  # root may write anywhere
    machine.has("python3", NOTE)
    machine.has("uv", UV)
    code, calls, said = machine.start("--lang", "ru")
    assert (code, said) == (1, say("start.uv.folder", "ru") + "\n")
    assert len(calls) == 1


@pytest.mark.parametrize(("code", "id"), [(1, "start.uv.room"), (0, "start.uv.failed")])
def test_a_full_disk_is_told_from_other_causes(machine: Machine, code: int, id: str) -> None:
    machine.has("curl", NOTE + "exit 23\n")
    machine.has("dd", f"#!/bin/sh\nexit {code}\n")
    assert machine.start()[2].splitlines()[1] == say(id)


@pytest.mark.parametrize(
    ("arguments", "variables", "language"),
    [
        ((), {"LANG": "ja_JP.UTF-8"}, "ja"),
        ((), {"LANG": "ja_JP.UTF-8", "EICHI_LANGUAGE": "ru"}, "ru"),
        (("--lang", "zh-TW"), {"EICHI_LANGUAGE": "ru"}, "zh-TW"),
        (("--lang=ru",), {}, "ru"),
        ((), {"LANG": "C.UTF-8"}, "en"),
    ],
)
def test_the_users_language(
    machine: Machine, arguments: tuple[str, ...], variables: dict[str, str], language: str
) -> None:
    code, _, said = machine.start(*arguments, **variables)
    assert (code, said) == (1, "".join(say(id, language) + "\n" for id in ("start.uv", "start.uv.tools")))


def test_what_the_scripts_say_is_free_of_their_own_signs() -> None:
    said = "".join(say(id, language) for id in SCRIPTS for language in languages())
    assert not set(said) & set('"&|<>^%!\\`$')
    for path in (ROOT / "src" / "eichi" / "locales").iterdir():
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if '"start.uv' in line]
        assert all(line.endswith('",') for line in lines) and len(lines) == len(SCRIPTS)


def test_the_script_can_be_run_and_is_kept_as_it_is() -> None:
    assert os.access(ROOT / "start.sh", os.X_OK)
    assert b"\r" not in (ROOT / "start.sh").read_bytes()
    rules = (ROOT / ".gitattributes").read_text().splitlines()
    assert "*.bat text eol=crlf" in rules and "*.sh text eol=lf" in rules
