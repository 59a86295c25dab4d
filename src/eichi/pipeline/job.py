"""What every job has around it: its components, a name for its result, the step cache, one place for torch's errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import torch

from eichi.catalog import Entry
from eichi.errors import DeviceError
from eichi.events import Adjusted
from eichi.models.load import Components
from eichi.models.offload import measure
from eichi.models.stepcache import TeaCache, TeaConfig, apply_teacache, remove_teacache
from eichi.options import StepOptions
from eichi.plan.memory import Need
from eichi.settings import load_settings

Stop = Callable[[], bool]
Drawn = TypeVar("Drawn")


def own_components(entry: Entry) -> Components:
    """A model's components where and on which device the settings say."""
    settings = load_settings()
    return Components(entry, settings.models, settings.device, settings.cache)


def free_name(folder: Path, suffix: str) -> Path:
    """A name for the result that nothing in the folder has yet: date, time and milliseconds."""
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        path = folder / f"{datetime.now():%y%m%d_%H%M%S_%f}"[:-3]
        if not any(path.parent.glob(f"{path.name}*")):
            return path.with_suffix(suffix)


@contextmanager
def step_cache(options: StepOptions, components: Components) -> Iterator[TeaCache | None]:
    """The step cache on the transformer for the time of a job, None where it is off."""
    if not options.teacache:
        yield None
        return
    config = TeaConfig(options.threshold, components.entry.teacache, options.steps)
    cache = apply_teacache(components.transformer, config)
    try:
        yield cache
    finally:
        remove_teacache(components.transformer)


def arrange(components: Components, need: Need) -> None:
    """Put the weights where a request of this size leaves room for them. A CPU has no choice."""
    if components.device.type == "cuda":
        components.arrange(need, measure(components.device, load_settings().preserve_gb))


def persist(draw: Callable[[], Iterator[Drawn]], components: Components) -> Iterator[Drawn | Adjusted]:
    """What `draw` yields; where memory runs out, the weights take less of it and `draw` begins anew, with a word.

    Where they cannot take less, torch's error goes on to the boundary.
    """
    while True:
        try:
            yield from draw()
            return
        except torch.OutOfMemoryError:
            placement = components.step_down()
            if placement is None:
                raise
        # Outside of the handler, so that the error and the tensors in its frames are gone.
        yield Adjusted("note.memory.lower", {"level": placement.level, "streamed": placement.streamed})


@contextmanager
def boundary() -> Iterator[None]:
    """The one place where torch's complaints about a run become ours."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError("error.device.memory", part="transformer") from error
