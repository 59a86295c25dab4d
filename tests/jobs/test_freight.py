"""A job goes to another machine and comes home: here several homes of one, each with a name of its own."""

import hashlib
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from eichi.events import Finished, SectionDone
from eichi.jobs.freight import Freight
from eichi.jobs.homecoming import Homecoming
from eichi.jobs.places import FolderPlace, Place
from eichi.jobs.queue import Queue
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.jobs.worker import Worker
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import Settings, load_settings


@pytest.fixture
def settings(home: Path, tmp_path: Path) -> Settings:
    return load_settings().given(place=str(tmp_path / "place"), outputs=tmp_path / "out")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return FolderPlace(tmp_path / "place")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store(settings.store) as store:
        yield store


@pytest.fixture
def at_home(settings: Settings, place: Place) -> Freight:
    return Freight(settings, place, "desk")


@pytest.fixture
def queue(store: Store, settings: Settings, at_home: Freight) -> Queue:
    return Queue(store, settings.model_folders, at_home)


@pytest.fixture
def video(tmp_path: Path) -> VideoOptions:
    folder = tmp_path / "mine"
    folder.mkdir()
    Image.linear_gradient("L").resize((96, 64)).convert("RGB").save(folder / "start.png")
    values: dict[str, Any] = {"image": folder / "start.png", "prompt": "p", "seed": 3, "seconds": 1}
    return VideoOptions.parse(values | {"section_size": 0.5, "sampling": {"steps": 2}})


def add(queue: Queue, settings: Settings, options: VideoOptions | FrameOptions) -> Job:
    return queue.add(queue.prepare([options], settings.outputs)[0])[0]


@pytest.fixture
def worker(store: Store, settings: Settings) -> Worker:
    """One for all machines: its model is loaded once."""
    return Worker(store, settings, threading.Event())


def work(worker: Worker, name: str, home: Path, leaves: bool = False) -> None:
    """Let it work on a machine of that name, with a home of its own; it `leaves` after its first section there."""
    worker.leaving.clear()
    worker.freight = Freight(worker.settings.given(home=home), worker.freight.place, name)
    send = worker.freight.send

    def sending(job: Job, prints: Mapping[str, str]) -> None:
        send(job, prints)
        worker.leaving.set()

    if leaves:
        worker.freight.send = sending  # type: ignore[method-assign]
    worker.work(drain=True)


def results(folder: Path) -> dict[str, str]:
    """What there is of results, by their endings."""
    found = sorted(path for path in folder.iterdir() if path.is_file())
    return {path.name[17:]: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_a_job_goes_on_elsewhere_from_its_last_section_and_comes_home(
    worker: Worker, queue: Queue, settings: Settings, at_home: Freight, video: VideoOptions, tmp_path: Path
) -> None:
    store = queue.store
    undisturbed = add(queue, settings, video)
    work(worker, "desk", tmp_path / "home")
    expected = results(settings.outputs)
    assert len(expected) == 2
    queue.remove(undisturbed.id, files=True)

    job = add(queue, settings, video)
    assert (job.node, list(job.inputs or {})) == ("desk", [str(video.image)])
    work(worker, "near", tmp_path / "near", leaves=True)
    row = store.job(job.id)
    assert (row.status, str(Path(str(row.checkpoint)).parent)) == (Status.WAITING, str(settings.outputs))
    assert list((tmp_path / "near" / "away").iterdir()) == []

    at_home.mirror(row)  # its page shows what is made
    assert (store.job(job.id).made, store.job(job.id).begun) == (1, True)

    shutil.rmtree(video.image.parent)  # type: ignore[union-attr]  # nobody needs the original any more
    work(worker, "far", tmp_path / "far")
    row = store.job(job.id)
    assert (row.status, row.view().message) == (Status.DONE, None)
    done = [entry.event for entry in store.events(job.id) if isinstance(entry.event, SectionDone)]
    assert [event.computed > 0 for event in done] == [True, False, True, True][: len(done)]
    assert isinstance(row.result, Finished)
    assert Path(row.result.video).parent == settings.outputs
    assert Homecoming(store, at_home).look() == [job.id]
    assert results(settings.outputs) == expected
    assert Path(row.result.video).is_file()
    assert store.job(job.id).made == row.plan.sections  # others can be built on it
    assert [path for path in (tmp_path / "place").rglob("*") if path.is_file() and "inputs" not in path.parts] == []
    assert Homecoming(store, at_home).look() == []
