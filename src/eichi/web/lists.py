"""The queue and the results as HTML, rendered from the store's rows. Every text of people is escaped."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from eichi.jobs.queue import results
from eichi.jobs.schema import Job
from eichi.jobs.view import Action, JobView
from eichi.web.i18n import Words
from eichi.web.stage import button, figures, stamp

SHOWN = 60  # results in the gallery; older ones are still in the store
# What rows and cards have buttons for; a job that runs is stopped and not skipped.
ROW = (Action.UP, Action.DOWN, Action.RESUME, Action.HOLD, Action.CLONE, Action.SKIP)
ROW_ACTIVE = (Action.HOLD, Action.STOP)
CARD = (Action.RESUME, Action.RETRY)


def render_queue(jobs: Sequence[Job], held: bool, words: Words) -> str:
    """What runs and what is to come, in order, each with its buttons."""
    name = "resume-all" if held else "hold-all"
    said = escape(words("listed.held" if held else "listed.open"))
    whole = f'<div class="bar-top"><p>{said}</p>{button(name, 0, words)}</div>'
    if not jobs:
        return f'{whole}<p class="none">{escape(words("listed.empty"))}</p>'
    movable = [job.id for job in jobs if not job.status.active]
    after = dict(pairwise(movable))
    first = movable[0] if movable else None
    rows = "".join(_row(job, words, job.id != first, job.id in after) for job in jobs)
    return f'{whole}<ol class="jobs">{rows}</ol>'


def _row(job: Job, words: Words, up: bool, down: bool) -> str:
    view = job.view(words.language)
    done = job.progress.fraction if job.progress is not None else 0.0
    ends = {*(() if up else (Action.UP,)), *(() if down else (Action.DOWN,))}
    todo = [one for one in (ROW_ACTIVE if job.status.active else ROW) if one in view.actions and one not in ends]
    buttons = _use("edit", job, words) if Action.EDIT in view.actions else ""
    buttons += "".join(button(name, job.id, words, quiet=True) for name in todo)
    buttons += _removal(view, words) if view.damaged else ""
    bar = f'<div class="bar"><u style="width:{100 * done:.0f}%"></u></div>' if job.status.active else ""
    return (
        f'<li data-job="{job.id}"><span class="number">#{job.id}</span>'
        f'<span class="state {job.status}">{escape(words(f"status.{job.status}"))}</span>'
        f'<span class="what"><b>{escape(_title(view, words))}</b><small>{escape(_figures(view, words))}</small>'
        f"{bar}{_problem(view)}</span>"
        f'<span class="buttons">{buttons}</span></li>'
    )


def render_history(jobs: Sequence[Job], words: Words) -> str:
    """What has ended, the newest first: the result, what it was made from, what can be done with it."""
    if not jobs:
        return f'<p class="none">{escape(words("history.empty"))}</p>'
    cards = "".join(_card(job, words) for job in jobs[:SHOWN])
    more = (
        f'<p class="none">{escape(words("history.more", shown=SHOWN, count=len(jobs)))}</p>'
        if len(jobs) > SHOWN
        else ""
    )
    return f'<div class="gallery">{cards}</div>{more}'


def _card(job: Job, words: Words) -> str:
    view = job.view(words.language)
    buttons = _use("use", job, words) if view.request is not None else ""
    buttons += "".join(button(name, job.id, words, quiet=True) for name in CARD if name in view.actions)
    buttons += _removal(view, words)
    title = _title(view, words)
    return (
        f'<article data-job="{job.id}">{_preview(job, title)}<h5><span class="state {job.status}">'
        f"{escape(words(f'status.{job.status}'))}</span> #{job.id} <small>{stamp(job.ended)}</small></h5>"
        f'<p class="quote">{escape(title)}</p><small>{escape(_figures(view, words))}</small>{_problem(view)}'
        f'<div class="buttons">{buttons}</div></article>'
    )


def _removal(view: JobView, words: Words) -> str:
    return button("remove-files", view.id, words, quiet=True) if Action.REMOVE in view.actions else ""


def _problem(view: JobView) -> str:
    return "" if view.message is None else f'<p class="error">{escape(view.message)}</p>'


def _use(name: str, job: Job, words: Words) -> str:
    """A button that puts a job's options into the controls, to make another one or to change it."""
    edit = 'class="quiet" data-edit' if name == "edit" else ""
    return f'<button type="button" data-use="{job.id}" {edit}>{escape(words(f"do.{name}"))}</button>'


def _preview(job: Job, title: str) -> str:
    """The result of a job where it has one: videos are loaded when they are looked at."""
    files = {path.suffix: path.name for path in reversed(results(job))}
    place = f"/api/v1/jobs/{job.id}/files/"
    name = escape(title)
    if ".mp4" in files:
        poster = f' poster="{place}{escape(files[".png"])}"' if ".png" in files else ""
        source = f'src="{place}{escape(files[".mp4"])}" aria-label="{name}"'
        return f'<video controls loop muted playsinline preload="none"{poster} {source}></video>'
    if ".png" in files:
        return f'<img loading="lazy" alt="{name}" src="{place}{escape(files[".png"])}">'
    return '<div class="thumb none"></div>'


def _title(job: JobView, words: Words) -> str:
    return job.prompt or words("listed.unprompted")


def _figures(job: JobView, words: Words) -> str:
    return f"{words(f'kind.{job.kind}')} · {figures(job, words)}"
