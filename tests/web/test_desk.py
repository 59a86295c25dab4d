"""The desk starts the worker when there is work, and a visitor's file reaches only pictures of the program's own."""

import os
import sys
import threading
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from eichi.errors import EichiError, FolderError
from eichi.library.favourites import Favourites
from eichi.options import VideoOptions
from eichi.web.desk import Desk


def given(desk: Desk, colour: str) -> Path:
    """A picture of a colour, as somebody gave it."""
    content = BytesIO()
    Image.new("RGB", (8, 8), colour).save(content, "PNG")
    content.seek(0)
    path = desk.given.find(desk.given.picture(f"{colour}.png", content).mark)
    assert path is not None
    return path


def test_a_start_is_a_job_and_a_worker(desk: Desk, video: VideoOptions, submitted: list[int]) -> None:
    jobs = desk.start([video, video])
    assert [job.id for job in desk.queue.waiting()] == [job.id for job in jobs]
    assert submitted == [jobs[0].id]


def test_what_waited_goes_on_after_a_restart_unless_all_is_held(
    desk: Desk, video: VideoOptions, submitted: list[int]
) -> None:
    desk.queue.hold_all()
    desk.start([video])
    assert submitted == []
    desk.queue.resume_all()
    desk.wake()
    assert len(submitted) == 1


def test_a_job_that_a_command_adds_has_a_worker_started(
    desk: Desk, video: VideoOptions, submitted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts, _ = desk.queue.prepare([video], desk.settings.outputs)
    (job,) = desk.queue.add(drafts)
    looked, stir = threading.Semaphore(0), desk.stir

    def look() -> None:
        stir()
        looked.release()

    monkeypatch.setattr("eichi.web.desk.PAUSE", 0.0)
    monkeypatch.setattr(desk, "stir", look)
    with desk.watching():
        for _ in range(3):  # the later ones find it as it was
            assert looked.acquire(timeout=60)
    desk.queue.hold_all()
    desk.queue.add(drafts)
    desk.queue.skip(job.id)
    stir()
    assert submitted == [job.id]


def test_a_bad_request_starts_nothing(desk: Desk, video: VideoOptions) -> None:
    with pytest.raises(EichiError):
        desk.start([video, video.model_copy(update={"image": Path("gone.png")})])
    assert desk.store.jobs() == []


def test_what_is_used_again_was_not_given_long_ago(desk: Desk, picture: Path) -> None:
    """Or what tidies up would remove what the page shows."""
    path = desk.given.adopt(picture)
    for _ in range(2):
        assert path is not None
        assert path.parent.stat().st_mtime > 1
        os.utime(path.parent, (1, 1))
        path = desk.given.adopt(path)
    desk.tidy()
    assert path is not None
    assert path.is_file()


def test_nothing_is_tidied_up_that_something_unreadable_may_name(desk: Desk, picture: Path, home: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no pipes in folders")
    adopted = desk.given.adopt(picture)
    assert adopted is not None
    os.utime(adopted.parent, (1, 1))
    (home / "library").mkdir()
    os.mkfifo(home / "library" / "last.json")
    desk.tidy()
    assert adopted.is_file()
    (home / "library" / "last.json").unlink()
    desk.tidy()
    assert not adopted.exists()


def test_tokenizers_are_read_once(desk: Desk) -> None:
    meter = desk.meter("tiny")
    assert meter is not None
    assert desk.meter("tiny") is meter
    assert desk.meter("no such model") is None


def test_what_nothing_names_goes_after_a_month(desk: Desk, video: VideoOptions, picture: Path) -> None:
    job = desk.start([VideoOptions.parse(video.dump() | {"image": str(desk.given.adopt(picture))})])[0]
    named = Path(str(job.request["image"]))
    fresh, stale = (given(desk, colour) for colour in ("red", "blue"))
    for path in (named, stale):
        os.utime(path.parent, (0, 0))
    desk.tidy()
    assert named.is_file()
    assert fresh.is_file()
    assert not stale.parent.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the program that opens folders has this name on Linux")
def test_the_folder_is_opened_for_who_sits_here(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opener = tmp_path / "programs" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\ntest -e {tmp_path}/works\n', encoding="utf-8")
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", str(opener.parent), prepend=os.pathsep)
    with pytest.raises(FolderError, match="No program opened"):
        desk.open_folder()
    (tmp_path / "works").touch()
    assert desk.open_folder() == desk.settings.outputs.absolute()
    assert (tmp_path / "opened").read_text().strip() == str(desk.settings.outputs.absolute())


def test_pictures_that_a_favourite_names_stay(desk: Desk, video: VideoOptions) -> None:
    kept = Favourites(desk.settings.home, lambda _: None)
    named = given(desk, "red")
    os.utime(named.parent, (0, 0))
    kept.save("mine", video.model_copy(update={"image": named}))
    desk.tidy()
    assert named.is_file()
