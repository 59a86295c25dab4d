"""Rows of the store that are damaged, in every way that a file of SQLite can hold, among others that are whole."""

import sqlite3
from contextlib import closing
from pathlib import Path

from eichi.jobs.queue import Queue
from eichi.jobs.schema import jobs
from eichi.jobs.store import Store
from eichi.options import VideoOptions

OBJECTS = ("request", "plan", "progress", "result", "error")
NUMBERS = ("priority", "position", "created", "started", "ended", "beat", "attempts", "pace", "said")
# A column, and what may stand in it.
WAYS: list[tuple[str, object]] = [
    *((name, "{broken") for name in OBJECTS),
    *((name, "[1, 2]") for name in OBJECTS),
    *((name, "[" * 100_000) for name in OBJECTS),
    ("request", '{"prompt": "\\ud800"}'),
    ("request", '{"no such option": 1}'),
    ("request", b"\xff\xfe"),
    ("plan", '{"model": "tiny"}'),
    ("progress", '{"kind": "step", "order": 0, "sections": 0, "step": 0, "steps": 0}'),
    ("progress", '{"kind": "changed", "status": "held"}'),
    ("result", '{"kind": "nothing"}'),
    ("error", '{"id": 5}'),
    *((name, "some text") for name in NUMBERS),
    *((name, -1) for name in ("created", "attempts", "pace", "said")),
    ("started", 1e300),
    ("ended", float("inf")),
    ("said", 1.5),
    ("kind", "picture"),
    ("status", "dreaming"),
    ("ask", "nicely"),
    ("folder", "a\0b"),
    ("checkpoint", "/"),
    ("checkpoint", "/home/somebody"),
    ("runner", b"\xff\xfe\xfd"),
    ("pace_key", b"\xff"),
    ("batch", b"\xff"),
    ("version", "some text"),
    ("binned", "some text"),
    ("binned", b"\xff"),
    ("binned_files", "some text"),
]
IDS = [f"{name}-{number}" for number, (name, _) in enumerate(WAYS)]


def write(store: Store, id: int, **values: object) -> None:
    """Put values into the row of a job, past everything that would not write them."""
    with closing(sqlite3.connect(str(store._engine.url.database), isolation_level=None)) as connection:
        for name, value in values.items():
            assert name in jobs.c
            connection.execute(f"UPDATE jobs SET {name} = ? WHERE id = ?", (value, id))


def three(queue: Queue, picture: Path, folder: Path) -> list[int]:
    """Three jobs that wait; the second is to be damaged."""
    options = VideoOptions.parse({"image": picture, "prompt": "p", "seed": 1, "seconds": 1, "sampling": {"steps": 1}})
    return [job.id for job in queue.add(queue.prepare([options] * 3, folder)[0])]
