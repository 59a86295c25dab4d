"""Where the workers of a Ray cluster stand: a spot for each card of each node, or for each few, named by both.

Ray waits without a word for a node that it does not have, so that what is asked of nodes is looked up here before it is
asked for. Plain values in and out; knows no Ray.
"""

import hashlib
import os
import socket
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from sqlalchemy import make_url

from eichi.errors import InputError
from eichi.jobs.slots import CPU, THREADS
from eichi.settings import NOBODY, Settings, variable

SQLITE = "sqlite"
CARD = "cuda"
OWN_LABEL = "ray.io/node-id"  # which Ray gives, another one each time
VERSION = version("framepack-eichi")  # as this process began with it


@dataclass(frozen=True)
class Node:
    """A machine of the cluster: its address, its name, how many cards and cores Ray counts there, what it is called."""

    address: str
    host: str
    cards: int = 0
    cores: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Spot:
    """A place for one worker: on which node, how many cards it has, its number among those that share a processor.

    `told` are the variables that it begins with.
    """

    name: str
    address: str
    host: str
    cards: int
    number: int
    told: Mapping[str, str]

    @property
    def mark(self) -> str:
        """What tells a worker of this program and these settings from others."""
        return mark(self.told)


def mark(told: Mapping[str, str]) -> str:
    """The version of the program and what a worker is told, as one word that gives nothing of it away."""
    return hashlib.sha256(repr((VERSION, sorted(told.items()))).encode()).hexdigest()[:16]


def spots(nodes: Sequence[Node], settings: Settings, here: str | None = None) -> list[Spot]:
    """The spots of a cluster by its nodes; `here` is the name of this machine.

    Where any node has a card, cards work and processors do not, unless the settings ask for these. Raises InputError
    where no node has the labels that are asked for, none can reach the jobs, or none has cards enough for a worker.
    """
    here = here or socket.gethostname()
    wanted = labels_of(settings.ray_labels)
    fitting = [node for node in nodes if wanted.items() <= node.labels.items()]
    if not fitting:
        known = {f"{key}={value}" for node in nodes for key, value in node.labels.items() if key != OWN_LABEL}
        raise InputError("error.ray.labels", labels=settings.ray_labels, known=", ".join(sorted(known)))
    if make_url(settings.store).get_backend_name() == SQLITE:
        fitting = [node for node in fitting if node.host == here]
        if not fitting:
            raise InputError("error.ray.store", store=settings.store)
    if settings.devices == NOBODY:  # here; others have settings of their own
        fitting = [node for node in fitting if node.host != here]
    cards = settings.device != CPU and any(node.cards for node in fitting)
    names = _names(fitting)
    found: list[Spot] = []
    for address, machine in _machines(fitting).items():
        count = sum(node.cards // settings.gpus for node in machine) if cards else _shares(settings)
        for number in range(count):
            told = _told(settings, cards, machine[0], count, here)
            name = f"{names[address]}-{number}"
            each, place = (settings.gpus, 1) if cards else (0, number + 1)
            found.append(Spot(name, address, machine[0].host, each, place, told))
    if cards and not found:
        raise InputError("error.ray.cards", gpus=settings.gpus, most=max(node.cards for node in fitting))
    return found


def labels_of(text: str) -> dict[str, str]:
    """The labels that a setting names."""
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {key.strip(): value.strip() for key, _, value in pairs}


def namespace(settings: Settings) -> str:
    """What the workers of a store are called together, so that two stores can share a cluster."""
    url = make_url(settings.store)
    plain = url.set(username=None, password=None).render_as_string()
    place = socket.gethostname() if url.get_backend_name() == SQLITE else ""
    return f"eichi-{hashlib.sha256(f'{place} {plain}'.encode()).hexdigest()[:12]}"


def _machines(nodes: Iterable[Node]) -> dict[str, list[Node]]:
    """Nodes by their address; there may be several of a cluster on one machine."""
    found: defaultdict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        found[node.address].append(node)
    return found


def _names(nodes: Iterable[Node]) -> dict[str, str]:
    """What the workers at an address are called: by the machine's name, with the address where two share a name."""
    hosts = {node.address: node.host for node in nodes}
    often = Counter(hosts.values())
    return {place: f"eichi-{host}" if often[host] == 1 else f"eichi-{host}-{place}" for place, host in hosts.items()}


def _shares(settings: Settings) -> int:
    """How many workers share a processor."""
    return int(settings.devices) if settings.devices.isdecimal() else 1


def _told(settings: Settings, card: bool, node: Node, count: int, here: str) -> dict[str, str]:
    """What a worker is told: where jobs and files are, and its device. All else is a setting of its machine."""
    kind = settings.device.partition(":")[0] if card else CPU
    told = {variable("store"): settings.store, variable("device"): kind if card else CPU}
    if settings.place:
        told[variable("place")] = settings.place
    if settings.gpus > 1:
        told[variable("gpus")] = str(settings.gpus)
    if node.host == here:
        told[variable("home")] = str(settings.home)
        if THREADS in os.environ:
            told[THREADS] = os.environ[THREADS]
    if count > 1 and not card:
        told.setdefault(THREADS, str(max(1, node.cores // count)))
    return told
