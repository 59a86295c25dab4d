"""Workers agree on versions and weights before they take jobs: who joined first is right."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eichi.jobs.member import agree
from eichi.jobs.nodes import WorkerView
from eichi.jobs.schema import Draft
from eichi.jobs.store import Store
from eichi.jobs.worker import Worker
from eichi.models.prints import SAMPLE, SAMPLES, one_print, weights_prints
from eichi.settings import Settings, load_settings


def view(name: str, since: float, version: str = "eichi 2, torch 1", **models: str) -> WorkerView:
    return WorkerView(runner=name, node=name, device="cpu", version=version, models=models, since=since)


@pytest.mark.parametrize(
    ("others", "models", "why"),
    [
        ([], {"a", "b"}, None),
        ([view("x", 1, a="1", b="2")], {"a", "b"}, None),
        ([view("x", 1, a="9", b="2")], {"b"}, "waits.weights"),
        ([view("x", 9, a="9", b="2")], {"a", "b"}, None),  # that one joined later
        ([view("x", 1, c="9")], {"a", "b"}, None),
        ([view("x", 1, version="eichi 1, torch 1")], set(), "waits.version"),
        ([view("x", 1, a="1"), view("y", 2, version="eichi 1", a="9")], {"a", "b"}, None),  # which waits itself
    ],
)
def test_who_joined_first_is_right(others: list[WorkerView], models: set[str], why: str | None) -> None:
    agreed, waits = agree(view("me", 5, a="1", b="2"), others)
    assert (set(agreed), None if waits is None else waits.id) == (models, why)


def test_what_differs_is_said() -> None:
    _, waits = agree(view("me", 5, a="1"), [view("x", 1, version="eichi 2, torch 0")])
    assert waits is not None
    assert waits.say() == "Other versions than on x: there torch 0, here torch 1."
    assert agree(view("me", 5), [])[1] is not None  # who has no model says so


def test_weights_are_known_again_on_any_machine(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        with (folder / "a.safetensors").open("wb") as file:
            file.truncate(2 * SAMPLES * SAMPLE)
        (folder / "config.json").write_text("{}")
    (there / "README.md").write_text("changes nothing")
    os.utime(there / "config.json", (1, 1))

    def prints() -> list[str]:
        return [one_print(weights_prints({"vae": folder})) for folder in (here, there)]

    assert len(set(prints())) == 1
    with (there / "a.safetensors").open("r+b") as other:
        other.seek(SAMPLES * SAMPLE - SAMPLE // 2)  # in the middle
        other.write(b"x" * 2 * SAMPLE)
    assert len(set(prints())) == 2


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(load_settings().store) as store:
        yield store


def listed(store: Store) -> list[tuple[str, list[str], str | None]]:
    found = store.workers()
    return [(one.device, sorted(one.models), None if one.waits is None else one.waits.id) for one in found]


def test_a_worker_is_listed_while_it_works(store: Store) -> None:
    seen: list[list[tuple[str, list[str], str | None]]] = []

    class Looking(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            seen.append(listed(store))
            self.set()
            return True

    Worker(store, load_settings(), Looking()).work()
    assert seen == [[("cpu", ["tiny", "tiny-f1"], None)]]
    assert listed(store) == []


def test_it_takes_what_nobody_has_only_where_nobody_else_might_come(
    store: Store, drafts: Callable[[int], list[Draft]], tmp_path: Path
) -> None:
    (draft,) = drafts(1)
    store.add([Draft(**{**vars(draft), "request": {"model": "framepack"}})])
    alone, among = load_settings(), load_settings().given(place=str(tmp_path / "place"))
    assert [takes(store, settings) for settings in (alone, among)] == [True, False]


def takes(store: Store, settings: Settings) -> bool:
    member = Worker(store, settings, threading.Event()).member
    member.join()
    try:
        member.look()
        return store.claim(member.runner, member.models) is not None
    finally:
        store.leave(member.runner)
