"""Nothing that is kept is lost: damage, upgrades, later versions, two writers."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.errors import FolderError, InputError
from eichi.events import Adjusted
from eichi.library.store import Kept, Shelf, Step, free_name


class Things(Kept):
    table: dict[str, int] = {}  # noqa: RUF012
    word: str = "w"


def shelf(home: Path, notes: list[Adjusted] | None = None, steps: tuple[Step, ...] = ()) -> Shelf[Things]:
    return Shelf(home, "things", Things, (notes if notes is not None else []).append, steps)


def write(home: Path, content: str | dict[str, Any]) -> Path:
    path = home / "library" / "things.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_reading_makes_nothing(home: Path) -> None:
    assert shelf(home).read() == Things()
    assert not home.exists()


def test_a_change_is_there_for_the_next_reader(home: Path) -> None:
    with shelf(home).change() as things:
        things.table["猫"] = 3
    assert shelf(home).read().table == {"猫": 3}
    assert "猫" in (home / "library" / "things.json").read_text(encoding="utf-8")


def test_a_block_that_fails_changes_nothing(home: Path) -> None:
    write(home, {"version": 1, "word": "before"})
    with pytest.raises(KeyError), shelf(home).change() as things:
        things.word = "after"
        raise KeyError
    assert shelf(home).read().word == "before"


def test_the_file_before_the_last_change_stays(home: Path) -> None:
    for word in ("one", "two"):
        with shelf(home).change() as things:
            things.word = word
    assert json.loads(shelf(home).backup.read_text())["word"] == "one"


def test_unknown_keys_stay(home: Path) -> None:
    path = write(home, {"version": 1, "word": "a", "later": {"x": [1]}})
    with shelf(home).change() as things:
        things.word = "b"
    assert json.loads(path.read_text()) == {"version": 1, "table": {}, "word": "b", "later": {"x": [1]}}


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"version": 0}', '{"version": "1"}', "[" * 100_000])
def test_a_damaged_file_is_set_aside_and_said(home: Path, text: str) -> None:
    path = write(home, text)
    notes: list[Adjusted] = []
    assert shelf(home, notes).read() == Things()
    assert [note.id for note in notes] == ["note.library.damaged"]
    assert Path(str(notes[0].values["kept"])).read_text() == text
    assert json.loads(path.read_text())["version"] == 1
    assert shelf(home, notes).read() == Things()
    assert len(notes) == 1


def test_what_was_kept_before_the_damage_comes_back(home: Path) -> None:
    for word in ("one", "two"):
        with shelf(home).change() as things:
            things.word = word
    write(home, "{")
    assert shelf(home).read().word == "one"


def test_two_damages_leave_two_files(home: Path) -> None:
    for text in ("one", "two"):
        write(home, text)
        shelf(home).read()
    assert sorted(path.read_text() for path in (home / "library").glob("*.damaged*.json")) == ["one", "two"]


def test_one_bad_entry_does_not_take_the_others_with_it(home: Path) -> None:
    path = write(home, {"version": 1, "table": {"good": 1, "bad": "x", "worse": None}, "word": 3})
    before = path.read_text()
    notes: list[Adjusted] = []
    things = shelf(home, notes).read()
    assert (things.table, things.word) == ({"good": 1}, "w")
    lost = [str(note.values["key"]) for note in notes if note.id == "note.library.lost"]
    assert sorted(lost) == ["table.bad", "table.worse", "word"]
    assert Path(str(notes[0].values["kept"])).read_text() == before


def to_two(values: dict[str, Any]) -> dict[str, Any]:
    return values | {"word": values["text"]}


def to_three(values: dict[str, Any]) -> dict[str, Any]:
    return values | {"table": {values["word"]: 3}}


def test_every_earlier_version_is_brought_up_to_date(home: Path) -> None:
    for version, values in ((1, {"text": "a"}), (2, {"word": "a"})):
        write(home, {"version": version, **values})
        notes: list[Adjusted] = []
        things = shelf(home, notes, (to_two, to_three)).read()
        assert (things.word, things.table) == ("a", {"a": 3})
        assert [note.id for note in notes] == ["note.library.upgraded"]
        assert json.loads(Path(str(notes[0].values["kept"])).read_text())["version"] == version
        assert shelf(home, notes, (to_two, to_three)).read() == things
        assert len(notes) == 1


def test_a_later_version_is_left_alone(home: Path) -> None:
    path = write(home, {"version": 2, "word": "later"})
    before = path.read_bytes()
    with pytest.raises(InputError, match="later version"):
        shelf(home).read()
    with pytest.raises(InputError, match="later version"), shelf(home).change():
        pass
    assert path.read_bytes() == before


def test_writers_do_not_undo_each_other(home: Path) -> None:
    def add(name: str) -> None:
        for number in range(5):
            with shelf(home).change() as things:
                things.table[f"{name}{number}"] = number

    writers = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(shelf(home).read().table) == 20


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="Nothing can be written"), shelf(tmp_path / "file").change():
        pass


@given(st.dictionaries(st.text(), st.integers()), st.text())
def test_everything_comes_back(tmp_path_factory: pytest.TempPathFactory, table: dict[str, int], word: str) -> None:
    home = tmp_path_factory.mktemp("home")
    with shelf(home).change() as things:
        things.table, things.word = table, word
    assert shelf(home).read() == Things(table=table, word=word)


def test_a_half_character_comes_back(home: Path) -> None:
    with shelf(home).change() as things:
        things.word = "\ud83d"
    assert shelf(home).read().word == "\ud83d"


def test_free_names() -> None:
    assert free_name("a", []) == "a"
    assert free_name("a", ["a", "a (2)"]) == "a (3)"
