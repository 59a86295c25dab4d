"""`eichi workers`: who works, a line each, in words or as JSON."""

import json
import sys

import pytest

from eichi.cli import main
from eichi.jobs.nodes import WorkersView, WorkerView
from eichi.jobs.store import Store
from eichi.jobs.view import Problem
from eichi.settings import load_settings


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[str, str]:
    monkeypatch.setattr(sys, "argv", ["eichi", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    out, err = capsys.readouterr()
    return out, err


def test_workers_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(capsys, monkeypatch, "workers") == ("", "No worker is running.\n")
    one = WorkerView(runner="a/1/0/x", node="a", device="cuda:0", card="H200", memory_gib=139.5, holds="framepack")
    two = WorkerView(runner="b/1/0/x", node="b", device="cpu", waits=Problem(id="error.job.unknown", values={"job": 3}))
    with Store(load_settings().store) as store:
        for worker in (one, two):
            store.join(worker)
    first, second = said(capsys, monkeypatch, "workers")[0].splitlines()
    assert first.split()[:5] == ["a", "cuda:0", "H200", "139.5", "GiB"]
    assert first.endswith("framepack is loaded  waits for a job")
    assert "There is no job 3" in second or "no job 3" in second
    view = WorkersView.model_validate(json.loads(said(capsys, monkeypatch, "workers", "--json")[0]))
    assert [worker.node for worker in view.workers] == ["a", "b"]
