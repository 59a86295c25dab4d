"""`python -m benchmarks.rehearsal [--folder FOLDER] [--small] [--only WORD] [--again] [--write FILE]`.

Writes the checkpoint where it is not there yet, runs every way whose result is not there yet, prints the table. What is
no longer needed of the checkpoint is removed where the disk is too small for two layouts, and all of it with --remove.
"""

import argparse
import json
import os
import platform
import shutil
import tempfile
from pathlib import Path

import psutil
import torch

from benchmarks.printing import printing
from benchmarks.rehearsal.checkpoint import SPARE, Checkpoint, tell
from benchmarks.rehearsal.table import document
from benchmarks.rehearsal.watch import can_limit
from benchmarks.rehearsal.ways import Result, Way, as_plain, run_way, ways

MARK = "<!-- what follows is written by hand -->"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rehearsal", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "eichi-rehearsal")
    parser.add_argument("--small", action="store_true", help="the sizes of the embedded model: seconds, not hours")
    parser.add_argument("--only", default="", help="only the ways with this word in their names")
    parser.add_argument("--again", action="store_true", help="also what has a result")
    parser.add_argument("--write", type=Path, help="put the table into this document")
    parser.add_argument("--remove", action="store_true", help="remove the checkpoint at the end")
    args = parser.parse_args()
    checkpoint = Checkpoint(args.folder, not args.small)
    kept = args.folder / "results.json"
    found = read(kept)
    for way in ways(checkpoint):
        if args.only not in way.name or (way.name in found and found[way.name].good and not args.again):
            continue
        if way.limit_gib is not None and not can_limit():
            tell(f"{way.name}: left out, memory cannot be limited here")
            continue
        if way.room_gib > memory():
            tell(f"{way.name}: left out, needs {way.room_gib:g} GiB of RAM")
            continue
        prepare(way, checkpoint)
        tell(f"{way.name} …")
        found[way.name] = run_way(way, checkpoint, args.folder / "out")
        tell(f"{json.dumps(as_plain(found[way.name]))}")
        kept.write_text(json.dumps([as_plain(one) for one in found.values()], indent=1), encoding="utf-8")
    results = [found[way.name] for way in ways(checkpoint) if way.name in found]
    publish(results, [way for way in ways(checkpoint) if way.room_gib > memory()], args.write, checkpoint.full)
    if args.remove:
        shutil.rmtree(args.folder)


def read(kept: Path) -> dict[str, Result]:
    """The results that are there, by their ways."""
    if not kept.is_file():
        return {}
    return {one["way"]: Result(**one) for one in json.loads(kept.read_text(encoding="utf-8"))}


def prepare(way: Way, checkpoint: Checkpoint) -> None:
    """Write what a way needs; a layout that it does not need goes where there is no room for both."""
    checkpoint.furnish()
    if way.layout == "embedded":
        return
    needed = {"lora", way.layout} | ({"published"} if way.layout == "kijai" else set())
    missing = sum(checkpoint.layouts[layout]().missing for layout in needed)
    checkpoint.folder.mkdir(parents=True, exist_ok=True)
    for layout in checkpoint.layouts.keys() - needed:
        if missing + SPARE > shutil.disk_usage(checkpoint.folder).free:
            checkpoint.drop(layout)
    for layout in sorted(needed):
        checkpoint.write(layout, tell)


def memory() -> float:
    """GiB of RAM of this machine."""
    return float(psutil.virtual_memory().total / 2**30)


def publish(results: list[Result], left: list[Way], path: Path | None, full: bool) -> None:
    """The document, printed or in its place; what is written by hand below a mark stays."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine = (
        f"Here: {cores} cores of {platform.machine()} ({torch.backends.cpu.get_cpu_capability()}), {memory():.0f} GiB "
        f"of RAM, torch {torch.__version__}."
    )
    machine += "".join(f" Left out, since it needs {way.room_gib:g} GiB: {way.name}." for way in left)
    before = path.read_text(encoding="utf-8") if path is not None and path.is_file() else ""
    after = MARK + before.partition(MARK)[2] if MARK in before else MARK
    text = document(results, machine, after, full)
    if path is None:
        print(text)  # noqa: T201
    else:
        path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    with printing():
        main()
