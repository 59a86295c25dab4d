"""The slots of this machine: what a worker each is started for, so that every device has one and none has two.

NVIDIA's cards are told from each other by a variable that their driver's library reads when a process begins: each
worker sees one card, as if there were no other, and what is asked of "cuda" is asked of that one; or, where several are
to compute one video, so many. On a processor a slot is a share of its cores. All other devices have one slot. Without
torch: cards are counted by the driver's program.
"""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from eichi.settings import AUTO, NOBODY, Settings
from eichi.setup.cards import cards

log = logging.getLogger(__name__)

VISIBLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"
BY_BUS = "PCI_BUS_ID"  # the order in which the driver's program counts cards, which CUDA's own is not
THREADS = "OMP_NUM_THREADS"
CPU, CUDA = "cpu", "cuda"


@dataclass(frozen=True)
class Slot:
    """A place for one worker: its number among those of one device, and the variables that its process begins with."""

    number: int = 1
    variables: Mapping[str, str] = field(default_factory=dict)


def slots(
    settings: Settings, environment: Mapping[str, str] = os.environ, count: Callable[[], int] = lambda: len(cards())
) -> tuple[Slot, ...]:
    """The slots that the settings ask for, at least one but where none is to work here.

    `count` tells how many NVIDIA cards there are; those that the environment hides are not there. A card that is asked
    for and not there has no slot, and the log says so.
    """
    if settings.devices == NOBODY:
        return ()
    wanted = [] if settings.devices == AUTO else [int(part.rpartition(":")[2]) for part in settings.devices.split(",")]
    if settings.device not in (AUTO, CPU, CUDA):  # one that is named, or of a kind that counts as one
        return (Slot(variables=_order(environment)),)
    seen = [] if settings.device == CPU else _visible(environment, count)
    if not seen and settings.device != CUDA:
        return _shares(wanted[0] if len(wanted) == 1 else 1, environment)
    # AMD's cards answer to the name of CUDA, and nobody counts them here.
    chosen = seen if not wanted else [str(number) for number in wanted] if not seen else _among(seen, wanted)
    if len(chosen) < 2 and not wanted:
        return (Slot(variables=_order(environment)),)
    return tuple(Slot(variables={VISIBLE: some, **_order(environment)}) for some in _together(chosen, settings.gpus))


def physical(index: int, environment: Mapping[str, str] = os.environ) -> str:
    """What a card is called that a process sees under a number: the same in every process of the machine."""
    told = environment.get(VISIBLE, "").split(",")
    return told[index].strip() if any(told) and index < len(told) else str(index)


def _visible(environment: Mapping[str, str], count: Callable[[], int]) -> list[str]:
    """NVIDIA's cards, as the variable names them that hides some."""
    told = environment.get(VISIBLE)
    if told is None:
        return [str(number) for number in range(count())]
    seen = [part.strip() for part in told.split(",")]
    wrong = next((place for place, part in enumerate(seen) if part in ("", "-1")), len(seen))
    return seen[:wrong]  # the library reads no further


def _among(seen: list[str], wanted: list[int]) -> list[str]:
    """The cards of these numbers, the first one where none of them is there."""
    for number in wanted:
        if number >= len(seen):
            log.warning("devices: no card %d, there are %d", number, len(seen))
    return [seen[number] for number in dict.fromkeys(wanted) if number < len(seen)] or seen[:1]


def _together(cards: list[str], count: int) -> list[str]:
    """Cards in groups of so many, as the variable names them; fewer than one group are one. The rest has no slot."""
    groups = [cards[first : first + count] for first in range(0, len(cards), count)]
    if len(groups) > 1 and len(groups[-1]) < count:
        log.warning("devices: %d cards are left over where %d compute one video", len(groups.pop()), count)
    return [",".join(group) for group in groups]


def _order(environment: Mapping[str, str]) -> dict[str, str]:
    """Cards are counted as the driver's program does, unless somebody has chosen otherwise."""
    return {} if VISIBLE in environment or ORDER in environment else {ORDER: BY_BUS}


def _shares(count: int, environment: Mapping[str, str]) -> tuple[Slot, ...]:
    """So many workers on the processor, which share its cores unless the environment says how many threads each has."""
    share = max(1, (os.cpu_count() or 1) // max(1, count))
    threads = {} if count < 2 or THREADS in environment else {THREADS: str(share)}
    return tuple(Slot(number, threads) for number in range(1, max(1, count) + 1))
