"""The time by which a store's workers are told alive from dead: that of its database.

Machines have clocks of their own, which may be minutes apart; by these one would take the other's worker for dead and
run its job beside it. A server's clock is asked once in a while, and what has passed since is added; a file is one
machine's, whose clock is the time. Knows no table.
"""

import time

import sqlalchemy as sa

from eichi.jobs.runner import BEAT


class Clock:
    """The time of a database, in seconds since 1970."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._shared = engine.dialect.name == "postgresql"
        self._asked: tuple[float, float] | None = None  # what the server said, and when by this process

    def now(self) -> float:
        """The time, a fraction of a second late at the most. Raises what the database does."""
        if not self._shared:
            return time.time()
        here = time.monotonic()
        if self._asked is None or here >= self._asked[1] + BEAT:
            with self._engine.connect() as connection:
                told = connection.scalar(sa.select(sa.extract("epoch", sa.func.clock_timestamp())))
            self._asked = float(told or 0.0), here
        return self._asked[0] + here - self._asked[1]
