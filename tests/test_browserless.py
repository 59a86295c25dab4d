"""A machine without a browser: the tests say how many journeys did not run and what brings one, and CI does not take
that for a success.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytest.importorskip("playwright", reason="playwright is not installed")


@pytest.mark.parametrize(("required", "code"), [("", 0), ("1", 1)])
def test_journeys_that_did_not_run_are_told_of(tmp_path: Path, required: str, code: int) -> None:
    nobody = {"PATH": str(tmp_path), "HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "REQUIRE_BROWSER": required}
    asked = ["-n0", "-q", "-p", "no:cacheprovider", "tests/web/test_touch.py"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *asked],
        cwd=ROOT,
        env=os.environ | nobody,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code, run.stdout
    assert "Not run for want of a browser: 2 journeys through the page. Install Chromium" in run.stdout
