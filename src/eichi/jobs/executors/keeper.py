"""The process that holds on to a Ray cluster and sees to it that a worker stands at each spot.

A process of its own, because Ray ends the process that it is loaded in where a cluster's head is lost; the one that
serves people starts it again. It tells its parent how many workers there are, a line each time that this changes, or
why there is none, and leaves when its parent closes its input. With an instance of its own the workers end with it; on
a cluster they go on.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from eichi.console import console
from eichi.errors import EichiError, InputError, RunError, StoreError
from eichi.jobs.executors.actor import About, Gone
from eichi.jobs.executors.ray import ONCE, STOP
from eichi.jobs.executors.spots import CARD, VERSION, Node, Spot, spots
from eichi.jobs.nodes import WorkerView
from eichi.jobs.runner import BEAT, new_runner
from eichi.jobs.slots import CPU
from eichi.jobs.store import Store
from eichi.jobs.view import Problem
from eichi.lines import in_terminal
from eichi.logs import OURS, logging_to
from eichi.settings import Settings, load_settings

log = logging.getLogger(f"{OURS}.ray")  # the module itself has no name where it is the program

PACE = 0.5  # seconds between two looks
AGAIN = 30.0  # seconds after which a worker is tried again that could not work
MOMENT = 2.0  # seconds after which a worker is made again that made room
LATE = 60.0  # seconds without an answer after which a worker is said to wait for a place
FAILED = 1


class Cluster(Protocol):
    """What a keeper sees of a cluster."""

    def nodes(self) -> list[Node]: ...

    def names(self) -> Collection[str]: ...

    def make(self, spot: Spot) -> None: ...

    def about(self, name: str) -> About | None: ...

    def leave(self, name: str) -> bool: ...

    def end(self, name: str) -> None: ...


@dataclass
class Known:
    """What is known of the worker at a spot; times are those of the keeper's clock."""

    made: float
    works: bool = False
    late: bool = False
    renewed: bool = False
    problem: EichiError | None = None
    again: float = 0.0  # not before


class Keeper:
    """Makes the workers that are missing, replaces those that ended, lets those go that nobody asks for any more."""

    def __init__(self, cluster: Cluster, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.cluster = cluster
        self.settings = settings
        self._clock = clock
        self._known: dict[str, Known] = {}
        self._wanted: dict[str, Spot] = {}

    def look(self) -> int:
        """One look at everything; how many workers there are. Raises InputError where none can be, RunError."""
        nodes = self.cluster.nodes()
        self._wanted = {spot.name: spot for spot in spots(nodes, self.settings)}
        named = set(self.cluster.names())
        for name in named - self._wanted.keys():
            self._retire(name, {node.host for node in nodes})
        for name, spot in self._wanted.items():
            known = self._known.setdefault(name, Known(self._clock()))
            if name in named:
                self._ask(spot, known)
            elif self._clock() >= known.again:
                self._known[name] = Known(self._clock(), renewed=known.renewed, problem=known.problem)
                self.cluster.make(spot)
        return sum(known.works for known in self._mine)

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be expected soon: each worker is there, has failed, or waits for a place."""
        return all(known.works or known.late or known.problem for known in self._mine)

    @property
    def hopeless(self) -> EichiError | None:
        """Why there is no worker, where all have failed."""
        problems = [known.problem for known in self._mine if known.problem and not known.works]
        return problems[0] if problems and len(problems) == len(self._wanted) else None

    @property
    def late(self) -> list[Spot]:
        """The spots whose workers wait for a place that Ray does not give them."""
        return [spot for name, spot in self._wanted.items() if self._known[name].late]

    def clear(self) -> bool:
        """Let all workers go; whether they have."""
        hosts = {node.host for node in self.cluster.nodes()}
        named = set(self.cluster.names())
        for name in named:
            self._retire(name, hosts)
        return not named

    @property
    def _mine(self) -> list[Known]:
        return [self._known[name] for name in self._wanted]

    def _ask(self, spot: Spot, known: Known) -> None:
        if self._clock() < known.again:  # it was ended, and its name may be there for a moment
            return
        try:
            about = self.cluster.about(spot.name)
        except Gone as gone:
            self.cluster.end(spot.name)
            log.debug("%s: %s", spot.name, gone)
            self._failed(spot, known, RunError("error.ray.actor", node=spot.host))
            return
        if about is None:
            if not known.works and not known.late and self._clock() > known.made + LATE:
                known.late = True
                log.warning("%s", in_terminal(RunError("error.ray.busy", node=spot.host), self.settings.language))
        elif about.ended:
            self.cluster.end(spot.name)
            told = about.problem
            self._failed(spot, known, RunError("error.ray.actor", node=spot.host) if told is None else _error(told))
        elif about.mark != spot.mark and not known.renewed:
            # Of another version or with other settings, from before this keeper; it makes room for one of today.
            known.works = False
            if self.cluster.leave(spot.name):
                self.cluster.end(spot.name)
                known.renewed, known.again = True, self._clock() + MOMENT
        else:
            if not known.works:
                log.info("%s", spot.name)
            known.works, known.late, known.problem = True, False, None

    def _failed(self, spot: Spot, known: Known, problem: EichiError) -> None:
        known.works, known.late, known.problem = False, False, problem
        known.again = self._clock() + AGAIN
        log.error("%s: %s", spot.name, in_terminal(problem, self.settings.language))

    def _retire(self, name: str, hosts: Collection[str]) -> None:
        """Let a worker go, and one at once whose machine is gone."""
        if not any(f"-{host}-" in name for host in hosts) or self.cluster.leave(name):
            self.cluster.end(name)


def _error(problem: Problem) -> EichiError:
    return RunError(problem.id, **problem.values)


class Waiting:
    """Tells the store of the workers that Ray gives no place, as they cannot tell it themselves."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self._clock = clock
        self._runners: dict[str, str] = {}
        self._beat = 0.0

    def tell(self, late: Collection[Spot]) -> None:
        """These wait, and no others do. A store that does not answer hears it later."""
        with suppress(StoreError):
            for name in self._runners.keys() - {spot.name for spot in late}:
                self.store.leave(self._runners[name])
                del self._runners[name]
            for spot in late:
                if spot.name not in self._runners:
                    self._join(spot)
            if self._runners and self._clock() > self._beat + BEAT:
                self._beat = self._clock()
                for runner in self._runners.values():
                    self.store.beat(runner)

    def _join(self, spot: Spot) -> None:
        waits, runner = Problem(id="error.ray.busy", values={"node": spot.host}), new_runner()
        device = CARD if spot.cards else CPU
        self.store.join(WorkerView(runner=runner, node=spot.host, device=device, version=VERSION, waits=waits))
        self._runners[spot.name] = runner


def keep(
    keeper: Keeper,
    waiting: Waiting,
    leaving: threading.Event,
    say: Callable[[str], object],
    once: bool = False,
) -> None:
    """Look until it is time to leave, or with `once` until workers are there. Raises EichiError where none can be."""
    told: int | None = None
    while not leaving.is_set():
        try:
            working = keeper.look()
        except InputError as error:  # nodes come and go
            if not told:
                raise
            log.error("%s", in_terminal(error, keeper.settings.language))
            working = 0
        if working != told and (working or told is not None):
            say(f"{working}\n")
            told = working
        if told is None and (problem := keeper.hopeless):
            raise problem
        if once and keeper.settled:
            return
        waiting.tell(() if once else keeper.late)
        leaving.wait(PACE)


def clear(keeper: Keeper, pause: Callable[[float], object] = time.sleep) -> None:
    """Let all workers go, and wait for it."""
    while not keeper.clear():
        pause(PACE)


def main() -> None:
    """The process; the parent holds the other end of its input and of its output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which decides
    leaving = threading.Event()
    threading.Thread(target=_wait_for_parent, args=(leaving,), daemon=True).start()
    # Libraries may print what they like; the parent reads lines of ours.
    with console(), os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8") as parent:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        settings = load_settings()
        with logging_to(settings, "ray"):
            try:
                _run(settings, leaving, parent.write)
            except EichiError as error:  # the parent tells who waits
                log.error("%s", in_terminal(error, settings.language))
                parent.write(f"{Problem(id=error.id, values=error.plain).model_dump_json()}\n")
                sys.exit(FAILED)


def _run(settings: Settings, leaving: threading.Event, say: Callable[[str], object]) -> None:
    from eichi.jobs.executors.cluster import RayCluster

    with Store(settings.store) as store, RayCluster(settings) as cluster:
        keeper, waiting = Keeper(cluster, settings), Waiting(store)
        if STOP not in sys.argv:
            keep(keeper, waiting, leaving, say, ONCE in sys.argv)
            waiting.tell(())
        if STOP in sys.argv or not settings.ray_address:
            clear(keeper)


def _wait_for_parent(leaving: threading.Event) -> None:
    sys.stdin.read()
    leaving.set()


if __name__ == "__main__":
    main()
