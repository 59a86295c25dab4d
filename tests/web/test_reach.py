"""Nobody is kept out of the page: axe finds nothing serious in any place, in light and in dark."""

from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from axe_playwright_python.sync_playwright import Axe

from eichi.library.favourites import Favourites
from eichi.options import VideoOptions
from tests.web.browser import PLACES, browsing, chromium, go, opened, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="there is no Chromium on this machine"),
]
SERIOUS = ("serious", "critical")
OPEN = """() => {
  document.querySelectorAll("details").forEach(one => { one.open = true; });
  document.querySelectorAll("[data-fold][aria-expanded=false]").forEach(one => one.click());
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_found(tmp_path: Path, picture: Path, scheme: str) -> None:
    keys = {"sections": {0: picture, 1: picture}, "copies": True}
    last = VideoOptions.parse({"image": picture, "prompt": "a ball", "seconds": 6, "keyframes": keys})
    Favourites(tmp_path / "home", lambda note: None).remember(last)
    found = []
    with serving(tmp_path) as server, browsing() as browser:
        page = opened(browser.new_page(color_scheme=scheme), server.address, "ja")  # type: ignore[arg-type]
        page.wait_for_selector("[data-section]")
        page.evaluate(OPEN)
        for place in PLACES:
            go(page, place)
            page.wait_for_selector(".tabitem:visible")
            answer = Axe().run(page, options={"resultTypes": ["violations"]})
            found += [
                f"{place}: {one['id']} {node['target']}"
                for one in answer.response["violations"]
                if one["impact"] in SERIOUS
                for node in one["nodes"]
            ]
    assert found == [], "\n".join(found)
