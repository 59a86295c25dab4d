"""What lies with files in a place and tells of them: the list of a job's results, the names in a job's card.

A place is written by other machines, and perhaps by who should not: so a name is that of a file beside a result or in
a folder there and never a way out of it, a list has a size that a list can have, and what is none counts as damaged.
Knows no job.
"""

import json
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from eichi.declare import LAST
from eichi.errors import StoreError
from eichi.events import Json, Message, Result, dump, read_message
from eichi.jobs.places import Place, reaching
from eichi.text import json_text

MOST = 2**24  # bytes of a list; that of a video of an hour has a thousandth of it
DAMAGED = "reason.damaged"
# Parts of a path that every system takes for names, none of which leads upwards, is hidden by a drive or a stream.
NAME = re.compile(r"(?!\.{1,2}(/|$))[^/\\:\x00-\x1f]+(/(?!\.{1,2}(/|$))[^/\\:\x00-\x1f]+)*")


@dataclass(frozen=True)
class Waybill:
    """The results of a job by their names, with their checksums, and what it ended with."""

    files: Mapping[str, str]
    event: Message | None

    @classmethod
    def read(cls, place: Place, key: str) -> "Waybill | None":
        """The list under a key, None where there is none. Raises StoreError for one that is not ours."""
        with reaching(key), tempfile.TemporaryDirectory() as draft:
            file = Path(draft) / "list"
            if not place.get(key, file, MOST):
                return None
            try:
                values = json.loads(file.read_bytes())
            except (ValueError, RecursionError):
                values = None
        files = named(values.get("files")) if isinstance(values, dict) else None
        if files is None:
            raise StoreError("error.place.use", place=key, reason=DAMAGED)
        event = values.get("event")
        with suppress(ValueError):
            return cls(files, read_message(event) if isinstance(event, dict) else None)
        return cls(files, None)

    @staticmethod
    def write(place: Place, key: str, files: Mapping[str, str], event: Result) -> None:
        """Keep a list. Raises StoreError."""
        values: Json = {"files": dict(files), "event": dump(event)}
        with reaching(key), tempfile.TemporaryDirectory() as draft:
            file = Path(draft) / "list"
            file.write_text(json_text(values), encoding="utf-8")
            place.put(key, file)


def named(files: object) -> dict[str, str] | None:
    """Files by their names, with their checksums; None for what is not that."""
    if not isinstance(files, dict):
        return None
    right = all(
        isinstance(name, str) and NAME.fullmatch(name) and isinstance(value, str) for name, value in files.items()
    )
    return dict(files) if right else None


def number(name: str) -> int | None:
    """The number of the job that a key or a folder is named by, as in "12-1764…"; None for another name."""
    id = name.partition("-")[0]
    return int(id) if id.isascii() and id.isdecimal() and len(id) <= len(str(LAST)) and int(id) <= LAST else None
