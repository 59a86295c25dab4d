"""The queue and the results as HTML, rendered from the store's rows. Every text of people is escaped."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from eichi.jobs.queue import results
from eichi.jobs.schema import Job, Status
from eichi.web.i18n import Words
from eichi.web.stage import button, fraction, stamp

SHOWN = 60  # results in the gallery; older ones are still in the store


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
    done = fraction(job.progress) if job.progress is not None else 0.0
    if job.status.active:
        todo = ["hold", "stop"] if job.status == Status.RUNNING else []
    else:
        todo = [*(["up"] if up else []), *(["down"] if down else [])]
        todo += ["resume" if job.status == Status.HELD else "hold", "clone", "skip"]
    buttons = "" if job.status.active or job.begun else _use("edit", job, words)
    buttons += "".join(button(name, job.id, words, quiet=True) for name in todo)
    bar = f'<div class="bar"><u style="width:{100 * done:.0f}%"></u></div>' if job.status.active else ""
    return (
        f'<li data-job="{job.id}"><span class="number">#{job.id}</span>'
        f'<span class="state {job.status}">{escape(words(f"status.{job.status}"))}</span>'
        f'<span class="what"><b>{escape(_title(job, words))}</b><small>{escape(_figures(job, words))}</small>'
        f"{bar}</span>"
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
    use = _use("use", job, words)
    todo = ["retry"] if job.status == Status.DONE else ["resume", "retry"]
    buttons = use + "".join(button(name, job.id, words, quiet=True) for name in [*todo, "remove-files"])
    sentence = job.sentence(words.language)
    problem = "" if sentence is None else f'<p class="error">{escape(sentence)}</p>'
    return (
        f'<article data-job="{job.id}">{_preview(job, words)}<h5><span class="state {job.status}">'
        f"{escape(words(f'status.{job.status}'))}</span> #{job.id} <small>{stamp(job.ended)}</small></h5>"
        f'<p class="quote">{escape(_title(job, words))}</p><small>{escape(_figures(job, words))}</small>{problem}'
        f'<div class="buttons">{buttons}</div></article>'
    )


def _use(name: str, job: Job, words: Words) -> str:
    """A button that puts a job's options into the controls, to make another one or to change it."""
    edit = 'class="quiet" data-edit' if name == "edit" else ""
    return f'<button type="button" data-use="{job.id}" {edit}>{escape(words(f"do.{name}"))}</button>'


def _preview(job: Job, words: Words) -> str:
    """The result of a job where it has one: videos are loaded when they are looked at."""
    files = {path.suffix: path.name for path in reversed(results(job))}
    place = f"/api/v1/jobs/{job.id}/files/"
    name = escape(_title(job, words))
    if ".mp4" in files:
        poster = f' poster="{place}{escape(files[".png"])}"' if ".png" in files else ""
        source = f'src="{place}{escape(files[".mp4"])}" aria-label="{name}"'
        return f'<video controls loop muted playsinline preload="none"{poster} {source}></video>'
    if ".png" in files:
        return f'<img loading="lazy" alt="{name}" src="{place}{escape(files[".png"])}">'
    return '<div class="thumb none"></div>'


def _title(job: Job, words: Words) -> str:
    prompt = str(job.request["prompt"]).strip()
    return prompt or words("listed.unprompted")


def _figures(job: Job, words: Words) -> str:
    plan = job.plan
    figures = [words(f"kind.{job.kind}"), plan["model"], f"{plan['width']}×{plan['height']}"]
    if "seconds" in plan:
        figures.append(words("page.length", seconds=plan["seconds"]))
    seed = (job.result or {}).get("seed", job.request.get("seed"))
    return " · ".join([*figures, *([words("page.seed", seed=seed)] if seed is not None else [])])
