"""A few kills in every run of the suite; `make torture` does many."""

import sys
from pathlib import Path

import pytest

from benchmarks.torture import torture

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="forks")]


@pytest.mark.parametrize(("name", "seed"), [("reverse", 1), ("forward", 2)])
def test_killed_jobs_end_in_the_same_bytes(tmp_path: Path, name: str, seed: int) -> None:
    assert torture([name], 2, seed, tmp_path, print) == 2
