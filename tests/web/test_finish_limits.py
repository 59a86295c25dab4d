"""Previews of a chain over HTTP: few at a time, and what becomes of those that fail."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from eichi.errors import InputError, RunError
from eichi.options import FinishOptions
from eichi.said import Refusal
from eichi.web import glimpse
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.glimpse import Glimpses


def test_who_asks_while_many_wait_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    glimpses, asked = Glimpses(), FinishOptions.parse({"video": "a.mp4"})

    def again(self: Glimpses, *rest: object) -> bytes:
        depth.append(1)
        return self.make(asked, 0.0, desk.settings)

    depth: list[int] = []
    monkeypatch.setattr(Glimpses, "_made", again)
    with pytest.raises(RunError) as caught:
        glimpses.make(asked, 0.0, desk.settings)
    assert caught.value.id == "error.finish.glimpses" and len(depth) == glimpse.WAITING
    monkeypatch.setattr(Glimpses, "_made", lambda *_: b"png")
    assert glimpses.make(asked, 0.0, desk.settings) == b"png"  # every place is free again


def ended(code: int, said: str = "", besides: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], code, said, besides)


@pytest.mark.parametrize(
    ("end", "status", "id", "reason"),
    [
        (ended(-9, besides="a warning"), 500, "error.finish.glimpse", "reason.os.memory"),
        (ended(1, besides="it broke"), 500, "error.finish.glimpse", "reason.detail"),
        (ended(0, '{"options": {"video": "a"}, "second": 0, "file": "a"}'), 500, "error.finish.glimpse", None),
        (subprocess.TimeoutExpired([], 1), 500, "error.finish.glimpse", "reason.os.late"),
        (OSError(12, "Cannot allocate memory"), 500, "error.finish.glimpse", "reason.os.memory"),
        (RunError("error.finish.preview", second=9), 500, "error.finish.preview", None),
        (InputError("error.video.frame", path="a.mp4", number=9), 422, "error.video.frame", None),
    ],
)
def test_a_preview_that_fails_says_why_and_is_in_the_log(
    desk: Desk,
    end: Any,
    status: int,
    id: str,
    reason: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def run(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        if isinstance(end, InputError | RunError):
            return ended(0, Refusal.of(end).model_dump_json())
        if isinstance(end, Exception):
            raise end
        assert isinstance(end, subprocess.CompletedProcess)
        return end

    monkeypatch.setattr(subprocess, "run", run)
    desk.local = True
    (tmp_path / "a.mp4").touch()
    with TestClient(make_app(desk), base_url="http://localhost") as client:
        asked = {"options": {"video": str(tmp_path / "a.mp4")}, "second": 9}
        answer = client.post("/api/v1/finish/frame.png", json=asked)
    said = answer.json()
    assert (answer.status_code, said["id"]) == (status, id)
    assert reason is None or said["values"]["reason"] == reason
    logged = [one.getMessage() for one in caplog.records if one.name == "eichi.web.api.errors"]
    assert [text.startswith("POST /api/v1/finish/frame.png: ") for text in logged] == [True] * (status == 500)
