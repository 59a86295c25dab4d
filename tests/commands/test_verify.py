"""`eichi verify-gpu`: what it writes as it goes, what it prints, how it ends."""

import json
from pathlib import Path

import pytest

from eichi.pipeline.report import compare, markdown, read_report
from tests.commands.test_models import Run, eichi

__all__ = ["eichi"]  # a fixture

SMALL = ("verify-gpu", "--random", "--size", "small", "--steps", 2)


def test_a_model_of_random_numbers_is_tried(eichi: Run, tmp_path: Path) -> None:
    """Every run of it that a CPU can do is: the whole takes half a minute, this is a part."""
    path = tmp_path / "report.json"
    ways = ("plain", "fp8 row lora", "one frame", "attention sage")
    code, lines, shown = eichi(*SMALL, *(word for way in ways for word in ("--way", way)), "--out", path, "--json")
    assert code == 0, shown
    assert json.loads(lines[-1]) == json.loads(path.read_text(encoding="utf-8"))
    report = read_report(path)
    assert (report.random, report.machine.device, report.file, report.good) == ("small", "cpu", path, True)
    runs = {(run.way, run.side): run for run in report.runs}
    assert {name for name, side in runs if side == 64} == set(ways)
    for name in ways[:3]:
        assert (runs[name, 64].good, runs[name, 64].repeats, runs[name, 64].left) == (True, True, None)
    assert (runs["attention sage", 64].left, runs["plain", 640].left) == ("kernel", "large")
    table = path.with_suffix(".md").read_text(encoding="utf-8")
    assert table == markdown(report)
    assert f"| {runs['plain', 64].latents} | {runs['plain', 64].frames} | yes |" in table
    assert "* It is not installed. attention sage 64" in table
    assert "| plain | 64 |" in compare(report, report) and "equal" in compare(report, report)
    code, lines, _ = eichi("verify-gpu", "--compare", path, path)
    assert code == 0 and "\n".join(lines).strip() == compare(report, report).strip()


def test_what_fails_is_in_the_table_and_in_the_exit_code(
    eichi: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr("eichi.pipeline.trial.Bench._run", fail)
    path = tmp_path / "report.json"
    code, _, shown = eichi(*SMALL, "--way", "plain", "--out", path)
    assert code == 1
    assert "no kernel image is available" in shown
    assert "* plain 64: " in path.with_suffix(".md").read_text(encoding="utf-8")


def test_time_that_is_over_is_said(eichi: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.pipeline.trial.Bench._cost", lambda *_: 1e9)
    path = tmp_path / "report.json"
    code, _, shown = eichi(*SMALL, "--way", "plain", "--out", path)
    assert code == 0 and "The time is not enough for it." in shown
    assert {run.left for run in read_report(path).runs} == {"time", "large"}


def test_what_is_wrong_is_said_before_anything_runs(eichi: Run, tmp_path: Path) -> None:
    code, lines, _ = eichi(*SMALL, "--way", "plian", "--json")
    assert code == 2 and json.loads(lines[-1])["error"] == "error.verify.way"
    other = tmp_path / "other.json"
    code, lines, _ = eichi("verify-gpu", "--compare", other, other, "--json")
    assert code == 2 and "it does not exist" in json.loads(lines[-1])["message"]
    other.write_text("{}", encoding="utf-8")
    code, lines, _ = eichi("verify-gpu", "--compare", other, other, "--json")
    assert code == 2 and json.loads(lines[-1])["error"] == "error.verify.report"
