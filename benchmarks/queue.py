"""A long queue: what a look at it and a change of it take, on SQLite and PostgreSQL: `python -m benchmarks queue`.

So many jobs wait, of two models, and as many have ended; told are medians in milliseconds, and behind them what the
processors worked for it, the database's among it, which is what to read on a machine that does other things too:

* list: a page of a hundred from the front, and from the middle
* add: one job; move: one to a place somewhere else; up: one by one place
* claim: the next job for a worker, and for one that holds a model
* look: what the page's watcher does after a change, and what it tells a page that is opened (kB, not packed)
* nothing: a look that finds that nothing has changed
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

import click
import psutil
import sqlalchemy as sa

from eichi.jobs.listing import Listing
from eichi.jobs.queue import Queue
from eichi.jobs.runner import new_runner
from eichi.jobs.schema import Draft, Job, jobs
from eichi.jobs.store import Store
from eichi.jobs.view import Figures, Status
from eichi.options import VideoOptions
from eichi.settings import load_settings
from eichi.web.desk import Desk
from eichi.web.visitor import Visitor
from tests.postgres import postgres, programs

JOBS = 10_000
TIMES = 40
PAGE = 100
PLACE = "eichi-pg-"  # in the command of our database
Took = tuple[float, float]
MODELS = ("framepack", "framepack-f1")
PROMPT = "赤いドレスの女性が振り返って微笑む。カメラはゆっくりと近づき、背景の街の灯りがぼやけていく。" * 4
PLAN = Figures(model="framepack", width=640, height=640, sections=5, kept=0, frames=145, seconds=4.83)


def main(words: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks queue")
    parser.add_argument("--jobs", type=int, default=JOBS)
    asked = parser.parse_args(words)
    columns: dict[str, dict[str, Took]] = {}
    with tempfile.TemporaryDirectory(prefix="eichi-queue-") as place:
        for name, url in _databases(Path(place)):
            with Store(url) as store:
                columns[name] = _measured(store, asked.jobs, Path(place))
    click.echo(f"{asked.jobs} jobs to come, as many ended; medians of {TIMES} in ms, and the work for it")
    click.echo(f"{'':18}" + "".join(f"{name:>12}{'work':>8}" for name in columns))
    for row in next(iter(columns.values())):
        click.echo(f"{row:18}" + "".join("{:12.1f}{:8.1f}".format(*column[row]) for column in columns.values()))


def _databases(place: Path) -> Iterator[tuple[str, str]]:
    yield "sqlite", f"sqlite:///{place / 'jobs.db'}"
    if (found := programs()) is not None:
        with postgres(found) as make:
            yield "postgresql", make()


def _measured(store: Store, count: int, place: Path) -> dict[str, Took]:
    """Every figure, by what it is of."""
    settings = load_settings()
    queue, rng = Queue(store, settings.model_folders), random.Random(1)
    drafts = list(_drafts(count, place))
    store.add(drafts)
    with store.writing() as connection:
        connection.execute(sa.update(jobs).values(status=Status.STOPPED, ended=sa.cast(jobs.c.id, sa.Float)))
    ids = [job.id for job in store.add(drafts)]
    desk = Desk(settings, store, lambda id: None)
    visitor, runner = Visitor("ja", local=True), new_runner()
    desk.live.look()
    claimed, spare = list[Job | None](), ids[4 * TIMES :]

    def look() -> None:
        store.change(rng.choice(spare), (Status.WAITING, Status.HELD), status=Status.HELD)
        desk.live.look()

    told = {
        "list": _times(lambda: store.page(Listing(limit=PAGE))),
        "list, middle": _times(lambda: store.page(Listing(limit=PAGE, offset=count // 2))),
        "add": _times(lambda: store.add(drafts[:1])),
        "move": _times(lambda: queue.move(rng.choice(spare), rng.randint(1, count))),
        "up": _times(lambda: store.place(id := rng.choice(spare), max(1, store.rank(id)[0] - 1))),
        "claim": _times(lambda: claimed.append(store.claim(runner))),
        "claim, held model": _times(lambda: claimed.append(store.claim(runner, MODELS, MODELS[1]))),
        "look": _times(look),
        "nothing": _times(lambda: desk.live.look()),
        "first message, kB": (len(desk.live.since(None, visitor).encode()) / 1000, 0.0),
    }
    assert all(job is not None for job in claimed)
    return told


def _drafts(count: int, place: Path) -> Iterator[Draft]:
    values = {"image": str(place / "p.png"), "prompt": PROMPT, "seconds": 5}
    request = VideoOptions.parse(values).dump()
    for number in range(count):
        mine = request | {"model": MODELS[number % 2], "seed": number}
        yield Draft("video", mine, PLAN, f"video 640x640 {number % 5}", str(place))


def _times(call: Callable[[], object]) -> Took:
    """The median time of a call in milliseconds, and the mean of what was worked for it."""
    taken: list[float] = []
    worked = _work()
    for _ in range(TIMES):
        begun = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - begun))
    return median(taken), 1000 * (_work() - worked) / TIMES


def _work() -> float:
    """Seconds that this process and the processes of our database have worked so far, those that ended among them."""
    found = [one for one in psutil.process_iter(["cmdline"]) if PLACE in " ".join(one.info["cmdline"] or ())]
    server = max((one for one in found if one.ppid() == 1), key=lambda one: one.create_time(), default=None)
    if server is None:
        return time.process_time()
    times = server.cpu_times()
    ended = times.children_user + times.children_system
    return time.process_time() + float(ended) + sum(sum(one.cpu_times()[:2]) for one in (server, *server.children()))
