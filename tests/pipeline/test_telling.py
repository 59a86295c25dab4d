"""Long work is heard while it goes on, and is ended where nobody listens any more."""

import threading

import pytest

from eichi.pipeline.telling import Tell, telling


def pair(done: int, total: int) -> tuple[int, int]:
    return done, total


def test_words_then_what_was_made() -> None:
    def work(tell: Tell) -> str:
        for done in range(3):
            tell(done, 2)
        return threading.current_thread().name

    events, words = telling(work, pair), list[tuple[int, int]]()
    with pytest.raises(StopIteration) as ended:
        while True:
            words.append(next(events))
    assert words == [(0, 2), (1, 2), (2, 2)]
    assert ended.value.value != threading.current_thread().name


def test_an_error_is_the_caller_s() -> None:
    def work(tell: Tell) -> None:
        tell(0, 1)
        raise ValueError("no")

    events = telling(work, pair)
    assert next(events) == (0, 1)
    with pytest.raises(ValueError, match="no"):
        next(events)


def test_who_is_left_ends_at_the_next_word() -> None:
    told, heard = list[int](), threading.Event()

    def work(tell: Tell) -> None:
        tell(0, 9)
        heard.wait(60)
        for done in range(1, 9):
            tell(done, 9)
            told.append(done)

    events = telling(work, pair)
    next(events)
    threading.Timer(0, heard.set).start()
    heard.wait(60)
    events.close()
    assert len(told) < 9
