"""A crowd of workers that only pretend, at a real store: they look, take, report, end and die as real ones do.

They ask of the store what `jobs.worker` asks. Jobs are really taken and really ended; of what is told meanwhile some is
really written, and signs of life are for all at once. A worker that dies leaves its job to the lease, and another one
comes after a while. What is on disk of a job is known here.
"""

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import sqlalchemy as sa

from benchmarks.scale.clock import Clock, Life
from benchmarks.scale.load import CARDS, MODELS, SIDE, STEPS, times
from eichi.events import Event, Finished, Preparing, SectionDone, Started, Step, dump
from eichi.jobs.nodes import WorkerView
from eichi.jobs.runner import BEAT
from eichi.jobs.schema import Draft, Job, jobs, workers
from eichi.jobs.store import Lost, Store
from eichi.jobs.view import ACTIVE, Status
from eichi.jobs.worker import IDLE

READ = 100  # reports while a model is read
LOOK = 1.0  # seconds in which workers that look for jobs of dead ones see the same
REPLACED = 30.0  # seconds until another worker is there in the place of one that died
HOUR = 3600.0
NODE = 8  # cards of a machine
VARIES = 0.05  # by how much a step varies


@dataclass
class Made:
    """What came of it, in seconds of the workers."""

    useful: float = 0.0  # steps and decoding that are in a video
    lost: float = 0.0  # the same of sections that were begun and not finished
    loading: float = 0.0
    done: int = 0
    failed: int = 0  # their workers died too often
    stolen: int = 0  # from workers that lived
    deaths: int = 0
    waited: list[float] = field(default_factory=list)  # of jobs, until they were begun


class Died(Exception):
    """A worker ends without a word."""


class Crowd:
    """So many workers at a store; each dies `deaths` times in an hour in the mean.

    Where they are `sorting`, a worker says which model it has in memory when it asks for a job. So many jobs are
    `waiting` in the beginning.
    """

    def __init__(
        self, store: Store, clock: Clock, size: int, deaths: float, seed: int, sorting: bool, waiting: int
    ) -> None:
        self.store, self.clock, self.deaths, self.sorting = store, clock, deaths, sorting
        self.chance = random.Random(seed)
        self.cards = [CARDS[number % len(CARDS)] for number in range(size)]
        self.made = Made()
        self.sections: dict[int, int] = {}
        self.gone: list[str] = []
        self.names = count()
        self.waiting = waiting
        self._looked = 0.0

    def start(self) -> None:
        """All of them, within the seconds of a look."""
        for place in range(len(self.cards)):
            self.clock.start(self._stand(place), self.chance.uniform(0, IDLE))
            self.clock.start(self._tell(), self.chance.uniform(0, BEAT))

    def arrive(self, drafts: Sequence[Draft], rate: float) -> None:
        """Jobs that are asked for one by one, `rate` a second in the mean, without an end."""
        self.clock.start(self._arrive(drafts, rate))

    def _arrive(self, drafts: Sequence[Draft], rate: float) -> Life:
        for number in count():
            yield self.chance.expovariate(rate)
            asked = drafts[number % len(drafts) :][:1]
            yield from self.clock.call("add", partial(self.store.add, asked))
            self.waiting += 1

    def look(self) -> Life:
        """What a worker looks for between jobs: jobs without a worker, and the other workers."""
        if self.deaths and self.clock.now >= self._looked + LOOK:
            self._looked = self.clock.now
            found = yield from self.clock.call("recover", self.store.recover, self._beat)
            self.waiting += sum(job.status == Status.WAITING for job in found)
            self.made.failed += sum(job.status == Status.FAILED for job in found)
        else:
            yield from self.clock.like("recover", self.store.recover, self._beat)
        yield from self.clock.like("workers", self.store.workers, self._beat)

    def _stand(self, place: int) -> Life:
        """A place for workers: one after another."""
        while True:
            worker = Pretender(self, place)
            try:
                yield from worker.live()
            except Died:
                self.made.deaths += 1
                self.gone.append(worker.runner)
            yield REPLACED

    def _tell(self) -> Life:
        """What a worker's signs of life cost."""
        while True:
            yield from self.clock.like("beat", partial(self.store.beat, "node/0/0/0"))
            yield BEAT

    def _beat(self) -> None:
        """Signs of life of all who live, written at once before somebody looks for them."""
        now = {"beat": self.clock.now}
        with self.store.writing() as connection:
            mine = jobs.c.status.in_(ACTIVE) & jobs.c.runner.not_in(self.gone)
            connection.execute(sa.update(jobs).where(mine).values(now))
            connection.execute(sa.update(workers).where(workers.c.runner.not_in(self.gone)).values(now))


class Pretender:
    """One worker, from its start to its death."""

    def __init__(self, crowd: Crowd, place: int) -> None:
        self.crowd, self.place, self.card = crowd, place, crowd.cards[place]
        self.store, self.clock, self.made = crowd.store, crowd.clock, crowd.made
        self.runner = f"node{place // NODE}/{next(crowd.names)}/0/0"
        self.holds: str | None = None
        rate = crowd.deaths / HOUR
        self.end = self.clock.now + crowd.chance.expovariate(rate) if rate else float("inf")

    def live(self) -> Life:
        """Join, and take one job after another. Raises Died."""
        node, _, _ = self.runner.partition("/")
        models = dict.fromkeys(MODELS, "0" * 16)
        view = WorkerView(
            runner=self.runner, node=node, device=f"cuda:{self.place % NODE}", card=self.card, models=models
        )
        yield from self.clock.call("join", partial(self.store.join, view))
        looked = 0.0
        while True:
            self._last()
            if self.clock.now >= looked + BEAT:
                yield from self.crowd.look()
                looked = self.clock.now
            held = self.holds if self.crowd.sorting else None
            if not self.crowd.waiting:
                yield from self.clock.like("nothing", partial(self.store.waits, MODELS))
                yield IDLE
                continue
            job = yield from self.clock.call("claim", partial(self.store.claim, self.runner, MODELS, held))
            if job is None:
                self.crowd.waiting = 0
                continue
            self.crowd.waiting -= 1
            try:
                yield from self._run(job)
            except Lost:  # it was silent for too long
                self.made.stolen += 1

    def _run(self, job: Job) -> Life:
        """One job, from the last section that is on disk. Raises Died, Lost."""
        if job.attempts == 1 and job.id not in self.crowd.sections:
            self.made.waited.append(self.clock.now - job.created)
        made = self.crowd.sections.pop(job.id, 0)
        yield from self._tell(job, checkpoint=f"outputs/.{job.id}.parts")
        yield from self._load(job)
        sections = job.plan.sections
        frames = 36 * sections + 1
        yield from self._tell(job, Started(job.plan.model, 1, self.card, SIDE, SIDE, frames, 1.0, sections))
        for order in range(made, sections):
            yield from self._section(job, order)
            self.crowd.sections[job.id] = order + 1
            done = SectionDone(order, order, sections, STEPS, 0)
            if self.crowd.deaths:  # then it counts how often a job has lost its worker since
                yield from self.clock.call("event", partial(self.store.record, job, done))
            else:
                yield from self._tell(job, done)
        last = Finished("a.mp4", "a.png", 1, frames, 1.0, sections)
        yield from self.clock.call("end", partial(self.store.end, job, Status.DONE, last, result=dump(last)))
        del self.crowd.sections[job.id]
        self.made.done += 1

    def _load(self, job: Job) -> Life:
        """Read the model unless it is there."""
        if self.holds == job.plan.model:
            return
        seconds = times(self.card).model
        for part in range(READ):
            yield from self._tell(job, Preparing("transformer", part, READ))
            yield seconds / READ
            self.made.loading += seconds / READ
            self._last()
        self.holds = job.plan.model

    def _section(self, job: Job, order: int) -> Life:
        """Draw a section, step by step, and decode it."""
        own, begun = times(self.card), 0.0
        varied = own.step * self.crowd.chance.uniform(1 - VARIES, 1 + VARIES)
        for step in range(STEPS + 1):
            seconds = varied if step < STEPS else own.rest
            yield seconds
            begun += seconds
            self.made.useful += seconds
            if self.clock.now >= self.end:
                self.made.useful -= begun
                self.made.lost += begun
            self._last()
            if step < STEPS:
                yield from self._tell(job, Step(order, job.plan.sections, step + 1, STEPS))

    def _tell(self, job: Job, event: Event | None = None, **values: str) -> Life:
        """What happened. It changes nothing for anybody else; whether the job is lost shows in the end."""

        def told() -> None:
            with suppress(Lost):
                self.store.record(job, event, **values)

        yield from self.clock.like("report" if isinstance(event, Step | Preparing) else "event", told)

    def _last(self) -> None:
        """Raises Died where the time has come."""
        if self.clock.now >= self.end:
            raise Died
