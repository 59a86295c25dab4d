"""A running job in the terminal: one bar where there is a terminal, plain lines where there is none.

Follows events and nothing else. Writes to standard error, so that standard output stays for results and, where a
machine follows, for the events themselves.
"""

from collections.abc import Callable, Iterable

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from eichi.events import Converted, Event, FinishStarted, Json, Preparing, SectionDone, Step, dump
from eichi.lines import duration, line, preparing
from eichi.pace import Pace
from eichi.words import say

Tell = Callable[[Json], None]


class Remaining(ProgressColumn):
    """The time that is left, as the job's own pace has it."""

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self.pace = pace

    def render(self, task: Task) -> Text:
        return Text(duration(self.pace.left), style="progress.remaining")


def show(events: Iterable[Event], language: str, tell: Tell | None = None) -> Event:
    """Show a job to its end and return its last event; `tell` gets every event as a message."""
    console, pace = Console(stderr=True, highlight=False), Pace()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), Remaining(pace))
    last: Event | None = None
    finishing: FinishStarted | None = None  # what counts frames and not steps
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(say("run.loading", language), total=1.0)
        for last in events:
            pace.take(last)
            if tell is not None:
                tell(told(last, pace))
            finishing = last if isinstance(last, FinishStarted) else finishing
            text = line(last, language, pace.left)
            if finishing is not None and isinstance(last, SectionDone):
                text = say("run.frames", language, **_counted(finishing, pace))
            if text is not None:
                console.print(text, markup=False, soft_wrap=True)
            if isinstance(last, Step):
                values = {"order": last.order + 1, "sections": last.sections, "step": last.step, "steps": last.steps}
                if finishing is not None:
                    values = _counted(finishing, pace)
                text = say("run.step" if finishing is None else "run.frames", language, **values)
                progress.update(bar, completed=pace.fraction, description=text)
            if isinstance(last, Preparing):
                progress.update(bar, completed=last.fraction or 0.0, description=preparing(last, language))
            if isinstance(last, Converted):
                known = last.done / last.total if last.total else None
                progress.update(bar, completed=known, description=say("run.frames", language, **vars(last)))
    assert last is not None, "a job has at least one event"
    return last


def _counted(finishing: FinishStarted, pace: Pace) -> dict[str, int]:
    """How many frames of a video are finished."""
    return {"done": round(pace.fraction * finishing.frames), "total": finishing.frames}


def told(event: Event, pace: Pace) -> Json:
    """An event for a machine; where the job moves on, with how far it is, 0-1, and the seconds that are left."""
    if isinstance(event, Step | SectionDone):
        left = None if pace.left is None else round(pace.left, 1)
        return dump(event) | {"fraction": round(pace.fraction, 4), "left": left}
    return dump(event)
