"""Every message that a wrong value, file or word can cause, caused for real, in the languages that are not English.

`python -m tests.messages FILE` writes the listing for a native reader. Each cause runs what a user would run: a
command, or the function that a command, the page and the HTTP interface call. What a GPU, a broken disk or broken
weights would be needed for is not caused; of those the texts alone are looked at.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click

from eichi.cli import commands, main
from eichi.declare import OptionField, walk
from eichi.errors import EichiError
from eichi.events import Adjusted
from eichi.options import FrameOptions, Request, VideoOptions
from eichi.usage import Number
from eichi.words import say, table
from tests.causes import Cause, Desk

LANGUAGES = ("ru", "ja")


@dataclass(frozen=True)
class Message:
    """What was caused: its id, and what fills it."""

    id: str
    values: dict[str, Any]

    def say(self, language: str) -> str:
        return say(self.id, language, **self.values)


def heard(cause: Cause) -> Iterator[Message]:
    """What comes of a cause: an error, or notes; nothing where all was well."""
    try:
        made = cause()
    except EichiError as error:
        yield Message(error.id, dict(error.plain))
        return
    for note in made if isinstance(made, Iterable) else ():
        if isinstance(note, Adjusted):
            yield Message(note.id, dict(note.values))


# Values that are wrong for one kind of option or another.
WRONG = ("abc", "1,000", "-7", "", "none.png:99")
ANSWER = ("--json",)  # the answer is told as an id, too
OTHERS = """
nothing
jobs lst
jobs show 7
jobs repair
resume
resume none
resume damaged --out .
models path nobody
models path framepack
models remove framepack
models verify framepack
memory --resolution 16
inspect none.png
lora inspect none
import none
latents join good.latents.safetensors
verify-gpu --size medium
latents extend good.latents.safetensors
latents to-mp4 good.latents.safetensors --model nobody
latents trim good.latents.safetensors --start 1 --out there.safetensors
latents from-mp4 odd.mp4
"""


def words_of(desk: Desk) -> Iterator[tuple[str, ...]]:
    """Command lines with something wrong in them: every option of every command, with values of every kind."""
    start = ("--image", str(desk.picture), "--prompt", "猫", "--seconds", "1")
    common = {field.key for field in walk(VideoOptions)}
    kinds: tuple[tuple[tuple[str, ...], type[Request]], ...] = (
        (("plan",), VideoOptions),
        (("frame", "--plan"), FrameOptions),
    )
    for command, kind in kinds:
        command = (*command, *ANSWER)
        given = start if kind is VideoOptions else start[:4]
        for field in (field for field in walk(kind) if kind is VideoOptions or field.key not in common):
            for value in wrong_for(field):
                named = (field.flag, value) if field.flag else ("--set", f"{field.key}={value}")
                yield (*command, *given, *named)
        for value in ("x", "=", "nothing=1", "keyframes.sections=x", "sampling=1", "seed=1.5"):
            yield (*command, *given, "--set", value)
        yield (*command, *given, "--section", "0:a.png", "--section", "0:b.png")
        yield (*command, *given, "--from", str(desk.picture))
    for path, each in commands_of(commands):
        path = (*path, *ANSWER) if any(param.name == "as_json" for param in each.params) else path
        yield (*path, "--nothing")
        yield (*path, *["x"] * 9)
        if any(isinstance(param, click.Argument) and param.required for param in each.params):
            yield path
        for param in each.params:
            if not isinstance(param, click.Option):
                continue
            name = max(param.opts, key=len)
            yield (*path, f"{name}=x") if param.is_flag else (*path, name)
            if isinstance(param.type, Number):
                yield from ((*path, name, value) for value in ("abc", "-999999999999", "1,000"))
    for line in OTHERS.strip().splitlines():
        yield (*line.split(), *ANSWER)
    yield from (("jobs",), ("--offline",), ("--nothing",), ("ui", "--lang", "xx"))


def wrong_for(field: OptionField) -> tuple[str, ...]:
    """Wrong values for an option; an option that is on or off is set by a word."""
    if field.type is bool:
        return () if field.flag else ("maybe",)
    return WRONG


def commands_of(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands that do something, by the words that lead to them."""
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands_of(command, (*path, name))
    else:
        yield path, group


@dataclass(frozen=True)
class Answer:
    """How a command ended: its exit code, what it said on standard error, the id of its error where it told one."""

    code: int
    said: str
    id: str | None


def run(words: tuple[str, ...], language: str) -> Answer:
    """A command, run in this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        patch.dict(os.environ, {"EICHI_LANGUAGE": language}),
        patch.object(sys, "argv", ["eichi", *words]),
        contextlib.redirect_stderr(err),
        contextlib.redirect_stdout(out),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    told = out.getvalue().strip().rpartition("\n")[2]
    answer = json.loads(told) if told.startswith("{") else {}
    return Answer(code, err.getvalue(), answer.get("error"))


def caused(desk: Desk) -> list[Message]:
    """Everything that the causes say, each message once."""
    found: dict[str, Message] = {}
    for cause in desk.causes():
        for message in heard(cause):
            found.setdefault(message.id + repr(sorted(message.values.items(), key=str)), message)
    return list(found.values())


def listing(folder: Path) -> Iterator[str]:
    """All of it as lines for a native reader: each id once for each reason, then what was not caused, unfilled."""
    desk, seen = Desk(folder), set[object]()
    for message in sorted(caused(desk), key=lambda one: one.id):
        if (message.id, message.values.get("reason")) not in seen:
            seen |= {message.id, (message.id, message.values.get("reason"))}
            yield f"[{message.id}]"
            yield from (f"  {language}: {message.say(language)}".replace(str(folder), "") for language in LANGUAGES)
    for words in words_of(desk):
        answers = {language: run(words, language) for language in LANGUAGES}
        id = answers[LANGUAGES[0]].id
        if id is not None and id not in seen:
            seen.add(id)
            yield f"[{id}] eichi {' '.join(words)}".replace(str(folder), "")
            yield from (
                f"  {language}: {one.said.strip()}".replace(str(folder), "") for language, one in answers.items()
            )
    for id in table(LANGUAGES[0]):
        if id.split(".")[0] in ("error", "note", "flag") and id not in seen:
            yield f"[{id}] (not caused)"
            yield from (f"  {language}: {table(language)[id]}" for language in LANGUAGES)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        os.environ |= {"EICHI_HOME": f"{place}/home", "HF_HOME": f"{place}/hub", "HF_HUB_OFFLINE": "1"}
        os.chdir(place)
        Path(sys.argv[1]).write_text("\n".join(listing(Path(place))) + "\n", encoding="utf-8")
