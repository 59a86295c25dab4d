"""Long lists: parts of them by the database's order, places with gaps, what one owner may have to come."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from eichi.errors import InputError
from eichi.jobs.listing import GAP, Listing, Wanted
from eichi.jobs.runner import new_runner
from eichi.jobs.schema import Draft, jobs
from eichi.jobs.store import Store
from eichi.jobs.view import IDLE, Status

Drafts = Callable[[int], list[Draft]]


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened


def order(store: Store) -> list[int]:
    return [job.id for job in store.jobs(IDLE)]


def test_parts_of_a_list_are_the_list(store: Store, drafts: Drafts) -> None:
    ids = [job.id for job in store.add(drafts(9))]
    store.change(ids[4], IDLE, priority=1)
    for number, id in enumerate(ids[:2]):
        store.change(id, IDLE, status=Status.STOPPED, ended=100.0 + number)
    running = store.claim(new_runner())
    assert running is not None
    whole = [job.id for job in store.jobs()]
    assert whole == [ids[4], ids[2], ids[3], *ids[5:], ids[1], ids[0]]
    parts = [store.page(Listing(offset=offset, limit=4)) for offset in (0, 4, 8)]
    assert [job.id for part, _ in parts for job in part] == whole
    assert [total for _, total in parts] == [9, 9, 9]
    assert store.page(Listing(offset=9, limit=4)) == ([], 9)
    assert [job.id for job in store.page(Listing(sort="newest", limit=2))[0]] == [ids[8], ids[7]]
    assert [job.id for job in store.page(Listing(sort="oldest", before=101.5))[0]] == ids[:2]
    assert store.next() == ids[2]


def test_a_job_is_put_anywhere_however_often(store: Store, drafts: Drafts) -> None:
    ids = [job.id for job in store.add(drafts(5))]
    wanted = list(ids)
    for number in range(40):  # more often than there is room between two
        id, to = ids[3 + number % 2], 2 + number % 2
        store.place(id, to)
        wanted.remove(id)
        wanted.insert(to - 1, id)
        assert order(store) == wanted
    for to in (1, 5):
        store.place(ids[0], to)
        assert order(store).index(ids[0]) == to - 1
        assert store.rank(ids[0]) == (to, 5)
    for to in (0, 6):
        with pytest.raises(InputError, match="from 1 to 5"):
            store.place(ids[0], to)


def test_a_move_writes_one_row(store: Store, drafts: Drafts) -> None:
    ids = [job.id for job in store.add(drafts(4))]
    before = {job.id: job.position for job in store.jobs()}
    store.place(ids[3], 2)
    after = {job.id: job.position for job in store.jobs()}
    assert {id for id in ids if before[id] != after[id]} == {ids[3]}
    assert after[ids[3]] == before[ids[0]] + GAP // 2


def test_places_that_are_the_same_are_told_apart(store: Store, drafts: Drafts) -> None:
    """As a job has them that is given another priority."""
    ids = [job.id for job in store.add(drafts(4))]
    with store.writing() as connection:
        connection.execute(sa.update(jobs).values(position=7))
    store.place(ids[0], 3)
    assert order(store) == [ids[1], ids[2], ids[0], ids[3]]


def test_marks_are_of_so_many(store: Store, drafts: Drafts) -> None:
    ids = [job.id for job in store.add(drafts(6))]
    store.change(ids[5], IDLE, status=Status.STOPPED, ended=1.0)
    store.claim(new_runner())
    marks = store.marks(Wanted(5, 2, 5, ids[4:]))
    found = [[mark.id for mark in part] for part in marks[:4]]
    assert found == [ids[:1], ids[1:3], ids[5:], ids[4:]]
    assert (marks.coming, marks.total) == (4, 6)
    assert store.numbers(ids[3]) == {*ids[4:]}


def test_an_owner_has_no_more_to_come_than_is_allowed(store: Store, drafts: Drafts) -> None:
    store.add(drafts(2), owner="studio", quota=3)
    with pytest.raises(InputError, match="studio already has 2"):
        store.add(drafts(2), owner="studio", quota=3)
    job = store.claim(new_runner())
    assert job is not None and job.owner == "studio"
    assert len(store.add(drafts(2), owner="studio", quota=3)) == 2  # what runs waits no more
    assert len(store.add(drafts(4), owner="other", quota=4)) == 4
    assert len(store.add(drafts(5), quota=3)) == 5


def test_nothing_changed_is_seen_without_a_look(store: Store, url: str, drafts: Drafts) -> None:
    before = store.pulse()
    store.jobs()
    assert store.pulse() == before
    with Store(url) as other:
        other.add(drafts(1))
        assert store.pulse() != before
