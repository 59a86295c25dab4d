"""A telephone: every place with something in it fits its width, and what is pressed is large enough for a finger."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from eichi.video.latentfile import Latents, save_latents
from eichi.words import say
from tests.machine import NO_BROWSER, chromium
from tests.pictures import save_small
from tests.web.browser import (
    PATIENCE,
    PLACES,
    Server,
    await_done,
    begin_with,
    give,
    go,
    job,
    opened,
    serving,
    visiting,
)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason=NO_BROWSER)]
expect.set_options(timeout=PATIENCE)
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
FINGER = 40
# What is seen, is no link in a line of text, and is smaller than a finger. A tick or a file may lie in a large label.
SMALL = """(least) => {
  const found = [];
  const seen = (node) => node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  for (const node of document.querySelectorAll("button, select, textarea, summary, nav a, a.button, input")) {
    if (!seen(node) || node.disabled || node.matches(".unseen, .link, .skip, [aria-hidden=true]")) continue;
    const tick = node.matches("[type=checkbox], [type=radio]");
    const label = tick ? (node.closest("label") ?? node.labels?.[0]) : null;
    const boxes = [node, label].filter(Boolean).map((one) => one.getBoundingClientRect());
    if (boxes.some((box) => box.width >= least - 0.5 && box.height >= least - 0.5)) continue;
    const box = boxes[0];
    if (!box.width) continue;
    const name = node.id || node.className || node.name || node.textContent.trim().slice(0, 20);
    found.push(`${node.tagName.toLowerCase()} ${name} ${Math.round(box.width)}x${Math.round(box.height)}`);
  }
  return found;
}"""
WIDER = """() => [...document.querySelectorAll("main *")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width && box.right > innerWidth + 1 && !one.closest(".scroll, .track, .strip, .unseen, .cells");
}).map((one) => `${one.tagName} ${one.id || one.className}`)"""
LONG = "Ein sehr langer Satz ohne Ende, oderaucheinwortdasniemalsaufhörtundüberallhinausragt" * 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[tuple[Server, str]]:
    """A server with something in every place, and the id of a picture."""
    folder = tmp_path_factory.mktemp("machine")
    picture = folder / "ball.png"
    save_small(picture)
    with serving(folder) as server:
        loras, outputs = server.home / "home" / "loras", server.home / "outputs"
        for path in (loras, outputs):
            path.mkdir(exist_ok=True)
        layer = "transformer.transformer_blocks.0.attn.to_q"
        pair = {f"{layer}.lora_A.weight": np.ones((1, 128)), f"{layer}.lora_B.weight": np.ones((128, 1))}
        values = {name: one.astype(np.float32) for name, one in pair.items()}
        save_file(values, loras / f"{'long_name_' * 9}.safetensors")
        (loras / "odd.safetensors").write_bytes(b"no")
        for name in ("a", "long_name_" * 9):
            record: dict[str, Any] = {"kind": "video", "model": "tiny", "request": {}}
            save_latents(outputs / f"{name}.safetensors", Latents(np.zeros((1, 16, 9, 6, 10), np.float32), 0), record)
        page = browser.new_page()
        id = give(page, server.address, picture)
        await_done(page, server.address, job(page, server.address, id, prompt=LONG, seconds=2))
        page.request.post(f"{server.address}/api/v1/queue/hold")
        for _ in range(2):
            job(page, server.address, id, prompt=LONG)
        page.close()
        yield server, id


def test_every_place_fits_a_telephone(server: tuple[Server, str], browser: Browser) -> None:
    """In the language with the longest words."""
    (machine, id), wrong = server, []
    context = browser.new_context(**PHONE)
    page = context.new_page()
    lora = page.request.get(f"{machine.address}/api/v1/loras").json()["files"][0]["id"]
    loras = {"weights.loras": [{"file": lora, "strength": 0.8}]}
    keys = {"keyframes.sections": {"0": id, "1": id, "9": id}, "keyframes.prompts": {"0": LONG}, "keyframes.final": id}
    begin_with(page, {"image": id, "prompt": LONG, "seconds": 6, "sampling.cfg": 2, **keys, **loras})
    begin_with(page, {"image": id, "prompt": LONG, "references": [{"image": id}] * 2, **loras}, "frame")
    opened(page, machine.address, "ru")
    for place in PLACES:
        go(page, place)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        settle(page, place)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        wrong += [f"{place}: {wide} px too wide: {page.evaluate(WIDER)}"] if wide > 0 else []
        wrong += [f"{place}: {one}" for one in page.evaluate(SMALL, FINGER)]
    context.close()
    assert wrong == [], "\n".join(wrong)


def settle(page: Page, place: str) -> None:
    """Wait for what a place has in it."""
    content = {
        "create": "time-line .section",
        "frame": "#references li",
        "finish": "#form .field",
        "queue": "#jobs li",
        "history": "#gallery li",
        "loras": "#loras li",
        "latents": "#files li",
        "models": "#models li",
        "settings": "#settings-device option",
    }
    expect(page.locator(content[place])).not_to_have_count(0)


def test_menus_and_dialogs_open_by_a_tap(server: tuple[Server, str], browser: Browser) -> None:
    machine, _ = server
    with visiting(browser, machine.address, "zh-TW", "history", **PHONE) as page:
        page.locator("#gallery .acts-row button").last.tap()
        menu = page.get_by_role("menu")
        expect(menu).to_be_visible()
        assert page.evaluate(SMALL, FINGER) == []
        page.get_by_role("menuitem", name=say("result.as_section", "zh-TW")).tap()
        expect(page.locator("dialog form")).to_be_visible()
        assert page.evaluate(SMALL, FINGER) == []
        page.locator("dialog header button").tap()
        page.locator("#gallery .look").first.tap()
        expect(page.locator("dialog clip-viewer")).to_be_visible()
        assert page.evaluate(SMALL, FINGER) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator("dialog header button").tap()
        page.locator("#drafts").tap()
        expect(page.locator("dialog")).to_be_visible()
