"""The card of a job's folder: what the job is, and which of its files are finished, with a checksum of each.

Everything else in the folder can be made again from the card; the card cannot, so it is there twice, and each copy has
a checksum of its own. One copy is written after the other, so at any moment one of them is whole; of two whole ones
that differ the first is the newer. A card without checksums is of a version before there were any.

Knows nothing of what the files are.
"""

import hashlib
import json
from pathlib import Path

from eichi.errors import InputError
from eichi.files import aside, only_file, read_file
from eichi.reasons import Unfit
from eichi.text import json_text
from eichi.video.metadata import Record

CARD, TWIN = "job.json", "job-twin.json"
FILES, CHECKSUM = "files", "checksum"
SIZE = 16  # bytes of a checksum
# What others of a card go by, in every version.
KINDS = {"request": dict, "width": int, "height": int, "pictures": list}


def write_card(folder: Path, values: Record) -> None:
    """Write both copies, aside and renamed. Raises OSError."""
    plain: Record = json.loads(json_text(values, fallback=str))
    text = json_text(plain | {CHECKSUM: _of_values(plain)}, indent=1)
    for name in (CARD, TWIN):
        with aside(folder / name) as draft:
            draft.write_text(text, encoding="utf-8")


def read_card(folder: Path) -> tuple[Record, bool]:
    """The card, and whether both copies are as they were written. Raises InputError where neither is."""
    try:
        values = _read(folder / CARD)
    except (OSError, ValueError, RecursionError) as error:
        try:
            return _read(folder / TWIN), False
        except (OSError, ValueError, RecursionError):
            raise InputError("error.resume.damaged", folder=folder, card=CARD, twin=TWIN, reason=error) from error
    if FILES not in values:
        return values, True
    try:
        _read(folder / TWIN)
    except (OSError, ValueError, RecursionError):
        return values, False
    return values, True


def file_checksum(path: Path) -> str:
    """The checksum of a file. Raises OSError, also for what is no file."""
    only_file(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=SIZE)).hexdigest()


def _read(path: Path) -> Record:
    """One copy. Raises OSError, ValueError."""
    values: Record = json.loads(read_file(path).decode("utf-8"))
    right = isinstance(values, dict) and all(isinstance(values.get(key), kind) for key, kind in KINDS.items())
    if not right or not all(isinstance(name, str) for name in values["pictures"]):
        raise Unfit("reason.request")
    checksum = values.pop(CHECKSUM, None)
    if (checksum is not None or FILES in values) and checksum != _of_values(values):
        raise Unfit("reason.checksum")
    return values


def _of_values(values: Record) -> str:
    return hashlib.blake2b(json_text(values, sort=True).encode("utf-8"), digest_size=SIZE).hexdigest()
