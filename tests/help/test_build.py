"""Where builds put their sites, and what goes when a new one comes. Sphinx itself runs in the tests of the site."""

import os
from pathlib import Path

import click
import pytest

from eichi.help import build
from eichi.help.__main__ import LANGUAGE
from eichi.words import languages, say


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that sites were built into."""
    made: list[Path] = []

    def make(code: str, to: Path) -> bool:
        to.mkdir(parents=True)
        (to / "index.html").touch()
        made.append(to)
        return True

    monkeypatch.setattr(build, "build", make)
    return made


def test_a_site_is_built_once(tmp_path: Path, built: list[Path]) -> None:
    for _ in range(2):
        assert build.keep("ja", tmp_path / "help" / "mark" / "ja")
    assert built == [tmp_path / "help" / "mark" / "ja"]


def test_sites_of_older_programs_go_but_for_one(tmp_path: Path, built: list[Path]) -> None:
    for age, mark in enumerate(("newer", "old", "oldest")):
        (tmp_path / mark).mkdir()
        os.utime(tmp_path / mark, (1e9 - age, 1e9 - age))
    build.keep("en", tmp_path / "now" / "en")
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"now", "newer"}


def test_the_entrance_names_every_language_in_its_own(tmp_path: Path) -> None:
    build.entrance(tmp_path)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert all(f'<a href="{code}/index.html"' in text and say("page.language", code) in text for code in languages())


def test_a_language_may_be_named_as_its_catalogues_are() -> None:
    assert LANGUAGE.convert("zh_TW", None, None) == "zh-TW"
    with pytest.raises(click.BadParameter):
        LANGUAGE.convert("xx", None, None)
