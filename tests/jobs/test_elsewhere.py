"""Jobs that somebody else than a worker has gone on with: what is finished stays, and their rows learn of it."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from eichi.commands.run import run_request
from eichi.errors import InputError, RunError, StoreError
from eichi.events import Adjusted, Event, Finished, SectionDone, Stopped, dump
from eichi.jobs.elsewhere import owner, run_here, telling
from eichi.jobs.queue import Queue, results
from eichi.jobs.runner import new_runner
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.jobs.worker import Worker
from eichi.options import FinishOptions, VideoOptions
from eichi.pipeline.checkpoint import Checkpoint
from eichi.pipeline.generate import generate
from eichi.settings import load_settings
from tests.pictures import save_small


@pytest.fixture
def queue(home: Path) -> Iterator[Queue]:
    with Store(load_settings().store) as store:
        yield Queue(store, load_settings().model_folders)


@pytest.fixture
def worker(queue: Queue) -> Worker:
    return Worker(queue.store, load_settings(), threading.Event())


@pytest.fixture
def options(tmp_path: Path) -> VideoOptions:
    save_small(tmp_path / "start.png")
    values = {"image": tmp_path / "start.png", "prompt": "p", "seconds": 1, "section_size": 0.5}
    return VideoOptions.parse(values | {"sampling": {"steps": 1}})


def stopped(queue: Queue, worker: Worker, options: VideoOptions) -> tuple[int, Checkpoint]:
    """A job that was stopped after its first section."""
    drafts, _ = queue.prepare([options], Path("out"))
    id = queue.add(drafts)[0].id
    row = queue.store.claim(worker.runner)
    assert row is not None
    job, events = worker._start(row, lambda: False)
    for event in events:
        if isinstance(event, SectionDone):
            break
    events.close()
    queue.store.end(job, Status.STOPPED)
    job = queue.store.job(id)
    assert job.begun
    return id, Checkpoint(Path(str(job.checkpoint)))


def test_a_job_that_was_finished_elsewhere_is_done_and_not_made_again(
    queue: Queue, worker: Worker, options: VideoOptions
) -> None:
    id, checkpoint = stopped(queue, worker, options)
    plan = checkpoint.located(())
    *_, last = generate(plan, checkpoint.folder.parent, worker._load(plan.entry), checkpoint=checkpoint)
    assert isinstance(last, Finished)
    made = hashlib.sha256(Path(last.video).read_bytes()).hexdigest()

    job = queue.resume(id)
    assert (job.status, job.result) == (Status.DONE, last)
    word = Adjusted("note.resume.finished", {"path": Path(last.video).name})
    assert [entry.event for entry in queue.store.events(id)][-3:-1] == [word, last]
    queue.store.change(id, [Status.DONE], status=Status.WAITING, result=None)  # as a worker left it that died
    worker.work(drain=True)
    job = queue.store.job(id)
    assert (job.status, job.result) == (Status.DONE, last)
    assert hashlib.sha256(Path(last.video).read_bytes()).hexdigest() == made

    other = queue.retry(id)
    assert (other.id != id, queue.store.job(id).result) == (True, last)


def test_what_has_another_s_name_is_not_overwritten(queue: Queue, worker: Worker, options: VideoOptions) -> None:
    id, checkpoint = stopped(queue, worker, options)
    checkpoint.discard()
    checkpoint.result.write_bytes(b"a video of somebody's")
    queue.resume(id)
    worker.work(drain=True)
    job = queue.store.job(id)
    assert job.error is not None
    assert (job.status, job.error.id) == (Status.FAILED, "error.resume.finished")
    assert checkpoint.result.read_bytes() == b"a video of somebody's"
    assert not checkpoint.folder.exists()


def test_a_finished_job_cannot_be_given_another_request(queue: Queue, worker: Worker, options: VideoOptions) -> None:
    id, checkpoint = stopped(queue, worker, options)
    queue.store.change(id, [Status.STOPPED], status=Status.HELD)
    plan = checkpoint.located(())
    list(generate(plan, checkpoint.folder.parent, worker._load(plan.entry), checkpoint=checkpoint))
    with pytest.raises(InputError, match="can no longer be changed"):
        queue.change(id, options)


@pytest.mark.parametrize("status", [Status.STOPPED, Status.FAILED, Status.HELD])
def test_a_row_learns_how_its_job_ended_elsewhere(
    queue: Queue, worker: Worker, options: VideoOptions, status: Status
) -> None:
    drafts, _ = queue.prepare([options], Path("out"))
    id = queue.add(drafts)[0].id
    folder = Path("out").absolute() / ".clip.parts"
    queue.store.change(id, [Status.WAITING], status=status, checkpoint=str(folder))
    job = owner(queue.store, Path("out") / ".clip.parts")
    assert job is not None
    assert job.id == id
    assert owner(queue.store, Path("out") / ".other.parts") is None
    half = Stopped(str(folder.parent / "clip_stopped.mp4"), 3, 9, 1)
    assert list(telling(iter([half]), queue.store, job, options)) == [half]
    assert (queue.store.job(id).status, queue.store.job(id).result) == (Status.STOPPED, half)
    last = Finished(str(folder.parent / "clip.mp4"), str(folder.parent / "clip.png"), 3, 33, 1.1, 2)
    assert list(telling(iter([last]), queue.store, job, options)) == [last]
    row = queue.store.job(id)
    assert (row.status, row.error, dump(last)) == (Status.DONE, None, dump(row.result or half))
    assert results(row) == []


def test_a_stop_soon_after_a_resume_keeps_what_was_finished(
    queue: Queue, worker: Worker, options: VideoOptions
) -> None:
    drafts, _ = queue.prepare([options.model_copy(update={"seconds": 2, "seed": 3})], Path("out"))
    id = queue.add(drafts)[0].id
    for event in _parts(queue, worker, id, after=2):
        before = event
    assert isinstance(before, Stopped)
    assert before.video is not None
    queue.resume(id)
    for event in _parts(queue, worker, id, after=0):
        again = event
    assert again == before


def _parts(queue: Queue, worker: Worker, id: int, after: int) -> Iterator[object]:
    """The events of a job that is stopped after so many of its sections."""
    row = queue.store.claim(worker.runner)
    assert row is not None
    seen: list[object] = []
    job, events = worker._start(row, lambda: sum(isinstance(one, SectionDone) for one in seen) >= after)
    for event in events:
        seen.append(event)
        yield event
    queue.store.end(job, Status.STOPPED)


def test_what_a_terminal_makes_is_a_job_of_the_page(
    home: Path, options: VideoOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its sections, of which the page may make some anew, and what finishes it; `eichi demo` is such a one."""
    both = VideoOptions.parse(options.dump() | {"finish": {"format": "gif"}})
    run_request(both, tmp_path / "out", load_settings(), as_json=False, kept=True)
    with Store(load_settings().store) as store:
        job, chain = sorted(store.jobs(), key=lambda job: job.id)
        said = [told.event.kind for told in store.events(job.id)]
        assert store.events(chain.id)[-1].event.kind == "changed"
    assert (job.status, job.runner) == (Status.DONE, None)
    assert isinstance(job.result, Finished) and Path(job.result.video).is_file()
    assert str(job.result.video) in capsys.readouterr().out
    assert said[0] == said[-1] == "changed" and "section_done" in said
    assert job.checkpoint is not None and job.pace is not None
    assert any(Path(job.checkpoint).parent.glob(".*.made"))
    assert isinstance(chain.options, FinishOptions) and (chain.status, chain.runner) == (Status.DONE, None)
    assert str(chain.options.video) == job.result.video
    assert isinstance(chain.result, Finished) and Path(chain.result.video).suffix == ".gif"


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        (lambda: iter([Stopped(None, 0, 9, 2)]), Status.STOPPED),
        (lambda: failing(RunError("error.job.crashed", reason="x")), Status.FAILED),
        (lambda: failing(KeyboardInterrupt()), Status.STOPPED),
    ],
)
def test_however_a_terminal_ends_a_job_its_row_learns_of_it(
    queue: Queue, options: VideoOptions, ends: Callable[[], Iterator[Event]], status: Status
) -> None:
    drafts, _ = queue.prepare([options], Path("out"))
    (job,) = queue.store.add(drafts, runner=new_runner())
    assert job.status == Status.RUNNING
    assert queue.store.claim("another") is None
    assert queue.store.recover() == []  # this process lives
    with suppress(RunError, KeyboardInterrupt):
        list(run_here(ends(), queue.store, job, "/out/.clip.parts"))
    row = queue.store.job(job.id)
    assert (row.status, row.runner, row.checkpoint) == (status, None, "/out/.clip.parts")


def test_a_store_that_fails_keeps_no_video_from_being_made(
    queue: Queue, options: VideoOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts, _ = queue.prepare([options], Path("out"))
    (job,) = queue.store.add(drafts, runner=new_runner())
    for name in ("record", "end"):
        monkeypatch.setattr(queue.store, name, lambda *given, **named: next(failing(StoreError("error.store.busy"))))
    last = Stopped(None, 0, 9, 2)
    assert list(run_here(iter([last]), queue.store, job, "/out/.clip.parts")) == [last]


def failing(error: BaseException) -> Iterator[Event]:
    raise error
    yield
