"""A row is a job whatever stands in it: what is damaged is named, can be removed, and hides no other."""

import dataclasses
from pathlib import Path

import pytest

from eichi.errors import InputError
from eichi.events import Adjusted, Changed
from eichi.jobs.queue import Queue
from eichi.jobs.runner import new_runner
from eichi.jobs.schema import HARMLESS, Job, jobs
from eichi.jobs.view import Action, JobView, Problem, Status
from eichi.options import VideoOptions
from eichi.words import languages
from tests.jobs.damage import IDS, WAYS, three, write


@pytest.mark.parametrize(("name", "value"), WAYS, ids=IDS)
def test_a_damaged_row_hides_no_other(queue: Queue, picture: Path, tmp_path: Path, name: str, value: object) -> None:
    store = queue.store
    first, bad, last = three(queue, picture, tmp_path / "out")
    write(store, bad, **{name: value})
    found = {job.id: job for job in store.jobs()}
    assert [id for id in found if not found[id].view().damaged] == [first, last]
    for language in languages():
        view = found[bad].view(language)
        assert view.damaged == (name,)
        assert view.error == Problem(id="error.job.damaged", values={"columns": name})
        assert view.message == view.error.say(language)
        assert JobView.model_validate_json(view.model_dump_json()) == view
    assert view.actions == (Action.REMOVE,)
    assert [entry.event for entry in store.events(bad)] == [Changed("waiting")]
    assert [entry.event for entry in store.follow(bad, until=lambda job: True)] == [Changed("waiting")]
    # Nothing is done with it, whatever its state, and everything with the others.
    for action in Action:
        if action is not Action.REMOVE:
            with pytest.raises(InputError):
                queue.act(bad, action)
    queue.move(last, to=1)
    assert next(job.id for job in queue.waiting() if job.id != bad) == last
    added = queue.clone(first).id
    assert [job.id for job in queue.waiting() if job.id != bad][-1] == added
    assert store.recover() == []
    assert store.paces(found[first].pace_key) == []
    assert queue.remove(bad) == []
    assert store.find(bad) is None
    assert len(store.jobs()) == 3


@pytest.mark.parametrize(("name", "value"), WAYS, ids=IDS)
def test_a_damaged_row_stops_no_worker(queue: Queue, picture: Path, tmp_path: Path, name: str, value: object) -> None:
    first, bad, last = three(queue, picture, tmp_path / "out")
    write(queue.store, bad, **{name: value})
    runner, taken = new_runner(), []
    while (job := queue.store.claim(runner)) is not None:
        numbers = [entry.number for entry in queue.store.events(job.id)]
        assert numbers == [1, 2]
        assert job.said == 2
        assert queue.store.record(job, Adjusted("note.seconds", {"asked": 1.0, "real": 1.2})).said == 3
        taken.append(job.id)
        queue.store.end(job, Status.STOPPED)
    assert {first, last} <= set(taken) <= {first, bad, last}
    assert (bad in taken) == (name != "status")


def test_what_stands_for_a_damaged_value_is_a_value_of_its_column() -> None:
    values: dict[str, object] = {column.name: None for column in jobs.c} | HARMLESS | {"id": 1}
    assert set(values) == {field.name for field in dataclasses.fields(Job)} - {"damaged"}
    job = Job(**values)  # type: ignore[arg-type]
    assert (job.damaged, job.options) == ((), VideoOptions())
    assert {column.name for column in jobs.c if not column.nullable} == {*HARMLESS, "id"}


@pytest.mark.parametrize("column", ["body", "time"])
@pytest.mark.parametrize("value", ["{", "null", '{"kind": "nothing"}', b"\xff", "text"])
def test_an_event_that_cannot_be_read_says_so(
    queue: Queue, picture: Path, tmp_path: Path, column: str, value: object
) -> None:
    id = three(queue, picture, tmp_path / "out")[0]
    queue.hold(id)
    with queue.store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE events SET {column} = ? WHERE job = ? AND number = 1", (value, id))
    damaged, held = queue.store.events(id)
    assert (damaged.number, damaged.event) == (1, Adjusted("note.store.event", {"number": 1}))
    assert held.event == Changed("held")
    assert [entry.number for entry in queue.store.follow(id, until=lambda job: True)] == [1, 2]


def test_an_event_without_a_number_is_left_out(queue: Queue, picture: Path, tmp_path: Path) -> None:
    id = three(queue, picture, tmp_path / "out")[0]
    queue.hold(id)
    with queue.store.writing() as connection:
        connection.exec_driver_sql("UPDATE events SET number = 'one' WHERE job = ? AND number = 1", (id,))
    assert [entry.event for entry in queue.store.events(id)] == [Changed("held")]
    assert queue.resume(id).said == 3
    assert [entry.event for entry in queue.store.follow(id, until=lambda job: True)] == [
        Changed("held"),
        Changed("waiting"),
    ]
