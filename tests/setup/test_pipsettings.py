"""What pip is told becomes what uv is told, unless uv is told something itself."""

import os
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from eichi.setup.pipsettings import for_uv, places, settings
from eichi.setup.uv import Uv, find

PIP = {
    "index-url": "https://me:secret@mirror/simple",
    "extra-index-url": "https://a/simple\nhttps://b/simple",
    "find-links": "/wheels /more",
    "cert": "/ca.pem",
    "no-index": "false",
}


def test_places_and_certificate() -> None:
    assert for_uv({}, PIP) == {
        "UV_DEFAULT_INDEX": "https://me:secret@mirror/simple",
        "UV_INDEX": "https://a/simple https://b/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,/more",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_uvs_own_word_counts() -> None:
    assert for_uv({"UV_INDEX": "https://mine"}, PIP) == {"SSL_CERT_FILE": "/ca.pem"}
    assert for_uv({"SSL_CERT_FILE": "/mine.pem"}, {"cert": "/ca.pem"}) == {}


def test_a_variable_beats_the_file() -> None:
    assert for_uv({"PIP_INDEX_URL": "https://mine"}, PIP)["UV_DEFAULT_INDEX"] == "https://mine"
    assert for_uv({"PIP_NO_INDEX": "1"}, {}) == {"UV_NO_INDEX": "1"}


def test_files_are_read_as_pip_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first.conf", tmp_path / "second.conf"
    monkeypatch.setattr("eichi.setup.pipsettings.places", lambda environ: [first, tmp_path / "absent", second])
    first.write_text("[global]\nindex-url = https://a\ntimeout = 3\n[install]\nfind-links = /w\n")
    second.write_text("[global]\nindex-url = https://b/%2Fx\n")
    assert settings({}) == {"index-url": "https://b/%2Fx", "find-links": "/w"}
    second.write_text("no section\n")
    assert settings({})["index-url"] == "https://a"


def test_a_file_can_be_named_or_all_be_left_out(tmp_path: Path) -> None:
    assert places({"PIP_CONFIG_FILE": str(tmp_path)})[-1] == tmp_path
    assert places({"PIP_CONFIG_FILE": os.devnull}) == []


def test_windows_has_its_own_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    found = places({"ProgramData": "C:/ProgramData", "APPDATA": "C:/Users/me/AppData/Roaming"})
    assert [path.as_posix() for path in found[::2]] == [
        "C:/ProgramData/pip/pip.ini",
        "C:/Users/me/AppData/Roaming/pip/pip.ini",
    ]


def test_uv_is_found_and_told(tmp_path: Path) -> None:
    assert find(tmp_path, {"PATH": ""}) is None
    (tmp_path / ".uv" / "bin").mkdir(parents=True)
    (tmp_path / ".uv" / "bin" / "uv").touch()
    environ = {"PATH": "", "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": PIP["index-url"], "UV_SYSTEM_PYTHON": "1"}
    uv = find(tmp_path, environ)
    assert uv is not None
    assert uv.program == str(tmp_path / ".uv" / "bin" / "uv")
    assert uv.borrowed == ("https://mirror/simple",)  # nobody's password
    assert uv.environ["UV_DEFAULT_INDEX"] == PIP["index-url"]
    assert "UV_SYSTEM_PYTHON" not in uv.environ
    named = find(tmp_path, environ | {"UV": "/elsewhere/uv"})
    assert named is not None and named.program == "/elsewhere/uv"


def test_what_uv_is_run_with(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **named: object) -> CompletedProcess[str]:
        ran.append(command)
        return CompletedProcess(command, 0, "out", "err")

    monkeypatch.setattr("subprocess.run", run)
    assert Uv("uv").run("pip", "install", "x", quiet=True) == 0
    assert Uv("uv", {"UV_NO_INDEX": "1"}).ask("pip", "install", "x") == (True, "outerr")
    assert Uv("uv", {"UV_NO_INDEX": "1"}).run("venv", "x") == 0
    assert ran == [
        ["uv", "pip", "install", "x", "--quiet"],
        ["uv", "pip", "install", "x", "--no-index", "--no-progress"],
        ["uv", "venv", "x"],
    ]


def test_a_user_without_a_home_has_the_machines_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", nowhere)
    assert Path("/etc/pip.conf") in places({}) or sys.platform == "win32"
    assert for_uv({}) == for_uv({}, settings({}))


def test_names_are_written_in_pips_several_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pip.conf"
    path.write_text("[global]\nindex_url = https://a\n--find-links = /w\n")
    monkeypatch.setattr("eichi.setup.pipsettings.places", lambda environ: [path])
    assert settings({}) == {"index-url": "https://a", "find-links": "/w"}
