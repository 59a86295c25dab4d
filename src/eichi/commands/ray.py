"""`eichi ray`: the workers of a Ray cluster, without a page that holds on to them."""

import click

from eichi.settings import Settings
from eichi.terminal import reporting, tell
from eichi.usage import Command, Group
from eichi.words import say


@click.group(cls=Group, help=say("cli.ray"))
def ray() -> None:
    pass


@ray.command(cls=Command, help=say("cli.ray.start"))
def start() -> None:
    _do(start=True)


@ray.command(cls=Command, help=say("cli.ray.stop"))
def stop() -> None:
    _do(start=False)


def _do(start: bool) -> None:
    with reporting(False) as settings:
        from eichi.jobs.executors.ray import RayExecutor
        from eichi.jobs.store import Store

        with Store(settings.store) as store:
            executor = RayExecutor(store, settings)
            tell(_said("begun" if start else "ending", settings))
            if start:
                executor.start()
            else:
                executor.stop()
            tell(_said("started" if start else "stopped", settings))


def _said(what: str, settings: Settings) -> str:
    return say(f"ray.{what}", settings.language, address=settings.ray_address)
