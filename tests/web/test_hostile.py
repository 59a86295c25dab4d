"""A script wherever somebody can write, in a browser: it runs nowhere, and is shown as the text that it is."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

pytest.importorskip("playwright", reason="playwright is not installed")

from PIL import Image, PngImagePlugin
from playwright.sync_api import Browser, Page, expect

from tests.machine import NO_BROWSER, chromium
from tests.web.browser import PATIENCE, PLACES, Server, give, go, job, serving, visiting

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)]
expect.set_options(timeout=PATIENCE)
SCRIPT = "<img src=x onerror=window.ran=1><script>window.ran=2</script>"
NAME = "<img src=x onerror=window.ran=3>"  # as a name of a file; a slash would end it
SVG = '<svg xmlns="http://www.w3.org/2000/svg" onload="window.ran=4"><script>window.ran=5</script></svg>'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a LoRA file of such a name, broken and whole."""
    with serving(tmp_path_factory.mktemp("machine")) as server:
        folder = server.home / "home" / "loras"
        folder.mkdir()
        (folder / f"{NAME}.safetensors").write_bytes(b"\x80\x04.")
        save_file({"a": np.ones(1, np.float32)}, folder / f"b{NAME}.safetensors", {"ss_output_name": SCRIPT})
        yield server


def png(**texts: str) -> bytes:
    info, file = PngImagePlugin.PngInfo(), io.BytesIO()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.new("RGB", (96, 64), "red").save(file, "PNG", pnginfo=info)
    return file.getvalue()


def harmless(page: Page) -> None:
    """Nothing has run, and no markup of what was written has become a node."""
    assert page.evaluate("window.ran ?? null") is None
    assert (
        page.locator("img[src=x], img[onerror], svg[onload], body script").count()
        == page.locator("body script[type='application/json']").count()
    )


def test_in_every_field_of_every_place(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "ru") as page:
        for place in PLACES:
            go(page, place)
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            fields = page.locator("main :is(input[type=text], input[type=search], input:not([type]), textarea):visible")
            for field in fields.all():
                field.fill(SCRIPT)
                field.press("Tab")
            harmless(page)
            page.keyboard.press("Control+Enter")
            harmless(page)
        go(page, "loras")
        expect(page.locator("#search")).to_be_visible()
        expect(page.locator("#loras")).to_contain_text(NAME)
        page.locator("#loras li .row button").last.click()
        harmless(page)


def test_in_pictures_and_what_they_say(server: Server, browser: Browser) -> None:
    said = f"{SCRIPT}\nNegative prompt: {SCRIPT}\nSteps: 5, Sampler: {SCRIPT}, Seed: 1, Model: {SCRIPT}"
    with visiting(browser, server.address, "ja") as page:
        take = page.locator("#take-file")
        take.set_input_files({"name": f"{NAME}.png", "mimeType": "image/png", "buffer": png(parameters=said)})
        expect(page.locator("#video-prompt")).to_have_value(SCRIPT)
        harmless(page)
        place = page.locator("picture-drop[name=image]")
        for name, kind, content in (
            ("a.svg", "image/svg+xml", SVG.encode()),
            (f"{NAME}.png", "image/png", SVG.encode()),
            ("a.html", "text/html", SCRIPT.encode()),
        ):
            place.locator("input").set_input_files({"name": name, "mimeType": kind, "buffer": content})
            expect(place.locator(".wrong")).to_contain_text(name.strip("<").split(">")[0])
            harmless(page)
        take.set_input_files({"name": f"{NAME}.json", "mimeType": "application/json", "buffer": SCRIPT.encode()})
        expect(page.locator(".toast.problem")).to_be_visible()
        harmless(page)


def test_in_names_that_are_kept(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "zh-TW") as page:
        page.locator("#video-prompt").fill(SCRIPT)
        for shelf in ("#presets", "#favourites"):
            page.locator(shelf).click()
            page.locator("#shelf-name").fill(SCRIPT[:60])
            page.keyboard.press("Enter")
            expect(page.locator(".shelf li b").filter(has_text="onerror")).to_have_text(SCRIPT[:60])
            harmless(page)
            page.keyboard.press("Escape")


def test_in_a_job_wherever_it_is_shown(server: Server, browser: Browser, picture: Path) -> None:
    with visiting(browser, server.address, "en") as page:
        id = give(page, server.address, picture)
        keys = {"sections": {"0": id}, "prompts": {"0": SCRIPT}}
        page.request.post(f"{server.address}/api/v1/queue/hold")
        number = job(page, server.address, id, prompt=SCRIPT, negative=SCRIPT, keyframes=keys)
        go(page, "queue")
        expect(page.locator("#jobs .prompt")).to_have_text(SCRIPT)
        harmless(page)
        page.goto(f"{server.address}/en/create?job={number}")
        expect(page.locator("job-stage h2")).to_contain_text(f"#{number}")
        harmless(page)
        page.goto(f"{server.address}/en/create?use={number}")
        expect(page.locator("#video-prompt")).to_have_value(SCRIPT)
        expect(page.locator('time-line [data-place="0"] .said')).to_contain_text("onerror")
        harmless(page)
        draft = {"prompt": SCRIPT, "image": f"upload:{SCRIPT}", SCRIPT: SCRIPT}
        page.evaluate("text => sessionStorage.setItem('eichi.draft.video', text)", json.dumps(draft))
        page.reload()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("#video-prompt")).to_have_value(SCRIPT)
        page.locator("#drafts").click()
        harmless(page)
        page.goto(f"{server.address}/en/create?image={SCRIPT}&final={SCRIPT}&job={SCRIPT}&use={SCRIPT}")
        page.wait_for_selector("body[data-ready]")
        harmless(page)
