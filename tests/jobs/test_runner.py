"""Whether a worker lives is told from its name."""

import subprocess
import sys
import time

import pytest

from eichi.jobs import runner
from eichi.jobs.runner import LEASE, alive, new_runner

HOST, PID, STARTED, _ = new_runner().rsplit("/", 3)


def test_this_process_lives_and_its_workers_differ() -> None:
    one, two = new_runner(), new_runner()
    assert one != two
    assert alive(one, None, time.time())


def test_a_process_that_ended_does_not_live() -> None:
    code = "from eichi.jobs.runner import new_runner; print(new_runner(), flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None and process.stdin is not None
    name = process.stdout.readline().strip()
    assert alive(name, 0.0, time.time())
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    assert not alive(name, time.time(), time.time())


@pytest.mark.parametrize(
    ("name", "silence", "living"),
    [
        (f"{HOST}/{PID}/{float(STARTED) - 3600}/a", 0.0, False),  # its number was given to another process
        (f"elsewhere/{PID}/0/a", 1.0, True),
        (f"elsewhere/{PID}/0/a", LEASE + 1, False),
    ],
    ids=["reborn", "elsewhere", "silent"],  # the same in every process that collects
)
def test_names(name: str, silence: float, living: bool) -> None:
    assert alive(name, 1000.0 - silence, 1000.0) == living


def test_the_next_worker_of_a_container_has_the_number_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart takes seconds, and numbers begin anew: only the ticks tell the two apart."""
    monkeypatch.setattr(runner, "_ticks", lambda process: 1000)
    before = new_runner()
    assert alive(before, None, time.time())
    monkeypatch.setattr(runner, "_ticks", lambda process: 3000)
    assert not alive(before, time.time(), time.time())


def test_without_ticks_the_clock_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_ticks", lambda process: None)
    assert alive(new_runner(), None, time.time())
