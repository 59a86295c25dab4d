"""`eichi worker`: the cards of this machine work for a store that others add jobs to.

It starts a worker for each slot, as the page does for itself, and tells what they take. Models are loaded by them.
"""

import sys

import click

from eichi.terminal import STOPPED, json_flag, print_json, reporting, tell
from eichi.usage import Command
from eichi.words import say


@click.command(cls=Command, help=say("cli.worker"))
@click.option("--store", metavar="URL", help=say("cli.worker.store"))
@click.option("--place", metavar="URL", help=say("cli.worker.place"))
@click.option("--devices", metavar="NUMBERS", help=say("cli.worker.devices"))
@click.option("--drain", is_flag=True, help=say("cli.worker.drain"))
@json_flag
def worker(store: str | None, place: str | None, devices: str | None, drain: bool, as_json: bool) -> None:
    with reporting(as_json) as found:
        from eichi.errors import InputError
        from eichi.jobs.executors.local import LocalExecutor
        from eichi.jobs.freight import Freight
        from eichi.jobs.homecoming import Homecoming
        from eichi.jobs.places import open_place
        from eichi.jobs.schema import ELSEWHERE
        from eichi.jobs.store import Store
        from eichi.settings import NOBODY

        told = {"store": store, "place": place, "devices": devices}
        settings = found.given(**{key: value for key, value in told.items() if value is not None})
        if settings.devices == NOBODY:  # said by a setting that is for machines which only add jobs
            raise InputError("error.worker.none")
        with Store(settings.store) as opened:
            executor = LocalExecutor(opened, settings)
            home = Homecoming(opened, Freight(settings, open_place(settings.place, opened)))
            tell(say("worker.ready", settings.language, store=settings.store.rsplit("@")[-1]))
            try:
                with home.watching():
                    for job in executor.drain() if drain else executor.serve():
                        if job == ELSEWHERE:
                            tell(say("queue.elsewhere", settings.language))
                        elif as_json:
                            print_json({"taken": job})
                        else:
                            click.echo(say("worker.taken", settings.language, job=job))
            except KeyboardInterrupt:
                tell(say("worker.leaving", settings.language))
                executor.close()
                sys.exit(STOPPED)
            finally:
                executor.close()
