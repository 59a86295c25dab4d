"""Screenshots of every place, empty, full and while a job runs: `python -m tests.web.shots FOLDER [--all]`.

Every language, two sizes and both colour schemes are many; without `--all` those are made that stand in the documents:
of every place a wide one in each language, of which a reader sees their own, a dark narrow one and what is shown where
nothing is, of those where a job is followed, that, and of a grid how it is asked for and what comes of it. Small WebP
files; what else lies in the folder under such names goes away.
"""

import argparse
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from eichi.words import say
from tests.web.browser import PLACES, Server, await_done, begin_with, browsing, give, go, job, opened, serving

SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
STATES = ("empty", "full", "grid", "running")
FOLLOWED = ("create", "queue")
GRIDS = ("create", "history")
AXES = {"sampling.steps": "2, 4, 8", "replace": "lifted, turned"}
LANGUAGES = ("en", "ja", "zh-TW", "ru")
DEMO = Path(__file__).parents[2] / "src" / "eichi" / "demo"
QUALITY = 72
MOST = 6_000_000  # bytes of all that stand in the documents
PROMPT = "The cup is lifted from the saucer, steam rises in the morning light."
# Whether two signs look the same: they do as the boxes that stand for what no font has.
BOXES = """() => {
  const drawn = sign => {
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillText(sign, 0, 20);
    return canvas.toDataURL();
  };
  return drawn("日") === drawn("本");
}"""
LOADED = "node => node.readyState || new Promise((done, no) => { node.onloadeddata = done; node.onerror = no; })"
# Pictures that are in sight are there.
SETTLED = """async () => {
  const seen = (one) => one.getBoundingClientRect().top < innerHeight && one.getClientRects().length;
  await Promise.all([...document.images].filter(seen).map((one) => one.decode().catch(() => null)));
  await new Promise((done) => setTimeout(done, 400));
}"""


@dataclass(frozen=True)
class Shot:
    """One screenshot."""

    place: str
    state: str
    language: str
    size: str
    scheme: str

    @property
    def name(self) -> str:
        said = [self.place, self.language, self.size, *(["dark"] if self.scheme == "dark" else [])]
        return "-".join([*said, *([] if self.state == "full" else [self.state])]) + ".webp"


def wanted(everything: bool) -> list[Shot]:
    """What is made, in the order in which a machine comes to it."""
    made = (Shot(place, *rest) for *rest, place in product(STATES, LANGUAGES, SIZES, ("light", "dark"), PLACES))
    return [shot for shot in made if documented(shot) or (everything and (shot.state != "grid" or shot.place in GRIDS))]


def documented(shot: Shot) -> bool:
    """Whether a screenshot stands in the documents; every place has another language there."""
    own = LANGUAGES[1 + PLACES.index(shot.place) % 3]
    rest = shot.language, shot.size, shot.scheme
    if shot.state == "empty":
        return rest == (LANGUAGES[1 + (PLACES.index(shot.place) + 1) % 3], "narrow", "light")
    if shot.state == "grid":
        return shot.place in GRIDS and rest[1:] == ("wide", "light")
    if shot.state == "running":
        return shot.place in FOLLOWED and rest in (("en", "wide", "dark"), (own, "narrow", "light"))
    return rest[1:] == ("wide", "light") or rest == ("en", "narrow", "dark")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="every language, size and scheme of every place")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    shots = wanted(arguments.all)
    with tempfile.TemporaryDirectory() as work, serving(Path(work)) as server, browsing() as browser:
        drafts: dict[str, dict[str, Any]] = {}
        for state in STATES:
            if state == "full":
                drafts = fill(browser, server)
            elif state == "grid":
                for side, (key, values) in zip("xy", AXES.items(), strict=True):
                    drafts["video"] |= {f"page.batch.{side}": key, f"page.batch.{side}_values": values}
            elif state == "running":
                drafts["video"] = drafts.pop("running")
                run(browser, server, drafts["video"])
            for seen in visits([shot for shot in shots if shot.state == state]):
                take(browser, server, seen, drafts, folder)
    for path in set(folder.glob("*.webp")) - {folder / shot.name for shot in shots}:
        path.unlink()
    size = sum((folder / shot.name).stat().st_size for shot in shots)
    if not arguments.all and size > MOST:
        raise SystemExit(f"{size} bytes are more than {MOST}.")


def visits(shots: list[Shot]) -> Iterator[list[Shot]]:
    """Screenshots that one browser makes on its way."""
    ways: dict[tuple[str, str, str], list[Shot]] = {}
    for shot in shots:
        ways.setdefault((shot.language, shot.size, shot.scheme), []).append(shot)
    yield from ways.values()


def take(browser: Browser, server: Server, shots: list[Shot], drafts: dict[str, Any], folder: Path) -> None:
    """Make the screenshots of one language, size and scheme."""
    first = shots[0]
    width, height = SIZES[first.size]
    scheme: Any = first.scheme
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    for kind, values in drafts.items():
        begin_with(page, values, kind)
    opened(page, server.address, first.language)
    if page.evaluate(BOXES):
        raise SystemExit("This machine has no font with Japanese signs.")
    for shot in shots:
        go(page, shot.place)
        if shot.place == "create":
            page.wait_for_selector("#plan[data-planned]")
        if shot.place == "finish" and shot.state == "full":
            page.locator("#look").click()
            page.wait_for_selector("#glimpse:not([hidden])")
        if shot.state == "grid":
            grid(page, shot)
        page.evaluate(SETTLED)
        save(page.screenshot(), folder / shot.name)
    context.close()


def grid(page: Page, shot: Shot) -> None:
    """Go to where a grid is asked for, or to what came of one."""
    if shot.place == "create":
        page.locator("details[data-group=batch] > summary").click()
        page.locator("fieldset.axes").scroll_into_view_if_needed()
    elif shot.place == "history":
        page.locator("#gallery .look").first.click()
        page.locator("dialog").get_by_role("button", name=say("do.more", shot.language), exact=True).click()
        page.get_by_role("menuitem", name=say("do.grid", shot.language)).click()
        page.locator("dialog[open]").last.locator("video").evaluate(LOADED)


def fill(browser: Browser, server: Server) -> dict[str, dict[str, Any]]:
    """Let a machine have results, latents, LoRA files and a queue that is held; what a draft of each kind says."""
    page, at = browser.new_page(), server.address
    image, other = give(page, at, DEMO / "picture.jpg"), give(page, at, half(server.home))
    lora: Any = {"name": "blueprint.safetensors", "mimeType": "application/octet-stream"}
    lora["buffer"] = (DEMO / "blueprint.safetensors").read_bytes()
    page.request.post(f"{at}/api/v1/loras", multipart={"file": lora})
    keys = {"sections": {"0": other, "1": image}, "prompts": {"1": "The camera moves closer."}}
    rich: dict[str, Any] = {"prompt": PROMPT, "seconds": 4, "keyframes": keys, "output": {"latents": True}}
    for seed, options in enumerate(({"prompt": "Steam rises."}, rich, {"prompt": "The light fades."})):
        await_done(page, at, job(page, at, image, seed=seed, sampling={"steps": 6}, **options))
    axes = [{"key": key, "values": values} for key, values in AXES.items()]
    short = {"image": image, "prompt": PROMPT, "seconds": 1, "seed": 7}
    asked = {"options": short, "batch": {"axes": axes}}
    for number in page.request.post(f"{at}/api/v1/jobs/batch", data=asked).json()["jobs"]:
        await_done(page, at, number)
    page.request.post(f"{at}/api/v1/queue/hold")
    long = rich | {
        "seconds": 40,
        "seed": 7,
        "sampling": {"steps": 100, "teacache": False},
    }  # while all the rest is done
    job(page, at, image, **long)
    for seed in range(3):
        job(page, at, (image, other)[seed % 2], seed=seed, prompt=PROMPT, seconds=5 + seed)
    result = page.request.get(f"{at}/api/v1/jobs?id=2&limit=1").json()["rows"][0]["video"]
    finish: dict[str, Any] = {
        "video": f"job:2/{result.partition('?')[0].rpartition('/')[2]}",
        "finish.upscale": "compact2x",
    }
    page.close()
    video = rich | {"seconds": 6, "seed": 7, "keyframes": keys | {"copies": True}, "sampling": {"steps": 10}}
    frame = {"image": image, "prompt": "The same cup from above.", "seed": 7}
    finish |= {"finish.grain": 0.2, "finish.vignette": 0.3}
    return {"video": flat(image, video), "running": flat(image, long), "frame": frame, "finish": finish}


def flat(image: str, nested: dict[str, Any]) -> dict[str, Any]:
    """Options as a draft has them."""
    grouped = {name: value if isinstance(value, dict) else None for name, value in nested.items()}
    plain = {name: value for name, value in nested.items() if grouped[name] is None}
    rest = {f"{name}.{key}": value for name, group in grouped.items() for key, value in (group or {}).items()}
    return {"image": image} | plain | rest


def half(folder: Path) -> Path:
    """Another picture: a part of the one that comes with the program."""
    path = folder / "part.png"
    with Image.open(DEMO / "picture.jpg") as picture:
        width, height = picture.size
        picture.crop((width // 4, height // 4, width * 3 // 4, height * 3 // 4)).resize(picture.size).save(path)
    return path


def run(browser: Browser, server: Server, draft: dict[str, Any]) -> None:
    """Let the workers go on, and wait until some of the first job is made."""
    page = browser.new_page()
    begin_with(page, draft)
    opened(page, server.address, "en")
    page.request.post(f"{server.address}/api/v1/queue/resume")
    page.wait_for_selector("time-line .section[data-state=done]")
    page.close()


def save(content: bytes, path: Path) -> None:
    """A screenshot as a small file."""
    Image.open(io.BytesIO(content)).convert("RGB").save(path, quality=QUALITY, method=6)


if __name__ == "__main__":
    main()
