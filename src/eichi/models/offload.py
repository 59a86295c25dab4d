"""A placement put into effect: blocks of a network that come from RAM when their turn comes, the next one ahead of it.

Built of diffusers' group offloading, a group for each streamed block. Its own entry point takes a whole network: all
blocks leave, the order is learnt in the first pass, and the weights of all of them are copied to pinned memory before
the first original is let go, which is two copies. Here the groups are made one after another, of the blocks that
the plan names, in the order that is known; so there is one copy and one block, and blocks that stay hide the transfer
of those that do not.

Streams, prefetch and pinned memory exist on CUDA only; elsewhere a block is brought when it is called, and what lies in
RAM stays there meanwhile, so that nothing is carried back. Not run on a GPU yet.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from diffusers.hooks import HookRegistry
from diffusers.hooks.group_offloading import (
    GroupOffloadingConfig,
    GroupOffloadingHook,
    GroupOffloadingType,
    ModuleGroup,
)
from torch import nn

from eichi.models.borrowed import GROUP_OFFLOADING
from eichi.models.device import side_stream
from eichi.plan.blocks import loose_blocks, streamed_blocks
from eichi.plan.memory import Placement

CPU = torch.device("cpu")


def streamed_names(transformer: nn.Module, placement: Placement) -> tuple[str, ...]:
    """How the names of the weights begin that a placement keeps in RAM."""
    rows = ("transformer_blocks", "single_transformer_blocks")
    names = [f"{row}.{i}." for row in rows for i in range(len(getattr(transformer, row)))]
    return tuple(names[i] for i in sorted(streamed_blocks(len(names), placement.streamed)))


def place_transformer(transformer: nn.Module, placement: Placement, device: torch.device) -> None:
    """Put a transformer where a placement says; it may have been placed otherwise before."""
    blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]  # type: ignore[misc]
    away = sorted(streamed_blocks(len(blocks), placement.streamed))
    loose = loose_blocks(away)[: placement.loose]
    stream(transformer, [blocks[i] for i in away], device, placement.pinned, [blocks[i] for i in loose])


def place_encoder(encoder: nn.Module, placement: Placement, device: torch.device) -> None:
    """Put LLaMA where a placement says: on the device, or there a layer at a time."""
    stream(encoder, [] if placement.whole else list(encoder.layers), device, pinned=False)  # type: ignore[arg-type]


def stream(
    network: nn.Module,
    blocks: Sequence[nn.Module],
    device: torch.device,
    pinned: bool,
    loose: Sequence[nn.Module] = (),
) -> None:
    """Let `blocks`, in the order they are called in, come to `device` for their turn; all else stays there.

    Those that are `pinned` are all but the `loose` ones.
    """
    unstream(network)
    apart = {id(block) for block in loose}
    side = side_stream(device)
    groups = [_leave(block, device, side, pinned and id(block) not in apart) for block in blocks]
    for hook, next_hook in pairwise(groups):
        if hook.group.stream is not None:
            hook.next_group = next_hook.group
            next_hook.group.onload_self = False
    streamed = {id(parameter) for block in blocks for parameter in (*block.parameters(), *block.buffers())}
    for owner in network.modules():
        for name, tensor in (*owner.named_parameters(recurse=False), *owner.named_buffers(recurse=False)):
            if id(tensor) not in streamed:
                _bring(owner, name, tensor, device)


def unstream(network: nn.Module) -> None:
    """Take the hooks off; weights stay where they are."""
    HookRegistry.check_if_exists_or_initialize(network).remove_hook(GROUP_OFFLOADING)


class _Group(ModuleGroup):  # type: ignore[misc]  # diffusers tells no types
    """A group that keeps its weights in RAM without a stream as well, where diffusers' own would copy them back."""

    def _init_cpu_param_dict(self) -> dict[torch.Tensor, torch.Tensor]:
        if self.stream is not None:
            kept: dict[torch.Tensor, torch.Tensor] = super()._init_cpu_param_dict()
            return kept
        tensors = (tensor for module in self.modules for tensor in (*module.parameters(), *module.buffers()))
        return {tensor: tensor.data.to(CPU) for tensor in tensors}

    def _offload_to_memory(self) -> None:
        if self.stream is not None:
            super()._offload_to_memory()
            return
        for tensor, kept in self.cpu_param_dict.items():
            tensor.data = kept


def _leave(block: nn.Module, device: torch.device, side: torch.cuda.Stream | None, pinned: bool) -> GroupOffloadingHook:
    """Send a block to RAM and hook it so that it comes back for its turn."""
    group = _Group(
        modules=[block],
        offload_device=CPU,
        onload_device=device,
        offload_leader=block,
        onload_leader=block,
        stream=side,
        low_cpu_mem_usage=not pinned,
    )
    config = GroupOffloadingConfig(
        onload_device=device,
        offload_device=CPU,
        offload_type=GroupOffloadingType.BLOCK_LEVEL,
        non_blocking=side is not None,
        record_stream=False,
        low_cpu_mem_usage=not pinned,
        num_blocks_per_group=1,
        stream=side,
    )
    hook = GroupOffloadingHook(group, config=config)
    HookRegistry.check_if_exists_or_initialize(block).register_hook(hook, GROUP_OFFLOADING)
    return hook


def _bring(owner: nn.Module, name: str, tensor: torch.Tensor, device: torch.device) -> None:
    """Bring one tensor to the device; a parameter keeps its identity."""
    if tensor.device == device:
        return
    if isinstance(tensor, nn.Parameter):
        tensor.data = tensor.data.to(device)
    else:
        setattr(owner, name, tensor.to(device))
