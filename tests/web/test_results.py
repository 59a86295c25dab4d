"""What was made, on the page: frame by frame, compared, found again, deleted and had back; the queue by hand."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from eichi.words import say
from tests.machine import NO_BROWSER, chromium
from tests.pictures import save_small
from tests.web.browser import PATIENCE, Server, give, serving, visiting

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)]
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Server]:
    """A server with two videos that are made, and a queue that is held."""
    folder = tmp_path_factory.mktemp("machine")
    picture = folder / "ball.png"
    save_small(picture)
    with serving(folder) as server:
        page = browser.new_page()
        id = give(page, server.address, picture)
        for prompt, seed in (("a red ball", 7), ("a blue ball", 8)):
            made = {"image": id, "prompt": prompt, "seconds": 1, "seed": seed, "sampling": {"steps": 1}}
            page.request.post(f"{server.address}/api/v1/jobs", data=made | {"output": {"latents": True}})
        page.goto(f"{server.address}/en/history")
        expect(page.locator("#gallery .state, #gallery .when", has_text=say("status.done"))).to_have_count(2)
        page.request.post(f"{server.address}/api/v1/queue/hold")
        page.close()
        yield server


def wait(page: Page, prompt: str) -> None:
    """A job that waits, of the picture that was given."""
    id = page.request.get(f"{server_of(page)}/api/v1/jobs/1").json()["request"]["image"]
    page.request.post(f"{server_of(page)}/api/v1/jobs", data={"image": id, "prompt": prompt, "seconds": 1, "seed": 1})


def server_of(page: Page) -> str:
    return re.sub(r"(https?://[^/]+).*", r"\1", page.url)


def test_a_result_is_looked_at_frame_by_frame(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "ja") as page:
        viewer = page.locator("job-stage clip-viewer")
        expect(viewer.locator(".time")).to_contain_text("· 1/")
        viewer.locator("[data-do=right]").click()
        expect(viewer.locator(".time")).to_contain_text(re.compile(r"· 2/\d+"))
        page.keyboard.press("ArrowRight")
        expect(viewer.locator(".time")).to_contain_text(re.compile(r"· 3/\d+"))
        viewer.locator("[data-do=loop]").click()
        expect(viewer.locator("[data-do=loop]")).to_have_attribute("aria-pressed", "false")


def test_a_frame_becomes_the_image(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "ru") as page:
        page.click(f"job-stage button[data-do='do.more']:has-text('{say('do.more', 'ru')}')")
        page.get_by_role("menuitem", name=say("result.as_image", "ru"), exact=True).click()
        expect(page.locator("picture-drop[name=image].filled")).to_be_visible()
        expect(page.locator("#toasts")).to_contain_text(say("result.taken", "ru"))


def test_a_result_is_made_longer_by_a_half(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "ru") as page:
        page.locator("job-stage").get_by_role("button", name=say("do.extend", "ru"), exact=True).click()
        page.locator("#extend-seconds").fill("2,5")
        page.locator("dialog .primary").click()
        expect(page.locator("#toasts")).to_contain_text("3")
        (waiting,) = page.request.get(f"{server.address}/api/v1/jobs?status=waiting").json()["jobs"]
        assert waiting["request"]["seconds"] == 2.5
        page.request.post(f"{server.address}/api/v1/queue/clear")


def test_two_results_are_compared(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "zh-TW") as page:
        ticks = page.locator("latest-results input[type=checkbox]")
        expect(ticks).to_have_count(2)
        for tick in ticks.all():
            tick.check()
        table = page.locator("dialog .differ")
        expect(table).to_contain_text("a red ball")
        expect(table).to_contain_text("a blue ball")
        expect(table.locator("tbody th")).to_have_text([say("label.prompt", "zh-TW"), say("label.seed", "zh-TW")])
        page.get_by_role("button", name=say("compare.slider", "zh-TW")).click()
        expect(page.locator("dialog .over-each-other")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_have_count(0)


def test_a_result_is_found_deleted_and_had_back(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "en", "history") as page:
        cards = page.locator("#gallery li")
        page.fill("[name=search]", "BLUE")
        expect(cards).to_have_count(1)
        expect(cards).to_contain_text("a blue ball")
        cards.get_by_role("button", name=say("do.delete")).click()
        expect(cards).to_have_count(0)
        expect(page.locator("#none")).to_have_text(say("history.not_found"))
        page.locator("#toasts").get_by_role("button", name=say("do.undo")).click()
        expect(cards).to_have_count(1)
        page.fill("[name=search]", "no such thing")
        expect(cards).to_have_count(0)


def test_the_queue_is_ordered_by_hand_cleared_and_had_back(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "ja", "queue") as page:
        for prompt in ("first", "second", "third"):
            wait(page, prompt)
        prompts = page.locator("#jobs .prompt")
        expect(prompts).to_have_text(["first", "second", "third"])
        page.locator("#jobs li").nth(2).locator("[data-grip]").focus()
        page.keyboard.press("ArrowUp")
        expect(prompts).to_have_text(["first", "third", "second"])
        expect(page.locator("#jobs li").nth(1).locator("[data-grip]")).to_be_focused()
        page.locator("#jobs li").nth(2).drag_to(page.locator("#jobs li").nth(0), target_position={"x": 200, "y": 4})
        expect(prompts).to_have_text(["second", "first", "third"])
        page.get_by_role("button", name=say("queue.clear", "ja")).click()
        expect(page.locator("#none")).to_be_visible()
        page.locator("#toasts").get_by_role("button", name=say("do.undo", "ja")).click()
        expect(prompts).to_have_text(["second", "first", "third"])
        page.get_by_role("button", name=say("queue.clear", "ja")).click()
        expect(prompts).to_have_count(0)


def test_a_mask_is_never_lost_without_a_word(server: Server, browser: Browser, tmp_path: Path) -> None:
    person, other = tmp_path / "person.png", tmp_path / "other.png"
    Image.new("RGB", (96, 96), "green").save(person)
    Image.new("RGB", (96, 96), "blue").save(other)
    with visiting(browser, server.address, "en", "frame") as page:
        button, sheet = page.locator("#image-mask"), page.locator(".painter canvas")
        has, none = say("single.edit_mask"), say("single.paint_mask")
        said = page.locator("#toasts .toast")
        refusal = {"id": "error.upload.large", "message": "too large"}

        def paint() -> None:
            button.click()
            expect(sheet).to_be_focused()
            box = sheet.bounding_box()
            assert box is not None
            page.mouse.move(box["x"] + 30, box["y"] + 30)
            page.mouse.down()
            page.mouse.move(box["x"] + 90, box["y"] + 90, steps=4)
            page.mouse.up()

        def undo(text: str) -> None:
            said.filter(has_text=text).get_by_role("button", name=say("do.undo")).click()

        page.set_input_files("picture-drop input", person)
        button.click()
        page.keyboard.press("Escape")  # nothing was painted
        expect(sheet).to_have_count(0)
        expect(button).to_have_text(none)
        cross = page.locator("dialog > header").get_by_role("button", name=say("do.close"))
        leaves: list[Callable[[], None]] = [
            lambda: page.keyboard.press("Escape"),
            lambda: page.mouse.click(2, 2),
            cross.click,
        ]
        for leave in leaves:
            paint()
            leave()
            expect(button).to_have_text(has)
            undo(say("undo.mask"))
            expect(button).to_have_text(none)
        paint()
        page.route("**/api/v1/pictures", lambda route: route.fulfill(status=413, json=refusal))
        page.keyboard.press("Escape")
        expect(page.locator("#toasts .problem")).to_have_count(1)
        page.unroute("**/api/v1/pictures")
        expect(sheet).to_be_visible()  # what could not be saved is still there
        with page.expect_event("dialog") as asked:
            page.evaluate("setTimeout(() => history.back())")
        assert asked.value.type == "beforeunload"
        asked.value.dismiss()
        expect(sheet).to_be_visible()
        page.keyboard.press("Escape")
        expect(button).to_have_text(has)
        before = page.locator("picture-drop img").get_attribute("src")
        page.set_input_files("picture-drop input", other)
        expect(button).to_have_text(none)
        undo(say("undo.mask_lost"))
        expect(button).to_have_text(has)
        expect(page.locator("picture-drop img")).to_have_attribute("src", str(before))


def test_a_painted_mask_and_references_outlive_a_reload(server: Server, browser: Browser, tmp_path: Path) -> None:
    picture = tmp_path / "person.png"
    Image.new("RGB", (96, 96), "green").save(picture)
    with visiting(browser, server.address, "ru", "frame") as page:
        page.set_input_files("picture-drop input", picture)
        page.set_input_files("#references input[type=file]", [picture])
        expect(page.locator("#references li")).to_have_count(2)
        page.click("#image-mask")
        sheet = page.locator(".painter canvas")
        expect(sheet).to_be_focused()
        box = sheet.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 30, box["y"] + 30)
        page.mouse.down()
        page.mouse.move(box["x"] + 90, box["y"] + 90, steps=4)
        page.mouse.up()
        page.get_by_role("button", name=say("painter.done", "ru")).click()
        expect(page.locator("#image-mask")).to_have_text(say("single.edit_mask", "ru"))
        page.fill("#references input[inputmode=numeric]", "13")
        page.reload()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("#image-mask")).to_have_text(say("single.edit_mask", "ru"))
        expect(page.locator("#references input[inputmode=numeric]")).to_have_value("13")
        page.fill("#frame-prompt", "a person in a coat")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#toasts")).to_contain_text("1")
        job = page.request.get(f"{server.address}/api/v1/jobs?kind=frame&limit=1").json()["jobs"][0]
        assert job["request"]["mask"].startswith("upload:")
        assert job["request"]["references"][0]["index"] == 13
        mask = page.request.get(f"{server.address}/api/v1/pictures/{job['request']['mask'].removeprefix('upload:')}")
        (tmp_path / "mask.png").write_bytes(mask.body())
        with Image.open(tmp_path / "mask.png") as painted:
            assert painted.convert("L").getextrema() == (0, 255)
