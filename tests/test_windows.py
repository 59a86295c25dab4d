"""What Windows does otherwise, as far as it can be tried elsewhere: it refuses what others have open, and much more.

Nothing here runs on Windows. A file that is `held` is one that the system's calls refuse to remove or replace, with
Windows' own number, as they do there while somebody reads it or has it mapped. What was looked at stands in
measured/windows.md.
"""

import logging
import mimetypes
import os
import re
import time
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

import psutil
import pytest
from fastapi.testclient import TestClient

from eichi import files, names
from eichi.catalog import ModelFolders
from eichi.errors import FolderError
from eichi.files import aside, leave, remove, settle, trim
from eichi.jobs import runner
from eichi.jobs.queue import Queue
from eichi.jobs.view import Status
from eichi.library import eichi19, whereabouts
from eichi.library.whereabouts import Places
from eichi.logs import OLD, logging_to
from eichi.models import download
from eichi.models.fetched import take_away
from eichi.models.merged import Found, Merged
from eichi.names import leads_away
from eichi.options import FrameOptions, VideoOptions
from eichi.reasons import because
from eichi.settings import Settings
from eichi.video.card import CARD
from eichi.video.jobfolder import JobFolder
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.uploads import CUT
from tests.jobs.conftest import queue
from tests.jobs.test_queue import add, begun, running
from tests.test_style import ROOT
from tests.web.conftest import desk, submitted

__all__ = ["desk", "queue", "submitted"]  # fixtures

Hold = Callable[..., list[str]]


def refused(path: object) -> PermissionError:
    error = PermissionError(13, "The process cannot access the file because it is being used by another process")
    error.winerror = 32  # type: ignore[attr-defined]  # of Windows
    error.filename = str(path)
    return error


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Hold:
    """Lets files be in use, for ever or for some tries; what is asked of them meanwhile is counted."""
    monkeypatch.setattr(files, "WINDOWS", True)
    monkeypatch.setattr(files, "PAUSE", 0.0)

    def held(*names: str, tries: int = 10**9) -> list[str]:
        asked: list[str] = []

        def guarded(call: Callable[..., Any]) -> Callable[..., Any]:
            def ask(*given: Any, **named: Any) -> Any:
                for path in given[:2]:
                    if not isinstance(path, str | os.PathLike) or Path(path).name not in names:
                        continue
                    if "dir_fd" in named or os.path.lexists(path):
                        asked.append(Path(path).name)
                        if len(asked) <= tries:
                            raise refused(path)
                return call(*given, **named)

            return ask

        for name in ("unlink", "remove", "replace", "rename"):
            monkeypatch.setattr(os, name, guarded(getattr(os, name)))
        return asked

    return held


def test_who_replaces_or_removes_waits_for_who_reads(tmp_path: Path, hold: Hold) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    asked = hold("b", tries=3)
    settle(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"a"
    assert len(asked) == 4
    asked.clear()
    remove(tmp_path / "b")
    assert not (tmp_path / "b").exists()
    assert len(asked) == 4


def test_what_is_of_no_more_use_may_stay(tmp_path: Path, hold: Hold) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "read").touch()
    asked = hold("read")
    assert not leave(tmp_path / "folder" / "read")
    assert len(asked) == 1  # nobody waits for it
    assert not leave(tmp_path / "folder")
    with pytest.raises(PermissionError):
        remove(tmp_path / "folder")
    assert leave(tmp_path / "nothing")


def test_the_first_error_is_said_where_a_draft_stays(tmp_path: Path, hold: Hold) -> None:
    """As where a scanner looks at what was written."""
    hold(".a.part")
    with pytest.raises(ZeroDivisionError), aside(tmp_path / "a") as draft:
        draft.touch()
        raise ZeroDivisionError


def test_a_cache_is_trimmed_around_what_is_mapped(tmp_path: Path, hold: Hold) -> None:
    """Merged weights that this process computes with, for one."""
    import torch

    merged = Merged(tmp_path, 1)
    for name in ("one", "two"):
        merged.keep(name, Found(torch.ones(4)))
    kept = merged.find("one")
    hold("one.safetensors")
    merged.tidy()
    assert [path.stem for path in tmp_path.iterdir()] == ["one"]
    assert kept is not None and kept.whole is not None
    trim(tmp_path / "nothing", "*", 1)


def test_what_is_found_may_be_removed_by_another_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    merged = Merged(tmp_path, 1)
    merged.keep("one", Found(torch.ones(4)))
    monkeypatch.setattr(os, "utime", lambda path: (_ for _ in ()).throw(refused(path)))
    assert merged.find("one") is not None


def test_a_full_log_that_is_read_grows_and_loses_nothing(
    tmp_path: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eichi.logs.LARGEST", 200)
    settings, log = Settings(home=tmp_path), logging.getLogger("eichi.somewhere")
    settings.logs.mkdir(parents=True)
    older = [settings.logs / f"page.log.{number}" for number in range(1, OLD + 1)]
    for path in older:
        path.write_bytes(path.name.encode())
    hold("page.log", tries=5)
    with logging_to(settings, "page"):
        for number in range(14):
            log.error("line %d", number)
    said = "".join(path.read_text(encoding="utf-8") for path in settings.logs.iterdir())
    assert said.count("line ") == 14
    assert older[0].read_bytes() != b"page.log.1"  # it was put away as soon as it could be
    assert b"page.log.1" in b"".join(path.read_bytes() for path in older)  # and no line before pushed one out


def test_scripts_are_scripts_whatever_the_registry_says(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """On many a Windows it makes text of them, which a browser does not run from a page that says `nosniff`."""
    monkeypatch.setattr(mimetypes, "guess_type", lambda *given, **named: ("text/plain", None))
    monkeypatch.setattr("starlette.responses.guess_type", lambda *given, **named: ("text/plain", None))
    with TestClient(make_app(desk), "http://localhost", client=("127.0.0.1", 5000)) as client:
        page = client.get("/en/create").text
        kinds = {}
        for part in page.split('"'):
            if part.startswith("/static/"):
                kinds[part.rpartition(".")[2]] = client.get(part).headers["content-type"].partition(";")[0]
    assert kinds["js"] == "text/javascript"
    assert kinds["css"] == "text/css"
    assert "text/plain" not in kinds.values()


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (5, "reason.os.denied"),
        (32, "reason.os.busy"),
        (1224, "reason.os.busy"),
        (112, "reason.os.full"),
        (206, "reason.os.long"),
        (123, "reason.os.name"),
        (1455, "reason.os.paging"),
        (53, "reason.os.unreachable"),
        (1117, "reason.os.fault"),
    ],
)
def test_the_system_s_own_numbers_are_said(number: int, reason: str) -> None:
    """Python has EINVAL for most of them, and one for files in use and those that are not allowed."""
    error = OSError(22, "x")
    error.winerror = number  # type: ignore[attr-defined]
    assert because(error)["reason"] == reason


def test_libraries_tell_the_number_in_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ("The paging file is too small for this operation to complete. (os error 1455)", "error code: <1455>")
    for text in texts:
        with monkeypatch.context() as context:
            context.setattr("sys.platform", "win32")
            assert because(RuntimeError(text)) == {"reason": "reason.os.paging"}
        assert because(RuntimeError(text))["reason"] != "reason.os.paging"  # elsewhere it is another number


def test_a_number_that_was_given_to_a_process_of_the_system_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may not be asked, and then the last sign of life counts."""
    name = runner.new_runner()
    monkeypatch.setattr(psutil.Process, "status", lambda self: (_ for _ in ()).throw(psutil.AccessDenied()))
    assert [runner.alive(name, beat, time.time()) for beat in (None, 0.0, time.time())] == [False, False, True]


def test_a_drive_that_is_not_there_has_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_dir", lambda self: False)
    assert download.free(ModelFolders(Path("/nowhere/models"))) == 0


@pytest.mark.parametrize("act", ["remove", "purge"])
def test_results_that_are_watched_stay_and_are_named(
    act: str, queue: Queue, picture: Path, tmp_path: Path, hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    """All others go; a server that empties its bin goes on, and the log has the name."""
    request = VideoOptions.parse({"image": picture, "prompt": "p", "seconds": 1, "model": "tiny"})
    id = add(queue, request)[0].id
    row = running(queue)
    checkpoint = begun(queue, row, tmp_path)
    queue.store.end(row, Status.STOPPED)
    hold("x_stopped.mp4")
    if act == "remove":
        with pytest.raises(FolderError, match=r"x_stopped\.mp4 cannot be deleted \(another program is using it\)"):
            queue.remove(id, files=True)
    else:
        queue.bin(id, files=True)
        with caplog.at_level(logging.WARNING):
            queue.purge(time.time() + 1)
        assert "x_stopped.mp4" in caplog.text
    assert queue.store.find(id) is None
    assert not checkpoint.exists()
    assert [(tmp_path / name).exists() for name in ("x.png", "x_stopped.mp4")] == [False, True]


def test_a_job_whose_card_is_read_ends_all_the_same(tmp_path: Path, hold: Hold) -> None:
    """The page looks at cards while the worker, whose video is there, takes its folder away."""
    folder = JobFolder(tmp_path / ".x.parts")
    folder.folder.mkdir()
    for name in (CARD, "section-0000.safetensors"):
        (folder.folder / name).touch()
    asked = hold(CARD, tries=2)
    assert folder.discard()
    assert len(asked) == 3
    folder.folder.mkdir()
    (folder.folder / CARD).touch()
    hold(CARD)
    assert not folder.discard()
    assert (folder.folder / CARD).exists()


def test_a_model_that_is_in_use_is_named(tmp_path: Path, hold: Hold) -> None:
    (tmp_path / "model.safetensors").touch()
    hold("model.safetensors")
    with pytest.raises(FolderError, match="cannot be deleted"):
        take_away(tmp_path / "model.safetensors")


def test_a_server_begins_with_a_draft_that_somebody_has_open(desk: Desk, hold: Hold) -> None:
    desk.uploads.mkdir(parents=True)
    draft = desk.uploads / ".a.part"
    draft.touch()
    old = draft.stat().st_mtime - 2 * CUT
    os.utime(draft, (old, old))
    hold(draft.name)
    desk.tidy()
    assert draft.exists()


@pytest.mark.parametrize(
    ("path", "away"),
    [
        (r"\\evil.example\share\a.png", True),
        ("//evil.example/share/a.png", True),
        (r"\\.\pipe\a", True),
        (r"\\?\UNC\evil\share\a.png", True),
        (r"C:\pictures\a.png", False),
        ("a.png", False),
    ],
)
def test_paths_of_others_that_lead_to_another_computer(path: str, away: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not leads_away(path)  # a file's name like any other
    monkeypatch.setattr(names, "WINDOWS", True)
    monkeypatch.setattr(names, "Path", PureWindowsPath)
    assert leads_away(path) == away
    assert not leads_away(path, [PureWindowsPath(path).parent])  # type: ignore[list-item]


def test_such_a_path_is_not_even_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Windows would sign in there, in the name of who looks at a picture that somebody sent."""
    monkeypatch.setattr(names, "WINDOWS", True)
    asked: list[str] = []

    def ask(path: Path) -> Path:
        asked.append(str(path))
        return path

    monkeypatch.setattr(os.path, "isfile", lambda path: not ask(path))
    monkeypatch.setattr(Path, "is_file", lambda self: not ask(self))
    monkeypatch.setattr(Path, "resolve", ask)
    for strict in (False, True):
        options = FrameOptions(image=Path("//evil.example/share/a.png"), prompt="p", model="tiny")
        whereabouts.relocate(options, {}, Places(None, (), tmp_path, strict))
    eichi19.config({"image_path": r"\\evil.example\share\a.png", "prompt": "p"}, tmp_path)
    assert not [path for path in asked if "evil" in path]


def test_what_the_list_names_is_there() -> None:
    text = (ROOT / "measured" / "windows.md").read_text(encoding="utf-8")
    known = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"test_\w+", text)) <= known
