"""Events are plain values told apart by their kind, except for pixels, which never leave the process."""

import json
import re
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from eichi import events
from eichi.events import (
    Adjusted,
    Changed,
    Converted,
    Event,
    Failed,
    FileFinished,
    Finished,
    FinishStarted,
    Flagged,
    FrameDrawn,
    FrameFinished,
    FramesMade,
    FramesReady,
    FrameStarted,
    LatentsMade,
    LatentsReady,
    Message,
    Preparing,
    Preview,
    PreviewMade,
    Result,
    SectionDone,
    Started,
    Step,
    Stopped,
    dump,
    message,
    read_message,
)

POSITIONS = {"target": [1], "clean": [0, 10], "post": [], "x2": [], "x4": []}
FROZEN = Flagged(0, "flag.frozen", {"change": 0.1})
EVENTS: list[Event] = [
    Started("tiny", 1, "cpu", 64, 48, 37, 1.23, 1),
    FrameStarted("tiny", 1, "cpu", 64, 48, POSITIONS),
    FinishStarted("cat.mp4", "compact2x", "cpu", 128, 96, 48, 1.6, 1),
    Adjusted("note.seconds", {"asked": 1.0, "real": 1.23}),
    Step(0, 2, 1, 4),
    Converted(3, 9),
    Preparing("transformer", 10, 20),
    SectionDone(0, 0, 2, 3, 1),
    FROZEN,
    FrameDrawn(3, 1),
    Finished("a.mp4", "a.png", 1, 37, 1.23, 1),
    Finished("a.mp4", "a.png", 1, 37, 1.23, 1, (FROZEN,)),
    FrameFinished("a.png", 1, POSITIONS),
    FileFinished("a.safetensors", 10, 37, 1.233, 64, 64),
    Stopped(None, 1, 0, 0),
    Failed("error.run.nan", {"number": 0}),
    Changed("held"),
]
CARRIERS: list[tuple[Event, Message]] = [
    (FramesReady(5, np.zeros((3, 8, 8, 3), dtype=np.uint8)), FramesMade(5, 3)),
    (LatentsReady(1, 10, np.zeros((1, 16, 9, 8, 8), dtype=np.float32)), LatentsMade(10, 9)),
    (Preview(1, 4, np.zeros((9, 8, 8, 3), dtype=np.uint8)), PreviewMade(1, 4)),
]
# What is told of an event that carries arrays has the kind of that event.
TOLD = {FramesMade: FramesReady, LatentsMade: LatentsReady, PreviewMade: Preview}


def members(union: Any) -> tuple[type[Any], ...]:
    """The classes of a union that is told apart by kind."""
    return get_args(get_args(union)[0])


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_a_message_is_the_event_in_plain_values(event: Event) -> None:
    values = json.loads(json.dumps(dump(event)))
    assert message(event) is event
    assert read_message(values) == event
    assert values["kind"] == snake(type(event).__name__)


def test_every_message_is_among_these() -> None:
    assert {type(message(event)) for event in [*EVENTS, *(event for event, _ in CARRIERS)]} == set(members(Message))
    assert set(members(Result)) == {Finished, FrameFinished, FileFinished, Stopped}
    assert set(get_args(Event)) == {type(event) for event in [*EVENTS, *(event for event, _ in CARRIERS)]}


@pytest.mark.parametrize("kind", members(Message), ids=lambda kind: str(kind.__name__))
def test_a_kind_is_the_name_of_the_event(kind: type[Any]) -> None:
    assert kind.kind == snake(TOLD.get(kind, kind).__name__)
    assert kind.__dataclass_params__.frozen


@pytest.mark.parametrize("union", [Message, Result], ids=["Message", "Result"])
def test_the_schema_tells_the_kinds_apart(union: Any) -> None:
    schema = TypeAdapter(union).json_schema(mode="serialization")
    mapping = {kind.kind: f"#/$defs/{kind.__name__}" for kind in members(union)}
    assert schema["discriminator"] == {"propertyName": "kind", "mapping": mapping}
    assert len(mapping) == len(members(union))
    # A client can rely on the kind: it stands in every message.
    assert all("kind" in schema["$defs"][kind.__name__]["required"] for kind in members(union))


@pytest.mark.parametrize(("event", "told"), CARRIERS, ids=lambda event: type(event).__name__)
def test_what_carries_arrays_is_told_not_sent(event: Event, told: Message) -> None:
    assert message(event) == told
    assert read_message(json.loads(json.dumps(dump(event)))) == told
    assert dump(event)["kind"] == snake(type(event).__name__)


@pytest.mark.parametrize(
    "values",
    [{}, {"kind": "nothing"}, {"kind": "step"}, {"event": "Changed", "status": "held"}, {"status": "held"}],
    ids=json.dumps,
)
def test_what_is_no_message_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        read_message(values)


def test_an_older_program_skips_what_a_newer_one_adds() -> None:
    assert read_message({"kind": "changed", "status": "held", "by": "somebody"}) == Changed("held")


def test_the_share_of_a_job_grows_from_nothing_to_one() -> None:
    shares = [Step(order, 2, step, 4).fraction for order in range(2) for step in range(5)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_every_class_of_the_module_is_an_event() -> None:
    classes = {one for one in vars(events).values() if isinstance(one, type) and hasattr(one, "__dataclass_fields__")}
    assert classes - {events.Whole} == {*members(Message), *get_args(Event)}
