"""Where jobs are run: in a process of this machine, in a thread of this process. Chosen by name.

What a job is and what it said is in the store in every case; an executor only sees to it that somebody works.
"""

from collections.abc import Iterator
from typing import Protocol

from eichi.errors import OptionError
from eichi.jobs.store import Store
from eichi.jobs.view import Ask, Told
from eichi.settings import Settings


class Executor(Protocol):
    """Runs the jobs of a store."""

    def submit(self, job: int) -> Iterator[Told]:
        """See to it that a job is run, in its turn; what it said and says, until it has ended.

        Raises RunError where nobody is left to run it.
        """
        ...

    def cancel(self, job: int, how: Ask = Ask.NOW) -> None:
        """Ask for the end of a job that runs. Raises InputError for one that does not."""
        ...

    def close(self) -> None:
        """End the work. A job that runs is left as it is and waits for the next executor."""
        ...


def open_executor(name: str, store: Store, settings: Settings) -> Executor:
    """The executor of that name. It starts when the first job is submitted. Raises OptionError."""
    if name == "local":
        from eichi.jobs.executors.local import LocalExecutor

        return LocalExecutor(store, settings)
    if name == "thread":
        from eichi.jobs.executors.thread import ThreadExecutor

        return ThreadExecutor(store, settings)
    raise OptionError("error.executor.unknown", name=name, known="local, thread")
