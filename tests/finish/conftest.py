"""A video to finish, in parts that are small, and what reads the results."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from eichi.catalog import ModelFolders
from eichi.events import Event, Finished
from eichi.finish.plan import FinishPlan, make_finish_plan
from eichi.finish.run import finish
from eichi.options import FinishOptions
from eichi.settings import Runtime
from tests.clips import Made

COUNT, SIZE = 20, (64, 48)
Plans = Callable[..., FinishPlan]
Runs = Callable[..., Finished]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty frames, each four steps brighter than the one before, with a tone."""
    folder = tmp_path_factory.mktemp("clip")
    return Made(count=COUNT, size=SIZE, sound="aac", options={"crf": "1"}).write(folder / "clip.mp4")


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eichi.finish.plan.PART", 8)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return Runtime(ModelFolders(tmp_path / "models"), device="cpu")


@pytest.fixture
def plan_of(clip: Path, runtime: Runtime) -> Plans:
    """The plan of a chain over the clip, or over another video."""

    def make(video: Path = clip, **chain: Any) -> FinishPlan:
        return make_finish_plan(FinishOptions.parse({"video": video, "finish": chain}), runtime.models)

    return make


@pytest.fixture
def run(plan_of: Plans, runtime: Runtime, tmp_path: Path) -> Runs:
    """What a chain comes to."""

    def made(video: Path | None = None, **chain: Any) -> Finished:
        plan = plan_of(**({} if video is None else {"video": video}), **chain)
        return ended(list(finish(plan, tmp_path / "out", runtime)))

    return made


def ended(events: list[Event]) -> Finished:
    last = events[-1]
    assert isinstance(last, Finished)
    return last


def greys(path: str | Path) -> list[float]:
    """How bright the middle of each frame of a video is."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [float(np.mean(frame[8:-8, 8:-8])) for frame in frames]
