"""The queue and the results; damaged rows are among them, can be removed and hide nothing."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from eichi.jobs.view import Status
from eichi.options import VideoOptions
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.i18n import Words
from eichi.web.lists import render_queue
from eichi.web.live import Watcher
from tests.jobs.damage import WAYS, write
from tests.web.conftest import running

WORDS = Words("en")
SENTENCE = "The row of this job in the store is damaged"


def rows(html: str) -> dict[int, str]:
    """The rows or cards of a list, by the number of their job."""
    parts = re.split(r'(?=<(?:li|article) data-job=")', html)[1:]
    return {int(part.split('"')[1]): part for part in parts}


def buttons(html: str) -> list[str]:
    return re.findall(r'data-do="([a-z-]+)"', html)


def test_a_row_has_the_buttons_of_its_state(desk: Desk, video: VideoOptions) -> None:
    first, second = desk.start([video, video])
    active = running(desk, first)
    other = desk.queue.hold(second.id)
    shown = rows(render_queue([active, other], False, WORDS))
    assert buttons(shown[first.id]) == ["hold", "stop"]
    assert buttons(shown[second.id]) == ["resume", "clone", "skip"]
    assert "data-edit" in shown[second.id]
    stopping = desk.queue.stop(first.id)
    assert buttons(rows(render_queue([stopping], False, WORDS))[first.id]) == []


@pytest.mark.parametrize("status", [Status.WAITING, Status.DONE])
def test_damaged_rows_are_shown_and_hide_nothing(desk: Desk, video: VideoOptions, status: Status) -> None:
    drafts, _ = desk.queue.prepare([video], Path("out"))
    bad = [job.id for job in desk.queue.add(drafts * len(WAYS))]
    (good,) = (job.id for job in desk.queue.add(drafts))
    for id, (name, value) in zip(bad, WAYS, strict=True):
        write(desk.store, id, **{"status": status, "ended": 5.0 if status.terminal else None, name: value})
    sent = Watcher(desk, WORDS).look()
    shown = rows(sent["queue"]) | rows(sent["history"])
    assert SENTENCE not in shown[good]
    for id, (name, _) in zip(bad, WAYS, strict=True):
        assert f"{SENTENCE} ({name})" in shown[id]
        assert [one for one in buttons(shown[id]) if one not in ("up", "down")] == ["remove-files"]
    assert (SENTENCE in sent["stage"]) == status.terminal
    with TestClient(make_app(desk), base_url="http://localhost") as client:
        listed = {job["id"]: job for job in client.get("/api/v1/jobs").json()["jobs"]}
        assert [id for id in listed if not listed[id]["damaged"]] == [good]
        for id, (name, _) in zip(bad, WAYS, strict=True):
            assert listed[id]["damaged"] == [name]
            assert client.get(f"/api/v1/jobs/{id}").json()["actions"] == ["remove"]
            assert client.delete(f"/api/v1/jobs/{id}?files=true").json() == {"removed": id, "files": []}
        assert [job["id"] for job in client.get("/api/v1/jobs").json()["jobs"]] == [good]
