"""A waiting job is changed in the form, in a real browser: nothing typed is lost, whatever becomes of the job."""

from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Locator, Page, Route, expect

from eichi.options import FinishOptions, VideoOptions
from eichi.web.desk import Desk
from eichi.words import say
from tests.clips import clip
from tests.machine import NO_BROWSER, chromium
from tests.web.browser import PATIENCE, opened, visiting
from tests.web.conftest import running
from tests.web.serving import serving

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)]
expect.set_options(timeout=PATIENCE)
MANY = 30  # more jobs than a page is told of
WITHIN = "document.querySelector('main').contains(document.activeElement)"


def prompt(page: Page) -> Locator:
    return page.locator("textarea[name=prompt]")


def asked(desk: Desk) -> list[str]:
    """The prompts of all jobs, the first that was added first."""
    return [str(job.request["prompt"]) for job in sorted(desk.store.jobs(), key=lambda job: job.id)]


def drafted(page: Page) -> list[str]:
    """The prompts of the last drafts."""
    page.locator("#drafts").click()
    rows = page.locator("dialog .drafts li p")
    expect(rows.first).to_be_visible()
    texts = rows.all_inner_texts()
    page.keyboard.press("Escape")
    return texts


def press(page: Page, control: Locator) -> None:
    """A press where a control is, be it one that can be pressed or not."""
    box = control.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_nothing_is_typed_before_the_values_are_there(desk: Desk, video: VideoOptions, browser: Browser) -> None:
    (job,) = desk.start([video])
    with serving(desk) as address, visiting(browser, address, "en") as page:
        prompt(page).fill("mine")
        held: list[Route] = []
        page.route("**/api/v1/jobs/*/options", lambda route: held.append(route))
        with page.expect_request("**/api/v1/jobs/*/options"):
            page.goto(f"{address}/en/create?edit={job.id}")
        press(page, prompt(page))
        page.keyboard.type("early")
        page.keyboard.press("Control+Enter")
        assert not page.evaluate(WITHIN)
        held[0].continue_()
        page.wait_for_selector("body[data-ready]")
        expect(prompt(page)).to_have_value(video.prompt)
        page.locator("#edit-cancel").click()
        expect(prompt(page)).to_have_value("mine")
        assert len(asked(desk)) == 1


@pytest.mark.parametrize(
    ("place", "control"), [("create", "#video-prompt"), ("frame", "#frame-prompt"), ("finish", "#finish-finish-grain")]
)
def test_a_place_is_used_once_it_has_its_values(desk: Desk, browser: Browser, place: str, control: str) -> None:
    tall = {"width": 1280, "height": 1000}
    with serving(desk) as address, visiting(browser, address, "ru", "queue", viewport=tall) as page:
        held: list[Route] = []
        page.route("**/api/v1/words/**", lambda route: held.append(route))
        with page.expect_request("**/api/v1/words/**"):
            page.goto(f"{address}/ru/{place}")
        first = page.locator(control)
        press(page, first)
        assert not page.evaluate(WITHIN)
        held[0].continue_()
        page.wait_for_selector("body[data-ready]")
        press(page, first)
        assert page.evaluate(WITHIN)


def test_a_job_that_starts_is_changed_no_more_and_what_was_typed_is_added(
    desk: Desk, video: VideoOptions, browser: Browser
) -> None:
    (job,) = desk.start([video])
    with serving(desk) as address, visiting(browser, address, "ja") as page:
        prompt(page).fill("下書き")
        opened(page, address, "ja", f"create?edit={job.id}")
        banner, start = page.locator("#editing"), page.locator("#start .text")
        expect(banner.locator("p")).to_have_text(say("page.editing", "ja", job=job.id))
        expect(page.locator("#edit-add")).to_be_hidden()
        prompt(page).fill("変更")
        running(desk, job)
        expect(banner.locator("p")).to_have_text(say("page.edit_begun", "ja", job=job.id))
        expect(page.locator("#edit-save")).to_be_hidden()
        expect(start).to_have_text(say("do.start", "ja"))
        page.locator("#edit-add").click()
        page.keyboard.press("Control+Enter")  # the same press
        expect(banner).to_be_hidden()
        expect(prompt(page)).to_have_value("下書き")
        expect(page.locator("#toasts")).to_contain_text(say("page.queued", "ja", first=job.id + 1, count=1))
        assert asked(desk) == [video.prompt, "変更"]


def test_a_job_that_is_deleted_and_had_back_is_said_and_what_was_typed_is_kept(
    desk: Desk, video: VideoOptions, browser: Browser
) -> None:
    job = desk.start([video] * MANY)[-1]
    with serving(desk) as address, visiting(browser, address, "zh-TW") as page:
        prompt(page).fill("草稿")
        opened(page, address, "zh-TW", f"create?edit={job.id}")
        prompt(page).fill("變更")
        said, url = page.locator("#editing p"), f"{address}/api/v1/jobs/{job.id}"
        page.request.delete(url)
        expect(said).to_have_text(say("page.edit_deleted", "zh-TW", job=job.id))
        page.request.post(f"{url}/restore")
        expect(said).to_have_text(say("page.editing", "zh-TW", job=job.id))
        expect(page.locator("#edit-keep")).to_be_hidden()
        page.request.post(f"{url}/skip")
        expect(said).to_have_text(say("page.edit_over", "zh-TW", job=job.id))
        page.locator("#edit-keep").click()
        expect(page.locator("#editing")).to_be_hidden()
        expect(prompt(page)).to_have_value("變更")
        expect(page.locator("#toasts")).to_contain_text(say("page.edit_kept", "zh-TW"))
        assert drafted(page) == ["草稿"]
        page.reload()
        page.wait_for_selector("body[data-ready]")
        expect(prompt(page)).to_have_value("變更")


@pytest.mark.parametrize("gone", [False, True])
def test_what_is_refused_stays_and_can_be_added(desk: Desk, video: VideoOptions, browser: Browser, gone: bool) -> None:
    """The save comes before the page was told."""
    (job,) = desk.start([video])
    with serving(desk) as address, visiting(browser, address, "ru", "queue") as page:
        page.add_init_script("delete globalThis.SharedWorker")
        page.route("**/api/v1/events**", lambda route: None)  # nothing is told
        opened(page, address, "ru", f"create?edit={job.id}")
        prompt(page).fill("изменено")
        if gone:
            page.request.delete(f"{address}/api/v1/jobs/{job.id}")
        else:
            running(desk, job)
        page.locator("#edit-save").click()
        expect(page.locator(".toast.problem")).to_be_visible()
        text = say("page.edit_deleted" if gone else "page.edit_begun", "ru", job=job.id)
        expect(page.locator("#editing p")).to_have_text(text)
        expect(prompt(page)).to_have_value("изменено")
        page.locator("#edit-add").click()
        expect(page.locator("#editing")).to_be_hidden()
        assert asked(desk)[-1] == "изменено"


def test_a_change_that_is_left_is_had_back(desk: Desk, video: VideoOptions, browser: Browser) -> None:
    one, two = desk.start([video, video])
    with serving(desk) as address, visiting(browser, address, "en") as page:
        prompt(page).fill("mine")
        opened(page, address, "en", f"create?edit={one.id}")
        prompt(page).fill("typed")
        page.locator("#edit-cancel").click()
        expect(prompt(page)).to_have_value("mine")
        prompt(page).fill("mine, too")
        page.locator(".toast .act").click()
        expect(page.locator("#editing p")).to_have_text(say("page.editing", job=one.id))
        expect(prompt(page)).to_have_value("typed")
        opened(page, address, "en", f"create?edit={one.id}")  # once more from the queue: one goes on
        expect(prompt(page)).to_have_value("typed")
        opened(page, address, "en", f"create?edit={two.id}")
        expect(page.locator("#toasts")).to_contain_text(say("page.edit_aside", job=one.id))
        expect(prompt(page)).to_have_value(video.prompt)
        assert drafted(page) == ["typed"]
        page.locator("#edit-cancel").click()
        expect(prompt(page)).to_have_value("mine, too")
        assert drafted(page) == ["typed"]  # nothing was changed in the second


def test_a_video_to_finish_is_followed_too(desk: Desk, browser: Browser, tmp_path: Path) -> None:
    video = clip(tmp_path / "clip.mp4", 8, 24)
    (job,) = desk.start([FinishOptions.parse({"video": video, "finish": {"grain": 0.2}})])
    with serving(desk) as address, visiting(browser, address, "ja", f"finish?edit={job.id}") as page:
        expect(page.locator("#editing")).to_have_text(say("page.editing", "ja", job=job.id))
        expect(page.locator("#start")).to_have_text(say("do.save", "ja"))
        page.request.delete(f"{address}/api/v1/jobs/{job.id}")
        expect(page.locator("#editing")).to_have_text(say("page.edit_deleted", "ja", job=job.id))
        expect(page.locator("#start")).to_have_text(say("do.finish", "ja"))
        page.locator("#start").click()
        expect(page.locator("#editing")).to_be_hidden()
        (added,) = desk.store.jobs()
        assert FinishOptions.parse(added.request).finish.grain == 0.2
