"""Work that tells how far it is, as a generator of what it tells: for what a library does in one long call.

The work runs in a thread of its own and the caller waits for its words, so that a job can show them and stop between
two of them. Knows nothing of models.
"""

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

Made = TypeVar("Made")
Word = TypeVar("Word")
Tell = Callable[[int, int], None]  # so much of how much


class Ended(BaseException):
    """Nobody listens any more; no error, and nothing may catch it as one."""


def telling(work: Callable[[Tell], Made], word: Callable[[int, int], Word]) -> Generator[Word, None, Made]:
    """What `work` tells, each as a `word`, and in the end what it returns or raises; one that is left ends when it next
    tells something.
    """
    told: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
    left = threading.Event()

    def tell(done: int, total: int) -> None:
        if left.is_set():
            raise Ended
        told.put((done, total))

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, tell)
        future.add_done_callback(lambda _: told.put(None))
        try:
            while (far := told.get()) is not None:
                yield word(*far)
        finally:
            left.set()
        return future.result()
