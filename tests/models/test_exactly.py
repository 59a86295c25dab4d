"""Torch is told to repeat itself on a card alone; on a CPU nothing is changed."""

import os
from collections.abc import Iterator

import pytest
import torch

from eichi.models.exactly import CUBLAS, repeat


@pytest.fixture(autouse=True)
def before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Torch's settings as they were, afterwards."""
    monkeypatch.setenv(CUBLAS, "")
    monkeypatch.delenv(CUBLAS)
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
    torch.backends.cuda.enable_cudnn_sdp(True)


def told() -> tuple[bool, bool, bool, bool]:
    cudnn = torch.backends.cudnn.deterministic
    sdp = torch.backends.cuda.cudnn_sdp_enabled()
    return torch.are_deterministic_algorithms_enabled(), cudnn, sdp, CUBLAS in os.environ


def test_a_cpu_stays_as_it_is() -> None:
    repeat(torch.device("cpu"), True)
    assert told() == (False, False, True, False)


def test_a_card_repeats_itself_while_that_is_wanted() -> None:
    repeat(torch.device("cuda"), True)
    assert told() == (True, True, False, True)
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    repeat(torch.device("cuda"), False)
    assert told()[:3] == (False, False, True)
