"""The keeper of a Ray cluster's workers, against a cluster of plain values."""

import threading
from pathlib import Path

import pytest

from eichi.errors import InputError, RunError
from eichi.jobs.executors.actor import About, Gone
from eichi.jobs.executors.keeper import AGAIN, LATE, MOMENT, Keeper, Waiting, clear, keep
from eichi.jobs.executors.spots import Node, Spot, labels_of, mark, namespace, spots
from eichi.jobs.queue import Queue
from eichi.jobs.view import Problem
from eichi.settings import Settings, load_settings

SERVER = "postgresql+psycopg://one:secret@server/jobs"
MACHINE = Node("10.0.0.1", "one", cards=2, cores=8, labels={"eichi/model": "framepack", "ray.io/node-id": "ab"})
OTHER = Node("10.0.0.2", "two", cards=1, cores=8, labels={"eichi/model": "tiny"})
PLAIN = Node("10.0.0.3", "head", cores=4)


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("OMP_NUM_THREADS")
    return load_settings().given(store=SERVER)


class Table:
    """A cluster whose actors do as they are told here; those in `stuck` have no place."""

    def __init__(self, *nodes: Node) -> None:
        self.found = list(nodes)
        self.actors: dict[str, Spot] = {}
        self.says: dict[str, About | Gone] = {}
        self.stuck: set[str] = set()
        self.ended: list[str] = []

    def nodes(self) -> list[Node]:
        return self.found

    def names(self) -> set[str]:
        return set(self.actors)

    def make(self, spot: Spot) -> None:
        self.actors.setdefault(spot.name, spot)

    def about(self, name: str) -> About | None:
        said = self.says.get(name, About(self.actors[name].mark))
        if isinstance(said, Gone):
            raise said
        return None if name in self.stuck else said

    def leave(self, name: str) -> bool:
        return name not in self.stuck

    def end(self, name: str) -> None:
        self.ended.append(name)
        del self.actors[name]


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


def names(found: list[Spot]) -> list[str]:
    return [spot.name for spot in found]


def test_a_worker_for_each_card_named_by_node_and_card(settings: Settings) -> None:
    found = spots([PLAIN, MACHINE, OTHER], settings, here="one")
    assert names(found) == ["eichi-one-0", "eichi-one-1", "eichi-two-0"]
    assert all((spot.cards, spot.number) == (1, 1) for spot in found)
    assert found[0].told == {"EICHI_STORE": SERVER, "EICHI_DEVICE": "auto", "EICHI_HOME": str(settings.home)}
    assert "EICHI_HOME" not in found[2].told  # another machine has its own


def test_a_worker_has_as_many_cards_as_compute_one_video(settings: Settings) -> None:
    (found,) = spots([MACHINE, OTHER], settings.given(gpus=2), here="two")
    assert (found.name, found.cards, found.told["EICHI_GPUS"]) == ("eichi-one-0", 2, "2")
    with pytest.raises(InputError) as caught:
        spots([MACHINE, OTHER], settings.given(gpus=3))
    assert (caught.value.id, caught.value.values["most"]) == ("error.ray.cards", 2)


def test_where_nobody_is_to_work_here_others_do(settings: Settings) -> None:
    assert names(spots([MACHINE, OTHER], settings.given(devices="none"), here="one")) == ["eichi-two-0"]


def test_two_machines_of_one_name_are_told_by_their_addresses(settings: Settings) -> None:
    twins = [Node("10.0.0.1", "box", cards=1), Node("10.0.0.2", "box", cards=1)]
    assert names(spots(twins, settings)) == ["eichi-box-10.0.0.1-0", "eichi-box-10.0.0.2-0"]


def test_without_cards_processors_work_and_share_their_cores(settings: Settings) -> None:
    assert names(spots([PLAIN], settings)) == ["eichi-head-0"]
    two = spots([PLAIN], settings.given(devices="2"))
    assert [(spot.cards, spot.number) for spot in two] == [(0, 1), (0, 2)]
    assert (two[0].told["EICHI_DEVICE"], two[0].told["OMP_NUM_THREADS"]) == ("cpu", "2")
    assert names(spots([MACHINE, PLAIN], settings.given(device="cpu"))) == ["eichi-one-0", "eichi-head-0"]


def test_nodes_are_chosen_by_labels_and_what_is_not_there_is_said(settings: Settings) -> None:
    chosen = settings.given(ray_labels="eichi/model = framepack")
    assert labels_of(chosen.ray_labels) == {"eichi/model": "framepack"}
    assert names(spots([MACHINE, OTHER], chosen)) == ["eichi-one-0", "eichi-one-1"]
    with pytest.raises(InputError) as caught:
        spots([OTHER], chosen)
    assert (caught.value.id, caught.value.values["known"]) == ("error.ray.labels", "eichi/model=tiny")


def test_jobs_in_a_file_are_for_the_machine_that_has_it(settings: Settings) -> None:
    here = settings.given(store=f"sqlite:///{settings.home / 'jobs.db'}")
    assert names(spots([MACHINE, OTHER], here, here="two")) == ["eichi-two-0"]
    with pytest.raises(InputError, match="PostgreSQL"):
        spots([MACHINE, OTHER], here, here="three")


def test_two_stores_share_a_cluster_and_a_password_makes_no_other_store(settings: Settings) -> None:
    assert namespace(settings) == namespace(settings.given(store=SERVER.replace("secret", "new")))
    assert namespace(settings) != namespace(settings.given(store=SERVER.replace("jobs", "others")))
    assert "secret" not in mark({"EICHI_STORE": SERVER})


def test_workers_are_made_counted_and_let_go_with_their_nodes(settings: Settings, time: Time) -> None:
    table = Table(MACHINE, OTHER)
    keeper = Keeper(table, settings, time)
    assert keeper.look() == 0
    assert keeper.look() == 3 and keeper.settled
    table.found = [OTHER]  # a machine is gone, its workers answer no more
    table.stuck = {"eichi-one-0", "eichi-one-1"}
    assert keeper.look() == 1
    assert sorted(table.ended) == ["eichi-one-0", "eichi-one-1"]
    table.found = [OTHER, MACHINE]
    table.stuck = set()
    keeper.look()
    assert keeper.look() == 3
    clear(keeper, pause=lambda seconds: None)
    assert table.actors == {}


def test_a_dead_worker_is_replaced_after_a_while(settings: Settings, time: Time) -> None:
    table = Table(OTHER)
    keeper = Keeper(table, settings, time)
    keeper.look()
    assert keeper.look() == 1
    table.says["eichi-two-0"] = Gone("died")
    assert keeper.look() == 0 and keeper.hopeless is not None
    table.says.clear()
    keeper.look()
    assert table.actors == {}
    time.now += AGAIN
    keeper.look()
    assert keeper.look() == 1 and keeper.hopeless is None


def test_a_worker_that_ended_says_why(settings: Settings, time: Time) -> None:
    table = Table(OTHER)
    keeper = Keeper(table, settings, time)
    keeper.look()
    table.says["eichi-two-0"] = About(
        "m", True, Problem(id="error.folder.write", values={"folder": "f", "reason": "r"})
    )
    keeper.look()
    assert keeper.hopeless is not None and keeper.hopeless.id == "error.folder.write"
    assert table.ended == ["eichi-two-0"]


def test_a_worker_of_another_version_makes_room_once(settings: Settings, time: Time) -> None:
    """Once: where the node has another version installed, the new one is no better; the worker says so itself."""
    table = Table(OTHER)
    table.make(spots([OTHER], settings.given(place="store"))[0])  # of before
    keeper = Keeper(table, settings, time)
    table.says["eichi-two-0"] = About("other")
    assert keeper.look() == 0
    assert table.ended == ["eichi-two-0"]
    time.now += MOMENT
    keeper.look()
    assert keeper.look() == 1
    assert table.ended == ["eichi-two-0"]


def test_a_worker_without_a_place_is_seen_among_the_workers(settings: Settings, time: Time, queue: Queue) -> None:
    table = Table(OTHER)
    table.stuck = {"eichi-two-0"}
    keeper, waiting = Keeper(table, settings, time), Waiting(queue.store, time)
    keeper.look()
    keeper.look()
    assert keeper.late == [] and not keeper.settled
    time.now += LATE + 1
    keeper.look()
    waiting.tell(keeper.late)
    (worker,) = queue.store.workers()
    assert (worker.node, worker.device, worker.waits) == (
        "two",
        "cuda",
        Problem(id="error.ray.busy", values={"node": "two"}),
    )
    table.stuck = set()
    keeper.look()
    waiting.tell(keeper.late)
    assert queue.store.workers() == []


class Looks(threading.Event):
    """Set after so many waits."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def wait(self, timeout: float | None = None) -> bool:
        self.count -= 1
        if self.count <= 0:
            self.set()
        return self.is_set()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def waiting(queue: Queue) -> Waiting:
    return Waiting(queue.store)


def test_the_parent_hears_how_many_there_are(settings: Settings, waiting: Waiting, said: list[str]) -> None:
    table = Table(MACHINE)
    keep(Keeper(table, settings), waiting, Looks(4), said.append)
    assert said == ["2\n"]
    table.found = []  # nodes come and go
    keep(Keeper(Table(MACHINE), settings), waiting, Looks(9), said.append, once=True)
    assert said == ["2\n", "2\n"]


def test_the_parent_hears_why_there_is_none(settings: Settings, waiting: Waiting, said: list[str]) -> None:
    with pytest.raises(InputError, match="labels"):
        keep(Keeper(Table(), settings), waiting, Looks(3), said.append)
    table = Table(OTHER)
    table.says["eichi-two-0"] = Gone("no module named eichi")
    with pytest.raises(RunError, match="same version"):
        keep(Keeper(table, settings), waiting, Looks(3), said.append)
    assert said == []
