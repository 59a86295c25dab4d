"""The job that everybody looks at, as HTML: what it has made so far, how far it is, how long it still takes.

Rendered from the store's row alone, so that a page that was closed, a second tab and a server that was started anew
show the same. Buttons carry the name of the queue's call that they make.
"""

import time
from collections.abc import Sequence
from html import escape
from statistics import median

from eichi.catalog import find
from eichi.errors import EichiError
from eichi.events import Finished
from eichi.jobs.queue import results
from eichi.jobs.schema import Job
from eichi.jobs.view import Action, JobView, Status
from eichi.lines import line
from eichi.web.i18n import Words

# What the stage has buttons for; a job that runs is stopped and not skipped.
BUTTONS = (Action.HOLD, Action.RESUME, Action.STOP_SECTION, Action.STOP, Action.SKIP, Action.RETRY)


def render(job: Job | None, words: Words, paces: Sequence[float], now: float) -> str:
    """The stage; `paces` are measured times of a section of this kind, `now` the time in seconds since 1970."""
    if job is None:
        return f'<div class="stage empty"><p>{escape(words("stage.empty"))}</p></div>'
    view = job.view(words.language)
    body = [_head(job, words), _preview(job, words), _bars(job, words, paces, now), _axis(job)]
    body += [_figures(view, words), _flags(view, words), _error(view)]
    return (
        f'<div class="stage" data-job="{job.id}" data-status="{job.status}" data-title="{escape(_title(job, words))}">'
        f'{_result(job, words)}<div class="side">{"".join(body)}{_buttons(view, words)}</div></div>'
    )


def _title(job: Job, words: Words) -> str:
    return f"#{job.id} · {words(f'status.{job.status}')}"


def _head(job: Job, words: Words) -> str:
    return f'<h4><span class="state {job.status}">{escape(words(f"status.{job.status}"))}</span> #{job.id}</h4>'


def _result(job: Job, words: Words) -> str:
    """The picture or video of a job, or the room for it."""
    for path in results(job):
        address = f"/api/v1/jobs/{job.id}/files/{escape(path.name)}"
        if path.suffix == ".mp4":
            return f'<div class="show" data-video="{address}"></div>'
        if path.suffix == ".png" and job.kind == "frame":
            return f'<div class="show"><img alt="{escape(words("stage.result"))}" src="{address}"></div>'
    if job.begun and job.progress is not None and job.progress.order > 0:
        address = f"/api/v1/jobs/{job.id}/so-far.mp4?order={job.progress.order}"
        return f'<div class="show" data-video="{address}"></div>'
    return f'<div class="show wait"><p>{escape(words("stage.wait"))}</p></div>'


def _preview(job: Job, words: Words) -> str:
    """The section that is being drawn, rough and small, as its worker left it last."""
    if not job.status.active or not job.begun or job.progress is None:
        return ""
    turn = f"{job.progress.order}-{job.progress.step}"
    address = f"/api/v1/jobs/{job.id}/preview.png?{turn}"
    return f'<img class="preview" alt="{escape(words("stage.preview"))}" src="{address}" onerror="this.hidden = true">'


def _bars(job: Job, words: Words, paces: Sequence[float], now: float) -> str:
    """Step and section of a job that runs."""
    if not job.status.active:
        return ""
    step = job.progress
    if step is None:
        return f'<p class="muted">{escape(words("stage.loading"))}</p><div class="bar busy"><u></u></div>'
    part, whole = step.step / step.steps, step.fraction
    lines = [
        words("stage.section", order=step.order + 1, sections=step.sections),
        words("stage.step", step=step.step, steps=step.steps),
    ]
    left = remaining(job, paces, now)
    rest = words("stage.left", time=words.span(left)) if left is not None else words("stage.measuring")
    return (
        f'<p>{escape(" · ".join(lines))}</p><div class="bar"><u style="width:{100 * part:.0f}%"></u></div>'
        f'<p>{escape(words("stage.whole", percent=round(100 * whole)))} <span class="muted">· {escape(rest)}</span></p>'
        f'<div class="bar"><u style="width:{100 * whole:.0f}%"></u></div>'
    )


def remaining(job: Job, paces: Sequence[float], now: float) -> float | None:
    """Seconds that a job still takes: by sections that were measured, else by its own speed once that tells."""
    step = job.progress
    if step is None:
        return None
    done = step.fraction
    if paces:
        return median(paces) * step.sections * (1 - done)
    if job.started is None or done < 0.1 or job.attempts > 1:
        return None
    return (now - job.started) / done * (1 - done)


def _axis(job: Job) -> str:
    """The sections in the order of time: made, being made, to come."""
    step = job.progress
    count = job.plan.sections
    if step is None or count < 2:
        return ""
    marks = ["done" if k < step.order else "now" if k == step.order else "" for k in range(count)]
    if _reverse(job):
        marks.reverse()
    drawn = "".join(f'<i class="{mark}"></i>' for mark in marks)
    return f'<div class="mini">{drawn}</div>'


def _reverse(job: Job) -> bool:
    try:
        return find(job.options.model).direction == "reverse"
    except EichiError:
        return True


def _figures(job: JobView, words: Words) -> str:
    return f'<p class="muted">{escape(figures(job, words))}</p><p class="quote">{escape(job.prompt)}</p>'


def figures(job: JobView, words: Words) -> str:
    """A job's model, length, size and seed, in a line."""
    plan = job.plan
    parts = [plan.model, f"{plan.width}×{plan.height}"]
    if plan.seconds is not None:
        parts.insert(1, words("page.length", seconds=plan.seconds))
    return " · ".join([*parts, *([words("page.seed", seed=job.seed)] if job.seed is not None else [])])


def _flags(job: JobView, words: Words) -> str:
    """The sections of a result that look wrong."""
    flags = job.result.flags if isinstance(job.result, Finished) else ()
    said = "".join(f"<li>{escape(str(line(one, words.language)))}</li>" for one in flags)
    return f'<ul class="notes">{said}</ul>' if said else ""


def _error(job: JobView) -> str:
    return "" if job.message is None else f'<p class="error">{escape(job.message)}</p>'


def _buttons(job: JobView, words: Words) -> str:
    """What can be done with a job now."""
    unused = {Action.SKIP} if job.status.active else set()
    todo = [name for name in BUTTONS if name in job.actions and name not in unused]
    return f'<div class="buttons">{"".join(button(name, job.id, words) for name in todo)}</div>'


def button(name: str, job: int, words: Words, quiet: bool = False) -> str:
    """A button that makes a call of the queue."""
    label = escape(words(f"do.{name.replace('-', '_')}"))
    ask = f' data-ask="{escape(words("do.remove_sure"))}"' if name == "remove-files" else ""
    kind = "quiet" if quiet else ""
    return f'<button type="button" class="{kind}" data-do="{name}" data-id="{job}"{ask}>{label}</button>'


def current(jobs: Sequence[Job]) -> Job | None:
    """The job to look at: the one that runs, else the last that ended; `jobs` in the store's order."""
    ended = [job for job in jobs if job.ended is not None]
    held = [job for job in jobs if job.status == Status.HELD and job.started is not None]
    return next((job for job in jobs if job.status.active), None) or next(
        iter(held or sorted(ended, key=lambda job: -(job.ended or 0))), None
    )


def stamp(seconds: float | None) -> str:
    """A time of day for people, of this machine."""
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
