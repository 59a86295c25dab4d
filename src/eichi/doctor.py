"""Looks at the machine and says what a user should know: versions, device, attention, memory, codecs, folders, models.

Torch is imported inside the checks that need it. Every finding is an id with values, so that it can be said in any
language; `warn` is worth knowing, `bad` keeps the program from working.
"""

import platform
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

from eichi.catalog import find, known
from eichi.declare import walk
from eichi.errors import EichiError
from eichi.events import Values
from eichi.models.found import complaints
from eichi.models.locate import present
from eichi.prepare import check_folder
from eichi.settings import Settings
from eichi.setup.builds import build_in, own_packages
from eichi.setup.cards import backends, best, dotted, driver_name, usable
from eichi.setup.torches import misfit, unfit
from eichi.setup.whole import gaps
from eichi.video.metadata import LIBRARIES
from eichi.words import say

if TYPE_CHECKING:
    import torch

ROOM_GB = 2.0  # free disk under this is worth a word
RAM_GB = 4.0  # free RAM under this is worth a word


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    id: str
    state: Literal["good", "warn", "bad"] = "good"
    values: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """All findings, in the order to be read."""

    findings: tuple[Finding, ...]


def examine(settings: Settings) -> Report:
    """Look at the machine."""
    gone = gaps()
    device = [] if "torch" in gone else list(_loading(_device(settings)))
    codec = [] if "av" in gone else list(_loading(_codec()))
    here = [*_versions(gone), *device, *_set_up(settings), *_memory(), *codec]
    return Report((*here, *_folders(settings), *_models(settings)))


def _loading(findings: Iterable[Finding]) -> Iterator[Finding]:
    """What a check found, and what kept it from being finished where a library of its cannot be loaded."""
    try:
        yield from findings
    except (ImportError, OSError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        yield Finding("doctor.unloadable", "bad", {"reason": lines[0]})


def _versions(gone: Collection[str]) -> Iterator[Finding]:
    yield Finding("doctor.python", values={"version": platform.python_version(), "system": platform.platform()})
    for name in LIBRARIES:
        if name not in gone:
            yield Finding("doctor.library", values={"name": name, "version": version(name)})
    for name in gone:
        yield Finding("doctor.library_missing", "bad", {"name": name})


def _device(settings: Settings) -> Iterator[Finding]:
    import torch

    from eichi.models.device import pick_device, room, title
    from eichi.models.fp8 import multiplies

    yield from _build()
    try:
        device = pick_device(settings.device)
    except EichiError as error:
        yield Finding(error.id, "bad", error.plain)
        return
    found = room(device)
    if found is not None:
        free, total = found
        yield Finding("doctor.gpu", values={"name": title(device), "free": free / 2**30, "total": total / 2**30})
    else:
        yield Finding("doctor.cpu", "warn", {"threads": torch.get_num_threads()})
    if device.type in ("xpu", "mps") or (device.type == "cuda" and torch.version.hip is not None):
        yield Finding("doctor.untried", "warn", {"name": "ROCm" if device.type == "cuda" else device.type.upper()})
    yield Finding("doctor.fp8" if multiplies(device) else "doctor.fp8_absent")
    yield from _attention(device, settings)


def _build() -> Iterator[Finding]:
    """What is wrong with torch's build beside the NVIDIA card that is there."""
    import torch

    build, card = build_in(own_packages()), best()
    if build is None or card is None:
        return
    if not backends(card):
        id, values = unfit(card)
        yield Finding(id, "bad", {name: str(value) for name, value in values.items()})
        return
    wrong = misfit(build, card)
    if wrong is not None:
        yield Finding(f"fix.{wrong}", "bad", {"build": str(build)})
        yield Finding("doctor.fix")
    elif build.kind == "cuda" and not torch.cuda.is_available():
        yield Finding("doctor.card_unused", "bad", {"build": str(build), "driver": driver_name(card.driver)})
    elif build.kind == "cuda" and not usable(torch.cuda.get_device_capability(), torch.cuda.get_arch_list()):
        compute = dotted(torch.cuda.get_device_capability())
        yield Finding("doctor.card_old", "bad", {"build": str(build), "compute": compute})


def _attention(device: "torch.device", settings: Settings) -> Iterator[Finding]:
    """Which attention kernel is used, and why; which one is not."""
    from eichi.models.kernels import Trust, choose

    choice = choose(device, settings.attention, None, Trust(settings.cache), settings.reproducible)
    if choice.dropped is not None:
        kernel, reason = choice.dropped
        values = {"kernel": kernel, "reason": reason, "taken": choice.kernel}
        yield Finding("note.attention.dropped", "warn", values)
    poor = choice.kernel == "chunked" and choice.why == "none"
    yield Finding(f"doctor.attention.{choice.why}", "warn" if poor else "good", {"name": choice.kernel})


def _set_up(settings: Settings) -> Iterator[Finding]:
    """What is set that costs memory or time."""
    language = settings.language
    for one in walk(Settings):
        if one.group == "memory":
            name, value = say(one.label, language), one.tell(one.of(settings), language)
            yield Finding("doctor.setting", values={"key": one.key, "name": name, "value": value})


def _memory() -> Iterator[Finding]:
    memory = psutil.virtual_memory()
    free, total = memory.available / 2**30, memory.total / 2**30
    yield Finding("doctor.memory", "good" if free >= RAM_GB else "warn", {"free": free, "total": total})


def _codec() -> Iterator[Finding]:
    import av

    here = "libx264" in av.codecs_available
    yield Finding("doctor.codec" if here else "doctor.codec_missing", "good" if here else "bad")


def _folders(settings: Settings) -> Iterator[Finding]:
    for folder in (settings.home, settings.outputs, settings.models):
        there = _there(folder)  # a look makes no folders
        try:
            check_folder(there)
        except EichiError as error:
            yield Finding(error.id, "bad", error.plain | {"folder": str(folder)})
            continue
        free = shutil.disk_usage(there).free
        state: Literal["good", "warn"] = "good" if free >= ROOM_GB * 2**30 else "warn"
        yield Finding("doctor.folder", state, {"folder": str(folder.resolve()), "free": free})


def _there(folder: Path) -> Path:
    """A folder, or where it is not there yet the one that it would be made in."""
    return next(one for one in (folder, *folder.absolute().parents) if one.exists() or one == one.parent)


def _models(settings: Settings) -> Iterator[Finding]:
    for place, reason in complaints(find("framepack"), settings.model_folders):
        yield Finding("doctor.comfy", "warn", reason | {"folder": str(place)})
    if settings.offline:
        yield Finding("doctor.offline")
    for name in known():
        if present(find(name), settings.model_folders):
            yield Finding("doctor.model", values={"name": name})
        else:
            yield Finding("doctor.model_absent", "warn", {"name": name})
