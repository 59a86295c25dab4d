"""One watcher for everybody: what a page is told at first, what afterwards, and what a look costs."""

import asyncio
import json
from collections import deque
from collections.abc import Collection
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from starlette.types import Message

from eichi.events import Finished, Preparing, SectionDone, Step, dump
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.options import VideoOptions
from eichi.web import live as module
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.visitor import Visitor
from tests.web.conftest import running


def told(desk: Desk, number: int | None, language: str = "en") -> dict[str, Any]:
    change: dict[str, Any] = json.loads(desk.live.since(number, Visitor(language, local=True)))
    return change


def looked(desk: Desk) -> dict[str, Any]:
    """What those are told who have seen everything before this look."""
    number = desk.live.number
    desk.live.look()
    return told(desk, number)


def test_first_all_of_it_then_what_changes(desk: Desk, video: VideoOptions) -> None:
    one, two = desk.start([video, video])
    desk.live.look()
    first = told(desk, None)
    assert (first["full"], first["boot"], first["held"], first["order"]) == (True, desk.boot, False, [one.id, two.id])
    assert [row["id"] for row in first["jobs"]] == [one.id, two.id]
    assert first["jobs"][0]["prompt"] == "<b>a red ball</b>"
    assert not desk.live.look()
    assert told(desk, desk.live.number) == {"full": False}
    desk.queue.hold(two.id)
    change = looked(desk)
    assert change.keys() == {"full", "jobs"}
    assert [(row["id"], row["status"], row["status_text"]) for row in change["jobs"]] == [(two.id, "held", "paused")]
    desk.queue.move(two.id, to=1)
    change = looked(desk)
    assert (change["order"], [row["id"] for row in change["jobs"]]) == ([two.id, one.id], [two.id])
    desk.queue.edit(two.id, {"prompt": "another"})
    assert [row["prompt"] for row in looked(desk)["jobs"]] == ["another"]
    desk.queue.hold_all()
    assert looked(desk) == {"full": False, "held": True}
    desk.queue.bin(two.id)
    assert looked(desk) == {"full": False, "removed": [two.id], "order": [one.id], "coming": 1}
    desk.store.restore(two.id)
    change = looked(desk)
    assert ([row["id"] for row in change["jobs"]], change["order"]) == ([two.id], [two.id, one.id])


def test_what_happened_since_is_one_change(desk: Desk, video: VideoOptions) -> None:
    one, two, three = (job.id for job in desk.start([video] * 3))
    desk.live.look()
    begin = desk.live.number
    desk.queue.hold(one)
    desk.live.look()
    desk.queue.bin(three)
    desk.live.look()
    desk.queue.resume(one)
    desk.live.look()
    change = told(desk, begin, "ru")
    assert [(row["id"], row["status"]) for row in change["jobs"]] == [(one, "waiting")]
    assert (change["removed"], change["order"]) == ([three], [one, two])
    assert change["jobs"][0]["status_text"] != "waiting"


def test_who_was_away_too_long_gets_all_of_it(desk: Desk, video: VideoOptions) -> None:
    job = desk.start([video])[0]
    desk.live._turns = deque(maxlen=2)
    desk.live.look()
    begin = desk.live.number
    for act in (desk.queue.hold, desk.queue.resume):
        act(job.id)
        desk.live.look()
    assert not told(desk, begin)["full"]
    desk.queue.hold(job.id)
    desk.live.look()
    assert told(desk, begin)["full"]
    assert not told(desk, begin + 1)["full"]
    assert told(desk, desk.live.number + 1)["full"]


def test_a_job_that_runs_says_how_long_it_takes(
    desk: Desk, video: VideoOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("time.time", lambda: clock[0])
    job = desk.start([video])[0]
    row = running(desk, job, order=0, step=1)
    desk.live.look()
    progress = told(desk, None)["jobs"][0]["progress"]
    assert (progress["step"], progress["steps"], progress["left"], progress["pace"]) == (1, 4, None, None)
    clock[0] += 20
    desk.store.record(row, Step(0, 4, 2, 4))
    progress = looked(desk)["jobs"][0]["progress"]
    assert (progress["left"], progress["fraction"]) == (20 / 2 * 14, 0.125)  # at its own speed so far
    clock[0] += 20
    desk.store.record(row, SectionDone(0, 0, 4, 3, 1))
    desk.store.record(row, Step(1, 4, 1, 4))
    progress = looked(desk)["jobs"][0]["progress"]
    assert (progress["pace"], progress["left"], progress["cached"]) == (40.0, 110.0, 0.25)
    desk.store.end(row, Status.WAITING)
    desk.live.look()
    assert told(desk, None)["jobs"][0]["progress"] is None


def test_a_job_says_what_it_does_before_its_first_step(desk: Desk, video: VideoOptions) -> None:
    row = running(desk, desk.start([video])[0], order=0, step=1)
    desk.store.record(row, Preparing("transformer", 10**9, 4 * 10**9))
    desk.live.look()
    told_row = told(desk, None, "ru")["jobs"][0]
    assert told_row["progress"] is told_row["preview"] is None
    assert told_row["preparing"] == {"said": "Загрузка: трансформер (4 ГБ)", "fraction": 0.25}
    desk.store.record(row, Preparing("drawing"))
    assert looked(desk)["jobs"][0]["preparing"] == {"said": "Computing the first step", "fraction": None}
    desk.store.record(row, Step(0, 4, 1, 4))
    assert looked(desk)["jobs"][0]["preparing"] is None


def test_the_time_of_jobs_to_come_follows_what_was_measured(desk: Desk, video: VideoOptions) -> None:
    one, two = desk.start([video, video])
    desk.live.look()
    assert [row["forecast"] for row in told(desk, None)["jobs"]] == [None, None]
    row = running(desk, one)
    result = dump(Finished("x.mp4", "x.png", 7, 145, 4.83, 4))
    desk.store.end(row, Status.DONE, result=result, pace=10.0)
    change = looked(desk)
    assert {row["id"]: row["forecast"] for row in change["jobs"]} == {one.id: None, two.id: 40.0}


def test_the_latest_that_ended_are_among_the_first(
    desk: Desk, video: VideoOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENDED", 2)
    ids = [job.id for job in desk.start([video] * 4)]
    for id in ids[:3]:
        desk.queue.skip(id)
        desk.store.change(id, [Status.STOPPED], ended=float(id))
    desk.live.look()
    assert [row["id"] for row in told(desk, None)["jobs"]] == ids[1:]
    desk.queue.bin(ids[0])  # a page may show it in its history
    assert looked(desk)["removed"] == [ids[0]]


def test_a_look_reads_only_what_changed(desk: Desk, video: VideoOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = desk.start([video] * 5)
    desk.live.look()
    read: list[set[int]] = []
    whole = Store.select

    def select(store: Store, ids: Collection[int]) -> list[Job]:
        read.append(set(ids))
        return whole(store, ids)

    monkeypatch.setattr(Store, "select", select)
    desk.live.look()
    desk.queue.hold(jobs[1].id)
    desk.live.look()
    assert read == [{jobs[1].id}]


def test_a_damaged_row_is_told_like_the_others(desk: Desk, video: VideoOptions) -> None:
    jobs = desk.start([video] * 3)
    with desk.store.writing() as connection:
        values = "version = 'x', ended = 'y', position = 'z', status = 'dreaming', plan = '{'"
        connection.execute(sa.text(f"UPDATE jobs SET {values} WHERE id = {jobs[1].id}"))
    desk.live.look()
    rows = {row["id"]: row for row in told(desk, None)["jobs"]}
    assert [rows[job.id]["damaged"] for job in jobs] == [False, True, False]
    assert rows[jobs[1].id]["actions"] == ["remove"]


def test_the_stream(desk: Desk, video: VideoOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACE", 0.0)
    monkeypatch.setattr(module, "ALIVE", 0.0)
    job = desk.start([video])[0]

    async def follow() -> tuple[list[str], list[str]]:
        stream = desk.live.stream(Visitor("en", local=True))
        first = await anext(stream)
        quiet = await anext(stream)
        desk.queue.hold(job.id)
        last = first.split("\n")[0].removeprefix("id: ")
        while (change := await anext(stream)).startswith(":"):
            pass
        again = desk.live.stream(Visitor("ja", local=True), last)  # cut off, and joined again
        rest = await anext(again)
        other = desk.live.stream(Visitor("en", local=True), "another-1")
        whole = await anext(other)
        desk.live.end()
        ended = [[text async for text in one if not text.startswith(":")] for one in (stream, again, other)]
        assert ended == [[], [], []]
        assert desk.live._task is not None
        await desk.live._task
        return [quiet], [one.split("data: ")[1] for one in (first, change, rest, whole)]

    quiet, texts = asyncio.run(follow())
    assert quiet == [": here\n\n"]
    assert [json.loads(text)["full"] for text in texts] == [True, False, False, True]
    assert not desk.live._waiting


def test_the_stream_over_http_ends_with_its_visitor(desk: Desk, video: VideoOptions) -> None:
    job = desk.start([video])[0]
    app, sent = make_app(desk), list[Message]()
    left = asyncio.Event()

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message.get("body"):
            left.set()

    scope = {"type": "http", "method": "GET", "path": "/api/v1/events", "raw_path": b"/api/v1/events"}
    scope |= {"query_string": b"language=ru", "scheme": "http", "server": ("localhost", 80), "root_path": ""}
    asyncio.run(app(scope | {"headers": [(b"host", b"localhost"), (b"accept-encoding", b"gzip")]}, receive, send))
    assert not desk.live._waiting
    headers = dict(sent[0]["headers"])
    assert (sent[0]["status"], headers[b"content-type"]) == (200, b"text/event-stream; charset=utf-8")
    assert b"content-encoding" not in headers
    change = json.loads(sent[1]["body"].decode().split("data: ")[1])
    assert [(row["id"], row["status_text"]) for row in change["jobs"]] == [(job.id, "ожидает")]


def test_what_there_is_can_be_asked_for(desk: Desk, video: VideoOptions) -> None:
    job = desk.start([video])[0]
    with TestClient(make_app(desk), base_url="http://localhost") as client:
        now = client.get("/api/v1/now").json()
    assert (now["full"], [row["id"] for row in now["jobs"]], now["order"]) == (True, [job.id], [job.id])


def test_of_a_long_queue_the_next_are_told_and_who_added_one_hears_of_it(
    desk: Desk, video: VideoOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMING", 2)
    ids = [job.id for job in desk.start([video] * 4)]
    desk.live.look()
    first = told(desk, None)
    assert ([row["id"] for row in first["jobs"]], first["order"], first["coming"]) == (ids[:2], ids[:2], 4)
    new = desk.start([video])[0].id
    change = looked(desk)
    assert ([row["id"] for row in change["jobs"]], change["coming"], "order" in change) == ([new], 5, False)
    desk.queue.hold(new)  # and of what becomes of it
    assert [(row["id"], row["status"]) for row in looked(desk)["jobs"]] == [(new, "held")]
    desk.queue.move(ids[0], to=5)
    assert looked(desk)["order"] == ids[1:3]
    desk.queue.skip(ids[0])  # pages may still show it
    change = looked(desk)
    assert [(row["id"], row["status"]) for row in change["jobs"]] == [(ids[0], "stopped")]
    desk.queue.bin(ids[3])  # it was never told of
    assert looked(desk)["removed"] == [ids[3]]
