"""Crowds of workers that only pretend: their jobs are done, shares add up, the dead leave theirs to others."""

from pathlib import Path

import pytest

from benchmarks.scale.measure import Case, Files, measure
from benchmarks.scale.table import COLUMNS, row


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path, 12)


def test_a_crowd_does_its_jobs(files: Files) -> None:
    found = measure(files, Case(2, 8))
    assert found.efficiency > 0.9
    assert found.efficiency + found.loading < 1
    assert found.statements > 0
    assert len(row(found).split("|")) == len(COLUMNS) + 2


def test_the_dead_leave_their_jobs_to_others(files: Files) -> None:
    found = measure(files, Case(3, 6, deaths=10.0))
    assert found.deaths > 0
    assert found.lost > 0
    assert not found.stolen


def test_who_comes_late_waits_shorter(files: Files) -> None:
    """Where jobs arrive one by one, not all of them behind each other."""
    full, rare = measure(files, Case(2, 4)), measure(files, Case(2, 4, load=0.3))
    assert rare.waited[0] < full.waited[0]
    assert rare.efficiency < full.efficiency
