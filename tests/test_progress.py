"""A job in a plain log: one line for what is worth one, on standard error."""

from typing import Any

import pytest

from eichi.events import (
    Adjusted,
    Changed,
    Converted,
    Event,
    Failed,
    Finished,
    Flagged,
    Preparing,
    SectionDone,
    Started,
    Step,
)
from eichi.lines import duration, line
from eichi.progress import show

STARTED = Started("tiny", 1, "cpu", 64, 48, 37, 1.233, 1)
FINISHED = Finished("v.mp4", "v.png", 1, 37, 1.233, 1)
STARTED_LINE = "tiny on cpu: 37 frames, 1.23 s, 64x48, 1 section, seed 1"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (STARTED, STARTED_LINE),
        (Step(0, 1, 1, 4), None),
        (SectionDone(0, 0, 1, 3, 1), "Section 0 is done (1 of 1); steps computed 3, reused 1"),
        (Adjusted("note.seconds", {"asked": 1.0, "real": 1.23}), None),
        (Changed("held"), "The job is now: paused"),
        (
            Failed("error.run.nan", {"number": 2}),
            "Section 2 came out as invalid numbers (NaN). Check the model’s files, or try another seed.",
        ),
        (Flagged(2, "flag.black", {"frames": 4, "count": 36}), "Warning: section 2 is black in 4 of its 36 frames."),
        (Converted(3, 9), None),
        (Preparing("text_encoder", 0, 15 * 10**9), "Loading: LLaMA text encoder (15 GB)"),
        (Preparing("text_encoder", 10**9, 15 * 10**9), None),
        (Preparing("prompts"), "Reading the prompt"),
        (FINISHED, None),
    ],
)
def test_lines(event: Event, text: str | None) -> None:
    said = line(event, "en")
    assert said == text or (isinstance(event, Adjusted) and said is not None and "1.23 s instead of 1 s" in said)


def test_what_is_left_stands_behind_a_section() -> None:
    done = SectionDone(1, 0, 3, 4, 0)
    said = line(done, "en", 3725.4)
    assert said == "Section 1 is done (1 of 3); steps computed 4, reused 0; about 1:02:05 left"
    assert line(done, "en", 0.0) == line(done, "en", None) == line(done, "en")


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-:--"), (0.2, "0:00"), (59.6, "1:00"), (61.0, "1:01"), (36000.0, "10:00:00")]
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_machines_get_every_event_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    got: list[dict[str, Any]] = []
    show([STARTED, Step(0, 1, 1, 2), Step(0, 1, 2, 2), SectionDone(0, 0, 1, 2, 0), FINISHED], "en", got.append)
    assert [values["kind"] for values in got] == ["started", "step", "step", "section_done", "finished"]
    assert [values["fraction"] for values in got[1:4]] == [0.5, 1.0, 1.0]
    assert got[1]["left"] is None
    assert got[2]["left"] >= 0.0
    assert capsys.readouterr().out == ""


def test_the_last_event_comes_back_and_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert show([STARTED, Step(0, 1, 1, 4), FINISHED], "en") == FINISHED
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", STARTED_LINE)


def test_a_line_of_a_log_is_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    note = Adjusted("note.crf", {"asked": 100, "used": 51})
    show([note, FINISHED], "en")
    assert capsys.readouterr().err.strip() == line(note, "en")
