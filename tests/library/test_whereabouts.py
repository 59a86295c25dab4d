"""Files of a record are found again from anywhere, the same ones, and what is not there is said."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from eichi.events import Adjusted
from eichi.library import whereabouts
from eichi.library.whereabouts import Places, covers, marks_of, model_place, relocate, remember
from eichi.options import FrameOptions, VideoOptions, files_of
from eichi.video.metadata import portable
from tests.pictures import encoded


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    """A picture in a folder of its own."""
    path = tmp_path / "photos" / "cat.png"
    path.parent.mkdir()
    path.write_bytes(encoded("PNG"))
    return path


def recorded(options: VideoOptions | FrameOptions) -> VideoOptions | FrameOptions:
    """What a result says of a request."""
    return type(options).parse(portable(options))


def found(path: Path, places: Places, marked: bool = True) -> tuple[Path | None, list[str]]:
    """Where the start picture of a result is found, and the ids of what is said."""
    options = VideoOptions(image=path)
    asked, notes = relocate(recorded(options), marks_of(options) if marked else {}, places)
    return asked.image, [note.id for note in notes]


def other(path: Path) -> Path:
    """A picture with another content, of another size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)
    return path


def test_marks_are_of_the_content_alone(cat: Path, tmp_path: Path) -> None:
    options = VideoOptions.parse({"image": cat, "keyframes": {"final": tmp_path / "none.png", "sections": {3: cat}}})
    marks = marks_of(options)
    assert (
        marks["image"] == marks["keyframes.sections.3"] == marks_of(VideoOptions(image=moved(cat, tmp_path)))["image"]
    )
    assert marks.keys() == {"image", "keyframes.sections.3"}
    assert files_of(options).keys() == {"image", "keyframes.final", "keyframes.sections.3"}


def moved(path: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy2(path, folder / path.name))


@pytest.mark.parametrize("name", ["cat.png", "renamed.png"])
def test_below_a_folder_by_name_or_by_content(cat: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / "here" / "deep" / name
    place.parent.mkdir(parents=True)
    shutil.copy(cat, place)
    other(tmp_path / "here" / "cat.png")
    other(tmp_path / "here" / ".hidden" / "cat.png")
    assert found(cat, Places(folders=(tmp_path / "here",))) == (place, [])


def test_beside_the_result(cat: Path, tmp_path: Path) -> None:
    copy = moved(cat, tmp_path / "results")
    assert found(cat, Places(beside=copy.parent)) == (copy, [])
    assert found(cat, Places(beside=copy.parent), marked=False) == (copy, ["note.file.found"])


def test_where_this_machine_saw_it(cat: Path, tmp_path: Path, home: Path) -> None:
    options, cache = VideoOptions(image=cat), home / "cache"
    remember(options, marks_of(options), cache)
    assert found(cat, Places(cache=cache)) == (cat, [])
    assert found(cat, Places()) == (Path("cat.png"), ["note.file.lost"])
    (entry,) = (cache / whereabouts.SEEN).iterdir()
    assert entry.stat().st_mode & 0o077 == 0


def test_memory_that_cannot_be_written_costs_no_job(cat: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in its place")
    options = VideoOptions(image=cat)
    remember(options, marks_of(options), tmp_path / "cache")
    remember(options, marks_of(options), None)
    assert found(cat, Places(cache=tmp_path / "cache"))[1] == ["note.file.lost"]


def test_another_content_is_said(cat: Path, tmp_path: Path) -> None:
    options = VideoOptions(image=cat)
    marks, place = marks_of(options), other(tmp_path / "here" / "cat.png")
    asked, (note,) = relocate(recorded(options), marks, Places(folders=(place.parent,)))
    assert (asked.image, note) == (
        place,
        Adjusted("note.file.other", {"key": "image", "name": "cat.png", "path": str(place)}),
    )


def test_records_from_before_name_a_path(cat: Path, tmp_path: Path) -> None:
    """It is followed where it leads to a file, whatever system it is of, and its name is looked for where not."""
    for path, expected in ((cat, []), (tmp_path / "gone" / "cat.png", ["note.file.found"])):
        asked, notes = relocate(VideoOptions(image=path), {}, Places(folders=(tmp_path,)))
        assert (asked.image, [note.id for note in notes]) == (cat, expected)
    asked, (note,) = relocate(VideoOptions(image=Path("D:\\photos\\cat.png")), {}, Places(folders=(tmp_path,)))
    assert (asked.image, note.values["name"]) == (cat, "cat.png")


def test_a_strict_search_goes_by_marks_and_stays_inside(cat: Path, tmp_path: Path) -> None:
    inside = Places(folders=(tmp_path / "ours",), strict=True)
    assert relocate(VideoOptions(image=cat), {}, inside)[0].image == Path("cat.png")
    ours = moved(cat, tmp_path / "ours")
    assert found(cat, inside, marked=False) == (Path("cat.png"), ["note.file.lost"])
    assert found(cat, inside) == (ours, [])
    assert relocate(VideoOptions(image=ours), {}, inside) == (VideoOptions(image=ours), ())


def test_every_kind_of_file_and_what_is_settled(cat: Path, tmp_path: Path) -> None:
    lora = cat.with_name("style.safetensors")
    lora.write_bytes(b"weights")
    options = FrameOptions.parse(
        {"image": cat, "references": [{"image": cat, "mask": cat}], "weights": {"loras": [lora]}}
    )
    places = Places(folders=(cat.parent,))
    assert relocate(recorded(options), marks_of(options), places) == (options, ())
    asked, notes = relocate(recorded(options), {}, Places(), covers(["references.0", "weights"]))
    assert [note.values["key"] for note in notes] == ["image"]
    assert asked == recorded(options)
    _, notes = relocate(recorded(options), {}, Places())
    assert [note.values["name"] for note in notes] == ["cat.png", "style.safetensors"]


@pytest.mark.parametrize("mark", [3, {}, {"bytes": "x", "print": None}, {"print": "../../x\0"}])
def test_marks_that_are_none(cat: Path, tmp_path: Path, mark: object) -> None:
    places = Places(folders=(cat.parent,), cache=tmp_path / "cache")
    asked, (note,) = relocate(VideoOptions(image=Path("cat.png")), {"image": mark}, places)
    assert (asked.image, note.id[:10]) == (cat, "note.file.")


def test_the_search_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cat: Path) -> None:
    monkeypatch.setattr(whereabouts, "ENTRIES", 3)
    for number in range(5):
        other(tmp_path / "many" / f"{number}.png")
    moved(cat, tmp_path / "many" / "z")
    assert found(cat, Places(folders=(tmp_path / "many",)))[1] == ["note.file.lost"]


def test_a_model_of_ones_own(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "models" / "mine"
    folder.mkdir(parents=True)
    options = VideoOptions(model=str(folder))
    remember(options, {}, home / "cache")
    asked, notes = relocate(recorded(options), {}, Places(cache=home / "cache"))
    assert (asked.model, notes) == (str(folder), ())
    assert model_place("tiny", home / "cache") == "tiny"
    folder.rmdir()
    assert model_place("mine", home / "cache") == model_place("mine", None) == "mine"
