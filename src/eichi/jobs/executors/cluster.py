"""Ray, as the keeper of workers sees it: nodes, and actors by their names. The only place that imports it.

Ray carries work and never the truth: what a job is and how far stands in the store, and is asked of nobody here. Calls
return at once; what was asked is looked for with the next call.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import ray
from ray.exceptions import ActorUnavailableError, RayError

from eichi.errors import InputError, RunError
from eichi.jobs.executors.actor import About, Gone, WorkerActor
from eichi.jobs.executors.spots import CARD, Node, Spot, namespace
from eichi.jobs.slots import VISIBLE, physical, slots
from eichi.settings import AUTO, Settings

OWN = "local"  # what Ray calls an instance that ends with the process that began it
HERE = "127.0.0.2"  # of this machine alone; Ray has another word for 127.0.0.1
SHARED = 80 * 2**20  # bytes for objects that actors hand to each other, of which there are none
SLIVER = 0.001  # of a node, by which an actor is bound to it
CALLS = 4  # at a time: one may wait for a step to end
PATIENCE = 10.0  # seconds for the head of a cluster to answer


class RayCluster:
    """A connection to a cluster, or an instance on this machine of its own. A context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._space = namespace(settings)
        self._asked: dict[str, Any] = {}  # what was asked of an actor and is not answered yet
        self._left: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Raises InputError where there is no such cluster, or it lets nobody in."""
        address = self.settings.ray_address
        given: dict[str, Any] = {"namespace": self._space, "log_to_driver": False, "configure_logging": False}
        try:
            if address:
                _reach(address)
                ray.init(address=address, **given)
            else:
                ray.init(address=OWN, **given, **self._instance())
        except (ConnectionError, OSError, RayError, RuntimeError, ValueError) as error:
            unknown = isinstance(error, ConnectionError) and error.errno is None  # Ray's own, also for a wrong token
            reason = "reason.os.refused" if unknown else error
            raise InputError("error.ray.reach", address=address or OWN, reason=reason) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray.shutdown()

    def nodes(self) -> list[Node]:
        """The nodes that live."""
        with _reaching():
            told = [node for node in ray.nodes() if node["Alive"]]
        return [
            Node(
                address=node["NodeManagerAddress"],
                host=node["NodeManagerHostname"],
                cards=int(node["Resources"].get("GPU", 0)),
                cores=int(node["Resources"].get("CPU", 1)),
                labels=dict(node["Labels"]),
            )
            for node in told
        ]

    def names(self) -> set[str]:
        """The actors of this store, those that wait for a place among them."""
        with _reaching():
            return set(ray.util.list_named_actors())

    def make(self, spot: Spot) -> None:
        """Ask for an actor, where there is none of that name."""
        with _reaching():
            ray.remote(WorkerActor).options(
                name=spot.name,
                lifetime="detached",
                get_if_exists=True,
                max_restarts=-1,
                max_task_retries=0,
                max_concurrency=CALLS,
                num_cpus=0 if spot.cards else 1,
                num_gpus=spot.cards,
                resources={f"node:{spot.address}": SLIVER},
            ).remote(spot.name, dict(spot.told), spot.number)

    def about(self, name: str) -> About | None:
        """What an actor has answered since the last call, None where it has not. Raises Gone for one that is dead."""
        try:
            asked = self._asked.pop(name, None) or ray.get_actor(name).about.remote()
            if not ray.wait([asked], timeout=0)[0]:
                self._asked[name] = asked
                return None
            answer: About = ray.get(asked)
        except ActorUnavailableError:  # it is being started again
            return None
        except (RayError, ValueError) as error:  # the second where there is no such name any more
            raise Gone(str(error)) from error
        return answer

    def leave(self, name: str) -> bool:
        """Ask an actor to leave; whether it has."""
        with suppress(RayError, ValueError):
            if name not in self._left:
                self._left[name] = ray.get_actor(name).leave.remote()
            return bool(ray.wait([self._left[name]], timeout=0)[0])
        return True

    def end(self, name: str) -> None:
        """End an actor for good, whatever it does."""
        self._asked.pop(name, None)
        self._left.pop(name, None)
        with suppress(RayError, ValueError):
            ray.kill(ray.get_actor(name), no_restart=True)

    def _instance(self) -> dict[str, Any]:
        """What an instance of this machine has: the slots that the settings ask for."""
        found = slots(self.settings)
        kind, _, number = self.settings.device.partition(":")
        cards = [card for slot in found if VISIBLE in slot.variables for card in slot.variables[VISIBLE].split(",")]
        if kind == CARD and number:
            cards = [physical(int(number))]
        if cards:  # Ray gives away those that its own process sees
            os.environ[VISIBLE] = ",".join(cards)
        alone = kind in (AUTO, CARD) and not cards and len(found) == 1  # with one card or none, which Ray counts
        counted = {} if alone else {"num_gpus": len(cards)}
        return {
            "num_cpus": max(len(found), os.cpu_count() or 1),
            "include_dashboard": False,
            "object_store_memory": SHARED,
            "_node_ip_address": HERE,
            **counted,
        }


def _reach(address: str) -> None:
    """Knock at the head of a cluster, for which Ray itself has minutes of patience. Raises OSError."""
    host, _, port = address.rpartition(":")
    if host:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()


@contextmanager
def _reaching() -> Iterator[None]:
    """The one place where Ray's complaints about a cluster become ours."""
    try:
        yield
    except (RayError, ConnectionError, RuntimeError) as error:
        raise RunError("error.ray.lost", reason=error) from error
