"""The files of requests in a place, by what is in them: brought once for all jobs, and removed when none needs them.

What no job needs is marked first, and removed when it has been spare for a day. Who brings a file that is marked takes
the mark away and brings the file anew, and looks once more when its job is in the store: so whichever of the two was
faster, the file is there. Knows no machine and no folder of a job.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from eichi.files import digest
from eichi.jobs.places import Place, reaching
from eichi.jobs.store import Store

INPUTS, SPARE = "inputs/", "spare/"
DAY = 86_400.0  # seconds that a file has to be spare
MOST = 64  # bytes of a mark, which is a time


def bring(place: Place, paths: Iterable[Path]) -> dict[str, str]:
    """What is in these files, by their paths; they are in the place by then. Raises StoreError."""
    found = dict[str, str]()
    there, spare = set(place.keys(INPUTS)), set(place.keys(SPARE))
    for path in paths:
        with reaching(str(path)):
            content = digest(path)
        found[str(path)] = content
        if f"{SPARE}{content}" in spare:
            place.remove(f"{SPARE}{content}")
            there.discard(f"{INPUTS}{content}")
        if f"{INPUTS}{content}" not in there:
            place.put(f"{INPUTS}{content}", path)
            there.add(f"{INPUTS}{content}")
    return found


def assure(place: Place, inputs: Mapping[str, str]) -> None:
    """Bring again what was removed between `bring` and the moment at which the store knew of the job."""
    there = set(place.keys(INPUTS))
    for path, content in inputs.items():
        if f"{INPUTS}{content}" not in there:
            place.put(f"{INPUTS}{content}", Path(path))


def shed(place: Place, store: Store) -> None:
    """Remove what no job has needed for a day. Raises StoreError."""
    marked = {key.removeprefix(SPARE) for key in place.keys(SPARE)}
    there = {key.removeprefix(INPUTS) for key in place.keys(INPUTS)}
    needed, now = store.inputs_needed(), store.now()
    for content in marked & needed | marked - there:
        place.remove(f"{SPARE}{content}")
    for content in there - needed:
        since = _since(place, content)
        if since is None:
            _mark(place, content, now)
        elif since < now - DAY:
            place.remove(f"{INPUTS}{content}")
            place.remove(f"{SPARE}{content}")


def _since(place: Place, content: str) -> float | None:
    """Since when a file is spare, None where it is not marked or the mark is damaged."""
    with reaching(SPARE), TemporaryDirectory() as draft:
        file = Path(draft) / "mark"
        if not place.get(f"{SPARE}{content}", file, MOST):
            return None
        try:
            return float(file.read_text("ascii", "replace"))
        except ValueError:
            return None


def _mark(place: Place, content: str, now: float) -> None:
    with reaching(SPARE), TemporaryDirectory() as draft:
        file = Path(draft) / "mark"
        file.write_text(f"{now:.0f}", "ascii")
        place.put(f"{SPARE}{content}", file)
