"""Create in a real browser, each journey in one language: nothing that was set is lost or starts twice."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import save_file

pytest.importorskip("playwright", reason="playwright is not installed")

from axe_playwright_python.sync_playwright import Axe
from PIL import Image, PngImagePlugin
from playwright.sync_api import Browser, Locator, Page, expect

from eichi.video.latentfile import Latents, save_latents
from tests.machine import NO_BROWSER, chromium
from tests.web.browser import PATIENCE, Server, begin_with, opened, serving, visiting, watched

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)]
expect.set_options(timeout=PATIENCE)
FOREIGN = "a cat\nNegative prompt: fog\nSteps: 31, Sampler: Euler a, CFG scale: 3.5, Seed: 42, Size: 80x48"
DROP = """(node, [name, content, kind]) => {
  const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0)), transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: kind }));
  for (const type of ["dragenter", "dragover", "drop"]) {
    node.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }));
  }
}"""
UNFOLD = "() => document.querySelectorAll('details').forEach(one => { one.open = true; })"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A machine that nobody has used, and where nothing is made."""
    with serving(tmp_path_factory.mktemp("machine")) as server:
        httpx.post(f"{server.address}/api/v1/queue/hold").raise_for_status()
        yield server


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "red.png"
    Image.new("RGB", (96, 64), "red").save(path)
    return path


def drop(target: Locator, path: Path, kind: str = "") -> None:
    """A file from elsewhere falls on something."""
    target.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode(), kind])


def give(page: Page, picture: Path) -> None:
    """Choose a start picture, and wait for its plan."""
    page.locator("picture-drop[name=image] input").set_input_files(picture)
    expect(page.locator("picture-drop[name=image]")).to_have_class(re.compile("filled"))
    expect(page.locator("#plan-line")).to_contain_text("80×48")


def jobs(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.request.get("/api/v1/jobs").json()["jobs"]
    return found


def words_of(page: Page, job: dict[str, Any]) -> str:
    asked = page.request.get(f"/api/v1/jobs/{job['id']}/options").json()
    return str(asked["options"]["prompt"])


def prompt(page: Page) -> Locator:
    return page.locator("#video-prompt")


def test_junk_says_so_and_nothing_is_in_the_way(server: Server, browser: Browser, tmp_path: Path) -> None:
    junk = tmp_path / "junk.zip"
    junk.write_bytes(b"PK\3\4 not one")
    with visiting(browser, server.address, "zh-TW") as page:
        prompt(page).fill("一顆球")
        drop(page.locator("#fields"), junk, "application/zip")
        expect(page.locator(".toast.problem")).to_have_count(1)
        expect(page.locator(".toast .more")).to_have_attribute("href", re.compile(r"^/help/zh-TW/.*#message-error-"))
        expect(page.locator(".cover")).to_have_count(0)
        expect(prompt(page)).to_have_value("一顆球")
        page.locator("#video-seconds").click()  # nothing lies on it
        page.locator("#start").click()


def test_a_picture_that_cannot_be_read_says_so_where_it_fell_and_why_nothing_starts(
    server: Server, browser: Browser, tmp_path: Path, picture: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with visiting(browser, server.address, "ru") as page:
        place = page.locator("picture-drop[name=image]")
        drop(place.locator("label"), broken, "image/png")
        said = place.locator(".wrong")
        expect(said).to_contain_text("broken.png")
        page.locator("#start").click()
        expect(page.locator("#plan-problem")).to_contain_text(said.inner_text())
        expect(place.locator("input")).to_be_focused()
        give(page, picture)
        expect(said).to_be_hidden()
        expect(page.locator("#plan-problem")).to_be_hidden()


def test_a_reload_keeps_half_a_word_and_a_tab_has_its_own(server: Server, browser: Browser, picture: Path) -> None:
    with visiting(browser, server.address, "ja") as page:
        give(page, picture)
        prompt(page).press_sequentially("赤いボー")
        other = opened(page.context.new_page(), server.address, "ja")
        expect(prompt(other)).to_have_value("")
        prompt(other).fill("別の")
        page.reload()
        expect(prompt(page)).to_have_value("赤いボー")
        expect(page.locator("picture-drop[name=image]")).to_have_class(re.compile("filled"))
        other.reload()
        expect(prompt(other)).to_have_value("別の")


def test_a_server_that_is_started_again_plans_the_word(tmp_path: Path, browser: Browser, picture: Path) -> None:
    with serving(tmp_path / "machine") as server:
        page = browser.new_page()
        troubles = watched(page)
        opened(page, server.address, "zh-TW")
        give(page, picture)
        prompt(page).press_sequentially("一顆紅")
        server.kill()
        prompt(page).press_sequentially("球")
        expect(page.locator("#lost")).to_be_visible()
        server.start()
        expect(page.locator("#lost")).to_be_hidden()
        prompt(page).press_sequentially("滾")
        expect(page.locator("#plan-line")).to_contain_text("80×48")
        expect(prompt(page)).to_have_value("一顆紅球滾")
        page.close()
    assert [one for one in troubles if "net::ERR" not in one] == []


def test_a_double_click_starts_once(server: Server, browser: Browser, picture: Path) -> None:
    with visiting(browser, server.address, "en", base_url=server.address) as page:
        before = len(jobs(page))
        give(page, picture)
        page.locator("#start").dblclick()
        expect(page.locator(".toast")).to_have_count(1)
        assert len(jobs(page)) == before + 1


def test_a_picture_of_another_program_brings_what_it_says_and_the_rest_stays(
    server: Server, browser: Browser, picture: Path, tmp_path: Path
) -> None:
    foreign, said = tmp_path / "foreign.png", PngImagePlugin.PngInfo()
    said.add_text("parameters", FOREIGN)
    Image.new("RGB", (80, 48), "blue").save(foreign, pnginfo=said)
    with visiting(browser, server.address, "ru") as page:
        give(page, picture)
        page.locator("#video-seconds").fill("3")
        first = page.locator("picture-drop[name=image] img").get_attribute("src")
        drop(page.locator("#fields"), foreign, "image/png")
        expect(prompt(page)).to_have_value("a cat")
        expect(page.locator("#video-seed")).to_have_value("42")
        expect(page.locator("#video-sampling-steps")).to_have_value("31")
        expect(page.locator("#video-sampling-cfg")).to_have_value("3,5")
        expect(page.locator("#video-negative")).to_have_value("fog")
        expect(page.locator("#video-seconds")).to_have_value("3")
        expect(page.locator("picture-drop[name=image] img")).to_have_attribute("src", str(first))
        page.locator(".toast .act").first.click()  # undo
        expect(prompt(page)).to_have_value("")
        expect(page.locator("#video-seconds")).to_have_value("3")


def test_what_is_refused_stays_where_it_is_with_its_reason(server: Server, browser: Browser, picture: Path) -> None:
    with visiting(browser, server.address, "ja") as page:
        give(page, picture)
        sections = page.locator("time-line [data-place]").count()
        page.locator("#video-seed").fill("七")
        expect(page.locator("#plan-problem")).to_be_visible()
        expect(page.locator("#plan-problem .more")).to_have_attribute("href", re.compile("^/help/ja/.*#message-error-"))
        expect(page.locator("time-line [data-place]")).to_have_count(sections)
        seed = page.locator("#video-seed")
        expect(seed).to_have_attribute("aria-invalid", "true")
        expect(page.locator(f"#{seed.get_attribute('aria-errormessage')}")).to_be_visible()
        prompt(page).focus()
        page.locator("#plan-go").click()
        expect(seed).to_be_focused()
        seed.fill("7")
        expect(page.locator("#plan-problem")).to_be_hidden()


def test_the_plan_is_never_higher_for_what_it_says(server: Server, browser: Browser, picture: Path) -> None:
    with visiting(browser, server.address, "ru") as page:
        give(page, picture)
        expect(page.locator("time-line [data-place]")).not_to_have_count(0)
        high = "() => ['#form', '#plan'].map(one => document.querySelector(one).offsetHeight)"  # beside them jobs end
        before = page.evaluate(high)
        page.locator("#video-seed").fill("семь")
        expect(page.locator("#plan")).to_have_class(re.compile("bad"))
        assert page.evaluate(high) == before
        page.locator("#video-seed").fill("4294967295")
        assert page.locator("#video-seed").evaluate("node => node.scrollWidth <= node.clientWidth")


def test_a_mode_and_back_keeps_what_only_the_first_has(server: Server, browser: Browser, picture: Path) -> None:
    with visiting(browser, server.address, "zh-TW") as page:
        give(page, picture)
        page.evaluate(UNFOLD)
        page.locator("picture-drop[name='keyframes.final'] input").set_input_files(picture)
        expect(page.locator("#swap")).to_be_visible()
        page.locator("input[name=mode][value=forward]").check(force=True)
        expect(page.locator("#video-model")).to_have_value("tiny-f1")
        expect(page.locator("picture-drop[name='keyframes.final']")).to_be_hidden()
        expect(page.locator("#plan-problem")).to_be_hidden()
        page.locator("input[name=mode][value=reverse]").check(force=True)
        expect(page.locator("#video-model")).to_have_value("tiny")
        expect(page.locator("picture-drop[name='keyframes.final']")).to_have_class(re.compile("filled"))


def test_what_a_section_has_stays_where_it_is_in_another_mode(server: Server, browser: Browser) -> None:
    """The standard model numbers sections from the video's end, F1 from its start."""
    with visiting(browser, server.address, "ja") as page:
        begin_with(page, {"start": "black", "seconds": 2, "keyframes.prompts": {"1": "走る猫"}})
        page.reload()
        first, second = (page.locator(f'time-line [data-place="{place}"]') for place in (0, 1))
        expect(second).to_contain_text("走る猫")
        page.locator("input[name=mode][value=forward]").check(force=True)
        expect(first).to_contain_text("走る猫")
        expect(second).not_to_contain_text("走る猫")
        page.locator("input[name=mode][value=reverse]").check(force=True)
        expect(second).to_contain_text("走る猫")


def test_a_preset_is_saved_applied_deleted_and_had_back(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "en") as page:
        prompt(page).fill("mine")
        page.locator("#presets").click()
        page.locator("#shelf-name").fill("first")
        page.keyboard.press("Enter")
        row = page.locator(".shelf li", has_text="first")
        expect(row).to_be_visible()
        row.locator("button").last.click()
        expect(row).to_have_count(0)
        page.locator(".toast .act").last.click()
        expect(page.locator(".shelf li")).not_to_have_count(0)
        page.keyboard.press("Escape")
        prompt(page).fill("another")
        page.locator("#presets").click()
        expect(row).to_be_visible()
        row.get_by_role("button", name="Apply").click()
        expect(prompt(page)).to_have_value("mine")
        page.locator(".toast .act").last.click()
        expect(prompt(page)).to_have_value("another")


def test_a_favourite_is_saved_overwritten_and_had_back(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "zh-TW") as page:
        for text in ("one", "two"):
            prompt(page).fill(text)
            page.locator("#favourites").click()
            page.locator("#shelf-name").fill("fav")
            page.keyboard.press("Enter")
            expect(page.locator("#shelf-name")).to_have_value("")
            if text == "two":
                expect(page.locator(".toast")).to_have_count(2)
                page.locator(".toast .act").last.click()  # the first is there again
                expect(page.locator(".toast")).to_have_count(1)
            page.keyboard.press("Escape")
        page.locator("#favourites").click()
        page.locator(".shelf li .row button").first.click()
        expect(prompt(page)).to_have_value("one")


def test_a_picture_that_falls_beside_its_place_is_the_start_picture(
    server: Server, browser: Browser, picture: Path
) -> None:
    with visiting(browser, server.address, "en") as page:
        drop(page.locator("#fields"), picture, "image/png")
        expect(page.locator("picture-drop[name=image]")).to_have_class(re.compile("filled"))
        page.locator(".toast .act").last.click()
        expect(page.locator("picture-drop[name=image]")).not_to_have_class(re.compile("filled"))


def test_a_model_that_is_not_here_says_its_size_and_where_to_get_it(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "ja") as page:
        page.locator("#video-model").select_option("framepack")
        expect(page.locator("#model-said")).to_contain_text("GB")
        expect(page.locator("#model-said a")).to_have_attribute("href", "/ja/models")
        expect(page.locator("#video-model")).to_have_attribute("aria-invalid", "true")


def test_a_lora_has_a_slider_and_is_taken_out_with_a_way_back(server: Server, browser: Browser) -> None:
    folder, name = server.home / "home" / "loras", "transformer.transformer_blocks.0.attn.to_q"
    folder.mkdir(exist_ok=True)
    pair = {f"{name}.lora_A.weight": np.ones((1, 128)), f"{name}.lora_B.weight": np.ones((128, 1))}
    save_file({name: values.astype(np.float32) for name, values in pair.items()}, folder / "style.safetensors")
    with visiting(browser, server.address, "ru") as page:
        page.evaluate(UNFOLD)
        page.locator("#add-lora").click()
        page.locator(".menu button", has_text="style").click()
        row = page.locator("#loras li")
        row.locator("input[type=text]").fill("0,5")
        expect(row.locator("input[type=range]")).to_have_value("0.5")
        expect(page.locator("[data-group=loras] .set")).to_have_text("style 0,50")
        row.locator("button").click()
        expect(row).to_have_count(0)
        page.locator(".toast .act").last.click()
        expect(row.locator("input[type=text]")).to_have_value("0,50")


def test_everything_is_cleared_and_had_back_by_a_key(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "ja") as page:
        prompt(page).fill("赤いボール")
        page.locator("#more").click()
        page.locator(".menu button").last.click()
        expect(prompt(page)).to_have_value("")
        page.locator("#more").focus()
        page.keyboard.press("Control+z")
        expect(prompt(page)).to_have_value("赤いボール")


def test_a_batch_says_how_many_before_it_starts(server: Server, browser: Browser, picture: Path) -> None:
    with visiting(browser, server.address, "ru") as page:
        give(page, picture)
        page.evaluate(UNFOLD)
        page.locator("#batch-count").fill("2")
        page.locator("#batch-prompts").fill("один\nдва\nтри")
        expect(page.locator("#start")).to_contain_text("6")
        expect(page.locator("#batch-total")).to_contain_text("6")


def test_a_waiting_job_is_changed_or_left_and_the_draft_is_back(
    server: Server, browser: Browser, picture: Path
) -> None:
    with visiting(browser, server.address, "en", base_url=server.address) as page:
        give(page, picture)
        prompt(page).fill("waits")
        expect(page.locator("#prompt-meter .clip")).not_to_be_empty()
        page.locator("#start").click()
        expect(page.locator(".toast")).to_have_count(1)
        job = next(job for job in jobs(page) if words_of(page, job) == "waits")
        prompt(page).fill("draft")
        page.goto(f"/en/create?edit={job['id']}")
        expect(page.locator("#editing")).to_be_visible()
        expect(prompt(page)).to_have_value("waits")
        page.locator("#edit-cancel").click()
        expect(prompt(page)).to_have_value("draft")
        page.goto(f"/en/create?edit={job['id']}")
        page.wait_for_selector("body[data-ready]")
        expect(prompt(page)).to_have_value("waits")
        prompt(page).fill("changed")
        page.locator("#edit-save").click()
        expect(page.locator("#editing")).to_be_hidden()
        expect(prompt(page)).to_have_value("draft")
        assert next(words_of(page, one) for one in jobs(page) if one["id"] == job["id"]) == "changed"


def test_a_job_gives_its_settings_back_with_its_seed_or_a_new_one(
    server: Server, browser: Browser, picture: Path
) -> None:
    with visiting(browser, server.address, "zh-TW", base_url=server.address) as page:
        give(page, picture)
        prompt(page).fill("again")
        page.locator("#video-seed").fill("77")
        expect(page.locator("#prompt-meter .clip")).not_to_be_empty()
        page.keyboard.press("Control+Enter")
        expect(page.locator(".toast")).to_have_count(1)
        job = max(job["id"] for job in jobs(page))
        for seed, shown in (("same", "77"), ("new", "")):
            page.evaluate("sessionStorage.clear()")
            page.goto(f"/zh-TW/create?use={job}&seed={seed}")
            expect(prompt(page)).to_have_value("again")
            expect(page.locator("#video-seed")).to_have_value(shown)
            expect(page.locator("picture-drop[name=image]")).to_have_class(re.compile("filled"))
        assert "use=" not in page.url


def test_latents_are_chosen_by_name_and_dropped(server: Server, browser: Browser) -> None:
    latents = Latents(np.zeros((1, 16, 9, 6, 10), dtype=np.float32), 0)
    outputs = server.home / "outputs"
    outputs.mkdir(exist_ok=True)
    save_latents(outputs / "before.safetensors", latents, {})
    with visiting(browser, server.address, "ru") as page:
        page.evaluate(UNFOLD)
        page.locator("#choose-latents").click()
        page.locator(".choices button", has_text="before").click()
        expect(page.locator("#kept")).to_have_text("before.safetensors")
        expect(page.locator("#video-kept-sections")).to_be_visible()
        page.locator("#drop-latents").click()
        expect(page.locator("#video-kept-sections")).to_be_hidden()
        drop(page.locator("#fields"), outputs / "before.safetensors")
        expect(page.locator("#video-kept-sections")).to_be_visible()


@pytest.mark.parametrize(("scheme", "language"), [("light", "ru"), ("dark", "zh-TW")])
def test_axe_finds_nothing(server: Server, browser: Browser, picture: Path, scheme: str, language: str) -> None:
    with visiting(browser, server.address, language, color_scheme=scheme) as page:
        give(page, picture)
        page.locator("#video-seed").fill("x")
        expect(page.locator("#plan-problem")).to_be_visible()
        page.evaluate(UNFOLD)
        answer = Axe().run(page, options={"resultTypes": ["violations"]})
        found = [f"{one['id']} {node['target']}" for one in answer.response["violations"] for node in one["nodes"]]
    assert found == [], "\n".join(found)


def test_a_narrow_window_never_scrolls_sideways_and_the_bar_hides_no_field(
    server: Server, browser: Browser, picture: Path
) -> None:
    with visiting(browser, server.address, "ru", viewport={"width": 390, "height": 844}, has_touch=True) as page:
        give(page, picture)
        page.evaluate(UNFOLD)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        bar = page.locator("#plan")
        for control in (page.locator("#video-sampling-steps"), page.locator("#batch-prompts")):
            control.focus()
            field, over = control.bounding_box(), bar.bounding_box()
            assert field is not None
            assert over is not None
            assert field["y"] + field["height"] <= over["y"] + 1


def test_the_sections_of_a_draft_are_saved_as_a_file_that_gives_them_back(
    server: Server, browser: Browser, picture: Path, tmp_path: Path
) -> None:
    with visiting(browser, server.address, "ru") as page:
        give(page, picture)
        page.locator("#more").click()
        with page.expect_download() as download:
            page.locator(".menu button").first.click()
        saved = tmp_path / download.value.suggested_filename
        download.value.save_as(saved)
        page.locator("picture-drop[name=image] .remove").click()
        expect(page.locator("picture-drop[name=image]")).not_to_have_class(re.compile("filled"))
        drop(page.locator("#fields"), saved, "application/zip")
        expect(page.locator("picture-drop[name=image]")).to_have_class(re.compile("filled"))
        expect(page.locator(".toast.problem")).to_have_count(0)
