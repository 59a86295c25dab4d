"""What Ray costs and gives: from the first look to the first job that is taken, and jobs of two workers beside one.

The same jobs of the embedded model run four times, in one worker and in two, started by this program and by Ray. Told
are the seconds until a worker takes the first job, those of the jobs after it when all workers are there, and those
that processors worked for one of them. On a machine that does other things, too, the last are the ones to read: as long
as two workers need no more of them for a job than one does, two that have a core each get twice as much done.
`python -m benchmarks ray [--jobs N] [--seconds S]`.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.clip import PROMPT, SEED, picture
from eichi.events import Changed, Finished
from eichi.jobs.executors import open_executor
from eichi.jobs.queue import Queue
from eichi.jobs.store import Store
from eichi.options import VideoOptions
from eichi.settings import Settings

WAYS = {"local": "this program", "ray": "Ray"}


def worked(store: Store) -> float:
    """The seconds that processors have worked in the workers that there are."""
    times = [psutil.Process(int(worker.runner.split("/")[1])).cpu_times() for worker in store.workers()]
    return float(sum(time.user + time.system for time in times))


def run(executor: str, workers: int, jobs: int, seconds: float) -> tuple[float, float, float]:
    """Seconds to the first job that is taken, those of the other jobs, and of processors for one of these."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), executor=executor, device="cpu", devices=str(workers))
        with Store(settings.store) as store:
            queue = Queue(store, settings.model_folders)
            values = {"image": picture(), "prompt": PROMPT, "seed": SEED, "seconds": seconds, "section_size": 0.5}
            (draft,), _ = queue.prepare([VideoOptions.parse(values | {"model": "tiny"})], Path(folder) / "out")
            opened, begin = open_executor(store, settings), time.perf_counter()
            try:
                entries = opened.submit(queue.add([draft])[0].id)
                next(entry for entry in entries if entry.event == Changed("running"))
                first = time.perf_counter() - begin
                list(entries)
                while len(store.workers()) < workers:
                    time.sleep(1)
                begin, before = time.perf_counter(), worked(store)
                for job in queue.add([draft] * jobs):
                    list(opened.submit(job.id))
                took, work = time.perf_counter() - begin, worked(store) - before
            finally:
                opened.close()
            assert all(isinstance(job.result, Finished) for job in store.jobs())
    return first, took, work / jobs


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args(words)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(f"{'':<14}{'workers':>8}{'first job, s':>14}{'jobs, s':>10}{'worked for one, s':>19}{'share':>8}")  # noqa: T201
    for executor, name in WAYS.items():
        alone = 0.0
        for workers in (1, 2):
            first, took, work = run(executor, workers, arguments.jobs, arguments.seconds)
            alone = alone or work
            print(f"{name:<14}{workers:>8}{first:>14.1f}{took:>10.1f}{work:>19.2f}{alone / work:>8.2f}")  # noqa: T201
