"""What changes by itself, told to every open page: one watcher looks at the store for all of them.

A look reads marks of the rows that are shown and then only the rows that changed. Shown are the jobs that workers have,
the next ones to come and those that ended last; of all others a page is told how many they are, and asks for them when
somebody wants to see them. What changed is remembered for a while under the number of the look, and no page has a queue
of its own: each knows the number that it has seen, and is told at once what happened since, which for a slow one is
more. One that was away for longer gets everything anew, as does one that comes from a server before this. Texts are
made once for a language, however many listen.

Nobody listening, nothing is looked at. Knows no HTTP.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

from pydantic import ConfigDict

from eichi.errors import EichiError
from eichi.jobs.listing import Mark, Marks, Wanted
from eichi.jobs.schema import Job
from eichi.jobs.store import Store
from eichi.jobs.view import IDLE, OPEN, View
from eichi.settings import Settings
from eichi.web.downloads import Downloads, DownloadView
from eichi.web.refs import Refs
from eichi.web.rows import JobRow, Seen, Track, make_row
from eichi.web.toolruns import RunView, ToolRuns
from eichi.web.visitor import Visitor
from eichi.words import ENGLISH

PACE = 0.4  # seconds between two looks at the store
ALIVE = 15.0  # seconds after which a silent stream says that it is there
MEMORY = 256  # looks that found a change and are remembered
# Jobs that are told by themselves: those that workers have, the next to come, the last that ended, and so many of
# those that were added since the last look.
ACTIVE, COMING, ENDED, NEW = 16, 24, 12, 24
SPARE = 200  # others that pages may still show as if they were to come or ran, and are looked at until they have ended
APART = 0.05  # the share by which a forecast must differ to be told again
TEXTS = 64  # texts that are kept for others who listen


class Watched(Protocol):
    """What a desk has that is watched."""

    settings: Settings
    store: Store
    bench: ToolRuns
    downloads: Downloads
    refs: Refs
    boot: str


class Change(View):
    """What a page is told: everything that is there if `full`, else what changed; what did not is left out.

    `jobs` are the rows that changed, `removed` the numbers of jobs that are no more, `order` those of the next jobs to
    come, `coming` how many are to come in all. `results` is another number when the folder of results has changed.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    full: bool
    boot: str | None = None
    held: bool | None = None
    jobs: tuple[JobRow, ...] | None = None
    removed: tuple[int, ...] | None = None
    order: tuple[int, ...] | None = None
    coming: int | None = None
    runs: tuple[RunView, ...] | None = None
    downloads: tuple[DownloadView, ...] | None = None
    results: int | None = None


@dataclass(frozen=True)
class Turn:
    """What one look found changed: jobs, those that are gone, the names of other parts of a Change."""

    number: int
    jobs: frozenset[int]
    removed: frozenset[int]
    parts: frozenset[str]


class Live:
    """The watcher of a desk."""

    def __init__(self, desk: Watched) -> None:
        self.desk = desk
        self.number = 0
        self._lock = threading.RLock()
        self._turns: deque[Turn] = deque(maxlen=MEMORY)
        self._marks: dict[int, Mark] = {}
        self._shown = frozenset[int]()
        self._ids: frozenset[int] | None = None
        self._order: tuple[int, ...] = ()
        self._coming = 0
        self._jobs: dict[int, Job] = {}
        self._seen: dict[int, Seen] = {}
        self._tracks: dict[int, Track] = {}
        self._rows: dict[int, dict[Visitor, JobRow]] = {}
        self._paces: dict[str, Sequence[float]] = {}
        self._parts: dict[str, Any] = {}
        self._texts: dict[tuple[int | None, int, Visitor], str] = {}
        self._waiting: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self._pulse: object = None

    def look(self) -> bool:
        """Look at everything once; whether something changed. Raises StoreError."""
        with self._lock:
            before, parts = self._parts, self._look_around()
            pulse, jobs, removed = self.desk.store.pulse(), frozenset[int](), frozenset[int]()
            if pulse != self._pulse:
                jobs, removed = self._look_at_jobs()
                self._pulse = pulse  # read before them, so that no change is missed
            parts |= {"order": self._order, "coming": self._coming}
            changed = frozenset(name for name, value in parts.items() if before.get(name) != value)
            self._parts = parts
            if not (jobs or removed or changed):
                return False
            self.number += 1
            self._turns.append(Turn(self.number, jobs, removed, changed))
            self._texts.clear()
            return True

    def since(self, number: int | None, visitor: Visitor) -> str:
        """What happened after a number, up to the last look, as JSON; everything where that is not known any more."""
        with self._lock:
            key = (number if self._remembers(number) else None, self.number, visitor)
            if key not in self._texts:
                if len(self._texts) >= TEXTS:
                    self._texts.clear()
                self._texts[key] = self._change(key[0], visitor).model_dump_json(exclude_unset=True)
            return self._texts[key]

    def everything(self, visitor: Visitor) -> Change:
        """What there is as of the last look."""
        with self._lock:
            return self._change(None, visitor)

    def row(self, job: Job, visitor: Visitor) -> JobRow:
        """The row of a job that may not be among those that are watched."""
        with self._lock:
            known = self._jobs.get(job.id)
            if known is not None and known.version == job.version:
                return self._row(job.id, visitor)
        return make_row(
            job, Seen(self.desk.store.paces(job.pace_key), now=self.desk.store.now()), self.desk.refs, visitor
        )

    async def stream(self, visitor: Visitor, last: str = "") -> AsyncIterator[str]:
        """The events for one page, from behind the last that it has, until it leaves or the server ends."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            number = self._number_of(last)
            while not self._ending:
                if self._task is None or self._task.done():  # nobody has looked for a while
                    await asyncio.to_thread(self._try)
                    self._task = asyncio.create_task(self._watch())
                event.clear()
                if number != self.number:
                    number, text = await asyncio.to_thread(self._told, number, visitor)
                    yield f"id: {self._name}-{number}\ndata: {text}\n\n"
                    continue
                try:
                    await asyncio.wait_for(event.wait(), ALIVE)
                except TimeoutError:
                    yield ": here\n\n"
        finally:
            self._waiting.discard(event)

    def end(self) -> None:
        """Let every stream end, as the server does."""
        self._ending = True
        self._wake()

    @property
    def _name(self) -> str:
        """What tells the numbers of this watcher from those of another server."""
        return self.desk.boot[:8]

    def _told(self, number: int | None, visitor: Visitor) -> tuple[int, str]:
        with self._lock:
            return self.number, self.since(number, visitor)

    def _number_of(self, last: str) -> int | None:
        """The number that an event's id stands for, None for one of another server."""
        name, _, number = last.partition("-")
        return int(number) if name == self._name and number.isdecimal() and len(number) < 10 else None

    def _remembers(self, number: int | None) -> bool:
        if number is None or number > self.number:
            return False
        return number == self.number or (bool(self._turns) and self._turns[0].number <= number + 1)

    async def _watch(self) -> None:
        """Look again and again while somebody listens."""
        while self._waiting and not self._ending:
            await asyncio.sleep(PACE)
            if await asyncio.to_thread(self._try):
                self._wake()

    def _try(self) -> bool:
        """Look, and where the store does not answer, another time."""
        try:
            return self.look()
        except EichiError:
            return False

    def _wake(self) -> None:
        for event in tuple(self._waiting):
            event.set()

    def _look_around(self) -> dict[str, Any]:
        """What there is beside jobs."""
        desk, folder = self.desk, self.desk.settings.outputs
        try:
            results = folder.stat().st_mtime_ns // 1000 % 2**52  # a number that a browser can hold
        except OSError:
            results = 0
        return {
            "boot": desk.boot,
            "held": desk.store.held,
            "runs": tuple(run.view for run in desk.bench.runs),
            "downloads": tuple(desk.downloads.views(ENGLISH)),
            "results": results,
        }

    def _look_at_jobs(self) -> tuple[frozenset[int], frozenset[int]]:
        """Read the rows that changed; the numbers of those that are shown, and of those that are gone."""
        before = self._marks
        new = self._new()
        spare = [*(id for id, mark in before.items() if mark.status in OPEN), *new][-SPARE:]
        marks = self.desk.store.marks(Wanted(ACTIVE, COMING, ENDED, spare))
        shown = (*marks.active, *marks.next, *marks.ended)
        seen = {mark.id: mark for mark in (*marks.others, *shown)}
        fresh = {id for id in seen if id not in self._jobs or before[id].version != seen[id].version}
        found = {job.id: job for job in self.desk.store.select(fresh)}
        for id in self._jobs.keys() - seen.keys():
            for kept in (self._jobs, self._seen, self._tracks, self._rows):
                kept.pop(id, None)
        changed = found.keys() | self._retimed(found)
        self._jobs |= found
        for id in changed:
            self._note(self._jobs[id])
        self._marks = {id: mark for id, mark in seen.items() if id not in fresh or id in found}  # gone meanwhile
        self._shown = frozenset(mark.id for mark in shown) & self._marks.keys()
        self._order, self._coming = tuple(mark.id for mark in marks.next if mark.id in self._marks), marks.coming
        return frozenset(changed), self._gone(marks)

    def _new(self) -> list[int]:
        """The first of the jobs that were added since the last look: who added them wants to see them."""
        if self._ids is None:
            self._ids = self.desk.store.numbers()
            return []
        new = self.desk.store.numbers(max(self._ids, default=0))
        self._ids |= new
        return sorted(new)[:NEW]

    def _gone(self, marks: Marks) -> frozenset[int]:
        """The numbers of jobs that are no more, be they shown or not: read where the count says that some are gone."""
        before = self._ids or frozenset()
        if len(before) == marks.total and self._marks.keys() <= before:
            return frozenset()
        self._ids = self.desk.store.numbers()
        return before - self._ids

    def _retimed(self, found: dict[int, Job]) -> set[int]:
        """Jobs to come that will take another time than was told, since one like them has ended."""
        retimed: set[int] = set()
        for key in {job.pace_key for job in found.values() if job.status.terminal or job.pace_key not in self._paces}:
            old, new = self._paces.get(key, ()), self.desk.store.paces(key)
            self._paces[key] = new
            if new and (not old or abs(median(new) / median(old) - 1) > APART):
                waiting = (job for job in self._jobs.values() if job.pace_key == key and job.status in IDLE)
                retimed |= {job.id for job in waiting}
        return retimed - found.keys()

    def _note(self, job: Job) -> None:
        """Note what the row of a job is made of; what was made of it before is old."""
        track = self._tracks.pop(job.id, Track())
        if job.status.active:
            self._tracks[job.id] = track
            track.follow(self.desk.store.events(job.id, track.number))
        self._seen[job.id] = Seen(self._paces[job.pace_key], track, self.desk.store.now())
        self._rows.pop(job.id, None)

    def _change(self, number: int | None, visitor: Visitor) -> Change:
        """What happened after a number that is remembered, or everything."""
        if number is None:
            jobs, values = self._shown, dict(self._parts)
        else:
            turns = [turn for turn in self._turns if turn.number > number]
            jobs = frozenset[int]().union(*(turn.jobs for turn in turns)) & self._jobs.keys()
            removed = frozenset[int]().union(*(turn.removed for turn in turns)) - self._marks.keys()
            names = frozenset[str]().union(*(turn.parts for turn in turns))
            values = {name: value for name, value in self._parts.items() if name in names}
            values |= {"removed": tuple(sorted(removed))} if removed else {}
        if "downloads" in values:  # looked at in one language, told in theirs
            views = self.desk.downloads.views(visitor.language)
            values["downloads"] = tuple(self.desk.refs.seen(view, visitor) for view in views)
        if "runs" in values:
            values["runs"] = tuple(self.desk.refs.seen(run, visitor) for run in values["runs"])
        if jobs or number is None:
            values["jobs"] = tuple(self._row(id, visitor) for id in sorted(jobs))
        return Change(full=number is None, **values)

    def _row(self, id: int, visitor: Visitor) -> JobRow:
        made = self._rows.setdefault(id, {})
        if visitor not in made:
            made[visitor] = make_row(self._jobs[id], self._seen[id], self.desk.refs, visitor)
        return made[visitor]
