"""The stage says what the row says: state, progress, time left, result, and only the buttons that work."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from eichi.events import Finished, Flagged, Step
from eichi.jobs.schema import Job
from eichi.jobs.view import Ask, Problem, Status
from eichi.options import VideoOptions
from eichi.web.desk import Desk
from eichi.web.i18n import Words
from eichi.web.lists import render_history, render_queue
from eichi.web.stage import current, remaining, render
from tests.web.conftest import running

WORDS = Words("en")


@pytest.fixture
def job(desk: Desk, video: VideoOptions) -> Job:
    return desk.start([video])[0]


def buttons(html: str) -> list[str]:
    return re.findall(r'data-do="([a-z-]+)"', html)


def test_nothing_yet() -> None:
    assert "Nothing has been made yet" in render(None, WORDS, [], 0)
    assert "Nothing is waiting" in render_queue([], False, WORDS)
    assert "Results appear here" in render_history([], WORDS)


def test_progress_of_a_section_and_of_the_job(desk: Desk, job: Job) -> None:
    row = running(desk, job)
    html = render(row, WORDS, [10.0], 0)
    assert "Section 2 of 4" in html
    assert "step 2 of 4" in html
    assert 'style="width:50%"' in html
    assert "Whole job: 38 %" in html
    assert "25 s left" in html
    assert re.findall(r'<i class="(\w*)">', html) == ["", "", "now", "done"]


def test_time_left_is_measured_or_not_said(desk: Desk, job: Job) -> None:
    row = running(desk, job)
    assert row.progress is not None
    assert row.progress.fraction == 6 / 16
    assert row.started is not None
    assert remaining(row, [], row.started + 60) == pytest.approx(100)
    assert remaining(row, [8.0, 100.0, 12.0], 0) == pytest.approx(30)
    early = replace(row, progress=Step(0, 4, 1, 4))
    assert remaining(early, [], row.started + 60) is None
    assert "time is being measured" in render(early, WORDS, [], row.started + 60)
    # What a job made before it was interrupted says nothing of its speed.
    assert remaining(replace(row, attempts=2), [], row.started + 60) is None


@pytest.mark.parametrize(
    ("status", "todo"),
    [
        (Status.WAITING, ["hold", "skip"]),
        (Status.HELD, ["resume", "skip"]),
        (Status.RUNNING, ["hold", "stop-section", "stop"]),
        (Status.STOPPED, ["resume", "retry"]),
        (Status.FAILED, ["resume", "retry"]),
        (Status.DONE, ["retry"]),
    ],
)
def test_buttons_are_those_that_work(job: Job, status: Status, todo: list[str]) -> None:
    assert buttons(render(replace(job, status=status), WORDS, [], 0)) == todo


def test_who_asked_to_stop_can_only_ask_for_more(job: Job) -> None:
    stopping = replace(job, status=Status.STOPPING)
    assert buttons(render(replace(stopping, ask=Ask.SECTION), WORDS, [], 0)) == ["stop"]
    assert buttons(render(replace(stopping, ask=Ask.NOW), WORDS, [], 0)) == []


def test_an_error_is_its_sentence_in_the_visitors_language(job: Job) -> None:
    failed = replace(job, status=Status.FAILED, error=Problem(id="error.run.nan", values={"number": 3}))
    assert "Section 3 came out as invalid numbers" in render(failed, WORDS, [], 0)
    assert "В секции 3" in render(failed, Words("ru"), [], 0)
    assert "В секции 3" in render_history([failed], Words("ru"))


def test_what_people_wrote_is_text(job: Job) -> None:
    for html in (render(job, WORDS, [], 0), render_queue([job], False, WORDS), render_history([job], WORDS)):
        assert "<b>a red ball</b>" not in html
        assert "&lt;b&gt;a red ball&lt;/b&gt;" in html


def test_a_result_is_shown_by_its_address(desk: Desk, job: Job) -> None:
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("clip.mp4", "clip.png"):
        (folder / name).write_bytes(b"x")
    last = Finished(
        str(folder / "clip.mp4"),
        str(folder / "clip.png"),
        7,
        145,
        4.83,
        4,
        (Flagged(2, "flag.black", {"frames": 3, "count": 36}),),
    )
    done = replace(job, status=Status.DONE, checkpoint=str(folder / ".clip.parts"), result=last)
    stage = render(done, WORDS, [], 0)
    assert f'data-video="/api/v1/jobs/{job.id}/files/clip.mp4"' in stage
    assert f"<li>{WORDS('flag.black', number=2, frames=3, count=36)}</li>" in stage
    card = render_history([done], WORDS)
    assert f'poster="/api/v1/jobs/{job.id}/files/clip.png"' in card
    assert "seed 7" in card
    assert str(folder) not in card


def test_the_queue_can_be_put_in_another_order(desk: Desk, video: VideoOptions) -> None:
    jobs = desk.start([video, video, video])
    rows = render_queue(jobs, False, WORDS).split("<li")[1:]
    assert [("up" in buttons(row), "down" in buttons(row)) for row in rows] == [
        (False, True),
        (True, True),
        (True, False),
    ]
    assert "resume-all" in buttons(render_queue(jobs, True, WORDS))


def test_who_runs_is_looked_at_else_who_ended_last(job: Job) -> None:
    old = replace(job, id=8, status=Status.DONE, ended=5.0)
    new = replace(job, id=9, status=Status.STOPPED, ended=6.0)
    assert current([]) is None
    assert current([job]) is None
    assert current([job, old, new]) == new
    active = replace(job, status=Status.RUNNING)
    assert current([active, old, new]) == active
    paused = replace(job, status=Status.HELD, started=1.0)
    assert current([paused, old, new]) == paused
