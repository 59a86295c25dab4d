"""The timeline in a browser: pictures and prompts are put on sections by mouse and keyboard, and nothing gets lost."""

import io
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, FilePayload, JSHandle, Locator, Page, Route, expect

from tests.machine import NO_BROWSER, chromium
from tests.web.browser import PATIENCE, serving, visiting

expect.set_options(timeout=PATIENCE)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason=NO_BROWSER),
]
MODULE = "import(`/static/${document.documentElement.dataset.mark}/%s.js`)"
DROP = """([base64, name]) => {
  const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0)), transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  return transfer;
}"""
PASTE = """(node, transfer) => {
  node.focus();
  node.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
}"""
# What of a card's number and time is cut off, and how wide the narrowest card is.
READABLE = """() => {
  const cards = [...document.querySelectorAll("time-line .section")];
  const texts = [...document.querySelectorAll(".section .times, .section b")];
  const cut = texts.filter((one) => one.scrollWidth > one.clientWidth + 1);
  return [cards.length, cut.length, Math.min(...cards.map((card) => card.getBoundingClientRect().width))];
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("machine")) as server:
        yield server.address


def png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (96, 64), colour).save(file, "PNG")
    return file.getvalue()


def given(page: Page, colour: str) -> str:
    """The id of a picture that the server has."""
    file: FilePayload = {"name": f"{colour}.png", "mimeType": "image/png", "buffer": png(colour)}
    answer = page.request.post(f"{page.evaluate('location.origin')}/api/v1/pictures", multipart={"file": file})
    return str(answer.json()["id"])


def lay(page: Page, **values: Any) -> None:
    """Make the draft one of these options; a key's dots are two low lines."""
    asked = {key.replace("__", "."): value for key, value in values.items()}
    page.evaluate(f"async (values) => (await {MODULE % 'draft'}).draft('video').replace(values)", asked)


def draft(page: Page, key: str) -> Any:
    return page.evaluate(f"async (key) => (await {MODULE % 'draft'}).draft('video').get(key)", key)


def section(page: Page, place: int | str) -> Locator:
    return page.locator(f'time-line [data-place="{place}"]')


def face(page: Page, place: int | str) -> Locator:
    return section(page, place).locator(".face")


def picture(page: Page, content: bytes, name: str) -> JSHandle:
    """A file as it is dropped or pasted."""
    return page.evaluate_handle(DROP, [b64encode(content).decode(), name])


def drop(page: Page, place: int | str, content: bytes, name: str) -> None:
    section(page, place).dispatch_event("drop", {"dataTransfer": picture(page, content, name)})


def test_pictures_are_dropped_dragged_copied_and_had_back(browser: Browser, address: str) -> None:
    with visiting(browser, address, "en") as page:
        lay(page, image=given(page, "red"), seconds=5)
        expect(page.locator("time-line .section")).to_have_count(4)
        drop(page, 2, png("blue"), "blue.png")
        expect(section(page, 2).locator(".from")).to_have_text("own")
        expect(section(page, 1).locator(".from")).to_have_text("as section 2")
        expect(section(page, 0).locator(".from")).to_have_text("as section 2")
        expect(page.locator('[data-group="keyframes"] .set')).to_have_text("Section keyframes 1")
        blue = draft(page, "keyframes.sections")["2"]
        section(page, 2).drag_to(section(page, 1))
        expect(section(page, 1).locator(".from")).to_have_text("own")
        assert draft(page, "keyframes.sections") == {"1": blue}
        page.keyboard.down("Control")
        section(page, 1).drag_to(section(page, "final"))
        page.keyboard.up("Control")
        expect(section(page, "final").locator("img")).to_be_visible()
        assert draft(page, "keyframes.sections") == {"1": blue}
        assert draft(page, "keyframes.final") == blue
        expect(page.locator('[data-group="keyframes"] .set')).to_have_text("Final Frame · Section keyframes 1")
        page.locator("time-line .clear").click()
        expect(page.locator("time-line .section.own")).to_have_count(0)
        page.locator("#toasts").get_by_role("button", name="Undo").last.click()
        expect(page.locator("time-line .section.own")).to_have_count(1)
        face(page, 0).evaluate(PASTE, picture(page, png("green"), "green.png"))
        expect(section(page, 0).locator(".from")).to_have_text("own")
        page.keyboard.press("Delete")
        expect(section(page, 0).locator(".from")).to_have_text("as section 1")
        drop(page, 3, b"no picture", "junk.png")
        expect(section(page, 3).locator(".wrong")).to_be_visible()
        assert draft(page, "keyframes.sections") == {"1": blue}


def test_what_a_shorter_video_has_no_room_for_stays_and_can_be_moved(browser: Browser, address: str) -> None:
    with visiting(browser, address, "ru") as page:
        blue = given(page, "blue")
        keys = {"keyframes__sections": {"4": blue}, "keyframes__prompts": {"4": "a ball"}}
        lay(page, image=given(page, "red"), seconds=6, **keys)
        expect(section(page, 4).locator(".from")).to_have_text("своё")
        lay(page, image=given(page, "red"), seconds=2, **keys)
        rest = page.locator("time-line .roomless li")
        expect(rest).to_have_count(2)
        expect(rest.first).to_contain_text("Нет места: секция 4")
        expect(rest.first.locator(".wrong")).not_to_be_empty()
        expect(page.locator("time-line .section")).to_have_count(2)
        page.locator("#plan-go").click()
        expect(rest.first.get_by_role("button").first).to_be_focused()
        rest.first.drag_to(section(page, 1))
        expect(rest).to_have_count(1)
        assert draft(page, "keyframes.sections") == {"1": blue}
        rest.get_by_role("button", name="Переместить…").click()
        page.locator("dialog select").press("Enter")
        expect(rest).to_have_count(0)
        assert list(draft(page, "keyframes.prompts").values()) == ["a ball"]
        lay(page, image=given(page, "red"), seconds=2, **keys)
        rest.get_by_role("button", name="Убрать изображение").click()
        expect(rest).to_have_count(1)
        page.locator("#toasts .act").last.click()
        expect(rest).to_have_count(2)


def test_a_refused_plan_and_another_language_leave_every_card_where_it_was(browser: Browser, address: str) -> None:
    with visiting(browser, address, "en") as page:
        red = given(page, "red")
        lay(page, image=red, seconds=5)
        face(page, 1).focus()
        page.evaluate("document.querySelectorAll('time-line li').forEach((one) => { one.mine = true; })")
        lay(page, image=red, seconds=5, keyframes__loop="seamless", keyframes__final=red)
        expect(section(page, "final").locator(".wrong")).to_be_visible()
        lay(page, image=red, seconds=5, keyframes__sections={"2": "upload:" + "0" * 32})
        expect(section(page, 2).locator(".wrong")).to_be_visible()
        page.locator("#language").evaluate("(one) => { one.value = 'ja'; one.dispatchEvent(new Event('change')); }")
        expect(face(page, 1)).to_have_attribute(
            "aria-label", "セクション 1 · 2.4–3.6 秒 · 生成順: 2 · Image と同じ · パディング 2 · 共通プロンプト"
        )
        expect(section(page, 2).locator(".wrong")).to_contain_text("。")
        expect(face(page, 1)).to_be_focused()
        assert all(section(page, place).evaluate("(one) => one.mine") for place in ("image", 0, 1, 2, "final"))


@pytest.mark.parametrize("width", [390, 1440])
def test_two_minutes_can_be_read(browser: Browser, address: str, width: int) -> None:
    with visiting(browser, address, "ja", viewport={"width": width, "height": 844}) as page:
        lay(page, image=given(page, "red"), seconds=120)
        expect(page.locator("time-line .section")).to_have_count(100)
        page.locator("time-line .zoom button").first.click(click_count=3)
        count, cut, narrowest = page.evaluate(READABLE)
        assert (count, cut) == (100, 0)
        assert narrowest >= 80
        expect(page.locator("time-line .strip")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        face(page, 99).focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")
        expect(face(page, 0)).to_be_focused()
        expect(face(page, 0)).to_be_in_viewport()
        expect(face(page, 99)).not_to_be_in_viewport()


def test_everything_can_be_done_by_keyboard(browser: Browser, address: str) -> None:
    blue: FilePayload = {"name": "blue.png", "mimeType": "image/png", "buffer": png("blue")}
    with visiting(browser, address, "zh-TW") as page:
        page.on("filechooser", lambda chooser: chooser.set_files(blue))
        lay(page, image=given(page, "red"), seconds=5)
        face(page, 3).focus()
        page.keyboard.press("Home")
        expect(face(page, "image")).to_be_focused()
        for _ in range(2):
            page.keyboard.press("ArrowRight")
        expect(face(page, 2)).to_be_focused()
        page.keyboard.press("p")
        expect(section(page, 2).locator(".from")).to_have_text("專屬")
        page.keyboard.press("Enter")
        text = page.locator("#timeline-prompt")
        expect(text).to_be_focused()
        text.press_sequentially("a ball")
        expect(page.locator("#timeline-meter")).to_contain_text("256")
        page.keyboard.press("Escape")
        expect(face(page, 2)).to_be_focused()
        expect(section(page, 2).locator(".said")).to_have_text("a ball")
        page.keyboard.press("m")
        expect(page.locator("dialog option").last).to_have_text("Final Frame")
        page.locator("dialog select").select_option("0")
        page.keyboard.press("Enter")
        expect(face(page, 0)).to_be_focused()
        assert list(draft(page, "keyframes.sections")) == ["0"]
        page.keyboard.press("c")
        page.locator("dialog select").select_option("final")
        page.keyboard.press("Enter")
        expect(face(page, "final")).to_be_focused()
        assert draft(page, "keyframes.final") == draft(page, "keyframes.sections")["0"]
        page.keyboard.press("Delete")
        expect(section(page, "final").locator("img")).to_be_hidden()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("menuitem")).to_have_count(5)
        page.keyboard.press("Escape")
        expect(section(page, 0).locator(".more")).to_be_focused()


def test_copies_are_coloured_and_a_forward_model_has_no_pictures(browser: Browser, address: str) -> None:
    with visiting(browser, address, "en") as page:
        red, blue = given(page, "red"), given(page, "blue")
        keys = {"0": red, "1": blue}
        lay(page, image=red, seconds=5, keyframes__sections=keys, keyframes__copies=True)
        expect(section(page, 3)).to_have_attribute("data-colour", "blue")
        expect(section(page, 2)).to_have_attribute("data-colour", "red")
        expect(section(page, 3).locator(".from")).to_have_text("as section 1")
        lay(page, image=red, seconds=5, model="tiny-f1", page__direction="forward", keyframes__sections=keys)
        rest = page.locator("time-line .roomless li")
        expect(rest).to_have_count(2)
        expect(section(page, "final")).to_have_count(0)
        lay(page, image=red, seconds=5, model="tiny-f1", page__direction="forward", keyframes__final=blue)
        expect(rest).to_have_text(["Standard models only: Final FrameMove to…"])
        rest.get_by_role("button", name="Remove image").click()
        expect(rest).to_have_count(0)
        assert draft(page, "keyframes.final") is None
        expect(page.locator("time-line .section b").first).to_have_text("0")


def test_a_touch_opens_the_menu_when_it_stays(browser: Browser, address: str) -> None:
    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with visiting(browser, address, "ru", **phone) as page:
        lay(page, image=given(page, "red"), seconds=2)
        face(page, 1).scroll_into_view_if_needed()
        box = face(page, 1).bounding_box()
        assert box is not None
        finger = page.context.new_cdp_session(page)
        point = {"x": box["x"] + 30, "y": box["y"] + 60}
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
        expect(page.get_by_role("menu")).to_be_visible()
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        expect(page.get_by_role("menu")).to_be_visible()
        page.get_by_role("menuitem").first.click()
        expect(page.locator("#timeline-prompt")).to_be_focused()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(browser: Browser, address: str, scheme: str) -> None:
    with visiting(browser, address, "en", color_scheme=scheme) as page:
        red = given(page, "red")
        keys = {"keyframes__sections": {"0": red, "1": red, "9": red}, "keyframes__prompts": {"1": "a ball"}}
        lay(page, image=red, seconds=60, keyframes__copies=True, **keys)
        face(page, 1).click()
        lay(page, image=red, seconds=6, keyframes__copies=True, **keys)
        expect(page.locator("time-line .roomless li")).to_have_count(1)
        answer = Axe().run(page, context="time-line", options={"resultTypes": ["violations"]})
        assert [(one["id"], one["nodes"][0]["target"]) for one in answer.response["violations"]] == []


JOB: dict[str, Any] = {
    "id": 7,
    "kind": "video",
    "status": "running",
    "model": "tiny",
    "kept": 0,
    "seed": 5,
    "actions": ["ahead", "redo"],
}


def running(page: Page, image: str, order: int) -> list[tuple[str, Any]]:
    """A job of the draft that is being made, as the server tells of it; answers what is asked of the server."""
    asked: list[tuple[str, Any]] = []
    request = {"image": image, "seconds": 5, "prompt": "", "keyframes": {"sections": {}, "prompts": {}}}
    moments = [
        {"time": 10, "event": {"kind": "started"}},
        {"time": 24, "event": {"kind": "section_done", "order": 0, "computed": 4}},
        {"time": 30, "event": {"kind": "started"}},
        {"time": 30, "event": {"kind": "section_done", "order": 0, "computed": 0}},
    ]
    parts = [
        {"number": at, "order": at, "made": at < order, "redo": at < order, "ahead": at > order} for at in range(4)
    ]

    def answer(route: Route) -> None:
        path = route.request.url.split("/api/v1/jobs/7")[1]
        if route.request.method == "GET":
            body = (
                {"sections": parts}
                if path == "/sections"
                else {**JOB, "request": request, "events": moments, "result": None}
            )
        else:
            given = json.loads(route.request.post_data or "{}")
            asked.append((path, given))
            request.update(given.get("options", {}))
            body = {**JOB, "id": 8, "request": request}
        route.fulfill(json=body)

    page.route("**/api/v1/jobs/7**", answer)
    page.route("**/api/v1/jobs/7/**", answer)
    row = {**JOB, "progress": {"order": order, "sections": 4, "step": 3, "steps": 25}, "preview": None}
    page.evaluate(f"async (row) => (await {MODULE % 'live'}).live._hear({{ jobs: [row] }})", row)
    return asked


def test_a_running_job_shows_what_is_done_and_takes_changes_of_what_is_to_come(browser: Browser, address: str) -> None:
    with visiting(browser, address, "en") as page:
        red = given(page, "red")
        lay(page, image=red, seconds=5)
        expect(page.locator("time-line .section")).to_have_count(4)
        asked = running(page, red, 1)
        expect(section(page, 0).locator(".told")).to_have_text("✓ 14 s")
        expect(section(page, 1).locator(".told")).to_have_text("step 3 of 25")
        expect(section(page, 3).locator(".told")).to_have_text("waiting")
        section(page, 3).get_by_role("button", name="Edit section").click()
        page.locator("#timeline-prompt").fill("a ball")
        page.keyboard.press("Escape")
        expect(section(page, 3).locator(".said")).to_have_text("a ball")
        assert asked == [("/ahead", {"options": {"keyframes": {"sections": {}, "prompts": {"3": "a ball"}}}})]
        assert draft(page, "keyframes.prompts") == {"3": "a ball"}
        page.locator("#toasts").get_by_role("button", name="Undo").click()
        expect(section(page, 3).locator(".said")).to_have_text("common prompt")
        assert draft(page, "keyframes.prompts") is None
        section(page, 0).get_by_role("button", name="Redo with a new seed").click()
        page.locator("dialog .primary").click()
        expect(page.locator("#toasts")).to_contain_text("#8")
        assert asked[-1] == ("/sections/0/redo", {})
        page.locator("time-line .which").click()
        expect(section(page, 0).locator(".told")).to_be_empty()
        page.locator("time-line .which").click()
        expect(section(page, 0).locator(".told")).to_have_text("✓ 14 s")
        section(page, 0).locator(".more").click()
        page.get_by_role("menuitem", name="Branch from here").click()
        expect(page.locator("dialog .ask-box > p")).to_contain_text("section 0")
        expect(page.locator("dialog .ask-box > p")).to_contain_text("Kept: 1 of 4, again: 3.")
        page.locator("dialog textarea").fill("a cup")
        page.locator("dialog input").fill("7")
        with page.expect_response("**/branch"):
            page.locator("dialog .primary").click()
        assert asked[-1] == ("/branch", {"order": 1, "options": {"seed": 7, "prompt": "a cup"}})


def test_what_comes_next_is_shown_for_change_and_what_is_made_only_read(browser: Browser, address: str) -> None:
    with visiting(browser, address, "ru") as page:
        red = given(page, "red")
        lay(page, image=red, seconds=5)
        expect(page.locator("time-line .section")).to_have_count(4)
        running(page, red, 1)
        face(page, 0).click()
        expect(page.locator("#timeline-prompt")).to_have_attribute("readonly", "")
        expect(page.locator("#timeline-meter")).to_contain_text("уже готова")
        page.evaluate("document.dispatchEvent(new Event('ahead'))")
        expect(face(page, 2)).to_be_focused()
        expect(page.locator("time-line .edit")).to_be_hidden()


def test_the_section_made_last_cannot_be_branched_from_and_the_stage_follows_a_redo(
    browser: Browser, address: str
) -> None:
    with visiting(browser, address, "zh-TW") as page:
        red = given(page, "red")
        lay(page, image=red, seconds=5)
        expect(page.locator("time-line .section")).to_have_count(4)
        running(page, red, 4)
        expect(section(page, 3).locator(".quick button")).to_have_count(1)
        section(page, 3).locator(".more").click()
        expect(page.get_by_role("menuitem", name="以新種子重做")).to_be_visible()
        expect(page.get_by_role("menuitem", name="由此分支")).to_have_count(0)
        page.get_by_role("menuitem", name="以新種子重做").click()
        expect(page.locator("dialog .ask-box > p")).to_contain_text("重新生成：1／4，保留：3")
        follow = "new Promise((told) => document.addEventListener('started', (event) => told(event.detail.jobs)))"
        page.evaluate(f"window.followed = {follow}; undefined")
        page.locator("dialog .primary").click()
        assert page.evaluate("window.followed") == [8]


def test_a_draft_that_is_another_is_shown_instead_of_the_job(browser: Browser, address: str) -> None:
    with visiting(browser, address, "ja") as page:
        red = given(page, "red")
        lay(page, image=red, seconds=5)
        expect(page.locator("time-line .section")).to_have_count(4)
        running(page, red, 1)
        expect(section(page, 0)).to_have_attribute("data-state", "done")
        lay(page, image=red, seconds=2)
        expect(page.locator("time-line .section")).to_have_count(2)
        expect(section(page, 0)).to_have_attribute("data-state", "")
        page.locator("time-line .which").click()
        expect(page.locator("time-line .section")).to_have_count(4)


def test_pieces_of_a_prompt_are_drawn_while_one_types(browser: Browser, address: str) -> None:
    with visiting(browser, address, "en") as page:
        lay(page, image=given(page, "red"), seconds=3.6, model="tiny")
        prompt, pieces = page.locator("#video-prompt"), page.locator("time-line .pieces li")
        expect(page.locator("time-line .section")).to_have_count(3)
        expect(pieces).to_have_count(0)
        prompt.fill("the ball [1s: moves left")
        expect(page.locator("#plan-problem")).to_contain_text("line 1, column 25")
        prompt.press_sequentially("]")
        expect(pieces).to_have_text(["moves left"])
        expect(section(page, 2).locator(".said")).to_have_text("common prompt")
        expect(section(page, 1).locator(".said")).to_have_text("moves left")
        expect(section(page, 0).locator(".said")).to_have_text("moves left")
        prompt.press_sequentially("[2.4s: moves {right|up}]")
        expect(pieces).to_have_count(2)
        expect(section(page, 0).locator(".said")).to_have_text(re.compile("moves (right|up)"))
        first, second = (pieces.nth(place).bounding_box() for place in range(2))
        assert first is not None
        assert second is not None
        assert first["x"] + first["width"] == pytest.approx(second["x"], abs=1)
        # Each has its own tokens, which are those of the common prompt and its own.
        expect(pieces.nth(0)).to_have_attribute("aria-label", re.compile(r"1\.0–2\.4 s · moves left · \d+ / 77"))
        expect(pieces.nth(1).locator(".bar")).to_be_visible()
        lay(page, image=draft(page, "image"), seconds=3.6, model="tiny", prompt="[0s: a] [1.2s: b]", keyframes__blend=2)
        expect(section(page, 1).locator(".said")).to_have_text("33 % · b")
        expect(section(page, 0).locator(".said")).to_have_text("67 % · b")
        prompt.fill("no pieces")
        expect(pieces).to_have_count(0)
