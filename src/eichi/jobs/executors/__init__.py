"""Where jobs are run: in processes of this machine, or in those that a Ray cluster starts on its own.

What a job is and what it said is in the store in every case; an executor only sees to it that somebody works.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Protocol

from eichi.jobs.store import Store
from eichi.jobs.view import Ask, Told
from eichi.settings import Settings

# Who each is by the setting's value: a module, brought in only where it is asked for, and a class in it that is called
# with the store and the settings.
EXECUTORS = {
    "local": ("eichi.jobs.executors.local", "LocalExecutor"),
    "ray": ("eichi.jobs.executors.ray", "RayExecutor"),
}


class Executor(Protocol):
    """Runs the jobs of a store."""

    @property
    def lasting(self) -> bool:
        """Whether others go on with the work after `close`."""
        ...

    def submit(self, job: int) -> Iterator[Told]:
        """See to it that a job is run, in its turn; what it said and says, until it has ended.

        Raises RunError where nobody is left to run it.
        """
        ...

    def cancel(self, job: int, how: Ask = Ask.NOW) -> None:
        """Ask for the end of a job that runs. Raises InputError for one that does not."""
        ...

    def drain(self) -> Iterator[int]:
        """Run what waits, and no more: the numbers of the jobs as they are taken. Raises RunError."""
        ...

    def close(self) -> None:
        """End the work. A job that runs is left as it is and waits for the next executor, unless others go on."""
        ...


def open_executor(store: Store, settings: Settings) -> Executor:
    """The executor that the settings name. Raises InputError where it is not installed."""
    module, name = EXECUTORS[settings.executor]
    opened: Executor = getattr(import_module(module), name)(store, settings)
    return opened
