"""The page of events: what a running job says, field by field, with an example of each as it is sent.

The fields are those of the schema that programs read events by; the examples are events, so they cannot have others.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

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
    FrameStarted,
    LatentsMade,
    Message,
    Preparing,
    PreviewMade,
    SectionDone,
    Started,
    Step,
    Stopped,
    dump,
)
from eichi.reference.marks import code, heading, paragraph
from eichi.text import json_text
from eichi.words import ENGLISH, say

POSITIONS = {"target": [9], "start": [0], "references": [1]}
FLAGGED = Flagged(3, "flag.frozen", {"change": 0.4})
# One of each, in the order in which a job says them.
EXAMPLES: tuple[Event | Message, ...] = (
    Changed("running"),
    Preparing("transformer", 1_200_000_000, 25_700_000_000),
    Adjusted("note.seconds", {"asked": 5.0, "real": 4.83}),
    Started("framepack", 7, "cuda", 768, 512, 145, 4.83, 4),
    FrameStarted("framepack", 7, "cuda", 768, 512, POSITIONS),
    FinishStarted("outputs/video.mp4", "compact2x", "cuda", 1536, 1024, 145, 4.83, 4),
    Step(0, 4, 12, 25),
    PreviewMade(0, 12),
    LatentsMade(28, 9),
    SectionDone(0, 0, 4, 17, 8),
    FramesMade(109, 36),
    FLAGGED,
    FrameDrawn(17, 8),
    Converted(60, 145),
    Finished("outputs/video.mp4", "outputs/video.png", 7, 145, 4.83, 4, (FLAGGED,)),
    FrameFinished("outputs/image.png", 7, POSITIONS),
    FileFinished("outputs/latents.safetensors", 37, 145, 4.83, 768, 512),
    Stopped("outputs/video.mp4", 7, 73, 2),
    Failed("error.device.memory", {}),
)
# The words for types of the schema.
TYPES = {"integer": "whole", "number": "number", "string": "text", "array": "list", "object": "object"}
TOLD = {"job": 12, "number": 31, "time": 1796000000.0}


def events_page(language: str = ENGLISH) -> str:
    """Every event."""
    parts = [heading(1, say("reference.events", language)).lstrip()]
    parts += [paragraph(say(f"reference.events.{name}", language)) for name in ("for", "terminal", "stream")]
    parts.append(_json(TOLD | {"event": dump(Step(0, 4, 12, 25))}))
    parts += [paragraph(say(f"reference.events.{name}", language)) for name in ("python", "known")]
    defined = {fields["kind"]["const"]: fields for fields in _schemas()}
    for example in EXAMPLES:
        values = dump(example)
        kind = str(values["kind"])
        parts.append(heading(2, code(kind), f"event-{kind.replace('_', '-')}"))
        parts.append(paragraph(say(f"reference.event.{kind}", language)))
        parts.append("\n" + "".join(_fields(defined[kind], language)))
        parts.append(_json(values))
    return "".join(parts)


def _schemas() -> Iterator[Mapping[str, Any]]:
    """The fields of each event, by name, as the schema has them."""
    for schema in TypeAdapter(Message).json_schema(mode="serialization")["$defs"].values():
        if "kind" in schema.get("properties", {}):
            yield schema["properties"]


def _fields(fields: Mapping[str, Mapping[str, Any]], language: str) -> Iterator[str]:
    for name, schema in fields.items():
        if name != "kind":
            kinds = say("reference.or", language).join(
                say(f"reference.type.{kind}", language) for kind in _types(schema)
            )
            field = say("reference.called", language, value=code(name), name=kinds)
            yield f"* {field} – {say(f'reference.field.{name}', language)}\n"


def _types(schema: Mapping[str, Any]) -> Sequence[str]:
    return [TYPES.get(one.get("type", "object"), "none") for one in schema.get("anyOf", [schema])]


def _json(values: object) -> str:
    return f"\n```json\n{json_text(values)}\n```\n"
