"""Several GPUs for one video, in the plan of memory and of time."""

from dataclasses import replace

from eichi.catalog import find
from eichi.plan.cards import find_card
from eichi.plan.gpus import follower_peak
from eichi.plan.memory import GIB, Machine, Need, Placement, choose, forecast, lacks, ladder, time

ANATOMY = find("framepack").anatomy
ONE = Need(640, 640)
FOUR = replace(ONE, gpus=4)
KEPT = Placement("kept")


def test_each_has_all_weights_and_its_share_of_the_tokens() -> None:
    alone, shared = (forecast(ANATOMY, need, KEPT).phases["sampling"] for need in (ONE, FOUR))
    assert shared["transformer"] == alone["transformer"]
    latents = 4 * 16 * 80 * 80 * (4 * 9 + 21)  # everybody draws the whole window
    assert shared["work"] - latents == (alone["work"] - latents) / 4
    assert shared["cache"] == alone["cache"] / 4
    many = forecast(ANATOMY, replace(ONE, gpus=24), KEPT).phases["sampling"]
    assert many["work"] - latents > (alone["work"] - latents) / 24  # the tokens are put together on each


def test_only_the_first_has_everything_else() -> None:
    first = forecast(ANATOMY, FOUR, Placement("kept", whole=False, beside=False)).gpu
    assert ANATOMY.transformer * 2 < follower_peak(ANATOMY, FOUR) < first


def test_nothing_comes_from_ram() -> None:
    assert {rung.level for rung in ladder(ANATOMY, FOUR)} == {"all", "kept"}
    small = Machine(gpu=16 * GIB, ram=64 * GIB)
    assert choose(ANATOMY, ONE, small).level == "streamed"
    chosen = choose(ANATOMY, FOUR, small)
    assert chosen.level == "kept"
    assert lacks(ANATOMY, FOUR, small, chosen) == ("gpu",)


def test_a_step_is_shared_but_for_what_they_exchange() -> None:
    machine = Machine(gpu=78 * GIB, ram=64 * GIB, card=find_card("A100"))
    one, four = (time(ANATOMY, need, machine, KEPT) for need in (ONE, FOUR))
    assert one is not None and four is not None
    assert "exchange" not in one.parts
    assert four.parts["products"] * 4 == one.parts["products"]
    assert one.step / 4 < four.step < one.step / 2
    assert four.decode == one.decode  # by the first alone
