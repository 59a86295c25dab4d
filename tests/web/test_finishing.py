"""Finishing a video on the page: from a file that is dropped to a result in every form that a browser shows."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from eichi.web.uploads import ENDINGS
from eichi.words import say
from tests.clips import Made
from tests.machine import NO_BROWSER, chromium
from tests.web.browser import DROP, PATIENCE, Server, await_done, go, visiting

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)]
expect.set_options(timeout=PATIENCE)
LOADED = "node => node.readyState || new Promise((done, no) => { node.onloadeddata = done; node.onerror = no; })"
PLAYED, SHOWN = ("mp4", "av1", "webm"), ("gif", "webp", "png")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Made(count=15, sound="aac").write(tmp_path_factory.mktemp("clips") / "clip.mp4")


def finished(page: Page, server: Server, clip: Path, **chain: Any) -> int:
    """A chain over a clip, done; its number."""
    file: Any = {"name": clip.name, "mimeType": "video/mp4", "buffer": clip.read_bytes()}
    id = page.request.post(f"{server.address}/api/v1/files", multipart={"file": file}).json()["id"]
    answer = page.request.post(f"{server.address}/api/v1/jobs/finish", data={"video": id, "finish": chain})
    assert answer.ok, answer.text()
    number = int(answer.json()["id"])
    await_done(page, server.address, number)
    return number


def test_a_video_is_dropped_looked_at_and_finished(server: Server, browser: Browser, clip: Path) -> None:
    with visiting(browser, server.address, "ja", "finish") as page:
        expect(page.locator("#start")).to_be_disabled()
        expect(page.locator("#line")).to_have_text(say("finish.empty", "ja"))
        place = page.locator("file-drop[name=video]")
        place.locator("input").set_input_files({"name": "a.wav", "mimeType": "audio/wav", "buffer": b"RIFF"})
        known = ", ".join(ENDINGS["video"])
        expect(place.locator(".wrong")).to_contain_text(say("error.upload.kind", "ja", name="a.wav", known=known))
        dropped = [clip.name, b64encode(clip.read_bytes()).decode(), "video/mp4"]
        page.locator("#result-title").evaluate(DROP, dropped)  # beside its place
        expect(page.locator("#line")).to_contain_text("64 × 48")
        page.locator("#finish-finish-scale").fill("2")
        page.locator("#finish-finish-grain").fill("0.3")
        expect(page.locator("#line")).to_contain_text("128 × 96")
        page.locator("#finish-finish-speed").fill("99")  # refused below its field, and nothing can be started
        expect(page.locator("[data-key='finish.speed'] .wrong")).to_be_visible()
        expect(page.locator("#start")).to_be_disabled()
        reason = page.locator("[data-key='finish.speed'] .wrong").inner_text()
        expect(page.locator("#problem > span")).to_have_text(reason)  # and beside the buttons, with a way to the field
        page.locator("#problem-go").click()
        expect(page.locator("#finish-finish-speed")).to_be_focused()
        page.locator("#finish-finish-speed").fill("0.5")
        expect(page.locator("#problem")).to_be_hidden()
        expect(page.locator("#notes")).to_contain_text(say("label.finish.fps", "ja"))
        page.locator("#second").fill("0.2")
        page.locator("#look").click()
        expect(page.locator("#glimpse")).to_be_visible()
        assert page.locator("#glimpse").evaluate("node => node.decode().then(() => node.naturalWidth)") == 128
        expect(page.locator("#old")).to_be_hidden()
        page.locator("#finish-finish-sharpen").fill("0.2")
        expect(page.locator("#old")).to_be_visible()  # the frame is of other settings
        page.keyboard.press("Control+Enter")
        expect(page.locator("job-stage .state.done")).to_be_visible()
        page.locator("job-stage video").evaluate(LOADED)
        assert page.locator("job-stage video").evaluate("node => [node.videoWidth, node.videoHeight]") == [128, 96]
        page.reload()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("#finish-finish-grain")).to_have_value("0.3")


def test_a_file_that_falls_where_nothing_takes_it_leaves_the_page_alone(server: Server, browser: Browser) -> None:
    kept = """node => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(["x"], "x.mp4"));
      return !node.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
    }"""
    with visiting(browser, server.address, "en", "settings") as page:
        assert page.locator("main").evaluate(kept)


def test_every_form_is_seen_in_the_history(server: Server, browser: Browser, clip: Path) -> None:
    with visiting(browser, server.address, "en", "queue") as page:
        numbers = {name: finished(page, server, clip, format=name) for name in (*PLAYED, *SHOWN)}
        for name in ("gif", "webp"):
            assert page.request.get(f"{server.address}/api/v1/jobs/{numbers[name]}/frames/14.png").ok
        go(page, "history")
        page.locator("[name=kind]").select_option(label=say("kind.finish"))
        title = page.locator("#gallery li", has=page.get_by_label(say("latest.look", job=numbers["gif"]), exact=True))
        expect(title.locator(".prompt")).to_contain_text(".gif")  # its own file, not its source
        expect(title.locator("small").first).not_to_contain_text(say("page.seed", seed=0))
        for name, number in numbers.items():
            page.get_by_label(say("latest.look", job=number)).click()
            box = page.locator("dialog[open]")
            if name in PLAYED:
                box.locator("video").evaluate(LOADED)
                assert box.locator("video").evaluate("node => node.videoWidth") == 64
            else:
                assert box.locator("img.still").evaluate("node => node.decode().then(() => node.naturalWidth)") == 64
                box.get_by_role("button", name=say("do.more")).click()
                again = page.get_by_role("menuitem", name=say("do.finish"), exact=True)
                expect(again).to_have_count(int(name != "png"))  # an archive is no video
                page.keyboard.press("Escape")
            page.keyboard.press("Escape")


def test_a_result_is_finished_again_with_its_settings(server: Server, browser: Browser, clip: Path) -> None:
    with visiting(browser, server.address, "ru", "history") as page:
        number = finished(page, server, clip, vignette=0.4)
        page.get_by_label(say("latest.look", "ru", job=number)).click()
        box = page.locator("dialog[open]")
        box.get_by_role("button", name=say("do.more", "ru")).click()
        page.get_by_role("menuitem", name=say("do.finish", "ru")).click()
        page.wait_for_selector("body[data-ready] main[data-place=finish]")
        expect(page.locator("#line")).to_contain_text("64 × 48")
        expect(page.locator("#finish-finish-vignette")).to_have_value("0")
        expect(page.locator("job-stage")).to_be_hidden()  # nothing was started here
        page.locator("#toasts").get_by_role("button", name=say("do.use", "ru")).click()
        expect(page.locator("#finish-finish-vignette")).to_have_value("0,4")
        page.goto(f"{server.address}/ru/finish?use={number}")
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("#finish-finish-vignette")).to_have_value("0,4")
        expect(page.locator("#line")).to_contain_text("64 × 48")
        expect(page.locator("#toasts")).to_contain_text(say("undo.used", "ru"))
        page.get_by_role("button", name=say("do.choose_video", "ru"), exact=True).click()
        expect(page.locator(".choices")).to_contain_text(f"#{number} · ")
