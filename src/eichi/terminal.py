"""What every command has around it: its settings, its errors as one sentence and an exit code, its last line.

Results go to standard output, everything else to standard error. With `--json` standard output is one JSON object a
line: a running job's events as it says them, each once, and as the last line the answer, which for a single job is its
last event. Exit codes: 0 done, 1 failed, 2 wrong input, 130 stopped. Knows no command.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

import click

from eichi.errors import DiskError, EichiError, ErrorView, InputError
from eichi.events import Adjusted
from eichi.lines import in_terminal
from eichi.settings import Settings, asked_language, load_settings
from eichi.text import json_text
from eichi.words import say

FAILED, WRONG_INPUT, STOPPED = 1, 2, 130

Command = TypeVar("Command", bound=Callable[..., Any])


def json_flag(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help=say("cli.json"))(command)


def out_flag(command: Command) -> Command:
    return click.option("--out", type=click.Path(path_type=Path), help=say("cli.out"))(command)


@contextmanager
def interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C, or what asks a process to end, asks the job to stop after the current step; a second one ends the program
    at once.
    """
    asked = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    with _handled(signal.SIGINT, handle), _handled(signal.SIGTERM, handle):
        yield asked.is_set


@contextmanager
def _handled(number: signal.Signals, handle: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    before = signal.signal(number, handle)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def reporting(as_json: bool) -> Iterator[Settings]:
    """Settings for a command; its errors as one sentence and an exit code.

    What asks the process to end (SIGTERM) does what Ctrl-C does: those that it has started end with it.
    """
    from eichi.library.repair import repair_settings

    language = asked_language()
    try:
        if _asked_offline():
            os.environ["EICHI_OFFLINE"] = "1"  # processes that this one starts inherit it
        notes: list[Adjusted] = []
        repair_settings(notes.append)
        settings = load_settings()
        language = settings.language
        for note in notes:
            tell(in_terminal(note, language))
        with _handled(signal.SIGTERM, signal.default_int_handler):
            yield settings
    except EichiError as error:
        fail(error, language, as_json)
    except KeyboardInterrupt:
        sys.exit(STOPPED)


def _asked_offline() -> bool:
    """Whether `--offline` stands before the command."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("offline"))


def fail(error: EichiError, language: str, as_json: bool) -> NoReturn:
    sentence = in_terminal(error, language)
    if as_json:
        with suppress(DiskError):  # the error may be that nothing can be written
            said = ErrorView.of(error, language)
            print_json({"error": said.id, "message": sentence, "field": said.key, "values": said.values})
    tell(say("cli.error", language, sentence=sentence))
    sys.exit(WRONG_INPUT if isinstance(error, InputError) else FAILED)


def print_json(answer: object) -> None:
    """An answer for a program, on one line: a frozen model or dataclass, or plain values."""
    click.echo(json_text(answer))


def tell(text: str) -> None:
    click.echo(text, err=True)
