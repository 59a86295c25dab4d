"""The process of a worker as its parent sees it: here one that does nothing, and whose jobs others end."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eichi.errors import RunError
from eichi.events import Changed
from eichi.jobs.executors.local import LocalExecutor
from eichi.jobs.queue import Queue
from eichi.jobs.runner import new_runner
from eichi.jobs.view import Ask, Status
from eichi.options import VideoOptions
from eichi.settings import load_settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no scripts that are programs")


@pytest.fixture
def executor(queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalExecutor]:
    """Its worker says that it takes two jobs and waits for its parent to go."""
    program = tmp_path / "worker"
    program.write_text("#!/bin/sh\necho 7\necho 8\ncat\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    opened = LocalExecutor(queue.store, load_settings())
    yield opened
    opened.close()


@pytest.fixture
def job(queue: Queue, picture: Path) -> int:
    drafts, _ = queue.prepare([VideoOptions.parse({"image": picture, "prompt": "p", "seconds": 1})], Path("out"))
    return queue.add(drafts)[0].id


@pytest.mark.parametrize("how", [Ask.NOW, Ask.SECTION])
def test_who_cancels_a_job_asks_its_worker_to_stop(executor: LocalExecutor, queue: Queue, job: int, how: Ask) -> None:
    queue.store.claim(new_runner())
    executor.cancel(job, how)
    assert (queue.store.job(job).status, queue.store.job(job).ask) == (Status.STOPPING, how)


def test_a_job_is_followed_to_its_end_while_its_worker_lives(executor: LocalExecutor, queue: Queue, job: int) -> None:
    entries = executor.submit(job)
    assert next(entries).event == Changed("waiting")
    row = queue.store.claim(new_runner())
    assert row is not None
    assert next(entries).event == Changed("running")
    queue.store.end(row, Status.DONE)
    assert [entry.event for entry in entries] == [Changed("done")]


def test_whoever_waits_is_told_that_the_worker_ended_without_the_job(
    executor: LocalExecutor, queue: Queue, job: int, tmp_path: Path
) -> None:
    (tmp_path / "worker").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(RunError, match="ended with code 3"):
        list(executor.submit(job))
    assert queue.store.job(job).status == Status.WAITING


def test_what_waits_is_told_as_it_is_taken(executor: LocalExecutor) -> None:
    taken = executor.drain()
    assert [next(taken), next(taken)] == [7, 8]
    executor.close()
    assert list(taken) == []
