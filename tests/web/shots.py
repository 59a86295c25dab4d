"""Pictures of every place in every language: `python -m tests.web.shots FOLDER`."""

import os
import sys
import tempfile
from pathlib import Path

from eichi.library.favourites import Favourites
from eichi.options import VideoOptions
from eichi.words import languages
from tests.web.browser import PLACES, browsing, free_port, go, opened, serving

SIZES = {"wide": (1440, 900), "narrow": (390, 844)}
DEMO = Path(__file__).parents[2] / "src" / "eichi" / "demo" / "picture.jpg"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        os.environ["EICHI_HOME"] = work
        keys = {"sections": {0: DEMO, 1: DEMO}, "copies": True, "prompts": {2: "The camera moves closer."}}
        values = {"image": DEMO, "prompt": "The cup is lifted from the saucer.", "seconds": 6, "keyframes": keys}
        Favourites(Path(work), lambda note: None).remember(VideoOptions.parse(values))
        with serving(Path(work), free_port()) as address, browsing() as browser:
            for language in languages():
                for size, (width, height) in SIZES.items():
                    page = opened(browser.new_page(viewport={"width": width, "height": height}), address, language)
                    page.wait_for_selector("[data-section]")
                    for place in PLACES:
                        go(page, place)
                        page.wait_for_timeout(1500)
                        path = folder / f"{place}-{language}-{size}.jpg"
                        page.screenshot(path=path, type="jpeg", quality=60)
                    page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
