"""What the tests of the page share: a desk that nobody works for, jobs as they would be in its store."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eichi.events import Started, Step
from eichi.jobs.schema import Job
from eichi.options import VideoOptions
from eichi.settings import load_settings
from eichi.web.desk import Desk
from tests.pictures import save_small
from tests.stores import new_store

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.web.browser import Server


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A browser for the tests of a module; where there is none, they are not run."""
    from tests.web.browser import browsing

    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Server]":
    """A server of a machine that nobody has used."""
    from tests.web.browser import serving

    with serving(tmp_path_factory.mktemp("machine")) as server:
        yield server


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small picture, wider than high, for the tests of a module."""
    return save_small(tmp_path_factory.mktemp("given") / "ball.png")


@pytest.fixture
def submitted() -> list[int]:
    """The jobs that somebody was to work for."""
    return []


@pytest.fixture
def desk(home: Path, submitted: list[int]) -> Iterator[Desk]:
    """A desk with a store of its own."""
    settings = load_settings()
    with new_store(settings.store) as store:
        yield Desk(settings, store, submitted.append)


@pytest.fixture
def video(picture: Path) -> VideoOptions:
    values = {"image": picture, "prompt": "<b>a red ball</b>", "seconds": 5, "seed": 7, "sampling": {"steps": 4}}
    return VideoOptions.parse(values)


def running(desk: Desk, job: Job, order: int = 1, step: int = 2) -> Job:
    """The job as it is while this process makes it."""
    from eichi.jobs.runner import new_runner

    taken = desk.store.claim(new_runner())
    assert taken is not None
    assert taken.id == job.id
    desk.store.record(taken, Started("tiny", 7, "cpu", 80, 48, 145, 4.83, 4))
    return desk.store.record(taken, Step(order, 4, step, 4))
