"""What people do with jobs, and what the state of a job does not allow."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from eichi.errors import InputError, OptionError
from eichi.events import FrameFinished, dump
from eichi.jobs.batch import Batch, expand
from eichi.jobs.elsewhere import owner
from eichi.jobs.queue import Queue, results
from eichi.jobs.runner import new_runner
from eichi.jobs.schema import Job
from eichi.jobs.view import Ask, Status
from eichi.options import FrameOptions, VideoOptions


@pytest.fixture
def options(picture: Path) -> VideoOptions:
    values = {"image": picture.name, "prompt": "p", "seed": 1, "seconds": 1, "sampling": {"steps": 2}}
    return VideoOptions.parse(values)


def add(queue: Queue, options: VideoOptions, count: int = 1, priority: int = 0) -> list[Job]:
    drafts, _ = queue.prepare([options] * count, Path("out"))
    return queue.add(drafts, priority)


def order(queue: Queue) -> list[int]:
    return [job.id for job in queue.waiting()]


def running(queue: Queue) -> Job:
    job = queue.store.claim(new_runner())
    assert job is not None
    return job


def begun(queue: Queue, job: Job, folder: Path) -> Path:
    """Give a running job a checkpoint, and a result beside it."""
    checkpoint = folder / ".x.parts"
    checkpoint.mkdir()
    (folder / "x_stopped.mp4").touch()
    (folder / "x.png").touch()
    (folder / "xy.png").touch()
    queue.store.record(job, checkpoint=str(checkpoint))
    return checkpoint


def test_a_job_is_added_with_its_files_named_for_good(queue: Queue, options: VideoOptions, picture: Path) -> None:
    job = add(queue, options)[0]
    assert job.request["image"] == str(picture)
    assert job.folder == str(Path("out").absolute())
    assert (job.plan.sections, job.plan.width, job.plan.height, job.batch) == (1, 80, 48, None)
    assert isinstance(job.options, VideoOptions)
    one, two = add(queue, options, 2)
    assert one.batch is not None and one.batch == two.batch


def test_what_cannot_run_is_refused_when_it_is_added(queue: Queue, options: VideoOptions) -> None:
    for update in ({"image": Path("nobody.png")}, {"model": "framepack"}, {"resolution": 640}):
        with pytest.raises(InputError):
            queue.prepare([options, options.model_copy(update=update)], Path("out"))
    assert queue.store.jobs() == []


def test_jobs_are_moved(queue: Queue, options: VideoOptions) -> None:
    a, b, c = (job.id for job in add(queue, options, 3))
    queue.move(c, to=1)
    assert order(queue) == [c, a, b]
    queue.move(c, to=3)
    assert order(queue) == [a, b, c]
    queue.move(b, priority=2)
    assert order(queue) == [b, a, c]
    queue.move(c, to=1, priority=2)
    assert order(queue) == [c, b, a]
    with pytest.raises(InputError, match="from 1 to 2"):
        queue.move(c, to=3)
    running(queue)
    with pytest.raises(InputError, match="is running"):
        queue.move(c, to=1)


def test_a_job_is_edited_while_nothing_of_it_is_made(queue: Queue, options: VideoOptions, tmp_path: Path) -> None:
    id = add(queue, options)[0].id
    job = queue.edit(id, {"seconds": "4", "sampling.steps": 5})
    assert isinstance(job.options, VideoOptions)
    assert (job.options.seconds, job.options.sampling.steps) == (4.0, 5)
    assert job.plan.sections == 3
    for key, value in (("seconds", 500), ("image", "nobody.png"), ("nothing", 1)):
        with pytest.raises(InputError):
            queue.edit(id, {key: value})
    assert queue.store.job(id) == job
    row = running(queue)
    with pytest.raises(InputError, match="seconds can no longer be changed"):
        queue.edit(id, {"seconds": 1})
    begun(queue, row, tmp_path)
    queue.store.end(row, Status.HELD)
    with pytest.raises(InputError, match="has started"):
        queue.edit(id, {"seconds": 1})


def test_a_clone_is_the_same_request_at_the_end(queue: Queue, options: VideoOptions) -> None:
    a, b = add(queue, options, 2)
    clone = queue.clone(a.id)
    assert order(queue) == [a.id, b.id, clone.id]
    assert (clone.request, clone.folder) == (a.request, a.folder)


def test_a_job_is_held_and_goes_on(queue: Queue, options: VideoOptions) -> None:
    a, b = (job.id for job in add(queue, options, 2))
    queue.hold(a)
    assert running(queue).id == b
    assert queue.hold(b).ask == Ask.PAUSE
    assert queue.resume(a).status == Status.WAITING
    with pytest.raises(InputError, match="is waiting"):
        queue.resume(a)
    assert running(queue).id == a


def test_a_running_job_is_asked_to_stop_and_may_be_asked_again(queue: Queue, options: VideoOptions) -> None:
    id = add(queue, options)[0].id
    with pytest.raises(InputError, match="is waiting"):
        queue.stop(id)
    running(queue)
    assert (queue.stop(id, Ask.SECTION).ask, queue.store.job(id).status) == (Ask.SECTION, Status.STOPPING)
    assert queue.stop(id).ask == Ask.NOW


def test_a_skipped_job_is_not_made(queue: Queue, options: VideoOptions) -> None:
    a, b = (job.id for job in add(queue, options, 2))
    assert queue.skip(a).status == Status.STOPPED
    assert running(queue).id == b
    assert queue.skip(b).ask == Ask.NOW


def test_stop_after_this_job(queue: Queue, options: VideoOptions) -> None:
    add(queue, options, 2)
    row = running(queue)
    queue.hold_all()
    assert queue.store.job(row.id).status == Status.RUNNING
    assert queue.store.claim(new_runner()) is None
    queue.resume_all()
    running(queue)


def test_resume_goes_on_and_retry_begins_again(queue: Queue, options: VideoOptions, tmp_path: Path) -> None:
    id = add(queue, options)[0].id
    row = running(queue)
    checkpoint = begun(queue, row, tmp_path)
    queue.store.end(row, Status.FAILED, error={"id": "error.device.memory", "values": {"part": "vae"}})
    job = queue.resume(id)
    assert (job.status, job.attempts, job.error, job.begun) == (Status.WAITING, 0, None, True)
    queue.store.end(running(queue), Status.STOPPED)
    for path in results(queue.store.job(id)):
        path.unlink()
    job = queue.retry(id)
    assert (job.status, job.checkpoint, job.begun) == (Status.WAITING, None, False)
    assert not checkpoint.exists()
    with pytest.raises(InputError, match="is waiting"):
        queue.retry(id)


def test_again_keeps_what_was_made(queue: Queue, options: VideoOptions, tmp_path: Path) -> None:
    id = add(queue, options)[0].id
    row = running(queue)
    begun(queue, row, tmp_path)
    queue.store.end(row, Status.DONE)
    old = queue.store.job(id)
    job = queue.retry(id)
    assert job.id != id
    assert (job.status, job.request) == (Status.WAITING, old.request)
    assert queue.store.job(id) == old
    assert len(results(old)) == 2


@pytest.mark.parametrize("files", [False, True])
def test_the_bin_gives_back_or_is_emptied(queue: Queue, options: VideoOptions, tmp_path: Path, files: bool) -> None:
    id, other = (job.id for job in add(queue, options, 2))
    row = running(queue)
    checkpoint = begun(queue, row, tmp_path)
    with pytest.raises(InputError, match="running"):
        queue.bin(id)
    queue.store.end(row, Status.STOPPED)
    before = queue.store.job(id)
    own = results(before)
    assert queue.bin(id, files) == (own if files else [])
    assert queue.store.find(id) is None
    assert [job.id for job in queue.store.jobs()] == list(queue.store.numbers()) == [other]
    assert all(path.exists() for path in (*own, checkpoint))
    with pytest.raises(InputError, match="no job"):
        queue.resume(id)
    queue.purge(0.0)
    back = queue.store.restore(id)
    assert {**vars(back), "version": 0} == {**vars(before), "version": 0}
    queue.bin(id, files)
    queue.purge(time.time() + 1)
    assert [path.exists() for path in own] == [not files] * 2
    assert not checkpoint.exists()
    with pytest.raises(InputError, match="no job"):
        queue.store.restore(id)


def test_what_waits_is_cleared_and_comes_back_in_its_place(queue: Queue, options: VideoOptions) -> None:
    a, b, c, d = (job.id for job in add(queue, options, 4))
    queue.hold(d)
    running(queue)
    assert queue.clear() == [b, c]
    assert order(queue) == [d]
    assert queue.store.claim(new_runner()) is None
    for id in (c, b):
        queue.store.restore(id)
    assert order(queue) == [b, c, d]
    assert queue.store.job(a).status == Status.RUNNING


def test_what_is_done_to_a_job_reads_no_others(
    queue: Queue, options: VideoOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row that is read takes a millisecond, and there may be ten thousand."""
    one, *others = (job.id for job in add(queue, options, 4))
    of, read = Job.of, list[int]()

    def reading(row: Any) -> Job:
        read.append(row.id)
        return of(row)

    monkeypatch.setattr(Job, "of", reading)
    assert owner(queue.store, tmp_path / ".x.parts") is None
    queue.remove(one)
    assert set(read) == {one}
    read.clear()
    assert queue.clear() == others
    assert read == []


@pytest.mark.parametrize("files", [False, True])
def test_a_removed_job_gives_its_space_back(queue: Queue, options: VideoOptions, tmp_path: Path, files: bool) -> None:
    id = add(queue, options)[0].id
    row = running(queue)
    checkpoint = begun(queue, row, tmp_path)
    queue.store.end(row, Status.STOPPED)
    own = [tmp_path / "x.png", tmp_path / "x_stopped.mp4"]
    assert results(queue.store.job(id)) == own
    assert queue.remove(id, files) == (own if files else [])
    assert queue.store.find(id) is None
    assert not checkpoint.exists()
    assert [path.exists() for path in own] == [not files] * 2
    assert (tmp_path / "xy.png").exists()


def test_a_single_image_has_its_file(queue: Queue, picture: Path) -> None:
    frame = FrameOptions.parse({"image": picture, "references": [picture.name]})
    drafts, _ = queue.prepare([frame], Path("out"))
    job = queue.add(drafts)[0]
    assert isinstance(job.options, FrameOptions)
    assert job.options.references[0].image == picture
    row = running(queue)
    queue.store.end(row, Status.DONE, result=dump(FrameFinished(str(picture), 1, {"target": [1]})))
    assert queue.remove(job.id, files=True) == [picture]
    assert not picture.exists()


def test_the_forecast_is_what_was_measured_or_none(queue: Queue, options: VideoOptions) -> None:
    long = options.model_copy(update={"seconds": 4.0})
    _, total = queue.prepare([options, long], Path("out"))
    assert (total.jobs, total.sections, total.seconds) == (2, 4, None)
    add(queue, options)
    queue.store.end(running(queue), Status.DONE, pace=1.5)
    _, total = queue.prepare([options, long], Path("out"))
    assert total.seconds == 6.0
    slower = VideoOptions.parse(options.dump() | {"sampling": {"steps": 3}})
    _, total = queue.prepare([options, slower], Path("out"))
    assert total.seconds is None


def test_an_older_request_that_is_not_understood_is_said(queue: Queue, options: VideoOptions) -> None:
    id = add(queue, options)[0].id
    queue.store.change(id, (Status.WAITING,), request={"gone": 1})
    with pytest.raises(OptionError, match="no option"):
        queue.clone(id)


def test_wildcards_are_drawn_where_a_job_is_made(queue: Queue, options: VideoOptions, tmp_path: Path) -> None:
    (tmp_path / "colour.txt").write_text("red\ngreen\nblue\n")
    queue.lists = tmp_path
    wild = options.model_copy(update={"prompt": "a __colour__ {ball|star}", "seed": None})
    job = add(queue, wild)[0]
    asked = job.options
    assert isinstance(asked, VideoOptions)
    assert re.fullmatch("a (red|green|blue) (ball|star)", asked.prompt)
    assert asked.written.prompt == wild.prompt
    assert asked.seed is not None
    queue.lists = None  # whoever runs it, or makes it once more, needs no lists
    assert queue.clone(job.id).request["prompt"] == asked.prompt
    with pytest.raises(InputError, match="no list"):
        add(queue, wild)


def test_each_job_of_a_batch_draws_by_its_own_seed(queue: Queue, options: VideoOptions) -> None:
    wild = options.model_copy(update={"prompt": "{a|b|c|d}", "seed": 1})
    requests = expand(wild, Batch(count=12))
    drafts, _ = queue.prepare(requests, Path("out"))
    said = [draft.request["prompt"] for draft in drafts]
    assert len(set(said)) > 2
    assert [draft.request["seed"] for draft in drafts] == list(range(1, 13))
    again, _ = queue.prepare(requests, Path("out"))
    assert [draft.request["prompt"] for draft in again] == said
