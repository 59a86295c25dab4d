"""What a page can learn of the machine's free memory: from the system, and from NVIDIA's own command.

The process that serves pages has no torch to ask. Where the command is missing there is no card that a model could run
on. What was learnt holds for some seconds, because a plan is drawn at every keystroke.
"""

import re
import shutil
import subprocess
import time

import psutil

from eichi.plan.memory import Machine
from eichi.settings import Settings

ASK = ("--query-gpu=memory.free", "--format=csv,noheader,nounits")
LONGEST, HOLDS = 5.0, 10.0  # seconds: for an answer, and until it is asked for again
MIB = 2**20


class Probe:
    """Free memory beside the device that the settings name."""

    def __init__(self) -> None:
        self._free: list[float] = []
        self._asked: float | None = None

    def look(self, settings: Settings) -> Machine:
        ram = float(psutil.virtual_memory().available)
        named = re.fullmatch(r"auto|cuda(?::(\d+))?", settings.device)
        cards = self._cards() if named else []
        card = int(named[1] or 0) if named else 0
        return Machine(cards[card] if card < len(cards) else None, ram, settings.preserve_gb)

    def _cards(self) -> list[float]:
        """Free bytes of every card."""
        now = time.monotonic()
        if self._asked is None or now - self._asked > HOLDS:
            self._free, self._asked = _ask(), now
        return self._free


def _ask() -> list[float]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    try:
        said = subprocess.run([command, *ASK], capture_output=True, timeout=LONGEST, check=True).stdout
        return [float(line) * MIB for line in said.split()]
    except (OSError, subprocess.SubprocessError, ValueError):  # no driver, no answer, no number: as without a card
        return []
