"""Which NVIDIA cards and which driver a machine has, and what torch's builds ask of them.

What the driver's own program and the kernel say is read; nothing is loaded. Knows nothing of what is installed.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

Version = tuple[int, ...]

ASKED = ("nvidia-smi", "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader")
PATIENCE = 20  # seconds; a card that sleeps answers late
KERNEL = (Path("/proc/driver/nvidia/version"), Path("/sys/module/nvidia/version"))

# The driver from which on the builds of a CUDA release run, for Windows and for Linux: NVIDIA's notes on releases, as
# uv has them. Within a release a newer build runs on an older driver.
DRIVERS: dict[int, tuple[Version, Version]] = {
    13: ((580,), (580,)),
    12: ((528, 33), (525, 60, 13)),
}


@dataclass(frozen=True)
class Backend:
    """One of torch's indexes: the CUDA release that its builds are for, the oldest card with code in them, the first
    that is too new."""

    release: int
    oldest: Version
    beyond: Version = (100,)


# The newest first. From 12.8 on there is none for GTX 10, from 13 on none before RTX 20 and GTX 16; before 12.8 none
# for RTX 50. Whether an index has the torch that is asked for, it says itself.
BACKENDS = {
    "cu132": Backend(13, (7, 5)),
    "cu130": Backend(13, (7, 5)),
    "cu129": Backend(12, (7, 0)),
    "cu128": Backend(12, (7, 0)),
    "cu126": Backend(12, (5, 0), (12, 0)),
}


@dataclass(frozen=True)
class Card:
    """A card: its name, its driver, what it can compute (8.6 for RTX 30), where the driver says that."""

    name: str
    driver: Version
    compute: Version | None = None


def cards() -> tuple[Card, ...]:
    """The NVIDIA cards of this machine, by the driver's program; by the kernel's word where that is absent."""
    found = _asked() or _kernel()
    return tuple(card for card in found if card.driver)


def best() -> Card | None:
    """The card that a program would take: of several the one that computes most."""
    return max(cards(), key=lambda card: card.compute or (), default=None)


def backends(card: Card) -> tuple[str, ...]:
    """torch's indexes whose builds run on a card with its driver, the best first; none where the driver is too old."""
    return tuple(name for name, backend in BACKENDS.items() if runs(card, backend.release) and has_code(card, backend))


def runs(card: Card, release: int) -> bool:
    """Whether the driver is new enough for a CUDA release (13)."""
    return card.driver >= needed(release)


def needed(release: int) -> Version:
    """The oldest driver on this system for builds of a CUDA release; that of the nearest where it is not known."""
    known = min(DRIVERS, key=lambda one: abs(one - release))
    return DRIVERS[known][0 if sys.platform == "win32" else 1]


def dotted(version: Version) -> str:
    """What a card can compute, as a text."""
    return ".".join(str(part) for part in version)


def driver_name(version: Version) -> str:
    """A driver as NVIDIA writes it: 580.65.06, 546.01."""
    return ".".join(f"{part:02d}" for part in version)


def version_of(text: str) -> Version:
    """`580.65.06` as numbers; empty for what is no version."""
    found = re.match(r"\d+(\.\d+)*", text.strip())
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def has_code(card: Card, backend: Backend) -> bool:
    """Whether there is code for a card in the builds of an index; taken to be so where the card does not say."""
    return card.compute is None or backend.oldest <= card.compute < backend.beyond


def usable(compute: Version, archs: Iterable[str]) -> bool:
    """Whether a card can use what torch was built for: `sm_86` runs on 8.6 and 8.9, `compute_90` on all from 9.0 on."""
    for arch in archs:
        kind, _, digits = arch.rstrip("af").partition("_")
        if not digits.isdecimal():
            continue
        built = int(digits[:-1]), int(digits[-1])
        if (kind == "compute" and built <= compute) or (kind == "sm" and built[0] == compute[0] and built <= compute):
            return True
    return False


def _asked() -> list[Card]:
    if shutil.which(ASKED[0]) is None:
        return []
    try:
        answer = subprocess.run(ASKED, capture_output=True, encoding="utf-8", errors="replace", timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return []
    if answer.returncode != 0:  # the program lies there, but no driver answers
        return []
    lines = [[part.strip() for part in line.rsplit(",", 2)] for line in answer.stdout.splitlines()]
    return [Card(line[0], version_of(line[1]), version_of(line[2]) or None) for line in lines if len(line) == 3]


def _kernel() -> list[Card]:
    """What is there where only the kernel speaks, as in a container without the driver's programs."""
    for path in KERNEL:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", text)
        if found:
            return [Card("NVIDIA", version_of(found[0]))]
    return []
