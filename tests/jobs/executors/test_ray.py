"""The executor on Ray: its keeper as a script that says what it is told, and once a real one."""

import stat
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from eichi.errors import InputError, RunError
from eichi.events import Changed, SectionDone
from eichi.jobs.executors import open_executor, ray
from eichi.jobs.executors.local import LocalExecutor
from eichi.jobs.executors.ray import RayExecutor
from eichi.jobs.queue import Queue
from eichi.jobs.runner import new_runner
from eichi.jobs.view import Status
from eichi.settings import Settings, load_settings
from tests.jobs.executors.test_executors import add, contract, digest, until

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or find_spec("ray") is None, reason="the extra ray is not installed"
)

Scripted = Callable[[str], RayExecutor]


@pytest.fixture
def settings(home: Path) -> Settings:
    return load_settings().given(executor="ray")


@pytest.fixture
def scripted(queue: Queue, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """Executors whose keeper is a script; what it says on standard error is lost."""
    program, opened = tmp_path / "keeper", list[RayExecutor]()
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(ray, "AGAIN", 0.0)

    def make(script: str) -> RayExecutor:
        program.write_text(f"#!/bin/sh\necho x >>{tmp_path}/starts\n{script}\n")
        program.chmod(0o755)
        opened.append(RayExecutor(queue.store, settings))
        return opened[-1]

    yield make
    for executor in opened:
        executor.close()


def starts(tmp_path: Path) -> int:
    path = tmp_path / "starts"
    return len(path.read_text().split()) if path.exists() else 0


def test_the_setting_names_the_executor(queue: Queue, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_executor(queue.store, load_settings()), LocalExecutor)
    assert isinstance(open_executor(queue.store, settings), RayExecutor)
    monkeypatch.setattr(ray, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="not installed"):
        open_executor(queue.store, settings)


def test_a_job_is_followed_while_there_are_workers(scripted: Scripted, queue: Queue, picture: Path) -> None:
    job = add(queue, picture, 0.5)
    entries = scripted("echo 1; cat").submit(job)
    assert next(entries).event == Changed("waiting")
    row = queue.store.claim(new_runner())
    assert row is not None and next(entries).event == Changed("running")
    queue.store.end(row, Status.DONE)
    assert [entry.event for entry in entries] == [Changed("done")]


def test_what_waits_is_told_as_it_is_taken(scripted: Scripted, queue: Queue, picture: Path) -> None:
    first, second = add(queue, picture, 0.5), add(queue, picture, 0.5)
    taken = scripted("echo 1; cat").drain()
    row = queue.store.claim(new_runner())
    assert row is not None and next(taken) == first
    queue.store.end(row, Status.DONE)
    row = queue.store.claim(new_runner())
    assert row is not None
    queue.store.end(row, Status.DONE)  # taken and ended between two looks
    assert list(taken) == [second]


def test_why_there_is_no_worker_is_told_to_who_waits(
    scripted: Scripted, queue: Queue, picture: Path, tmp_path: Path
) -> None:
    job = add(queue, picture, 0.5)
    said = '{"id": "error.ray.labels", "values": {"labels": "a=b", "known": "c=d"}}'
    with pytest.raises(RunError, match="c=d"):
        list(scripted(f"echo '{said}'; exit 1").submit(job))
    assert starts(tmp_path) == 1
    assert queue.store.job(job).status == Status.WAITING


def test_a_keeper_that_dies_without_a_word_is_tried_a_few_times(
    scripted: Scripted, queue: Queue, picture: Path, tmp_path: Path
) -> None:
    job = add(queue, picture, 0.5)
    with pytest.raises(RunError, match="code 3"):
        list(scripted("exit 3").submit(job))
    assert starts(tmp_path) == ray.TRIES


def test_a_keeper_that_dies_with_its_cluster_is_started_again_until_there_is_one(
    scripted: Scripted, queue: Queue, picture: Path, tmp_path: Path
) -> None:
    """The head was lost; at first nobody answers, later another one does."""
    job = add(queue, picture, 0.5)
    said = '{"id": "error.ray.reach", "values": {"address": "a:1", "reason": "reason.os.refused"}}'
    turns = f"case $(wc -l <{tmp_path}/starts) in 1) echo 2; exit 1;; 5) echo 2; cat;; *) echo '{said}'; exit 1;; esac"
    entries = scripted(turns).submit(job)
    next(entries)
    while starts(tmp_path) < 5:
        pass
    row = queue.store.claim(new_runner())
    assert row is not None
    queue.store.end(row, Status.DONE)
    assert [entry.event for entry in entries][-1] == Changed("done")


def test_nobody_is_told_and_nobody_comes_in(
    scripted: Scripted, queue: Queue, picture: Path, settings: Settings, tmp_path: Path
) -> None:
    list(scripted(f"env >{tmp_path}/env; exit 0").submit(add(queue, picture, 0.5)))
    told = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
    assert (told["RAY_USAGE_STATS_ENABLED"], told["RAY_AUTH_MODE"]) == ("0", "token")
    token = Path(told["RAY_AUTH_TOKEN_PATH"])
    assert token.parent.parent == settings.home and len(token.read_text()) == 64
    assert stat.S_IMODE(token.stat().st_mode) == 0o600


def test_workers_of_a_cluster_go_on_and_only_those_are_started_alone(
    queue: Queue, settings: Settings, scripted: Scripted
) -> None:
    own = scripted("exit 0")
    assert not own.lasting
    with pytest.raises(InputError):
        own.stop()
    cluster = RayExecutor(queue.store, settings.given(ray_address="head:6379"))
    assert cluster.lasting
    cluster.start()
    said = '{"id": "error.ray.store", "values": {"store": "sqlite"}}'
    scripted(f"echo '{said}'; exit 1")
    with pytest.raises(RunError, match="PostgreSQL"):
        cluster.stop()


@pytest.mark.slow
def test_on_ray(queue: Queue, settings: Settings, picture: Path) -> None:
    """One instance for all that is tried of it: it takes half a minute to start."""
    first, second = add(queue, picture, 1), add(queue, picture, 1)
    executor = RayExecutor(queue.store, settings)
    try:
        entries = executor.submit(first)
        until(entries, SectionDone)
        runner = queue.store.job(first).runner
        assert runner is not None
        psutil.Process(int(runner.split("/")[1])).kill()
        rest = [entry.event for entry in entries]
        list(executor.submit(second))
        assert Changed("waiting") in rest
        assert digest(queue, first) == digest(queue, second)
        assert [event for event in rest if isinstance(event, SectionDone) and event.computed == 0]
        contract(executor, queue, picture)
    finally:
        executor.close()
    assert executor.pid is not None and not psutil.pid_exists(executor.pid)
    assert queue.store.workers() == []
