"""Where jobs are run: in a process of this machine.

What a job is and what it said is in the store in every case; an executor only sees to it that somebody works.
"""

from collections.abc import Iterator
from typing import Protocol

from eichi.jobs.view import Ask, Told


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
