"""Ways through the whole page that people go, each in one language: from an empty machine to a video that plays, many
tabs, a server that goes away, a section once more, a draft of a tab that was closed.
"""

import re
from base64 import b64encode
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

import av
from av.audio.stream import AudioStream
from playwright.sync_api import Browser, Locator, Page, expect

from eichi.events import Preparing, Step
from eichi.options import VideoOptions
from eichi.video.clip import look
from eichi.web.desk import Desk
from eichi.words import say
from tests.clips import clip, tone
from tests.machine import NO_BROWSER, chromium
from tests.web import serving as threads
from tests.web.browser import DROP, PATIENCE, Server, await_done, give, job, opened, serving, visiting, watched
from tests.web.conftest import running

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)]
expect.set_options(timeout=PATIENCE)
TABS = 8  # more than the six connections that a browser allows to a server
SLOW = {"steps": 40, "teacache": False}  # seen while it is made, on a fast machine, too


def tab_to(page: Page, control: Locator) -> None:
    """Press Tab until a control has the focus."""
    for _ in range(80):
        if control.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no number of tabs leads to {control}")


def test_from_an_empty_queue_to_a_video_that_plays_without_a_mouse(
    server: Server, browser: Browser, ball: Path
) -> None:
    with visiting(browser, server.address, "ru", "queue") as page:
        page.evaluate("sessionStorage.setItem('eichi.draft.video', '{\"sampling.steps\": 2}')")  # the rest is patience
        expect(page.locator("#none")).to_be_visible()
        tab_to(page, page.locator("#none a"))
        page.keyboard.press("Enter")
        page.wait_for_selector("body[data-ready] main[data-place=create]")
        expect(page.locator("#plan-line")).not_to_be_empty()
        with page.expect_file_chooser() as chooser:
            tab_to(page, page.locator("picture-drop[name=image] input"))
            page.keyboard.press("Enter")
        chooser.value.set_files(ball)
        tab_to(page, page.locator("#video-prompt"))
        page.keyboard.type("Мяч катится")
        tab_to(page, page.locator("#video-seconds"))
        page.keyboard.type("0,8")
        expect(page.locator("#plan-line")).to_contain_text("80×48")
        expect(page.locator("#plan-line")).to_contain_text(re.compile("^[01],"))
        page.keyboard.press("Control+Enter")
        stage = page.locator("job-stage")
        expect(stage.locator(".state.done")).to_have_text(say("status.done", "ru"))
        tab_to(page, stage.locator("[data-do=play]"))
        page.keyboard.press("Enter")
        expect(stage.locator(".time")).not_to_contain_text("· 0/")
        (made,) = page.request.get(f"{server.address}/api/v1/jobs").json()["jobs"]
        assert (made["status"], made["request"]["prompt"]) == ("done", "Мяч катится")


def test_from_the_press_on_the_stage_says_what_it_waits_for(server: Server, browser: Browser, ball: Path) -> None:
    with visiting(browser, server.address, "en") as page:
        page.request.post(f"{server.address}/api/v1/queue/hold")
        page.locator("picture-drop[name=image] input").set_input_files(ball)
        expect(page.locator("#plan-line")).to_contain_text("80×48")
        page.locator("details[data-group=sampling] > summary").click()
        cfg, negative = page.locator("#video-sampling-cfg"), page.locator("#video-negative")
        expect(cfg).to_be_visible()
        expect(negative).to_be_hidden()  # nothing comes of it at a CFG of 1
        page.locator("#video-sampling-nag").fill("5")
        expect(negative).to_be_visible()
        page.locator("#video-sampling-nag").fill("1")
        expect(negative).to_be_hidden()
        cfg.fill("2")
        expect(negative).to_be_visible()
        page.locator("#start").click()
        expect(page.locator("job-stage .state.waiting")).to_be_visible()
        expect(page.locator("job-stage .line")).to_have_text(say("stage.held_queue"))
        page.request.post(f"{server.address}/api/v1/queue/clear")
        page.request.post(f"{server.address}/api/v1/queue/resume")


def test_many_tabs_show_the_same_job_over_one_stream(desk: Desk, video: VideoOptions, browser: Browser) -> None:
    made = desk.start([video])[0]
    taken = running(desk, made)
    with threads.serving(desk) as address:
        context = browser.new_context()
        tabs = [context.new_page() for _ in range(TABS)]
        troubles = [watched(tab) for tab in tabs]
        for tab in tabs:
            opened(tab, address, "zh-TW")
        for tab in tabs:
            expect(tab.locator("job-stage .line")).to_contain_text("2")
            expect(tab.locator("job-stage")).to_have_attribute("data-job", str(made.id))
        assert len(desk.live._waiting) == 1
        desk.store.record(taken, Preparing("transformer", 1, 4))
        for tab in tabs:
            expect(tab.locator("job-stage .line")).to_contain_text(say("stage.whole", "zh-TW", percent=25))
            expect(tab.locator("job-stage .bar")).to_have_attribute("aria-valuenow", "25")
        desk.store.record(taken, Step(1, 4, 3, 4))
        said = say("stage.step", "zh-TW", step=3, steps=4)
        for tab in tabs:
            expect(tab.locator("job-stage .line")).to_contain_text(said)
            tab.locator("#video-prompt").fill("球")
            expect(tab.locator("#prompt-meter .clip")).not_to_be_empty()
        context.close()
    assert [one for one in troubles if one] == []


def test_a_job_and_half_a_word_outlive_the_server(tmp_path: Path, browser: Browser, ball: Path) -> None:
    with serving(tmp_path / "machine") as server:
        page = browser.new_page()
        watched(page)
        opened(page, server.address, "ja")
        number = job(page, server.address, give(page, server.address, ball), sampling=SLOW)
        line = page.locator("job-stage .line")
        expect(line).to_contain_text(re.compile(r"[1-9]\d*/40"))
        page.locator("#video-prompt").press_sequentially("赤いボー")
        server.kill()
        expect(page.locator("#lost")).to_have_text(say("page.offline", "ja"))
        expect(page.locator("#lost")).to_be_visible()
        page.locator("#video-prompt").press_sequentially("ル")
        server.start()
        expect(page.locator("#lost")).to_be_hidden()
        expect(page.locator("#video-prompt")).to_have_value("赤いボール")
        expect(page.locator("job-stage .state.done")).to_be_visible()
        expect(page.locator("job-stage")).to_have_attribute("data-job", str(number))
        expect(page.locator("job-stage clip-viewer")).to_be_visible()
        page.close()


def test_a_section_of_a_finished_video_is_made_once_more(server: Server, browser: Browser, ball: Path) -> None:
    with visiting(browser, server.address, "zh-TW") as page:
        number = job(page, server.address, give(page, server.address, ball), seconds=2)
        await_done(page, server.address, number)
        page.reload()
        page.wait_for_selector("body[data-ready]")
        page.locator("time-line .which").click()
        section = page.locator('time-line [data-place="1"]')
        section.get_by_role("button", name=say("timeline.redo", "zh-TW")).click()
        page.locator("dialog .primary").click()
        expect(page.locator("#toasts")).to_contain_text(str(number + 1))
        await_done(page, server.address, number + 1)
        again = page.request.get(f"{server.address}/api/v1/jobs/{number + 1}").json()
        assert again["request"]["kept"]["sections"] == 1  # the end, made before it, is the old one


def test_what_is_to_come_is_changed_while_the_video_is_made(server: Server, browser: Browser, ball: Path) -> None:
    with visiting(browser, server.address, "en") as page:
        id = give(page, server.address, ball)
        number = job(page, server.address, id, seconds=5, sampling=SLOW, prompt="a ball")
        expect(page.locator("job-stage .line")).to_contain_text("step")
        page.locator("time-line .which").click()
        page.locator('time-line [data-place="3"] .face').click()
        page.locator("#timeline-prompt").fill("a ball flies")
        with page.expect_response("**/ahead") as answer:
            page.keyboard.press("Escape")
        assert answer.value.ok
        page.locator("job-stage").get_by_role("button", name=say("do.stop"), exact=True).click()
        expect(page.locator("job-stage .state.stopped")).to_be_visible()
        told = page.request.get(f"{server.address}/api/v1/jobs/{number}").json()
        assert told["request"]["keyframes"]["prompts"] == {"3": "a ball flies"}


def test_the_draft_of_a_closed_tab_is_had_back(server: Server, browser: Browser, ball: Path) -> None:
    with visiting(browser, server.address, "ja") as page:
        other = opened(page.context.new_page(), server.address, "ja")
        other.locator("picture-drop[name=image] input").set_input_files(ball)
        expect(other.locator("picture-drop[name=image]")).to_have_class(re.compile("filled"))
        section = 'time-line [data-place="1"]'
        with other.expect_file_chooser() as chooser:
            other.locator(f"{section} .face").focus()
            other.keyboard.press("p")
        chooser.value.set_files(ball)
        expect(other.locator(f"{section} .from")).to_have_text(say("timeline.own", "ja"))
        other.locator("#video-prompt").press_sequentially("閉じた")
        other.reload()
        expect(other.locator(f"{section} .from")).to_have_text(say("timeline.own", "ja"))
        other.close()
        page.locator("#video-prompt").fill("ここ")
        page.locator("#drafts").click()
        rows = page.locator("dialog .drafts li")
        expect(rows).to_have_count(1)
        rows.get_by_role("button", name=say("do.use_draft", "ja")).click()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("#video-prompt")).to_have_value("閉じた")
        expect(page.locator(f"{section} .from")).to_have_text(say("timeline.own", "ja"))
        expect(page.locator("picture-drop[name=image]")).to_have_class(re.compile("filled"))


def test_a_duplicated_tab_is_one_of_its_own(server: Server, browser: Browser) -> None:
    """A browser copies what a tab keeps when it duplicates it, or opens one from it."""
    with visiting(browser, server.address, "en") as page:
        page.locator("#video-prompt").fill("first")
        with page.expect_popup() as popup:
            page.evaluate("window.open(location.href, '_blank')")
        copy = popup.value
        copy.wait_for_selector("body[data-ready]")
        expect(copy.locator("#video-prompt")).to_have_value("first")
        copy.locator("#video-prompt").fill("second")
        page.reload()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("#video-prompt")).to_have_value("first")
        page.locator("#video-prompt").fill("third")
        page.locator("#drafts").click()
        expect(page.locator("dialog .drafts li p")).to_have_text(["second"])


def test_a_video_of_ones_own_is_dropped_continued_and_heard(server: Server, browser: Browser, tmp_path: Path) -> None:
    brought, song = clip(tmp_path / "海.mp4", 24, 24, sound="aac"), tmp_path / "song.wav"
    sung(song)
    with visiting(browser, server.address, "ja") as page:
        page.evaluate("sessionStorage.setItem('eichi.draft.video', '{\"sampling.steps\": 2, \"seconds\": 1}')")
        page.reload()
        page.wait_for_selector("body[data-ready]")
        dropped = [brought.name, b64encode(brought.read_bytes()).decode(), "video/mp4"]
        page.locator("picture-drop[name=image]").evaluate(DROP, dropped)  # a video where the first picture goes
        place = page.locator('file-drop[name="source.before"]')
        expect(place).to_have_class(re.compile("filled"))
        expect(place.locator(".hint")).to_contain_text(say("page.with_sound", "ja"))
        expect(place.locator("img")).to_have_js_property("complete", True)
        page.locator('file-drop[name="source.sound"] input').set_input_files(song)
        expect(page.locator('file-drop[name="source.sound"] .hint')).to_contain_text("song.wav")
        heading = page.locator("details.group", has=place).locator("summary .set")
        expect(heading).to_have_text(f"{say('label.source.before', 'ja')} · {say('label.source.sound', 'ja')}")
        # What cannot be read keeps the job from starting until it is taken back.
        led = page.locator('file-drop[name="source.after"]')
        led.locator("input").set_input_files({"name": "x.mp4", "mimeType": "video/mp4", "buffer": b"no video"})
        expect(page.locator("#plan-problem")).to_contain_text("x.mp4")
        led.locator(".remove").click()
        expect(led.locator(".wrong")).to_be_hidden()
        expect(page.locator("#plan")).not_to_have_class(re.compile("bad"))
        page.locator("#video-prompt").fill("a ball")
        expect(page.locator("#plan-line")).to_contain_text(say("plan.whole", "ja", text="", seconds=2.208))
        page.locator("#start").click()
        expect(page.locator("job-stage .state.done")).to_be_visible()
        length = say("page.length_whole", "ja", whole=2.208, seconds=1.2)
        expect(page.locator("job-stage .figures")).to_contain_text(length)
        with page.expect_download() as got:
            page.locator("job-stage [data-do='do.download']").click()
        assert look(got.value.path()).frames == 24 + 29
        viewer = page.locator("job-stage clip-viewer")
        expect(viewer).to_be_visible()
        viewer.locator("[data-do=play]").click()
        viewer.locator("[data-do=sound]").click()
        expect(viewer.locator("video")).to_have_js_property("muted", False)
        made = page.request.get(f"{server.address}/api/v1/jobs").json()["jobs"]
        options = next(one for one in made if one["request"]["source"]["before"])["request"]
        assert options["image"] is None and options["source"]["sound"]
        # The result is one to continue, too: both parts are in it.
        page.locator("job-stage").get_by_role("button", name=say("do.more", "ja"), exact=True).click()
        page.get_by_role("menuitem", name=say("result.continue", "ja")).click()
        expect(place.locator(".hint")).to_contain_text(say("page.with_sound", "ja"))


def sung(path: Path) -> None:
    """A sound of half a second."""
    with av.open(str(path), "w") as container:
        voice = container.add_stream("pcm_s16le", rate=48_000)
        assert isinstance(voice, AudioStream)
        for block in tone(0.5):
            container.mux(voice.encode(block))
        container.mux(voice.encode(None))
