"""Of several workers for a device one works, and it gives the device back where it has nothing to do."""

import threading
from pathlib import Path
from queue import SimpleQueue

import pytest
import torch

from eichi.jobs import devices
from eichi.jobs.devices import locked, take
from eichi.jobs.queue import Queue
from eichi.jobs.schema import ELSEWHERE
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.jobs.worker import Worker
from eichi.options import VideoOptions
from eichi.settings import load_settings


@pytest.fixture
def store(queue: Queue) -> Store:
    return queue.store


@pytest.fixture
def video(picture: Path) -> VideoOptions:
    return VideoOptions.parse({"image": picture, "prompt": "p", "seed": 3, "seconds": 1, "sampling": {"steps": 1}})


def test_of_two_workers_for_a_device_one_works(queue: Queue, store: Store, video: VideoOptions, tmp_path: Path) -> None:
    (job,) = queue.add(queue.prepare([video], tmp_path / "out")[0])
    said: SimpleQueue[int] = SimpleQueue()
    second = Worker(store, load_settings(), threading.Event(), said.put)
    with locked(load_settings(), 1) as device:
        device.acquire()
        waiting = threading.Thread(target=second.work, args=(True,))
        waiting.start()
        assert said.get() == ELSEWHERE
        assert store.job(job.id).status == Status.WAITING
        assert waiting.is_alive()
        queue.skip(job.id)  # nothing waits any more
        waiting.join()
    assert said.empty()


def test_who_computes_with_two_cards_has_the_locks_of_both(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And has none while one is another's, who may want the other, too."""
    monkeypatch.setattr(devices, "pick_device", torch.device)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    settings = load_settings().given(device="cuda", gpus=2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with locked(settings.given(gpus=1), 1) as one:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
        with locked(settings, 1) as both:
            assert take(one)
            assert not take(both)
            one.release()
            assert take(both)
            assert not take(one)


class Once(threading.Event):
    """An event that is there as soon as somebody waits for it."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def test_where_nothing_waits_nothing_is_said_of_another_worker(store: Store) -> None:
    said: list[int] = []
    Worker(store, load_settings(), Once(), said.append).work()
    assert said == []


def test_a_worker_without_work_gives_the_device_and_its_memory_back(
    queue: Queue, store: Store, video: VideoOptions, tmp_path: Path
) -> None:
    (job,) = queue.add(queue.prepare([video], tmp_path / "out")[0])
    leaving = threading.Event()
    worker = Worker(store, load_settings(), leaving)
    worker.rest = 0.0
    working = threading.Thread(target=worker.work)
    working.start()
    try:
        list(store.follow(job.id))
        with locked(load_settings(), 1) as device:
            device.acquire(timeout=60)
            assert worker._components is None
    finally:
        leaving.set()
        working.join()
