"""The memory plan against the laws it must keep, and its constants against the network counted tensor by tensor."""

import weakref
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoFramepackTransformer3DModel
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from transformers import CLIPTextConfig, CLIPTextModel, LlamaConfig, LlamaModel, SiglipVisionConfig, SiglipVisionModel

from eichi.catalog import Anatomy, Blocks, find
from eichi.models.head import apply_head
from eichi.models.nag import AWAY, Nag, nagging
from eichi.plan import memory
from eichi.plan.blocks import loose_blocks, streamed_blocks
from eichi.plan.memory import (
    CUDA,
    DECODED,
    DOUBLE,
    FRAMES,
    GIB,
    SLACK,
    WORK,
    Machine,
    Need,
    Placement,
    choose,
    forecast,
    lacks,
    ladder,
    lower,
    plan_memory,
)

FULL = find("framepack").anatomy
SIDES = st.integers(16, 160).map(lambda side: 16 * side)
NEEDS = st.builds(
    Need, SIDES, SIDES, st.integers(1, 33), st.integers(1, 6), st.booleans(), st.integers(0, 2**30), st.integers(1, 2)
)
SIZES = st.floats(0.0, 128 * GIB)
PRESERVED = st.none() | st.floats(6.0, 128.0)


def slowness(anatomy: Anatomy, need: Need, placement: Placement) -> tuple[int, int]:
    """How slow a placement is: its place on the ladder, then whether its transfers hold up the work."""
    plain = replace(placement, pinned=False, loose=0)
    return ladder(anatomy, need).index(plain), placement.loose if placement.pinned else placement.streamed


@given(NEEDS, SIZES, SIZES, SIZES, SIZES, PRESERVED)
def test_more_memory_is_never_slower(
    need: Need, gpu: float, more: float, ram: float, more_ram: float, preserve: float | None
) -> None:
    less = choose(FULL, need, Machine(gpu, ram, preserve))
    better = choose(FULL, need, Machine(gpu + more, ram + more_ram, preserve))
    place, held = slowness(FULL, need, less)
    better_place, better_held = slowness(FULL, need, better)
    assert better_place <= place
    assert better_held <= held or better_place < place


@given(NEEDS, SIZES, PRESERVED)
def test_more_preserved_memory_is_never_faster(need: Need, gpu: float, preserve: float | None) -> None:
    free = choose(FULL, need, Machine(gpu, 64 * GIB))
    assert slowness(FULL, need, free) <= slowness(FULL, need, choose(FULL, need, Machine(gpu, 64 * GIB, preserve)))


@given(NEEDS, SIDES, SIDES, st.integers(0, 59), st.booleans())
def test_a_larger_picture_never_needs_less(need: Need, height: int, width: int, streamed: int, pinned: bool) -> None:
    larger = replace(need, height=need.height + height, width=need.width + width)
    levels = (
        [Placement("streamed", streamed, False, False, pinned)] if streamed else [Placement("all"), Placement("kept")]
    )
    for placement in [*levels, Placement("cpu")]:
        small, large = forecast(FULL, need, placement), forecast(FULL, larger, placement)
        assert small.gpu <= large.gpu
        assert small.ram <= large.ram
    least = ladder(FULL, need)[-1], ladder(FULL, larger)[-1]
    assert forecast(FULL, need, least[0]).gpu <= forecast(FULL, larger, least[1]).gpu


@given(NEEDS, SIZES, SIZES, PRESERVED)
def test_what_fits_stays_below_what_is_free(need: Need, gpu: float, ram: float, preserve: float | None) -> None:
    machine = Machine(gpu, ram, preserve)
    placement = choose(FULL, need, machine)
    peaks = forecast(FULL, need, placement)
    assert lacks(FULL, need, machine, placement) == tuple(
        memory for memory, short in (("gpu", peaks.gpu > machine.usable), ("ram", peaks.ram > ram)) if short
    )
    assert machine.usable <= gpu
    if peaks.gpu > machine.usable:
        assert replace(placement, pinned=False, loose=0) == ladder(FULL, need)[-1]


@given(NEEDS)
def test_the_ladder_goes_down(need: Need) -> None:
    peaks = [forecast(FULL, need, rung).gpu for rung in ladder(FULL, need)]
    assert peaks == sorted(set(peaks), reverse=True)
    moved = [forecast(FULL, need, rung).moved for rung in ladder(FULL, need)]
    assert moved == sorted(moved)


@given(NEEDS, SIZES)
def test_falling_back_ends_at_the_bottom(need: Need, gpu: float) -> None:
    placement: Placement | None = choose(FULL, need, Machine(gpu, 64 * GIB))
    steps = []
    while placement is not None:
        steps.append(forecast(FULL, need, placement).gpu)
        pinned, placement = placement.pinned, lower(FULL, need, placement)
        assert placement is None or placement.pinned == pinned
    assert steps == sorted(set(steps), reverse=True)
    assert steps[-1] == forecast(FULL, need, ladder(FULL, need)[-1]).gpu
    assert len(steps) <= 10


def test_a_cpu_has_no_choice() -> None:
    need, machine = Need(640, 640), Machine(None, 64 * GIB)
    assert choose(FULL, need, machine) == Placement("cpu")
    assert lower(FULL, need, Placement("cpu")) is None
    plan = plan_memory(find("framepack"), need, machine)
    assert (plan.gpu, plan.lacks) == (0.0, ())
    assert plan.ram > 48.0


def test_what_fills_the_memory_without_a_gpu_is_told_part_by_part() -> None:
    """Everything is in float32: four bytes for each of the transformer's and the VAE's parameters."""
    plan = plan_memory(find("framepack"), Need(640, 640), Machine(None, 64 * GIB))
    assert plan.memory.keys() == {"program", "transformer", "vae", "work", "lora"}
    assert plan.memory["transformer"] == pytest.approx(4 * plan.parameters["transformer"] / GIB, abs=0.01)
    assert plan.memory["vae"] == pytest.approx(4 * plan.parameters["vae"] / GIB, abs=0.01)
    assert sum(plan.memory.values()) == pytest.approx(plan.ram, abs=0.05)


@pytest.mark.parametrize(
    ("need", "transformer", "mapped"),
    [
        (Need(64, 64), 0, 25.6),  # all of it stays in its file
        (Need(64, 64, fp8=True), 9.06, 7.5),
        (Need(64, 64, fp8=True, lora=1), 9.06, 7.5),  # a LoRA changes what is rounded anyway
        (Need(64, 64, fp8=True, stored=True), 0.79, 15.8),  # eight bits of the file; around the blocks they are cast
        (Need(64, 64, fp8=True, stored=True, lora=1), 9.85, 6.8),
        (Need(64, 64, lora=1), 18.1, 7.5),
        (Need(64, 64, lora=1, merged=10**9, besides=10**8), 2.2, 23.4),  # it changes few
        (Need(64, 64, lora=1, besides=10**11), 25.7, 0),  # it changes all
    ],
)
def test_a_cpu_in_half_copies_what_is_changed(need: Need, transformer: float, mapped: float) -> None:
    """In billions of bytes; the head is in float32 always."""
    plan = plan_memory(find("framepack"), need, Machine(None, 64 * GIB, half=True))
    head = 4 * FULL.head / 1e9
    assert plan.memory["transformer"] * GIB / 1e9 == pytest.approx(transformer + head, abs=0.1)
    assert plan.mapped * GIB / 1e9 == pytest.approx(mapped, abs=0.15)
    assert plan.memory["vae"] * GIB == pytest.approx(2 * FULL.vae, rel=0.05)


@pytest.mark.parametrize(("free", "said"), [(64, []), (16, ["memory.slow"])])
def test_weights_that_the_cache_has_no_room_for_have_a_word(free: int, said: list[str]) -> None:
    plan = plan_memory(find("framepack"), Need(64, 64), Machine(None, free * GIB, half=True))
    assert [note.id for note in plan.shortages] == said
    assert plan_memory(find("framepack"), Need(64, 64, fp8=True), Machine(None, 64 * GIB)).mapped == 0


@given(st.integers(2, 80), st.data())
def test_streamed_blocks_are_spread_and_nested(count: int, data: st.DataObject) -> None:
    streamed = data.draw(st.integers(0, count - 1))
    away = streamed_blocks(count, streamed)
    assert len(away) == streamed
    assert away < streamed_blocks(count, streamed + 1) or streamed == count - 1
    assert 0 not in away
    if 0 < streamed <= count // 4:
        places = [0, *sorted(away)]
        assert max(b - a for a, b in pairwise(places)) <= 4 * count / streamed


@pytest.mark.parametrize(
    ("total", "preserve", "used"), [(16, 10.0, 10), (16, 6.0, 14), (16, None, 14), (12, 10.0, 6.5), (16, 128.0, 6)]
)
def test_preserved_memory_as_the_document_says(total: float, preserve: float | None, used: float) -> None:
    assert Machine(total * GIB, 0.0, preserve).usable == pytest.approx(used * GIB)


def test_the_phases_add_up() -> None:
    need = Need(640, 640)
    peaks = forecast(FULL, need, Placement("kept", whole=False))
    sampling = peaks.phases["sampling"]
    assert need.tokens == 1600 * 11 + 400 + 4 * 100 + 256 + 729
    assert sampling["work"] == 38 * need.tokens * 3072 + 4 * 16 * 80 * 80 * (4 * 9 + 21)
    assert sampling["transformer"] == 2 * 12_874_314_816 + 2 * 19_077_184
    assert sampling["cuda"] == CUDA
    assert peaks.gpu == sum(sampling.values())
    half = forecast(FULL, replace(need, fp8=True), Placement("kept", whole=False)).phases["sampling"]["transformer"]
    assert half == sampling["transformer"] - 9_059_696_640


def test_a_ladder_gives_up_one_thing_after_the_other() -> None:
    """Encoders beside the rest, then all of LLaMA at once, then decoding beside drawing, then block by block."""
    rungs = ladder(FULL, Need(640, 640))
    assert [rung.level for rung in rungs if rung.level != "streamed"] == ["all", "kept", "kept", "kept"]
    assert {(rung.whole, rung.beside) for rung in rungs if rung.level == "streamed"} == {(False, False)}
    assert [rung.streamed for rung in rungs if rung.level == "streamed"] == [*range(1, 60)]


def test_without_a_step_cache_nothing_is_kept_between_steps() -> None:
    some, none = (forecast(FULL, Need(640, 640, kept=kept), Placement("kept")).phases for kept in (3, 0))
    assert some["sampling"]["cache"] > 0 == none["sampling"]["cache"] == none["decoding"]["cache"]


def test_a_short_ladder_is_gone_down_rung_by_rung() -> None:
    anatomy, need = find("tiny").anatomy, Need(64, 64)
    rungs = ladder(anatomy, need)
    assert 2 < len(rungs) < 16
    assert [lower(anatomy, need, rung) for rung in rungs] == [*rungs[1:], None]


def test_what_is_pinned_leaves_some_memory_to_the_system() -> None:
    need = Need(640, 640)
    streamed = choose(FULL, need, Machine(12 * GIB, 0.0))
    assert (streamed.level, streamed.pinned) == ("streamed", False)
    least = forecast(FULL, need, replace(streamed, pinned=True)).ram + SLACK
    assert choose(FULL, need, Machine(12 * GIB, least)).pinned
    assert choose(FULL, need, Machine(12 * GIB, least)).loose == 0
    less = choose(FULL, need, Machine(12 * GIB, least - 1))
    assert (less.streamed, less.pinned, less.loose) == (streamed.streamed, True, 2)  # a block is copied for those
    assert not choose(FULL, need, Machine(12 * GIB, 4 * GIB)).pinned


def test_what_is_unchanged_is_no_memory_beside_a_gpu() -> None:
    """Of streamed blocks FP8 makes the matrices anew; modulation stays in its file until it is pinned."""
    need, rung = Need(640, 640, fp8=True), Placement("streamed", 59, whole=False, beside=False)
    matrices = 9_059_696_640 * 59 / 60
    peaks = forecast(FULL, need, rung)
    assert peaks.memory["transformer"] == pytest.approx(matrices, rel=0.1)
    assert peaks.mapped == pytest.approx(peaks.moved - matrices, rel=0.02)
    assert memory.copied(FULL, need, rung) == pytest.approx(matrices / peaks.moved, rel=0.02)
    pinned = replace(rung, pinned=True)
    assert forecast(FULL, need, pinned).memory["transformer"] == pytest.approx(peaks.moved, rel=0.04)
    assert memory.copied(FULL, need, pinned) == 1.0
    assert forecast(FULL, replace(need, fp8=False), rung).memory["transformer"] < 2 * GIB


@given(NEEDS, st.integers(8, 48), st.floats(0.0, 64 * GIB), st.none() | st.floats(0.0, 32 * GIB))
def test_as_much_is_pinned_as_there_is_room_for(need: Need, gpu: int, ram: float, limit: float | None) -> None:
    machine = Machine(gpu * GIB, ram, pinnable=limit)
    made = choose(FULL, need, machine)
    if not made.pinned:
        assert made.loose == 0
        return
    assert 0 <= made.loose < made.streamed
    peaks = forecast(FULL, need, made)
    assert peaks.ram + SLACK <= ram
    sizes = [size.whole for size in memory._blocks(FULL, need)]
    away = streamed_blocks(60, made.streamed)
    pinned = sum(sizes[i] for i in set(away) - set(loose_blocks(away)[: made.loose]))
    assert limit is None or pinned <= limit
    if made.loose:
        more = replace(made, loose=made.loose - 1)
        over = pinned + sizes[loose_blocks(away)[made.loose - 1]]
        assert forecast(FULL, need, more).ram + SLACK > ram or (limit is not None and over > limit)


def test_the_blocks_that_are_there_at_once_count_with_what_they_take() -> None:
    """Two double blocks are larger than two single ones and take less beside them: it depends on the picture."""
    rung = Placement("streamed", 59, whole=False, beside=False)
    small, large = (forecast(FULL, Need(side, side), rung).phases["sampling"] for side in (640, 1280))
    channels = FULL.width * Need(640, 640).tokens
    latents = [4 * 16 * (side // 8) ** 2 * (4 * 9 + 21) for side in (640, 1280)]
    assert (small["blocks"], small["work"]) == (2 * 2 * FULL.double.parameters, DOUBLE * channels + latents[0])
    channels = FULL.width * Need(1280, 1280).tokens
    assert (large["blocks"], large["work"]) == (2 * 2 * FULL.single.parameters, WORK * channels + latents[1])
    first = forecast(FULL, Need(320, 320), Placement("streamed", 2, whole=False, beside=False)).phases["sampling"]
    assert streamed_blocks(60, 2) == {16, 32}  # a double block, and a single one that comes while it computes
    assert first["blocks"] == 2 * (FULL.double.parameters + FULL.single.parameters)


def test_encoders_that_stay_are_in_every_phase() -> None:
    phases = forecast(FULL, Need(640, 640), Placement("all")).phases
    assert list(phases) == ["words", "sampling", "decoding"]
    encoders = 2 * (7_505_186_816 + 123_060_480 + 428_225_600)
    assert [phase["encoders"] for phase in phases.values()] == [encoders] * 3


# Constants against the network itself, on torch's `meta` device: shapes without memory.


class Meter(TorchDispatchMode):
    """Counts the bytes of living tensors. Sizes that depend on values are those of a full text."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = call(*args, **(kwargs or {}))
        for tensor in tree_iter(result):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata not in self.known:
            self.known.add(storage._cdata)
            self.live += storage.nbytes()
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._drop, storage._cdata, storage.nbytes())

    def _drop(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.live -= size


def unknown(part: Any) -> bool:
    """Whether a slice ends where only values can say."""
    return isinstance(part, slice) and isinstance(part.stop, torch.Tensor)


class Fused(TorchFunctionMode):
    """Attention as a fused kernel does it, without the matrix of scores; a text of full length is not cut."""

    def __torch_function__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if call is functional.scaled_dot_product_attention:
            return torch.empty_like(args[0] if args else kwargs["query"])
        if call is torch.Tensor.__getitem__ and isinstance(args[1], tuple) and any(map(unknown, args[1])):
            return args[0]
        return call(*args, **(kwargs or {}))


@pytest.fixture
def meta() -> Iterator[None]:
    with torch.device("meta"), torch.inference_mode():
        yield


def size(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def blocks(row: Any) -> Blocks:
    """A row of blocks as the catalogue writes it down; what FP8 stores is what generation 1.9 stored."""
    linear = [p for name, p in row[0].named_parameters() if name.endswith(".weight") and "norm" not in name]
    return Blocks(len(row), size(row[0]), sum(parameter.numel() for parameter in linear))


@pytest.mark.parametrize("name", ["framepack", "framepack-f1", "tiny", "tiny-f1"])
def test_the_catalogue_has_the_size_of_the_transformer(meta: None, name: str) -> None:
    entry = find(name)
    network = HunyuanVideoFramepackTransformer3DModel.from_config(dict(entry.published["transformer"].config))
    assert entry.anatomy.double == blocks(network.transformer_blocks)
    assert entry.anatomy.single == blocks(network.single_transformer_blocks)
    assert entry.anatomy.transformer == size(network)
    assert entry.anatomy.head == size(network.norm_out) + size(network.proj_out)
    assert entry.anatomy.width == network.config.num_attention_heads * network.config.attention_head_dim


def test_the_published_size() -> None:
    assert FULL.transformer == 12_874_314_816
    quantised = FULL.double.count * FULL.double.quantised + FULL.single.count * FULL.single.quantised
    assert round(quantised / 1e9, 2) == 9.06


def test_the_catalogue_has_the_sizes_of_the_other_parts(meta: None) -> None:
    llama = LlamaModel(
        LlamaConfig(
            vocab_size=128320,
            hidden_size=4096,
            intermediate_size=14336,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=8,
        )
    )
    siglip = SiglipVisionConfig(
        hidden_size=1152,
        intermediate_size=4304,
        num_hidden_layers=27,
        num_attention_heads=16,
        image_size=384,
        patch_size=14,
    )
    clip = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    assert FULL.text_encoder == Blocks(32, size(llama.layers[0]), 0)
    assert FULL.words == size(llama) - 32 * size(llama.layers[0])
    assert FULL.text_encoder_2 == size(CLIPTextModel(clip))
    assert FULL.image_encoder == size(SiglipVisionModel(siglip))
    assert FULL.vae == size(AutoencoderKLHunyuanVideo())


@pytest.mark.parametrize("height, width, window", [(640, 640, 9), (1280, 1280, 9)])
def test_the_work_of_a_pass_with_words_to_move_away_from(meta: None, height: int, width: int, window: int) -> None:
    """It is no more a token: more tokens are there when attention is done, and less of what it was made from."""
    network = HunyuanVideoFramepackTransformer3DModel(
        num_layers=1, num_single_layers=2, has_image_proj=True, has_clean_x_embedder=True
    )
    network = network.to(torch.bfloat16)
    network.norm_out.float(), network.proj_out.float()
    apply_head(network)
    told = inputs(height // 8, width // 8, window) | {"attention_kwargs": {AWAY: 256}}
    told["encoder_hidden_states"], told["encoder_attention_mask"] = (
        torch.empty((1, 512, *last), dtype=torch.bfloat16) for last in ((4096,), ())
    )
    with nagging(network, Nag(5.0, 0.5, 1.5)), Meter() as meter, Fused():
        network(**told)
    channels = Need(height, width, window, nag=True).tokens * FULL.width
    assert meter.peak <= WORK * channels <= 1.12 * meter.peak


@pytest.mark.parametrize(("height", "width", "window"), [(640, 640, 9), (416, 960, 5), (1280, 1280, 9)])
def test_the_work_of_a_pass(meta: None, height: int, width: int, window: int) -> None:
    """Double blocks take less beside them than single ones, and are larger."""
    network = HunyuanVideoFramepackTransformer3DModel(
        num_layers=1, num_single_layers=2, has_image_proj=True, has_clean_x_embedder=True
    )
    network = network.to(torch.bfloat16)
    network.norm_out.float(), network.proj_out.float()
    apply_head(network)
    with Meter() as meter, Fused():
        double: list[int] = []
        network.transformer_blocks[0].register_forward_hook(lambda *given: double.append(meter.peak))
        network(**inputs(height // 8, width // 8, window))
    channels = Need(height, width, window).tokens * FULL.width
    assert meter.peak <= WORK * channels <= 1.06 * meter.peak
    assert double[0] <= DOUBLE * channels <= 1.06 * double[0]


def inputs(height: int, width: int, window: int) -> dict[str, Any]:
    """One pass with all that a section has, in bfloat16."""

    def empty(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.bfloat16)

    return {
        "hidden_states": empty(1, 16, window, height, width),
        "timestep": empty(1),
        "encoder_hidden_states": empty(1, 256, 4096),
        "encoder_attention_mask": empty(1, 256),
        "pooled_projections": empty(1, 768),
        "image_embeds": empty(1, 729, 1152),
        "indices_latents": torch.arange(window),
        "guidance": empty(1),
        "latents_clean": empty(1, 16, 2, height, width),
        "indices_latents_clean": torch.arange(2),
        "latents_history_2x": empty(1, 16, 2, height, width),
        "indices_latents_history_2x": torch.arange(2),
        "latents_history_4x": empty(1, 16, 16, height, width),
        "indices_latents_history_4x": torch.arange(16),
        "return_dict": False,
    }


@pytest.mark.parametrize(("height", "width"), [(256, 256), (256, 448)])
def test_the_work_of_decoding(meta: None, height: int, width: int) -> None:
    vae = AutoencoderKLHunyuanVideo().to(torch.float16)
    vae.use_framewise_decoding = False
    vae.enable_tiling()
    with Meter() as meter, Fused():
        vae.decode(torch.empty(1, 16, 5, height // 8, width // 8, dtype=torch.float16), return_dict=False)
    assert meter.peak <= FULL.tile + 2 * DECODED * FRAMES * height * width <= 1.06 * meter.peak


@given(st.sampled_from((8, 12, 16, 24, 48, 80)), NEEDS)
def test_without_streams_nothing_goes_on_beside(gpu: int, need: Need) -> None:
    machine = Machine(gpu * GIB, 64 * GIB, streams=False)
    placement: Placement | None = choose(FULL, need, machine)
    levels = []
    while placement is not None:
        assert not placement.beside
        assert not placement.pinned
        levels.append(placement.level)
        placement = lower(FULL, need, placement)
    assert levels[-1] == "streamed"
