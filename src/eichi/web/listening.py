"""The address of the page: taken before anything else is begun, or found to be this program's already.

Known of the page that is there is only what it says to everybody about its health. Loads nothing of the server.
"""

import errno
import json
import socket
from contextlib import suppress
from http.client import HTTPConnection, HTTPException

from eichi.errors import InputError

EVERYWHERE = ("0.0.0.0", "::")
HERE = "127.0.0.1"
HEALTH = "/api/v1/health"
PATIENCE = 15.0  # seconds: a page that has only just taken its address is still being put together
LIMIT = 1000  # bytes of an answer that says so little


class Already(Exception):
    """There is a page of this program at the address."""


def listen(server: str, port: int) -> socket.socket:
    """The place where pages are asked for. Raises InputError, and Already where the page is there."""
    try:
        return socket.create_server((server, port), family=socket.AF_INET6 if ":" in server else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and is_ours(reached(server), port):
            raise Already from error
        raise InputError("error.ui.port", server=server, port=port, reason=error) from error


def reached(server: str) -> str:
    """The name that a browser on this machine reaches a server by: on Windows none goes to 0.0.0.0."""
    if server in EVERYWHERE:
        return HERE
    return f"[{server}]" if ":" in server else server


def is_ours(host: str, port: int) -> bool:
    """Whether what answers at an address is this program."""
    asked = HTTPConnection(host.strip("[]"), port, timeout=PATIENCE)
    try:
        asked.request("GET", HEALTH)
        said = json.loads(asked.getresponse().read(LIMIT))
    except (OSError, HTTPException, ValueError):
        return False
    finally:
        with suppress(OSError):
            asked.close()
    return isinstance(said, dict) and isinstance(said.get("healthy"), bool)
