"""The list of workers: what each tells of itself, with the job that it has; the dead are not on it."""

import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from eichi.jobs.nodes import WorkerView
from eichi.jobs.runner import LEASE, new_runner
from eichi.jobs.schema import Draft, workers
from eichi.jobs.store import Store
from eichi.jobs.view import Problem, Status
from tests.postgres import Database

AWAY = "elsewhere/1/0/x"  # on another machine, so that its signs of life decide


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened


def test_a_worker_is_listed_with_what_it_says_and_does(store: Store, drafts: Callable[[int], list[Draft]]) -> None:
    runner = new_runner()
    worker = WorkerView(runner=runner, node="here", device="cuda:1", models={"f1": "abc"}, kernels=("sdpa",))
    store.join(worker)
    store.join(WorkerView(runner=AWAY, node="elsewhere", device="cpu"))
    assert [one.node for one in store.workers()] == ["elsewhere", "here"]
    listed = store.workers()[1]
    assert listed == worker.model_copy(update={"beat": listed.beat})
    store.add(drafts(1))
    job = store.claim(runner)
    assert job is not None
    assert store.tell(runner, holds="f1", waits=Problem(id="error.device.none", values={}))
    told = store.workers()[1]
    assert (told.holds, told.job, told.since, told.models) == ("f1", job.id, worker.since, {"f1": "abc"})
    assert told.waits is not None and told.waits.id == "error.device.none"
    assert told.beat > worker.beat
    store.end(job, Status.DONE)
    assert store.workers()[1].job is None
    store.leave(runner)
    assert [one.runner for one in store.workers()] == [AWAY]


def test_who_was_silent_for_a_lease_is_forgotten_and_joins_again(store: Store) -> None:
    worker = WorkerView(runner=AWAY, node="elsewhere", device="cpu")
    store.join(worker)
    with store.writing() as connection:
        connection.execute(sa.update(workers).values(beat=workers.c.beat - 2 * LEASE))
    assert store.workers() == []
    assert not store.beat(AWAY)
    assert not store.tell(AWAY, holds="f1")
    store.join(worker)
    assert store.beat(AWAY)
    assert [one.runner for one in store.workers()] == [AWAY]


def test_clocks_that_are_apart_bury_nobody(
    server: Database, drafts: Callable[[int], list[Draft]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two machines with a server the one may be an hour ahead of the other: the server's time counts."""
    url, clock = server(), time.time
    with Store(url) as here, Store(url) as there:
        monkeypatch.setattr("time.time", lambda: clock() + 3600)
        here.join(WorkerView(runner=AWAY, node="elsewhere", device="cpu"))
        here.add(drafts(1))
        job = here.claim(AWAY)
        assert job is not None
        for hours in (0, 2):
            monkeypatch.setattr("time.time", lambda ahead=hours * 3600: clock() + ahead)
            assert [one.job for one in there.workers()] == [job.id]
            assert there.recover() == []
        assert abs((job.started or 0.0) - clock()) < LEASE


def test_a_damaged_row_hides_no_other(store: Store) -> None:
    for node in ("one", "two"):
        store.join(WorkerView(runner=f"{node}/1/0/x", node=node, device="cpu"))
    with store.writing() as connection:
        connection.execute(sa.update(workers).where(workers.c.node == "one").values(body={"models": 5}))
    assert [one.node for one in store.workers()] == ["two"]
    assert not store.tell("one/1/0/x", holds="f1")
