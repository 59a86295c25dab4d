"""The site as Sphinx makes it, in a language that is not English: whole, linked, quiet under the page's policy."""

import re
import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from html import unescape
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, quote, unquote, urldefrag, urlsplit

import pytest

from eichi.declare import walk
from eichi.documents import CATALOGUES, address, catalogues, folder, mark, pages
from eichi.help.__main__ import main
from eichi.help.catalogues import entries, original, read, translated, write
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import Settings
from eichi.web.manual import FOLDER
from eichi.web.pages import GUIDES
from eichi.words import say, table
from tests.machine import NO_BROWSER, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CODE = "ja"
SPOKEN = ("index", "guide/controls", "guide/queue", "reference/glossary")  # translated; the others are told as they are
LOADED = r"<(?:script|link|img|source|iframe)\b[^>]*\b(?:src|href)=\"(?:https?:)?//"
WRITTEN = r"<[a-z][^>]*\s(?:style|on[a-z]+)=|<style|<script(?![^>]*\bsrc=)|javascript:"
seen = pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)
# MyST asks in a way that Sphinx is about to give up.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sphinx.deprecation.RemovedInSphinx11Warning")]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with the site where the page looks for it."""
    place = tmp_path_factory.mktemp("machine")
    to = place / "home" / FOLDER / mark(folder())
    said = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
        patch.setattr("eichi.help.build.folder", partial(sources, place / "docs"))
        try:
            main(["build", CODE, "--strict", "--to", str(to)], standalone_mode=False)
        except SystemExit:
            pytest.fail(said.getvalue()[-3000:])
    return place


def sources(to: Path) -> Path:
    """The documents, in which all texts of most pages stand for themselves: a translation costs Sphinx two readings,
    which would be three quarters of the time. That all of them fit is seen in the tests of the catalogues.
    """
    shutil.copytree(folder(), to, ignore=shutil.ignore_patterns(CATALOGUES))
    place, made = catalogues(CODE, folder()), catalogues(CODE, to)
    for path in place.rglob("*.po"):
        catalog, page = read(path), path.relative_to(place).with_suffix("").as_posix()
        for message in entries(catalog):
            if translated(message) and page not in SPOKEN:
                message.string = original(message)
        write(catalog, made / path.relative_to(place))
    return to


@pytest.fixture(scope="module")
def site(machine: Path) -> Path:
    return next((machine / "home" / FOLDER).iterdir()) / CODE


@pytest.fixture(scope="module")
def texts(site: Path) -> dict[str, str]:
    """The pages by their place in the site."""
    return {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}


@pytest.fixture(scope="module")
def ids(texts: dict[str, str]) -> dict[str, set[str]]:
    return {name: {unescape(id) for id in re.findall(r'\bid="([^"]+)"', text)} for name, text in texts.items()}


def test_every_page_is_there_and_in_the_contents(texts: dict[str, str]) -> None:
    assert {f"{name}.html" for name in pages(folder())} | {"search.html"} == set(texts)
    listed = re.findall(r'<a href="([^"#]+)"', texts["index.html"].partition('id="contents"')[2])
    assert set(listed) == set(texts) - {"index.html", "search.html"}


def test_every_paragraph_is_translated(texts: dict[str, str]) -> None:
    """As the documents stand today: a text that the catalogues do not have yet is shown in English, too."""
    assert [name for name, text in texts.items() if 'class="behind"' in text] == []
    assert [name for name, text in texts.items() if re.search(r'class="[^"]*\buntranslated\b', text)] == []


def test_nothing_is_loaded_from_elsewhere_or_written_into_a_page(texts: dict[str, str]) -> None:
    for name, text in texts.items():
        assert not re.findall(LOADED, text), name
        assert not re.findall(WRITTEN, re.sub(r"(?s)<pre>.*?</pre>|<code.*?</code>", "", text)), name


def test_every_link_within_the_site_lives(site: Path, texts: dict[str, str], ids: dict[str, set[str]]) -> None:
    dead = []
    for name, text in texts.items():
        for found in re.findall(r'\b(?:href|src)="([^"]+)"', text):
            path, place = urldefrag(unescape(found))
            if re.match(r"[a-z]+:", path) or re.match(r"(?:\.\.?/)+(?:en|ja|ru|zh-TW)/", path):
                continue
            target = (site / name).parent / unquote(path) if path else site / name
            there = target.is_file() and (not place or place in ids[target.resolve().relative_to(site).as_posix()])
            if not there:
                dead.append(f"{name}: {found}")
    assert dead == []


def test_what_the_pages_question_marks_lead_to_is_there(ids: dict[str, set[str]]) -> None:
    fields = {field.id for kind in (VideoOptions, FrameOptions, Settings) for field in walk(kind)}
    said = {id for id in table("en") if id.startswith(("error.", "note.", "reason."))}
    for id in sorted(fields | said):
        page, place = urldefrag(address(id))
        assert place in ids[page], id
    assert {f"guide/{page}.html" for page in GUIDES.values()} | {"guide/lora.html", "guide/batches.html"} <= set(ids)


def test_a_picture_is_of_the_readers_language(texts: dict[str, str]) -> None:
    shown = {
        name for text in texts.values() for name in re.findall(r'src="[^"]*/([^"/]+-(?:en|ja)-[^"/]+\.webp)"', text)
    }
    other = {name.replace("-en-", f"-{CODE}-") for name in shown if "-en-" in name}
    assert not [name for name in other if (folder() / "screens" / name).is_file()]


@pytest.fixture(scope="module")
def server(machine: Path) -> Iterator[str]:
    from tests.web.browser import serving

    with serving(machine) as server:
        yield server.address


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    from tests.web.browser import browsing

    with browsing() as browser:
        yield browser


@seen
@pytest.mark.parametrize(
    ("scheme", "names"),
    [("light", ("guide/controls", "reference/http", "search")), ("dark", ("index", "reference/settings"))],
)
def test_pages_are_quiet_narrow_and_open_to_everybody(
    browser: "Browser", server: str, scheme: Literal["light", "dark"], names: tuple[str, ...]
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    from tests.web.browser import watched

    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    troubles = watched(page)
    for name in names:
        page.goto(f"{server}/help/{CODE}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        answer = Axe().run(page, options={"resultTypes": ["violations"]})
        found = [(one["id"], [node["target"] for node in one["nodes"]]) for one in answer.response["violations"]]
        assert found == [], name
    context.close()
    assert troubles == []


@seen
def test_the_search_finds_parts_of_words_from_the_disk_too(browser: "Browser", site: Path, server: str) -> None:
    page = browser.new_page()
    for start in (site.as_uri(), f"{server}/help/{CODE}"):
        page.goto(f"{start}/guide/queue.html")
        page.fill("form[role=search] input", say("label.sampling.cfg", CODE)[:3])
        page.keyboard.press("Enter")
        page.wait_for_selector("#results li a")
        with page.expect_navigation():
            page.locator("#results li a").first.click()
        assert page.locator("h1").count() == 1
    page.close()


def test_no_heading_has_the_name_that_a_rule_of_the_looks_is_for(texts: dict[str, str]) -> None:
    """A page with the heading “Results” was drawn as a list of what the search found."""
    looks = (folder() / "_theme" / "eichi" / "static" / "site.css").read_text(encoding="utf-8")
    named = set(re.findall(r"(?m)(?:^|[\s,(])#([a-z]+)", looks))
    assert named & {id for text in texts.values() for id in re.findall(r'<section id="([^"]+)"', text)} == set()


@seen
def test_a_search_that_nothing_meets_as_a_whole_shows_what_meets_a_part(browser: "Browser", site: Path) -> None:
    page = browser.new_page()
    for typed, id in ((f"zzzzzz {say('label.seed', CODE)}", "help.some"), ("zzzzzz", "help.none")):
        page.goto(f"{site.as_uri()}/search.html?q={quote(typed)}")
        assert page.inner_text("#found").startswith(say(id, CODE, count="0").partition("0")[0])
        assert (page.locator("#results li").count() > 0) == (id == "help.some")
    page.evaluate("document.querySelector('[type=search]').value = '\\ud800'")  # half of a sign
    page.locator("[type=search]").dispatch_event("input")
    assert parse_qs(urlsplit(page.url).query) == {"q": ["\N{REPLACEMENT CHARACTER}"]}
    page.close()


@seen
def test_another_language_stays_on_the_page(browser: "Browser", site: Path) -> None:
    page = browser.new_page()
    page.goto(f"{site.as_uri()}/reference/options.html#option-seed")
    link = page.locator(".tongues a[hreflang=ru]")
    link.evaluate("(node) => node.addEventListener('click', (event) => event.preventDefault())")
    link.click()
    assert str(link.get_attribute("href")).endswith("/ru/reference/options.html#option-seed")
    page.close()
