"""What people do with the page, in Chromium, with the embedded model and the real worker.

One server and one browser for all journeys, each in a language of its own. Tests wait for what they need to see and
never for a time; numbers of jobs and files are read from the HTTP interface.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Page

from eichi import words
from tests.web.browser import PATIENCE, PLACES, Server, browsing, chromium, go, opened, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="there is no Chromium on this machine"),
]
GRADIOS_OWN = {"Drop Image Here", "Click to Upload", "- or -", "Upload Image", "Drop File Here"}
EXAMPLE = Path(__file__).parents[2] / "src" / "eichi" / "demo" / "blueprint.safetensors"
SHORT = "0.5"  # seconds; one section of the smaller size


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("machine")) as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A tab that tells what went wrong in it, on a machine that has forgotten what was set before."""
    server.forget()
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    page = context.new_page()
    foreign: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda asked: foreign.append(asked.url) if re.match(r"https?://(?!127\.)", asked.url) else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    assert foreign == []
    assert wrong == []
    context.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three pictures that look different."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{colour}.png" for colour in ("red", "green", "blue")]
    for path in paths:
        Image.new("RGB", (96, 64), path.stem).save(path)
    return paths


def jobs(page: Page, server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.request.get(f"{server.address}/api/v1/jobs").json()["jobs"]
    return sorted(found, key=lambda job: int(job["id"]))


def fill(page: Page, element: str, text: str) -> None:
    page.fill(f"#{element} input, #{element} textarea", text)
    page.keyboard.press("Tab")


def option(page: Page, key: str, value: str) -> None:
    """Set an option of a group: open the group, set the value, wait until the summary says it."""
    control = page.locator(f"[name='{key}']:visible")
    if not control.count():
        page.locator(f"details:has([name='{key}']) > summary:visible").first.click()
    control.first.fill(value)


def choose(page: Page, element: str, value: str) -> None:
    """Write into a list that takes other values too."""
    page.fill(f"#{element} input", value)
    page.keyboard.press("Enter")


def prepare(page: Page, picture: Path, seconds: str = SHORT, sections: int | None = None) -> None:
    """A start picture and a length of few steps; the plan answers."""
    page.set_input_files("#option-image input[type=file]", picture)
    option(page, "sampling.steps", "2")
    choose(page, "option-seconds", seconds)
    count = "[data-section]:not([data-section^='-'])"
    if sections is None:
        page.wait_for_selector(count)
    else:
        page.wait_for_function(f'document.querySelectorAll("{count}").length === {sections}')


def start(page: Page, server: Server, button: str = "#start", count: int = 1) -> int:
    """Press start; the number of the first job that came of it."""
    before = len(jobs(page, server))
    page.click(button)
    page.evaluate(
        """async ([count, patience]) => {
          const listed = async () => (await (await fetch("/api/v1/jobs")).json()).jobs.length;
          while (await listed() < count && performance.now() < patience) await new Promise(requestAnimationFrame);
        }""",
        [before + count, PATIENCE],
    )
    return int(jobs(page, server)[before]["id"])


def finish(page: Page, job: int) -> None:
    page.wait_for_selector(f".stage[data-job='{job}'][data-status=done] :is(video, img):visible")


def picture_of(page: Page, section: int, picture: Path) -> None:
    """Give a section of the timeline a picture."""
    page.click(f"[data-section='{section}']")
    page.wait_for_selector(f".chosen[data-section='{section}']")
    page.wait_for_selector("#section-picture input[type=file]", state="attached")
    page.set_input_files("#section-picture input[type=file]", picture)
    page.wait_for_selector(f"[data-section='{section}'] img[src*='{picture.name}']")


def test_the_first_video_from_an_empty_machine(page: Page, server: Server, pictures: list[Path]) -> None:
    opened(page, server.address, "en")
    prepare(page, pictures[0])
    fill(page, "option-prompt", "a ball")
    page.wait_for_function("document.querySelector('#meter').innerText.includes('/ 77')")
    job = start(page, server)
    finish(page, job)
    page.wait_for_function("document.querySelector('.stage video').readyState >= 2")
    assert 0 < float(page.evaluate("document.querySelector('.stage video').duration")) < 2
    # A result is in the history, and its options come back.
    fill(page, "option-prompt", "another")
    go(page, "history")
    page.click(f"article[data-job='{job}'] [data-use]")
    page.wait_for_function("document.querySelector('#option-prompt textarea').value === 'a ball'")


def test_a_final_frame_and_two_section_pictures(page: Page, server: Server, pictures: list[Path]) -> None:
    opened(page, server.address, "ja")
    prepare(page, pictures[0], "3.6", 3)
    picture_of(page, 0, pictures[1])
    picture_of(page, 1, pictures[2])
    picture_of(page, -2, pictures[1])
    page.click("[data-section='2']")
    page.wait_for_selector(".chosen[data-section='2']")
    page.fill("#section-text textarea", "it turns")
    page.wait_for_selector("[data-section='2'] .said:text('it turns')")
    job = start(page, server)
    finish(page, job)
    keys = jobs(page, server)[-1]["request"]["keyframes"]
    assert [Path(path).name for path in keys["sections"].values()] == ["green.png", "blue.png"]
    assert (Path(keys["final"]).name, keys["prompts"]) == ("green.png", {"2": "it turns"})
    page.click("#sections-clear")
    page.wait_for_selector("[data-section='0'].own", state="detached")


def test_f1_shows_only_what_it_uses(page: Page, server: Server, pictures: list[Path]) -> None:
    opened(page, server.address, "ru")
    page.click("#mode label:nth-of-type(2)")
    page.wait_for_selector("[data-group=keyframes]", state="hidden")
    prepare(page, pictures[0])
    assert page.locator("[data-section='-2']").count() == 0
    job = start(page, server)
    finish(page, job)
    assert jobs(page, server)[-1]["request"]["model"] == "tiny-f1"
    page.click("#mode label:nth-of-type(1)")
    page.wait_for_selector("[data-group=keyframes]")


def test_one_frame_with_a_painted_mask(page: Page, server: Server, pictures: list[Path]) -> None:
    opened(page, server.address, "zh-TW")
    go(page, "frame")
    page.set_input_files("#frame-image input[type=file]", pictures[0])
    page.wait_for_selector("#frame-plan .line")
    option(page, "sampling.steps", "2")
    box = page.locator("#frame-image canvas").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle[0] - 20, middle[1])
    page.mouse.down()
    page.mouse.move(middle[0] + 20, middle[1], steps=5)
    with page.expect_response("**/pictures"):
        page.mouse.up()
    job = start(page, server, "#frame-start")
    finish(page, job)
    request = jobs(page, server)[-1]["request"]
    with Image.open(request["mask"]) as mask:
        grey = mask.convert("L")
    assert set(grey.histogram()[1:-1]) == {0}
    assert grey.getextrema() == (0, 255)


STOP_OR_OVER = """([job, next]) => {
    const button = document.querySelector(`.stage[data-job='${job}'] [data-do=stop-section]`);
    if (button) button.click();
    const over = `.stage[data-job='${job}'][data-status=done], .stage[data-job='${next}']:is(`
        + "[data-status=running], [data-status=done])";
    return button !== null || document.querySelector(over) !== null;
}"""
"""Press the button at once, without waiting until it stands still: on a loaded machine the job may end first."""


def test_a_queue_of_five(page: Page, server: Server, pictures: list[Path]) -> None:
    opened(page, server.address, "en")
    prepare(page, pictures[0], "2.4", 2)
    page.click("[data-fold=batch]")
    fill(page, "batch-count", "5")
    go(page, "queue")
    page.click("[data-do=hold-all]")
    page.wait_for_selector("[data-do=resume-all]")
    go(page, "create")
    first = start(page, server, count=5)
    order = [first + 1, first, first + 2, first + 3, first + 4]
    go(page, "queue")
    page.click(f"li[data-job='{first + 1}'] [data-do=up]")
    page.wait_for_function(
        "order => [...document.querySelectorAll('.jobs li')].map(one => Number(one.dataset.job)).join() === order",
        arg=",".join(map(str, order)),
    )
    for skipped in (first + 2, first + 3, first + 4):
        page.click(f"li[data-job='{skipped}'] [data-do=skip]")
        page.wait_for_selector(f"li[data-job='{skipped}']", state="detached")
    page.click("[data-do=resume-all]")
    go(page, "create")
    page.wait_for_function(STOP_OR_OVER, arg=[first + 1, first])
    finish(page, first)
    states = {job["id"]: job["status"] for job in jobs(page, server)}
    # It stopped after its first section, unless that was over before the button was seen.
    assert states[first + 1] in ("stopped", "done")
    go(page, "history")
    page.click(f"article[data-job='{first + 2}'] [data-do=resume]")
    page.wait_for_selector(f"article[data-job='{first + 2}'] .state.done")


def test_a_series_from_pictures_of_which_one_is_changed(
    page: Page, server: Server, pictures: list[Path], tmp_path: Path
) -> None:
    text = tmp_path / pictures[1].with_suffix(".txt").name
    text.write_text("its own text", encoding="utf-8")
    opened(page, server.address, "ja")
    page.request.post(f"{server.address}/api/v1/queue/hold")
    prepare(page, pictures[0])
    fill(page, "option-prompt", "the common text")
    page.click("[data-fold=batch]")
    page.set_input_files("#batch-files input[type=file]", [pictures[1], text, pictures[2]])
    page.wait_for_function("document.querySelectorAll('#batch-files .file').length === 3")
    first = start(page, server, count=2)
    made = {job["id"]: job for job in jobs(page, server)}
    assert [made[k]["request"]["prompt"] for k in (first, first + 1)] == ["the common text", "its own text"]  # b, g
    go(page, "queue")
    page.click(f"li[data-job='{first}'] [data-edit]")
    page.wait_for_function("job => document.querySelector('#start').textContent.includes(`#${job}`)", arg=first)
    page.wait_for_function("document.querySelector('#option-prompt textarea').value === 'the common text'")
    fill(page, "option-prompt", "another text")
    page.click("#start")
    page.wait_for_function("!document.querySelector('#start').textContent.includes('#')")
    changed = {job["id"]: job for job in jobs(page, server)}
    assert list(changed) == list(made)
    assert changed[first]["request"]["prompt"] == "another text"
    assert changed[first]["status"] == "waiting"
    page.request.post(f"{server.address}/api/v1/queue/resume")
    finish(page, first + 1)


def test_a_folder_of_eichi_is_taken_over_and_the_log_is_there(page: Page, server: Server, tmp_path: Path) -> None:
    old = tmp_path / "webui" / "presets" / "prompt_presets.json"
    old.parent.mkdir(parents=True)
    presets = [{"name": "mine", "prompt": "A character walks.", "is_default": False}]
    old.write_text(json.dumps({"presets": presets}), encoding="utf-8")
    opened(page, server.address, "zh-TW")
    go(page, "settings")
    page.fill("#import", str(tmp_path / "nothing"))
    page.click("[data-import] button")
    page.wait_for_selector(".eichi-toast")
    page.fill("#import", str(tmp_path))
    page.click("[data-import] button")
    page.wait_for_selector("[data-report] li:has-text('mine')")
    with page.context.expect_page() as log:
        page.click("a[href='/api/v1/log']")
    assert "page.log" in log.value.inner_text("body")


def test_reload_two_tabs_and_a_server_that_is_killed(
    browser: Browser, page: Page, tmp_path: Path, pictures: list[Path]
) -> None:
    with serving(tmp_path) as server:
        opened(page, server.address, "en")
        prepare(page, pictures[0], "4.8", 4)
        job = start(page, server)
        page.wait_for_selector(f".stage[data-job='{job}'][data-status=running] .mini .now")
        page.reload()
        page.wait_for_selector(f".stage[data-job='{job}']")
        other = opened(page.context.new_page(), server.address, "ru")
        other.wait_for_selector(f".stage[data-job='{job}']")
        server.kill()
        page.wait_for_selector("#connection:not([hidden])")
        server.start()
        page.wait_for_selector("#plan .line")
        finish(page, job)
        finish(other, job)
        assert page.input_value("#option-seconds input") != ""


def test_a_result_is_dropped_and_run_with_another_seed(page: Page, server: Server, pictures: list[Path]) -> None:
    opened(page, server.address, "ja")
    prepare(page, pictures[2])
    fill(page, "option-prompt", "dropped")
    fill(page, "option-seed", "7")
    finish(page, start(page, server))
    result = jobs(page, server)[-1]["result"]
    fill(page, "option-prompt", "")
    # A file is dropped on the page, beside all controls.
    page.evaluate(
        """async ([address, name]) => {
          const content = await (await fetch(address)).blob();
          const data = new DataTransfer();
          data.items.add(new File([content], name, {type: "video/mp4"}));
          document.querySelector("header").dispatchEvent(
            new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        [f"/api/v1/files/{Path(result['video']).name}", Path(result["video"]).name],
    )
    page.wait_for_function("document.querySelector('#option-prompt textarea').value === 'dropped'")
    fill(page, "option-seed", "8")
    finish(page, start(page, server))
    one, other = jobs(page, server)[-2:]
    assert (one["request"]["seed"], other["request"]["seed"]) == (7, 8)
    # A file says the size that was chosen for it.
    assert {**one["request"], "seed": 8, "resolution": 64} == other["request"]


def test_what_is_kept(page: Page, server: Server, pictures: list[Path], tmp_path: Path) -> None:
    opened(page, server.address, "ru")
    prepare(page, pictures[0])
    # A prompt preset, a favourite: saved, changed, chosen.
    fill(page, "option-prompt", "the ball rolls")
    page.click("[data-fold=presets]")
    fill(page, "preset-name", "rolling")
    page.click("#preset-save")
    page.wait_for_function("document.querySelector('#preset input').value === 'rolling'")
    page.click("[data-fold=favourites]")
    fill(page, "favourite-name", "short")
    page.click("#favourite-save")
    page.wait_for_function("document.querySelector('#favourite input').value === 'short'")
    fill(page, "favourite-name", "very short")
    page.click("#favourite-rename")
    page.wait_for_function("document.querySelector('#favourite input').value === 'very short'")
    # A ZIP as eichi 1.9 makes it.
    archive = tmp_path / "sections.zip"
    info = [{"section": 0, "prompt": "end"}, {"section": 1, "prompt": "start", "image": "001.png"}]
    with zipfile.ZipFile(archive, "w") as file:
        told = {
            "default_prompt": "from a ZIP",
            "section_info": info,
            "video_settings": {"video_length": 2, "resolution": 640},
        }
        file.writestr("sections/sections.yaml", yaml.safe_dump(told))
        file.write(pictures[1], "sections/001.png")
    page.set_input_files("input[type=file]:has(+ #take)", archive)
    page.wait_for_function("document.querySelector('#option-prompt textarea').value === 'from a ZIP'")
    page.wait_for_selector("[data-section='1'].own")
    page.click("#favourite input")
    page.click("[role=option]:has-text('very short')")
    page.wait_for_function("document.querySelector('#option-prompt textarea').value === 'the ball rolls'")
    # A LoRA file is given, chosen, kept as a preset and chosen by it.
    go(page, "loras")
    page.set_input_files("[data-upload-lora]", EXAMPLE)
    page.check(".loras .files .tick input")
    page.click("[data-slot-save='1']")
    page.wait_for_selector("[data-slot-load='1']:enabled")
    page.uncheck(".loras .files .tick input")
    page.click("[data-slot-load='1']")
    page.wait_for_selector(".loras .files .tick input:checked")
    go(page, "create")
    job = start(page, server)
    finish(page, job)
    (lora,) = jobs(page, server)[-1]["request"]["weights"]["loras"]
    assert Path(lora["file"]).name == EXAMPLE.name


def test_the_tools_on_latents(page: Page, server: Server, pictures: list[Path]) -> None:
    opened(page, server.address, "zh-TW")
    prepare(page, pictures[0])
    page.locator("details:has([name='output.latents']) > summary").click()
    page.check("[name='output.latents']")
    page.wait_for_function("document.querySelector('[data-group=output] .set').textContent !== ''")
    finish(page, start(page, server))
    go(page, "latents")
    page.check("[data-kind=latents]")
    fill_form = page.locator("form[data-tool=trim]")
    fill_form.locator("[name=end]").fill("2")
    fill_form.locator("button").click()
    page.wait_for_selector(".run a[href$='_trimmed.safetensors']")
    page.wait_for_selector("[data-file$='_trimmed.safetensors']")
    page.check("[data-file$='_trimmed.safetensors']")
    page.click("form[data-tool=to-mp4] button")
    page.wait_for_selector(".run a[href$='_decoded.mp4']")
    # A longer video that keeps what is there is a job; so is one whose options name a latent file.
    page.check("[data-kind=latents]:not([data-file$='_trimmed.safetensors'])")
    page.locator("form[data-tool=extend] [name=seconds]").fill("2")
    with page.expect_response("**/latents/extend") as answer:
        page.click("form[data-tool=extend] button")
    made = answer.value.json()
    file = Path(made["request"]["kept"]["latents"])
    assert (answer.value.status, made["request"]["seconds"]) == (201, 2)
    go(page, "create")
    finish(page, made["id"])
    page.locator("details:has([name='kept.latents']) > summary").click()
    page.wait_for_selector(f"[name='kept.latents'] option:has-text('{file.name}')", state="attached")
    values = page.eval_on_selector_all("[name='kept.latents'] option", "all => all.map(one => one.value)")
    assert str(file) in values


@pytest.mark.parametrize("language", [code for code in words.languages() if code != words.ENGLISH])
def test_a_language_is_all_of_the_page(page: Page, server: Server, language: str) -> None:
    own, english = words.table(language), words.table(words.ENGLISH)
    others = {text for id, text in english.items() if own[id] != text} | GRADIOS_OWN
    others -= {english["page.language"]}  # stands in the choice of languages
    opened(page, server.address, "en")
    page.click(f"header a[lang='{language}']")
    page.wait_for_url(f"**/{language}/")
    opened(page, server.address, language)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    for place in PLACES:
        go(page, place)
        page.wait_for_selector(f"[role=tab][aria-selected=true]:text-is('{own[f'place.{place}']}')")
        lines = {line.strip() for line in page.inner_text("body").splitlines()}
        assert lines & others == set()
        assert lines & own.keys() == set()
    # It stays chosen.
    page.goto(f"{server.address}/")
    page.wait_for_url(f"**/{language}/")
