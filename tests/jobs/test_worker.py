"""What a worker makes of a job, and what it does when something is asked of it: the embedded model, a few steps."""

import hashlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from eichi.catalog import find
from eichi.errors import ModelError
from eichi.events import (
    Changed,
    Event,
    Failed,
    Finished,
    FrameDrawn,
    FrameFinished,
    FramesReady,
    FrameStarted,
    SectionDone,
    Step,
    Stopped,
)
from eichi.jobs.queue import Queue
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import Ask, Status
from eichi.jobs.worker import Worker
from eichi.logs import OURS, logging_to, read_logs
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import load_settings, write_settings
from eichi.video.jobfolder import JobFolder
from tests.jobs.damage import WAYS, write
from tests.pictures import save_small

SECTIONS = 3


class Asking(Store):
    """A store with a user who does something the moment the count-th event of a kind was kept."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.when: tuple[type[Event], int] | None = None
        self.then: Callable[[int], object] = lambda id: None

    def ask(self, kind: type[Event], count: int, then: Callable[[int], object]) -> None:
        self.when, self.then = (kind, count), then

    def record(self, job: Job, event: Event | None = None, **values: Any) -> Job:
        row = super().record(job, event, **values)
        if self.when is not None and isinstance(event, self.when[0]):
            self.when = (self.when[0], self.when[1] - 1)
            if self.when[1] == 0:
                self.when = None
                self.then(job.id)
                row = super().record(job)
        return row


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small(tmp_path_factory.mktemp("pictures") / "start.png")


@pytest.fixture
def video(pictures: Path) -> VideoOptions:
    values: dict[str, Any] = {"image": pictures, "prompt": "p", "seed": 3, "seconds": 2, "section_size": 0.5}
    return VideoOptions.parse(values | {"sampling": {"steps": 2}})


@pytest.fixture(scope="module")
def kept() -> Iterator[list[Worker]]:
    """The worker of this module, once there is one: its model is loaded once."""
    yield []


@pytest.fixture
def store(home: Path) -> Iterator[Asking]:
    with Asking(load_settings().store) as store:
        yield store


@pytest.fixture
def queue(store: Asking) -> Queue:
    return Queue(store, load_settings().model_folders)


@pytest.fixture
def worker(store: Asking, kept: list[Worker]) -> Worker:
    settings = load_settings()
    if not kept:
        kept.append(Worker(store, settings, threading.Event()))
    kept[0].store, kept[0].settings, kept[0].leaving = store, settings, threading.Event()
    return kept[0]


def add(queue: Queue, *options: VideoOptions | FrameOptions) -> list[int]:
    drafts, _ = queue.prepare(options, Path("out"))
    return [job.id for job in queue.add(drafts)]


def kinds(store: Store, id: int) -> list[str]:
    """What a job said: the states that it came into, the kinds of all else."""
    said = [entry.event for entry in store.events(id)]
    return [event.status if isinstance(event, Changed) else event.kind for event in said]


def digest(job: Job) -> str:
    assert isinstance(job.result, Finished)
    return hashlib.sha256(Path(job.result.video).read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def whole() -> dict[str, str]:
    """The digest of the video that nothing interrupted, once it is made."""
    return {}


@pytest.fixture
def expected(worker: Worker, queue: Queue, video: VideoOptions, whole: dict[str, str]) -> str:
    if "digest" not in whole:
        id = add(queue, video)[0]
        worker.work(drain=True)
        whole["digest"] = digest(queue.store.job(id))
        queue.remove(id)
    return whole["digest"]


def test_a_job_from_beginning_to_end(worker: Worker, queue: Queue, video: VideoOptions) -> None:
    id = add(queue, video)[0]
    taken: list[int] = []
    worker.taken = taken.append
    worker.work(drain=True)
    job = queue.store.job(id)
    assert taken == [id]
    assert (job.status, job.runner, job.error, job.begun) == (Status.DONE, None, None, False)
    assert isinstance(job.result, Finished)
    assert Path(job.result.video).parent == Path("out").absolute()
    assert job.pace is not None and job.pace > 0
    said = kinds(queue.store, id)
    assert said[:2] + said[-2:] == ["waiting", "running", "finished", "done"]
    assert said.count("section_done") == SECTIONS
    assert not {"step", "latents_ready", "preview"} & set(said)
    assert sorted(path.suffix for path in Path("out").iterdir()) == [".made", ".mp4", ".png"]


def test_the_model_stays_for_the_next_job(worker: Worker, queue: Queue, video: VideoOptions) -> None:
    add(queue, video, video)
    loaded = []
    worker.taken = lambda id: loaded.append(worker._components)
    worker.work(drain=True)
    loaded.append(worker._components)
    assert loaded[1] is not None
    assert loaded[1] is loaded[2]


def test_stop_now_keeps_what_is_finished_and_resume_goes_on(
    worker: Worker, queue: Queue, store: Asking, video: VideoOptions, expected: str
) -> None:
    id = add(queue, video)[0]
    store.ask(FramesReady, 1, queue.stop)
    worker.work(drain=True)
    job = store.job(id)
    assert (job.status, job.begun) == (Status.STOPPED, True)
    assert isinstance(job.result, Stopped)
    assert str(job.result.video).endswith("_stopped.mp4")
    said = [entry.event for entry in store.events(id)][-3:]
    assert said == [Changed("stopping"), job.result, Changed("stopped")]
    queue.resume(id)
    worker.work(drain=True)
    job = store.job(id)
    assert (job.status, job.begun) == (Status.DONE, False)
    assert digest(job) == expected


@pytest.mark.parametrize(("step", "sections"), [(1, 1), (2, 1), (3, 2)])
def test_stop_after_this_section(
    worker: Worker, queue: Queue, store: Asking, video: VideoOptions, step: int, sections: int
) -> None:
    id = add(queue, video)[0]
    store.ask(Step, step, lambda job: queue.stop(job, Ask.SECTION))
    worker.work(drain=True)
    assert store.job(id).status == Status.STOPPED
    assert kinds(store, id).count("section_done") == sections


def test_stop_after_the_last_section_is_the_whole_video(
    worker: Worker, queue: Queue, store: Asking, video: VideoOptions, expected: str
) -> None:
    id = add(queue, video)[0]
    store.ask(Step, 2 * SECTIONS, lambda job: queue.stop(job, Ask.SECTION))
    worker.work(drain=True)
    assert store.job(id).status == Status.DONE
    assert digest(store.job(id)) == expected


def test_stop_after_this_job(worker: Worker, queue: Queue, store: Asking, video: VideoOptions) -> None:
    first, second = add(queue, video, video)
    store.ask(Step, 1, lambda job: queue.hold_all())
    worker.work(drain=True)
    assert [store.job(id).status for id in (first, second)] == [Status.DONE, Status.WAITING]


@pytest.mark.parametrize(("kind", "count"), [(Step, 1), (SectionDone, 1), (Step, 4), (SectionDone, SECTIONS)])
def test_pause_and_resume_give_the_same_bytes(
    worker: Worker, queue: Queue, store: Asking, video: VideoOptions, expected: str, kind: type[Event], count: int
) -> None:
    id = add(queue, video)[0]
    store.ask(kind, count, queue.hold)
    worker.work(drain=True)
    job = store.job(id)
    assert (job.status, job.result) == (Status.HELD, None)
    assert job.begun == ((kind, count) != (Step, 1))
    assert list(Path("out").glob("[!.]*")) == []
    queue.resume(id)
    worker.work(drain=True)
    assert digest(store.job(id)) == expected


def test_a_worker_that_leaves_lets_the_job_wait(
    worker: Worker, queue: Queue, store: Asking, video: VideoOptions, expected: str
) -> None:
    first, second = add(queue, video, video)
    store.ask(SectionDone, 1, lambda job: worker.leaving.set())
    worker.work()
    assert [(store.job(id).status, store.job(id).attempts) for id in (first, second)] == [(Status.WAITING, 0)] * 2
    worker.leaving.clear()
    worker.work(drain=True)
    assert [digest(store.job(id)) for id in (first, second)] == [expected] * 2


def test_a_job_that_was_taken_over_is_let_go(worker: Worker, queue: Queue, store: Asking, video: VideoOptions) -> None:
    id = add(queue, video)[0]
    store.ask(SectionDone, 1, lambda job: store.end(store.job(id), Status.HELD))
    worker.work(drain=True)
    assert store.job(id).status == Status.HELD
    assert kinds(store, id)[-2:] == ["section_done", "held"]


def test_an_error_is_the_job_s_and_the_next_one_runs(
    worker: Worker, queue: Queue, store: Asking, video: VideoOptions, tmp_path: Path
) -> None:
    lost = tmp_path / "lost.png"
    Image.new("RGB", (64, 64)).save(lost)
    bad, good = add(queue, video.model_copy(update={"image": lost}), video)
    lost.unlink()
    worker.work(drain=True)
    job = store.job(bad)
    assert (job.status, job.view().message) == (
        Status.FAILED,
        f"There is no image {lost}. Check the name and the folder.",
    )
    assert kinds(store, bad)[-2:] == ["failed", "failed"]
    assert store.job(good).status == Status.DONE


def test_an_unexpected_error_is_recorded(worker: Worker, queue: Queue, store: Asking, video: VideoOptions) -> None:
    id = add(queue, video)[0]

    def break_(job: int) -> None:
        raise ZeroDivisionError("by nobody")

    store.ask(SectionDone, 1, break_)
    worker.work(drain=True)
    job = store.job(id)
    assert job.status == Status.FAILED
    assert "ZeroDivisionError: by nobody" in str(job.view().message)
    assert job.begun


def test_a_single_image(worker: Worker, queue: Queue, store: Asking, pictures: Path) -> None:
    frame = FrameOptions.parse({"image": pictures, "seed": 1, "sampling": {"steps": 2}})
    done, stopped, paused = add(queue, frame, frame, frame)
    store.hold(False)
    queue.hold(paused)
    queue.hold(stopped)
    worker.work(drain=True)
    job = store.job(done)
    assert job.status == Status.DONE
    assert isinstance(job.result, FrameFinished)
    assert Path(job.result.image).is_file()
    assert "frame_drawn" in kinds(store, done)
    for id, ask, status in ((stopped, queue.stop, Status.STOPPED), (paused, queue.hold, Status.HELD)):
        queue.resume(id)
        store.ask(FrameDrawn, 1, ask)
        worker.work(drain=True)
        assert store.job(id).status == status
    assert len(list(Path("out").iterdir())) == 1
    queue.resume(paused)
    worker.work(drain=True)
    assert store.job(paused).status == Status.DONE


def test_a_look_at_the_work_is_its_pictures_side_by_side_and_no_wait_for_the_disk(
    worker: Worker, queue: Queue, store: Asking, video: VideoOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eichi.jobs.worker.GLANCE", 0.0)
    waited: set[str] = set()

    def wait(number: int) -> None:
        node = os.fstat(number).st_ino
        waited.update(path.name for path in Path("out").rglob("*.part") if path.stat().st_ino == node)

    monkeypatch.setattr(os, "fsync", wait)
    seen: list[tuple[int, int]] = []

    def look(job: int) -> None:
        with Image.open(JobFolder(Path(str(store.job(job).checkpoint))).preview) as image:
            seen.append(image.size)

    (id,) = add(queue, video)
    store.ask(SectionDone, 1, look)
    worker.work(drain=True)
    plan = store.job(id).plan
    assert seen == [(5 * plan.width // 8, plan.height // 8)]  # half a second is five latents
    assert ".job.json.part" in waited
    assert ".preview.png.part" not in waited


def test_what_a_job_says_is_in_the_log(worker: Worker, queue: Queue, video: VideoOptions) -> None:
    (id,) = add(queue, video)
    settings = load_settings()
    with logging_to(settings, "worker-cpu"):
        worker.work(drain=True)
    said = read_logs(settings)
    assert f"INFO #{id} " in said
    assert f"WARNING #{id} " in said  # that there is no GPU
    assert f"#{id} Done: " in said


def test_a_worker_s_own_settings_count(
    queue: Queue, store: Asking, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its models, its device and all that a model is run with are those that it was given, whatever else is set."""
    tiny = find("tiny").root
    home = tmp_path / "own"
    for part, source in find("framepack").parts.items():
        assert tiny is not None and source.repository is not None
        place = home / "models" / source.repository / source.folder
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(tiny / part, place, dirs_exist_ok=True)
    given = {"home": home, "device": "cpu", "vae_tile": 192, "preserve_gb": 9.0, "attention": "chunked"}
    own = load_settings().model_copy(update=given)
    values = {"model": "framepack", "image": pictures, "resolution": 384, "seed": 1, "sampling": {"steps": 1}}
    with pytest.raises(ModelError, match="framepack"):
        add(queue, FrameOptions.parse(values))
    (id,) = add(Queue(store, own.model_folders), FrameOptions.parse(values))
    for name in ("DEVICE", "VAE_TILE", "PRESERVE_GB", "ATTENTION"):
        monkeypatch.setenv(f"EICHI_{name}", "no such thing")
    worker = Worker(store, own, threading.Event())
    store.ask(FrameStarted, 1, queue.stop)  # all is loaded; what is drawn is drawn as ever
    worker.work(drain=True)
    assert store.job(id).status == Status.STOPPED, store.job(id).view().message
    parts = worker._components
    assert parts is not None and parts.runtime == own.runtime
    assert (parts.vae.tile_sample_min_height, parts.kernels.wanted) == (192, "chunked")
    assert list((home / "cache").rglob("*.safetensors"))


def test_settings_that_change_between_two_jobs_count_from_the_next(
    worker: Worker, queue: Queue, store: Asking, video: VideoOptions, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "settings_now", load_settings)
    first = add(queue, video.model_copy(update={"seconds": 0.5}))[0]
    worker.work(drain=True)
    before = worker._components
    write_settings(home, {"attention": "chunked"})
    second = add(queue, video.model_copy(update={"seconds": 0.5}))[0]
    worker.work(drain=True)
    assert worker._components is not before
    assert worker.settings.attention == worker.member.settings.attention == "chunked"
    (home / "settings.json").write_text("{")  # in the middle of being written by hand
    third = add(queue, video.model_copy(update={"seconds": 0.5}))[0]
    worker.work(drain=True)
    assert {store.job(id).status for id in (first, second, third)} == {Status.DONE}


def test_who_is_paused_has_lost_no_worker(worker: Worker, queue: Queue, store: Asking, video: VideoOptions) -> None:
    id = add(queue, video)[0]
    store.ask(Step, 1, queue.hold)
    worker.work(drain=True)
    assert (store.job(id).status, store.job(id).attempts) == (Status.HELD, 0)


def test_a_damaged_job_fails_in_a_sentence_and_the_next_one_runs(
    worker: Worker, queue: Queue, store: Asking, video: VideoOptions
) -> None:
    # What is taken is written anew, so that damage in it is mended; what has no state any more is not taken.
    mended = ("beat", "attempts", "ask", "runner", "said", "version", "ended", "status")
    ways = [way for way in WAYS if way[0] not in mended]
    drafts = queue.prepare([video], Path("out"))[0]
    bad = [job.id for job in queue.add(drafts * len(ways))]
    (good,) = (job.id for job in queue.add(drafts))
    for id, (name, value) in zip(bad, ways, strict=True):
        write(store, id, **{name: value})
    taken: list[int] = []
    worker.taken = taken.append
    worker.work(drain=True)
    assert sorted(taken) == [*bad, good]
    for id, (name, value) in zip(bad, ways, strict=True):
        failed = [entry.event for entry in store.events(id)][-2]
        assert isinstance(failed, Failed), (name, value)
        assert failed.id in ("error.job.damaged", "error.option.unknown", "error.option.coding"), (name, value)
        assert store.job(id).status == Status.FAILED
        queue.remove(id)
    assert [(job.id, job.status) for job in store.jobs()] == [(good, Status.DONE)]


class Closed:
    """A store whose database takes nothing the next so many times that it is asked."""

    def __init__(self, store: Store) -> None:
        self.left = 0
        sa.event.listen(store._engine, "checkout", self.asked)

    def asked(self, connection: Any, *_: object) -> None:
        self.left -= self.left > 0
        connection.execute(f"PRAGMA query_only = {int(self.left > 0)}")


def test_a_store_that_takes_nothing_for_a_while_costs_nothing(
    worker: Worker, queue: Queue, store: Asking, video: VideoOptions, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    worker.again = 0.0
    closed = Closed(store)
    first, second = add(queue, video, video)
    for id, kind in ((first, Step), (second, Finished)):
        closed.left = 4  # already when it is claimed
        store.ask(kind, 1, lambda job: setattr(closed, "left", 7))
        with caplog.at_level(logging.ERROR, OURS):
            worker.work(drain=True)
        closed.left = 0
        assert digest(store.job(id)) == expected
    assert store.job(first).attempts == 0
    said = [record.getMessage() for record in caplog.records]
    assert 2 <= len(said) <= 4  # each time once, not with every try
    assert all("it is read-only" in text for text in said)


def test_a_worker_may_leave_a_store_that_takes_nothing(
    worker: Worker, queue: Queue, store: Asking, video: VideoOptions, expected: str
) -> None:
    worker.again = 0.0
    closed = Closed(store)
    (id,) = add(queue, video)

    def close(job: int) -> None:
        closed.left = 10**9
        worker.leaving.set()

    store.ask(SectionDone, 1, close)
    worker.work()
    closed.left = 0
    job = store.job(id)
    assert (job.status, job.runner, job.begun) == (Status.RUNNING, worker.runner, True)
    # Whoever finds that the worker has gone gives the job to the next one.
    write(store, id, runner=f"{socket.gethostname()}/1/0/a")
    worker.leaving.clear()
    worker.work(drain=True)
    assert digest(store.job(id)) == expected


# Two workers in one process, which loads what they need once; each has a home of its own.
ENDED = """
import os, sys
from eichi.jobs import worker
ended = 0
for os.environ["EICHI_HOME"] in sys.argv[1:3]:
    try:
        worker.main()
    except SystemExit as end:
        ended += end.code
sys.exit(ended)
"""


def test_workers_that_cannot_begin_end_without_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged, locked = tmp_path / "damaged", tmp_path / "locked"
    for home in (damaged, locked):
        home.mkdir()
    (damaged / "jobs.db").write_text("no database, but long enough for a header" * 9)
    (locked / "devices").write_bytes(b"in the way")
    command = [sys.executable, "-c", ENDED, str(damaged), str(locked), "--drain"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    for home, said in ((damaged, "is damaged. eichi jobs repair"), (locked, "Nothing can be written to")):
        monkeypatch.setenv("EICHI_HOME", str(home))
        assert said in read_logs(load_settings())
