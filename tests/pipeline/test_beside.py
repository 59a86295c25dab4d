"""Latents are decoded while the caller goes on; frames come where they are asked for, and so do errors."""

import threading

import numpy as np
import pytest
import torch
from torch import Tensor

from eichi.errors import DeviceError
from eichi.pipeline.beside import Beside, Run

CPU = torch.device("cpu")
LATENTS = torch.zeros(1, 16, 1, 2, 2)


class Slow:
    """Gives a frame for every run, once it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.thread = ""
        self.inference = False

    def push(self, first: int, latents: Tensor) -> Run | None:
        self.thread, self.inference = threading.current_thread().name, torch.is_inference_mode_enabled()
        assert self.go.wait(60), "nobody went on while this was decoded"
        return first, np.full((1, 2, 2, 3), first, dtype=np.uint8)


class Broken:
    def push(self, first: int, latents: Tensor) -> Run | None:
        raise torch.OutOfMemoryError("no room")


class Silent:
    def push(self, first: int, latents: Tensor) -> Run | None:
        return None


def test_the_caller_goes_on() -> None:
    slow = Slow()
    with Beside(lambda: slow, CPU) as beside:
        beside.push(3, LATENTS)
        slow.go.set()  # only a caller that has come back can do this
        (event,) = beside.take()
    assert (event.first, event.frames[0, 0, 0, 0]) == (3, 3)
    assert slow.thread.startswith("decode")
    assert slow.inference


def test_frames_are_taken_once() -> None:
    slow = Slow()
    slow.go.set()
    with Beside(lambda: slow, CPU) as beside:
        assert list(beside.take()) == []
        beside.push(0, LATENTS)
        assert [event.first for event in beside.take()] == [0]
        assert list(beside.take()) == []
        beside.push(1, LATENTS)
        with pytest.raises(AssertionError):
            beside.push(2, LATENTS)


def test_a_run_may_make_nothing_final() -> None:
    with Beside(Silent, CPU) as beside:
        beside.push(0, LATENTS)
        assert list(beside.take()) == []


def test_an_error_is_raised_where_the_frames_are_taken() -> None:
    with Beside(Broken, CPU) as beside:
        beside.push(0, LATENTS)
        with pytest.raises(DeviceError, match="vae"):
            list(beside.take())


def test_nothing_runs_on_after_the_end() -> None:
    slow = Slow()
    with pytest.raises(KeyboardInterrupt), Beside(lambda: slow, CPU) as beside:
        beside.push(0, LATENTS)
        slow.go.set()
        raise KeyboardInterrupt
    assert not any(thread.name.startswith("decode") for thread in threading.enumerate())
