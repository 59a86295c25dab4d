"""What is rehearsed: the program's own command line, once for every way that a card would be used.

Every way is a process of its own (two for one that is killed) and its result is kept as soon as it is there, so that a
rehearsal that was ended goes on with the next way.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rehearsal.checkpoint import SIDE, Checkpoint
from benchmarks.rehearsal.watch import Run, Seen, forget

EICHI = (sys.executable, "-c", "from eichi.cli import main; main()")
GIB = 2**30
LIMIT_GIB = 12.0


@dataclass(frozen=True)
class Way:
    """One way: the layout that it draws with, its flags, how many sections; memory in GiB that it may have.

    `again` is what is changed for a second job in the same process, `killed` whether it is killed after its first
    section and resumed; `cold` files are read from the disk, not from the system's cache.
    `room_gib` is the RAM without which it is not tried: the machine would do nothing else any more.
    """

    name: str
    layout: str = "published"
    flags: tuple[str, ...] = ()
    seconds: float = 1.0
    limit_gib: float | None = None
    again: tuple[str, ...] = ()
    killed: bool = False
    offline: bool = False
    cold: bool = False
    precision: str = "half"
    room_gib: float = 0.0


@dataclass
class Result:
    """What came of a way. Memory in GiB, times in seconds, None where it was not seen."""

    way: str
    good: bool
    forecast: float | None = None
    peak: float = 0.0
    mapped: float = 0.0
    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    silence: float = 0.0
    during: str = ""
    notes: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def ratio(self) -> float | None:
        """Peak over forecast."""
        return self.peak / self.forecast if self.forecast else None


def ways(checkpoint: Checkpoint) -> list[Way]:
    """All of them, those of a layout one after the other."""
    lora = ("--lora", f"{checkpoint.lora}:0.8")
    made = [
        Way("bfloat16, from the files", cold=True),
        Way("FP8, a scale for each matrix", flags=("--fp8", "tensor")),
        Way("FP8, a scale for each row", flags=("--fp8", "row")),
        Way("FP8 by rows and a LoRA of rank 32 on every matrix", flags=("--fp8", "row", *lora)),
        Way(
            "its strength changed in the same process", flags=("--fp8", "row", *lora), again=(f"{checkpoint.lora}:0.4",)
        ),
        Way("bfloat16 and the LoRA", flags=lora, room_gib=30),
        Way(f"bfloat16, {LIMIT_GIB:g} GiB of memory allowed", limit_gib=LIMIT_GIB, cold=True),
        Way("killed after a section, resumed", flags=("--fp8", "row"), seconds=2.0, killed=True),
        Way("--offline, without a network", flags=("--fp8", "row"), offline=True),
        Way("Kijai's file in eight bits", layout="kijai"),
        Way("Kijai's file, FP8 by rows", layout="kijai", flags=("--fp8", "row")),
        Way("ComfyUI's tree of single files", layout="comfy"),
        Way("ComfyUI's tree, FP8 by rows", layout="comfy", flags=("--fp8", "row")),
    ]
    embedded = [
        Way("the embedded model, float32", layout="embedded", precision="float32", seconds=2.0),
        Way("the embedded model, half", layout="embedded", seconds=2.0),
        Way("the embedded model, FP8 by rows", layout="embedded", precision="float32", flags=("--fp8", "row")),
    ]
    return made + embedded


def run_way(way: Way, checkpoint: Checkpoint, out: Path) -> Result:
    """Run a way and say what came of it."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    cache = checkpoint.home / "cache"  # of prompts that were read before
    shutil.rmtree(cache, ignore_errors=True)
    if way.cold:
        forget(checkpoint.files("published"))
    variables = _variables(way, checkpoint, out)
    if way.again:
        return _told(way, _twice(way, checkpoint, variables, out))
    command = _command("generate", way, checkpoint, out)
    seen = Run(_alone(command) if way.offline else command, variables, way.limit_gib).wait(
        "section_done" if way.killed else None
    )
    if not way.killed:
        return _told(way, seen)
    before = _told(way, seen)
    after = _told(way, Run([*EICHI, "resume", "--out", str(out), "--json"], variables).wait())
    after.phases["until the kill"] = before.seconds
    after.peak, after.forecast = max(before.peak, after.peak), before.forecast
    return after


def _variables(way: Way, checkpoint: Checkpoint, out: Path) -> dict[str, str]:
    """The settings of the machine that is played."""
    variables = {"EICHI_HOME": str(checkpoint.home), "EICHI_DEVICE": "cpu", "EICHI_CPU_PRECISION": way.precision}
    if way.layout == "comfy":
        variables["EICHI_COMFY"] = str(checkpoint.folder / "comfy")
    variables |= {"EICHI_STORE": f"sqlite:///{out / 'jobs.db'}", "EICHI_LANGUAGE": "en", "EICHI_OUTPUTS": str(out)}
    return variables


def _command(verb: str, way: Way, checkpoint: Checkpoint, out: Path, flags: Sequence[str] | None = None) -> list[str]:
    """The command line of a way."""
    given: tuple[str, ...] = ("--prompt", "the camera zooms in", "--image", str(checkpoint.picture), "--seed", "1")
    given += ("--seconds", str(way.seconds), "--model", checkpoint.model(way.layout), "--resolution", str(SIDE))
    given += ("--set", "sampling.steps=2", "--set", "sampling.teacache=false", "--out", str(out))
    general = ("--offline",) if way.offline else ()
    return [*EICHI, *general, *verb.split(), *given, *(way.flags if flags is None else flags), "--json"]


def _alone(command: Sequence[str]) -> list[str]:
    """A command without a network, where the system lets us take it away."""
    return ["unshare", "--net", "--", *command] if shutil.which("unshare") and sys.platform == "linux" else [*command]


def _twice(way: Way, checkpoint: Checkpoint, variables: Mapping[str, str], out: Path) -> Seen:
    """Two jobs of the queue that one worker runs, the second with something changed."""

    environment = {**os.environ, **variables}
    place = way.flags.index("--lora") + 1
    second = [*way.flags[:place], *way.again, *way.flags[place + 1 :]]
    for flags in (way.flags, second):
        subprocess.run(
            _command("jobs add", way, checkpoint, out, flags), env=environment, check=True, stdout=subprocess.PIPE
        )
    seen = Run([*EICHI, "jobs", "run", "--json"], variables).wait()
    for id in (1, 2):
        told = subprocess.run(
            [*EICHI, "jobs", "show", str(id), "--json"], env=environment, check=True, stdout=subprocess.PIPE
        ).stdout
        events = json.loads(told)["events"]
        begin = events[0]["time"]
        seen.lines += [(entry["time"] - begin, entry["event"] | {"job": id}) for entry in events]
    return seen


def _told(way: Way, seen: Seen) -> Result:
    """A result from what was seen."""
    ends = [told for _, told in seen.lines if told.get("kind") in ("finished", "frame_finished")]
    result = Result(way.name, bool(ends) and (way.killed or seen.code == 0))
    result.peak, result.mapped = round(seen.private / GIB, 2), round(seen.mapped / GIB, 2)
    result.forecast = seen.note("note.memory.cpu").get("ram")
    result.seconds = round(seen.seconds, 1)
    result.notes = sorted({told["id"] for _, told in seen.lines if told.get("kind") == "adjusted"})
    result.error = "" if result.good else seen.errors[-1000:]
    if way.again:
        result.phases = _jobs(seen)
    else:
        result.phases = phases(seen.lines)
        result.silence, result.during = silence(seen.lines)
    return result


def phases(lines: Sequence[tuple[float, dict[str, Any]]]) -> dict[str, float]:
    """Seconds by what was done; a step's are those of the last one."""
    phases: dict[str, float] = {}
    doing, since = "program", 0.0
    for at, told in lines:
        now = _doing(told, doing)
        if now != doing or told.get("kind") == "step":
            name = f"{doing}"
            phases[name] = round(phases.get(name, 0.0) + at - since, 1) if doing != "step" else round(at - since, 1)
            doing, since = now, at
    return phases


def _doing(told: Mapping[str, Any], before: str) -> str:
    """What is done after an event."""
    match told.get("kind"):
        case "preparing":
            return str(told["what"])
        case "started":
            return "drawing"
        case "step":
            return "step" if told["step"] < told["steps"] else "rest"
        case "adjusted" if told["id"].startswith("note.memory"):
            return "reading"
        case _:
            return before


def silence(lines: Sequence[tuple[float, dict[str, Any]]]) -> tuple[float, str]:
    """The longest time without a word before the first step is begun, and what was done in it."""
    longest, during, before, doing = 0.0, "", 0.0, "program"
    for at, told in lines:
        if at - before > longest:
            longest, during = at - before, doing
        before, doing = at, _doing(told, doing)
        if told.get("kind") == "started":
            break
    return round(longest, 1), during


def _jobs(seen: Seen) -> dict[str, float]:
    """Of two jobs, how long each loaded and each drew."""
    phases: dict[str, float] = {}
    for id in (1, 2):
        at = {told.get("kind"): at for at, told in reversed(seen.lines) if told.get("job") == id}
        running = next(
            (at for at, told in seen.lines if told.get("job") == id and told.get("status") == "running"), 0.0
        )
        if "started" in at and "section_done" in at:
            phases[f"job {id}: until drawing"] = round(at["started"] - running, 1)
            phases[f"job {id}: drawing"] = round(at["section_done"] - at["started"], 1)
    return phases


def as_plain(result: Result) -> dict[str, Any]:
    """A result as it is kept."""
    return asdict(result)
