"""The worker: takes jobs from the store, one after another, and runs them. The only place that owns a model.

A process for each device, started by an executor: `python -m eichi.jobs.worker`. It tells its parent the numbers of
the jobs it takes, a line each, or that another worker has the device, and leaves when its parent closes its input,
whether it meant to or died: the job it has then waits for the next worker, which goes on from the checkpoint.
Everything else goes through the store. The row is read again with every event that is written, so what is asked of a
job is seen between two steps.

The model stays in memory as long as the next job has the same one and comes within minutes. Whatever an error was, the
next job begins anew.
"""

import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from PIL import Image

from eichi.catalog import PARTS, Entry, find
from eichi.console import console
from eichi.errors import DiskError, EichiError, InputError, OptionError, RunError, StoreError
from eichi.events import (
    Adjusted,
    Event,
    Failed,
    Finished,
    Flagged,
    FrameFinished,
    LatentsReady,
    Preview,
    SectionDone,
    Step,
    Stopped,
    dump,
)
from eichi.files import aside
from eichi.jobs.again import with_ahead
from eichi.jobs.chains import begin, follow_up
from eichi.jobs.devices import Devices, device_name, locked, take
from eichi.jobs.elsewhere import already, finished
from eichi.jobs.freight import Freight
from eichi.jobs.listener import Listener
from eichi.jobs.member import Member
from eichi.jobs.places import open_place
from eichi.jobs.regular import regularly
from eichi.jobs.runner import BEAT, new_runner
from eichi.jobs.schema import ELSEWHERE, Job
from eichi.jobs.segments import segments_of
from eichi.jobs.store import Lost, Store
from eichi.jobs.view import Ask, Status
from eichi.lines import done, in_terminal, line
from eichi.logs import OURS, logging_to
from eichi.models.load import Components
from eichi.models.prints import weights_prints
from eichi.options import FinishOptions, FrameOptions, VideoOptions
from eichi.pace import Pace
from eichi.pipeline.checkpoint import Checkpoint, new_checkpoint
from eichi.pipeline.generate import generate
from eichi.pipeline.job import Stop
from eichi.pipeline.oneframe import generate_frame
from eichi.plan.ahead import overtaken, plan_ahead, same_ahead
from eichi.plan.plan import Plan
from eichi.prepare import make_frame_plan, make_plan
from eichi.settings import Settings, load_settings

log = logging.getLogger(f"{OURS}.worker")  # the module itself has no name where it is the program

IDLE = 0.5  # seconds between two looks for a job
AGAIN = 5.0  # seconds between two tries to reach a store that does not answer
REST = 300.0  # seconds without a job after which the model's memory and the device are given back
GLANCE = 0.4  # seconds between two previews
DRAIN = "--drain"
CHANGED = "error.resume.changed"  # what says that a job cannot be gone on with here
FAILED = 1  # the code that says that there was nothing to work with

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class Worker:
    """Runs the jobs of a store on this machine's device until `leaving` is set.

    `taken` hears the number of each, and ELSEWHERE where jobs wait and another worker has the device. Workers that are
    to share a device have a `number` each.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        leaving: threading.Event,
        taken: Callable[[int], object] = lambda id: None,
        number: int = 1,
        settings_now: Callable[[], Settings] | None = None,
    ) -> None:
        self.store = store
        self.settings = settings
        self.settings_now = settings_now
        self.leaving = leaving
        self.taken = taken
        self.number = number
        self.rest, self.again = REST, AGAIN
        self.runner = new_runner()
        place = open_place(settings.place, store)
        self.freight = Freight(settings, place)
        self.member = self._member()
        self._returned: dict[int, float] = {}  # jobs that it gave back, and when
        self._looked = -math.inf
        self._components: Components | None = None
        self._weights: dict[str, str] = {}
        self._prints: dict[str, str] = {}  # the same for any machine
        self._owing = False  # whether what is made of a job is here alone
        self._preview = Path()
        self._shown = 0.0

    def work(self, drain: bool = False) -> None:
        """Run what waits and wait for more; with `drain`, only run what waits. Raises FolderError.

        Of several workers for one device one works, and the next takes over where it leaves or dies: two models would
        not fit beside each other.
        """
        self.member, self._looked = self._member(), -math.inf
        with locked(self.settings, self.number) as device, suppress(StoreError):  # it leaves before that answers
            self._sure(self.member.join)
            self._sure(self.freight.tidy, self.store)
            with self._beating():
                self._take(device, drain)

    def _member(self) -> Member:
        """This worker among the others of the store."""
        name = device_name(self.settings, self.number)
        return Member(self.store, self.settings, self.runner, name, shared=self.freight.place is not None)

    def _take(self, device: Devices, drain: bool) -> None:
        """Take the jobs that wait. Raises StoreError."""
        rested, told = time.monotonic(), False
        while not self.leaving.is_set():
            self._sure(self._look)
            member, without = self.member, tuple(self._returned)
            waits = device.is_locked or self._sure(self.store.waits, member.models, without)
            mine = waits and take(device)
            if mine:
                self._renew()
            what = self.runner, member.models, member.view.holds, without
            job = self._sure(self.store.claim, *what) if mine else None
            if job is not None:
                self.taken(job.id)
                self.run(job)
                rested = time.monotonic()
                continue
            if drain and (mine or not waits or self._sure(lambda: self.store.held)):
                return
            if waits and not mine and not told:
                self.taken(ELSEWHERE)
                told = True
            if mine and time.monotonic() > rested + self.rest:
                self._drop()
                device.release()
            self.leaving.wait(IDLE)

    def _renew(self) -> None:
        """Go on with settings that were changed since the job before; the model is loaded by them, too."""
        try:
            settings = self.settings if self.settings_now is None else self.settings_now()
        except EichiError as error:  # damaged, perhaps for this moment: those before are still good
            log.warning("%s", in_terminal(error, self.settings.language))
            return
        if settings != self.settings:
            self.settings = self.member.settings = self.freight.settings = settings
            self._drop()

    def _look(self) -> None:
        """Find jobs whose worker died, and what may be taken, every now and then. Raises StoreError."""
        now = time.monotonic()
        if now < self._looked + BEAT:
            return
        self._renew()
        self.store.recover()
        self.member.look()
        self._looked = now
        self._returned = {job: when for job, when in self._returned.items() if now < when + REST}

    def run(self, job: Job) -> None:
        """Run a job that was claimed, whatever comes of it. Raises StoreError where the worker is to leave."""
        try:
            job.check()
            self._follow(job)
        except Lost:
            log.warning("job %d was taken over or removed", job.id)
        except StoreError:
            raise
        except EichiError as error:
            if error.id == CHANGED and not self._sure(self.member.alone, job.model):
                self._return(job, error)
            else:
                self._fail(job, error)
        except Exception as error:
            log.exception("job %d", job.id)
            self._fail(job, RunError("error.job.crashed", reason=error))

    def _follow(self, job: Job) -> None:
        """Keep what a job says, and do what is asked of it between two events. One that is finished is not run."""
        last = finished(self.freight.here(job))
        there = self._sure(self.freight.deliver, job, last) if last else self._sure(self.freight.delivered, job)
        if isinstance(there, Finished | FrameFinished):
            self._note(job, word := already(there))
            self._sure(self.store.record, job, word)
            self._chain(job, last, there)
            self.freight.leave(job)
            self._sure(self.store.end, job, Status.DONE, there, result=dump(there))
            self._sure(self.freight.over, job, there)
            return
        listener, pace = Listener(job), Pace()
        going: Job | None = job
        while going is not None:
            going = self._run(going, listener, pace)

    def _run(self, job: Job, listener: Listener, pace: Pace) -> Job | None:
        """Run a job until it ends, or until it is to go on with other prompts and pictures: its row then."""
        job, started = self._start(job, listener.stop)
        with closing(started) as events:
            for event in events:
                pace.take(event)
                self._note(job, event)
                if isinstance(event, Finished | FrameFinished | Stopped):
                    self._end(job, event, pace)
                    return None
                if isinstance(event, LatentsReady):
                    continue  # latents stay in the process that made them
                if isinstance(event, Preview):
                    self._show(job, event)
                    continue  # the newest is a file beside the job's; the store is not for pictures
                row = self._sure(self.store.record, job, event)
                listener.heard(event, row)
                if listener.ask == Ask.PAUSE or self.leaving.is_set():
                    # What a crash would leave is enough to go on, so the job is abandoned as a crash would.
                    break
                if isinstance(event, SectionDone) and job.kind == VideoOptions.kind:
                    self._send(job)
                    if event.order + 1 < event.sections and _changed(job, row):
                        return row  # abandoned, too, and gone on with at once
        self._give_up(job)
        self._sure(self.store.end, job, Status.HELD if listener.ask == Ask.PAUSE else Status.WAITING, attempts=0)
        return None

    def _end(self, job: Job, event: Finished | FrameFinished | Stopped, pace: Pace) -> None:
        """Give a job back with its last event. What was asked for after its last section was begun is forgotten."""
        status = Status.STOPPED if isinstance(event, Stopped) else Status.DONE
        made: dict[str, Any] = {"request": job.request} if status == Status.DONE else {}
        told = self._sure(self.freight.deliver, job, event)
        self._chain(job, event, told)
        self._give_up(job)
        self._sure(self.store.end, job, status, told, result=dump(told), pace=pace.section, **made)
        self._sure(self.freight.over, job, told)

    def _start(self, job: Job, stop: Stop) -> tuple[Job, Generator[Event, None, None]]:
        """A job as it is run, and its events; it goes on from its checkpoint where there is one."""
        asked = job.options
        if isinstance(asked, FinishOptions):
            return self._start_chain(job, stop)
        entry = find(asked.model)
        components = self._load(entry)
        self._sure(self.freight.fetch, job, self._prints, self._weights)
        here = self.freight.here(job)
        folder, options = Path(here.folder), here.options
        assert not isinstance(options, FinishOptions), "a chain has begun"
        self._sure(self.member.holds, job.model)
        if isinstance(options, FrameOptions):
            frame = make_frame_plan(options, self.settings.model_folders, entry)
            return job, _generator(generate_frame(frame, folder, components, stop))
        checkpoint = None if here.checkpoint is None else Checkpoint(Path(here.checkpoint))
        if checkpoint is not None and checkpoint.begun:
            job, plan = self._ahead(job, checkpoint, options)
        else:
            plan = make_plan(options, self.settings.model_folders, entry)
        if checkpoint is None:
            checkpoint = new_checkpoint(folder)
            place = self.freight.path(job, checkpoint.folder)
            job = replace(job, checkpoint=self._sure(self.store.record, job, checkpoint=place).checkpoint)
        self._preview, self._shown = checkpoint.preview, -GLANCE  # each job shows its first at once
        return job, _generator(generate(plan, folder, components, stop, checkpoint, 1, retire=True))

    def _start_chain(self, job: Job, stop: Stop) -> tuple[Job, Generator[Event, None, None]]:
        """The same of a video that is finished: no model is needed, and none is to lie beside an upscaler."""
        self._sure(self.freight.fetch, job, {}, {})
        self._sure(self.freight.bring_home, job)
        plan, place, events = begin(self.freight.here(job), self.settings, stop, self._drop)
        if segments := segments_of(self.freight, job):
            self._sure(segments.fetch, plan, place)
            events = segments.sending(events, plan, place, self.settings.language)
        if job.checkpoint is None:
            checkpoint = self.freight.path(job, place.folder)
            job = replace(job, checkpoint=self._sure(self.store.record, job, checkpoint=checkpoint).checkpoint)
        return job, _generator(events)

    def _chain(self, job: Job, made: Event | None, told: Event | None) -> None:
        """Add the job of the chain that a video's request asks for, once for each video."""
        if not isinstance(made, Finished) or not isinstance(told, Finished):
            return
        try:
            found = follow_up(job, made, told, self.settings, lambda asked: self._sure(self.freight.inputs, asked))
        except (InputError, DiskError) as error:
            left = Adjusted("note.finish.failed", {"reason": error.id, **error.plain})
            self._note(job, left)
            self._sure(self.store.record, job, left)
            return
        if found is not None:
            mark = sha256(f"finish\0{job.id}\0{told.video}".encode("utf-8", "replace")).hexdigest()
            self._sure(self.store.add, [found], job.priority, job.batch, mark, job.owner)

    def _ahead(self, job: Job, checkpoint: Checkpoint, wished: VideoOptions) -> tuple[Job, Plan]:
        """The plan by which a job goes on, and the job with it: sections that are not made yet are as wished by now."""
        plan = checkpoint.located(self.settings.loras)
        if same_ahead(plan.options, wished):
            return job, plan
        made = checkpoint.settled
        for number, _ in overtaken(plan, wished, made):
            late = Adjusted("note.ahead.late", {"number": number})
            self._note(job, late)
            self._sure(self.store.record, job, late)
        plan = plan_ahead(plan, wished, made)
        options = self.freight.options(job, plan.options)
        return self._sure(self.store.record, job, request=with_ahead(job.request, options)), plan

    def _send(self, job: Job) -> None:
        """Let others go on from what is made by now. Where it cannot be sent, it goes with the next section."""
        try:
            self.freight.send(job, self._prints)
            self._owing = False
        except StoreError as error:
            self._owing = True
            log.warning("#%d %s", job.id, in_terminal(error, self.settings.language))

    def _give_up(self, job: Job) -> None:
        """Give back the space of a job of another machine, before somebody else here may get it."""
        if not self._owing:
            self.freight.leave(job)

    def _return(self, job: Job, error: EichiError) -> None:
        """Leave a job to another worker that can go on with it; this one looks at it again in a while."""
        self._returned[job.id] = time.monotonic()
        left = Adjusted("note.job.returned", {"node": self.member.view.node, "what": error.plain["what"]})
        self._note(job, left)
        with suppress(Lost):
            self._sure(self.store.record, job, left)
            self.freight.leave(job)
            self._sure(self.store.end, job, Status.WAITING, attempts=max(0, job.attempts - 1))

    def _note(self, job: Job, event: Event) -> None:
        """What an event says goes into the log; steps only where everything is wanted."""
        text = line(event, self.settings.language) or done(event, self.settings.language)
        if text is not None:
            log.log(logging.WARNING if isinstance(event, Adjusted | Flagged) else logging.INFO, "#%d %s", job.id, text)
        elif isinstance(event, Step):
            log.debug("#%d %s", job.id, event)

    def _show(self, job: Job, event: Preview) -> None:
        """Keep the newest preview, a few times a second at the most: the pictures of a section side by side."""
        now = time.monotonic()
        if now < self._shown + GLANCE:
            return
        self._shown = now
        # A look at the work is not worth the work.
        with suppress(OSError), aside(self._preview, lasting=False) as draft:
            Image.fromarray(np.concatenate(list(event.pixels), axis=1)).save(draft, format="PNG")
        self.freight.show(job, self._preview)

    def _load(self, entry: Entry) -> Components:
        """The parts of a model: those in memory where they are the same, files included."""
        components = Components(entry, self.settings.runtime)
        weights = components.fingerprint
        if self._components is None or self._components.entry != entry or self._weights != weights:
            self._drop()
            self._components, self._weights = components, weights
            self._prints = weights_prints(components.folders) if self.freight.place is not None else {}
        return self._components

    def _drop(self) -> None:
        """Give the model's memory back."""
        if self._components is not None:
            self._components.release(*PARTS)
            self._components = None
            with suppress(StoreError):
                self.member.holds(None)

    def _fail(self, job: Job, error: EichiError) -> None:
        self._drop()
        log.error("#%d %s", job.id, in_terminal(error, self.settings.language))
        told = Failed(error.id, error.plain)
        self._give_up(job)
        try:
            self._sure(self.store.end, job, Status.FAILED, told, error={"id": told.id, "values": told.values})
        except Lost:
            log.warning("job %d was taken over or removed", job.id)

    def _sure(self, call: Callable[Given, Answer], *given: Given.args, **named: Given.kwargs) -> Answer:
        """What a call of the store gives, tried again until the store answers: a full disk is no fault of a job.

        Raises StoreError where the worker is to leave meanwhile.
        """
        told = ""
        while True:
            try:
                return call(*given, **named)
            except StoreError as error:
                if (sentence := in_terminal(error, self.settings.language)) != told:
                    log.error("%s", sentence)
                told = sentence
                if self.leaving.wait(self.again):
                    raise

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Signs of life, also while weights are loaded or a step takes minutes."""

        def beat() -> None:
            with suppress(StoreError):  # whoever runs the job says so
                self.member.beat()

        try:
            with regularly(beat, BEAT, "beat"):
                yield
        finally:
            with suppress(StoreError):  # who is silent for long counts as gone
                self.store.leave(self.runner)


def _changed(job: Job, row: Job) -> bool:
    """Whether other prompts or pictures are asked for than those that a job is run with, and nothing else is."""
    if row.ask is not None or row.request == job.request:
        return False
    with suppress(OptionError):  # what a damaged row asks for is nothing
        asked, wished = job.options, row.options
        return isinstance(asked, VideoOptions) and isinstance(wished, VideoOptions) and not same_ahead(asked, wished)
    return False


def _generator(events: Iterator[Event]) -> Generator[Event, None, None]:
    """The pipeline's events as what they are: a generator, which can be closed."""
    assert isinstance(events, Generator)
    return events


def main() -> None:
    """The process of a worker; the parent holds the other end of its input and of its output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which decides
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, signal.SIG_IGN)  # Ctrl-Break does, too
    leaving = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: leaving.set())
    threading.Thread(target=_wait_for_parent, args=(leaving,), daemon=True).start()
    # Libraries may print what they like; the parent reads numbers.
    with console(), os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8") as parent:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        settings = load_settings()
        number = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 1)
        with logging_to(settings, f"worker-{device_name(settings, number)}"):
            try:
                with Store(settings.store) as store:
                    worker = Worker(store, settings, leaving, lambda id: parent.write(f"{id}\n"), number, load_settings)
                    worker.work(DRAIN in sys.argv)
            except EichiError as error:  # the store cannot be opened, the device not taken; the parent tells who waits
                log.error("%s", in_terminal(error, settings.language))
                sys.exit(FAILED)


def _wait_for_parent(leaving: threading.Event) -> None:
    sys.stdin.read()
    leaving.set()


if __name__ == "__main__":
    main()
