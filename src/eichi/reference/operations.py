"""The page of the HTTP interface's operations: what each takes and answers, and the objects that go to and fro.

Read from the schema that the server itself gives; what an operation is for is said in the words of its id. What an
object is stands in English, as in the schema. Knows no operation.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from eichi.jobs.store import Store
from eichi.reference.marks import code, facts, heading, paragraph, plain
from eichi.settings import Settings
from eichi.web.api.operations import BASE
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.words import ENGLISH, say

Schema = Mapping[str, Any]
NONE = "\0"  # no variable begins so
FORM = "Body_"  # what the names of objects begin with that are forms, which no program has a name for


@cache
def schema() -> Schema:
    """The schema of the HTTP interface, of a server that nobody asks: its home is gone when this returns."""
    with TemporaryDirectory() as home:
        given: dict[str, Any] = {"home": Path(home), "_env_prefix": NONE}
        settings = Settings(**given)
        with Store(settings.store) as store:
            made: Schema = make_app(Desk(settings, store, lambda *jobs: None)).openapi()
            return made


def operations_page(language: str = ENGLISH) -> str:
    """Every operation, by what it is about, then every object."""
    parts = [heading(1, say("reference.operations", language)).lstrip()]
    parts += [
        paragraph(say(f"reference.operations.{name}", language, base=code(BASE)))
        for name in ("for", "refused", "objects")
    ]
    every = [*operations()]
    for tag in dict.fromkeys(operation["tags"][0] for _, _, operation in every):
        parts.append(heading(2, say(f"reference.tag.{tag}", language)))
        parts += (_operation(*one, language) for one in every if one[2]["tags"][0] == tag)
    parts.append(heading(2, say("reference.objects", language)))
    parts += (_object(name, told, language) for name, told in sorted(_objects().items()) if _named(name))
    return "".join(parts)


def operations() -> Iterator[tuple[str, str, Schema]]:
    """Method, path and description of each operation."""
    for path, methods in schema()["paths"].items():
        for method, operation in methods.items():
            if path.startswith(BASE):
                yield method.upper(), path.removeprefix(BASE), operation


def target(operation: Schema) -> str:
    """Where the page says more of an operation."""
    return f"operation-{operation['operationId'].replace('_', '-')}"


def _operation(method: str, path: str, operation: Schema, language: str) -> str:
    rows = [
        (kind, say("list.comma", language).join(_field(one["name"], one["schema"], language) for one in taken))
        for kind in ("path", "query", "header")
        if (taken := [one for one in operation.get("parameters", ()) if one["in"] == kind])
    ]
    rows += [
        ("body", _body(operation.get("requestBody"), language)),
        ("answer", _answer(operation["responses"], language)),
    ]
    head = heading(3, code(f"{method} {path}"), target(operation))
    return head + paragraph(say(f"reference.operation.{operation['operationId']}", language)) + facts(rows, language)


def _body(body: Schema | None, language: str) -> str:
    if body is None:
        return ""
    ((_, content),) = body["content"].items()
    name = content["schema"].get("$ref", "").rpartition("/")[2]
    if _named(name):
        return _type(content["schema"], language)
    fields = _objects()[name]["properties"].items()
    listed = say("list.comma", language).join(_field(field, told, language) for field, told in fields)
    return f"{say('reference.form', language)}{say('reference.is', language)}{listed}"


def _answer(responses: Schema, language: str) -> str:
    """What comes of an operation that does what it is asked."""
    status, told = next((status, told) for status, told in responses.items() if status.startswith("2"))
    contents: Schema = told.get("content", {"": {}})
    kind, content = next(iter(contents.items()))
    if kind == "text/event-stream":
        (told,) = [content["itemSchema"]["properties"]["data"]["contentSchema"]]
        each = _type(told, language)
        return say("reference.called", language, value=code(status), name=say("reference.stream", language, each=each))
    if kind == "application/json":
        what = _type(content["schema"], language)
    else:
        what = code(kind) if kind else say("reference.type.file", language)
    return say("reference.called", language, value=code(status), name=what)


def _object(name: str, told: Schema, language: str) -> str:
    """An object with its fields, or what stands for one."""
    texts = (paragraph(plain(" ".join(text.split()))) for text in told.get("description", "").split("\n\n") if text)
    parts = [heading(3, code(name), f"object-{name.lower()}"), *texts]
    if "properties" in told:
        fields = (_field(field, inner, language) for field, inner in told["properties"].items())
        return "".join([*parts, "\n", *(f"* {field}\n" for field in fields)])
    return "".join([*parts, paragraph(_type(told, language))])


def _field(name: str, told: Schema, language: str) -> str:
    return say("reference.called", language, value=code(name), name=_type(told, language))


def _type(told: Schema, language: str) -> str:
    """What a value is: an object by its name, one of some words, a type of JSON."""
    if "$ref" in told:
        name = told["$ref"].rpartition("/")[2]
        return f"[{name}](#object-{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in told:
            return say("reference.or", language).join(dict.fromkeys(_type(one, language) for one in told[key]))
    words = told.get("enum") or ([told["const"]] if "const" in told else [])
    if words:
        return say("list.comma", language).join(map(code, words))
    match told.get("type"):
        case "array":
            return say("reference.type.each", language, each=_type(told.get("items", {}), language))
        case "object" if isinstance(told.get("additionalProperties"), dict):
            return say("reference.type.table", language, each=_type(told["additionalProperties"], language))
        case "string" if "contentMediaType" in told:
            return say("reference.type.file", language)
        case None:
            return say("reference.type.any", language)
        case kind:
            return say(f"reference.type.{TYPES[kind]}", language)


TYPES = {
    "integer": "whole",
    "number": "number",
    "string": "text",
    "boolean": "switch",
    "object": "object",
    "null": "none",
}


def _named(name: str) -> bool:
    """Whether an object has a name that programs know."""
    return bool(name) and not name.startswith(FORM)


def _objects() -> Mapping[str, Schema]:
    found: Mapping[str, Schema] = schema()["components"]["schemas"]
    return found
