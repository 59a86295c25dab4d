"""Models, LoRA, Latents and Settings in a browser: fetched, given, chosen, joined, changed, and refused to others."""

import base64
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from eichi.catalog import ModelFolders, find
from eichi.models.download import download
from eichi.video.latentfile import Latents, save_latents
from eichi.words import say
from tests.hub import Fault, Hub, serve, use
from tests.machine import NO_BROWSER, chromium
from tests.published import STANDARD, repositories
from tests.web.browser import DROP, PATIENCE, Server, go, serving, visiting

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)]
expect.set_options(timeout=PATIENCE)
LAYER = "transformer.transformer_blocks.0.attn.to_q"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with serve(repositories()) as hub:
        yield hub


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Iterator[Server]:
    """A server that fetches from the hub of the tests, and was told on its start how much memory to leave."""
    asked = {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "EICHI_PRESERVE_GB": "8"}
    files = tmp_path_factory.mktemp("files")
    (files / "FramePack.safetensors").touch()
    asked["EICHI_COMFY"] = f"{files};{files / 'gone'}"
    with serving(tmp_path_factory.mktemp("machine"), **asked) as server:
        yield server


def lora(path: Path) -> Path:
    """A file that fits the embedded model."""
    pair = {f"{LAYER}.lora_A.weight": np.ones((1, 128)), f"{LAYER}.lora_B.weight": np.ones((128, 1))}
    save_file({name: values.astype(np.float32) for name, values in pair.items()}, path)
    return path


def latents(path: Path) -> Path:
    record = {"kind": "video", "model": "tiny", "request": {"prompt": "a ball"}}
    save_latents(path, Latents(np.zeros((1, 16, 10, 6, 10), dtype=np.float32), 0), record)
    return path


def test_where_parts_are_and_what_is_not_used(server: Server, browser: Browser, hub: Hub) -> None:
    """Without asking the server of models anything; when it does not answer, what is known is shown all the same."""
    with visiting(browser, server.address, "en", "models") as page:
        row = page.locator("#models > li").filter(has=page.get_by_role("heading", name="FramePack", exact=True))
        row.locator(".parts summary").click()
        expect(row.locator(".parts li").first).to_contain_text("to download, about 26 GB")
        expect(page.locator("#spare")).to_contain_text("FramePack.safetensors: the file is empty")
        expect(page.locator("#odd")).to_contain_text("gone: it does not exist")
        hub.faults[STANDARD] = [Fault(404)] * 9
        row.get_by_role("button", name=say("models.download"), exact=True).click()
        expect(page.locator("dialog .order")).to_contain_text("Tencent Hunyuan Community License")
        expect(page.locator("dialog .order .wrong")).to_contain_text("404")
        hub.faults.clear()
        page.get_by_role("button", name=say("do.close")).last.click()
        page.locator("#to-comfy").click()
        page.wait_for_selector("body[data-ready] main[data-place=settings]")
        expect(page.locator("#settings-setting-comfy")).to_be_focused()


def test_a_model_is_fetched_stopped_and_gone_on_with(server: Server, browser: Browser, hub: Hub) -> None:
    stall = threading.Event()
    hub.faults["diffusion-2.safetensors"] = [Fault(until=stall)]
    with visiting(browser, server.address, "ru", "models") as page:
        row = page.locator("#models > li").filter(has=page.get_by_role("heading", name="FramePack", exact=True))
        expect(row.locator(".how")).to_contain_text("Скачать: ")
        row.get_by_role("button", name=say("models.download", "ru"), exact=True).click()
        asked, begin = page.locator("dialog .order"), page.locator("dialog .primary")
        expect(asked).to_contain_text("Tencent Hunyuan Community License")
        expect(asked).to_contain_text("после загрузки")
        expect(asked.locator("details li").first).to_contain_text("diffusion")
        expect(begin).to_be_disabled()
        assert hub.fetched("diffusion-1.safetensors") == []
        page.get_by_label(say("models.agree", "ru")).check()
        begin.click()
        expect(row.locator(".bar")).to_be_visible()
        expect(row.locator(".bar")).not_to_have_attribute("aria-valuenow", "0")
        row.get_by_role("button", name=say("models.stop", "ru"), exact=True).click()
        expect(row.locator(".bar")).to_be_hidden()
        expect(row.locator(".how")).to_contain_text("Прервано: ")
        stall.set()
        row.get_by_role("button", name=say("models.resume", "ru")).click()
        expect(asked.locator("#agree")).to_have_count(0)  # asked once
        begin.click()
        expect(row.locator(".how")).to_have_text(say("models.here", "ru"))
        assert len(hub.fetched("diffusion-1.safetensors")) == 1
        row.get_by_role("button", name=say("models.use", "ru")).click()
        page.wait_for_selector("body[data-ready] main[data-place=create]")
        expect(page.locator("#video-model")).to_have_value("framepack")


def test_a_model_is_checked_made_good_and_deleted(
    server: Server, browser: Browser, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(hub, monkeypatch)
    models = server.home / "home" / "models"
    list(download(find("framepack"), ModelFolders(models)))
    damaged = models / STANDARD / "diffusion-1.safetensors"
    damaged.write_bytes(b"x")
    with visiting(browser, server.address, "ja", "models", viewport={"width": 390, "height": 844}) as page:
        row = page.locator("#models > li").filter(has=page.get_by_role("heading", name="FramePack", exact=True))

        def choose(id: str) -> None:
            row.locator(".more").click()
            page.get_by_role("menuitem", name=say(id, "ja")).click()

        choose("models.check")
        expect(row.locator(".wrong")).to_have_text(say("models.bad_files", "ja", files=damaged.name))
        row.get_by_role("button", name=say("models.mend", "ja")).click()
        expect(row.locator(".wrong")).to_be_hidden()
        expect(row.locator(".how")).to_have_text(say("models.here", "ja"))  # until then it is not all here
        choose("models.check")
        expect(row.locator(".how")).to_contain_text("問題なし")
        choose("models.remove")
        page.locator("dialog .danger").click()
        expect(row.locator(".how")).to_contain_text(say("models.fetch", "ja", size="", room="").split(":")[0])
        assert not damaged.exists()


def test_a_lora_is_given_chosen_weighed_and_kept_in_a_preset(server: Server, browser: Browser, tmp_path: Path) -> None:
    style = lora(tmp_path / "style.safetensors")
    with visiting(browser, server.address, "zh-TW", "loras") as page:
        expect(page.locator("#none")).to_have_text(say("loras.none", "zh-TW"))
        drop(page, "main", style)
        row = page.locator("#loras li").filter(has_text="style.safetensors")
        expect(row.locator("small")).to_contain_text("tiny")
        row.locator("input[type=checkbox]").check()
        figure, slider = row.locator("input[type=text]"), row.locator("input[type=range]")
        slider.fill("0.5")
        expect(figure).to_have_value("0.5")
        figure.press("ArrowUp")
        expect(figure).to_have_value("0.55")
        expect(slider).to_have_value("0.55")
        figure.press("ArrowDown")
        figure.press("ArrowDown")
        expect(figure).to_have_value("0.45")
        first = page.locator("#slots li").first
        first.get_by_role("button", name=say("loras.save", "zh-TW")).click()
        expect(first).to_contain_text("style.safetensors 0.45")
        row.locator("input[type=checkbox]").uncheck()
        expect(figure).to_be_hidden()
        first.get_by_role("button", name=say("loras.load", "zh-TW")).click()
        expect(figure).to_have_value("0.45")
        page.locator("#toasts .act").last.click()
        expect(figure).to_be_hidden()
        row.get_by_role("button", name=say("loras.report", "zh-TW")).click()
        expect(page.locator("dialog h2")).to_have_text("style.safetensors")
        expect(page.locator("dialog li")).not_to_have_count(0)


def test_an_odd_lora_file_says_why_beside_the_others(server: Server, browser: Browser, tmp_path: Path) -> None:
    folder = server.home / "home" / "loras"
    folder.mkdir(exist_ok=True)
    (folder / "odd.safetensors").write_bytes(b"\x80\x04.")
    lora(folder / "whole.safetensors")
    junk = tmp_path / "junk.safetensors"
    junk.write_bytes(b"no such thing")
    with visiting(browser, server.address, "en", "loras") as page:
        odd = page.locator("#loras li").filter(has_text="odd.safetensors")
        expect(odd.locator(".wrong")).to_contain_text("odd.safetensors is a pickle file")
        assert "`" not in page.locator(".advice").first.inner_text()
        whole = page.locator("#loras li").filter(has_text="whole.safetensors")
        expect(whole.locator(".wrong")).to_be_hidden()
        page.locator("#give input").set_input_files(junk)
        expect(page.locator("#refused")).to_contain_text("junk.safetensors")
        page.locator("#search").fill("WHOLE")
        expect(page.locator("#loras li")).to_have_count(1)


def test_latents_are_given_joined_and_extended_by_a_half(
    server: Server, browser: Browser, tmp_path: Path, picture: Path
) -> None:
    files = [latents(tmp_path / name) for name in ("one.safetensors", "two.safetensors")]
    with visiting(browser, server.address, "ru") as page:
        page.locator("picture-drop[name=image] input").set_input_files(picture)
        expect(page.locator("picture-drop[name=image].filled")).to_be_visible()  # the files do not say theirs
        go(page, "latents")
        page.request.post(f"{server.address}/api/v1/queue/hold")
        page.locator("#give input").set_input_files(files)
        rows = page.locator("#files li")
        expect(rows).to_have_count(2)
        form = page.locator("#tools form").nth(0)
        expect(form.locator("button")).to_be_disabled()
        expect(form.locator("p").first).to_have_text(say("latents.need_more", "ru"))
        for name in ("two.safetensors", "one.safetensors"):
            rows.filter(has_text=name).locator("input").check()
        expect(rows.filter(has_text="two.safetensors").locator(".turn")).to_have_text("1")
        form.locator("button").click()
        expect(page.locator("#runs li")).to_contain_text(say("status.done", "ru"))
        expect(rows).to_have_count(3)
        rows.filter(has_text="two.safetensors").locator("input").uncheck()
        extend = page.locator("#tools form").last
        extend.locator("[name=seconds]").fill("7,5")
        extend.locator("button").click()
        expect(page.locator("#toasts")).to_contain_text("1")
        waiting = page.request.get(f"{server.address}/api/v1/jobs").json()["jobs"][0]
        assert waiting["request"]["seconds"] == 7.5
        page.request.post(f"{server.address}/api/v1/queue/clear")
        page.request.post(f"{server.address}/api/v1/queue/resume")


def test_settings_are_changed_where_the_machine_is(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "ja", "settings", permissions=["notifications"]) as page:
        expect(page.locator("#settings-device option")).not_to_have_count(0)
        expect(page.locator("#locked")).to_contain_text(say("label.setting.preserve_gb", "ja"))
        page.locator("#settings-device").select_option("cpu")
        page.locator("#save").click()
        expect(page.locator("#toasts")).to_contain_text(say("setting.saved", "ja"))
        page.locator("#sound").check()
        page.locator("#notify").click()
        shown = page.evaluate("Notification.permission") == "granted"  # a browser without a window shows none
        page.reload()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("#settings-device")).to_have_value("cpu")
        expect(page.locator("#sound")).to_be_checked()
        expect(page.locator("#notify")).to_be_checked(checked=shown)
        page.locator("#settings-device").select_option("auto")
        page.locator("#save").click()
        expect(page.locator("#toasts")).to_contain_text(say("setting.saved", "ja"))


def test_what_is_wrong_with_settings_stands_at_every_field(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "ja", "settings") as page:
        expect(page.locator("#settings-device option")).not_to_have_count(0)
        page.locator("[name=mirror]").fill("ftp://x")
        page.locator("[name=quota]").fill("-1")
        page.locator("[name=lora_folders]").fill("/nowhere/loras")
        page.locator("#save").click()
        for name in ("mirror", "quota"):
            expect(page.locator(f"[name={name}]")).to_have_attribute("aria-invalid", "true")
            expect(page.locator(f'.field[data-key="{name}"] .wrong')).to_be_visible()
        expect(page.locator("#toasts .problem")).to_have_count(0)
        page.locator("[name=mirror]").fill("")
        page.locator("[name=quota]").fill("0")
        page.locator("#save").click()
        expect(page.locator("#toasts")).to_contain_text(say("setting.saved", "ja"))
        said = page.locator('.field[data-key="lora_folders"] .wrong')
        expect(said).to_contain_text("/nowhere/loras: ")  # it is saved, and comes to nothing for now
        expect(page.locator("[name=mirror]")).not_to_have_attribute("aria-invalid", "true")
        page.locator("[name=lora_folders]").fill("")
        page.locator("#save").click()
        expect(said).to_be_hidden()


def test_settings_that_are_not_saved_are_there_when_one_comes_back(server: Server, browser: Browser) -> None:
    with visiting(browser, server.address, "zh-TW", "settings") as page:
        expect(page.locator("#settings-device option")).not_to_have_count(0)
        mirror, token = page.locator("[name=mirror]"), page.locator("[name=token]")
        mirror.fill("https://mirror.example")
        token.fill("hf_abc")
        go(page, "models")
        go(page, "settings")
        expect(mirror).to_have_value("https://mirror.example")
        expect(token).to_have_value("")  # a secret is kept nowhere else
        expect(page.locator("#unsaved")).to_have_text(say("setting.unsaved", "zh-TW"))
        mirror.fill("")
        expect(page.locator("#unsaved")).to_be_hidden()


def test_who_comes_from_elsewhere_sees_no_settings_of_the_machine(server: Server, browser: Browser) -> None:
    between = {"X-Forwarded-For": "203.0.113.9"}
    with visiting(browser, server.address, "en", "settings", extra_http_headers=between) as page:
        expect(page.locator("#away")).to_be_visible()
        for hidden in ("#machine", "#old", "#folder"):
            expect(page.locator(hidden)).to_be_hidden()
        expect(page.locator("a[href='/api/v1/log']")).to_have_count(0)
        assert str(server.home) not in page.content()
        page.locator("#sound").check()


def test_another_language_keeps_what_is_typed(server: Server, browser: Browser) -> None:
    typed = {
        "create": ("#video-prompt", "half a wo"),
        "frame": ("#frame-prompt", "half a wo"),
        "history": ("[name=search]", "ball"),
        "loras": ("#search", "sty"),
        "latents": ("#tool-extend-seconds", "12"),
        "settings": ("#import-folder", "/old/ei"),
    }
    with visiting(browser, server.address, "en", "queue") as page:
        for place, (field, text) in typed.items():
            go(page, place)
            page.locator(field).fill(text)
            page.locator("#language").select_option("ru")
            page.wait_for_url(f"**/ru/{place}")
            expect(page.locator("nav a[aria-current]")).to_contain_text(say(f"place.{place}", "ru"))
            expect(page.locator(field)).to_have_value(text)
            page.locator("#language").select_option("en")
            page.wait_for_url(f"**/en/{place}")


def drop(page: Page, selector: str, path: Path) -> None:
    """A file from elsewhere falls on something."""
    content = base64.b64encode(path.read_bytes()).decode()
    page.locator(selector).evaluate(DROP, [path.name, content, ""])
