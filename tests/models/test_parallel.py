"""One transformer in two processes gives what it gives in one. Gloo gathers equal shares only, NCCL any."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

from eichi.models.parallel import share
from tests import small
from tests.models.test_stepcache import call

PROCESSES = 2


def alone() -> Any:
    torch.manual_seed(0)
    return small.transformer()


def work(rank: int, folder: str) -> None:
    """One of the processes: what it made goes into a file."""
    os.environ |= {"GLOO_SOCKET_IFNAME": "lo"}
    torch.set_num_threads(1)
    # The library divides by the number of accelerators, of which there are none here.
    torch.accelerator.device_count = lambda: 1
    file = f"file://{folder}/meeting"
    distributed.init_process_group("gloo", init_method=file, rank=rank, world_size=PROCESSES)
    transformer = alone()
    share(transformer, PROCESSES)
    torch.save([call(transformer, seed, 500.0, words=4, half=4) for seed in range(2)], f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_gloo_available(), reason="gloo is not there")
def test_two_processes_are_one(tmp_path: Path) -> None:
    transformer = alone()
    expected = [call(transformer, seed, 500.0, words=4, half=4) for seed in range(2)]
    spawn(work, (str(tmp_path),), nprocs=PROCESSES)
    for rank in range(PROCESSES):
        made = torch.load(tmp_path / f"{rank}.pt")
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(made, expected, strict=True))
