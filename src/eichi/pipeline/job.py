"""What every job has around it: a name for its result, memory, the step cache, one place for torch's errors."""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Never, TypeVar

import torch

from eichi.declare import Plain
from eichi.errors import DeviceError
from eichi.events import Adjusted, Preparing
from eichi.library.whereabouts import marks_of, remember
from eichi.models.device import on_gpu, title
from eichi.models.load import Components
from eichi.models.nag import Nag
from eichi.models.steering import Steering, steered
from eichi.models.stepcache import CacheConfig, StepCache, apply_cache, remove_cache
from eichi.options import Options, StepOptions
from eichi.plan.memory import Need, Placement, plan_memory
from eichi.prepare import Drawn, gpus_note, weigh
from eichi.video.metadata import Record

log = logging.getLogger(__name__)

Stop = Callable[[], bool]

ATTENTION, GPUS = "attention", "gpus"  # what the record calls them

# What each step cache is tried and found good at; the table in measured/caches.md.
THRESHOLDS = {"tea": 0.15, "mag": 0.1, "first": 0.1}

Said = TypeVar("Said")
Made = TypeVar("Made")


def mark_files(options: Options, components: Components) -> dict[str, Plain]:
    """The marks of the files that a request is made from, for its record; where they lie is kept on this machine."""
    marks = marks_of(options)
    remember(options, marks, components.runtime.cache)
    return marks


def computed(values: Record, components: Components) -> Record:
    """A record with the kernels that its result is drawn by, those of before included; a CPU's has none. With the
    number of processes that computed it together, where there were several, since they round otherwise.
    """
    names = [*values.get(ATTENTION, "").split(", "), components.kernels.record.get(ATTENTION, "")]
    told = ", ".join(dict.fromkeys(filter(None, names)))
    gpus = {GPUS: components.gpus} if components.gpus > 1 else {}
    return values | ({ATTENTION: told} if told else {}) | gpus


@contextmanager
def step_cache(options: StepOptions, components: Components) -> Iterator[StepCache | None]:
    """The transformer as a job draws with it: what it can be told, its attention, the step cache, None where that is
    off, and whoever else computes it.
    """
    steering = steering_of(options)
    with (
        steered(components.transformer, steering),
        components.kernels.used(components.transformer),
        _cached(options, components) as cache,
        components.shared(cache, steering),
    ):
        yield cache


def steering_of(options: StepOptions) -> Steering:
    """What a request has the transformer told."""
    nag = None if options.nag == 1.0 else Nag(options.nag, options.nag_alpha, options.nag_tau)
    return Steering(nag, options.rope != 1.0)


@contextmanager
def _cached(options: StepOptions, components: Components) -> Iterator[StepCache | None]:
    if not options.teacache:
        yield None
        return
    entry, kind = components.entry, options.cache
    threshold = THRESHOLDS[kind] if options.threshold is None else options.threshold
    ratios = min(entry.magcache, key=lambda table: abs(len(table) - options.steps))
    cache = apply_cache(components.transformer, CacheConfig(kind, threshold, options.steps, entry.teacache, ratios))
    try:
        yield cache
    finally:
        remove_cache(components.transformer)
        cache.reset()  # hooks are in circles that keep what they refer to


def arrange(components: Components, options: Drawn, need: Need, together: bool = False) -> Iterator[Adjusted]:
    """Say what a request wants of the weights and put them where it leaves room for them; `need` is its size.

    `together` is whether several GPUs may compute it. A word on where, with the forecast, and on memory that there is
    too little of. Raises DeviceError, LoraError.
    """
    components.want(options.weights, together)
    if components.runtime.gpus > 1:
        yield gpus_note(components.gpus, on_gpu(components.device))
    choice = components.kernels.choice  # before the weights: a kernel that nobody tried is tried now
    log.info("attention: %s (%s)", choice.kernel, choice.why)
    if choice.dropped is not None:
        dropped, reason = choice.dropped
        yield Adjusted("note.attention.dropped", {"kernel": dropped, "reason": reason, "taken": choice.kernel})
    whole, machine = weigh(need, options, components.in_eight, components.gpus), components.machine
    placement = Placement("cpu", half=machine.half)
    if on_gpu(components.device):
        components.arrange(whole, machine)
        placement = components.placement
    plan = plan_memory(components.entry, whole, machine, placement)
    if components.gpus > 1 and "gpu" in plan.lacks:
        device = title(components.device)
        raise DeviceError("error.gpus.room", gpus=components.gpus, gpu=plan.gpu, usable=plan.usable, device=device)
    if placement.level == "cpu":
        yield Adjusted("note.memory.cpu", {"ram": plan.ram})
    else:
        values = {"level": placement.level, "streamed": placement.streamed, "gpu": plan.gpu, "ram": plan.ram}
        yield Adjusted("note.memory.plan", values)
        if not machine.streams:
            yield Adjusted("note.device.streams", {"device": title(components.device)})
    yield from plan.shortages


def make_weights(components: Components) -> Iterator[Preparing | Adjusted]:
    """Make the transformer what is wanted; a word on what fp8 costs. Raises LoraError."""
    yield from retry_steps(lambda: components.bring("transformer"), components)
    weights = components.weights
    if weights.losses:
        percent = round(100 * weights.loss.share, 2)
        yield Adjusted("note.fp8.loss", {"layers": len(weights.losses), "percent": percent})


def retry_steps(
    make: Callable[[], Generator[Said, None, Made]], components: Components
) -> Generator[Said | Adjusted, None, Made]:
    """What `make` says and returns; where memory runs out, the weights take less of it and `make` begins anew, with a
    word. Where they cannot take less, torch's error goes on to the boundary.
    """
    while True:
        try:
            return (yield from make())
        except torch.OutOfMemoryError:
            placement = components.step_down()
            if placement is None:
                raise
        # Outside of the handler, so that the error and the tensors in its frames are gone.
        yield Adjusted("note.memory.lower", {"level": placement.level, "streamed": placement.streamed})


def retry_call(make: Callable[[], Made], components: Components) -> Generator[Adjusted, None, Made]:
    """What a function returns, as `retry_steps`."""

    def once() -> Generator[Never, None, Made]:
        yield from ()
        return make()

    return retry_steps(once, components)


@contextmanager
def boundary(part: str = "transformer") -> Iterator[None]:
    """The one place where torch's complaints about a run become ours; `part` is what needs the memory."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError("error.device.memory", part=part) from error
