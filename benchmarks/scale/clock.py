"""A clock that does not wait, and a database that many call at once, in the process of one who calls it in turn.

A life is a generator that yields the seconds until it goes on. What it does in between takes no time but what it says
it does. A call of the store is really made and really timed; whoever calls while the database is busy with as many
calls as it has lanes waits for a lane. So many callers are simulated whose calls are real. A database file has one
lane, since one writes at a time; a server has as many as processors. What is charged is the median of the last calls of
a kind: that somebody else works on this machine is nothing to those who are simulated.
"""

import heapq
import time
from collections import Counter, deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import sqlalchemy as sa

EVERY, KNOWN = 200, 51  # calls of a kind until one is made again; how many of the last are gone by
Life = Generator[float, None, None]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Cost:
    """What a call took: seconds in the database, seconds beside it, statements."""

    database: float
    beside: float
    statements: int


class Meter:
    """Times what is done in a database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._inside, self._statements, self._begun = 0.0, 0, 0.0
        sa.event.listen(engine, "before_cursor_execute", self._enter)
        sa.event.listen(engine, "after_cursor_execute", self._leave)
        dialect: Any = engine.dialect
        commit = dialect.do_commit

        def committed(connection: object) -> None:
            self._enter()
            commit(connection)
            self._leave()

        dialect.do_commit = committed
        self._file = engine.dialect.name == "sqlite"

    def __call__(self, do: Callable[[], Answer]) -> tuple[Answer, Cost]:
        """What a call gives, and what it took. Whoever writes to a file has it until the end of the call."""
        self._inside, self._statements = 0.0, 0
        begun = time.perf_counter()
        answer = do()
        whole = time.perf_counter() - begun
        inside = whole if self._file else min(self._inside, whole)
        return answer, Cost(inside, whole - inside, self._statements)

    def _enter(self, *_: object) -> None:
        self._begun = time.perf_counter()

    def _leave(self, *_: object) -> None:
        self._inside += time.perf_counter() - self._begun
        self._statements += 1


@dataclass
class Tally:
    """What calls of a kind have cost together."""

    calls: int = 0
    statements: int = 0
    database: float = 0.0
    beside: float = 0.0
    waited: float = 0.0  # for a lane


@dataclass(order=True)
class _Turn:
    at: float
    number: int
    life: Life = field(compare=False)


class Clock:
    """The time that passes for those who live by it, and what they asked of the database meanwhile.

    `network` are the seconds that a statement is on its way there and back.
    """

    def __init__(self, meter: Meter, lanes: int, network: float) -> None:
        self.now = time.time()
        self.network = network
        self.begun = self.now
        self.tallies: dict[str, Tally] = {}
        self.busy = 0.0
        self._meter, self._lanes = meter, [self.now] * lanes
        self._turns: list[_Turn] = []
        self._numbers = count()
        self._known: dict[str, deque[Cost]] = {}
        self._usual: dict[str, Cost] = {}
        self._asked: Counter[str] = Counter()

    def time(self) -> float:
        """The time as the store asks for it."""
        return self.now

    def start(self, life: Life, after: float = 0.0) -> None:
        heapq.heappush(self._turns, _Turn(self.now + after, next(self._numbers), life))

    def run(self, until: Callable[[], bool]) -> None:
        """Let all live until something is so, or nobody does."""
        while self._turns and not until():
            turn = heapq.heappop(self._turns)
            self.now = max(self.now, turn.at)
            wait = next(turn.life, None)
            if wait is not None:
                turn.at, turn.number = self.now + wait, next(self._numbers)
                heapq.heappush(self._turns, turn)

    def call(
        self, kind: str, do: Callable[[], Answer], before: Callable[[], object] = lambda: None
    ) -> Generator[float, None, Answer]:
        """A call of the store; its caller goes on when it is answered. What is done `before` costs nobody anything."""
        before()
        answer, cost = self._meter(do)
        yield self._served(kind, cost)
        return answer

    def like(self, kind: str, do: Callable[[], object], before: Callable[[], object] = lambda: None) -> Life:
        """A call that changes nothing for anybody: made once in a while, and taken to be like those in between."""
        self._asked[kind] += 1
        made = self._asked[kind] <= KNOWN or self._asked[kind] % EVERY == 0
        if made:
            before()
        yield self._served(kind, self._meter(do)[1] if made else None)

    def _served(self, kind: str, made: Cost | None) -> float:
        """Seconds until the answer is there; `made` is what a call took that was made."""
        known = self._known.setdefault(kind, deque(maxlen=KNOWN))
        if made is not None:
            known.append(made)
            self._usual[kind] = sorted(known, key=lambda one: one.database)[len(known) // 2]
        cost = self._usual[kind]
        tally = self.tallies.setdefault(kind, Tally())
        tally.calls += 1
        tally.statements += cost.statements
        tally.database += cost.database
        tally.beside += cost.beside
        self.busy += cost.database
        begun = max(heapq.heappop(self._lanes), self.now)
        tally.waited += begun - self.now
        heapq.heappush(self._lanes, begun + cost.database)
        return begun + cost.database + cost.beside + cost.statements * self.network - self.now
