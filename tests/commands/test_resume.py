"""`eichi resume`: a chain that was stopped, alone or behind a video, goes on and comes to the same bytes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eichi.jobs.queue import Queue
from eichi.jobs.store import Store
from eichi.jobs.view import Status
from eichi.options import FinishOptions
from eichi.settings import load_settings
from eichi.terminal import STOPPED
from eichi.video.jobfolder import unfinished
from tests.clips import Made
from tests.program import Run

CHAIN = ("--grain", "0.3", "--scale", "0.5", "--reverse")
VIDEO = ("--model", "tiny", "--start", "noise", "--resolution", "64", "--seconds", "1.5", "--steps", "1", "--seed", "3")


class Stop:
    """Ctrl-C when a job has asked so often whether there was one: the first of a command, or one behind it."""

    def __init__(self) -> None:
        self.never()

    def never(self) -> None:
        self.at, self.asked = (-1, 0), list[int]()

    def after(self, count: int, job: int = 0) -> None:
        self.at, self.asked = (job, count), list[int]()

    @contextmanager
    def interrupt(self) -> Iterator[Callable[[], bool]]:
        self.asked.append(0)
        job = len(self.asked) - 1

        def stop() -> bool:
            self.asked[job] += 1
            return (job, self.asked[job]) == self.at

        yield stop


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.finish.plan.PART", 8)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return Made(count=20, sound="aac").write(tmp_path / "clip.mp4")


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Stop:
    asked = Stop()
    monkeypatch.setattr("eichi.commands.run.interrupt", asked.interrupt)
    return asked


def made(folder: Path) -> list[tuple[str, bytes]]:
    """The results in a folder, those that were begun first in front, without their names."""
    return [(path.suffix, path.read_bytes()) for path in sorted(folder.glob("[!.]*"))]


def videos(folder: Path) -> list[bytes]:
    """A video and what was made of it, without the name of the first one, which the record of the other one says."""
    first, other = sorted(folder.glob("*.mp4"))
    return [first.read_bytes(), other.read_bytes().replace(first.stem.encode(), b"")]


def test_a_stopped_chain_goes_on(
    eichi: Run, clip: Path, tmp_path: Path, stop: Stop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert eichi("finish", clip, *CHAIN, "--out", tmp_path / "whole").code == 0
    stop.after(6)
    monkeypatch.chdir(tmp_path)  # what is typed from here is found from elsewhere
    out = tmp_path / "out"
    stopped = eichi("finish", clip.name, *CHAIN, "--out", out)
    assert stopped.code == STOPPED and f"eichi resume --out {out} continues" in stopped.out
    (folder,) = unfinished(out)
    assert list(folder.glob("0*-0*")) and not made(out)
    told = eichi("inspect", folder)
    assert told.code == 0 and "finish.grain = 0.3" in told.out and "1 of 3 parts are done" in told.out
    assert json.loads(eichi("inspect", folder, "--json").out)["request"]["video"] == clip.name
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    stop.never()
    assert eichi("resume", "--out", out).code == 0
    assert made(out) == made(tmp_path / "whole") and not unfinished(out)
    assert eichi("resume", "--out", out).code == 2


def test_a_chain_that_has_made_nothing_leaves_nothing(eichi: Run, clip: Path, tmp_path: Path, stop: Stop) -> None:
    stop.after(1)
    stopped = eichi("finish", clip, "--grain", "0.3", "--out", tmp_path / "out")
    assert stopped.code == STOPPED and "before anything was finished" in stopped.out
    assert not [*(tmp_path / "out").iterdir()]


def test_a_card_that_cannot_be_read_is_named(eichi: Run, tmp_path: Path) -> None:
    (folder := tmp_path / "out" / ".clip.parts").mkdir(parents=True)
    for text in ("{", "[]", '{"request": {"video": "x.mp4", "finish": {"grain": 7}}}'):
        (folder / "chain.json").write_text(text)
        for words in (("resume", "--out", folder.parent), ("inspect", folder)):
            said = eichi(*words)
            assert said.code == 2 and "chain.json, which describes it, cannot be read" in said.err
    (folder / "chain.json").write_text(json.dumps({"request": {"video": str(tmp_path / "gone.mp4")}}))
    assert "gone.mp4" in eichi("resume", "--out", folder.parent).err


@pytest.mark.parametrize("job", [0, 1])
def test_a_chain_behind_a_video_follows_it_also_after_a_stop(eichi: Run, tmp_path: Path, stop: Stop, job: int) -> None:
    """In the video, or in the chain itself."""
    words = (*VIDEO, "--set", "section_size=0.5", "--scale", "0.5")
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert eichi("generate", *words, "--out", whole).code == 0
    assert len(made(whole)) == 4 and len(stop.asked) == 2
    stop.after(stop.asked[job] * 3 // 4, job)
    stopped = eichi("generate", *words, "--out", out)
    assert stopped.code == STOPPED and f"eichi resume --out {out} continues" in stopped.out
    (folder,) = unfinished(out)
    assert (folder / "chain.json").is_file() == bool(job)
    assert "parts are done" in eichi("inspect", folder).out
    stop.never()
    assert eichi("resume", "--out", out).code == 0
    for stopped_video in out.glob("*_stopped*"):
        stopped_video.unlink()
    assert videos(out) == videos(whole) and not unfinished(out)


@pytest.mark.parametrize("words", [("resume",), ("finish", "clip.mp4", *CHAIN)])
def test_a_job_of_the_store_learns_how_its_chain_ended(
    eichi: Run, clip: Path, tmp_path: Path, stop: Stop, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the same is typed again."""
    monkeypatch.chdir(tmp_path)
    stop.after(6)
    out = tmp_path / "out"
    assert eichi("finish", clip, *CHAIN, "--out", out).code == STOPPED
    (folder,) = unfinished(out)
    settings = load_settings()
    with Store(settings.store) as store:
        queue = Queue(store, settings.model_folders, cache=settings.cache)
        values: dict[str, Any] = {"grain": 0.3, "scale": 0.5, "reverse": True}
        drafts, _ = queue.prepare([FinishOptions.parse({"video": clip, "finish": values})], out)
        (job,) = queue.add(drafts)
        store.change(job.id, [Status.WAITING], status=Status.STOPPED, checkpoint=str(folder))
        stop.never()
        assert eichi(*words, "--out", out).code == 0
        row = store.job(job.id)
    assert row.status == Status.DONE and row.result is not None
