"""Who may use a page that others can reach: a password for people, a token for programs.

Both are generated here, shown once, and kept as hashes in the home folder; making new ones is how they are changed. A
browser asks for the password itself (HTTP Basic, any user name), a program sends `Authorization: Bearer TOKEN`. Whoever
was right once is remembered for as long as the server runs, since a good hash is slow. Knows no page.
"""

import binascii
import json
import secrets
from base64 import b64decode
from hashlib import scrypt, sha256
from hmac import compare_digest
from pathlib import Path

from eichi.files import aside, private

FILE = "access.json"
LENGTH = 15  # random bytes of each secret: nobody guesses them


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

    def allows(self, header: str) -> bool:
        """Whether an Authorization header carries the password or the token."""
        kind, _, given = header.partition(" ")
        mark = sha256(header.encode()).digest()
        if mark in self._right:
            return True
        match kind.lower():
            case "basic":
                right = self._is("password", _password(given))
            case "bearer":
                right = self._is("token", given.strip())
            case _:
                return False
        if right:
            self._right.add(mark)
        return right

    def _is(self, name: str, given: str) -> bool:
        try:
            values = json.loads(self.path.read_text(encoding="utf-8"))
            return bool(given) and compare_digest(values[name], _hash(given, values["salt"]))
        except (OSError, ValueError, KeyError, TypeError):
            return False  # without a readable file nobody is let in


def _password(given: str) -> str:
    """The password of `user:password` in base64."""
    try:
        return b64decode(given, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _hash(secret: str, salt: str) -> str:
    return scrypt(secret.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()
