"""Which job a worker takes: one that it can run, one whose model it holds where nobody waits too long for that."""

from collections.abc import Iterator

import pytest

from eichi.jobs.runner import new_runner
from eichi.jobs.schema import Draft, Job
from eichi.jobs.store import Store
from eichi.jobs.turn import PASSES, WINDOW
from eichi.jobs.view import Figures, Status

PLAN = Figures(model="tiny", width=80, height=48, sections=2, kept=0)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened


def add(store: Store, *models: str, priority: int = 0) -> list[int]:
    drafts = [Draft("video", {"model": model} if model else {}, PLAN, "key", "out") for model in models]
    return [job.id for job in store.add(drafts, priority)]


def taken(job: Job | None) -> int | None:
    return None if job is None else job.id


def test_a_worker_takes_what_it_can_run_and_no_other(store: Store) -> None:
    framepack, f1, unknown = add(store, "framepack", "f1", "")
    runner = new_runner()
    assert [store.waits(models) for models in (("f1",), None)] == [True, True]
    assert taken(store.claim(runner, ("f1",))) == f1
    assert taken(store.claim(runner, ("f1",))) == unknown
    assert not store.waits(("f1",))
    assert store.claim(runner, ("f1",)) is None
    assert store.claim(runner, ()) is None
    assert taken(store.claim(runner)) == framepack


def test_the_model_in_memory_comes_first_among_the_same_priority(store: Store) -> None:
    ids = add(store, "framepack", "f1", "framepack", "f1")
    urgent = add(store, "framepack", priority=1)[0]
    runner = new_runner()
    order = [taken(store.claim(runner, None, "f1")) for _ in range(5)]
    assert order == [urgent, ids[1], ids[3], ids[0], ids[2]]


def test_a_job_is_overtaken_a_bounded_number_of_times(store: Store) -> None:
    first, *_ = add(store, "framepack", *["f1"] * (PASSES + 2))
    runner = new_runner()
    order = [taken(store.claim(runner, ("f1", "framepack"), "f1")) for _ in range(PASSES + 1)]
    assert order.index(first) == PASSES
    # It waits again, as often as any other.
    row = store.end(store.job(first), Status.WAITING)
    assert row.overtaken == 0


def test_a_job_far_behind_overtakes_nobody(store: Store) -> None:
    first, *_ = add(store, *["framepack"] * WINDOW, "f1")
    assert taken(store.claim(new_runner(), None, "f1")) == first


def test_a_held_queue_gives_nothing_away(store: Store) -> None:
    add(store, "framepack", "f1")
    store.hold(True)
    assert store.claim(new_runner(), None, "f1") is None
    assert [job.overtaken for job in store.jobs()] == [0, 0]
