"""`eichi worker`: what a command line may have otherwise than the settings, and what it tells."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from eichi.cli import commands

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no scripts that are programs")


def test_workers_are_told_which_store_and_place_are_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the command line, which wins over variables; here workers that only write down what they are told."""
    program = tmp_path / "worker"
    program.write_text(f'#!/bin/sh\necho 7\necho "$@ $EICHI_STORE $EICHI_PLACE" >{tmp_path}/told-$4\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("EICHI_STORE", "sqlite:///other.db")
    store, place = f"sqlite:///{tmp_path / 'jobs.db'}", str(tmp_path / "place")
    words = ["worker", "--store", store, "--place", place, "--devices", "2", "--drain", "--json"]
    done = CliRunner().invoke(commands, words, env={"EICHI_DEVICE": "cpu"})
    assert done.exit_code == 0, done.output
    assert done.stdout == '{"taken": 7}\n' * 2
    for number in (1, 2):
        told = (tmp_path / f"told-{number}").read_text().split()
        assert told[-3:] == [str(number), store, place]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--devices", "all"], "numbers separated by commas"),
        (["--devices", "none"], "Cards in use"),
        (["--place", "nowhere://x"], "Shared files"),
        (["--store", "nowhere://x"], "Jobs cannot be kept"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(words: list[str], said: str) -> None:
    done = CliRunner().invoke(commands, ["worker", *words])
    assert (done.exit_code, said in done.stderr) == (2, True), done.output
