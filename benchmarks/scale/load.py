"""What is asked of the workers that only pretend: which jobs there are, and what cards take for them.

All seconds are the forecast's (`plan.speed`): of steps, of decoding, of reading a model. Nothing here was measured on
a card. Knows no store and no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import cycle, islice

from eichi.catalog import find
from eichi.jobs.schema import Draft
from eichi.jobs.view import Figures
from eichi.options import VideoOptions
from eichi.plan.cards import find_card
from eichi.plan.memory import GIB, RESERVED, Machine, Need, choose, time
from eichi.plan.timeline import section_count

MODELS = ("framepack", "framepack-f1")
LENGTHS = (5, 1, 5, 1, 5, 10, 5, 20)  # seconds of the videos that are asked for, in turn
CARDS = ("RTX 4090", "RTX 3090", "L20", "RTX 4090")  # of the workers, in turn
SIDE, STEPS, RAM = 640, 25, 64.0


@dataclass(frozen=True)
class Times:
    """Seconds that a card takes: for a step, for what a section takes beside its steps, for reading a model."""

    step: float
    rest: float
    model: float

    @property
    def section(self) -> float:
        return STEPS * self.step + self.rest


@cache
def times(card: str, model: str = MODELS[0]) -> Times:
    """What a card takes, with 64 GiB of RAM and the usual step cache."""
    known, anatomy = find_card(card), find(model).anatomy
    assert known is not None
    machine = Machine(known.gib * (1 - RESERVED) * GIB, RAM * GIB, card=known)
    need = replace(Need(SIDE, SIDE), steps=STEPS, cached=True)
    timed = time(anatomy, need, machine, choose(anatomy, need, machine))
    assert timed is not None
    sampled = timed.section - timed.decode
    return Times(sampled / STEPS, timed.decode, timed.start)


def drafts(count: int) -> list[Draft]:
    """So many jobs: lengths in turn, and models, so that no two of a length in a row have the same."""
    lengths = islice(cycle(LENGTHS), count)
    return [draft(length, MODELS[(at + at // len(LENGTHS)) % len(MODELS)]) for at, length in enumerate(lengths)]


@cache
def draft(length: int, model: str) -> Draft:
    """A job for a video of so many seconds, as the store keeps it."""
    options = VideoOptions.parse({"image": "picture.png", "prompt": "a red ball", "seconds": length, "model": model})
    sections = section_count(length, 9)
    figures = Figures(
        model=model, width=SIDE, height=SIDE, sections=sections, kept=0, frames=36 * sections + 1, seconds=length
    )
    return Draft("video", options.dump(), figures, f"{model} {SIDE}", "outputs")


def mean_job(workers: Sequence[str]) -> float:
    """Seconds that a job takes in the mean, on the mean of these cards."""
    sections = [section_count(length, 9) for length in LENGTHS]
    rate = sum(1 / times(card).section for card in workers) / len(workers)
    return sum(sections) / len(sections) / rate
