"""What is looked for after machines were killed is seen when it is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cluster.checks import check_alone, check_once, digests
from benchmarks.cluster.disguise import Diary, Line, keep
from benchmarks.cluster.kills import bury

LEFT = Line("left", 1, "", 0, 3.0)


def lines(*told: tuple[str, int, float]) -> list[Line]:
    """What processes did with job 7."""
    return [Line(what, process, f"runner {process}", 7, time) for what, process, time in told]


def test_a_job_may_change_hands_when_its_worker_is_dead() -> None:
    moved = lines(("claim", 1, 1.0), ("record", 1, 2.0), ("claim", 2, 4.0), ("end", 2, 5.0))
    assert check_alone([*moved, LEFT]) == 1
    with pytest.raises(AssertionError):
        check_alone(moved)


def test_a_job_that_was_given_back_is_anybodys() -> None:
    assert check_alone(lines(("claim", 1, 1.0), ("end", 1, 2.0), ("claim", 2, 3.0), ("end", 2, 4.0))) == 0


@pytest.mark.parametrize("late", ["record", "lost", "end"])
def test_nobody_goes_on_with_what_is_somebody_elses(late: str) -> None:
    with pytest.raises(AssertionError):
        check_alone([*lines(("claim", 1, 1.0), ("claim", 2, 4.0), (late, 1, 5.0)), LEFT])


def test_a_job_is_finished_once() -> None:
    once = Line("end", 1, "a", 7, 1.0, "done")
    check_once([once], {7: "reverse"})
    for wrong in ([once, once], []):
        with pytest.raises(AssertionError):
            check_once(wrong, {7: "reverse"})


def test_files_are_told_by_their_jobs(tmp_path: Path) -> None:
    for name in ("261129_210908_830.mp4", ".261129_210908_830.parts/card.json", "261129_210909_401.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name[-4:])
    made = digests(tmp_path)
    assert {name: set(files) for name, files in made.items()} == {
        "261129_210908_830": {".mp4", "..parts/card.json"},
        "261129_210909_401": {".mp4"},
    }


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    diary = Diary(tmp_path / "diary")
    keep(diary.path, LEFT)
    whole = diary.path.read_bytes()
    with diary.path.open("ab") as file:
        file.write(whole[:10])
    assert diary.look() == 1
    with diary.path.open("ab") as file:
        file.write(whole[10:])
    assert diary.look() == 2
    assert diary.lines == [LEFT, LEFT]


def test_who_has_gone_without_a_word_is_taken_down(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    diary = Diary(tmp_path / "diary")
    for process in (gone.pid, os.getpid()):
        keep(diary.path, Line("claim", process, f"runner {process}", 7, 1.0))
    for _ in range(2):  # once is enough
        diary.look()
        bury(diary)
    diary.look()
    assert [(line.what, line.process) for line in diary.lines[2:]] == [("gone", gone.pid)]
