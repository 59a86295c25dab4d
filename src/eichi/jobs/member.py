"""A worker among others: what it says of itself, and what of the queue it may take.

Workers of one store must agree, or the same request would give other bytes on another machine: on the versions that
results are made with, and for each model on its weights. Who joined first is right; who does not agree waits, says why,
and takes its turn when the others have left. Of a model that nobody has a job waits for a machine that has it; where
there is but one machine, it is taken at once, to fail with the reason.
"""

import logging
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress

import psutil

from eichi.catalog import find, known
from eichi.errors import EichiError
from eichi.jobs.nodes import WorkerView
from eichi.jobs.store import Store
from eichi.jobs.view import Problem
from eichi.models.device import on_gpu, pick_device, room, title
from eichi.models.kernels import PACKAGES, fused, package_version
from eichi.models.locate import locate, present
from eichi.models.prints import one_print, weights_prints
from eichi.settings import Settings
from eichi.video.metadata import versions

log = logging.getLogger(__name__)

GIB = 2**30


class Member:
    """A worker in the list of a store's. `shared` says that its store is that of several machines."""

    def __init__(self, store: Store, settings: Settings, runner: str, device: str, shared: bool) -> None:
        self.store = store
        self.settings = settings
        self.shared = shared
        self.models: frozenset[str] = frozenset()  # that it may take, by the last look
        self.view = WorkerView(
            runner=runner, node=runner.split("/")[0], device=device, version=_version(), **_device(settings.device)
        )

    def join(self) -> None:
        """Be listed. Raises StoreError."""
        self.view = self.view.model_copy(update={"models": self._present(), "since": self.store.now()})
        self.store.join(self.view)

    def beat(self) -> None:
        """A sign of life. Who is not listed, because its machine slept, joins again. Raises StoreError."""
        if not self.store.beat(self.view.runner):
            self.store.join(self.view)

    def holds(self, model: str | None) -> None:
        """Tell which model is in memory. Raises StoreError."""
        if self.view.holds != model:
            self._tell(holds=model)

    def look(self) -> None:
        """Find out what may be taken, and tell why what not. Raises StoreError."""
        asked, others = self.store.models_asked(), [one for one in self.store.workers() if one.runner != self.runner]
        if any(model in known() and model not in self.view.models for model in asked):
            self._tell(models=self._present())  # it may have been fetched meanwhile
        agreed, waits = agree(self.view, others)
        offered = {model for one in others for model in one.models}
        nobodys = {model for model in asked if model not in self.view.models and model not in offered}
        if self.shared or others:
            nobodys = {model for model in nobodys if model not in known() and self._has(model)}
        if waits != self.view.waits:
            self._tell(waits=waits)
        self.models = agreed | frozenset(nobodys if waits is None or waits.id != "waits.version" else ())

    def alone(self, model: str) -> bool:
        """Whether no other worker has a model. Raises StoreError."""
        return not any(one.runner != self.runner and model in one.models for one in self.store.workers())

    @property
    def runner(self) -> str:
        return self.view.runner

    def _tell(self, **changes: object) -> None:
        self.view = WorkerView.model_validate(self.view.model_dump() | changes)
        self.store.tell(self.runner, **changes)

    def _present(self) -> dict[str, str]:
        """The models that are on this machine, each with what tells its weights."""
        found = dict[str, str]()
        for name in known():
            entry, folders = find(name), self.settings.model_folders
            if present(entry, folders):
                with suppress(EichiError, OSError):  # it goes at this moment
                    found[name] = one_print(weights_prints(locate(entry, folders)))
        return found

    def _has(self, model: object) -> bool:
        """Whether a model of the user's own is on this machine."""
        if not isinstance(model, str) or not os.path.exists(model):
            return False
        with suppress(EichiError):
            return present(find(model), self.settings.model_folders)
        return False


def agree(mine: WorkerView, others: Iterable[WorkerView]) -> tuple[frozenset[str], Problem | None]:
    """The models that a worker may run beside those that joined before it, and why it may not run all."""
    elders = sorted(
        (one for one in others if (one.since, one.runner) < (mine.since, mine.runner)),
        key=lambda one: (one.since, one.runner),
    )
    if elders and elders[0].version != mine.version:
        values = {"node": elders[0].node, "theirs": _other(elders[0], mine), "ours": _other(mine, elders[0])}
        return frozenset(), Problem(id="waits.version", values=values)
    right = {
        model: next((one for one in elders if one.version == mine.version and model in one.models), mine)
        for model in mine.models
    }
    wrong = sorted(model for model, elder in right.items() if elder.models[model] != mine.models[model])
    if not wrong:
        waits = None if mine.models else Problem(id="waits.models", values={})
        return frozenset(mine.models), waits
    values = {"models": ", ".join(wrong), "node": right[wrong[0]].node}
    return frozenset(mine.models) - set(wrong), Problem(id="waits.weights", values=values)


def _version() -> str:
    """What results are made with; not for which card the libraries were built, which the device tells."""
    return ", ".join(f"{name} {version.partition('+')[0]}" for name, version in versions().items())


def _other(one: WorkerView, than: WorkerView) -> str:
    """What of a worker's versions is not another's."""
    theirs = than.version.split(", ")
    return ", ".join(part for part in one.version.split(", ") if part not in theirs)


def _device(name: str) -> dict[str, object]:
    """What a worker tells of its device; of one that is not here nothing."""
    with suppress(EichiError):
        device = pick_device(name)
        found = room(device)
        own: Sequence[str] = ("native",) if fused(device) else ("chunked",)
        return {
            "card": title(device) if on_gpu(device) else None,
            "memory_gib": round((found[1] if found else psutil.virtual_memory().total) / GIB, 1),
            "kernels": (*own, *(kernel for kernel in PACKAGES if package_version(kernel))),
        }
    return {}
