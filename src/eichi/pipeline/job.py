"""What every job has around it: its components, a name for its result, the step cache, one place for torch's errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import torch

from eichi.catalog import Entry
from eichi.errors import DeviceError
from eichi.events import Adjusted
from eichi.models.load import Components
from eichi.models.stepcache import TeaCache, TeaConfig, apply_teacache, remove_teacache
from eichi.options import StepOptions
from eichi.settings import load_settings

Stop = Callable[[], bool]


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


def make_weights(components: Components) -> Iterator[Adjusted]:
    """Make the transformer what is wanted; a word on what fp8 costs. Raises LoraError."""
    weights = components.weights
    if weights.losses:
        percent = round(100 * weights.loss.share, 2)
        yield Adjusted("note.fp8.loss", {"layers": len(weights.losses), "percent": percent})


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


@contextmanager
def boundary() -> Iterator[None]:
    """The one place where torch's complaints about a run become ours."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError("error.device.memory", part="transformer") from error
