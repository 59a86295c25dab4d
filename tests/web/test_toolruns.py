"""The place of latent files: what lies there, what is taken in, which tool takes what."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eichi.errors import EichiError, OptionError
from eichi.options import VideoOptions
from eichi.video.latentfile import Latents, save_latents
from eichi.web import toolruns
from eichi.web.desk import Desk
from eichi.web.i18n import Words
from eichi.web.results import render_runs

WORDS = Words("en")


@pytest.fixture
def file(desk: Desk) -> Path:
    """Latents among the results, of a name that people chose."""
    path = desk.settings.outputs.absolute() / "<b>a.safetensors"
    path.parent.mkdir(parents=True)
    record = {"kind": "video", "model": "tiny", "request": {"prompt": "<i>x"}}
    save_latents(path, Latents(np.zeros((1, 16, 10, 6, 10), dtype=np.float32), 0), record)
    return path


def test_files_are_listed_with_what_is_in_them(desk: Desk, file: Path) -> None:
    (file.parent / "notes.txt").touch()
    (file.parent / "broken.safetensors").write_bytes(b"x")
    (file.parent / ".part.mp4").touch()
    if os.name != "nt":
        Path(os.fsdecode(os.fsencode(file.parent) + b"/\xe9.mp4")).touch()  # no page could say its name
    (one,) = desk.listed()
    assert one.report is not None
    assert (one.name, one.report.latents, one.report.frames, one.report.model) == (file.name, 10, 37, "tiny")


def test_a_tool_takes_the_files_that_it_needs(desk: Desk, file: Path) -> None:
    for tool, files in (("join", [file]), ("fill", [file]), ("trim", [file, file]), ("none", [file])):
        with pytest.raises(OptionError):
            desk.bench.start(tool, files, {}, "en")
    with pytest.raises(OptionError, match=r"0\.1 to 120"):
        desk.extend(file, 121.0)


def test_a_tool_runs_in_a_process_and_says_what_went_wrong(desk: Desk, file: Path) -> None:
    done = desk.bench.start("trim", [file], {"end": 3, "other": "x"}, "ru")
    failed = desk.bench.start("trim", [file], {"end": 30}, "ru")
    while desk.bench.runs[-1].status in ("waiting", "running"):
        failed_thread = desk.bench._thread
        if failed_thread is not None:
            failed_thread.join()
    assert (done.status, done.result.is_file(), done.fraction) == ("done", True, 1.0)
    assert failed.status == "failed"
    assert any("а" <= letter <= "я" for letter in failed.said)
    html = render_runs(desk.bench.runs, WORDS)
    assert "trimmed.safetensors" in html
    assert "<b>a" not in html


# A tool in the middle of its work, with a folder of its own beside the result.
ENDLESS = """
import sys, threading
from pathlib import Path
result = Path(sys.argv[-2])
result.with_name(f".{result.stem}.segments").mkdir()
print("{}", flush=True)
threading.Event().wait()
"""


def test_a_tool_that_is_stopped_leaves_nothing(desk: Desk, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolruns, "RUN", ENDLESS)
    monkeypatch.setattr(toolruns.ToolRuns, "_hear", lambda self, run, said: self.stop(run.id))
    run = desk.bench.start("to-mp4", [file], {}, "en")
    thread = desk.bench._thread
    if thread is not None:
        thread.join()
    assert (run.status, list(file.parent.iterdir())) == ("stopped", [file])


def test_extending_is_a_job(desk: Desk, picture: Path, video: VideoOptions) -> None:
    path = desk.settings.outputs.absolute() / "a.safetensors"
    path.parent.mkdir(parents=True)
    record: dict[str, Any] = {"kind": "video", "model": "tiny", "request": video.dump() | {"seconds": 1.0}}
    save_latents(path, Latents(np.zeros((1, 16, 10, 6, 10), dtype=np.float32), 0), record)
    job = desk.extend(path, 2.4, "on")
    assert (job.request["seconds"], job.request["prompt"]) == (2.4, "on")
    assert isinstance(job.options, VideoOptions)
    assert job.options.kept.latents == path
    assert job.options.output.latents


def test_a_hundred_megapixels_are_refused(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (10_001, 10_000)).save(path)
    with pytest.raises(EichiError, match="100"):
        desk.start([VideoOptions(image=path)])


def test_known_tools_have_words() -> None:
    for tool in toolruns.TOOLS:
        assert WORDS(f"tool.{tool.replace('-', '_')}")
