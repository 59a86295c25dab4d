"""A dropped or named file gives its options back.

A PNG, an MP4 or a latent file made here carries its whole request. A PNG of eichi 1.9 or of A1111 and its kin carries
a few values; these are taken, everything else stays as it is, and what was not understood is said.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.library.lenient import kind_of, sift
from eichi.library.parameters import parse
from eichi.options import Request, VideoOptions, place, walk
from eichi.video.metadata import read_parameters, read_record


@dataclass(frozen=True)
class Restored:
    """What a file gives back: nested values for a kind of request, all of them where `whole`."""

    kind: type[Request]
    values: dict[str, Any]
    whole: bool
    notes: tuple[Adjusted, ...]


def restore(path: Path, kind: type[Request] | None = None) -> Restored:
    """The options that a file carries. Raises InputError for one that carries none, or those of another kind."""
    try:
        record = read_record(path)
    except InputError:
        text = read_parameters(path)
        if text is None or not text.strip():
            raise
        return _foreign(text, kind or VideoOptions)
    if kind is not None and record["kind"] != kind.kind:
        raise InputError("error.file.kind", path=path, kind=record["kind"], wanted=kind.kind)
    made = kind_of(record["kind"])
    values, notes = sift(made, record["request"])
    return Restored(made, values, True, notes)


def _foreign(text: str, kind: type[Request]) -> Restored:
    """What another program's text says of a request of this kind."""
    found, left = parse(text)
    known = {field.key for field in walk(kind)}
    values: dict[str, Any] = {}
    for key, value in found.items():
        if key in known:
            place(values, key, value)
        else:
            left[key] = str(value)
    values, notes = sift(kind, values)
    if left:
        shown = ", ".join(f"{label}: {value}" for label, value in left.items())
        notes = (*notes, Adjusted("note.restore.left", {"what": shown}))
    return Restored(kind, values, False, notes)
