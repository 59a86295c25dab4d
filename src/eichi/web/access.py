"""Who may use a page that others can reach: a password for people, a token for programs, more tokens under names.

All are generated here, shown once, and kept as hashes in the home folder; making new ones is how they are changed. A
browser asks for the password itself (HTTP Basic, any user name), a program sends `Authorization: Bearer TOKEN`. Whoever
was right once is remembered until the file changes, since a good hash is slow. Whoever is wrong often waits longer each
time, and hashing has threads of its own, so that those who are right notice nothing of it. Knows no page.
"""

import asyncio
import binascii
import json
import logging
import re
import secrets
import time
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import scrypt, sha256
from hmac import compare_digest
from ipaddress import ip_address, ip_network
from math import ceil
from pathlib import Path
from typing import Any

from eichi.errors import InputError
from eichi.files import aside, private

log = logging.getLogger(__name__)

FILE = "access.json"
PASSWORD, TOKEN, NAMED = "password", "token", "tokens"  # what there is one of, and those that have names
NAME = re.compile(r"[\w.-]{1,60}")
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
        self._right: dict[bytes, str] = {}
        self._seen = self._stamp()  # the file by which they were right

    @property
    def known(self) -> bool:
        """Whether there is a password, or a file of which nobody can tell."""
        values = self._values()
        return self.path.is_file() and (not values or PASSWORD in values)

    def renew(self, named: bool = False) -> tuple[str, str]:
        """A new password and a new token in place of all those before; only their hashes are kept.

        With `named` tokens that have names stay good: they may be made before the first password is.
        """
        before = self._values() if named else {}
        password, token = secrets.token_urlsafe(LENGTH), secrets.token_urlsafe(LENGTH)
        salt = before.get("salt") or secrets.token_hex(16)
        kept = {NAMED: before[NAMED]} if NAMED in before else {}
        self._write({"salt": salt, PASSWORD: _hash(password, salt), TOKEN: _hash(token, salt)} | kept)
        return password, token

    def give(self, name: str) -> str:
        """A new token under a name, in place of the one that it had. Raises InputError for what is no name."""
        if NAME.fullmatch(name) is None or name in (PASSWORD, TOKEN):
            raise InputError("error.access.taken", name=name, known=", ".join((PASSWORD, TOKEN)))
        values, token = self._values(), secrets.token_urlsafe(LENGTH)
        salt = values.setdefault("salt", secrets.token_hex(16))
        self._write(values | {NAMED: values.get(NAMED, {}) | {name: _hash(token, salt)}})
        return token

    def take(self, name: str) -> None:
        """Let nobody in any more with the token of a name, by a server that runs already neither.

        Raises InputError for a name that has none.
        """
        values = self._values()
        named = values.get(NAMED, {})
        if name not in named:
            raise InputError("error.access.name", name=name, known=", ".join(sorted(named)) or "–")
        self._write(values | {NAMED: {one: kept for one, kept in named.items() if one != name}})

    def remembers(self, header: str) -> str | None:
        """Whose an Authorization header is that was right before, None for another; that costs next to nothing to say.

        Another process may have taken a token away meanwhile: who is let in by a new file is asked again.
        """
        if (now := self._stamp()) != self._seen:
            self._right.clear()
            self._seen = now
        return self._right.get(_mark(header))

    def allows(self, header: str) -> str | None:
        """Whose an Authorization header is: the name of the token in it, PASSWORD, or None for a wrong one."""
        if (name := self.remembers(header)) is not None:
            return name
        seen = self._seen
        kind, _, given = header.partition(" ")
        match kind.lower():
            case "basic":
                name = self._whose(_password(given), (PASSWORD,))
            case "bearer":
                name = self._whose(given.strip(), (TOKEN, NAMED))
        if name is not None and seen == self._stamp():
            if len(self._right) >= KNOWN:
                self._right.clear()
            self._right[_mark(header)] = name
        return name

    def _stamp(self) -> tuple[int, int, int] | None:
        """What tells one writing of the file from another, None where there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _whose(self, given: str, kinds: tuple[str, ...]) -> str | None:
        """The name of the secret of these kinds that was given; one hash, however many there are."""
        try:
            values = json.loads(self.path.read_text(encoding="utf-8"))
            secret = _hash(given, values["salt"])
            known = {kind: values[kind] for kind in kinds if kind in values and kind != NAMED}
            known |= values.get(NAMED, {}) if NAMED in kinds else {}
            found = [name for name, kept in known.items() if compare_digest(kept, secret)]
            return found[0] if given and found else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # without a readable file nobody is let in

    def _values(self) -> dict[str, Any]:
        """What is kept, nothing where there is no file that can be read: nobody would be let in by it."""
        try:
            values = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}

    def _write(self, values: Mapping[str, Any]) -> None:
        private(self.path.parent)
        with aside(self.path, private=True) as draft:
            draft.write_text(json.dumps(values), encoding="utf-8")
        self._right.clear()


class Verdict(Enum):
    """What becomes of who asks to be let in."""

    RIGHT = auto()
    ASKED = auto()  # for the password
    THROTTLED = auto()  # having been wrong too often
    CROWDED = auto()  # too many are being checked


@dataclass(frozen=True)
class Entry:
    """A verdict, the seconds to wait with one that asks for it, whose secret it was with one that lets in."""

    verdict: Verdict
    seconds: int = 0
    name: str = ""


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
        self._checking: dict[tuple[str, bytes], asyncio.Future[str | None]] = {}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="door")

    async def ask(self, header: str, address: str) -> Entry:
        """What becomes of a request with this Authorization header from this address."""
        if (name := self.access.remembers(header)) is not None:
            return Entry(Verdict.RIGHT, name=name)
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
        name = await asyncio.shield(check)
        return Entry(Verdict.ASKED) if name is None else Entry(Verdict.RIGHT, name=name)

    async def _check(self, header: str, place: str) -> str | None:
        name = await asyncio.get_running_loop().run_in_executor(self._pool, self.access.allows, header)
        if name is not None:
            self._wrong.pop(place, None)
        else:
            self._note(place)
        return name

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
