"""A request as a draft holds it: pictures among what was given, ids for paths, a word on each file that is gone."""

import os
import stat
from io import BytesIO
from pathlib import Path

import pytest

from eichi.library.whereabouts import marks_of, remember
from eichi.options import FrameOptions, VideoOptions
from eichi.prepare import make_plan
from eichi.video.metadata import record, save_png
from eichi.web.desk import Desk
from eichi.web.drafted import Drafter
from eichi.web.dropped import Reader
from eichi.web.visitor import Visitor
from tests.web.test_read import EMPTY, weights


@pytest.fixture
def here(desk: Desk) -> Drafter:
    return Drafter(desk.refs, Visitor("en", local=True))


@pytest.fixture
def elsewhere(desk: Desk) -> Drafter:
    return Drafter(desk.refs, Visitor("en", local=False))


def test_pictures_are_kept_where_the_page_shows_them(
    desk: Desk, here: Drafter, video: VideoOptions, picture: Path
) -> None:
    values, notes = here.draft(video)
    assert notes == ()
    kept = desk.refs.find(values["image"])
    assert kept.is_relative_to(desk.uploads)
    assert kept.read_bytes() == picture.read_bytes()
    assert here.draft(VideoOptions.parse(values)) == (values, ())  # an id stays
    again = desk.given.picture("a.png", BytesIO(picture.read_bytes()))
    assert values["image"] == f"upload:{again.mark}"  # the same bytes are one picture
    if os.name != "nt":
        assert [stat.S_IMODE(path.stat().st_mode) for path in (kept, kept.parent)] == [0o600, 0o700]


def test_files_that_are_gone_go_alone_and_are_said(here: Drafter, video: VideoOptions, picture: Path) -> None:
    gone = str(picture.with_name("gone.png"))
    values = video.dump() | {"image": "upload:" + "0" * 32}
    values["keyframes"] |= {"sections": {"0": str(picture), "1": gone}}
    drafted, notes = here.draft(VideoOptions.parse(values))
    assert drafted["image"] is None
    assert list(drafted["keyframes"]["sections"]) == ["0"]
    assert [note.values["key"] for note in notes] == ["image", "keyframes.sections.1"]
    frame = FrameOptions.parse({"references": [str(picture), {"image": str(picture), "mask": gone}, gone]})
    drafted, notes = here.draft(frame)
    assert [one["mask"] for one in drafted["references"]] == [None, None]
    assert [note.values["name"] for note in notes] == ["gone.png"]


def test_latents_and_lora_files_have_ids_or_are_for_who_sits_here(
    desk: Desk, here: Drafter, elsewhere: Drafter, tmp_path: Path
) -> None:
    ours, theirs = desk.settings.outputs.absolute() / "a.safetensors", tmp_path / "a.safetensors"
    ours.parent.mkdir(parents=True)
    for path in (ours, theirs):
        path.touch()
    style = weights(desk.settings.loras[0] / "style.safetensors")
    asked = VideoOptions.parse({"kept": {"latents": ours}, "weights": {"loras": [str(style), str(theirs)]}})
    values, notes = here.draft(asked)
    assert values["kept"]["latents"].startswith("result:")
    assert [one["file"][:5] for one in values["weights"]["loras"]] == ["lora:", str(theirs)[:5]]
    assert notes == ()
    values, notes = elsewhere.draft(asked)
    assert [one["file"][:5] for one in values["weights"]["loras"]] == ["lora:"]
    assert [note.values["key"] for note in notes] == ["weights.loras.1.file"]


def test_a_strangers_file_reaches_only_some_folders(
    desk: Desk, elsewhere: Drafter, video: VideoOptions, picture: Path
) -> None:
    outputs = desk.settings.outputs.absolute()
    outputs.mkdir(parents=True)
    ours = outputs / "ours.png"
    ours.write_bytes(picture.read_bytes())

    def image(path: str) -> object:
        asked = VideoOptions.parse(video.dump() | {"image": path})
        return elsewhere.draft(asked, (desk.uploads, outputs))[0]["image"]

    assert image(str(picture)) is None
    assert image(f"{outputs}/../{os.path.relpath(picture, outputs.parent)}") is None
    assert str(image(str(ours))).startswith("upload:")


def test_a_model_of_ones_own_is_named_without_its_folder(
    here: Drafter, elsewhere: Drafter, video: VideoOptions
) -> None:
    own = video.model_copy(update={"model": "/home/me/models/mine"})
    assert [one.draft(own)[0]["model"] for one in (here, elsewhere)] == ["/home/me/models/mine", "mine"]


@pytest.mark.parametrize("local", [True, False])
def test_where_a_picture_was_last_seen_is_for_those_at_the_machine(
    desk: Desk, video: VideoOptions, tmp_path: Path, local: bool
) -> None:
    remember(video, marks_of(video), desk.settings.cache)
    (tmp_path / "given").mkdir()
    path = tmp_path / "given" / "result.png"
    save_png(path, EMPTY, record(make_plan(video, desk.settings.model_folders), marks_of(video)))
    reader = Reader(desk.settings, desk.refs, Visitor("en", local), VideoOptions, {})
    values = reader.settings(path)
    assert [note.id for note in reader.heard] == ([] if local else ["note.file.lost"])
    assert (values["image"] is not None) == local
