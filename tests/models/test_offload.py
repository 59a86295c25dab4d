"""Placements on a CPU: blocks leave and come back with the same result; the way down; what loading costs."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers.hooks import HookRegistry
from torch import Tensor, nn

from eichi.catalog import ModelFolders
from eichi.models.borrowed import GROUP_OFFLOADING
from eichi.models.load import Components
from eichi.models.offload import place_encoder, place_transformer, stream, unstream
from eichi.plan.blocks import loose_blocks, streamed_blocks
from eichi.plan.memory import GIB, Machine, Need, Placement
from eichi.settings import Runtime
from tests import small

CPU = torch.device("cpu")
META = torch.device("meta")


class Row(nn.Module):
    """Four layers and something around them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(4, 4)
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(4))
        self.register_buffer("shift", torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x) + self.shift
        for block in self.blocks:
            x = block(x)
        return x


def hooked(network: nn.Module) -> list[str]:
    """Names of the modules that come and go."""
    return [
        name
        for name, module in network.named_modules()
        if HookRegistry.check_if_exists_or_initialize(module).get_hook(GROUP_OFFLOADING) is not None
    ]


def test_streamed_blocks_give_the_same_result() -> None:
    row, x = Row(), torch.ones(2, 4)
    before, parameters = row(x), dict(row.named_parameters())
    stream(row, [row.blocks[1], row.blocks[3]], CPU, pinned=False)
    assert hooked(row) == ["blocks.1", "blocks.3"]
    assert torch.equal(row(x), before)
    assert torch.equal(row(x), before)
    stream(row, [row.blocks[2]], CPU, pinned=False)
    assert hooked(row) == ["blocks.2"]
    assert torch.equal(row(x), before)
    unstream(row)
    assert hooked(row) == []
    assert all(parameter is parameters[name] for name, parameter in row.named_parameters())


def test_a_transformer_and_its_encoder_are_placed_as_planned() -> None:
    transformer = small.transformer()
    place_transformer(transformer, Placement("streamed", 3), CPU)
    names = [f"transformer_blocks.{i}" for i in range(2)] + [f"single_transformer_blocks.{i}" for i in range(2)]
    assert hooked(transformer) == [names[i] for i in sorted(streamed_blocks(4, 3))] == names[1:]
    place_transformer(transformer, Placement("kept"), CPU)
    assert hooked(transformer) == []
    encoder = nn.Module()
    encoder.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    place_encoder(encoder, Placement("kept", whole=False), CPU)
    assert hooked(encoder) == ["layers.0", "layers.1"]
    place_encoder(encoder, Placement("kept"), CPU)
    assert hooked(encoder) == []


def test_blocks_that_ram_has_no_room_for_are_left_unpinned() -> None:
    transformer = small.transformer()
    place_transformer(transformer, Placement("streamed", 3, pinned=True, loose=1), CPU)
    blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
    hooks = [HookRegistry.check_if_exists_or_initialize(block).get_hook(GROUP_OFFLOADING) for block in blocks]
    pinned = [hook is not None and not hook.group.low_cpu_mem_usage for hook in hooks]
    assert [i for i, hook in enumerate(hooks) if hook is not None and not pinned[i]] == loose_blocks([1, 2, 3])[:1]
    assert sum(pinned) == 2


def test_other_hooks_are_left_alone() -> None:
    row = Row()
    registry = HookRegistry.check_if_exists_or_initialize(row.blocks[0])
    stream(row, [row.blocks[0]], CPU, pinned=False)
    unstream(row)
    assert registry.get_hook(GROUP_OFFLOADING) is None
    unstream(row)


def test_components_go_down_step_by_step(tmp_path: Path) -> None:
    components = Components(small.entry(small.build(tmp_path / "model")), Runtime(ModelFolders(tmp_path), "cpu"))
    assert components.step_down() is None  # nothing was arranged
    components.arrange(Need(64, 64), Machine(80 * GIB, 64 * GIB))
    assert (components.placement.level, hooked(components.transformer)) == ("all", [])
    levels = [components.placement]
    while (lower := components.step_down()) is not None:
        levels.append(lower)
        assert len(hooked(components.transformer)) == min(lower.streamed, 3)
    assert [level.level for level in levels][:1] == ["all"]
    assert levels[-1] == components.placement
    assert len(levels) > 1
    components.arrange(Need(64, 64), Machine(80 * GIB, 64 * GIB))
    assert (components.placement.level, hooked(components.transformer)) == ("all", [])


def test_without_a_stream_weights_are_not_carried_back() -> None:
    """Here the device is RAM by another name: what is brought there is a copy, and the original comes back."""
    row = Row()
    row.blocks[0].register_buffer("scale", torch.ones(4))
    lies = {name: tensor.data_ptr() for name, tensor in row.blocks.state_dict().items()}
    stream(row, [row.blocks[0], row.blocks[2]], torch.device("cpu", 0), pinned=False)
    row(torch.ones(2, 4))
    now = {name: tensor.data_ptr() for name, tensor in row.blocks.state_dict().items()}
    gone = {name for name in now if now[name] != lies[name]}
    assert gone == {"1.weight", "1.bias", "3.weight", "3.bias"}


LOAD = """
import sys, torch
from pathlib import Path
from eichi.models.formats import read_config
from eichi.models.source import FileSource
from eichi.models.weights import Weights
from eichi.options import WeightsOptions

def memory():  # of this process that is no mapped file, and the most of it in all, MiB
    with open("/proc/self/status") as lines:
        values = {line.split()[0]: line.split()[-2] for line in lines if "kB" in line}
    return int(values["RssAnon:"]) / 1024, int(values["VmHWM:"]) / 1024

folder = Path(sys.argv[1]) / "transformer"
blocks = ("transformer_blocks.", "single_transformer_blocks.")
# Another device than the RAM that streamed weights lie in, in name. The mapped one first: a highest mark stays.
for dtype, away in (torch.bfloat16, blocks), (torch.bfloat16, ()), (torch.float32, ()):
    own, most = memory()
    weights = Weights("wide", FileSource("transformer", folder), read_config(folder, {}), dtype, torch.device("cpu:0"))
    weights.change(WeightsOptions(), away, mapped=True)
    size = sum(tensor.nbytes for tensor in weights.transformer.state_dict().values()) / 2**20
    after, peak = memory()
    print(size, after - own, peak - most)
    del weights
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="own memory is read from /proc")
def test_loading_makes_no_second_copy(tmp_path: Path) -> None:
    folder = small.build(tmp_path / "model")
    with META:
        wide = small.transformer(num_attention_heads=8, attention_head_dim=128, rope_axes_dim=(16, 56, 56))
    wide = wide.to(torch.bfloat16).to_empty(device=CPU)
    for parameter in wide.parameters():
        parameter.data.zero_()
    wide.save_pretrained(folder / "transformer", max_shard_size="100MB")
    words = [sys.executable, "-c", LOAD, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    mapped, *copied = (tuple(map(float, line.split())) for line in done.stdout.splitlines())
    assert mapped[0] > 200
    assert mapped[1] < 0.4 * mapped[0]  # what is no block is not mapped
    for size, own, peak in copied:
        assert own < size + 100
        assert peak < 1.15 * size + 150
