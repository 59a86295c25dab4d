"""A running job in the terminal: one bar where there is a terminal, plain lines where there is none.

Follows events and nothing else. Writes to standard error, so that standard output stays for results and, where a
machine follows, for the events themselves.
"""

from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from eichi.events import (
    Adjusted,
    Changed,
    Converted,
    Event,
    Failed,
    Flagged,
    FrameDrawn,
    FrameStarted,
    SectionDone,
    Started,
    Step,
    message,
)
from eichi.pace import Pace
from eichi.words import say

Tell = Callable[[dict[str, Any]], None]


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
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(say("run.loading", language), total=1.0)
        for last in events:
            pace.take(last)
            if tell is not None:
                tell(told(last, pace))
            text = line(last, language, pace.left)
            if text is not None:
                console.print(text, markup=False, soft_wrap=True)
            if isinstance(last, Step):
                values = {"order": last.order + 1, "sections": last.sections, "step": last.step, "steps": last.steps}
                progress.update(bar, completed=pace.fraction, description=say("run.step", language, **values))
            if isinstance(last, Converted):
                known = last.done / last.total if last.total else None
                progress.update(bar, completed=known, description=say("run.frames", language, **vars(last)))
    assert last is not None, "a job has at least one event"
    return last


def line(event: Event, language: str, left: float | None = None) -> str | None:
    """What a plain log says of an event, None where it says nothing; `left` is in seconds."""
    match event:
        case Adjusted():
            return say(event.id, language, **event.values)
        case Started():
            return say("run.started", language, **vars(event))
        case FrameStarted():
            return say("run.frame_started", language, **vars(event))
        case FrameDrawn():
            return say("run.frame_drawn", language, **vars(event))
        case Flagged():
            return say(event.id, language, number=event.number, **event.values)
        case SectionDone():
            values = vars(event) | {"done": event.order + 1}
            text = say("run.section", language, **values)
            return say("run.left", language, text=text, left=duration(left)) if left else text
        case Failed():
            return say(event.id, language, **event.values)
        case Changed():
            return say("run.changed", language, status=say(f"status.{event.status}", language))
        case _:
            return None


def told(event: Event, pace: Pace) -> dict[str, Any]:
    """An event for a machine; where the job moves on, with how far it is, 0-1, and the seconds that are left."""
    if isinstance(event, Step | SectionDone):
        left = None if pace.left is None else round(pace.left, 1)
        return message(event) | {"fraction": round(pace.fraction, 4), "left": left}
    return message(event)


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds as people read them."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
