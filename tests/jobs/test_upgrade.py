"""A store of any age becomes one of today, and keeps what is in it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from eichi.errors import InputError, StoreError
from eichi.events import (
    Adjusted,
    Changed,
    Failed,
    Finished,
    Flagged,
    FrameFinished,
    FramesMade,
    FrameStarted,
    Message,
    SectionDone,
    Started,
    Step,
    Stopped,
)
from eichi.jobs.schema import metadata
from eichi.jobs.store import Store
from eichi.jobs.upgrade import MIGRATING, migrate, open_engine
from eichi.jobs.view import Figures, Problem, Status
from eichi.options import FrameOptions, VideoOptions

Row = dict[str, Any]

# A store of the first version, as the program of that time wrote it.
FLAG = {"number": 1, "id": "flag.black", "values": {"frames": 3, "count": 36}}
NOTE = {"id": "note.seconds", "values": {"asked": 2.0, "real": 2.4}}
POSITIONS = {"target": [1], "clean": [0, 10], "post": [], "x2": [], "x4": []}
VIDEO: Row = {
    "model": "tiny",
    "width": 80,
    "height": 48,
    "sections": 2,
    "kept": 0,
    "frames": 73,
    "seconds": 2.433,
}
FRAME = {"model": "tiny", "width": 80, "height": 48, "sections": 1, "kept": 0, "profile": "kisekae", "notes": []}
FINISHED: Row = {
    "video": "a.mp4",
    "poster": "a.png",
    "seed": 7,
    "frames": 73,
    "seconds": 2.433,
    "sections": 2,
}
STOPPED: Row = {"video": "a_stopped.mp4", "seed": 7, "frames": 37, "sections": 1}
JOBS: list[dict[str, Any]] = [
    {
        "status": "done",
        "plan": {**VIDEO, "notes": [{"event": "Adjusted", **NOTE}]},
        "result": {"event": "Finished", **FINISHED, "flags": [FLAG]},
    },
    {"status": "running", "runner": "elsewhere/1/0/a", "progress": {"event": "Step", "order": 1, "sections": 2}},
    {"status": "stopped", "result": {"event": "Stopped", **STOPPED}},
    {
        "kind": "frame",
        "request": {"prompt": "one", "seed": 7},
        "status": "done",
        "plan": FRAME,
        "result": {"event": "FrameFinished", "image": "b.png", "seed": 7, "positions": POSITIONS},
    },
    {"status": "failed", "error": {"id": "error.run.nan", "values": {"number": 1}}},
]
JOBS[1]["progress"] |= {"step": 2, "steps": 4}
STARTED: Row = {"model": "tiny", "seed": 7, "device": "cpu", "width": 80, "height": 48}
DONE: Row = {"number": 0, "order": 0, "sections": 2, "computed": 3, "reused": 1}
SAID: list[tuple[int, dict[str, Any], Message]] = [
    (1, {"event": "Changed", "status": "running"}, Changed("running")),
    (
        1,
        {"event": "Started", **STARTED, "frames": 73, "seconds": 2.433, "sections": 2},
        Started(**STARTED, frames=73, seconds=2.433, sections=2),
    ),
    (1, {"event": "Adjusted", **NOTE}, Adjusted("note.seconds", {"asked": 2.0, "real": 2.4})),
    (1, {"event": "FramesReady", "first": 0, "frames": 37}, FramesMade(0, 37)),
    (1, {"event": "SectionDone", **DONE}, SectionDone(**DONE)),
    (1, {"event": "Flagged", **FLAG}, Flagged(1, "flag.black", {"frames": 3, "count": 36})),
    (
        1,
        {"event": "Finished", **FINISHED, "flags": [FLAG]},
        Finished(**FINISHED, flags=(Flagged(1, "flag.black", {"frames": 3, "count": 36}),)),
    ),
    (4, {"event": "FrameStarted", **STARTED, "positions": POSITIONS}, FrameStarted(**STARTED, positions=POSITIONS)),
    (
        5,
        {"event": "Failed", "id": "error.run.nan", "values": {"number": 1}},
        Failed("error.run.nan", {"number": 1}),
    ),
]
BLANK: Row = {
    "kind": "video",
    "request": {"prompt": "old", "seed": 7},
    "plan": {**VIDEO, "notes": []},
    "pace_key": "key",
}
BLANK |= {"folder": "out", "priority": 0, "created": 0.5, "attempts": 0}
OBJECTS = ("request", "plan", "progress", "result", "error")


def first(url: str, jobs: list[dict[str, Any]], said: list[tuple[int, object]]) -> None:
    """A store of the first version with such rows; what is a text among the objects is written as it is."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        migrate(connection, "0001")
        for number, job in enumerate(jobs, start=1):
            row = {**BLANK, **job, "position": number, "said": sum(one == number for one, _ in said)}
            row |= {name: _text(row[name]) for name in OBJECTS if name in row}
            marks = ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"INSERT INTO jobs ({', '.join(row)}) VALUES ({marks})"), row)
        for number, (whose, body) in enumerate(said, start=1):
            place = {"job": whose, "number": sum(one == whose for one, _ in said[:number]), "body": _text(body)}
            connection.execute(sa.text("INSERT INTO events VALUES (:job, :number, 1.5, :body)"), place)
    engine.dispose()


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_the_first_schema_is_brought_up_to_date(url: str) -> None:
    first(url, JOBS, [(job, body) for job, body, _ in SAID])
    with Store(url) as store:
        jobs = [store.job(number) for number in range(1, len(JOBS) + 1)]
        done, running, stopped, frame, failed = jobs
        assert [job.damaged for job in jobs] == [()] * len(jobs)
        assert [job.view().damaged for job in jobs] == [()] * len(jobs)
        assert [str(job.status) for job in jobs] == [job["status"] for job in JOBS]
        note = Adjusted("note.seconds", {"asked": 2.0, "real": 2.4})
        assert done.plan == Figures(**VIDEO, notes=(note,))
        assert done.result == SAID[6][2]
        assert done.options == VideoOptions(prompt="old", seed=7)
        assert running.progress == Step(1, 2, 2, 4)
        assert stopped.result == Stopped(**STOPPED)
        assert (frame.result, frame.plan.profile) == (FrameFinished("b.png", 7, POSITIONS), "kisekae")
        assert frame.options == FrameOptions(prompt="one", seed=7)
        assert failed.error == Problem(id="error.run.nan", values={"number": 1})
        for number in (1, 4, 5):
            expected = [event for job, _, event in SAID if job == number]
            assert [told.event for told in store.events(number)] == expected
            assert list(store.follow(number)) == store.events(number)
        assert not store.held
        # Numbers go on where they were.
        assert [told.number for told in store.events(store.change(1, (Status.DONE,), status=Status.WAITING).id)][
            -1
        ] == 8


def test_what_was_damaged_before_stays_as_it_was_and_hides_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"  # a server takes no text that is no JSON
    damaged = ["{", "[1]", '{"event": 3}', '{"event": "Nothing"}']
    first(
        url, [{"status": "done", "result": text, "progress": "x"} for text in damaged] + JOBS, [(1, "{"), (1, "null")]
    )
    with Store(url) as store:
        jobs = store.jobs()
        assert len(jobs) == len(damaged) + len(JOBS)
        assert {job.id: job.damaged for job in jobs if job.damaged} == dict.fromkeys(
            range(1, 5), ("progress", "result")
        )
        assert [told.event for told in store.events(1)] == [
            Adjusted("note.store.event", {"number": number}) for number in (1, 2)
        ]
    kept = "SELECT result FROM jobs WHERE id <= 2 ORDER BY id"
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert list(connection.scalars(sa.text(kept))) == damaged[:2]
    engine.dispose()


def test_the_tables_are_those_of_the_newest_migration(url: str) -> None:
    engine = open_engine(url)
    ordered = "jobs_order" if engine.dialect.name == "sqlite" else ""  # SQLite does not tell how an index is ordered

    def compared(thing: object, name: str | None, *_: object) -> bool:
        return name != ordered

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": compared})
        differences = compare_metadata(context, metadata)
        asked = sa.text("SELECT sql FROM sqlite_master WHERE name = 'jobs_order'")
        made = connection.scalars(asked).all() if ordered else []
    engine.dispose()
    assert differences == []
    assert all(text.endswith("(status, priority DESC, position, id, ended, binned)") for text in made)


def test_opening_again_changes_nothing(url: str) -> None:
    for _ in range(2):
        open_engine(url).dispose()


def test_a_store_of_a_newer_program_is_refused(url: str) -> None:
    engine = open_engine(url)
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(InputError, match="newer version"):
        Store(url)


@pytest.mark.parametrize("url", ["nonsense", "nosuch://here/jobs", "mysql+nosuch://here/jobs"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="cannot be kept in"):
        Store(url)


def test_a_store_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be opened"):
        Store(f"sqlite:///{tmp_path / 'file' / 'jobs.db'}")


def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database, but long enough for a header" * 9)
    with pytest.raises(StoreError, match=r"is damaged\. eichi jobs repair"):
        Store(f"sqlite:///{tmp_path / 'file'}")


def test_who_opens_a_server_waits_for_who_brings_it_up_to_date(server: Callable[[], str]) -> None:
    url = server()
    with Store(url):
        pass
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATING)))
        with pytest.raises(InputError, match="lock timeout"):
            Store(f"{url}&options=-c lock_timeout=1")
    engine.dispose()
