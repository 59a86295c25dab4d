"""The store's contract, on every database: one truth for any number of processes."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from eichi.errors import InputError, StoreError
from eichi.events import Adjusted, Changed, Finished, Message, SectionDone, Started, Step, dump
from eichi.jobs.runner import new_runner
from eichi.jobs.schema import Draft
from eichi.jobs.store import ATTEMPTS, Lost, Store
from eichi.jobs.view import Ask, Problem, Status, Told

Drafts = Callable[[int], list[Draft]]

FULL, NORMAL = 2, 1  # how SQLite waits for the disk

STARTED = Started("tiny", 1, "cpu", 80, 48, 37, 1.2, 2)
FINISHED = Finished("v.mp4", "v.png", 1, 37, 1.2, 2)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened


def elsewhere(code: str, *words: str) -> subprocess.Popen[str]:
    """A process of its own that has `Store`, `new_runner` and its arguments."""
    head = "import sys, json\nfrom eichi.jobs.store import Store\nfrom eichi.jobs.runner import new_runner\n"
    command = [sys.executable, "-c", head + code, *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> list[Any]:
    """What a process printed, a JSON value a line, once it has ended well."""
    out, _ = process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


def said(entries: list[Told]) -> list[Message]:
    return [entry.event for entry in entries]


def test_jobs_wait_in_the_order_they_came(store: Store, drafts: Drafts) -> None:
    first, second = store.add(drafts(2), batch="b")
    third = store.add(drafts(1), priority=1)[0]
    assert [job.status for job in (first, second, third)] == [Status.WAITING] * 3
    assert [job.id for job in store.jobs()] == [third.id, first.id, second.id]
    assert store.jobs(batch="b") == [first, second]
    assert store.job(first.id) == first
    with pytest.raises(InputError, match="no job 99"):
        store.job(99)


def test_what_was_told_of_a_job_outlasts_a_power_cut(home: Path, drafts: Drafts) -> None:
    with Store(f"sqlite:///{home / 'jobs.db'}") as store:
        modes: list[int] = []

        @sa.event.listens_for(store._engine, "commit")
        def committed(connection: sa.Connection) -> None:
            modes.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

        store.add(drafts(1))
        job = store.claim(new_runner())
        assert job is not None
        store.record(job, STARTED)
        store.end(job, Status.DONE, FINISHED)
        assert modes == [FULL, NORMAL, NORMAL, FULL]
        if os.name != "nt":
            paths = [home, *home.iterdir()]
            assert len(paths) == 4
            assert [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in paths] == [0] * 4


def test_a_full_disk_takes_nothing_and_harms_nothing(home: Path, drafts: Drafts) -> None:
    """SQLite's own word for it; a worker waits for room, see there."""
    with Store(f"sqlite:///{home / 'jobs.db'}") as store:
        store.add(drafts(1))
        job = store.claim(new_runner())
        assert job is not None
        full = True

        @sa.event.listens_for(store._engine, "checkout")
        def taken(connection: Any, *_: object) -> None:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages if full else 2**30}")

        count = 0
        with pytest.raises(StoreError, match=r"disk is full\).*free space"):
            while count < 1000:
                store.record(job, Adjusted("note.seconds", {"asked": count, "real": "x" * 500}))
                count += 1
        assert 0 < count < 1000
        assert len(store.events(job.id)) == store.job(job.id).said == count + 2
        full = False
        store.end(job, Status.DONE, FINISHED)
        assert store.job(job.id).status == Status.DONE


def test_the_number_of_a_removed_job_is_not_given_again(store: Store, drafts: Drafts) -> None:
    gone = store.add(drafts(1))[0]
    store.remove(gone.id)
    assert store.find(gone.id) is None
    assert store.events(gone.id) == []
    assert store.add(drafts(1))[0].id > gone.id


def test_a_claim_takes_the_next_job_and_no_other(store: Store, drafts: Drafts) -> None:
    low, high = store.add(drafts(1))[0], store.add(drafts(1), priority=5)[0]
    one, two = new_runner(), new_runner()
    taken = store.claim(one)
    assert taken is not None
    assert (taken.id, taken.status, taken.runner, taken.attempts) == (high.id, Status.RUNNING, one, 1)
    other = store.claim(two)
    assert other is not None
    assert (other.id, other.runner) == (low.id, two)
    assert store.claim(one) is None


def test_every_job_has_a_place_of_its_own(store: Store, drafts: Drafts) -> None:
    made = [*store.add(drafts(2)), *store.add(drafts(1))]
    assert [job.position for job in made] == sorted({job.position for job in made})
    store.place(made[2].id, to=1)
    taken = [store.claim(new_runner()) for _ in made]
    assert [job.id for job in taken if job is not None] == [made[2].id, made[0].id, made[1].id]


def test_a_worker_tells_of_its_own_job_alone(store: Store, drafts: Drafts) -> None:
    store.add(drafts(2))
    one, other = store.claim(new_runner()), store.claim(new_runner())
    assert one is not None and one.runner is not None and other is not None
    for job in (one, other):
        store.change(job.id, (Status.RUNNING,), beat=0.0)
    store.beat(one.runner)
    store.record(one, Step(0, 2, 1, 2))
    mine, theirs = store.job(one.id), store.job(other.id)
    assert mine.beat is not None and mine.beat > 0.0
    assert (theirs.beat, theirs.progress) == (0.0, None)
    step = next(entry for entry in store.follow(one.id, after=mine.said))
    assert (step.event, step.number) == (Step(0, 2, 1, 2), mine.said)
    assert step.time > one.created


def test_a_held_queue_gives_nothing(store: Store, drafts: Drafts) -> None:
    store.add(drafts(1))
    store.hold(True)
    assert store.held
    assert store.claim(new_runner()) is None
    store.hold(False)
    assert store.claim(new_runner()) is not None


def test_processes_share_a_store(url: str, drafts: Drafts) -> None:
    """Four processes make the store, fill it and empty it at the same time: every job is taken once."""
    code = """
from eichi.jobs.schema import Draft
from eichi.jobs.view import Figures
plan = Figures(model="tiny", width=80, height=48, sections=2, kept=0)
with Store(sys.argv[1]) as store:
    store.add([Draft("video", {"prompt": str(i)}, plan, "k", "out") for i in range(5)])
    print("ready" and json.dumps("ready"), flush=True)
    sys.stdin.readline()
    runner = new_runner()
    while (job := store.claim(runner)) is not None:
        print(json.dumps(job.id))
"""
    processes = [elsewhere(code, url) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == "ready"
    taken = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        taken += ended(process)
    with Store(url) as store:
        assert sorted(taken) == sorted(job.id for job in store.jobs((Status.RUNNING, Status.WAITING)))
        numbers = [[entry.number for entry in store.events(job)] for job in taken]
    assert len(taken) == 20
    assert numbers == [[1, 2]] * 20


def test_what_is_said_is_kept_in_order_and_steps_only_the_latest(store: Store, drafts: Drafts) -> None:
    id = store.add(drafts(1))[0].id
    job = store.claim(new_runner())
    assert job is not None
    store.record(job, STARTED)
    for step in (1, 2):
        row = store.record(job, Step(0, 2, step, 2))
    assert row.progress == Step(0, 2, 2, 2)
    store.record(job, SectionDone(0, 0, 2, 2, 0))
    row = store.end(job, Status.DONE, FINISHED, result=dump(FINISHED))
    assert (row.status, row.runner, row.progress, row.result) == (Status.DONE, None, None, FINISHED)
    assert row.ended is not None
    kept = store.events(id)
    assert [(entry.job, entry.number) for entry in kept] == [(id, number) for number in range(1, 7)]
    expected = [STARTED, SectionDone(0, 0, 2, 2, 0), FINISHED]
    assert said(kept) == [Changed("waiting"), Changed("running"), *expected, Changed("done")]


def test_followers_replay_from_anywhere_and_in_any_process(store: Store, url: str, drafts: Drafts) -> None:
    code = """
from eichi.events import dump
with Store(sys.argv[1]) as store:
    for entry in store.follow(int(sys.argv[2])):
        print(json.dumps([entry.number, dump(entry.event)]), flush=True)
"""
    id = store.add(drafts(1))[0].id
    process = elsewhere(code, url, str(id))
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == [1, dump(Changed("waiting"))]
    job = store.claim(new_runner())
    assert job is not None
    assert json.loads(process.stdout.readline()) == [2, dump(Changed("running"))]
    store.record(job, Step(0, 2, 1, 2))
    assert json.loads(process.stdout.readline()) == [2, dump(Step(0, 2, 1, 2))]
    store.record(job, STARTED)
    store.end(job, Status.DONE, FINISHED)
    seen = [entry for entry in ended(process) if entry[1]["kind"] != "step"]
    here = list(store.follow(id))
    assert [[entry.number, dump(entry.event)] for entry in here[2:]] == seen
    assert list(store.follow(id, after=4)) == here[4:]


def test_following_ends_when_the_job_is_removed(store: Store, drafts: Drafts) -> None:
    id = store.add(drafts(1))[0].id
    entries = store.follow(id)
    next(entries)
    store.remove(id)
    assert list(entries) == []


def test_only_the_worker_that_has_a_job_tells_of_it(store: Store, drafts: Drafts) -> None:
    store.add(drafts(1))
    job = store.claim(new_runner())
    assert job is not None
    store.end(job, Status.WAITING)
    with pytest.raises(Lost):
        store.record(job, STARTED)
    with pytest.raises(Lost):
        store.end(job, Status.DONE)
    assert store.job(job.id).status == Status.WAITING


def test_a_change_needs_the_right_state(store: Store, drafts: Drafts) -> None:
    id = store.add(drafts(1))[0].id
    assert store.change(id, (Status.WAITING,), status=Status.HELD).status == Status.HELD
    with pytest.raises(InputError, match="is paused"):
        store.change(id, (Status.WAITING,), status=Status.HELD)
    assert said(store.events(id)) == [Changed("waiting"), Changed("held")]


def test_a_job_at_work_cannot_be_removed(store: Store, drafts: Drafts) -> None:
    store.add(drafts(1))
    job = store.claim(new_runner())
    assert job is not None
    with pytest.raises(InputError, match="is running"):
        store.remove(job.id)


def claimed_and_died(url: str) -> None:
    """A worker claims the next job and is no more."""
    ended(elsewhere("with Store(sys.argv[1]) as store: store.claim(new_runner())", url))


def test_a_job_whose_worker_died_waits_again(store: Store, url: str, drafts: Drafts) -> None:
    dead, alive = store.add(drafts(2))
    claimed_and_died(url)
    assert store.job(dead.id).status == Status.RUNNING
    mine = store.claim(new_runner())
    assert mine is not None and mine.id == alive.id
    assert [job.id for job in store.recover()] == [dead.id]
    row = store.job(dead.id)
    assert (row.status, row.runner) == (Status.WAITING, None)
    assert store.job(alive.id).status == Status.RUNNING
    assert store.recover() == []


def test_a_follower_finds_a_dead_worker(store: Store, url: str, drafts: Drafts) -> None:
    id = store.add(drafts(1))[0].id
    claimed_and_died(url)
    entries = list(store.follow(id, until=lambda job: not job.status.active))
    assert said(entries) == [Changed("waiting"), Changed("running"), Changed("waiting")]


def test_a_job_that_kills_its_workers_has_failed(store: Store, url: str, drafts: Drafts) -> None:
    id = store.add(drafts(1))[0].id
    for _ in range(ATTEMPTS):
        claimed_and_died(url)
        store.recover()
    row = store.job(id)
    assert row.status == Status.FAILED
    assert row.error == Problem(id="error.job.died", values={"attempts": ATTEMPTS})
    assert row.error is not None and row.error.say() == str(InputError("error.job.died", attempts=ATTEMPTS))


def test_a_job_that_gets_on_may_lose_any_number_of_workers(store: Store, drafts: Drafts) -> None:
    id = store.add(drafts(1))[0].id
    for order in range(2 * ATTEMPTS):
        job = store.claim("elsewhere/1/0/x")
        assert job is not None
        store.record(job, SectionDone(order, order, 9, 25, 0))
        store.change(id, (Status.RUNNING,), beat=0.0)
        store.recover()
    assert store.job(id).status == Status.WAITING
    for _ in range(ATTEMPTS):
        job = store.claim("elsewhere/1/0/x")
        assert job is not None
        store.record(job, SectionDone(0, 0, 9, 0, 0), beat=0.0)  # made before, and found again
        store.recover()
    assert store.job(id).status == Status.FAILED


def test_a_dead_worker_that_was_to_stop_has_stopped(store: Store, url: str, drafts: Drafts) -> None:
    id = store.add(drafts(1))[0].id
    claimed_and_died(url)
    store.change(id, (Status.RUNNING,), status=Status.STOPPING, ask=Ask.NOW)
    store.recover()
    assert store.job(id).status == Status.STOPPED


def test_the_newest_measures_are_found(store: Store, drafts: Drafts) -> None:
    store.add(drafts(3))
    for pace in (1.0, 2.0, None):
        job = store.claim(new_runner())
        assert job is not None
        store.end(job, Status.DONE, pace=pace)
    assert store.paces("key") == [2.0, 1.0]
    assert store.paces("another") == []


def test_values_of_any_language_come_back(store: Store, drafts: Drafts) -> None:
    store.add(drafts(1))
    job = store.claim(new_runner())
    assert job is not None
    note = Adjusted("note.prompt.cut", {"limit": 256, "cut": "猫 кот 🐈\n"})
    store.record(job, note)
    assert store.events(job.id)[-1].event == note


def test_sqlite_is_set_up_for_many(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'deep' / 'jobs.db'}") as store, store.reading() as connection:
        pragmas = ("journal_mode", "foreign_keys", "busy_timeout")
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    assert found == ["wal", 1, 30_000]


def test_what_is_written_anew_within_seconds_is_not_waited_for(store: Store, drafts: Drafts) -> None:
    """On a server; all else is on its disk before anybody goes on."""
    if store.url.get_backend_name() == "sqlite":
        return
    asked, told = store.writing, list[tuple[str, bool]]()

    @contextmanager
    def writing(*given: bool, **named: bool) -> Iterator[sa.Connection]:
        with asked(*given, **named) as connection:
            told.append((connection.scalar(sa.text("SHOW synchronous_commit")), bool(named.get("passing"))))
            yield connection

    store.writing = writing  # type: ignore[method-assign]
    store.add(drafts(1))
    job = store.claim(new_runner())
    assert job is not None
    store.record(job, Step(0, 1, 1, 2))
    store.beat(str(job.runner))
    store.record(job, SectionDone(0, 0, 1, 2, 0))
    store.record(job, checkpoint="out/.x.parts")
    assert told == [("on", False)] * 2 + [("off", True)] * 2 + [("on", False)] * 2
