"""The catalogues of the translations: what a change of the documents makes of them, what they take and refuse."""

from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from click.testing import CliRunner

from eichi.documents import catalogues, folder, pages, translations
from eichi.help.__main__ import main
from eichi.help.catalogues import (
    entries,
    fold,
    load,
    misfit,
    original,
    progress,
    read,
    spoken,
    to_do,
    translated,
    unaided,
    update,
    write,
)
from eichi.reference.pages import PAGES

# Languages whose documents are translated, so that a gap is a fault. Those of others appear in English, page by page.
WHOLE = {"ja", "ru", "zh-TW"}
LONG = "A long sentence about the queue, and more."


def template(path: Path, *texts: str) -> None:
    """What gettext's builder writes of a page."""
    catalog = Catalog()
    for text in texts:
        catalog.add(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(catalog, path)


def said(path: Path) -> dict[str, str]:
    """The texts of a catalogue, and what they become."""
    return {original(one): translated(one) for one in entries(read(path))}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Catalogues of two pages, one text translated."""
    template(
        tmp_path / "pot/guide/one.pot", "Choose an image.", "`--seed`", "A long sentence about the queue, and more."
    )
    template(tmp_path / "pot/two.pot", "Choose an image.")
    update(tmp_path / "pot", tmp_path / "ja", "ja")
    assert fold({"guide/one": {"Choose an image.": "画像を選びます。"}}, tmp_path / "ja").filled == 2
    return tmp_path / "ja"


def test_what_has_no_letters_is_filled_at_once(book: Path) -> None:
    assert said(book / "guide/one.po")["`--seed`"] == "`--seed`"
    assert not spoken("`eichi plan`, [](x.md) – 25 %") and spoken("[Seed](x.md)")


@pytest.mark.parametrize(
    ("text", "russian"),
    [
        ("0.5–0.8", "0,5–0,8"),
        ("≈ 1.25 %", "≈ 1,25 %"),
        ("27.5 GiB", "27,5 ГиБ"),
        ("0.0–1.2 s", "0,0–1,2 с"),
        ("`0.5`, 1.5", "`0.5`, 1,5"),
        ("2.11.0", "2.11.0"),
        ("1,000", "1000"),
        ("12,345.5", "12\N{NO-BREAK SPACE}345,5"),
        ("Ray 2.60", ""),
    ],
)
def test_numbers_get_the_comma_of_the_language(text: str, russian: str) -> None:
    assert unaided(text, "ru") == russian
    assert unaided(text, "ja") == ("" if spoken(text) else text)


def test_every_number_in_russian_has_its_comma() -> None:
    every = {text: one for book in book_of("ru").values() for text, one in book.items()}
    numbers = {text: one for text, one in every.items() if unaided(text, "ru") not in ("", text)}
    assert len(numbers) > 50
    assert {text: one for text, one in numbers.items() if one != unaided(text, "ru")} == {}


def test_a_text_that_moves_takes_its_translation_along(book: Path) -> None:
    pot = book.parent / "pot"
    (pot / "two.pot").unlink()
    template(pot / "guide/one.pot", "`--seed`")
    template(pot / "three.pot", "Choose an image.")
    update(pot, book, "ja")
    assert sorted(path.name for path in book.rglob("*.po")) == ["one.po", "three.po"]
    assert said(book / "three.po") == {"Choose an image.": "画像を選びます。"}


def test_a_changed_text_is_stale_until_it_is_read_again(book: Path) -> None:
    fold({"guide/one": {LONG: "キューについて。"}}, book)
    template(book.parent / "pot/guide/one.pot", "Choose an image.", LONG.replace("more", "much more"))
    update(book.parent / "pot", book, "ja")
    assert progress(book)["guide/one"].stale == 1 and progress(book)["guide/one"].share == 0.5
    work = to_do(book, ["guide"])
    assert work == {"guide/one": {"A long sentence about the queue, and much more.": ""}}
    fold({"guide/one": dict.fromkeys(work["guide/one"], "キューについて、詳しく。")}, book)
    assert progress(book)["guide/one"].share == 1


def test_a_correction_reaches_every_page_that_said_the_same(book: Path) -> None:
    fold({"two": {"Choose an image.": "画像を選択します。"}}, book)
    assert said(book / "guide/one.po")["Choose an image."] == "画像を選択します。"
    fold({"two": {"Choose an image.": "画像を選ぶ"}, "guide/one": {"Choose an image.": "画像を一つ選ぶ"}}, book)
    fold({"two": {"Choose an image.": "画像を選ぶこと"}}, book)
    assert said(book / "two.po")["Choose an image."] == "画像を選ぶこと"
    assert said(book / "guide/one.po")["Choose an image."] == "画像を一つ選ぶ"


def test_what_looks_like_a_format_is_a_text(book: Path) -> None:
    """The library marks such a text when it reads it; then catalogues would change with every tool."""
    for text in ("100 %s and {count} more", "Use {x} or %(y)s."):
        template(book.parent / "pot/two.pot", text)
        update(book.parent / "pot", book, "ja")
        fold({"two": {text: f"{text}。"}}, book)
        assert "-format" not in (book / "two.po").read_text(encoding="utf-8")


def test_a_second_update_changes_nothing(book: Path) -> None:
    before = {path: path.read_bytes() for path in book.rglob("*.po")}
    update(book.parent / "pot", book, "ja")
    assert {path: path.read_bytes() for path in book.rglob("*.po")} == before


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Use `--seed`.", "`--sed` を使います。"),
        ("See [Queue](queue.md).", "[キュー](queu.md)を参照。"),
        ("See {doc}`queue`.", "{dok}`queue` を参照。"),
        ("Press **Save**.", "**「保存」**を押します。"),
        ("Two steps.", "1. 二つの手順"),
        ("See <https://example.org/>.", "<https://example.com/> を参照。"),
        ("A picture.", "画像 <img src=x onerror=x> です。"),
        ("Hidden.", "隠\N{NULL}す"),
        ("One line.", "一行\nまた一行"),
        ("Short.", "`" * 100_000),
    ],
)
def test_a_translation_that_does_not_fit_is_refused(book: Path, text: str, wrong: str) -> None:
    assert misfit(text, wrong)
    template(book.parent / "pot/two.pot", text)
    update(book.parent / "pot", book, "ja")
    came = fold({"two": {text: wrong}}, book)
    assert came.filled == 0 and text in came.refused[0]


@pytest.mark.parametrize(
    "text", ['{"two": {"a": null}}', '{"two": {"a": ["b"]}}', "[]", "[" * 100_000, '{"two": {"a": "\\ud800"}}', "<<<"]
)
def test_work_that_is_none_is_said_and_fills_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "work.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"work\.json"):
        load(path)
    done = CliRunner().invoke(main, ["fold", "ja", str(path)])
    assert done.exit_code == 1 and done.output.startswith("Error: ")


def test_work_may_begin_with_the_mark_that_windows_writes(tmp_path: Path) -> None:
    (tmp_path / "work.json").write_text('{"two": {"a": "b"}}', encoding="utf-8-sig")
    assert load(tmp_path / "work.json") == {"two": {"a": "b"}}


@pytest.mark.parametrize("begin", [b"<<<<<<< docs\n", b'msgid "\xff"\nmsgstr ""\n\n'])
def test_a_catalogue_with_a_conflict_is_not_read_in_part(book: Path, begin: bytes) -> None:
    path = book / "two.po"
    path.write_bytes(begin + path.read_bytes())
    with pytest.raises(ValueError, match=r"two\.po"):
        fold({"two": {"Choose an image.": "画像を選ぶ"}}, book)


def test_what_no_page_says_is_told(book: Path) -> None:
    assert "Nobody says this." in fold({"two": {"Nobody says this.": "誰も言わない"}}, book).refused[0]


@pytest.mark.parametrize("code", translations())
def test_every_page_has_a_catalogue_and_whole_languages_have_no_gap(code: str) -> None:
    made = {f"reference/{name}" for name in PAGES}  # in every language already
    found = progress(catalogues(code, folder()))
    assert set(found) == set(pages(folder())) - made, "run `make docs`"
    assert {page: one for page, one in found.items() if one.share < 1 and code in WHOLE} == {}


@pytest.mark.parametrize("code", translations())
def test_every_translation_fits_its_text(code: str) -> None:
    """Sphinx warns of what does not; the test of the site does not translate every page."""
    every = ((page, text, one) for page, book in book_of(code).items() for text, one in book.items() if one)
    assert [found for found in every if misfit(*found[1:])] == []


def test_the_catalogues_of_all_languages_have_the_same_texts() -> None:
    every = [texts(code) for code in translations()]
    assert all(one == every[0] for one in every), "run `make docs`"


def texts(code: str) -> dict[str, set[str]]:
    """The texts of the pages."""
    return {page: set(every) for page, every in book_of(code).items()}


@cache
def book_of(code: str) -> dict[str, dict[str, str]]:
    """The catalogues of a language as they are, by page."""
    place = catalogues(code, folder())
    return {path.relative_to(place).as_posix(): said(path) for path in place.rglob("*.po")}
