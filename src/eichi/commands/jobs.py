"""`eichi jobs`: the queue from a terminal. One command for each thing that `jobs.queue` can do.

The database is loaded by the commands that need it, the models only by the worker that `run` starts.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eichi.declare import Plain
from eichi.events import Changed, Event, FramesMade, Json, LatentsMade, PreviewMade
from eichi.flags import assigned, option_flags, read_assignments, read_request, some_flags
from eichi.library.lorafolders import located
from eichi.lines import in_terminal
from eichi.options import MAX_SEED, QUEUED, FinishOptions, FrameOptions, VideoOptions
from eichi.settings import Settings
from eichi.terminal import FAILED, STOPPED, json_flag, out_flag, print_json, reporting, tell
from eichi.text import pad, shorten
from eichi.usage import Group, Number
from eichi.words import say

if TYPE_CHECKING:
    from eichi.jobs.batch import Batch
    from eichi.jobs.draft import BatchForecast
    from eichi.jobs.queue import Queue
    from eichi.jobs.schema import Draft, Job
    from eichi.jobs.view import JobView, Told

PATH = click.Path(path_type=Path)
SHOWN = 50  # columns of a prompt in a list


@dataclass(frozen=True)
class Added:
    """What a batch comes to, the numbers of its jobs where they were added with the name of the batch, where there are
    several, and their requests.

    `seconds` are None as long as a job among them was never measured.
    """

    jobs: int
    sections: int
    seconds: float | None
    added: tuple[int, ...]
    batch: str | None
    requests: tuple[Json, ...]


@dataclass(frozen=True)
class Ran:
    """The states in which jobs ended, by their numbers; whether the run was stopped."""

    jobs: dict[int, str]
    stopped: bool


GRID = ("grid_x", "grid_y", "grid_z")


@click.group(cls=Group, help=say("cli.jobs"))
def jobs() -> None:
    pass


def _id(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument("job", type=Number())(command)


@jobs.command(help=say("cli.jobs.add"))
@option_flags(VideoOptions, FrameOptions)
@click.option("--frame", "single", is_flag=True, help=say("cli.jobs.frame"))
@click.option("--count", type=Number(1), default=1, help=say("cli.jobs.count"))
@click.option("--prompt-list", type=PATH, metavar="FILE", help=say("cli.jobs.prompts"))
@click.option("--image-folder", type=PATH, metavar="FOLDER", help=say("cli.jobs.images"))
@click.option("--reference-list", type=PATH, metavar="FILE", help=say("cli.jobs.references"))
@click.option("--each-window", type=Number(), multiple=True, help=say("cli.jobs.windows"))
@click.option("--each-target", type=Number(), multiple=True, help=say("cli.jobs.targets"))
@click.option("--grid-x", metavar="KEY=VALUES", help=say("cli.jobs.grid_x"))
@click.option("--grid-y", metavar="KEY=VALUES", help=say("cli.jobs.grid_more"))
@click.option("--grid-z", metavar="KEY=VALUES", help=say("cli.jobs.grid_more"))
@click.option("--priority", type=Number(), default=0, help=say("cli.jobs.priority"))
@click.option("--dry-run", is_flag=True, help=say("cli.jobs.dry"))
@out_flag
@json_flag
def add(
    assignments: tuple[str, ...],
    single: bool,
    priority: int,
    dry_run: bool,
    out: Path | None,
    as_json: bool,
    **rest: Any,
) -> None:
    with open_queue(as_json) as (settings, queue):
        from eichi.jobs.batch import expand

        kind: type[VideoOptions | FrameOptions] = FrameOptions if single else VideoOptions
        batch = _batch(rest, settings.language, kind)
        options = located(read_request(kind, assignments, rest, settings), settings.loras)
        drafts, total = queue.prepare(expand(options, batch), out or settings.outputs)
        _tell_notes(drafts, settings.language)
        made = [] if dry_run else queue.add(drafts, priority)
        name = next((job.batch for job in made), None)
        if as_json:
            added, requests = tuple(job.id for job in made), tuple(draft.request for draft in drafts)
            print_json(Added(total.jobs, total.sections, total.seconds, added, name, requests))
            return
        for job in made:
            click.echo(_line(_view(job, settings.language), settings.language))
        click.echo(_total(total, settings.language))
        if name is not None:
            click.echo(say("queue.batch", settings.language, batch=name))


@jobs.command(help=say("cli.jobs.finish"))
@click.argument("video", type=PATH)
@some_flags(FinishOptions)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=say("cli.set"))
@click.option("--priority", type=Number(), default=0, help=say("cli.jobs.priority"))
@out_flag
@json_flag
def finish(
    video: Path, assignments: tuple[str, ...], priority: int, out: Path | None, as_json: bool, **flags: Any
) -> None:
    with open_queue(as_json) as (settings, queue):
        options = read_request(FinishOptions, assignments, flags | {"video": video}, settings)
        drafts, _ = queue.prepare([options], out or settings.outputs)
        _tell_notes(drafts, settings.language)
        (job,) = queue.add(drafts, priority)
        _answer(job, settings.language, as_json)


@jobs.command(help=say("cli.jobs.run"))
@json_flag
def run(as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        from eichi.jobs.executors import open_executor
        from eichi.jobs.schema import ELSEWHERE

        if queue.store.held:
            tell(say("cli.queue.held", settings.language))
        executor, ended, stopped = open_executor(queue.store, settings), dict[int, str](), False
        try:
            for id in executor.drain():
                if id == ELSEWHERE:
                    tell(say("queue.elsewhere", settings.language))
                else:
                    ended[id] = _watch(queue, id, settings.language)
        except KeyboardInterrupt:
            stopped = True
            tell(say("queue.lasting" if executor.lasting else "queue.leaving", settings.language))
        finally:
            executor.close()
        if as_json:
            print_json(Ran(ended, stopped))
        if stopped:
            sys.exit(STOPPED)
        if "failed" in ended.values():
            sys.exit(FAILED)


@jobs.command(name="list", help=say("cli.jobs.list"))
@click.option("--limit", type=Number(1), help=say("cli.jobs.limit"))
@json_flag
def list_(limit: int | None, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        from eichi.jobs.listing import Listing
        from eichi.jobs.view import QueueView

        rows, total = queue.store.page(Listing(limit=limit))
        found, held = tuple(_view(job, settings.language) for job in rows), queue.store.held
        if as_json:
            print_json(QueueView(jobs=found, total=total, held=held))
            return
        for job in found:
            click.echo(_line(job, settings.language))
        if total > len(found):
            tell(say("cli.jobs.further", settings.language, count=total - len(found)))
        if held:
            tell(say("cli.queue.held", settings.language))


@jobs.command(help=say("cli.jobs.show"))
@_id
@json_flag
def show(job: int, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        from eichi.jobs.view import JobTold

        row = queue.store.job(job)
        view = _view(row, settings.language)
        if as_json:
            print_json(JobTold(**vars(view), events=tuple(queue.store.events(job))))
            return
        click.echo(_line(view, settings.language))
        for name, value in view.model_dump(mode="json", exclude={"request", "plan"}, exclude_none=True).items():
            click.echo(f"  {name} = {value}")
        for name, value in row.request.items():
            click.echo(f"  request.{name} = {value}")


@jobs.command(help=say("cli.jobs.follow"))
@_id
@json_flag
def follow(job: int, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        entries = queue.store.follow(job)
        if as_json:
            for entry in entries:
                print_json(entry)
        else:
            from eichi.progress import show as show_events

            show_events(_events(entries), settings.language)
        _answer(queue.store.job(job), settings.language, as_json)


@jobs.command(help=say("cli.jobs.move"))
@_id
@click.option("--to", type=Number(), help=say("cli.jobs.to"))
@click.option("--priority", type=Number(), help=say("cli.jobs.priority"))
@json_flag
def move(job: int, to: int | None, priority: int | None, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        _answer(queue.move(job, to, priority), settings.language, as_json)


@jobs.command(help=say("cli.jobs.edit"))
@_id
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=say("cli.set"))
@json_flag
def edit(job: int, assignments: tuple[str, ...], as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        kind = QUEUED[queue.store.job(job).kind]
        _answer(queue.edit(job, read_assignments(kind, assigned(assignments))), settings.language, as_json)


@jobs.command(help=say("cli.jobs.redo"))
@_id
@click.argument("section", type=Number())
@click.option("--seed", type=Number(0, MAX_SEED), help=say("cli.jobs.redo.seed"))
@click.option("--prompt", help=say("cli.jobs.redo.prompt"))
@click.option("--image", type=PATH, help=say("cli.jobs.redo.image"))
@json_flag
def redo(job: int, section: int, seed: int | None, prompt: str | None, image: Path | None, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        _answer(queue.redo(job, section, seed, prompt, image), settings.language, as_json)


@jobs.command(help=say("cli.jobs.branch"))
@_id
@click.option("--keep", "order", type=Number(0), required=True, help=say("cli.jobs.branch.keep"))
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=say("cli.set"))
@json_flag
def branch(job: int, order: int, assignments: tuple[str, ...], as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        from eichi.jobs.again import edited

        typed = read_assignments(VideoOptions, assigned(assignments))
        values = edited(queue.store.job(job).request, typed)
        if "seed" not in typed:
            values.pop("seed", None)  # the one that was drawn
        _answer(queue.branch(job, order, values), settings.language, as_json)


@jobs.command(help=say("cli.jobs.stop"))
@_id
@click.option("--now", "how", flag_value="now", default=True, help=say("cli.jobs.now"))
@click.option("--after-section", "how", flag_value="section", help=say("cli.jobs.after_section"))
@click.option("--after-job", "how", flag_value="job", help=say("cli.jobs.after_job"))
@json_flag
def stop(job: int, how: str, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        from eichi.jobs.view import Ask

        if how == "job":
            queue.hold_all()
            _answer(queue.store.job(job), settings.language, as_json)
        else:
            _answer(queue.stop(job, Ask(how)), settings.language, as_json)


@jobs.command(help=say("cli.jobs.hold"))
@click.argument("job", type=Number(), required=False)
@json_flag
def hold(job: int | None, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        if job is not None:
            _answer(queue.hold(job), settings.language, as_json)
            return
        queue.hold_all()
        _answer_all(queue, settings.language, as_json)


@jobs.command(help=say("cli.jobs.resume"))
@click.argument("job", type=Number(), required=False)
@json_flag
def resume(job: int | None, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        if job is not None:
            _answer(queue.resume(job), settings.language, as_json)
            return
        queue.resume_all()
        _answer_all(queue, settings.language, as_json)


@jobs.command(help=say("cli.jobs.clone"))
@_id
@json_flag
def clone(job: int, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        _answer(queue.clone(job), settings.language, as_json)


@jobs.command(help=say("cli.jobs.retry"))
@_id
@json_flag
def retry(job: int, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        _answer(queue.retry(job), settings.language, as_json)


@jobs.command(help=say("cli.jobs.skip"))
@_id
@json_flag
def skip(job: int, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        _answer(queue.skip(job), settings.language, as_json)


@jobs.command(help=say("cli.jobs.remove"))
@_id
@click.option("--files", is_flag=True, help=say("cli.jobs.files"))
@json_flag
def remove(job: int, files: bool, as_json: bool) -> None:
    with open_queue(as_json) as (settings, queue):
        from eichi.jobs.view import JobRemoved

        gone = [str(path) for path in queue.remove(job, files)]
        if as_json:
            print_json(JobRemoved(removed=job, files=tuple(gone)))
            return
        click.echo(say("queue.removed", settings.language, job=job, files=len(gone)))


@jobs.command(help=say("cli.jobs.repair"))
@json_flag
def repair(as_json: bool) -> None:
    with reporting(as_json) as settings:
        from eichi.jobs.repair import repair as rebuild

        made = rebuild(settings.store)
        if as_json:
            print_json(made)
            return
        click.echo(say("store.rebuilt" if made.damage else "store.whole", settings.language, **vars(made)))
        if made.lost:
            click.echo(say("store.lost", settings.language, jobs=", ".join(map(str, made.lost))))
        if made.lost_events:
            click.echo(say("store.lost_events", settings.language, count=made.lost_events))
        if made.unknown:
            click.echo(say("store.unknown", settings.language))


@contextmanager
def open_queue(as_json: bool) -> Iterator[tuple[Settings, "Queue"]]:
    """The queue of this machine for one command; jobs whose worker died are found whoever looks first."""
    with reporting(as_json) as settings:
        from eichi.jobs.freight import Freight
        from eichi.jobs.homecoming import Homecoming
        from eichi.jobs.places import open_place
        from eichi.jobs.queue import Queue
        from eichi.jobs.store import Store

        with Store(settings.store) as store:
            store.recover()
            freight = Freight(settings, open_place(settings.place, store))
            with Homecoming(store, freight).watching():
                yield (
                    settings,
                    Queue(store, settings.model_folders, freight, lists=settings.lists, cache=settings.cache),
                )


def _batch(flags: Plain, language: str, kind: type[VideoOptions | FrameOptions]) -> "Batch":
    """What varies, taken out of the flags of `add`."""
    from eichi.jobs.batch import Batch
    from eichi.jobs.grid import read_axis
    from eichi.jobs.lists import read_pictures, read_prompts, read_references

    names = ("prompt_list", "image_folder", "reference_list")
    prompts, folder, references = (flags.pop(name) for name in names)
    pictures, notes = read_pictures(folder) if folder else ((), ())
    referred, more = read_references(references) if references else ((), ())
    listed, told = read_prompts(prompts) if prompts else ((), ())
    for note in (*notes, *more, *told):
        tell(in_terminal(note, language))
    return Batch(
        count=flags.pop("count"),
        prompts=listed,
        pictures=pictures,
        references=referred,
        windows=flags.pop("each_window"),
        targets=flags.pop("each_target"),
        axes=tuple(read_axis(text, kind) for name in GRID if (text := flags.pop(name))),
    )


def _tell_notes(drafts: "list[Draft]", language: str) -> None:
    """What the plans have to say, each sentence once."""
    notes = (note for draft in drafts for note in draft.plan.notes)
    for sentence in dict.fromkeys(in_terminal(note, language) for note in notes):
        tell(sentence)


def _watch(queue: "Queue", id: int, language: str) -> str:
    """Show one run of a job; the state that it ends in."""
    from eichi.progress import show as show_events

    begins = [entry.number for entry in queue.store.events(id) if entry.event == Changed("running")]
    entries = queue.store.follow(id, begins[-1], until=lambda job: not job.status.active)
    tell(_line(_view(queue.store.job(id), language), language))
    show_events(_events(entries), language)
    row = queue.store.find(id)
    return "removed" if row is None else row.status.value


def _events(entries: "Iterator[Told]") -> Iterator[Event]:
    """What was said, but for arrays, of which only the place is told."""
    return (entry.event for entry in entries if not isinstance(entry.event, FramesMade | LatentsMade | PreviewMade))


def _view(job: "Job", language: str) -> "JobView":

    return job.view(language)


def _answer(job: "Job", language: str, as_json: bool) -> None:
    view = _view(job, language)
    if as_json:
        print_json(view)
    else:
        click.echo(_line(view, language))


def _answer_all(queue: "Queue", language: str, as_json: bool) -> None:
    """Whether the whole queue is held, after that was changed."""
    if as_json:
        from eichi.jobs.view import QueueHeld

        print_json(QueueHeld(held=queue.store.held))
    else:
        click.echo(say("cli.queue.held" if queue.store.held else "queue.released", language))


def _line(job: "JobView", language: str) -> str:
    """A job in one line."""
    prompt, plan = job.prompt, job.plan
    short = shorten(prompt, SHOWN)
    length = "1" if plan.seconds is None else say("queue.seconds", language, seconds=plan.seconds)
    if plan.whole is not None and plan.seconds is not None:
        length = say("queue.whole", language, seconds=plan.seconds, whole=plan.whole.seconds)
    size = f"{plan.width}x{plan.height}"
    status = say(f"status.{job.status}", language)
    text = f"{job.id:>5}  {pad(status, 13)}{job.priority:>3}  {plan.model:<14} {size:<10} {length:>7}  {short}"
    text += f"  [{job.batch}]" if job.batch else ""
    return text.rstrip() if job.error is None else f"{text.rstrip()}\n       {in_terminal(job.error, language)}"


def _total(total: "BatchForecast", language: str) -> str:
    """What a batch comes to, with the time only if it was measured."""
    values = {"jobs": total.jobs, "sections": total.sections}
    if total.seconds is None:
        return say("queue.total_unknown", language, **values)
    minutes, seconds = divmod(round(total.seconds), 60)
    return say("cli.queue.total", language, **values, minutes=minutes, seconds=seconds)
