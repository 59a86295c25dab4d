"""One contract for every executor, and for the process what only a process can do: die, and be replaced."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from eichi.errors import InputError, RunError
from eichi.events import Changed, Finished, Message, SectionDone, Started, Step
from eichi.jobs.executors import EXECUTORS, Executor, open_executor
from eichi.jobs.executors.local import LocalExecutor
from eichi.jobs.queue import Queue
from eichi.jobs.view import Status, Told
from eichi.options import VideoOptions
from eichi.settings import load_settings


@pytest.fixture(params=[name for name in EXECUTORS if name != "ray"])  # which needs a cluster, see `test_ray`
def executor(queue: Queue, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor]:
    monkeypatch.setenv("EICHI_EXECUTOR", request.param)
    opened = open_executor(queue.store, load_settings())
    yield opened
    opened.close()


def add(queue: Queue, picture: Path, seconds: float) -> int:
    """A job of several sections, half a second each."""
    values: dict[str, Any] = {"image": picture, "prompt": "p", "seed": 3, "section_size": 0.5, "seconds": seconds}
    drafts, _ = queue.prepare([VideoOptions.parse(values | {"sampling": {"steps": 2}})], Path("out"))
    return queue.add(drafts)[0].id


def until(entries: Iterator[Told], kind: type[Message]) -> Told:
    return next(entry for entry in entries if isinstance(entry.event, kind))


def digest(queue: Queue, id: int) -> str:
    job = queue.store.job(id)
    assert job.status == Status.DONE, job.view().message
    assert isinstance(job.result, Finished)
    return hashlib.sha256(Path(job.result.video).read_bytes()).hexdigest()


def test_the_contract(executor: Executor, queue: Queue, picture: Path) -> None:
    contract(executor, queue, picture)


def contract(executor: Executor, queue: Queue, picture: Path) -> None:
    """What every executor does; it is closed in the end."""
    first, second = add(queue, picture, 0.5), add(queue, picture, 5)
    with pytest.raises(InputError, match="is waiting"):
        executor.cancel(second)
    # submit: the events of a job from its first to its last, and again
    live = [entry for entry in executor.submit(first) if not isinstance(entry.event, Step)]
    assert [entry.number for entry in live] == list(range(1, len(live) + 1))
    assert live[-1].event == Changed("done")
    assert list(executor.submit(first)) == live
    # cancel: a job that runs stops
    entries = executor.submit(second)
    until(entries, Started)
    executor.cancel(second)
    assert list(entries)[-1].event == Changed("stopped")
    # close: a job that runs is left as it is, to go on
    said = queue.resume(second).said
    until((entry for entry in executor.submit(second) if entry.number > said), Started)
    executor.close()
    assert queue.store.job(second).status == Status.WAITING


def test_a_killed_worker_is_replaced_and_the_bytes_are_the_same(queue: Queue, picture: Path) -> None:
    first, second = add(queue, picture, 1.5), add(queue, picture, 1.5)
    executor = LocalExecutor(queue.store, load_settings())
    try:
        entries = executor.submit(first)
        until(entries, SectionDone)
        (killed,) = executor.pids
        psutil.Process(killed).kill()
        rest = [entry.event for entry in entries]
        list(executor.submit(second))
        assert executor.pids != (killed,)
    finally:
        executor.close()
    assert Changed("waiting") in rest
    assert [event for event in rest if isinstance(event, SectionDone) and event.computed == 0]
    assert digest(queue, first) == digest(queue, second)


def test_a_worker_that_cannot_start_is_told(queue: Queue, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    id = add(queue, picture, 0.5)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    executor = LocalExecutor(queue.store, load_settings())
    with pytest.raises(RunError, match="ended with code 1"):
        list(executor.submit(id))
    with pytest.raises(RunError, match="ended with code 1"):
        list(executor.drain())
    executor.close()
    assert queue.store.job(id).status == Status.WAITING


def test_the_process_that_serves_people_never_imports_torch(queue: Queue, picture: Path) -> None:
    code = """
import sys
from pathlib import Path
from eichi.jobs.batch import Batch, expand
from eichi.jobs.executors.local import LocalExecutor
from eichi.jobs.queue import Queue
from eichi.jobs.store import Store
from eichi.options import VideoOptions
from eichi.settings import load_settings
settings = load_settings()
with Store(settings.store) as store:
    queue, executor = Queue(store, settings.model_folders), LocalExecutor(store, settings)
    options = VideoOptions.parse({"image": sys.argv[1], "seconds": 1})
    drafts, total = queue.prepare(expand(options, Batch(count=2)), Path("out"))
    one, two = queue.add(drafts)
    queue.hold(one.id), queue.resume(one.id), queue.move(one.id, to=2), queue.edit(two.id, {"seconds": 2})
    queue.skip(one.id), queue.retry(one.id), queue.clone(one.id), queue.store.events(one.id), queue.remove(one.id)
    executor.close()
print(sorted({"torch", "diffusers", "transformers"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code, str(picture)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
