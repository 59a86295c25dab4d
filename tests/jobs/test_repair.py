"""A store whose file is damaged is rebuilt from what can be read of it; nothing is lost without a word."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from eichi.errors import FolderError, InputError, StoreError
from eichi.events import Adjusted, Changed
from eichi.jobs.pieces import Pieces
from eichi.jobs.repair import Repaired, repair
from eichi.jobs.schema import Draft, Job
from eichi.jobs.store import Store
from eichi.jobs.view import Figures, Status, Told
from tests.jobs.test_upgrade import JOBS, SAID, first

COUNT, SAYS = 16, 6
PAGE = 4096

Kept = dict[int, tuple[Job, list[Told]]]


def address(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a store with jobs that said something, of several dozen pages; the last job was removed."""
    file = tmp_path_factory.mktemp("whole") / "jobs.db"
    plan = Figures(model="tiny", width=80, height=48, sections=2, kept=0)
    drafts = [Draft("video", {"prompt": f"{i} " + "p" * 900}, plan, "key", "out") for i in range(COUNT + 1)]
    with Store(address(file)) as store:
        for _ in store.add(drafts):
            job = store.claim("elsewhere/1/0/a")
            assert job is not None
            for number in range(SAYS):
                store.record(job, Adjusted("note.seconds", {"asked": number, "real": "x" * 200}))
            store.end(job, Status.STOPPED)
        store.remove(COUNT + 1)
        store.hold(True)
    return file.read_bytes()


@pytest.fixture
def file(tmp_path: Path, whole: bytes) -> Path:
    path = tmp_path / "jobs.db"
    path.write_bytes(whole)
    return path


def kept(file: Path) -> Kept:
    with Store(address(file)) as store:
        return {job.id: (job, store.events(job.id)) for job in store.jobs()}


def sound(file: Path) -> bool:
    with closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute("PRAGMA integrity_check")] == ["ok"]


def test_a_store_that_is_whole_is_left_as_it_is(file: Path, whole: bytes) -> None:
    assert repair(address(file)) == Repaired(file, jobs=COUNT, events=COUNT * (SAYS + 3))
    assert file.read_bytes() == whole
    assert list(file.parent.glob("jobs*")) == [file]


def test_whatever_page_is_damaged_the_others_are_kept(file: Path, whole: bytes) -> None:
    before, dice = kept(file), random.Random(0)
    pages = len(whole) // PAGE
    assert pages > 12
    reached = lost = 0
    for page in range(1, pages):
        damaged = bytearray(whole)
        damaged[page * PAGE : (page + 1) * PAGE] = dice.randbytes(PAGE)
        file.write_bytes(damaged)
        made = repair(address(file))
        assert made.damage
        assert made.backup is not None and made.backup.read_bytes() == damaged
        assert sound(file)
        after = kept(file)
        assert len(after) == made.jobs
        assert sum(len(said) for _, said in after.values()) == made.events
        # A job is there as it was, or is named.
        for id, (job, said) in after.items():
            assert (job.request, job.status, job.said) == (
                before[id][0].request,
                Status.STOPPED,
                len(said) and said[-1].number,
            )
            assert [told for told in said if told not in before[id][1]] == []
        assert set(made.lost) <= set(before) - set(after)
        reached += len(after) == COUNT
        lost += set(made.lost) != set(before) - set(after)
        made.backup.unlink()
    # Most pages are of what jobs said; where it is one of the table of jobs, its index still knows which are missing.
    assert reached > pages / 2
    assert lost <= 2


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_that_was_cut_off(file: Path, whole: bytes, share: float) -> None:
    before = kept(file)
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(StoreError, match=r"damaged\. eichi jobs repair"), Store(address(file)) as store:
        list(store.events(1))
        store.jobs()
    made = repair(address(file))
    assert sound(file)
    after = kept(file)
    assert len(after) == made.jobs
    assert (made.jobs > 0) == (share > 0.5)  # jobs lie behind the schema, what they say at the end
    assert all(job.damaged or job.request == before[id][0].request for id, (job, _) in after.items())
    assert made.jobs + len(made.lost) <= COUNT
    assert made.lost_events >= 0


def test_bytes_that_are_flipped_in_the_middle(file: Path, whole: bytes) -> None:
    dice = random.Random(1)
    for _ in range(5):
        damaged = bytearray(whole)
        for place in dice.sample(range(len(whole) // 4, 3 * len(whole) // 4), 200):
            damaged[place] ^= 1 << dice.randrange(8)
        file.write_bytes(damaged)
        made = repair(address(file))
        assert sound(file)
        with Store(address(file)) as store:
            jobs = store.jobs()
            assert len(jobs) == made.jobs
            for job in jobs:  # some rows may be damaged within: they are shown as such
                store.events(job.id)
                store.remove(job.id)


@pytest.mark.parametrize(
    "content", [b"no database, but long enough for a header" * 99, b"SQLite format 3\0" + bytes(9000)]
)
def test_a_file_of_which_nothing_can_be_read(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    made = repair(address(file))
    assert (made.jobs, made.events, made.lost, made.unknown) == (0, 0, (), True)
    assert made.backup is not None and made.backup.read_bytes() == content
    assert kept(file) == {}


def test_what_the_queue_was_and_the_numbers_go_on(
    file: Path, whole: bytes, drafts: Callable[[int], list[Draft]]
) -> None:
    damaged = bytearray(whole)
    damaged[-PAGE:] = bytes(PAGE)
    file.write_bytes(damaged)
    assert repair(address(file)).damage
    with Store(address(file)) as store:
        assert store.held
        added = store.add(
            [Draft("video", {}, Figures(model="tiny", width=1, height=1, sections=1, kept=0), "k", "out")]
        )
        assert added[0].id > COUNT
        job = store.jobs((Status.STOPPED,))[0]
        store.change(job.id, (Status.STOPPED,), status=Status.WAITING)
        assert store.events(job.id)[-1].event == Changed("waiting")
    assert repair(address(file)).damage == ()


def test_a_second_backup_has_a_name_of_its_own(file: Path) -> None:
    backups = []
    for _ in range(3):
        file.write_text("no database, but long enough for a header" * 9)
        backups.append(repair(address(file)).backup)
    names = ["jobs.damaged.db", "jobs.damaged_2.db", "jobs.damaged_3.db"]
    assert [path and path.name for path in backups] == names


def test_an_older_store_is_rebuilt_and_brought_up_to_date(file: Path) -> None:
    file.unlink()
    first(address(file), JOBS, [(job, body) for job, body, _ in SAID])
    content = bytearray(file.read_bytes())
    with closing(sqlite3.connect(file)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs_order'").fetchone()
    content[(root - 1) * PAGE : root * PAGE] = bytes(PAGE)
    file.write_bytes(content)
    made = repair(address(file))
    assert (made.jobs, made.lost, made.lost_events) == (len(JOBS), (), 0)
    assert [told.event for told in kept(file)[5][1]] == [event for job, _, event in SAID if job == 5]


@pytest.mark.parametrize(
    ("statement", "lost", "said"),
    [
        ("DELETE FROM alembic_version", 0, True),
        ("UPDATE alembic_version SET version_num = ''", 0, True),
        ("DROP TABLE alembic_version", 0, True),
        ("DROP TABLE state", 0, True),
        ("DELETE FROM state", 0, False),
        ("DROP TABLE events", COUNT * (SAYS + 4), True),
        ("ALTER TABLE jobs RENAME COLUMN priority TO prioritx", 0, True),
    ],
)
def test_tables_that_are_not_ours_any_more(file: Path, statement: str, lost: int, said: bool) -> None:
    """SQLite finds nothing wrong with such a file; who uses it is told to repair it."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(statement)
    if said:
        with pytest.raises(StoreError, match="eichi jobs repair"), Store(address(file)) as store:
            store.add([])
            store.jobs()
            store.events(1)
            assert store.held
    made = repair(address(file))
    assert made.damage
    assert (made.jobs, made.lost, made.unknown) == (COUNT, (), False)
    assert COUNT * (SAYS + 3) - made.events <= lost
    assert repair(address(file)).damage == ()
    with Store(address(file)) as store:
        store.hold(True)
        assert store.held


def test_a_queue_is_held_where_its_row_is_lost(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("DELETE FROM state")
    with Store(address(file)) as store:
        store.hold(True)
        assert store.held


def test_the_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE cats (name TEXT)")
    assert repair(address(path)) == Repaired(path)


def test_a_store_of_a_newer_program_is_left_alone(file: Path, whole: bytes) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    content = bytearray(file.read_bytes())
    content[-PAGE:] = bytes(PAGE)
    file.write_bytes(content)
    with pytest.raises(InputError, match="newer version"):
        repair(address(file))
    assert file.read_bytes()[100:] == content[100:]  # behind the header
    assert list(file.parent.glob("jobs*")) == [file]


def test_a_store_in_use_is_left_alone(file: Path, whole: bytes) -> None:
    damaged = bytearray(whole)
    damaged[-PAGE:] = bytes(PAGE)
    file.write_bytes(damaged)
    with Store(address(file)) as store, store.reading() as connection:
        connection.execute(sa.text("SELECT held FROM state"))
        with pytest.raises(InputError, match="Another program is using"):
            repair(address(file))
    assert [path.name for path in file.parent.glob("jobs*db*")] == ["jobs.db"]
    assert repair(address(file)).damage


def test_what_was_not_yet_written_into_the_file_is_read_too(file: Path, whole: bytes, tmp_path: Path) -> None:
    with Store(address(file)) as store:
        store.hold(False)
        job = store.jobs()[0]
        store.change(job.id, (Status.STOPPED,), priority=7)
        taken = {ending: Path(f"{file}{ending}").read_bytes() for ending in ("", "-wal")}
    assert taken["-wal"]
    damaged = bytearray(taken[""])
    damaged[-PAGE:] = bytes(PAGE)
    file.write_bytes(damaged)
    Path(f"{file}-wal").write_bytes(taken["-wal"])
    assert repair(address(file)).damage
    with Store(address(file)) as store:
        assert not store.held
        assert store.job(job.id).priority == 7


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql+psycopg://eichi@/jobs", "Only a SQLite file"),
        ("sqlite://", "Only a SQLite file"),
        ("sqlite:///none.db", "no job database none.db"),
        ("nonsense", "cannot be kept in"),
    ],
)
def test_what_cannot_be_repaired_is_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        repair(url)
    assert not Path("none.db").exists()


def test_a_folder_that_takes_nothing(file: Path, whole: bytes) -> None:
    """What is there stays as it was, without half of anything beside it."""
    file.write_bytes(whole[: len(whole) // 2])
    before = file.read_bytes()
    (file.parent / ".jobs.db.part").mkdir()
    with pytest.raises(FolderError, match="Nothing can be written"):
        repair(address(file))
    assert file.read_bytes() == before
    assert list(file.parent.glob("jobs*")) == [file]


def test_a_name_that_is_no_text_in_sqlites_own_sentence_is_damage(home: Path) -> None:
    store = home / "jobs.db"
    with Store(f"sqlite:///{store}"):
        pass
    store.write_bytes(
        store.read_bytes()
        .replace(b"CREATE TABLE jobs", b"CREATE TABL\xff jobs")
        .replace(b"jobs_order", b"jobs_\xff\xfeder")
    )
    with pytest.raises(StoreError), Store(f"sqlite:///{store}"):
        pass


def flipped(whole: bytes) -> Iterator[bytes]:
    """First pages with one bit that is another: those that were found to hide all jobs, and others by chance."""
    dice, start = random.Random(2), int.from_bytes(whole[105:107])
    used = [*range(126), *range(start, PAGE)]
    some = [(dice.choice(used), 1 << dice.randrange(8)) for _ in range(16)]
    for place, bit in ((17, 128), (20, 1), (59, 2), (103, 1), *some):
        yield whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]


def test_a_damaged_first_page_loses_nothing(file: Path, whole: bytes) -> None:
    """It holds nothing of the jobs: what it says is known."""
    before, dice, damages = kept(file), random.Random(0), 0
    for content in (*flipped(whole), bytes(PAGE) + whole[PAGE:], dice.randbytes(PAGE) + whole[PAGE:]):
        file.write_bytes(content)
        made = repair(address(file))
        assert (made.jobs, made.events, made.lost, made.unknown) == (COUNT, COUNT * (SAYS + 3), (), False)
        damages += bool(made.damage)
        if made.damage:
            assert kept(file) == before
            with Store(address(file)) as store:
                assert store.held
        if made.backup:
            made.backup.unlink()
    assert damages > 8


def test_a_damaged_first_page_of_a_file_that_was_packed(file: Path) -> None:
    """VACUUM puts tables elsewhere."""
    before = kept(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("VACUUM")
    file.write_bytes(bytes(PAGE) + file.read_bytes()[PAGE:])
    assert repair(address(file)).damage
    assert kept(file) == before


def test_a_damaged_first_page_of_an_empty_store(file: Path) -> None:
    file.unlink()
    with Store(address(file)):
        pass
    file.write_bytes(bytes(PAGE) + file.read_bytes()[PAGE:])
    made = repair(address(file))
    assert made.damage
    assert (made.jobs, made.unknown) == (0, False)


def test_files_in_pieces_are_kept_around_what_is_damaged_of_them(tmp_path: Path) -> None:
    file, bodies = tmp_path / "jobs.db", [bytes([number]) * 1500 for number in range(30)]
    with Store(address(file)) as store, Pieces(store).replacing("a|") as put:
        for number, body in enumerate(bodies):
            put(number, body)
    damaged = bytearray(file.read_bytes())
    page = damaged.index(bodies[15]) // PAGE
    damaged[page * PAGE : (page + 1) * PAGE] = b"\xff" * PAGE
    file.write_bytes(damaged)
    assert repair(address(file)).damage
    with Store(address(file)) as store:
        kept = [Pieces(store).get("a|", number) for number in range(len(bodies))]
    whole = [one == body for one, body in zip(kept, bodies, strict=True)]
    assert (whole[15], all(whole[:13]), all(whole[18:])) == (False, True, True)
    assert all(one is None for one, right in zip(kept, whole, strict=True) if not right)
