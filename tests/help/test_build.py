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

    def make(code: str, to: Path, beside: Path) -> bool:
        assert list(beside.iterdir()) == [] and beside.is_relative_to(to.parents[1])
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


def test_what_a_killed_build_left_is_gone_after_the_next(tmp_path: Path, built: list[Path]) -> None:
    (tmp_path / build.WORK / "eichi-help-x" / "site").mkdir(parents=True)
    assert build.keep("en", tmp_path / "now" / "en")
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"now"}


def test_a_build_that_finds_no_room_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sphinx(asked: list[str]) -> int:
        Path(asked[-1]).mkdir()
        return 0

    def full(draft: Path, path: Path, lasting: bool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build, "build_main", sphinx)
    monkeypatch.setattr(build, "settle", full)
    with pytest.raises(OSError, match="No space"):
        build.keep("en", tmp_path / "help" / "mark" / "en")
    assert [path for path in tmp_path.rglob("*") if path.is_dir() and "en" in path.name] == []
    assert not (tmp_path / "help" / build.WORK).exists()


def test_the_entrance_names_every_language_in_its_own(tmp_path: Path) -> None:
    build.entrance(tmp_path)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert all(f'<a href="{code}/index.html"' in text and say("page.language", code) in text for code in languages())


def test_a_language_may_be_named_as_its_catalogues_are() -> None:
    assert LANGUAGE.convert("zh_TW", None, None) == "zh-TW"
    with pytest.raises(click.BadParameter):
        LANGUAGE.convert("xx", None, None)
