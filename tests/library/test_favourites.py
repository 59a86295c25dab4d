"""Favourites: complete requests with names, through changes of the options and from machine to machine."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.errors import FolderError, InputError
from eichi.events import Adjusted
from eichi.library.favourites import Favourite, Favourites
from eichi.options import MAX_SEED, FrameOptions, Request, VideoOptions

requests = st.builds(
    VideoOptions,
    prompt=st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
    seed=st.none() | st.integers(0, MAX_SEED),
    seconds=st.floats(0.1, 120),
) | st.builds(FrameOptions, target=st.none() | st.integers(0, 64), denoise=st.floats(0.01, 1))


def favourites(home: Path, notes: list[Adjusted] | None = None) -> Favourites:
    return Favourites(home, (notes if notes is not None else []).append)


@given(requests)
def test_a_request_comes_back_equal(tmp_path_factory: pytest.TempPathFactory, request_: Request) -> None:
    home = tmp_path_factory.mktemp("home")
    notes: list[Adjusted] = []
    kept = favourites(home, notes)
    kept.save("a", request_)
    assert (kept.apply("a"), notes) == (request_, [])
    kept.export(home / "out.json")
    other = favourites(home / "other")
    assert other.take_in(home / "out.json") == {"a": "a"}
    assert other.apply("a") == request_


def test_names_are_kept_in_order_and_changed_in_place(home: Path) -> None:
    kept = favourites(home)
    for name in ("a", " b ", "c"):
        kept.save(name, VideoOptions(prompt=name))
    kept.save("f", FrameOptions())
    kept.rename("b", "B")
    kept.rename("a", "a")
    kept.delete("c")
    assert kept.list() == {"a": "video", "B": "video", "f": "frame"}
    assert kept.apply("B").prompt == " b "


def test_a_taken_name_is_only_replaced_on_request(home: Path) -> None:
    kept = favourites(home)
    kept.save("a", VideoOptions(prompt="1"))
    kept.save("b", VideoOptions(prompt="2"))
    with pytest.raises(InputError, match="already"):
        kept.save("a", VideoOptions(prompt="3"))
    with pytest.raises(InputError, match="already"):
        kept.rename("b", "a")
    assert kept.apply("a").prompt == "1"
    kept.save("a", VideoOptions(prompt="3"), replace=True)
    assert kept.apply("a").prompt == "3"


def test_what_is_not_there_is_one_sentence(home: Path) -> None:
    kept = favourites(home)
    for act in (kept.apply, kept.get, kept.delete, lambda name: kept.rename(name, "x")):
        with pytest.raises(InputError, match="no favourite “nope”"):
            act("nope")
    with pytest.raises(InputError, match="needs a name"):
        kept.save(" ", VideoOptions())
    with pytest.raises(InputError, match="no type"):
        kept.keep("film", Favourite(kind="film", request={}))
        kept.apply("film")


def test_options_of_another_version_are_said_and_kept(home: Path) -> None:
    notes: list[Adjusted] = []
    kept = favourites(home, notes)
    request = {"prompt": "p", "later": {"x": 1}, "sampling": {"steps": 9, "order": 4}, "seconds": 1000}
    kept.keep("old", Favourite(kind="video", request=request))
    assert kept.apply("old") == VideoOptions.parse({"prompt": "p", "sampling": {"steps": 9}})
    assert sorted(str(note.values["key"]) for note in notes) == ["later", "sampling.order", "seconds"]
    kept.save("new", VideoOptions())
    assert favourites(home).get("old").request == request


def test_import_renames_what_is_taken_and_skips_what_is_the_same(home: Path, tmp_path: Path) -> None:
    notes: list[Adjusted] = []
    kept = favourites(home, notes)
    kept.save("a", VideoOptions(prompt="1"))
    kept.save("b", VideoOptions(prompt="2"))
    kept.export(tmp_path / "out.json", ["a", "b"])
    kept.save("a", VideoOptions(prompt="other"), replace=True)
    assert kept.take_in(tmp_path / "out.json") == {"a": "a (2)"}
    assert [(note.id, note.values) for note in notes] == [("note.library.renamed", {"name": "a", "new": "a (2)"})]
    assert [kept.apply(name).prompt for name in kept.list()] == ["other", "2", "1"]
    with pytest.raises(InputError, match="nope"):
        kept.export(tmp_path / "out.json", ["nope"])
    with pytest.raises(FolderError):
        kept.export(tmp_path / "none" / "out.json")


def test_an_export_names_no_folder_and_finds_its_files_again(home: Path, tmp_path: Path, picture: Path) -> None:
    notes: list[Adjusted] = []
    kept, request = favourites(home, notes), VideoOptions(image=picture, prompt="a/b")
    kept.save("a", request)
    kept.keep("film", Favourite(kind="film", request={"image": str(picture)}))
    kept.export(tmp_path / "out.json")
    text = (tmp_path / "out.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert picture.name in text
    assert kept.take_in(tmp_path / "out.json") == {}
    other = favourites(tmp_path / "other", notes)
    assert other.take_in(tmp_path / "out.json") == {"a": "a", "film": "film"}
    assert other.apply("a") == VideoOptions(image=Path(picture.name), prompt="a/b")
    assert [note.id for note in notes] == ["note.file.lost"]
    upload = tmp_path / "other" / "uploads" / "x" / "other.png"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(picture.read_bytes())
    assert other.apply("a").image == upload
    other.export(tmp_path / "again.json", ["a"])
    assert json.loads((tmp_path / "again.json").read_text())["favourites"]["a"] == json.loads(text)["favourites"]["a"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"eichi-favourites": 2, "favourites": {}}',
        '{"eichi-favourites": 1}',
        json.dumps({"eichi-favourites": 1, "favourites": {"a": {"kind": 3}}}),
        "[" * 100_000,
        "\udcff",
    ],
    ids=range(8),
)
def test_other_files_are_refused(home: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "in.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="not a file of favourites"):
        favourites(home).take_in(path)
    assert favourites(home).list() == {}


def test_what_another_version_keeps_there_is_lost_only_where_it_cannot_be_written(home: Path) -> None:
    notes: list[Adjusted] = []
    favourites(home).save("mine", VideoOptions())
    path = home / "library" / "favourites.json"
    content = json.loads(path.read_text(encoding="utf-8")) | {"later": {"a": 1}, "last": {"video": {"\ud800": 1}}}
    path.write_text(json.dumps(content), encoding="utf-8")
    favourites(home, notes).save("other", VideoOptions())
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert (kept["later"], "last" in kept, [*kept["favourites"]]) == ({"a": 1}, False, ["mine", "other"])
    assert [note.values["key"] for note in notes if note.id == "note.library.lost"] == ["last"]


def test_a_missing_file_is_refused(home: Path) -> None:
    with pytest.raises(InputError, match="not a file of favourites"):
        favourites(home).take_in(Path("none.json"))
