"""One video in two processes is what it is in one, the whole job through, and one that dies does not hold the other up.

One further process serves the whole file: to start it takes longer than all that it does.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from torch import distributed

from eichi import make_frame_plan, make_plan
from eichi.catalog import Direction, ModelFolders
from eichi.errors import RunError
from eichi.events import Adjusted, Event, Finished, LatentsReady, SectionDone, Step
from eichi.models.load import Components
from eichi.options import FrameOptions, VideoOptions
from eichi.pipeline.generate import generate
from eichi.pipeline.job import arrange
from eichi.settings import Runtime
from eichi.video.metadata import read_record
from tests import small

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not distributed.is_gloo_available(), reason="gloo is not there"),
]
NEAR = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.build(tmp_path_factory.mktemp("framepack"))


@pytest.fixture(scope="module")
def alone(folder: Path) -> Components:
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))


@pytest.fixture(scope="module")
def together(folder: Path) -> Iterator[Components]:
    components = Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu", gpus=2))
    yield components
    components.close()


def begin(components: Components, direction: Direction, folder: Path, **values: Any) -> Iterator[Event]:
    components.entry = replace(components.entry, direction=direction)
    sampling = {"steps": 3} | values.pop("sampling", {})
    given = {"prompt": "a {red} star", "seconds": 1, "section_size": 0.5, "seed": 5, "sampling": sampling} | values
    return generate(make_plan(VideoOptions.parse(given), components.entry), folder, components)


def latents(events: list[Event]) -> np.ndarray:
    return np.concatenate([event.latents for event in events if isinstance(event, LatentsReady)], axis=2)


def computed(events: list[Event]) -> list[tuple[int, int]]:
    return [(event.computed, event.reused) for event in events if isinstance(event, SectionDone)]


CASES: list[tuple[Direction, dict[str, Any]]] = [
    ("reverse", {"sampling": {"steps": 4}}),
    ("forward", {"sampling": {"cfg": 3.0, "cache": "first", "threshold": 0.5}, "section_size": 1.0, "seconds": 2}),
    ("forward", {"sampling": {"teacache": False}, "weights": {"fp8": "row"}}),
    ("reverse", {"sampling": {"nag": 5.0, "rope": 0.5, "cfg": 2.0}, "negative": "a star moves left"}),
]


@pytest.mark.parametrize(("direction", "values"), CASES)
def test_two_processes_draw_what_one_does(
    alone: Components, together: Components, picture: Path, tmp_path: Path, direction: Direction, values: dict[str, Any]
) -> None:
    one = list(begin(alone, direction, tmp_path / "one", image=picture, **values))
    two = list(begin(together, direction, tmp_path / "two", image=picture, **values))
    expected, made = latents(one), latents(two)
    assert np.abs(made - expected).max() < NEAR * np.abs(expected).max()
    assert computed(two) == computed(one)
    done = two[-1]
    assert isinstance(done, Finished)
    assert read_record(Path(done.video))["gpus"] == 2
    assert Adjusted("note.gpus.cpu", {"gpus": 2}) in two


def test_an_image_is_left_to_one(together: Components, picture: Path) -> None:
    together.entry = replace(together.entry, direction="reverse")
    plan = make_frame_plan(FrameOptions.parse({"image": picture, "prompt": "a star"}), together.entry)
    assert Adjusted("note.gpus.one", {}) in list(arrange(together, plan.options, plan.need))
    assert together.gpus == 1


def test_a_process_that_dies_ends_the_job_with_a_word(together: Components, picture: Path, tmp_path: Path) -> None:
    team = together.team
    assert team is not None
    events = begin(together, "forward", tmp_path, image=picture)
    next(event for event in events if isinstance(event, Step))
    (one,) = psutil.Process().children()
    one.kill()
    with pytest.raises(RunError) as caught:
        list(events)
    assert caught.value.id in ("error.gpus.lost", "error.gpus.ended")
    assert not team.running
    assert psutil.Process().children() == []
