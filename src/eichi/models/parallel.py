"""One transformer in several processes, for one video: each has all weights and a share of the tokens.

diffusers' context parallelism with a plan of our own, since it has none for this transformer. Tokens are shared out
where the first block begins and put together where the last one ends; what tells a token its place goes with it, into
every block. Inside, attention exchanges tokens for heads ("Ulysses"). The order of tokens does not matter to attention,
so pictures and text may be cut anywhere. What reads the prompt and what makes velocities of tokens stays whole.

Shares are a token apart where their number asks for that. diffusers exchanges such shares, but puts them together by a
call that gloo has for equal ones alone; so here they are filled up for that moment.

Knows no process but its own and no messages; who sits where is for `team`. On a CPU by gloo, on CUDA by NCCL, where it
has not run yet.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import ContextParallelConfig, HunyuanVideoFramepackTransformer3DModel, ParallelConfig
from diffusers.hooks import HookRegistry, ModelHook
from diffusers.hooks.context_parallel import (
    ContextParallelInput,
    ContextParallelModelPlan,
    apply_context_parallel,
    remove_context_parallel,
)
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.nn.functional import pad

from eichi.models.borrowed import exchanging
from eichi.models.stepcache import StepCache

NAME = "eichi_gather"
# What is said between processes of one machine stays on it.
LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}

TOKENS = ContextParallelInput(split_dim=1, expected_dims=3)
PLACES = ContextParallelInput(split_dim=0, expected_dims=2)
PLAN: dict[str, ContextParallelModelPlan] = {
    "transformer_blocks.0": {"hidden_states": TOKENS, "encoder_hidden_states": TOKENS},
    "transformer_blocks.*": {"freqs_cis": (PLACES, PLACES)},
    "single_transformer_blocks.*": {"image_rotary_emb": (PLACES, PLACES)},
}


@dataclass(frozen=True)
class Seat:
    """Which of `count` processes this is, and the file through which they meet."""

    meeting: Path
    rank: int
    count: int


class Table:
    """The processes that share a transformer, seen from one of them."""

    def __init__(self, seat: Seat, device: torch.device) -> None:
        """Waits until all are there. Raises RuntimeError, torch's, where they do not find one another."""
        if sys.platform == "linux":
            for name, value in LOOPBACK.items():
                os.environ.setdefault(name, value)
        if device.type == "cuda":
            torch.cuda.set_device(device)
        store = distributed.FileStore(str(seat.meeting), seat.count)  # type: ignore[attr-defined]  # it is public
        distributed.init_process_group(_kinds(device), store=store, rank=seat.rank, world_size=seat.count)
        mesh = init_device_mesh(device.type, (1, seat.count), mesh_dim_names=("ring", "ulysses"))
        context = ContextParallelConfig(ulysses_degree=seat.count, ulysses_anything=True)
        self.config = ParallelConfig(context_parallel_config=context)
        self.config.setup(seat.rank, seat.count, device, mesh=mesh)
        self.device, self.count = device, seat.count
        self._group = mesh.get_group("ulysses")

    def leave(self) -> None:
        """Give up what was kept open to the others."""
        distributed.destroy_process_group()

    def abort(self) -> None:
        """Let go whoever waits here for one that is gone; gloo does so by itself."""
        if self.device.type == "cuda":
            self._group.abort()

    def sum(self, values: Tensor) -> Tensor:
        """The sum of what all have; all get the same numbers."""
        distributed.all_reduce(values, group=self._group)
        return values

    def gather(self, share: Tensor) -> Tensor:
        """All tokens [1, n, d] of the shares [1, n / count, d] that each has."""
        mine = torch.tensor([share.shape[1]])
        sizes = [torch.empty_like(mine) for _ in range(self.count)]
        distributed.all_gather(sizes, mine, group=self._group)
        counts = [int(size) for size in sizes]
        filled = pad(share, (0, 0, 0, max(counts) - share.shape[1])).contiguous()
        parts = [torch.empty_like(filled) for _ in counts]
        distributed.all_gather(parts, filled, group=self._group)
        return torch.cat([part[:, :count] for part, count in zip(parts, counts, strict=True)], dim=1)


def _kinds(device: torch.device) -> str:
    """What carries tensors of which kind. Numbers of tokens go by gloo, without waiting for the GPU; diffusers goes by
    the name for that, and takes a build's accelerator otherwise, be it there or not.
    """
    if device.type == "cuda":
        return "cpu:gloo,cuda:nccl"
    return "gloo" if torch.accelerator.current_accelerator() is None else "cpu:gloo"


class GatherHook(ModelHook):  # type: ignore[misc]  # diffusers is not typed
    """Puts the tokens together that the last block gives."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.table = table

    def post_forward(self, module: nn.Module, output: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        hidden, text = output
        return self.table.gather(hidden), text  # of the words nothing is asked any more


@contextmanager
def share(
    transformer: HunyuanVideoFramepackTransformer3DModel, table: Table, cache: StepCache | None
) -> Iterator[None]:
    """For a time, a transformer computes its share of the tokens, and its step cache asks all what to reuse.

    To be entered after the cache is put on, which then sees shares; and to be left before it is taken off.
    """
    last = transformer.single_transformer_blocks[-1]
    blocks = (*transformer.transformer_blocks, *transformer.single_transformer_blocks)
    apply_context_parallel(transformer, table.config.context_parallel_config, PLAN)
    HookRegistry.check_if_exists_or_initialize(last).register_hook(GatherHook(table), NAME)
    if cache is not None:
        cache.total = table.sum
    try:
        with exchanging([block.attn.processor for block in blocks], table.config):
            yield
    finally:
        if cache is not None:
            cache.total = None
        HookRegistry.check_if_exists_or_initialize(last).remove_hook(NAME)
        remove_context_parallel(transformer, dict(reversed(PLAN.items())))
