"""A job in a plain log: one line for what is worth one, on standard error."""

import pytest

from eichi.events import Adjusted, Changed, Event, Failed, Finished, SectionDone, Started, Step
from eichi.progress import line, show

STARTED = Started("tiny", 1, "cpu", 64, 48, 37, 1.233, 1)
FINISHED = Finished("v.mp4", "v.png", 1, 37, 1.233, 1)
STARTED_LINE = "tiny on cpu: 37 frames, 1.23 s, 64x48, 1 sections, seed 1"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (STARTED, STARTED_LINE),
        (Step(0, 1, 1, 4), None),
        (SectionDone(0, 0, 1, 3, 1), "Section 0 is done (1 of 1); steps computed 3, reused 1"),
        (Adjusted("note.seconds", {"asked": 1.0, "real": 1.23}), None),
        (Changed("held"), "The job is now: held"),
        (
            Failed("error.run.nan", {"number": 2}),
            "Section 2 came out as invalid numbers (NaN). Check the model's files, or try another seed.",
        ),
        (FINISHED, None),
    ],
)
def test_lines(event: Event, text: str | None) -> None:
    said = line(event, "en")
    assert said == text or (isinstance(event, Adjusted) and said is not None and "1.23 s instead of 1.0 s" in said)


def test_the_last_event_comes_back_and_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert show([STARTED, Step(0, 1, 1, 4), FINISHED], "en") == FINISHED
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", STARTED_LINE)


def test_a_line_of_a_log_is_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    note = Adjusted("note.crf", {"asked": 100, "used": 51})
    show([note, FINISHED], "en")
    assert capsys.readouterr().err.strip() == line(note, "en")
