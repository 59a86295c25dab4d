"""Latents are decoded while the caller goes on; frames come where they are asked for, and so do errors."""

import threading
from copy import copy
from typing import Self

import numpy as np
import pytest
import torch
from torch import Tensor

from eichi.catalog import ModelFolders, find
from eichi.errors import DeviceError
from eichi.events import Adjusted, FramesReady
from eichi.models.load import Components
from eichi.pipeline.background import BackgroundDecoder, FrameRun
from eichi.plan.memory import GIB, Machine, Need, Placement
from eichi.settings import Runtime

LATENTS = torch.zeros(1, 16, 1, 2, 2)


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Components:
    return Components(find("tiny"), Runtime(ModelFolders(tmp_path_factory.mktemp("models")), "cpu"))


class Forks:
    """A decoder that has nothing to lose."""

    repeated = 0

    def fork(self) -> Self:
        return self


class Slow(Forks):
    """Gives a frame for every run, once it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.thread = ""
        self.inference = False

    def push(self, first: int, latents: Tensor) -> FrameRun | None:
        self.thread, self.inference = threading.current_thread().name, torch.is_inference_mode_enabled()
        assert self.go.wait(60), "nobody went on while this was decoded"
        return first, np.full((1, 2, 2, 3), first, dtype=np.uint8)


class Counting(Forks):
    """Gives a frame, and its value is the number of cores that it was made with."""

    def push(self, first: int, latents: Tensor) -> FrameRun | None:
        return first, np.full((1, 2, 2, 3), torch.get_num_threads(), dtype=np.uint8)


class Broken(Forks):
    def push(self, first: int, latents: Tensor) -> FrameRun | None:
        raise torch.OutOfMemoryError("no room")


class Silent(Forks):
    def push(self, first: int, latents: Tensor) -> FrameRun | None:
        return None


def test_the_caller_goes_on(components: Components) -> None:
    slow = Slow()
    with BackgroundDecoder(lambda: slow, components) as beside:
        beside.push(3, LATENTS)
        slow.go.set()  # only a caller that has come back can do this
        (event,) = beside.take()
    assert isinstance(event, FramesReady)
    assert (event.first, event.frames[0, 0, 0, 0]) == (3, 3)
    assert slow.thread.startswith("decode")
    assert slow.inference


@pytest.mark.parametrize(("cores", "half"), [(1, 1), (2, 1), (5, 2)])
def test_each_side_has_half_of_the_cores(components: Components, cores: int, half: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(cores)
    try:
        with BackgroundDecoder(Counting, components) as beside:
            assert torch.get_num_threads() == half
            beside.push(0, LATENTS)
            (event,) = beside.take()
        assert isinstance(event, FramesReady)
        assert event.frames.max() == half
        assert torch.get_num_threads() == cores
    finally:
        torch.set_num_threads(before)


def test_frames_are_taken_once(components: Components) -> None:
    slow = Slow()
    slow.go.set()
    with BackgroundDecoder(lambda: slow, components) as beside:
        assert list(beside.take()) == []
        beside.push(0, LATENTS)
        assert [type(event) for event in beside.take()] == [FramesReady]
        assert list(beside.take()) == []
        beside.push(1, LATENTS)
        with pytest.raises(AssertionError):
            beside.push(2, LATENTS)


def test_a_run_may_make_nothing_final(components: Components) -> None:
    with BackgroundDecoder(Silent, components) as beside:
        beside.push(0, LATENTS)
        assert list(beside.take()) == []


def test_an_error_is_raised_where_the_frames_are_taken(components: Components) -> None:
    with BackgroundDecoder(Broken, components) as beside:
        beside.push(0, LATENTS)
        with pytest.raises(DeviceError, match="VAE"):
            list(beside.take())


def test_nothing_runs_on_after_the_end(components: Components) -> None:
    slow = Slow()
    with pytest.raises(KeyboardInterrupt), BackgroundDecoder(lambda: slow, components) as beside:
        beside.push(0, LATENTS)
        slow.go.set()
        raise KeyboardInterrupt
    assert not any(thread.name.startswith("decode") for thread in threading.enumerate())


class Tight(Slow):
    """Runs out of memory once, half-way: what it took in until then is not to count."""

    def __init__(self) -> None:
        super().__init__()
        self.go.set()
        self.failed: list[int] = []
        self.taken: tuple[int, ...] = ()

    def fork(self) -> Self:
        return copy(self)

    def push(self, first: int, latents: Tensor) -> FrameRun | None:
        self.taken += (first,)
        if not self.failed:
            self.failed.append(first)
            raise torch.OutOfMemoryError
        assert self.taken == tuple(range(first + 1))
        return super().push(first, latents)


def test_memory_that_ran_out_is_tried_again_with_less_taken_by_the_weights(components: Components) -> None:
    components.arrange(Need(64, 64), Machine(80 * GIB, 64 * GIB))
    with BackgroundDecoder(Tight, components) as beside:
        beside.push(0, LATENTS)
        assert [type(event) for event in beside.take()] == [Adjusted, FramesReady]
        beside.push(1, LATENTS)
        assert [type(event) for event in beside.take()] == [FramesReady]
    assert components.placement.level != "all"


def test_without_room_for_both_it_is_decoded_where_it_is_taken(
    components: Components, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components, "placement", Placement("streamed", 1, beside=False))
    slow = Slow()
    with BackgroundDecoder(lambda: slow, components) as beside:
        beside.push(0, LATENTS)
        slow.go.set()
        assert [type(event) for event in beside.take()] == [FramesReady]
    assert slow.thread == threading.current_thread().name
