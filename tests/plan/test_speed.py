"""The forecast of seconds against the laws it must keep, and its constants against the networks counted on `meta`."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLHunyuanVideo, HunyuanVideoFramepackTransformer3DModel
from hypothesis import given
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from eichi.catalog import find
from eichi.models.head import apply_head
from eichi.models.nag import AWAY, Nag, nagging
from eichi.plan import memory
from eichi.plan.cards import Card, find_card
from eichi.plan.memory import GIB, Machine, Need, Placement, choose, forecast, ladder, lower, plan_memory, time
from eichi.plan.speed import (
    SAGE,
    TRAFFIC,
    Away,
    Reach,
    Speed,
    block_costs,
    decode_seconds,
    memory_seconds,
    pass_seconds,
)
from tests.plan.test_memory import FULL, Fused, inputs, unknown

NEED = Need(640, 640)


def card(name: str) -> Card:
    found = find_card(name)
    assert found is not None
    return found


CARD = card("RTX 4070")


def seconds(need: Need, placement: Placement, ram: float = 64.0, which: Card = CARD) -> Speed:
    made = time(FULL, need, Machine(which.gib * GIB, ram * GIB, card=which), placement)
    assert made is not None
    return made


def test_the_parts_add_up() -> None:
    made = seconds(replace(NEED, fp8=True, branches=2), Placement("streamed", 40, whole=False, beside=False))
    assert made.step == pytest.approx(sum(made.parts.values()))
    assert min(made.parts.values()) > 0
    assert made.section == pytest.approx(25 * made.step + made.decode)
    assert made.job == pytest.approx(made.start + 4 * made.section)


def test_guidance_takes_twice_as_long_and_a_step_cache_half() -> None:
    placement = Placement("kept", whole=False, beside=False)
    plain, guided, saved = (
        seconds(need, placement) for need in (NEED, replace(NEED, branches=2), replace(NEED, cached=True))
    )
    assert guided.step == pytest.approx(2 * plain.step)
    assert saved.step == plain.step
    assert (saved.section - saved.decode) / (plain.section - plain.decode) == pytest.approx(0.52)


def test_kernels() -> None:
    costs = {kernel: next(block_costs(FULL, NEED, CARD, kernel)) for kernel in ("auto", "flash", "sage", "chunked")}
    assert costs["auto"] == costs["flash"]
    assert costs["sage"].attention == pytest.approx(costs["auto"].attention / SAGE)
    assert costs["chunked"].attention > 2 * costs["auto"].attention
    assert {cost.products for cost in costs.values()} == {costs["auto"].products}


def test_fp8_stored_costs_time_and_multiplied_saves_some() -> None:
    """Where the card multiplies in eight bits; another one does as if that were not asked."""
    plain, stored, multiplied = (
        next(block_costs(FULL, need, CARD, "auto"))
        for need in (NEED, replace(NEED, fp8=True), replace(NEED, fp8=True, product=True))
    )
    assert plain.fp8 == 0 < stored.fp8
    assert plain.products == stored.products > multiplied.products
    assert multiplied.total < plain.total < stored.total
    old = card("RTX 3090")
    assert next(block_costs(FULL, replace(NEED, fp8=True, product=True), old, "auto")) == next(
        block_costs(FULL, replace(NEED, fp8=True), old, "auto")
    )


# Blocks of a second each; a block takes half a second over PCIe, and a second into pinned memory.
EVEN = replace(CARD, generation=3, lanes=16)
SIZE = int(EVEN.pcie * 1e9 * 0.8 / 2)
LINK = SIZE / 1e9


@pytest.mark.parametrize(
    ("away", "loose", "waits"),
    [
        ((), (), 0.0),
        ((1, 2, 3), (), 0.0),  # the first comes while block 0 computes, the others while the one before does
        ((1, 3), (), 0.0),
        ((0, 1), (), 0.5),  # nothing computes yet
        ((3,), (3,), 0.0),  # into pinned memory and over while blocks 0 to 2 are still queued
        ((1, 3), (1, 3), 1.5),  # both at once, beside block 0 alone
        ((1, 2, 3), (1, 2, 3), 2.5),
        ((1, 2, 3), (2,), 0.5),  # beside block 0 as well, after the first one was brought
        ((1, 2, 3), (3,), 1.0),
    ],
)
def test_what_a_pass_waits_for(away: tuple[int, ...], loose: tuple[int, ...], waits: float) -> None:
    made = pass_seconds([1.0] * 4, Away(dict.fromkeys(away, SIZE), frozenset(loose), LINK), EVEN)
    assert made == pytest.approx(4 + waits)


@given(st.integers(0, 58), st.booleans(), st.booleans(), st.sampled_from(("RTX 3060", "RTX 4090", "H100")))
def test_more_from_ram_is_never_faster(streamed: int, pinned: bool, fp8: bool, name: str) -> None:
    need = replace(NEED, fp8=fp8)
    less, more = (
        seconds(need, Placement("streamed", count, whole=False, beside=False, pinned=pinned), which=card(name)).step
        for count in (streamed, streamed + 1)
    )
    assert less <= more * 1.0001


def test_a_disk_is_slower_than_memory() -> None:
    placement = Placement("streamed", 40, whole=False, beside=False)
    pinned = seconds(NEED, replace(placement, pinned=True))
    cached, disk = seconds(NEED, placement), seconds(NEED, placement, ram=16)
    assert pinned.step < cached.step < disk.step
    # What was rounded or merged is no file any more.
    assert seconds(replace(NEED, fp8=True), placement, ram=16) == seconds(replace(NEED, fp8=True), placement)


def test_decoding_beside_sampling_saves_waiting_alone() -> None:
    apart = Placement("streamed", 40, whole=False, beside=False)
    beside = replace(apart, beside=True)
    waited = 25 * seconds(NEED, apart).parts["waiting"]
    decoded = seconds(NEED, apart).decode
    assert waited > decoded
    assert seconds(NEED, apart).section - seconds(NEED, beside).section == pytest.approx(decoded)
    hidden = replace(apart, pinned=True)
    least = seconds(NEED, replace(hidden, beside=True)).section
    assert seconds(NEED, hidden).section - least == pytest.approx(25 * seconds(NEED, hidden).parts["waiting"])


def test_tiles_that_reach_over_the_edge_count() -> None:
    """640 pixels are three whole tiles and the quarter of one, each way."""
    tile = decode_seconds(FULL, Need(256, 256, 3), CARD)
    assert decode_seconds(FULL, Need(640, 640, 9), CARD) == pytest.approx(tile * 3 * 3.25**2)
    assert decode_seconds(FULL, Need(128, 256, 3), CARD) == pytest.approx(tile / 2)
    assert decode_seconds(FULL, Need(256, 256, 1), CARD) == pytest.approx(tile / 17)


def test_where_nothing_is_known_of_the_card_all_is_as_before() -> None:
    machine = Machine(16 * GIB, 20 * GIB)
    plan = plan_memory(find("framepack"), NEED, machine)
    assert (plan.speed, plan.advice) == (None, ())
    assert replace(plan.placement, pinned=False, loose=0) == next(
        rung for rung in ladder(FULL, NEED) if forecast(FULL, NEED, rung).gpu <= machine.usable
    )


def test_time_decides_where_the_card_is_known() -> None:
    """With little RAM so much is waited for that decoding meanwhile is worth more streamed blocks."""
    machine = Machine(12 * GIB, 18 * GIB)
    before = choose(FULL, NEED, machine)
    made = choose(FULL, NEED, replace(machine, card=card("RTX 3060")))
    assert not before.beside
    assert made.beside
    assert made.streamed > before.streamed
    assert forecast(FULL, NEED, made).gpu <= machine.usable
    assert lower(FULL, NEED, made) == replace(made, beside=False)


@given(
    st.sampled_from(("RTX 3060", "RTX 4090", "RTX 5090", "H100")),
    st.integers(8, 80),
    st.integers(8, 64),
    st.sampled_from((640, 960)),
    st.booleans(),
)
def test_no_placement_that_fits_is_clearly_faster(name: str, gpu: int, ram: int, side: int, fp8: bool) -> None:
    need, machine = Need(side, side, fp8=fp8), Machine(gpu * GIB, ram * GIB, card=card(name))
    made = choose(FULL, need, machine)
    plain = choose(FULL, need, replace(machine, card=None))
    chosen, before = time(FULL, need, machine, made), time(FULL, need, machine, plain)
    assert chosen is not None
    assert before is not None
    assert chosen.section <= before.section
    fits = [rung for rung in ladder(FULL, need) if forecast(FULL, need, rung).gpu <= machine.usable]
    times = (time(FULL, need, machine, memory._pinned(FULL, need, machine, rung)) for rung in fits)
    assert all(one is not None and chosen.section <= one.section / 0.979 for one in times)


@pytest.mark.parametrize(
    ("gpu", "ram", "total", "fp8", "said"),
    [
        (16, 14, 64, False, ["memory.advice.fp8", "memory.advice.ram"]),
        (16, 14, 16, False, ["memory.advice.fp8", "memory.advice.more"]),  # no program to be closed takes the rest
        (16, 14, 0, False, ["memory.advice.fp8", "memory.advice.more"]),  # nobody knows whether any does
        (16, 64, 64, False, []),
        (16, 64, 64, True, ["memory.advice.plain"]),
        (80, 64, 64, False, []),
    ],
)
def test_what_would_be_faster_is_said(gpu: int, ram: int, total: int, fp8: bool, said: list[str]) -> None:
    machine = Machine(gpu * GIB, ram * GIB, card=card("RTX 4080"), total=total * GIB or None)
    plan = plan_memory(find("framepack"), replace(NEED, fp8=fp8), machine)
    assert [note.id for note in plan.advice] == said
    for note in plan.advice:
        assert note.values["after"] < note.values["before"]  # type: ignore[operator]


# Constants against the networks, on torch's `meta` device: shapes without memory.


class Whole(TorchFunctionMode):
    """A text of full length is not cut."""

    def __torch_function__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if call is torch.Tensor.__getitem__ and isinstance(args[1], tuple) and any(map(unknown, args[1])):
            return args[0]
        return call(*args, **(kwargs or {}))


class Traffic(TorchDispatchMode):
    """Counts the bytes that operations read and write, those of products and convolutions left out."""

    PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "convolution", "empty", "empty_like")

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.moved: int = 0

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = call(*args, **(kwargs or {}))
        given = {id(tensor): tensor for tensor in tree_iter((args, kwargs)) if isinstance(tensor, torch.Tensor)}
        out = [tensor for tensor in tree_iter(made) if isinstance(tensor, torch.Tensor)]
        known = {tensor.untyped_storage()._cdata for tensor in given.values()}
        viewed = not call._schema.is_mutable and all(tensor.untyped_storage()._cdata in known for tensor in out)
        if not viewed and call.__name__.split(".")[0] not in self.PRODUCTS:
            self.moved += sum(tensor.numel() * tensor.element_size() for tensor in (*given.values(), *out))
        return made


@pytest.fixture
def meta() -> Iterator[None]:
    with torch.device("meta"), torch.no_grad():  # inference mode hides conversions
        yield


def network(double: int, single: int) -> HunyuanVideoFramepackTransformer3DModel:
    made = HunyuanVideoFramepackTransformer3DModel(
        num_layers=double, num_single_layers=single, has_image_proj=True, has_clean_x_embedder=True
    ).to(torch.bfloat16)
    made.norm_out.float(), made.proj_out.float()
    apply_head(made)
    return made


@pytest.mark.parametrize(("height", "width", "window"), [(640, 640, 9), (416, 960, 5)])
def test_the_operations_of_the_whole_network(meta: None, height: int, width: int, window: int) -> None:
    with FlopCounterMode(display=False) as counter, Whole():
        network(20, 40)(**inputs(height // 8, width // 8, window))
    costs = list(block_costs(FULL, Need(height, width, window), CARD, "auto"))
    counted = sum(cost.products + cost.attention for cost in costs) * CARD.bf16 * 1e12 * Reach().products
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.005)


def test_the_bytes_that_a_block_moves(meta: None) -> None:
    def moved(double: int, single: int) -> int:
        made = network(double, single)
        with Traffic() as traffic, Fused():
            made(**inputs(80, 80, 9))
        return int(traffic.moved)

    around = moved(0, 0)
    blocks = (20 * (moved(1, 0) - around) + 40 * (moved(0, 1) - around)) / 60
    assert pytest.approx(blocks / (NEED.tokens * FULL.width), rel=0.01) == TRAFFIC
    assert next(block_costs(FULL, NEED, CARD, "auto")).moving == pytest.approx(memory_seconds(blocks, CARD), rel=0.01)


def test_words_to_move_away_from_cost_one_more_attention(meta: None) -> None:
    more, told = replace(NEED, nag=True), inputs(80, 80, 9) | {"attention_kwargs": {AWAY: 256}}
    told["encoder_hidden_states"], told["encoder_attention_mask"] = (
        torch.empty((1, 512, *last), dtype=torch.bfloat16) for last in ((4096,), ())
    )
    made = network(1, 2)
    with nagging(made, Nag(5.0, 0.5, 1.5)), FlopCounterMode(display=False) as counter, Whole():
        made(**told)
    few = replace(FULL, double=replace(FULL.double, count=1), single=replace(FULL.single, count=2))
    cost, before = (list(block_costs(few, need, CARD, "auto")) for need in (more, NEED))
    counted = sum(one.products + one.attention for one in cost) * CARD.bf16 * 1e12 * Reach().products
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert [one.attention for one in cost] == [2 * one.attention for one in before]


def test_the_operations_of_decoding(meta: None) -> None:
    vae = AutoencoderKLHunyuanVideo().half()
    with FlopCounterMode(display=False) as counter, Traffic() as traffic:
        vae.decoder(vae.post_quant_conv(torch.empty(1, 16, 5, 32, 32, dtype=torch.float16)))
    assert FULL.decoding == pytest.approx((counter.get_total_flops(), traffic.moved), rel=0.01)
