"""Lists and folders as people keep them."""

from pathlib import Path

import pytest
from PIL import Image

from eichi.errors import InputError
from eichi.jobs import lists
from eichi.jobs.batch import BatchPicture
from eichi.jobs.lists import pair, read_pictures, read_prompts, read_references
from eichi.options import ReferenceOptions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten pictures are in order when 2 comes before 10."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("10.png", "2.PNG", "b.jpg", "a.webp"):
        Image.new("RGB", (8, 8)).save(folder / name)
    return folder


def test_a_folder_of_pictures_with_their_texts(folder: Path) -> None:
    (folder / "2.txt").write_bytes(b"\xef\xbb\xbf the cat\nsits \n")
    (folder / "10.txt").write_text(" \n")
    (folder / ".hidden.png").touch()
    (folder / "inner").mkdir()
    pictures, notes = read_pictures(folder)
    names = ("2.PNG", "10.png", "a.webp", "b.jpg")
    assert [picture.image for picture in pictures] == [folder / name for name in names]
    assert pictures[0] == BatchPicture(folder / "2.PNG", "the cat\nsits")
    assert [picture.prompt for picture in pictures[1:]] == [None] * 3
    assert notes == ()


def test_what_is_not_used_is_named(folder: Path) -> None:
    for name in ("notes.txt", "video.mp4"):
        (folder / name).touch()
    _, (note,) = read_pictures(folder)
    assert (note.id, note.values["names"]) == ("note.batch.ignored", "notes.txt, video.mp4")


def test_references_from_a_folder_and_from_a_list(folder: Path) -> None:
    references, _ = read_references(folder)
    assert len(references) == 4
    path = folder / "list.txt"
    path.write_text("# which\n2.PNG\n\n10.png:7:a.webp\n/elsewhere/x.png\n")
    references, notes = read_references(path)
    assert references == (
        ReferenceOptions(image=folder / "2.PNG"),
        ReferenceOptions(image=folder / "10.png", index=7, mask=folder / "a.webp"),
        ReferenceOptions(image=Path("/elsewhere/x.png")),
    )
    assert notes == ()


def test_a_prompt_list(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffпервый\r\n\r\n二つ目\r\n".encode())
    assert read_prompts(path) == (("первый", "二つ目"), ())


def test_each_bad_list_has_its_sentence(tmp_path: Path) -> None:
    empty, foreign, odd = (tmp_path / name for name in ("empty.txt", "foreign.txt", "odd.txt"))
    empty.write_text("# nothing\n\n")
    foreign.write_bytes("Straße über".encode("latin-1"))
    odd.write_text("a.png:99\n")
    bare = tmp_path / "bare"
    bare.mkdir()
    with pytest.raises(InputError, match="is empty"):
        read_prompts(empty)
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_prompts(foreign)
    with pytest.raises(InputError, match="is not a reference"):
        read_references(odd)
    for path in (tmp_path / "nobody.txt", bare):
        with pytest.raises(InputError, match="cannot be read"):
            read_prompts(path)
    with pytest.raises(InputError, match=r"nowhere.* cannot be read"):
        read_pictures(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no image in"):
        read_pictures(bare)
    with pytest.raises(InputError, match="cannot be read"):
        read_pictures(empty)


def test_pictures_and_texts_that_lie_apart_belong_together(tmp_path: Path) -> None:
    files = [tmp_path / str(number) / name for number, name in enumerate(("b.png", "a.txt", "a.png", "notes.pdf"))]
    for path in files:
        path.parent.mkdir()
        path.write_text("said of a" if path.suffix == ".txt" else "", encoding="utf-8")
    pictures, _, rest = pair(files)
    assert [(one.image, one.prompt) for one in pictures] == [(files[2], "said of a"), (files[0], None)]
    assert rest == ["notes.pdf"]


@pytest.mark.parametrize(
    ("picture", "text"),
    [
        ("b.JPG", "b.TXT"),
        ("B.jpg", "b.txt"),
        ("が.jpg", "か\u3099.txt"),
        ("か\u3099.jpg", "が.txt"),
        ("É.png", "e\u0301.Txt"),
        ("straße.png", "STRASSE.txt"),
    ],
)
def test_names_that_are_the_same_belong_together(tmp_path: Path, picture: str, text: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / picture)
    (tmp_path / text).write_text("words")
    (found,), notes = read_pictures(tmp_path)
    assert (found.prompt, notes) == ("words", ())


def test_the_text_that_is_written_alike_goes_first(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.png", "A.txt", "a.txt", "A.PNG")]
    for path in files:
        path.write_text(path.name)
    if len([*tmp_path.iterdir()]) < len(files):
        pytest.skip("names are the same whatever their case")
    pictures, _, rest = pair(files)
    assert {one.image: one.prompt for one in pictures} == {files[0]: "a.txt", files[3]: "A.txt"}
    assert rest == []


@pytest.mark.parametrize(("coding", "told"), [("utf-16", None), ("utf-8-sig", None), ("cp932", "CP932")])
def test_texts_in_other_codings(folder: Path, coding: str, told: str | None) -> None:
    (folder / "2.txt").write_bytes("猫が歩く".encode(coding))
    pictures, notes = read_pictures(folder)
    prompts, more = read_prompts(folder / "2.txt")
    assert (pictures[0].prompt, prompts) == ("猫が歩く", ("猫が歩く",))
    said = [{"file": "2.txt", "coding": told}] if told else []
    assert [note.values for note in notes] == [note.values for note in more] == said


def test_a_list_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "LIMIT", 2**20)
    (tmp_path / "list.txt").write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(InputError, match="larger than 1 MiB"):
        read_prompts(tmp_path / "list.txt")
