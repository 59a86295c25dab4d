"""Nobody is kept out of the page: axe finds nothing serious in any place, in light and in dark."""

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from axe_playwright_python.sync_playwright import Axe
from PIL import Image

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


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose page comes up with a picture, key frames and copies."""
    folder = tmp_path_factory.mktemp("machine")
    picture = folder / "picture.png"
    Image.new("RGB", (96, 64), "red").save(picture)
    keys = {"sections": {0: picture, 1: picture}, "copies": True}
    last = VideoOptions.parse({"image": picture, "prompt": "a ball", "seconds": 6, "keyframes": keys})
    Favourites(folder / "home", lambda note: None).remember(last)
    with serving(folder) as server:
        yield server.address


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_found(address: str, scheme: str) -> None:
    found = []
    with browsing() as browser:
        page = opened(browser.new_page(color_scheme=scheme), address, "ja")  # type: ignore[arg-type]
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
