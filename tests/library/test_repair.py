"""A settings file that is damaged costs what is damaged of it, and nothing else."""

import json
from pathlib import Path

import pytest

from eichi.events import Adjusted
from eichi.library.repair import repair_settings
from eichi.settings import FILE, load_settings, write_settings

GOOD = {"language": "ru", "outputs": "videos", "vae_tile": 512}


def mended(home: Path, text: str) -> list[Adjusted]:
    home.mkdir(exist_ok=True)
    (home / FILE).write_text(text, encoding="utf-8")
    notes: list[Adjusted] = []
    repair_settings(notes.append)
    return notes


def test_no_file_and_a_good_one_are_left_alone(home: Path) -> None:
    notes: list[Adjusted] = []
    repair_settings(notes.append)
    assert not home.exists()
    text = json.dumps(GOOD)
    assert mended(home, text) == notes == []
    assert [(path.name, path.read_text()) for path in home.iterdir()] == [(FILE, text)]


@pytest.mark.parametrize("text", ["{", "", "3", "[]", '{"language": "ja"', "[" * 100_000])
def test_a_file_that_cannot_be_read_stays_beside(home: Path, text: str) -> None:
    (note,) = mended(home, text)
    assert note.id == "note.library.damaged"
    assert Path(str(note.values["kept"])).read_text() == text
    assert load_settings().language == "en"


def test_what_can_be_read_is_kept(home: Path) -> None:
    notes = mended(home, json.dumps({**GOOD, "device": 3, "nope": {"x": 1}, "preserve_gb": "much"}))
    assert [note.values.get("key") for note in notes] == [None, "device", "preserve_gb", "nope"]
    settings = load_settings()
    assert (settings.language, settings.outputs, settings.vae_tile) == ("ru", Path("videos"), 512)
    assert json.loads((home / FILE).read_text()) == GOOD
    # Once more damaged, the first copy stays.
    mended(home, "{")
    assert len(list(home.glob("*.damaged*.json"))) == 2


def test_a_wrong_variable_is_no_damage(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EICHI_LANGUAGE", "klingon")
    assert mended(home, json.dumps(GOOD)) == []
    assert json.loads((home / FILE).read_text()) == GOOD


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_damage(home: Path, coding: str) -> None:
    """Editors and shells of Windows write one."""
    content = json.dumps(GOOD).encode(coding)
    home.mkdir()
    (home / FILE).write_bytes(content)
    notes: list[Adjusted] = []
    repair_settings(notes.append)
    assert (notes, (home / FILE).read_bytes()) == ([], content)
    assert load_settings().language == "ru"
    write_settings(home, {"device": "cpu"})
    assert json.loads((home / FILE).read_bytes()) == GOOD | {"device": "cpu"}
