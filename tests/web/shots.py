"""Screenshots of every place in every language: `python -m tests.web.shots FOLDER [LANGUAGE …]`.

Small WebP files; a job is made first, so that there is something to see.
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

from eichi.library.favourites import Favourites
from eichi.options import VideoOptions
from eichi.words import languages
from tests.web.browser import PLACES, browsing, go, opened, serving

SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
DEMO = Path(__file__).parents[2] / "src" / "eichi" / "demo" / "picture.jpg"
QUALITY = 78
# Whether two signs look the same: they do as the boxes that stand for what no font has.
BOXES = """() => {
  const drawn = sign => {
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillText(sign, 0, 20);
    return canvas.toDataURL();
  };
  return drawn("日") === drawn("本");
}"""


def main(folder: Path, wanted: tuple[str, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        keys = {"sections": {0: DEMO, 1: DEMO}, "copies": True, "prompts": {2: "The camera moves closer."}}
        values = {
            "image": DEMO,
            "prompt": "The cup is lifted from the saucer.",
            "seconds": 6,
            "keyframes": keys,
            "seed": 7,
        }
        values |= {"sampling": {"steps": 10}, "output": {"latents": True}}
        Favourites(Path(work) / "home", lambda note: None).remember(VideoOptions.parse(values))
        with serving(Path(work)) as server, browsing() as browser:
            first = opened(browser.new_page(viewport={"width": 1440, "height": 900}), server.address, "en")
            if first.evaluate(BOXES):
                raise SystemExit("This machine has no font with Japanese signs.")
            first.click("#start")
            first.wait_for_selector(".stage[data-status=done] video")
            first.request.post(f"{server.address}/api/v1/queue/hold")
            for _ in range(3):
                first.request.post(f"{server.address}/api/v1/jobs/1/clone")
            first.close()
            for language in wanted:
                for size, (width, height) in SIZES.items():
                    viewport = browser.new_page(viewport={"width": width, "height": height})
                    page = opened(viewport, server.address, language)
                    page.wait_for_selector("[data-section]")
                    for place in PLACES:
                        go(page, place)
                        page.wait_for_timeout(900)
                        save(page.screenshot(), folder / f"{place}-{language}-{size}.webp")
                    page.close()
            dark = opened(browser.new_page(color_scheme="dark"), server.address, wanted[0])
            dark.set_viewport_size({"width": 1440, "height": 900})
            for place in PLACES:
                go(dark, place)
                dark.wait_for_timeout(900)
                save(dark.screenshot(), folder / f"{place}-dark.webp")


def save(content: bytes, path: Path) -> None:
    """A screenshot as a small file."""
    Image.open(io.BytesIO(content)).convert("RGB").save(path, quality=QUALITY, method=6)


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(sys.argv[2:]) or languages())
