"""What people do with the page, in Chromium, with the embedded model and the real worker."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Page

from eichi import words
from eichi.library.favourites import Favourites
from eichi.options import VideoOptions
from tests.web.browser import PLACES, browsing, chromium, free_port, go, opened, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="there is no Chromium on this machine"),
]
GRADIOS_OWN = {"Drop Image Here", "Click to Upload", "- or -", "Upload Image", "Drop File Here"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def address(home: Path, tmp_path: Path) -> Iterator[str]:
    """A page whose controls are set to one short section."""
    values = {"prompt": "a ball", "seconds": 0.5, "section_size": 0.5, "sampling": {"steps": 2}}
    Favourites(home, print).remember(VideoOptions.parse(values))
    with serving(tmp_path, free_port()) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab that tells what went wrong in it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    page = context.new_page()
    foreign: list[str] = []
    page.on("request", lambda asked: foreign.append(asked.url) if re.match(r"https?://(?!127\.)", asked.url) else None)
    yield page
    assert foreign == []
    context.close()


def give(page: Page, picture: Path) -> None:
    """A start picture; the plan answers."""
    page.set_input_files("#option-image input[type=file]", picture)
    page.wait_for_function("document.querySelector('#plan').innerText.includes('sections: 1')")


def finish(page: Page) -> None:
    page.wait_for_selector(".stage[data-status=done] video")
    page.wait_for_function("document.querySelector('.stage video').readyState >= 2")


def test_the_first_video_plays(page: Page, address: str, picture: Path) -> None:
    opened(page, address, "en")
    give(page, picture)
    assert page.locator("[data-section]").count() == 1
    page.click("#start")
    finish(page)
    assert 0 < float(page.evaluate("document.querySelector('.stage video').duration")) < 1
    # A result is in the history, and its options come back.
    go(page, "history")
    page.click("[data-use]")
    page.wait_for_selector("#start")
    assert page.input_value("#option-prompt textarea") == "a ball"


def test_a_job_belongs_to_no_tab(page: Page, address: str, picture: Path) -> None:
    opened(page, address, "en")
    give(page, picture)
    page.click("#start")
    page.wait_for_selector(".stage[data-status=waiting], .stage[data-status=running]")
    job = page.get_attribute(".stage", "data-job")
    page.reload()
    page.wait_for_selector(f".stage[data-job='{job}']")
    other = opened(page.context.new_page(), address, "ru")
    other.wait_for_selector(f".stage[data-job='{job}']")
    finish(page)
    finish(other)


@pytest.mark.parametrize("language", [code for code in words.languages() if code != words.ENGLISH])
def test_a_language_is_all_of_the_page(page: Page, address: str, language: str) -> None:
    own, english = words.table(language), words.table(words.ENGLISH)
    others = {text for id, text in english.items() if own[id] != text} | GRADIOS_OWN
    opened(page, address, "en")
    page.click(f"header a[lang='{language}']")
    page.wait_for_url(f"**/{language}/")
    opened(page, address, language)
    for place in PLACES:
        go(page, place)
        lines = {line.strip() for line in page.inner_text("body").splitlines()}
        assert own[f"place.{place}"] in lines
        assert not lines & others
        assert not lines & own.keys()
    # It stays chosen.
    page.goto(f"{address}/")
    page.wait_for_url(f"**/{language}/")
