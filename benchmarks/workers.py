"""How much two workers do in the time of one: `python -m benchmarks.workers [--jobs N] [--workers N]`.

Jobs of the embedded model go through the real store and the real worker processes, with one thread each, after a job
that loads the model; times are the store's. Every worker has one core to itself, also the one that works alone: its
decoding runs beside its drawing, so that it would take more than a core where there is one. Two workers share the
machine's caches and memory, and whatever else runs on it counts against them: the load is told beside, and the seconds
that their processes worked for a job, which other programs lengthen less.
"""

import argparse
import os
import tempfile
from collections import deque
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import psutil

from benchmarks.printing import printing
from eichi.jobs.executors.local import LocalExecutor
from eichi.jobs.queue import Queue
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.options import VideoOptions
from eichi.settings import load_settings


def throughput(workers: int, count: int, folder: Path) -> tuple[float, float]:
    """Jobs a second of so many workers on the processor, and seconds of it that one took, without its first load."""
    settings = load_settings().given(home=folder / "home", store="", device="cpu", devices=str(workers))
    picture = Path(str(files("eichi"))) / "demo" / "picture.jpg"
    values: dict[str, Any] = {"model": "tiny", "image": picture, "prompt": "star", "seed": 1, "seconds": 2}
    with Store(settings.store) as store:
        queue, executor = Queue(store, settings.model_folders), LocalExecutor(store, settings)
        options = [VideoOptions.parse(values)] * (count + workers)
        jobs = queue.add(queue.prepare(options, folder / "out")[0])
        try:
            for job in jobs[:workers]:
                deque(executor.submit(job.id), maxlen=0)
            for core, pid in enumerate(executor.pids):
                _pin(pid, core)
            before = _worked(executor)
            for job in jobs[workers:]:
                deque(executor.submit(job.id), maxlen=0)
            worked = _worked(executor) - before
        finally:
            executor.close()
        rows = [store.job(job.id) for job in jobs]
        assert all(row.status == Status.DONE for row in rows), [row.view().message for row in rows]
        rate = _rate([(row.started or 0.0, row.ended or 0.0) for row in rows], workers)
        return rate, worked / count


def _pin(pid: int, core: int) -> None:
    """Keep all threads of a worker on one core, where the system lets them be kept."""
    if hasattr(os, "sched_setaffinity"):
        for thread in psutil.Process(pid).threads():
            os.sched_setaffinity(thread.id, {core % (os.cpu_count() or 1)})


def _worked(executor: LocalExecutor) -> float:
    """Seconds of a processor that the workers have had."""
    times = [psutil.Process(pid).cpu_times() for pid in executor.pids]
    return float(sum(one.user + one.system for one in times))


def _rate(spans: Sequence[tuple[float, float]], workers: int) -> float:
    """Jobs a second while all workers draw: from when each has ended a job, which loaded its model, until the last job
    begins. A job counts by the share of it that lies in between.
    """
    warm, last = sorted(end for _, end in spans)[workers - 1], max(start for start, _ in spans)
    return sum(max(0.0, min(end, last) - max(start, warm)) / (end - start) for start, end in spans) / (last - warm)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers")
    parser.add_argument("--jobs", type=int, default=12)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args(words)
    os.environ["OMP_NUM_THREADS"] = "1"
    with printing(), tempfile.TemporaryDirectory() as folder:
        click.echo(f"load before: {psutil.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        one, alone = throughput(1, asked.jobs, Path(folder) / "one")
        many, beside = throughput(asked.workers, asked.jobs, Path(folder) / "many")
        share = many / one / asked.workers
        click.echo(
            f"1 worker: {one:.3f} jobs/s; {asked.workers} workers: {many:.3f} jobs/s = {share:.2f} x {asked.workers}"
        )
        click.echo(f"seconds of the processor a job: {alone:.2f} and {beside:.2f}")
        click.echo(f"load after: {psutil.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
