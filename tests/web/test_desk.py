"""The desk starts the worker when there is work, and a visitor's file reaches only pictures of the program's own."""

import os
import stat
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eichi import make_plan
from eichi.errors import EichiError, FolderError, InputError
from eichi.library.favourites import Favourites
from eichi.library.whereabouts import marks_of, remember
from eichi.options import FrameOptions, VideoOptions
from eichi.video.metadata import record, save_png
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


def test_a_bad_request_starts_nothing(desk: Desk, video: VideoOptions) -> None:
    with pytest.raises(EichiError):
        desk.start([video, video.model_copy(update={"image": Path("gone.png")})])
    assert desk.store.jobs() == []


def test_pictures_of_a_job_are_copied_for_the_page(desk: Desk, video: VideoOptions, picture: Path) -> None:
    adopted = VideoOptions.parse(desk.adopt(video.dump()))
    assert adopted.image is not None
    assert adopted.image.is_relative_to(desk.uploads)
    assert adopted.image.read_bytes() == picture.read_bytes()
    assert desk.adopt(adopted.dump()) == adopted.dump()
    again = desk.given.find(desk.given.picture("a.png", BytesIO(picture.read_bytes())).mark)
    assert again == adopted.image  # the same bytes are one picture
    if os.name != "nt":
        private = [path for file in (adopted.image,) for path in (file, file.parent)]
        assert [stat.S_IMODE(path.stat().st_mode) for path in private] == [0o600, 0o700]


def test_what_is_used_again_was_not_given_long_ago(desk: Desk, video: VideoOptions) -> None:
    """Or what tidies up would remove what the page shows."""
    for _ in range(2):
        video = VideoOptions.parse(desk.adopt(video.dump()))
        assert video.image is not None
        assert video.image.parent.stat().st_mtime > 1
        os.utime(video.image.parent, (1, 1))
    desk.adopt(video.dump())
    desk.tidy()
    assert video.image is not None
    assert video.image.is_file()


def test_nothing_is_tidied_up_that_something_unreadable_may_name(desk: Desk, video: VideoOptions, home: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no pipes in folders")
    adopted = VideoOptions.parse(desk.adopt(video.dump()))
    assert adopted.image is not None
    os.utime(adopted.image.parent, (1, 1))
    (home / "library").mkdir()
    os.mkfifo(home / "library" / "last.json")
    desk.tidy()
    assert adopted.image.is_file()
    (home / "library" / "last.json").unlink()
    desk.tidy()
    assert not adopted.image.exists()


def test_pictures_that_are_gone_go_alone(desk: Desk, video: VideoOptions, picture: Path) -> None:
    values = video.dump() | {"image": "gone.png"}
    values["keyframes"] |= {"sections": {"0": str(picture), "1": "gone.png"}}
    adopted = VideoOptions.parse(desk.adopt(values))
    assert adopted.image is None
    assert list(adopted.keyframes.sections) == [0]
    frame = FrameOptions.parse({"references": [str(picture), "gone.png"]})
    assert len(FrameOptions.parse(desk.adopt(frame.dump())).references) == 1


def test_a_visitors_file_reaches_only_our_folders(desk: Desk, video: VideoOptions, picture: Path) -> None:
    assert desk.adopt(video.dump(), trusted=False)["image"] is None
    ours = desk.settings.outputs.absolute() / "ours.png"
    ours.parent.mkdir(parents=True)
    ours.write_bytes(picture.read_bytes())
    assert desk.adopt(video.dump() | {"image": str(ours)}, trusted=False)["image"] is not None
    sneaky = f"{ours.parent}/../{picture.name}"
    assert desk.adopt(video.dump() | {"image": sneaky}, trusted=False)["image"] is None


def made_from(video: VideoOptions, folder: Path) -> Path:
    """A result of a request."""
    path = folder / "result.png"
    save_png(path, np.zeros((8, 8, 3), dtype=np.uint8), record(make_plan(video), marks_of(video)))
    return path


def test_a_result_finds_its_pictures_among_ours_by_their_marks(
    desk: Desk, video: VideoOptions, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "given").mkdir()
    path = made_from(video, tmp_path / "given")
    values, (note,) = desk.restored(path, VideoOptions, VideoOptions)
    assert (values["image"], note.id, note.values["name"]) == (None, "note.file.lost", picture.name)
    other = desk.given.find(desk.given.picture("other name.png", BytesIO(picture.read_bytes())).mark)
    values, notes = desk.restored(path, VideoOptions, VideoOptions)
    assert (values["image"], notes) == (str(other), ())


@pytest.mark.parametrize("local", [True, False])
def test_where_a_picture_was_last_seen_is_for_those_at_the_machine(
    desk: Desk, video: VideoOptions, picture: Path, tmp_path: Path, local: bool
) -> None:
    desk.local = local
    remember(video, marks_of(video), desk.settings.cache)
    (tmp_path / "given").mkdir()
    values, notes = desk.restored(made_from(video, tmp_path / "given"), VideoOptions, VideoOptions)
    assert [note.id for note in notes] == ([] if local else ["note.file.lost"])
    assert (values["image"] is not None) == local
    assert not local or Path(values["image"]).read_bytes() == picture.read_bytes()


def test_tokenizers_are_read_once(desk: Desk) -> None:
    meter = desk.meter("tiny")
    assert meter is not None
    assert desk.meter("tiny") is meter
    assert desk.meter("no such model") is None


def test_what_nothing_names_goes_after_a_month(desk: Desk, video: VideoOptions) -> None:
    job = desk.start([VideoOptions.parse(desk.adopt(video.dump()))])[0]
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
    with pytest.raises(InputError, match="on the computer itself"):
        desk.open_folder()
    desk.local = True
    with pytest.raises(FolderError, match="No program opened"):
        desk.open_folder()
    (tmp_path / "works").touch()
    assert desk.open_folder() == desk.settings.outputs.absolute()
    assert (tmp_path / "opened").read_text().strip() == str(desk.settings.outputs.absolute())


def test_pictures_that_a_favourite_names_stay(desk: Desk, video: VideoOptions) -> None:
    kept = Favourites(desk.settings.home, lambda _: None)
    named = []
    for number in range(2):
        own = given(desk, ("red", "blue")[number])
        named.append(own)
        os.utime(own.parent, (0, 0))
    kept.save("mine", video.model_copy(update={"image": named[0]}))
    kept.remember(video.model_copy(update={"image": named[1]}))
    desk.tidy()
    assert all(path.is_file() for path in named)
