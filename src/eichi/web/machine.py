"""What a page can learn of the machine's memory and card: from the system, and from NVIDIA's own command.

The process that serves pages has no torch to ask. Where the command is missing there is no card that a model could run
on. What was learnt holds for some seconds, because a plan is drawn at every keystroke.
"""

import platform
import re
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

from eichi.models import ram
from eichi.plan.cards import find_card
from eichi.plan.memory import Machine
from eichi.settings import Settings
from eichi.setup.builds import build_in, own_packages

FREE, NAMES = "memory.free", "name"  # what the command is asked for
LONGEST, HOLDS = 5.0, 10.0  # seconds: for an answer, and until it is asked for again
MIB = 2**20


class Maker(NamedTuple):
    """What torch calls a GPU that is not NVIDIA's, and whose it is."""

    device: str
    label: str


def other_maker() -> Maker | None:
    """The GPU that the installed torch is built for, where it is not NVIDIA's. Whether there is one, nobody tells."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Maker("mps", "mps")
    build = build_in(own_packages())
    if build is None or build.kind not in ("rocm", "xpu"):
        return None
    return Maker("cuda", "amd") if build.kind == "rocm" else Maker("xpu", "xpu")


class Probe:
    """Free memory beside the device that the settings name."""

    def __init__(self) -> None:
        self._free: list[float] = []
        self._asked: float | None = None
        self._names: list[str] | None = None

    def look(self, settings: Settings) -> Machine:
        here = ram.free()
        named = re.fullmatch(r"auto|cuda(?::(\d+))?", settings.device)
        cards = self._cards() if named else []
        number = int(named[1] or 0) if named else 0
        half = settings.runtime.half
        if number >= len(cards):
            return Machine(None, here, settings.preserve_gb, half=half)
        names = self.names()
        card = find_card(names[number]) if number < len(names) else None
        free, kernel, limit = cards[number], settings.attention, ram.pinnable()
        return Machine(
            free, here, settings.preserve_gb, card=card, kernel=kernel, half=half, pinnable=limit, total=ram.total()
        )

    def names(self) -> list[str]:
        """What the cards of this machine are called, in the order of their numbers."""
        if self._names is None:
            self._names = _ask(NAMES)
        return self._names

    def _cards(self) -> list[float]:
        """Free bytes of every card."""
        now = time.monotonic()
        if self._asked is None or now - self._asked > HOLDS:
            self._free, self._asked = _numbers(_ask(FREE)), now
        return self._free


def _numbers(lines: list[str]) -> list[float]:
    """Bytes for lines in MiB, none where one of them is no number: as without a card."""
    try:
        return [float(line) * MIB for line in lines]
    except ValueError:
        return []


def _ask(what: str) -> list[str]:
    """What NVIDIA's command says of every card, nothing where there is no driver or no answer."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    ask = [command, f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(ask, capture_output=True, timeout=LONGEST, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
