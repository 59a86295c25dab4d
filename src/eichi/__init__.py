"""FramePack-eichi: a picture and a prompt in, a video out, on your own machine.

The Python surface. Names are looked up when they are first used, so that `import eichi` stays free of torch.

    from eichi import VideoOptions, make_plan, generate

    plan = make_plan(VideoOptions(image="cat.jpg", prompt="the camera zooms in", seconds=2))
    for event in generate(plan, "outputs"):
        print(event)

One image is made likewise: `FrameOptions`, `make_frame_plan`, `generate_frame`; a video that there is is finished by
`FinishOptions`, `make_finish_plan`, `finish_video`. Here a program of somebody else's comes
in, so the settings of the machine are read here, at each call; the functions of the same names below are handed them.
"""

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from eichi.catalog import Entry
    from eichi.errors import EichiError
    from eichi.events import Event
    from eichi.finish.plan import FinishPlan
    from eichi.models.load import Components
    from eichi.options import FinishOptions, FrameOptions, VideoOptions
    from eichi.pipeline.checkpoint import Checkpoint
    from eichi.plan.oneframe import FramePlan
    from eichi.plan.plan import Plan

__all__ = [
    "EichiError",
    "FinishOptions",
    "FrameOptions",
    "VideoOptions",
    "finish_video",
    "generate",
    "generate_frame",
    "make_finish_plan",
    "make_frame_plan",
    "make_plan",
]

_HOMES = {"EichiError": "eichi.errors"} | dict.fromkeys(
    ("FinishOptions", "FrameOptions", "VideoOptions"), "eichi.options"
)


# Large tensors in pages of 2 MiB, where the system has such: without them over a quarter of a CPU's time goes into
# giving the VAE its memory. PyTorch asks once, at the first tensor, and diffusers makes one when it is imported.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def make_plan(options: "VideoOptions", entry: "Entry | None" = None) -> "Plan":
    """The plan of a request: its model looked up unless given, its pictures measured. Raises InputError."""
    from eichi import prepare
    from eichi.library.wildcards import drawn_request
    from eichi.settings import load_settings

    settings = load_settings()
    return prepare.make_plan(drawn_request(options, settings.lists), settings.model_folders, entry)


def make_frame_plan(options: "FrameOptions", entry: "Entry | None" = None) -> "FramePlan":
    """The plan of a request for one image, as `make_plan` is that of a video. Raises InputError."""
    from eichi import prepare
    from eichi.library.wildcards import drawn_request
    from eichi.settings import load_settings

    settings = load_settings()
    return prepare.make_frame_plan(drawn_request(options, settings.lists), settings.model_folders, entry)


def generate(
    plan: "Plan",
    folder: "Path | str" = "outputs",
    components: "Components | None" = None,
    stop: Callable[[], bool] = lambda: False,
    checkpoint: "Checkpoint | None" = None,
    previews: int = 0,
) -> "Iterator[Event]":
    """Run a plan, as `pipeline.generate.generate` says; without `components` with those of this machine."""
    from eichi.pipeline.generate import generate as run

    yield from run(plan, folder, components or _components(plan.entry), stop, checkpoint, previews)


def generate_frame(
    plan: "FramePlan",
    folder: "Path | str" = "outputs",
    components: "Components | None" = None,
    stop: Callable[[], bool] = lambda: False,
) -> "Iterator[Event]":
    """Run a plan for one image, as `pipeline.oneframe.generate_frame` says; `components` as those of `generate`."""
    from eichi.pipeline.oneframe import generate_frame as run

    yield from run(plan, folder, components or _components(plan.entry), stop)


def make_finish_plan(options: "FinishOptions") -> "FinishPlan":
    """What finishing a video comes to, as `finish.plan.make_finish_plan` says. Raises InputError."""
    from eichi.finish.plan import make_finish_plan as plan
    from eichi.settings import load_settings

    settings = load_settings()
    return plan(options, settings.model_folders, settings.cache)


def finish_video(
    plan: "FinishPlan", folder: "Path | str" = "outputs", stop: Callable[[], bool] = lambda: False
) -> "Iterator[Event]":
    """Finish a video, or go on where the same was interrupted, as `finish.run.finish` says."""
    from pathlib import Path

    from eichi.finish.folder import left_over
    from eichi.finish.run import finish
    from eichi.settings import load_settings

    yield from finish(plan, folder, load_settings().runtime, stop, left_over(Path(folder), plan))


def _components(entry: "Entry") -> "Components":
    from eichi.models.load import Components
    from eichi.settings import load_settings

    return Components(entry, load_settings().runtime)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'eichi' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
