"""What Ray costs and gives: from the first look to the first job that is taken, and jobs of two workers beside one.

The same jobs of the embedded model run four times, in one worker and in two, started by this program and by Ray. Told
are the seconds until a worker takes the first job, and those from there to the end of the last. On a machine that does
other things, too, compare what stands side by side. `python -m benchmarks ray [--jobs N] [--seconds S]`.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.clip import PROMPT, SEED, picture
from eichi.events import Finished
from eichi.jobs.executors import open_executor
from eichi.jobs.queue import Queue
from eichi.jobs.schema import ELSEWHERE
from eichi.jobs.store import Store
from eichi.options import VideoOptions
from eichi.settings import Settings

WAYS = {"local": "this program", "ray": "Ray"}


def run(executor: str, workers: int, jobs: int, seconds: float) -> tuple[float, float]:
    """Seconds to the first job that is taken, and from there to the end of the last."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), executor=executor, device="cpu", devices=str(workers))
        with Store(settings.store) as store:
            queue = Queue(store, settings.model_folders)
            values = {"image": picture(), "prompt": PROMPT, "seed": SEED, "seconds": seconds, "section_size": 0.5}
            drafts, _ = queue.prepare([VideoOptions.parse(values | {"model": "tiny"})], Path(folder) / "out")
            queue.add(drafts * jobs)
            begin, first = time.perf_counter(), 0.0
            opened = open_executor(store, settings)
            try:
                for id in opened.drain():
                    first = first or (time.perf_counter() if id != ELSEWHERE else 0.0)
                end = time.perf_counter()
            finally:
                opened.close()
            assert all(isinstance(job.result, Finished) for job in store.jobs())
    return first - begin, end - first


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args(words)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(f"{'':<14}{'workers':>8}{'first job, s':>14}{'jobs, s':>10}{'of one worker':>15}")  # noqa: T201
    for executor, name in WAYS.items():
        alone = 0.0
        for workers in (1, 2):
            first, took = run(executor, workers, arguments.jobs, arguments.seconds)
            alone = alone or took
            print(f"{name:<14}{workers:>8}{first:>14.1f}{took:>10.1f}{alone / took:>15.2f}")  # noqa: T201
