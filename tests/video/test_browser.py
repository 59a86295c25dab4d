"""What people watch with: a browser's <video> element plays a file to its end, at every quality, in the right colours.

The page reports to a server of the test's own on this machine. Skipped where there is no browser.
"""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from eichi.video.join import Around, Join
from eichi.video.writer import Writer
from tests.clips import clip

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTH, HEIGHT, COLOR = 64, 48, (200, 40, 40)
PATIENCE = 120  # seconds until a browser that says nothing counts as broken
PAGE = """<video muted src="v.mp4"></video><script>
const video = document.querySelector("video"), canvas = document.createElement("canvas")
const tell = values => fetch("/told?" + encodeURIComponent(JSON.stringify(values)))
video.onerror = () => tell({error: video.error.message})
video.onended = () => {
  const pen = canvas.getContext("2d")
  pen.drawImage(video, 0, 0)
  tell({
    ended: video.currentTime, duration: video.duration, size: [video.videoWidth, video.videoHeight],
    frames: video.getVideoPlaybackQuality().totalVideoFrames, color: [...pen.getImageData(32, 24, 1, 1).data],
  })
}
video.play()
</script>"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")]


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; what the page tells goes to a queue."""

    def __init__(self, *given: Any, told: "Queue[dict[str, Any]]", **rest: Any) -> None:
        self.told = told
        super().__init__(*given, **rest)

    def do_GET(self) -> None:
        if self.path.startswith("/told?"):
            self.told.put(json.loads(unquote(self.path.removeprefix("/told?"))))
            self.send_error(204)
        else:
            super().do_GET()

    def log_message(self, format: str, *values: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, "Queue[dict[str, Any]]"]]:
    """The address of the test's folder, and what pages tell."""
    told: Queue[dict[str, Any]] = Queue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, told=told, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", told
    server.shutdown()
    server.server_close()
    thread.join()


def watch(folder: Path, server: tuple[str, "Queue[dict[str, Any]]"]) -> dict[str, Any]:
    """What the page tells of `v.mp4`."""
    address, told = server
    (folder / "page.html").write_text(PAGE, encoding="utf-8")
    assert BROWSER is not None
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
    words = [BROWSER, *flags, f"--user-data-dir={folder / 'profile'}", f"{address}/page.html"]
    browser = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return told.get(timeout=PATIENCE)
    finally:
        browser.kill()
        browser.wait()


@pytest.mark.parametrize("crf", [0, 16, 100])
def test_plays_to_the_end(tmp_path: Path, server: tuple[str, "Queue[dict[str, Any]]"], crf: int) -> None:
    with Writer(tmp_path / "v.mp4", WIDTH, HEIGHT, crf) as writer:
        for first, count in ((25, 12), (13, 12), (0, 13)):
            writer.add(first, np.broadcast_to(np.array(COLOR, dtype=np.uint8), (count, HEIGHT, WIDTH, 3)))
        writer.publish({})
    seen = watch(tmp_path, server)
    assert "error" not in seen, seen
    assert seen["ended"] == seen["duration"] == pytest.approx(37 / 30, abs=1e-3)
    assert (seen["size"], seen["frames"]) == ([WIDTH, HEIGHT], 37)
    assert seen["color"][:3] == pytest.approx(COLOR, abs=6)


@pytest.mark.parametrize(
    "made", [{"options": {"bf": "4", "refs": "5"}, "turn": 90}, {"options": {"profile": "baseline"}}]
)
def test_both_halves_of_a_joined_video_play(
    tmp_path: Path, server: tuple[str, "Queue[dict[str, Any]]"], made: dict[str, Any]
) -> None:
    """One track with the parameter sets of two encoders, and a sound that ends before the picture."""
    given = clip(tmp_path / "given.mp4", 24, 24, sound="aac", **made)
    plan = Join(Around(before=given), 30, (WIDTH, HEIGHT))
    with Writer(tmp_path / "new.mp4", WIDTH, HEIGHT, 16, form=plan.form) as writer:
        writer.add(0, np.broadcast_to(np.array(COLOR, dtype=np.uint8), (24, HEIGHT, WIDTH, 3)))
        plan.write(tmp_path, dict(enumerate(writer.segments.values())), tmp_path / "v.mp4", {})
    seen = watch(tmp_path, server)
    assert "error" not in seen, seen
    assert seen["ended"] == seen["duration"] == pytest.approx(2, abs=1e-2)
    assert seen["frames"] == 48
    assert seen["color"][:3] == pytest.approx(COLOR, abs=8)
