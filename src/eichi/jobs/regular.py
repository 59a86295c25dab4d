"""Something done every now and then beside a block, in a thread, as long as the block lasts. Knows not what it does."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def regularly(do: Callable[[], object], seconds: float, name: str) -> Iterator[None]:
    """Call `do`, which raises nothing, so many seconds after the block has begun, and after each call. What runs when
    the block ends is waited for. The thread has a name, for logs.
    """
    done = threading.Event()

    def repeat() -> None:
        while not done.wait(seconds):
            do()

    thread = threading.Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
