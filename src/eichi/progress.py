"""A running job in the terminal: one bar where there is a terminal, plain lines where there is none.

Follows events and nothing else. Writes to standard error, so that standard output stays for results.
"""

from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from eichi.events import Adjusted, Changed, Event, Failed, FrameDrawn, FrameStarted, SectionDone, Started, Step
from eichi.words import say


def show(events: Iterable[Event], language: str) -> Event:
    """Show a job to its end and return its last event."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    last: Event | None = None
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(say("run.loading", language), total=1.0)
        for last in events:
            text = line(last, language)
            if text is not None:
                console.print(text, markup=False, soft_wrap=True)
            if isinstance(last, Step):
                values = {"order": last.order + 1, "sections": last.sections, "step": last.step, "steps": last.steps}
                progress.update(bar, completed=last.fraction, description=say("run.step", language, **values))
    assert last is not None, "a job has at least one event"
    return last


def line(event: Event, language: str) -> str | None:
    """What a plain log says of an event, None where it says nothing."""
    match event:
        case Adjusted():
            return say(event.id, language, **event.values)
        case Started():
            return say("run.started", language, **vars(event))
        case FrameStarted():
            return say("run.frame_started", language, **vars(event))
        case FrameDrawn():
            return say("run.frame_drawn", language, **vars(event))
        case SectionDone():
            values = vars(event) | {"done": event.order + 1}
            return say("run.section", language, **values)
        case Failed():
            return say(event.id, language, **event.values)
        case Changed():
            return say("run.changed", language, status=say(f"status.{event.status}", language))
        case _:
            return None
