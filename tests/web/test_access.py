"""Who is let in where others can reach the page, and that nobody is refused in more than a sentence."""

import asyncio
import threading
from base64 import b64encode
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from eichi.errors import InputError, StoreError
from eichi.jobs.store import Store
from eichi.web import access as accesses
from eichi.web.access import FREE, LONGEST, QUEUE, Access, Door, Entry, Verdict, neighbourhood
from eichi.web.api.health import OPEN
from eichi.web.app import make_app
from eichi.web.desk import Desk


def unreachable(store: Store) -> bool:
    raise StoreError("error.store.unreachable", reason="gone")


def basic(password: str) -> str:
    return f"Basic {b64encode(f'me:{password}'.encode()).decode()}"


def test_a_password_and_a_token_are_shown_once_and_can_be_changed(tmp_path: Path) -> None:
    access = Access(tmp_path)
    assert not access.known
    assert not access.allows("Bearer x")
    password, token = access.renew()
    kept = access.path.read_text(encoding="utf-8")
    assert password not in kept
    assert token not in kept
    for header in (basic(password), basic(password), f"Bearer {token}"):
        assert access.allows(header)
    wrong = (basic(token), basic(""), f"Bearer {password}", "Bearer ", "Basic ???", "", "Digest x")
    assert not any(access.allows(header) for header in wrong)
    again, _ = access.renew()
    assert not access.allows(basic(password))
    assert access.allows(basic(again))
    assert Access(tmp_path).allows(basic(again))
    access.path.write_text("{", encoding="utf-8")
    assert not Access(tmp_path).allows(basic(again))


def test_a_token_has_a_name_and_goes_alone(tmp_path: Path) -> None:
    access = Access(tmp_path)
    first = access.give("studio")
    assert not access.known  # a password is still to be made
    password, _ = access.renew(named=True)
    assert [access.allows(one) for one in (f"Bearer {first}", basic(password))] == ["studio", "password"]
    _, token = access.renew()
    assert access.allows(f"Bearer {first}") is None
    tokens = {name: access.give(name) for name in ("studio", "büro-2")}
    assert {name: access.allows(f"Bearer {one}") for name, one in tokens.items()} == {name: name for name in tokens}
    assert access.allows(f"Bearer {token}") == "token"
    assert access.allows(basic(tokens["studio"])) is None
    access.take("studio")
    assert [access.allows(f"Bearer {one}") for one in tokens.values()] == [None, "büro-2"]
    for name in ("studio", "password", "a b", ""):
        with pytest.raises(InputError):
            access.take(name)
        if name != "studio":
            with pytest.raises(InputError):
                access.give(name)


def test_a_server_that_runs_lets_a_dropped_token_in_no_more(tmp_path: Path) -> None:
    """The command that drops it is another process, with its own Access."""
    tokens = {name: Access(tmp_path).give(name) for name in ("studio", "friend")}
    runs = Access(tmp_path)
    assert [runs.allows(f"Bearer {one}") for one in tokens.values()] == ["studio", "friend"]
    Access(tmp_path).take("studio")
    assert [runs.remembers(f"Bearer {one}") for one in tokens.values()] == [None, None]
    assert [runs.allows(f"Bearer {one}") for one in tokens.values()] == [None, "friend"]
    assert runs.remembers(f"Bearer {tokens['friend']}") == "friend"


def test_a_page_for_others_asks_for_the_password(desk: Desk) -> None:
    access = Access(desk.settings.home)
    password, token = access.renew()
    app = make_app(desk, hosts=("*",), access=access)
    with TestClient(app, base_url="http://box.example", follow_redirects=False) as client:
        for address in ("/", "/en/create", "/static/x/page.js", "/api/v1/jobs", "/api/openapi.json", "/api/docs"):
            answer = client.get(address)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")
            assert answer.json()["id"] == "error.api.access"
        assert client.get("/api/v1/jobs", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/api/v1/jobs", headers={"authorization": f"Bearer {token}"}).json()["jobs"] == []
        assert client.get("/en/create", headers={"authorization": basic(password)}).status_code == 200


def test_whether_the_server_is_well_needs_no_password(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's health check knows none, and learns nothing else."""
    app = make_app(desk, hosts=("*",), access=Access(desk.settings.home))
    with TestClient(app, base_url="http://127.0.0.1:8001", follow_redirects=False) as client:
        well = client.get(OPEN)
        assert (well.status_code, well.json()) == (200, {"healthy": True})
        for address in (f"{OPEN}/", f"{OPEN}x", f"{OPEN}%2F..%2Fjobs", "/api/v1/jobs"):
            assert client.get(address).status_code == 401
        monkeypatch.setattr(Store, "held", property(unreachable))
        ill = client.get(OPEN)
        assert (ill.status_code, ill.json()) == (503, {"healthy": False})


class Clock:
    """A time that goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_guesses_waits_longer_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    access, clock = Access(tmp_path), Clock()
    password, _ = access.renew()
    door = Door(access, clock)

    async def guess() -> list[int]:
        waited = []
        for number in range(14):
            while (entry := await door.ask(basic(f"secret{number}"), "10.0.0.1")).verdict is Verdict.THROTTLED:
                waited.append(entry.seconds)
                clock.now += entry.seconds
            assert entry == Entry(Verdict.ASKED)
        return waited

    async def others() -> None:
        assert await door.ask(basic(password), "10.0.0.1") == Entry(Verdict.THROTTLED, int(LONGEST))
        assert await door.ask(basic(password), "10.0.0.2") == Entry(Verdict.RIGHT, name="password")
        # Who was right once is let in from everywhere: that is no guess.
        assert await door.ask(basic(password), "10.0.0.1") == Entry(Verdict.RIGHT, name="password")
        assert await door.ask("", "10.0.0.3") == Entry(Verdict.ASKED)

    waited = asyncio.run(guess())
    assert waited == [1, 2, 4, 8, 16, 32, 64, 128, 256][: len(waited)]
    assert len(waited) == 14 - FREE - 1
    asyncio.run(others())
    lines = [record.getMessage() for record in caplog.records if "wrong password" in record.getMessage()]
    assert len(lines) == 14
    assert "10.0.0.1" in lines[0]
    assert not any("secret" in line or password in line for line in lines)


def test_as_many_addresses_as_there_are_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accesses, "ADDRESSES", 3)
    door = Door(Access(tmp_path))

    async def guess() -> None:
        for number in range(9):
            await door.ask("Bearer x", f"10.0.0.{number}")

    asyncio.run(guess())
    assert list(door._wrong) == ["10.0.0.6", "10.0.0.7", "10.0.0.8"]
    assert neighbourhood("2001:db8:1:2:3:4:5:6") == neighbourhood("2001:db8:1:2::1") != neighbourhood("2001:db8:1:3::1")
    assert neighbourhood("::ffff:10.0.0.1") == "10.0.0.1"
    assert neighbourhood("<script>\nx") == "?"


def test_three_hundred_at_once_delay_nobody_who_was_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access, going, asked = Access(tmp_path), threading.Event(), list[str]()

    def slow(header: str) -> None:
        asked.append(header)
        going.wait(30)

    _, token = access.renew()
    assert access.allows(f"Bearer {token}")
    monkeypatch.setattr(access, "allows", slow)
    door = Door(access)

    async def crowd() -> list[Verdict]:
        guesses = [asyncio.ensure_future(door.ask(f"Bearer {n}", f"10.0.{n // 100}.{n % 100}")) for n in range(300)]
        page = [asyncio.ensure_future(door.ask("Bearer 0", "10.0.0.0")) for _ in range(20)]
        await asyncio.sleep(0)  # all of them begin
        assert await door.ask(f"Bearer {token}", "10.0.0.0") == Entry(Verdict.RIGHT, name="token")
        assert sum(not one.done() for one in guesses) == QUEUE
        going.set()
        assert {(await one).verdict for one in page} == {Verdict.ASKED}  # one question, asked twenty times
        return [(await one).verdict for one in guesses]

    said = asyncio.run(crowd())
    assert (said.count(Verdict.ASKED), said.count(Verdict.CROWDED)) == (QUEUE, 300 - QUEUE)
    assert len(asked) == QUEUE


def test_one_address_has_not_the_whole_queue(tmp_path: Path) -> None:
    door = Door(Access(tmp_path))

    async def crowd() -> list[Verdict]:
        entries = await asyncio.gather(*(door.ask(f"Bearer {number}", "10.0.0.1") for number in range(10)))
        return [entry.verdict for entry in entries]

    assert asyncio.run(crowd()) == [Verdict.ASKED] * accesses.EACH + [Verdict.CROWDED] * (10 - accesses.EACH)


def test_the_wait_is_said(desk: Desk) -> None:
    access = Access(desk.settings.home)
    _, token = access.renew()
    app = make_app(desk, hosts=("*",), access=access)
    with TestClient(app, base_url="http://box.example") as client:
        for number in range(FREE + 1):
            assert client.get("/", headers={"authorization": f"Bearer {number}"}).status_code == 401
        answer = client.get("/", headers={"authorization": f"Bearer {token}", "accept-language": "ru"})
        assert (answer.status_code, answer.json()["id"]) == (429, "error.api.throttled")
        assert answer.headers["retry-after"] == "1"
        assert "1 с" in answer.json()["message"]
