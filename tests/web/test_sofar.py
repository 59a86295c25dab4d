"""What a running job shows, asked for while it is written: every answer is as long as it says, and none is a crash."""

import asyncio
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eichi.jobs.schema import Job
from eichi.options import VideoOptions
from eichi.video.jobfolder import JobFolder
from eichi.video.writer import Writer
from eichi.web.api import files
from eichi.web.app import make_app
from eichi.web.desk import Desk
from tests.web.conftest import running

Message = MutableMapping[str, Any]


@pytest.fixture
def job(desk: Desk, video: VideoOptions, tmp_path: Path) -> Job:
    row = running(desk, desk.start([video])[0])
    folder = tmp_path / ".x.parts"
    folder.mkdir()
    return desk.store.record(row, checkpoint=str(folder))


def segment(job: Job, first: int, frames: int = 4) -> None:
    """A part of the job's video that is finished."""
    folder = Path(str(job.checkpoint))
    Writer(folder.parent / "x.mp4", 80, 48, 16, folder).add(first, np.full((frames, 48, 80, 3), 9, np.uint8))


def asked(desk: Desk, path: str, between: Callable[[], object] = lambda: None) -> tuple[int, int, bytes]:
    """The status of an answer, the length that it is said to have, and its body; something happens `between` them."""
    got: list[Message] = []

    given = iter([True])

    async def receive() -> Message:
        if not next(given, False):
            await asyncio.Event().wait()  # nobody leaves
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            await asyncio.to_thread(between)
        got.append(message)

    headers = [(b"host", b"localhost"), (b"eichi-language", b"en")]
    place = {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http"}
    scope = {
        "type": "http",
        "method": "GET",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 1),
    }
    asyncio.run(make_app(desk)({**scope, **place, "http_version": "1.1", "asgi": {"version": "3.0"}}, receive, send))
    start, *rest = got
    length = int(dict(start["headers"])[b"content-length"])
    return start["status"], length, b"".join(part.get("body", b"") for part in rest)


def test_a_preview_that_is_replaced_while_it_is_sent(desk: Desk, job: Job) -> None:
    place = JobFolder(Path(str(job.checkpoint))).preview
    path = f"/api/v1/jobs/{job.id}/preview.png"
    assert asked(desk, path)[0] == 404
    Image.new("RGB", (8, 8)).save(place)
    first = place.read_bytes()
    assert asked(desk, path, lambda: place.write_bytes(b"longer" * 999)) == (200, len(first), first)


def test_what_is_finished_so_far_is_another_file_when_there_is_more(desk: Desk, job: Job) -> None:
    path = f"/api/v1/jobs/{job.id}/so-far.mp4"
    assert asked(desk, path)[0] == 404
    segment(job, 0)

    def more() -> None:
        for first in range(4, 4 * files.LASTING, 4):
            segment(job, first)
            assert asked(desk, path)[0] == 200

    status, length, body = asked(desk, path, more)
    assert (status, length) == (200, len(body))
    assert b"ftyp" in body[:12]
    for first in range(40, 56, 4):
        segment(job, first)
        asked(desk, path)
    kept = list((desk.settings.cache / "so-far").iterdir())
    assert len(kept) == files.LASTING


def test_parts_that_go_or_cannot_be_read_are_no_crash(desk: Desk, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder = f"/api/v1/jobs/{job.id}/so-far.mp4", Path(str(job.checkpoint))
    (folder / "000000-000003.mp4").write_bytes(b"no video")
    assert asked(desk, path)[0] == 404
    monkeypatch.setattr(files, "segments", lambda job: [folder / "000004-000007.mp4"])
    assert asked(desk, path)[0] == 404
