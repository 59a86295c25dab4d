"""What people and their browsers do that nobody plans for, in a real browser, each in one language."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from eichi.words import say
from tests.machine import NO_BROWSER, chromium
from tests.web.browser import PATIENCE, Server, serving, visiting

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)]
expect.set_options(timeout=PATIENCE)
FILLED = re.compile(r"\bfilled\b")
DRAFT = "() => JSON.parse(sessionStorage.getItem('eichi.draft.video'))"
# As a browser that may keep nothing has it: even to name the storage is refused, and tabs share nothing.
KEEPS_NOTHING = """for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(globalThis, name, { get() { throw new DOMException("denied", "SecurityError"); } });
}
for (const name of ["SharedWorker", "BroadcastChannel"]) {
  globalThis[name] = class { constructor() { throw new DOMException("denied", "SecurityError"); } };
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Where nothing is made of what is started."""
    with serving(tmp_path_factory.mktemp("machine")) as server:
        httpx.post(f"{server.address}/api/v1/queue/hold").raise_for_status()
        yield server


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    Image.new("RGB", (96, 64), "red").save(path)
    return path


def prompt(page: Page) -> str:
    return page.locator("textarea[name=prompt]").input_value()


def test_a_browser_that_keeps_nothing_has_the_page(browser: Browser, server: Server, picture: Path) -> None:
    with visiting(browser, server.address, "zh-TW", "settings") as page:
        page.add_init_script(KEEPS_NOTHING)
        page.goto(f"{server.address}/zh-TW/create")
        page.wait_for_selector("body[data-ready]")
        page.locator("picture-drop[name=image] input").set_input_files(picture)
        expect(page.locator("picture-drop[name=image]")).to_have_class(FILLED)
        page.locator("textarea[name=prompt]").fill("紅色的球")
        expect(page.locator("#toasts")).to_contain_text(say("page.unkept", "zh-TW"))
        page.locator("#start").click()
        expect(page.locator("#queue-count")).to_be_visible()  # it is heard of without a shared worker


def test_undo_takes_back_what_it_says_and_no_word_more(browser: Browser, server: Server, picture: Path) -> None:
    with visiting(browser, server.address, "en") as page:
        for name in ("image", "keyframes.final"):
            page.locator(f'picture-drop[name="{name}"] input').set_input_files(picture)
            expect(page.locator(f'picture-drop[name="{name}"]')).to_have_class(FILLED)
            page.locator("textarea[name=prompt]").fill("before")
        for name in ("image", "keyframes.final"):
            page.locator(f'picture-drop[name="{name}"] .remove').evaluate("node => node.click()")  # in a closed group
        page.locator("textarea[name=prompt]").fill("written since")
        page.locator(".toast .act").first.click()
        expect(page.locator('picture-drop[name="image"]')).to_have_class(FILLED)
        values = page.evaluate(DRAFT)
        assert values["prompt"] == "written since"
        assert "keyframes.final" not in values
        page.locator("h1").focus()
        page.keyboard.press("Control+z")
        expect(page.locator('picture-drop[name="keyframes.final"]')).to_have_class(FILLED)
        assert prompt(page) == "written since"


def test_an_address_brings_no_path(browser: Browser, server: Server) -> None:
    """A link on another site would have the program open any file of this computer, or of a server elsewhere."""
    with visiting(browser, server.address, "ru") as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.post_data or ""))
        page.goto(f"{server.address}/ru/create?image=%5C%5Cevil.example%5Cshare%5Ca.png&latents=/etc/passwd")
        page.wait_for_selector("body[data-ready]")
        page.locator("textarea[name=prompt]").fill("мяч")
        expect(page.locator("#start")).to_be_visible()
        values = page.evaluate(DRAFT)
        assert set(values) == {"prompt"}
        assert not any("evil.example" in text or "passwd" in text for text in asked)


def test_figures_are_read_as_they_are_written(browser: Browser, server: Server) -> None:
    with visiting(browser, server.address, "ja") as page:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.locator("input[name=seed]").fill("１２３")
        assert page.evaluate(DRAFT)["seed"] == 123
        page.locator("input[name=seed]").fill("0x10")
        assert page.evaluate(DRAFT)["seed"] == "0x10"  # said by the plan
        mark = page.locator("html").get_attribute("data-mark")
        read = f"async (texts) => texts.map((await import('/static/{mark}/words.js')).figure)"
        texts = ["７．５", "1,234", "1,234.5", "7,5", "1 000", "\u22121", "1e3", "１,０００,０００"]
        assert page.evaluate(read, texts) == [7.5, 1234, 1234.5, 7.5, 1000, -1, 1000, 1_000_000]
        page.locator("#language").select_option("ru")
        expect(page.locator("html")).to_have_attribute("lang", "ru")
        assert page.evaluate(read, ["1,234", "7,5", "1 234,5"]) == [1.234, 7.5, 1234.5]


def test_an_answer_that_is_cut_off_is_said(browser: Browser, server: Server, picture: Path) -> None:
    with visiting(browser, server.address, "ja") as page:
        page.locator("picture-drop[name=image] input").set_input_files(picture)
        expect(page.locator("picture-drop[name=image]")).to_have_class(FILLED)
        page.route(
            "**/api/v1/jobs", lambda route: route.fulfill(status=201, content_type="application/json", body='{"id":')
        )
        page.locator("#start").click()
        expect(page.locator("#toasts")).to_contain_text(say("page.unanswered", "ja"))


def test_without_scripts_the_page_says_so(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page = context.request.get(f"{server.address}/ru/queue").text()
    assert say("page.noscript", "ru") in page.split("<noscript>")[1].split("</noscript>")[0]
    context.close()


def test_a_language_whose_words_do_not_come_is_not_shown_as_chosen(browser: Browser, server: Server) -> None:
    with visiting(browser, server.address, "ru", "queue") as page:
        page.route("**/api/v1/words/ja**", lambda route: route.fulfill(status=404))
        page.locator("#language").select_option("ja")
        expect(page.locator("#toasts")).to_contain_text(say("page.unanswered", "ru"))
        expect(page.locator("#language")).to_have_value("ru")
        expect(page.locator("html")).to_have_attribute("lang", "ru")


def test_a_preset_is_saved_before_the_others_are_known(browser: Browser, server: Server) -> None:
    with visiting(browser, server.address, "en") as page:
        page.locator("textarea[name=prompt]").fill("mine")
        waiting: list[Route] = []

        def slow(route: Route) -> None:
            """The first answer does not come before something is typed."""
            route.continue_() if waiting else waiting.append(route)

        page.route("**/api/v1/prompts", slow)
        page.locator("#presets").click()
        page.locator("#shelf-name").fill("early")
        page.keyboard.press("Enter")
        waiting[0].continue_()
        expect(page.locator(".shelf li", has_text="early")).to_be_visible()
