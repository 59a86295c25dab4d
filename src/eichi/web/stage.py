"""The job that everybody looks at, as HTML: what it has made so far, how far it is, how long it still takes.

Rendered from the store's row alone, so that a page that was closed, a second tab and a server that was started anew
show the same. Buttons carry the name of the queue's call that they make.
"""

import time
from collections.abc import Sequence
from html import escape
from statistics import median
from typing import Any

from eichi.catalog import find
from eichi.errors import EichiError
from eichi.jobs.queue import results
from eichi.jobs.schema import Ask, Job, Status
from eichi.web.i18n import Words


def render(job: Job | None, words: Words, paces: Sequence[float], now: float) -> str:
    """The stage; `paces` are measured times of a section of this kind, `now` the time in seconds since 1970."""
    if job is None:
        return f'<div class="stage empty"><p>{escape(words("stage.empty"))}</p></div>'
    body = [_head(job, words), _preview(job, words), _bars(job, words, paces, now), _axis(job)]
    body += [_figures(job, words), _flags(job, words), _error(job, words)]
    return (
        f'<div class="stage" data-job="{job.id}" data-status="{job.status}" data-title="{escape(_title(job, words))}">'
        f'{_result(job, words)}<div class="side">{"".join(body)}{_buttons(job, words)}</div></div>'
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
    if job.begun and job.progress is not None and job.progress.get("order", 0) > 0:
        address = f"/api/v1/jobs/{job.id}/so-far.mp4?order={job.progress['order']}"
        return f'<div class="show" data-video="{address}"></div>'
    return f'<div class="show wait"><p>{escape(words("stage.wait"))}</p></div>'


def _preview(job: Job, words: Words) -> str:
    """The section that is being drawn, rough and small, as its worker left it last."""
    if not job.status.active or not job.begun or job.progress is None:
        return ""
    turn = f"{job.progress['order']}-{job.progress['step']}"
    address = f"/api/v1/jobs/{job.id}/preview.png?{turn}"
    return f'<img class="preview" alt="{escape(words("stage.preview"))}" src="{address}" onerror="this.hidden = true">'


def _bars(job: Job, words: Words, paces: Sequence[float], now: float) -> str:
    """Step and section of a job that runs."""
    if not job.status.active:
        return ""
    step = job.progress
    if step is None:
        return f'<p class="muted">{escape(words("stage.loading"))}</p><div class="bar busy"><u></u></div>'
    part, whole = step["step"] / step["steps"], fraction(step)
    lines = [
        words("stage.section", order=step["order"] + 1, sections=step["sections"]),
        words("stage.step", step=step["step"], steps=step["steps"]),
    ]
    left = remaining(job, paces, now)
    rest = words("stage.left", time=words.span(left)) if left is not None else words("stage.measuring")
    return (
        f'<p>{escape(" · ".join(lines))}</p><div class="bar"><u style="width:{100 * part:.0f}%"></u></div>'
        f'<p>{escape(words("stage.whole", percent=round(100 * whole)))} <span class="muted">· {escape(rest)}</span></p>'
        f'<div class="bar"><u style="width:{100 * whole:.0f}%"></u></div>'
    )


def fraction(step: dict[str, Any]) -> float:
    """The share of a job's steps that are done, 0-1."""
    return float(step["order"] * step["steps"] + step["step"]) / float(step["sections"] * step["steps"])


def remaining(job: Job, paces: Sequence[float], now: float) -> float | None:
    """Seconds that a job still takes: by sections that were measured, else by its own speed once that tells."""
    step = job.progress
    if step is None:
        return None
    done = fraction(step)
    if paces:
        return median(paces) * float(step["sections"]) * (1 - done)
    if job.started is None or done < 0.1 or job.attempts > 1:
        return None
    return (now - job.started) / done * (1 - done)


def _axis(job: Job) -> str:
    """The sections in the order of time: made, being made, to come."""
    step = job.progress
    count = job.plan["sections"]
    if step is None or count < 2:
        return ""
    marks = ["done" if k < step["order"] else "now" if k == step["order"] else "" for k in range(count)]
    if _reverse(job):
        marks.reverse()
    drawn = "".join(f'<i class="{mark}"></i>' for mark in marks)
    return f'<div class="mini">{drawn}</div>'


def _reverse(job: Job) -> bool:
    try:
        return find(str(job.request["model"])).direction == "reverse"
    except EichiError:
        return True


def _figures(job: Job, words: Words) -> str:
    plan = job.plan
    figures = [plan["model"], f"{plan['width']}×{plan['height']}"]
    if "seconds" in plan:
        figures.insert(1, words("page.length", seconds=plan["seconds"]))
    seed = (job.result or {}).get("seed", job.request.get("seed"))
    if seed is not None:
        figures.append(words("page.seed", seed=seed))
    prompt = escape(job.request["prompt"])
    return f'<p class="muted">{escape(" · ".join(figures))}</p><p class="quote">{prompt}</p>'


def _flags(job: Job, words: Words) -> str:
    """The sections of a result that look wrong."""
    flags = (job.result or {}).get("flags") or []
    said = "".join(f"<li>{escape(words(one['id'], number=one['number'], **one['values']))}</li>" for one in flags)
    return f'<ul class="notes">{said}</ul>' if said else ""


def _error(job: Job, words: Words) -> str:
    sentence = job.sentence(words.language)
    return "" if sentence is None else f'<p class="error">{escape(sentence)}</p>'


def _buttons(job: Job, words: Words) -> str:
    """What can be done with a job in its state."""
    calls: dict[Status, tuple[str, ...]] = {
        Status.RUNNING: ("hold", "stop-section", "stop"),
        Status.STOPPING: ("stop",) if job.ask != Ask.NOW else (),
        Status.WAITING: ("hold", "skip"),
        Status.HELD: ("resume", "skip"),
        Status.STOPPED: ("resume", "retry"),
        Status.FAILED: ("resume", "retry"),
        Status.DONE: (),
    }
    todo = calls[job.status]
    if job.kind == "frame" or job.plan["sections"] < 2:
        todo = tuple(name for name in todo if name != "stop-section")
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
