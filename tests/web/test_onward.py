"""What people do with results: a grid of settings, two of them compared, a frame of one as the start of the next."""

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from eichi.events import Finished, dump
from eichi.jobs.grid import crossed, make_axis
from eichi.jobs.schema import Job
from eichi.jobs.view import Status
from eichi.options import VideoOptions
from eichi.web.desk import Desk
from eichi.words import say
from tests.clips import Made
from tests.machine import NO_BROWSER, chromium
from tests.web import serving as threads
from tests.web.browser import PATIENCE, Server, await_done, give, go, job, opened, visiting

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)]
expect.set_options(timeout=PATIENCE)
LOADED = "node => node.readyState || new Promise((done, no) => { node.onloadeddata = done; node.onerror = no; })"
STEPS = {"steps": 1}, {"steps": 2}


@pytest.fixture(scope="module")
def made(server: Server, browser: Browser, ball: Path) -> list[int]:
    """Two results that differ in their steps and their pictures; their numbers."""
    page = opened(browser.new_page(), server.address, "en", "queue")
    other = ball.with_name("other.png")
    Image.open(ball).rotate(180).save(other)
    images = [give(page, server.address, path) for path in (ball, other)]
    numbers = [job(page, server.address, image, sampling=steps) for image, steps in zip(images, STEPS, strict=True)]
    for number in numbers:
        await_done(page, server.address, number)
    page.close()
    return numbers


def look_at(page: Page, number: int, language: str) -> Locator:
    """A result in the history, large."""
    page.get_by_label(say("latest.look", language, job=number), exact=True).click()
    return page.locator("dialog[open]").last


def more(box: Locator, language: str, entry: str) -> None:
    """An entry of the menu of a result that is looked at."""
    box.get_by_role("button", name=say("do.more", language), exact=True).click()
    box.get_by_role("menuitem", name=say(entry, language), exact=True).click()


def test_a_grid_is_written_counted_made_and_looked_at(server: Server, browser: Browser, ball: Path) -> None:
    with visiting(browser, server.address, "ja") as page:
        page.locator("picture-drop[name=image] input").set_input_files(ball)
        page.locator("#video-prompt").fill("白い猫が走る")
        page.locator("#video-seconds").fill("0.8")
        page.locator("details[data-group=batch] > summary").click()
        page.locator("#batch-x").select_option(label=say("label.sampling.steps", "ja"))
        wrong, start = page.locator("[data-key='page.batch.x_values'] .wrong"), page.locator("#start .text")
        expect(wrong).to_contain_text(say("label.sampling.steps", "ja"))  # an option without values is not passed over
        page.locator("#batch-x-values").fill("1、2")
        expect(wrong).to_be_hidden()
        page.locator("#batch-y").select_option(label=say("label.sampling.guidance", "ja"))
        page.locator("#batch-y-values").fill("5-900 [2]")
        expect(page.locator("[data-key='page.batch.y_values'] .wrong")).to_contain_text("900")
        page.locator("#batch-y-values").fill("5-15 [2]")
        expect(start).to_have_text(say("do.start_many", "ja", jobs=4))
        page.request.post(f"{server.address}/api/v1/queue/hold")
        page.locator("#start").click()
        page.locator("#toasts").get_by_role("button", name=say("place.queue", "ja")).click()
        expect(page.locator("#jobs li")).to_have_count(4)
        page.get_by_role("button", name=say("do.resume_all", "ja")).click()
        expect(page.locator("#none")).to_be_visible()
        shown(page, 4)
        # Another one, of words of the prompt.
        go(page, "create")
        page.locator("details[data-group=batch] > summary").click()
        page.locator("#batch-y").select_option("")
        page.locator("#batch-y-values").fill("")
        page.locator("#batch-x").select_option("replace")
        page.locator("#batch-x-values").fill("犬、猫")
        expect(wrong).to_have_text(re.compile(say("error.grid.replace", "ja", text="犬")))
        page.locator("#batch-x-values").fill("猫、犬")
        expect(start).to_have_text(say("do.start_many", "ja", jobs=2))
        page.request.post(f"{server.address}/api/v1/queue/hold")
        page.locator("#start").click()
        page.locator("#toasts").get_by_role("button", name=say("place.queue", "ja")).click()
        expect(page.locator("#jobs .prompt")).to_contain_text(["白い猫が走る", "白い犬が走る"])
        for what in ("clear", "resume"):  # the other tests have the queue for themselves
            page.request.post(f"{server.address}/api/v1/queue/{what}")


def shown(page: Page, count: int) -> None:
    """The sheet of the newest batch, once all of it is done: a picture and a video that are seen and can be had."""
    go(page, "history")
    cards = page.locator("#gallery li", has=page.locator(".when", has_text=say("status.done", "ja")))
    expect(cards.nth(count - 1)).to_be_visible()
    cards.first.locator(".look").click()
    more(page.locator("dialog[open]"), "ja", "do.grid")
    sheet = page.locator("dialog[open]").last
    assert sheet.locator("img").evaluate("node => node.decode().then(() => node.naturalWidth)") > 80
    sheet.locator("video").evaluate(LOADED)
    assert sheet.locator("video").evaluate("node => node.videoWidth") > 80
    expect(sheet.get_by_role("link", name=say("batch.whole", "ja"))).to_have_attribute("target", "_blank")
    with page.expect_download() as download:
        sheet.get_by_role("link", name="PNG").click()
    assert download.value.suggested_filename.endswith(".png")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")


def test_a_grid_is_drawn_again_with_each_result(
    desk: Desk, video: VideoOptions, browser: Browser, tmp_path: Path
) -> None:
    axes = (make_axis("steps", "2,4", VideoOptions),)
    jobs = desk.start(crossed(video, axes))

    def end(job: Job) -> None:
        file = Made(count=4).write(tmp_path / f"{job.id}.mp4")
        done = Finished(str(file), "p.png", 1, 4, 0.1, 1)
        desk.store.change(job.id, [Status.WAITING], status=Status.DONE, result=dump(done))

    end(jobs[0])
    with threads.serving(desk) as address, visiting(browser, address, "ru", "history") as page:
        look_at(page, jobs[0].id, "ru")
        more(page.locator("dialog[open]"), "ru", "do.grid")
        sheet = page.locator("dialog[open]").last
        expect(sheet.get_by_role("status").first).to_have_text(say("batch.done_of", "ru", done=1, jobs=2))
        first = str(sheet.locator("img").get_attribute("src"))
        end(jobs[1])
        expect(sheet.get_by_role("status").first).to_have_text("")
        expect(sheet.locator("img")).not_to_have_attribute("src", first)


def test_two_results_are_compared_in_step(server: Server, browser: Browser, made: list[int]) -> None:
    with visiting(browser, server.address, "ru", "history") as page:
        for number in made:
            page.get_by_label(say("history.pick", "ru", job=number), exact=True).check()
        page.get_by_role("button", name=say("history.compare", "ru"), exact=True).click()
        box = page.locator("dialog[open]")
        rows = box.locator("table tbody tr")
        expect(rows.filter(has_text=say("label.sampling.steps", "ru")).locator("td")).to_have_text(["2", "1"])
        expect(rows).to_have_count(2)  # and the picture
        expect(rows.locator("img")).to_have_count(2)
        for video in box.locator("video").all():
            video.evaluate(LOADED)
        box.get_by_role("button", name=say("viewer.forward", "ru")).click()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowRight")
        expect(box.locator(".time")).to_contain_text(re.compile(r"3/\d+$"))
        assert len({video.evaluate("node => node.currentTime") for video in box.locator("video").all()}) == 1
        box.get_by_role("button", name=say("compare.slider", "ru")).click()
        edge = box.get_by_label(say("compare.edge", "ru"))
        edge.focus()
        page.keyboard.press("End")
        expect(box.locator(".pair")).to_have_attribute("style", re.compile("100%"))
        expect(box.locator(".time")).to_contain_text(re.compile(r"3/\d+$"))
        page.keyboard.press("Escape")
        expect(box).to_have_count(0)


def test_a_finished_video_is_compared_with_what_it_was_made_from(
    server: Server, browser: Browser, made: list[int]
) -> None:
    with visiting(browser, server.address, "en", "history") as page:
        row = page.request.get(f"{server.address}/api/v1/jobs?id={made[0]}&limit=1").json()["rows"][0]
        file = row["video"].partition("?")[0].rpartition("/")[2]
        asked = {"video": f"job:{made[0]}/{file}", "finish": {"scale": 2}}
        number = page.request.post(f"{server.address}/api/v1/jobs/finish", data=asked).json()["id"]
        await_done(page, server.address, number)
        for one in (made[0], number):
            page.get_by_label(say("history.pick", job=one), exact=True).check()
        page.keyboard.press("c")
        rows = page.locator("dialog[open] table tbody tr")
        said = [say("label.video"), say("label.finish.scale")]
        expect(rows.locator("th")).to_have_text(said)  # and no row on what finishing knows nothing of
        expect(rows.locator("td").first).to_have_text(file)


def test_a_frame_is_the_start_of_what_comes_next(server: Server, browser: Browser, made: list[int]) -> None:
    with visiting(browser, server.address, "zh-TW", "history") as page:
        page.evaluate('sessionStorage.setItem(\'eichi.draft.video\', \'{"start": "black", "seconds": 2}\')')
        page.reload()
        page.wait_for_selector("body[data-ready]")
        box = look_at(page, made[0], "zh-TW")
        box.locator("video").evaluate(LOADED)
        box.locator("[data-do=play]").click()
        page.keyboard.press("Home")
        box.locator("clip-viewer input").fill("0")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(box.locator(".time")).to_contain_text("· 3/")
        with page.expect_response("**/frames/2") as taken:
            more(box, "zh-TW", "result.as_image")
        image = taken.value.json()["id"]
        page.keyboard.press("ArrowRight")
        with page.expect_response("**/frames/3"):
            # By the keyboard alone.
            box.get_by_role("button", name=say("do.more", "zh-TW"), exact=True).focus()
            page.keyboard.press("Enter")
            item = page.get_by_role("menuitem", name=say("result.as_final", "zh-TW"), exact=True)
            for _ in range(20):
                if item.evaluate("node => node === document.activeElement"):
                    break
                page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
        more(box, "zh-TW", "result.as_section")
        page.locator("#result-section").fill("1")
        page.get_by_role("button", name=say("do.use_frame", "zh-TW")).click()
        expect(page.locator("#toasts .toast")).to_have_count(3)
        more(box, "zh-TW", "result.as_reference")
        expect(page.locator("#toasts .toast")).to_have_count(4)
        page.locator("#toasts").get_by_role("button", name=say("place.create", "zh-TW")).first.click()
        page.wait_for_selector("body[data-ready] main[data-place=create]")
        start = page.locator("picture-drop[name=image]")
        expect(start).to_be_visible()  # it is in the place of what the video began with before
        assert image.removeprefix("upload:") in str(start.locator("img").get_attribute("src"))
        expect(page.locator("picture-drop[name='keyframes.final']")).to_have_class(re.compile("filled"))
        section = page.locator('time-line [data-place="1"]')
        expect(section.locator(".from")).to_have_text(say("timeline.own", "zh-TW"))
        go(page, "frame")
        expect(page.locator(f"img[alt='{say('single.reference', 'zh-TW', number=1)}']")).to_be_visible()
