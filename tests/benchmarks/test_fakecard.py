"""The card that is not there, as far as it needs no CUDA build: what is counted, when memory ends, what is told."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.fakecard.count import LENGTH, Counter
from benchmarks.fakecard.cuda import card
from benchmarks.fakecard.page import page, place
from benchmarks.fakecard.parts import Nothing
from benchmarks.fakecard.walked import Walked, keep, kept
from eichi.models.source import fill
from eichi.plan.memory import GIB, Placement

KIB = 2**10


def bytes_of(count: int) -> Tensor:
    return torch.empty(count, dtype=torch.uint8)


def test_what_lives_counts_once_until_it_dies() -> None:
    with FakeTensorMode(), Counter("cpu") as counter:
        counter.phase = "first"
        one = bytes_of(KIB)
        view = one[:10]
        assert counter.live == KIB
        del one
        assert counter.live == KIB  # the view has it
        counter.phase = "second"
        two = bytes_of(2 * KIB)
        del view
        assert counter.live == 2 * KIB
        del two
    assert (counter.live, counter.peak) == (0, 3 * KIB)
    assert dict(counter.peaks) == {"first": KIB, "second": 3 * KIB}


def test_memory_ends_as_on_a_card() -> None:
    with FakeTensorMode(), Counter("cpu", 2 * KIB) as counter:
        one = bytes_of(KIB)
        with pytest.raises(torch.OutOfMemoryError):
            bytes_of(2 * KIB)
        assert counter.live == KIB
        assert bytes_of(KIB).shape == one.shape


def test_what_a_thread_does_counts_beside_what_comes_after() -> None:
    with FakeTensorMode(), Counter("cpu") as counter:
        with counter.aside():
            bytes_of(3 * KIB)
        kept_one = bytes_of(KIB)
        assert (counter.live, counter.peak) == (KIB, 4 * KIB)
        counter.beside = 0
        counter.restart()
        counter.take(KIB)
        assert counter.peak == 2 * KIB
        del kept_one


def test_what_is_asked_of_numbers() -> None:
    with FakeTensorMode(), Counter("cpu"):
        some = torch.empty(4)
        assert bool(some.isfinite().all())
        assert float(some.sum()) == 0.0
        assert some[: some.sum(dtype=torch.int)].shape == (4,)
        assert int(some.sum(dtype=torch.int)) == LENGTH
        assert torch.tensor(2.5).item() == 2.5  # a constant is one
        assert not some.is_pinned()
        assert some.pin_memory().is_pinned()


def test_a_network_is_filled_with_nothing_and_moves() -> None:
    """Networks move by `.data`, which leaves a fake tensor where it was without the stand-in."""
    counter = Counter("cpu")
    with card(counter, lambda: float(GIB)):
        network = nn.Linear(4, 2, device="meta")
        shapes = {"weight": (2, 4), "bias": (2,)}
        fill(network, Nothing("transformer", shapes, torch.float16), torch.float16)
        assert network.weight.dtype == torch.float16
        moved = torch.empty(2, 4, dtype=torch.float16, device="cuda")
        network.weight.data = moved
        assert network.weight.device.type == "cuda"
        assert torch.cuda.mem_get_info() == (GIB, GIB)
        with torch.inference_mode():
            assert torch.empty(2).numpy().tolist() == [0.0, 0.0]
    assert not torch.is_inference(torch.empty(1))


def walk(counted: int = 9, planned: float = 10.0, **others: object) -> Walked:
    told = {"kind": "way", "name": "a", "side": 640, "card": 8.0, "placement": Placement("streamed", 3, pinned=True)}
    return Walked(**told | {"counted": {"words": counted}, "planned": {"words": planned}} | others)  # type: ignore[arg-type]


def test_what_is_wrong_is_said() -> None:
    assert walk().wrong == ""
    assert walk(8).wrong == "counted / forecast is 0.800"
    assert walk(11).wrong == "counted / forecast is 1.100"
    assert walk(11, kind="told").wrong == ""  # of the tries before, too
    assert walk(blocks=3).wrong == "3 streamed blocks at once"
    assert walk(fault="x").wrong == "x"


def test_walks_are_kept_and_told(tmp_path: Path) -> None:
    walks = [walk(), walk(11, card=12.0), walk(kind="placed", name="b", words=("note.memory.lower",))]
    keep(walks, tmp_path / "build" / "walks.json")
    assert kept(tmp_path / "build" / "walks.json") == walks
    assert kept(tmp_path / "none.json") == []
    text = page(walks)
    assert "| | 8 GB | 12 GB |" in text
    assert "**1.10**" in text and "0.90" in text
    assert "* a, 640, 12 GB: counted / forecast is 1.100" in text
    assert place(walks[0].placement) == "streamed 3, pinned, beside"
