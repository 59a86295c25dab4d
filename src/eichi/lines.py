"""What a terminal and the log say: an event as a line of text, errors and notes in the terminal's own words.

There an option is called by its flag, or by what `--set` takes; on a page the same sentence has its label. Knows no
job.
"""

from collections.abc import Mapping
from functools import cache
from typing import Protocol

from eichi.catalog import NETWORKS
from eichi.declare import walk
from eichi.events import (
    Adjusted,
    Changed,
    Event,
    Failed,
    FileFinished,
    Finished,
    FinishStarted,
    Flagged,
    FrameDrawn,
    FrameFinished,
    FrameStarted,
    Preparing,
    SectionDone,
    Started,
    Whole,
)
from eichi.options import FillOptions, FinishOptions, FrameOptions, VideoOptions
from eichi.words import Bare, resay, say, typed

TABLES = "keyframes."  # these options have entries by numbers of sections, others are lists


class Sentence(Protocol):
    """An error or a note: the id of a text and what fills it."""

    @property
    def id(self) -> str: ...

    @property
    def values(self) -> Mapping[str, object]: ...


def in_terminal(sentence: Sentence, language: str) -> str:
    """An error or a note for a terminal."""
    return resay(typed(sentence.id), language, spelled(sentence.values))


def spelled(values: Mapping[str, object]) -> dict[str, object]:
    """What fills a sentence, its option by what is typed for it: `--section 4` for `keyframes.sections.4`."""
    key = values.get("key")
    if not isinstance(key, str):
        return dict(values)
    for known, flag in _flags().items():
        if key == known or key.startswith(f"{known}."):
            number = next((int(part) for part in key.removeprefix(known).split(".") if part.isdecimal()), None)
            entry = "" if number is None else f" {number if known.startswith(TABLES) else number + 1}"
            return {**values, "key": Bare(key, f"--set {key}" if flag is None else f"{flag}{entry}")}
    return {**values, "key": Bare(key)}


@cache
def _flags() -> dict[str, str | None]:
    """The flags of all options by their keys, None for those without one."""
    return {
        field.key: field.flag
        for kind in (VideoOptions, FrameOptions, FillOptions, FinishOptions)
        for field in walk(kind)
    }


def line(event: Event, language: str, left: float | None = None) -> str | None:
    """What a plain log says of an event, None where it says nothing; `left` is in seconds."""
    match event:
        case Adjusted() | Failed():
            return resay(typed(event.id), language, spelled(event.values))
        case Preparing(done=0):
            return preparing(event, language)
        case Started():
            return with_whole(say("run.started", language, **vars(event)), event.whole, language)
        case FinishStarted():
            return say("run.finish_started", language, **vars(event))
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


def with_whole(text: str, whole: Whole | None, language: str) -> str:
    """What is said of a new part, with how long the video is that it becomes a part of."""
    return text if whole is None else say("plan.whole", language, text=text, seconds=whole.seconds)


def preparing(event: Preparing, language: str) -> str:
    """What a job does before its first step; of weights with what they weigh."""
    if event.what not in NETWORKS:
        return say(f"preparing.{event.what}", language)
    return say("preparing.part", language, part=event.what, size=event.total)


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
