"""From a command to its first step: where the time of a start goes.

`eichi generate` runs as a user runs it, each time in a fresh process that is ended at its first step; beside it a
process that only imports what that needs. Told are the seconds that pass and those that the processor works, from the
start of a process on; on a machine that does other things too, the second are the ones to read. What the packages take
of the imports is what Python tells of each module; telling it takes time itself, so read the shares.
`python -m benchmarks start [--rounds N]`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from statistics import median

import psutil

from benchmarks.clip import PROMPT, SEED, picture

COMMAND = "from eichi.cli import main; main()"
IMPORTS = "import eichi.cli, eichi.models.load, eichi.pipeline.generate"
SAID = '; print(\'{"kind": "imports"}\', flush=True)'
MOST = 10


def until(kind: str, *words: str) -> tuple[float, float]:
    """Seconds that pass and that the processor works in a process of Python, until it writes an event of a kind."""
    begin = time.perf_counter()
    command = [sys.executable, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8") as process:
        assert process.stdout is not None
        next(line for line in process.stdout if json.loads(line).get("kind") == kind)
        passed, worked = time.perf_counter() - begin, psutil.Process(process.pid).cpu_times()
        process.kill()
    return passed, worked.user + worked.system


def packages() -> dict[str, float]:
    """Seconds of importing, by the package whose modules they go into, most first."""
    command = [sys.executable, "-X", "importtime", "-c", IMPORTS]
    told = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", check=True).stderr
    spent: Counter[str] = Counter()
    for line in told.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if len(parts) == 3 and parts[0].strip().isdigit():
            spent[parts[2].strip().partition(".")[0]] += int(parts[0])
    return {package: microseconds / 1e6 for package, microseconds in spent.most_common()}


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args(words)
    print(f"{'':<12}{'passed, s':>12}{'worked, s':>12}")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        asked = ["--image", str(picture()), "--prompt", PROMPT, "--seed", str(SEED), "--model", "tiny", "--out", folder]
        ways = {"imports": (IMPORTS + SAID,), "step": (COMMAND, "generate", *asked, "--json")}
        turns = [{kind: until(kind, "-c", *way) for kind, way in ways.items()} for _ in range(arguments.rounds)]
    for kind, name in {"imports": "imports", "step": "first step"}.items():
        passed, worked = (median(turn[kind][i] for turn in turns) for i in range(2))
        print(f"{name:<12}{passed:>12.2f}{worked:>12.2f}")  # noqa: T201
    spent = packages()
    whole = sum(spent.values())
    for package in list(spent)[:MOST]:
        print(f"  {package:<20}{spent[package] / whole:>6.0%} of the imports")  # noqa: T201
