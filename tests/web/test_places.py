"""Every place in a browser: ready without a complaint, in each language, narrow, in light and dark, for everybody."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from eichi.words import languages, say
from tests.clips import moving
from tests.machine import NO_BROWSER, chromium
from tests.web.browser import PATIENCE, PLACES, Server, begin_with, give, go, opened, visiting

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)]
expect.set_options(timeout=PATIENCE)
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}  # the rest is the same in the dark
OPEN = "document.querySelectorAll('details').forEach(one => { one.open = true; })"


def narrow(page: Page) -> int:
    """How much wider than the window the place is."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.mark.parametrize("language", languages())
def test_every_place_comes_up_in_every_language(server: Server, browser: Browser, language: str) -> None:
    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    with visiting(browser, server.address, language, **phone) as page:
        for place in PLACES:
            go(page, place)
            assert page.title() == f"{say(f'place.{place}', language)} · FramePack-eichi"
            assert page.evaluate("document.documentElement.lang") == language
            assert narrow(page) <= 0, place


def test_a_language_is_switched_in_place(server: Server, browser: Browser) -> None:
    page = opened(browser.new_page(), server.address, "en", "queue")
    for language in languages():
        page.select_option("#language", language)
        page.wait_for_url(f"**/{language}/queue")
        assert page.locator("nav a[aria-current]").inner_text().startswith(say("place.queue", language))
    page.go_back()
    page.close()


def test_back_and_forward_lead_through_the_places(server: Server, browser: Browser) -> None:
    page = opened(browser.new_page(), server.address, "ru")
    go(page, "history")
    go(page, "models")
    page.go_back()
    page.wait_for_selector("body[data-ready] main[data-place=history]")
    page.go_forward()
    page.wait_for_selector("body[data-ready] main[data-place=models]")
    page.close()


def test_where_nothing_was_made_it_is_said_what_a_video_to_continue_needs(
    server: Server, browser: Browser, tmp_path: Path
) -> None:
    with visiting(browser, server.address, "zh-TW") as page:
        hint, place = page.locator("job-stage .hint"), page.locator('file-drop[name="source.before"]')
        expect(hint).to_have_text(say("stage.empty", "zh-TW"))
        place.locator("input").set_input_files(moving(tmp_path / "in.gif"))
        expect(place.locator(".hint")).to_contain_text("in.gif")
        expect(hint).to_have_text(say("stage.empty_video", "zh-TW"))
        expect(page.locator("#plan-notes")).to_have_text("4")  # those of the plan with the file in it
        page.locator("#plan-notes").click()
        expect(page.locator("dialog")).to_contain_text("in.gif 會重新編碼")


@pytest.mark.parametrize(("scheme", "language", "rules"), [("light", "ja", {}), ("dark", "ru", COLOURS)])
def test_nobody_is_kept_out(
    server: Server, browser: Browser, picture: Path, scheme: str, language: str, rules: dict[str, Any]
) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    id = give(page, server.address, picture)
    keys = {"keyframes.sections": {"0": id, "1": id}, "keyframes.copies": True, "sampling.cfg": 2}
    begin_with(page, {"image": id, "prompt": "a ball", "seconds": 6, **keys})
    begin_with(page, {"image": id, "prompt": "a ball", "references": [{"image": id}]}, "frame")
    opened(page, server.address, language)
    found = []
    for place in PLACES:
        go(page, place)
        page.evaluate(OPEN)
        answer = Axe().run(page, options={"resultTypes": ["violations"], **rules})
        found += [
            f"{place}: {one['id']} ({one['impact']}) {node['target']}"
            for one in answer.response["violations"]
            for node in one["nodes"]
        ]
    page.close()
    assert found == [], "\n".join(found)
