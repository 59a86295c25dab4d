"""A dropped or named file gives its options back.

A picture, a video or a latent file made here carries its whole request, also where one tool or several made it of one
other result, or finished it. A picture or a video of another program carries a few values; these are taken, everything
else stays as it is. What is not known here, or does not fit, is said.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eichi.declare import Plain, at
from eichi.errors import InputError
from eichi.events import Adjusted
from eichi.library.outside import kind_of, over, sift
from eichi.library.whereabouts import Places, relocate
from eichi.options import Request, VideoOptions
from eichi.video.metadata import FOREIGN, Marks, read_record

THROUGH = ("latents", "finish")  # kinds of what was made of another result, whose options are the ones to go on with


@dataclass(frozen=True)
class Restored:
    """What a file gives back: nested values for a kind of request, all of them where `whole`."""

    kind: type[Request]
    values: Plain
    whole: bool
    notes: tuple[Adjusted, ...]
    marks: Marks

    def at(
        self, places: Places, settled: Callable[[str], bool] = lambda key: False
    ) -> tuple[Plain, tuple[Adjusted, ...]]:
        """The values with their files where they are here, and all that deserves a word; see `whereabouts.relocate`."""
        if not self.whole:
            return self.values, self.notes
        found, notes = relocate(self.kind.parse(self.values), self.marks, places, settled)
        return found.dump(), (*self.notes, *notes)

    def over(self, request: Request) -> Plain:
        """Nested values of a request of the same kind with these laid over them: what a file does not say stays."""
        return over(request.dump(), self.values)


def restore(path: Path, kind: type[Request] | None = None) -> Restored:
    """The options that a file carries. Raises InputError for one that carries none, or those of another kind."""
    record = read_record(path)
    while record["kind"] in THROUGH and len(sources := record.get("sources", [])) == 1 and sources[0]:
        (record,) = sources
    if not record["request"]:
        raise InputError("error.file.record", path=path)
    whole = record["kind"] != FOREIGN
    if whole and kind is not None and record["kind"] != kind.kind:
        raise InputError("error.file.kind", path=path, kind=record["kind"], wanted=kind.kind)
    made = kind_of(record["kind"]) if whole else kind or VideoOptions
    values, notes = sift(made, record["request"])
    marks = record.get("files")
    about = (*notes, *(() if whole else _guided(made.parse(values))))
    return Restored(made, values, whole, about, marks if isinstance(marks, dict) else {})


def _guided(request: Request) -> tuple[Adjusted, ...]:
    """A word on real guidance: other models need it, and these take twice the time with it."""
    cfg = at(request, "sampling.cfg")
    return () if cfg == 1 else (Adjusted("note.foreign.cfg", {"cfg": cfg}),)
