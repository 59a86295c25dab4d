"""start.bat in every branch, under Wine's cmd. That is not Windows' own: what has run here has not run there.

Programs are the small launchers that pip brings for Windows; each runs a batch file that a test has written, which
writes down what it was called with.
"""

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import pytest

from eichi.setup.start import SCRIPTS
from eichi.words import languages
from tests.setup.scripts import ROOT, lay

WINE = next((path for name in ("wine64", "wine", "/usr/lib/wine/wine64") if (path := shutil.which(name))), None)
SPEC = find_spec("pip")
LAUNCHER = Path(str(SPEC and SPEC.origin)).parent / "_vendor" / "distlib" / "t64.exe"

WAITS = "Press any key to continue..."
CALL = re.compile(r'^(\w+)\.exe +"[^"]*"')  # a program, and the launcher's own path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(WINE is None, reason="Wine is not installed (on Debian: apt install wine64)"),
    pytest.mark.skipif(not LAUNCHER.is_file(), reason="this pip brings no launchers for Windows"),
]

# Stand-ins; the first of their arguments is the launcher. Wine's cmd goes on after `&&` whatever the
# code was, and loses that of `call`; neither is used.
NOTE = ">>%LOG% echo {name}.exe %*\n"
HELP = 'if "%4"=="--help" echo   --torch-backend auto\nif "%4"=="--help" exit /b 0\n'
PYTHON = NOTE + 'if not "%3"=="check" exit /b %PAGE%\nif exist .venv\\ready exit /b 0\nexit /b 1\n'
UV = HELP + NOTE + '>>%LOG% echo cache "%UV_CACHE_DIR%"\necho.>.venv\\ready\nexit /b 0\n'
BROKEN = HELP + NOTE + "exit /b 7\n"
PIP = 'for %%a in (%*) do if "%%~a"=="--version" exit /b 0\n'
COPY = 'copy /y %FETCHED%{end} "{folder}\\uv.exe{end}" >nul\n'
BRINGS = NOTE + 'md "{folder}"\n' + COPY.replace("{end}", "") + COPY.replace("{end}", ".bat")


@dataclass(frozen=True)
class Machine:
    """A folder with the script, the only folder in which programs are found, and Wine's own disk."""

    folder: Path
    programs: Path
    wine: dict[str, str]

    def has(self, name: str, text: str, where: Path | None = None) -> Path:
        """A program of this name that does what the lines of a batch file say."""
        path = (where or self.programs) / f"{name}.exe"
        path.parent.mkdir(parents=True, exist_ok=True)
        archive = BytesIO()
        with zipfile.ZipFile(archive, "w") as made:
            made.writestr("__main__.py", "")
        # The launcher gives its own path to what stands here; %~f1.bat lies beside it.
        runs = b"#!C:\\windows\\system32\\cmd.exe /c " + str(self.folder.parent / "run.bat").encode() + b"\r\n"
        path.write_bytes(LAUNCHER.read_bytes() + runs + archive.getvalue())
        _write(path.with_name(f"{path.name}.bat"), "@echo off\n" + text.replace("{name}", name))
        return path

    def ready(self) -> None:
        (self.folder / ".venv" / "ready").touch()

    def start(self, arguments: str = "", **variables: str) -> tuple[int, list[str], list[str]]:
        """The exit code, what was called, what was said; called from another folder, as by a double click."""
        log = self.folder.parent / "log.txt"
        log.unlink(missing_ok=True)
        lines = f'cd a*\nset "at=%cd%"\ncd ..\n"%at%\\start.bat" {arguments}\n'
        _write(self.folder.parent / "begin.bat", "@echo off\n" + lines)
        variables = {"LOG": "..\\log.txt", "PAGE": "0", "WINEPATH": f"Z:{self.programs}", **variables}
        made = subprocess.run(
            [str(WINE), "cmd", "/c", "begin.bat"],
            cwd=self.folder.parent,
            env=self.wine | variables,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        calls = [CALL.sub(r"\1", line).strip() for line in text.splitlines()]
        said = made.stdout.decode("utf-8", "replace").splitlines()
        return made.returncode, calls, [line.strip() for line in said if line.strip()]


def windows(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")


def said_in(language: str, *ids: str) -> list[str]:
    return [f"{id} in {language}" for id in ids or ("start.uv", "start.uv.failed")]


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.replace("\n", "\r\n").encode())


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Wine with a disk of its own, which is thrown away: half a gigabyte, made in ten seconds."""
    disk = tmp_path_factory.mktemp("wine")
    off = "mscoree,mshtml,winemenubuilder.exe=d"
    environ = {"WINEPREFIX": str(disk), "WINEDEBUG": "-all", "WINEDLLOVERRIDES": off, "LC_ALL": "C.UTF-8"}
    environ |= {"PATH": os.environ["PATH"], "HOME": str(disk)}
    subprocess.run([str(WINE), "cmd", "/c", "ver"], env=environ, capture_output=True, check=True)
    yield environ
    subprocess.run([str(WINE), "wineboot", "--kill"], env=environ, capture_output=True)
    shutil.rmtree(disk, ignore_errors=True)


@pytest.fixture
def machine(tmp_path: Path, wine: dict[str, str]) -> Machine:
    folder = tmp_path / "a folder & more, ö"
    lay(folder)
    _write(folder / "start.bat", (ROOT / "start.bat").read_text(encoding="utf-8"))
    _write(tmp_path / "run.bat", '@echo off\n"%~f1.bat" %*\n')
    machine = Machine(folder, tmp_path / "programs", wine)
    machine.has("python", PYTHON, folder / ".venv" / "Scripts")
    for language in languages():  # in signs that every code page has: Wine's cmd knows no UTF-8
        text = json.dumps({id: f"{id} in {language}" for id in (*SCRIPTS, "zoom")}, indent=2)
        _write(folder / "src" / "eichi" / "locales" / f"{language}.json", text)
    return machine


def test_a_second_start_calls_nobody(machine: Machine) -> None:
    machine.ready()
    given = """--port 8002 "a b" "x & y" it's"""
    assert machine.start(given) == (0, [f"python start.py check {given}", f"python start.py open {given}"], [])


def test_a_page_that_ends_badly_keeps_its_window(machine: Machine) -> None:
    machine.ready()
    code, _, said = machine.start(PAGE="5")
    assert (code, said) == (5, [WAITS])


def test_uv_that_is_there_prepares(machine: Machine) -> None:
    machine.has("uv", UV)
    code, calls, said = machine.start('--with triton "x & y"')
    assert (code, said) == (0, [])
    assert calls[1:] == [
        'uv run --quiet --script start.py prepare --with triton "x & y"',
        'cache ""',
        'python start.py open --with triton "x & y"',
    ]


def test_a_set_up_that_fails_opens_nothing(machine: Machine) -> None:
    machine.has("uv", BROKEN)
    code, calls, said = machine.start()
    assert (code, said) == (7, [WAITS])
    assert not [call for call in calls if " open" in call]


def test_an_old_uv_is_not_taken(machine: Machine) -> None:
    machine.has("uv", NOTE + "exit /b 0\n")
    code, _, said = machine.start()
    assert (code, said) == (1, [*said_in("en"), WAITS])  # the language of the system


@pytest.mark.parametrize(("name", "call"), [("py", "py -3 -m pip install"), ("python", "python -m pip install")])
def test_pip_fetches_uv_into_the_folder(machine: Machine, name: str, call: str) -> None:
    fetched = machine.has("fetched", UV)
    machine.has(name, PIP + BRINGS.replace("{folder}", ".uv\\bin"))
    code, calls, said = machine.start(FETCHED=windows(fetched))
    assert (code, said) == (0, said_in("en")[:1])
    assert calls[1].startswith(call) and "--target .uv" in calls[1]
    assert calls[1].endswith("--require-hashes --requirement install\\uv.txt")
    assert calls[3].endswith('\\.uv\\cache"')


def test_winget_fetches_uv_for_the_user(machine: Machine) -> None:
    fetched = machine.has("fetched", UV)
    links = "%LOCALAPPDATA%\\Microsoft\\WinGet\\Links"
    machine.has("winget", BRINGS.replace("{folder}", links))
    code, calls, said = machine.start(FETCHED=windows(fetched))
    for disk in Path(machine.wine["WINEPREFIX"]).glob("drive_c/users/*/AppData/Local/Microsoft/WinGet"):
        shutil.rmtree(disk)
    assert (code, said) == (0, said_in("en")[:1])
    assert calls[1].startswith("winget install --exact --id astral-sh.uv --silent")
    assert calls[3] == 'cache ""'  # a uv of the user's keeps its own


def test_uvs_own_installer_is_the_last_way(machine: Machine) -> None:
    fetched = machine.has("fetched", UV)
    machine.has("powershell", BRINGS.replace("{folder}", "%UV_UNMANAGED_INSTALL%"))
    code, calls, said = machine.start(FETCHED=windows(fetched))
    assert (code, said) == (0, said_in("en")[:1])
    version = (ROOT / "install" / "uv.txt").read_text(encoding="utf-8").split("uv==")[1].split()[0]
    assert f"irm https://astral.sh/uv/{version}/install.ps1 | iex" in calls[1]


def test_a_folder_that_cannot_be_written_to_is_said_before_anything_is_fetched(machine: Machine) -> None:
    # For root, who may write anywhere: a link that leads nowhere.
    (machine.folder / ".venv.lock").symlink_to(machine.folder / "nowhere" / "lock")
    machine.has("uv", UV)
    code, calls, said = machine.start("--lang ru")
    assert (code, said) == (1, [*said_in("ru", "start.uv.folder"), WAITS])
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("arguments", "variables", "language"),
    [
        ("--port 8002 --lang zh-TW", {"EICHI_LANGUAGE": "ru"}, "zh-TW"),
        ("--lang=ja", {}, "ja"),
    ],
)
def test_the_users_language(machine: Machine, arguments: str, variables: dict[str, str], language: str) -> None:
    code, _, said = machine.start(arguments, **variables)
    assert (code, said) == (1, [*said_in(language), WAITS])
