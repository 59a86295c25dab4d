"""The log says what happened, as much of it as was asked for, and never grows without an end."""

import logging
import os
from pathlib import Path

import pytest

from eichi.logs import LARGEST, OLD, logging_to, read_logs
from eichi.settings import Settings

OURS, LIBRARY = logging.getLogger("eichi.somewhere"), logging.getLogger("library")


@pytest.mark.parametrize(("level", "written"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_from_the_chosen_level_on(tmp_path: Path, level: str, written: int) -> None:
    settings = Settings(home=tmp_path, log_level=level)
    with logging_to(settings, "page"):
        for name in ("debug", "info", "warning", "error"):
            getattr(OURS, name)("ours: %s", name)
    lines = read_logs(settings).splitlines()
    assert lines[0] == "== page.log"
    assert len(lines) == 1 + written
    assert "ERROR ours: error" in lines[-1]


def test_of_libraries_only_warnings(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, log_level="debug")
    with logging_to(settings, "page"):
        LIBRARY.info("chatter")
        LIBRARY.warning("something is wrong")
    assert "something is wrong" in read_logs(settings)
    assert "chatter" not in read_logs(settings)


@pytest.mark.skipif(os.name == "nt", reason="permissions are other things on Windows")
def test_nobody_else_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what one of an earlier version left, nor a full one, nor the next."""
    monkeypatch.setattr("eichi.logs.LARGEST", 100)
    settings = Settings(home=tmp_path)
    settings.logs.mkdir(parents=True)
    (settings.logs / "page.log").touch(0o644)
    with logging_to(settings, "page"):
        for _ in range(3):
            OURS.error("x" * 80)
    files = list(settings.logs.iterdir())
    assert len(files) > 2
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(home=tmp_path)
    settings.home.mkdir(parents=True)
    settings.logs.write_bytes(b"in the way")
    with logging_to(settings, "page"):
        OURS.error("something")
    assert capsys.readouterr().err == ""


def test_nothing_is_written_afterwards(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with logging_to(settings, "page"):
        pass
    OURS.error("late")
    assert read_logs(settings) == ""


def test_a_full_file_turns_over_and_its_end_is_read(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with logging_to(settings, "page"):
        for number in range(8 * OLD):
            OURS.info("%d %s", number, "x" * (LARGEST // 4))
        OURS.info("the end")
    assert len(list(settings.logs.iterdir())) == OLD + 1
    assert read_logs(settings).endswith("the end\n")


def test_a_damaged_file_is_read_all_the_same(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings.logs.mkdir(parents=True)
    (settings.logs / "page.log").write_bytes(b"\xff\xfe fine\n")
    assert "fine" in read_logs(settings)
