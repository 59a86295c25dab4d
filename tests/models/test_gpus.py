"""What cannot be shared out among GPUs is refused before anything is loaded."""

from pathlib import Path

import pytest
import torch

from eichi.catalog import ModelFolders, find
from eichi.errors import DeviceError, OptionError
from eichi.models.device import neighbours
from eichi.models.gpus import check_gpus
from eichi.models.kernels import choose
from eichi.settings import Runtime


def runtime(folder: Path, **values: object) -> Runtime:
    return Runtime(ModelFolders(folder), **values)  # type: ignore[arg-type]


def test_heads_are_dealt_out_evenly(tmp_path: Path) -> None:
    for gpus in (1, 2, 4):
        check_gpus(find("tiny"), runtime(tmp_path, gpus=gpus))
    check_gpus(find("framepack"), runtime(tmp_path, gpus=8))
    with pytest.raises(OptionError, match="2, 4") as caught:
        check_gpus(find("tiny"), runtime(tmp_path, gpus=3))
    assert caught.value.id == "error.gpus.heads"


def test_compiled_blocks_are_for_one(tmp_path: Path) -> None:
    check_gpus(find("tiny"), runtime(tmp_path, compiled=True))
    with pytest.raises(OptionError):
        check_gpus(find("tiny"), runtime(tmp_path, compiled=True, gpus=2))


def test_who_computes_beside_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert neighbours(cpu, 3) == (cpu, cpu, cpu)
    with pytest.raises(DeviceError) as caught:
        neighbours(torch.device("mps"), 2)
    assert caught.value.id == "error.gpus.kind"
    monkeypatch.setattr("torch.distributed.is_nccl_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert neighbours(torch.device("cuda:1"), 2) == (torch.device("cuda:1"), torch.device("cuda:2"))
    with pytest.raises(DeviceError) as caught:
        neighbours(torch.device("cuda"), 4)
    assert (caught.value.id, caught.value.values) == ("error.gpus.few", {"gpus": 4, "found": 3})


def test_a_kernel_that_cannot_exchange_is_dropped_with_a_word() -> None:
    choice = choose(torch.device("cpu"), "xformers", alone=False)
    assert (choice.kernel, choice.dropped) == ("native", ("xformers", "shared"))
