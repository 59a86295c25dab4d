"""What every test stands on: a home and a working folder of its own, nothing from the developer's machine."""

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

# One thread each: tests run side by side, and on small weights threads wait for each other more than they work.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from hypothesis import settings

from tests.hub import Hub, serve, use
from tests.machine import NO_BROWSER, chromium
from tests.pictures import save_small
from tests.program import Result, Run
from tests.published import repositories

# Deadlines would time the machine, a database would write beside the tests.
settings.register_profile("eichi", deadline=None, database=None, derandomize=True, max_examples=50)
settings.load_profile("eichi")


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """One more than there are cores: a test that waits for a browser, a worker or a cluster leaves its own free."""
    return (yield) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Some 800,000 objects come and stay while all modules are read. Garbage collection does not look through them
    again and again, neither now nor in the tests, where each time would take half a second.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests first, the journeys before all, so that none is left alone at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, item.path.parent.name != "web"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many journeys through the page have not run, and what they need."""
    left = sum(NO_BROWSER in str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
    if left:
        terminalreporter.write_line(
            f"Not run for want of a browser: {left} journeys through the page. Install Chromium (on Debian and Ubuntu "
            "`apt install chromium`, anywhere `.venv/bin/python -m playwright install chromium`) and run again."
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where a browser is required, as in CI, a run without one has failed."""
    if os.environ.get("REQUIRE_BROWSER") and chromium() is None and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """EICHI_HOME and the hub's cache below `tmp_path`, which is also the working folder; no other variable of ours."""
    for name in list(os.environ):
        if name.startswith(("EICHI_", "HF_")):
            monkeypatch.delenv(name)
    home, hub = tmp_path / "home", tmp_path / "hub"
    monkeypatch.setenv("EICHI_HOME", str(home))
    monkeypatch.setenv("HF_HOME", str(hub))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # The hub library read its variables when it was first imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub / "hub"))
    monkeypatch.chdir(tmp_path)
    # No folder of another program on the developer's machine.
    monkeypatch.setattr("eichi.models.comfy.bases", lambda: ())
    return home


@pytest.fixture
def eichi(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The program, called with words, as `Result`."""
    from eichi.cli import main

    def run(*words: object) -> Result:
        monkeypatch.setattr("sys.argv", ["eichi", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        assert isinstance(end.value.code, int)
        return Result(end.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small picture, wider than high."""
    return save_small(tmp_path / "picture.png")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub of this machine with the published repositories, small, which the hub library asks."""
    with serve(repositories()) as hub:
        use(hub, monkeypatch)
        yield hub
