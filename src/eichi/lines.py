"""An event as a line of text, for a terminal without a bar and for the log. Knows no job."""

from eichi.events import (
    Adjusted,
    Changed,
    Event,
    Failed,
    FileFinished,
    Finished,
    Flagged,
    FrameDrawn,
    FrameFinished,
    FrameStarted,
    SectionDone,
    Started,
)
from eichi.words import resay, say


def line(event: Event, language: str, left: float | None = None) -> str | None:
    """What a plain log says of an event, None where it says nothing; `left` is in seconds."""
    match event:
        case Adjusted() | Failed():
            return resay(event.id, language, event.values)
        case Started():
            return say("run.started", language, **vars(event))
        case FrameStarted():
            return say("run.frame_started", language, **vars(event), target=event.positions["target"][0])
        case FrameDrawn():
            return say("run.frame_drawn", language, **vars(event))
        case Flagged():
            return resay(event.id, language, {**event.values, "number": event.number})
        case SectionDone():
            values = vars(event) | {"done": event.order + 1}
            text = say("run.section", language, **values)
            return say("run.left", language, text=text, left=duration(left)) if left else text
        case Changed():
            return say("run.changed", language, status=resay(f"status.{event.status}", language, {}))
        case _:
            return None


def done(event: Event, language: str) -> str | None:
    """Where the file is that a job was for, None where this is not its end."""
    match event:
        case Finished(video=file) | FrameFinished(image=file) | FileFinished(file=file):
            return say("run.finished", language, file=file)
        case _:
            return None


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds as people read them."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
