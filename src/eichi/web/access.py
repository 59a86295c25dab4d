"""Who may use a page that others can reach: a password for people, a token for programs.

Both are generated here, shown once, and kept as hashes in the home folder; making new ones is how they are changed. A
browser asks for the password itself (HTTP Basic, any user name), a program sends `Authorization: Bearer TOKEN`. Whoever
was right once is remembered for as long as the server runs, since a good hash is slow. Whoever is wrong often waits
longer each time, and hashing has threads of its own, so that those who are right notice nothing of it. Knows no page.
"""

import asyncio
import binascii
import json
import logging
import secrets
import time
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import scrypt, sha256
from hmac import compare_digest
from ipaddress import ip_address, ip_network
from math import ceil
from pathlib import Path

from eichi.files import aside, private

log = logging.getLogger(__name__)

FILE = "access.json"
LENGTH = 15  # random bytes of each secret: nobody guesses them
KNOWN = 1000  # headers that were right and are remembered: any user name goes with the password
FREE, LONGEST = 4, 300.0  # wrong ones without a wait, and the seconds that are waited at most
ADDRESSES = 10_000  # that were wrong and are remembered, the latest
THREADS, QUEUE, EACH = 2, 32, 2  # for hashing; what is hashed or waits for it: in all, and of one address
SUBNET = 64  # bits of an IPv6 address that one household has


class Access:
    """The password and the token of a machine."""

    def __init__(self, home: Path) -> None:
        self.path = home / FILE
        self._right: set[bytes] = set()

    @property
    def known(self) -> bool:
        """Whether there is a password."""
        return self.path.is_file()

    def renew(self) -> tuple[str, str]:
        """A new password and a new token in place of those before; only their hashes are kept."""
        password, token = secrets.token_urlsafe(LENGTH), secrets.token_urlsafe(LENGTH)
        salt = secrets.token_hex(16)
        values = {"salt": salt, "password": _hash(password, salt), "token": _hash(token, salt)}
        private(self.path.parent)
        with aside(self.path, private=True) as draft:
            draft.write_text(json.dumps(values), encoding="utf-8")
        self._right.clear()
        return password, token

    def remembers(self, header: str) -> bool:
        """Whether an Authorization header was right before; that costs nothing to say."""
        return _mark(header) in self._right

    def allows(self, header: str) -> bool:
        """Whether an Authorization header carries the password or the token."""
        if self.remembers(header):
            return True
        kind, _, given = header.partition(" ")
        match kind.lower():
            case "basic":
                right = self._is("password", _password(given))
            case "bearer":
                right = self._is("token", given.strip())
            case _:
                return False
        if right:
            if len(self._right) >= KNOWN:
                self._right.clear()
            self._right.add(_mark(header))
        return right

    def _is(self, name: str, given: str) -> bool:
        try:
            values = json.loads(self.path.read_text(encoding="utf-8"))
            return bool(given) and compare_digest(values[name], _hash(given, values["salt"]))
        except (OSError, ValueError, KeyError, TypeError):
            return False  # without a readable file nobody is let in


class Verdict(Enum):
    """What becomes of who asks to be let in."""

    RIGHT = auto()
    ASKED = auto()  # for the password
    THROTTLED = auto()  # having been wrong too often
    CROWDED = auto()  # too many are being checked


@dataclass(frozen=True)
class Entry:
    """A verdict, and the seconds to wait with one that asks for it."""

    verdict: Verdict
    seconds: int = 0


@dataclass
class Wrong:
    """What is known of an address that was wrong: how often, and until when it is not heard."""

    count: int = 0
    until: float = 0.0


class Door:
    """Lets in those whom `access` allows, and slows down those who guess."""

    def __init__(self, access: Access, clock: Callable[[], float] = time.monotonic) -> None:
        self.access, self.clock = access, clock
        self._wrong: OrderedDict[str, Wrong] = OrderedDict()
        self._checking: dict[tuple[str, bytes], asyncio.Future[bool]] = {}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="door")

    async def ask(self, header: str, address: str) -> Entry:
        """What becomes of a request with this Authorization header from this address."""
        if self.access.remembers(header):
            return Entry(Verdict.RIGHT)
        if not header:  # as a browser begins
            return Entry(Verdict.ASKED)
        place = neighbourhood(address)
        left = self._wrong.get(place, Wrong()).until - self.clock()
        if left > 0:
            return Entry(Verdict.THROTTLED, ceil(left))
        key = (place, _mark(header))
        check = self._checking.get(key)  # a page asks for many things at once
        if check is None:
            if len(self._checking) >= QUEUE or sum(one == place for one, _ in self._checking) >= EACH:
                return Entry(Verdict.CROWDED, 1)
            check = asyncio.ensure_future(self._check(header, place))
            self._checking[key] = check
            check.add_done_callback(lambda _: self._checking.pop(key))
        return Entry(Verdict.RIGHT if await asyncio.shield(check) else Verdict.ASKED)

    async def _check(self, header: str, place: str) -> bool:
        right = await asyncio.get_running_loop().run_in_executor(self._pool, self.access.allows, header)
        if right:
            self._wrong.pop(place, None)
        else:
            self._note(place)
        return right

    def _note(self, place: str) -> None:
        """Remember a wrong one: each costs twice the time of the one before."""
        wrong = self._wrong.setdefault(place, Wrong())
        self._wrong.move_to_end(place)
        while len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)
        wrong.count += 1
        over = wrong.count - FREE
        wait = 0.0 if over <= 0 else min(2.0 ** min(over - 1, 16), LONGEST)
        wrong.until = self.clock() + wait
        log.warning("wrong password or token from %s: %d so far, %.0f s of waiting", place, wrong.count, wait)


def neighbourhood(address: str) -> str:
    """Who is counted as one: an address, of IPv6 the network of a household."""
    try:
        found = ip_address(address)
    except ValueError:
        return "?"  # what a program between says may be anything
    if found.version == 4:
        return str(found)
    return str(found.ipv4_mapped or ip_network((int(found), SUBNET), strict=False).network_address)


def _mark(header: str) -> bytes:
    return sha256(header.encode("utf-8", "replace")).digest()


def _password(given: str) -> str:
    """The password of `user:password` in base64."""
    try:
        return b64decode(given, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _hash(secret: str, salt: str) -> str:
    return scrypt(secret.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()
