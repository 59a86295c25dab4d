"""`eichi workers`: who works for the store: machines, their cards, what each holds and does."""

from typing import TYPE_CHECKING

import click

from eichi.terminal import json_flag, print_json, reporting, tell
from eichi.text import pad
from eichi.usage import Command
from eichi.words import say

if TYPE_CHECKING:
    from eichi.jobs.nodes import WorkerView


@click.command(cls=Command, help=say("cli.workers"))
@json_flag
def workers(as_json: bool) -> None:
    with reporting(as_json) as settings:
        from eichi.jobs.nodes import WorkersView
        from eichi.jobs.store import Store

        with Store(settings.store) as store:
            found = WorkersView(workers=tuple(one.told(settings.language) for one in store.workers()))
        if as_json:
            print_json(found)
            return
        for one in found.workers:
            click.echo(_line(one, settings.language))
        if not found.workers:
            tell(say("workers.none", settings.language))


def _line(one: "WorkerView", language: str) -> str:
    """A worker in a line: where it is, what it has, what it does."""
    parts = [pad(one.node, 16), pad(one.device, 8)]
    if one.card is not None:
        parts.append(one.card)
    if one.memory_gib is not None:
        parts.append(say("workers.memory", language, memory=one.memory_gib))
    if one.holds is not None:
        parts.append(say("workers.holds", language, model=one.holds))
    if one.job is not None:
        parts.append(say("workers.job", language, job=one.job))
    else:
        parts.append(one.message or say("workers.idle", language))
    return "  ".join(parts)
