"""Videos that are finished as jobs: run, gone on with, found finished, and added behind a video that asks for it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eichi.errors import EichiError
from eichi.events import Adjusted, Changed, Event, Finished, FinishStarted, SectionDone
from eichi.jobs.elsewhere import finished
from eichi.jobs.finishing import FinishPlanView, folder_of
from eichi.jobs.queue import Queue, results
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import Action, Status, possible
from eichi.jobs.worker import Worker
from eichi.options import FinishOptions, Queued, VideoOptions
from eichi.settings import load_settings
from eichi.video.metadata import read_record
from tests.clips import Made
from tests.pictures import save_small

COUNT = 20


class Leaving(Store):
    """A store whose worker is told to leave once a part is kept."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.leaving: threading.Event | None = None

    def record(self, job: Job, event: Event | None = None, **values: Any) -> Job:
        row = super().record(job, event, **values)
        if isinstance(event, SectionDone) and self.leaving is not None:
            self.leaving.set()
        return row


@pytest.fixture
def store(home: Path) -> Iterator[Leaving]:
    with Leaving(load_settings().store) as store:
        yield store


@pytest.fixture
def queue(store: Store) -> Queue:
    settings = load_settings()
    return Queue(store, settings.model_folders, cache=settings.cache)


@pytest.fixture
def worker(store: Store) -> Worker:
    return Worker(store, load_settings(), threading.Event())


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.finish.plan.PART", 8)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return Made(count=COUNT, sound="aac").write(tmp_path / "clip.mp4")


def add(queue: Queue, options: Queued) -> int:
    drafts, _ = queue.prepare([options], Path("out"))
    return queue.add(drafts)[0].id


def chain(clip: Path, **values: Any) -> FinishOptions:
    return FinishOptions.parse({"video": clip, "finish": values})


def test_a_worker_finishes_a_video(store: Store, queue: Queue, worker: Worker, clip: Path) -> None:
    id = add(queue, chain(clip, grain=0.2, format="webm"))
    row = store.job(id)
    assert (row.kind, row.model, row.plan.sections, row.plan.frames) == ("finish", "", 3, COUNT)
    assert Action.STOP_SECTION not in possible(row) and Action.AHEAD not in possible(row)
    worker.work(drain=True)
    done = store.job(id)
    assert done.status == Status.DONE and isinstance(done.result, Finished) and done.pace is not None
    assert {path.suffix for path in results(done)} == {".webm", ".png"}
    said = [entry.event for entry in store.events(id)]
    assert any(isinstance(one, FinishStarted) for one in said)
    view = done.view()
    assert view.prompt == clip.name and view.request == done.options
    assert finished(done) is None


def test_a_job_that_was_left_comes_to_the_same(store: Leaving, queue: Queue, worker: Worker, clip: Path) -> None:
    whole, cut = (add(queue, chain(clip, grain=0.3, pingpong=True)) for _ in range(2))
    store.leaving = worker.leaving
    worker.work(drain=True)
    left = store.job(whole)
    place = folder_of(left)
    assert left.status == Status.WAITING and left.begun and place is not None and list(place.folder.glob("*-*"))
    store.leaving = None
    worker.leaving.clear()
    worker.work(drain=True)
    files = [next(path for path in results(store.job(id)) if path.suffix == ".mp4") for id in (whole, cut)]
    assert files[0].read_bytes() == files[1].read_bytes() and not left.begun


def test_what_a_dead_worker_has_finished_is_found(store: Store, queue: Queue, worker: Worker, clip: Path) -> None:
    id = add(queue, chain(clip, format="gif"))
    worker.work(drain=True)
    store.change(id, [Status.DONE], status=Status.WAITING, result=None)
    before = store.job(id)
    assert finished(before) is not None
    made = [path.stat().st_mtime_ns for path in results(before)]
    worker.work(drain=True)
    after = store.job(id)
    assert after.status == Status.DONE and [path.stat().st_mtime_ns for path in results(after)] == made


def test_a_chain_follows_its_video_once(store: Store, queue: Queue, worker: Worker, tmp_path: Path) -> None:
    picture = tmp_path / "start.png"
    save_small(picture)
    values: dict[str, Any] = {"image": picture, "seconds": 1, "section_size": 0.5, "sampling": {"steps": 1}, "seed": 5}
    asked = VideoOptions.parse(values | {"finish": {"format": "gif", "scale": 0.5}})
    first = add(queue, asked)
    worker.work(drain=True)
    jobs = sorted(store.jobs(list(Status)), key=lambda job: job.id)
    assert [(job.id, job.kind, job.status) for job in jobs] == [
        (first, "video", Status.DONE),
        (first + 1, "finish", Status.DONE),
    ]
    video, made = (job.result for job in jobs)
    assert isinstance(video, Finished) and isinstance(made, Finished) and made.seed == 5
    assert jobs[1].options == FinishOptions(video=Path(video.video), finish=asked.finish)
    assert read_record(Path(made.poster))["sources"][0]["request"]["finish"]["format"] == "gif"
    store.change(first, [Status.DONE], status=Status.WAITING, result=None)  # it died before it could say so
    worker.work(drain=True)
    assert len(store.jobs(list(Status))) == 2


def test_a_chain_that_cannot_be_costs_no_video(store: Store, queue: Queue, worker: Worker, clip: Path) -> None:
    values = {"start": "black", "seconds": 1, "sampling": {"steps": 1}, "finish": {"upscale": "gone"}}
    with pytest.raises(EichiError):
        add(queue, VideoOptions.parse(values))
    job = store.job(add(queue, chain(clip)))
    made = Finished(str(clip), "p.png", 1, 1, 1.0, 1)
    store.change(job.id, [Status.WAITING], kind="video", request=VideoOptions.parse(values).dump())
    claimed = store.claim(worker.runner)
    assert claimed is not None
    worker._chain(claimed, made, made)
    said = [entry.event for entry in store.events(job.id) if not isinstance(entry.event, Changed)]
    assert [one.id for one in said if isinstance(one, Adjusted)] == ["note.finish.failed"]
    assert len(store.jobs(list(Status))) == 1


def test_an_edit_gives_another_chain(store: Store, queue: Queue, clip: Path) -> None:
    id = add(queue, chain(clip))
    row = queue.edit(id, {"finish.speed": 2.0})
    assert row.plan.frames == COUNT // 2 and isinstance(row.options, FinishOptions)


def test_a_plan_as_programs_see_it(clip: Path) -> None:
    from eichi.finish.plan import make_finish_plan

    view = FinishPlanView.of(make_finish_plan(chain(clip, scale=2.0), load_settings().model_folders))
    assert (view.width, view.frames, view.parts, view.format) == (128, COUNT, 3, "mp4")
    assert view.memory > 0 and view.disk > 0 and view.notes
