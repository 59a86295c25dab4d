"""The queue: what people do with jobs. One call for every button, from any process.

Who has the higher priority is first, then who has the earlier place. Jobs that run are asked, and their workers answer
when they see it; everything else is done at once. What cannot be done in a job's state is refused, naming the state.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

from eichi.catalog import ModelFolders
from eichi.errors import FolderError, InputError, OptionError, StoreError
from eichi.events import FrameFinished
from eichi.files import remove
from eichi.jobs.again import Source, branched, edited, laid, needed, planned, redone, source_of, with_ahead
from eichi.jobs.draft import BatchForecast, anchored, draft, forecast
from eichi.jobs.elsewhere import finished, settle
from eichi.jobs.freight import Freight
from eichi.jobs.schema import Draft, Job
from eichi.jobs.store import Store, refused
from eichi.jobs.view import IDLE, Action, Ask, Button, Figures, JobSection, Status, first_ahead, possible, states
from eichi.library.wildcards import drawn_request
from eichi.options import FrameOptions, Queued, VideoOptions
from eichi.plan.ahead import check_made, check_settled, plan_ahead
from eichi.plan.plan import Plan
from eichi.prepare import cut_notes, make_plan
from eichi.video.images import load
from eichi.video.jobfolder import JobFolder
from eichi.video.sectionfolder import LEFT, Leavings

log = logging.getLogger(__name__)


class Queue:
    """The jobs of a store in their order. `models` is where the models of this machine are, `freight` what brings files
    to where other machines find them, `quota` how many jobs of one owner may be to come, 0 for any number, `lists` the
    folder of what wildcards are drawn from, `cache` one for what is found out about files.
    """

    def __init__(
        self,
        store: Store,
        models: ModelFolders,
        freight: Freight | None = None,
        quota: int = 0,
        lists: Path | None = None,
        cache: Path | None = None,
    ) -> None:
        self.store = store
        self.models = models
        self.freight = freight
        self.quota = quota
        self.lists = lists
        self.cache = cache

    def prepare(self, requests: Sequence[Queued], folder: Path) -> tuple[list[Draft], BatchForecast]:
        """Jobs for requests, before they are added, and what they come to. Raises InputError for the first bad one."""
        offered = self.offered()
        drafts = [draft(options, folder, self.models, offered, self.lists, self.cache) for options in requests]
        return drafts, forecast(drafts, self.store.paces)

    def add(self, drafts: Sequence[Draft], priority: int = 0, once: str | None = None, owner: str = "") -> list[Job]:
        """Put jobs at the end of those with their priority; several at once become a batch. With `once` only once.

        `owner` is the name of who asks for them. Raises InputError for more than may be to come.
        """
        packed = drafts if self.freight is None else [self.freight.pack(one) for one in drafts]
        batch = uuid4().hex[:12] if len(drafts) > 1 else None
        added = self.store.add(packed, priority, batch, once, owner, self.quota)
        if self.freight is not None:
            self.freight.assure(packed)
        return added

    def waiting(self) -> list[Job]:
        """Who is still to come, in order, with those that are held."""
        return self.store.jobs(IDLE)

    def move(self, id: int, to: int | None = None, priority: int | None = None) -> Job:
        """Give a job another priority, and the place `to`, from 1, among the jobs to come that have the same."""
        job = self._change(id, states(Action.UP), **({} if priority is None else {"priority": priority}))
        return job if to is None else self.store.place(id, to)

    def edit(self, id: int, values: Mapping[str, Any]) -> Job:
        """Change options by their dotted keys; of a job that is begun, prompts and pictures of sections to come."""
        job = self._whole(id)
        options = type(job.options).parse(edited(job.request, values))
        if isinstance(options, VideoOptions) and (job.begun or job.status.active):
            return self.ahead(id, options)
        return self.change(id, options)

    def change(self, id: int, options: Queued) -> Job:
        """Give a job another request of its kind, in its place, while nothing of it is made yet."""
        job = self._whole(id)
        if job.begun or finished(job) is not None:
            raise InputError("error.job.begun", job=id)
        made = draft(options, Path(job.folder), self.models, self.offered(), self.lists, self.cache)
        plan = made.plan.model_dump(mode="json")
        values = {"request": made.request, "plan": plan, "pace_key": made.pace_key, "model": made.model}
        return self._change(id, states(Action.EDIT), **values, **self._inputs(job, options))

    def ahead(self, id: int, options: VideoOptions) -> Job:
        """Give a job that is begun other prompts and pictures for the sections that are not made yet.

        One that runs takes them when the section is finished that it draws. What is made stays, and the request says
        what it was made with. Raises InputError for what cannot be changed any more, naming it.
        """
        job = self._whole(id)
        if job.status not in states(Action.AHEAD):
            raise refused(job, states(Action.AHEAD))
        if not (job.begun or job.status.active):
            return self.change(id, options)
        asked, wished = job.options, anchored(options)
        nothing = not (job.made or job.status.active)
        if nothing or not isinstance(asked, VideoOptions) or not isinstance(wished, VideoOptions):
            raise InputError("error.job.begun", job=id)
        check_settled(asked, wished)
        before, first = self._plan(job), first_ahead(job)
        if first >= len(before.sections):
            raise InputError("error.ahead.over", job=id)
        wished = drawn_request(wished.model_copy(update={"seed": before.seed}), self.lists)
        check_made(before, wished, first)
        plan = plan_ahead(before, wished, first)
        for path in set(plan.files) - set(before.files):
            load(path)
        about = [note for note in job.plan.notes if note.id.startswith("note.lora.")]
        notes = (*plan.notes, *cut_notes(plan.entry, plan.texts, self.models), *about)
        figures = Figures.of(replace(plan, notes=notes)).model_dump(mode="json")
        values = {"request": with_ahead(job.request, plan.options), "plan": figures}
        return self._change(id, states(Action.AHEAD), **values, **self._inputs(job, plan.options))

    def laid(self, id: int, values: Mapping[str, Any]) -> VideoOptions:
        """The request of a job with the options that nested values give, tables and lists as a whole."""
        return VideoOptions.parse(laid(self._whole(id).request, values))

    def sections(self, id: int) -> tuple[JobSection, ...]:
        """The sections of a job, in the order of generation. Raises InputError."""
        job = self._whole(id)
        if job.kind == FrameOptions.kind:
            return ()
        whole = job.status == Status.DONE
        plan = source_of(job, self.models).plan if whole and job.made else self._plan(job)
        actions, first = possible(job), first_ahead(job)
        return tuple(
            JobSection(
                **{name: getattr(one, name) for name in ("number", "order", "start_frame", "end_frame", "prompt")},
                made=whole or one.order < job.made,
                redo=one.order < job.made,
                ahead=Action.AHEAD in actions and one.order >= first,
            )
            for one in plan.sections
        )

    def redo(
        self, id: int, number: int, seed: int | None = None, prompt: str | None = None, picture: Path | None = None
    ) -> Job:
        """Add a job that makes a section of one again, by its number, and what was made after it; what was made before
        is taken over. Without another seed, prompt or picture the seed is drawn. Raises InputError.
        """
        source = source_of(self._whole(id), self.models)
        return self._built(source, redone(source, number, seed, prompt, picture))

    def branch(self, id: int, order: int, values: Mapping[str, Any]) -> Job:
        """Add a job that begins with the sections of one that were made first, `order` of them, and goes on with other
        options: those that nested values give. Raises InputError.
        """
        source = source_of(self._whole(id), self.models)
        return self._built(source, branched(source, order, values))

    def clone(self, id: int) -> Job:
        """The same request again, at the end of the queue."""
        job = self._whole(id)
        made = draft(job.options, Path(job.folder), self.models, self.offered(), self.lists)
        return self.add([made], job.priority, owner=job.owner)[0]

    def hold(self, id: int) -> Job:
        """Let a job wait until it is resumed. One that runs is paused, and goes on from where it is."""
        return self._leave(id, Action.HOLD, Ask.PAUSE, Status.HELD)

    def resume(self, id: int) -> Job:
        """Let a job that was held, stopped or has failed wait for a worker; it goes on from what is made of it.

        One that somebody has finished meanwhile is done, and its events say so.
        """
        job = self._whole(id)
        if job.status in states(Action.RESUME) and (last := finished(job)) is not None:
            return settle(self.store, job, last)
        return self._again(id, states(Action.RESUME))

    def retry(self, id: int) -> Job:
        """Make a job that has ended again from the beginning.

        One that has left a result keeps it, and a new job is made like it, so that nothing that was made is lost.
        """
        job = self._whole(id)
        if job.status in states(Action.RETRY):
            if results(job):
                return self.clone(id)
            _discard(job)
            self._unload(job)
        return self._again(id, states(Action.RETRY), checkpoint=None)

    def skip(self, id: int) -> Job:
        """Do without a job: one that runs is stopped now, one that is to come is not made."""
        return self._leave(id, Action.SKIP, Ask.NOW, Status.STOPPED)

    def stop(self, id: int, how: Ask = Ask.NOW) -> Job:
        """Ask the worker of a job that runs to stop; what is finished then is kept as a video."""
        return self._change(id, states(Action.STOP), status=Status.STOPPING, ask=how)

    def remove(self, id: int, files: bool = False) -> list[Path]:
        """Forget a job that does not run, with what is needed to go on with it. Returns the results deleted."""
        job = self.store.job(id)
        self.store.remove(id)
        self._unload(job)
        gone = _clear(job, files)
        self._part(job)
        return gone

    def bin(self, id: int, files: bool = False) -> list[Path]:
        """Put a job that does not run into the bin, and with it what it has left. Returns those results."""
        found = results(self.store.job(id)) if files else []
        self.store.bin(id, files)
        return found

    def clear(self) -> list[int]:
        """Put every job into the bin that waits and of which nothing is made yet. Returns their numbers."""
        gone = self.store.bin_new()
        for job in self.store.jobs((Status.WAITING,)):
            if not job.begun:
                with suppress(InputError):  # a worker took it meanwhile
                    self.store.bin(job.id)
                    gone.append(job.id)
        return gone

    def purge(self, before: float) -> None:
        """Remove for good what was put into the bin before a time."""
        for job in self.store.binned():
            if job.binned is not None and job.binned < before:
                self.store.remove(job.id)
                self._unload(job)
                try:
                    _clear(job, bool(job.binned_files))
                except FolderError as error:
                    log.warning("#%d %s", job.id, error)
                self._part(job)

    def act(self, id: int, action: Action) -> Job:
        """Do what a button says. Raises InputError for what cannot be done in the job's state, or needs more words."""
        match action:
            case Action.HOLD:
                return self.hold(id)
            case Action.RESUME:
                return self.resume(id)
            case Action.STOP:
                return self.stop(id)
            case Action.STOP_SECTION:
                return self.stop(id, Ask.SECTION)
            case Action.SKIP:
                return self.skip(id)
            case Action.RETRY:
                return self.retry(id)
            case Action.CLONE:
                return self.clone(id)
            case Action.UP | Action.DOWN:
                return self._shift(id, -1 if action == Action.UP else 1)
        raise OptionError(
            "error.option.choice", key="action", value=repr(str(action)), choices=", ".join(get_args(Button))
        )

    def hold_all(self) -> None:
        """Let every worker end the job that it has and take no other: stop after this job."""
        self.store.hold(True)

    def resume_all(self) -> None:
        """Let the workers take jobs again."""
        self.store.hold(False)

    def offered(self) -> frozenset[str]:
        """The models that other machines can run for this one."""
        if self.freight is None or self.freight.place is None:
            return frozenset()
        return frozenset(model for worker in self.store.workers() for model in worker.models)

    def _inputs(self, job: Job, options: Queued) -> dict[str, Any]:
        """What changes in the row of a job with the files of its request, once these can be found elsewhere."""
        if self.freight is None or self.freight.place is None:
            return {}
        return {"inputs": {**(job.inputs or {}), **self.freight.inputs(options)}}

    def _unload(self, job: Job) -> None:
        """Take away what lies where other machines find it, of a job that is not there any more."""
        if self.freight is not None:
            try:
                self.freight.forget(job)
            except StoreError as error:
                log.warning("#%d %s", job.id, error)

    def _built(self, source: Source, options: VideoOptions) -> Job:
        """A job that is built on another one, at the end of those with its priority."""
        job = source.job
        try:
            made = draft(options, Path(job.folder), self.models, self.offered(), self.lists)
            return self.add([made], job.priority, owner=job.owner)[0]
        except InputError:
            self._part(job)  # nobody needs what was joined for it
            raise

    def _plan(self, job: Job) -> Plan:
        """The plan that a job runs."""
        folder = JobFolder(Path(job.checkpoint or ""))
        options = job.options
        assert isinstance(options, VideoOptions), "an image has no sections to come"
        if job.checkpoint is None or not folder.begun:
            return make_plan(options, self.models)
        return planned(folder, options)

    def _part(self, job: Job) -> None:
        """Remove what was joined of a job's sections for others that are not there any more."""
        places = {Path(job.checkpoint)} if job.checkpoint else set()
        leavings = {JobFolder(place).leavings for place in places}
        leavings |= {Leavings(path.parent) for path in needed([job.request]) if path.parent.name.endswith(LEFT)}
        leavings = {one for one in leavings if one.joined}
        kept = needed(self.store.column("request") if leavings else ())
        for one in leavings:
            with suppress(OSError):
                one.part(kept)

    def _shift(self, id: int, by: int) -> Job:
        """A job one place further to the front or the back of those with its priority."""
        job = self._change(id, states(Action.UP))
        now, _ = self.store.rank(id)
        return self.store.place(id, now + by) if now else job  # taken meanwhile

    def _leave(self, id: int, action: Action, how: Ask, status: Status) -> Job:
        """Have the worker of a job that runs asked, and put any other into a state at once."""
        job = self._whole(id)
        if job.status not in states(action):
            raise refused(job, states(action))
        if job.status.active:
            running = [one for one in states(action) if one.active]
            return self.store.change(id, running, status=Status.STOPPING, ask=how)
        return self.store.change(id, [one for one in states(action) if not one.active], status=status)

    def _again(self, id: int, before: Sequence[Status], **values: Any) -> Job:
        values |= {"status": Status.WAITING, "attempts": 0, "error": None, "result": None, "ended": None}
        return self._change(id, before, **values)

    def _change(self, id: int, before: Sequence[Status], **values: Any) -> Job:
        """Change a job that is in one of these states. Raises InputError for another, or a row that is damaged."""
        self._whole(id)
        return self.store.change(id, before, **values)

    def _whole(self, id: int) -> Job:
        """The row of a job that is as it should be; another one can be removed only. Raises InputError."""
        job = self.store.job(id)
        job.check()
        return job


def results(job: Job) -> list[Path]:
    """The files that a job has left, all of which have its name."""
    if job.checkpoint is not None:
        video = JobFolder(Path(job.checkpoint)).result
        return sorted(video.parent.glob(f"{video.stem}[._]*"))
    if isinstance(job.result, FrameFinished) and Path(job.result.image).is_file():
        return [Path(job.result.image)]
    return []


def _clear(job: Job, files: bool) -> list[Path]:
    """Remove what a forgotten job would go on from, and its results if they go with it. Returns those.

    Raises FolderError, once all others are gone, for one that cannot be removed: on Windows what somebody looks at.
    """
    gone, left = list[Path](), None
    if not _discard(job):
        left = FolderError("error.file.left", file=str(job.checkpoint), reason="reason.os.denied")
    for path in results(job) if files else []:
        try:
            remove(path)
            gone.append(path)
        except OSError as error:
            left = FolderError("error.file.left", file=path, reason=error)
    if left is not None:
        raise left
    return gone


def _discard(job: Job) -> bool:
    """Give back the space of what a job would go on from; whether all of it."""
    if job.checkpoint is None:
        return True
    folder = JobFolder(Path(job.checkpoint))
    gone = folder.discard()
    with suppress(OSError):
        folder.leavings.forget()
    return gone
