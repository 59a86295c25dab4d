"""Prompts and pictures of sections to come are changed: the bytes are those of a job planned so from the beginning."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eichi import make_plan
from eichi.catalog import ModelFolders
from eichi.errors import InputError
from eichi.events import Adjusted, Event, Finished, LatentsReady, SectionDone
from eichi.models.load import Components
from eichi.options import VideoOptions
from eichi.pipeline import checkpoint as checkpoints
from eichi.pipeline.checkpoint import Checkpoint
from eichi.pipeline.generate import generate
from eichi.plan.ahead import plan_ahead, same_ahead
from eichi.plan.plan import Plan
from eichi.settings import Runtime
from eichi.video.sectionfolder import Leavings
from tests import small
from tests.pipeline.test_checkpoint import digests, interrupt

SECTIONS = 3


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> Components:
    folder = small.build(tmp_path_factory.mktemp("framepack"), "framepack")
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """A start picture and two others."""
    random, made = np.random.default_rng(0), []
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        path = tmp_path / "pictures" / f"{number}.png"
        Image.fromarray(random.integers(0, 255, (80, 64, 3), dtype=np.uint8)).save(path)
        made.append(path)
    return made


@pytest.fixture
def request_of(pictures: list[Path]) -> Callable[..., VideoOptions]:
    def make(prompt: str = "a red {star}", **keyframes: Any) -> VideoOptions:
        values: dict[str, Any] = {"image": pictures[0], "prompt": prompt, "section_size": 0.5, "seconds": 2, "seed": 3}
        values |= {"sampling": {"steps": 2}, "keyframes": keyframes, "output": {"latents": True}}
        return VideoOptions.parse(values)

    return make


def run(plan: Plan, folder: Path, components: Components, checkpoint: Checkpoint | None = None) -> list[Event]:
    events = list(generate(plan, folder, components, checkpoint=checkpoint))
    assert isinstance(events[-1], Finished)
    return events


def ways(pictures: list[Path]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What is asked for at first, and what after the first section."""
    one, two = pictures[1:]
    return [
        ({}, {"prompt": "a red {star} moves left"}),
        ({}, {"prompts": {2: "a {star} moves right"}}),
        ({}, {"sections": {2: one}}),
        ({"sections": {2: one}}, {"sections": {2: two}, "prompt": "a {star}"}),
        ({"sections": {1: one, 2: two}}, {"sections": {1: two, 2: one}}),  # dragged from one to the other
        ({"sections": {0: one, 2: two}}, {"sections": {0: one}}),
        # What is made is the end, of which a piece that was there before it knows nothing.
        ({"prompt": "a [0s: {star}] [34%: left]", "blend": 1}, {"prompt": "a [0s: right] [34%: left]"}),
    ]


@pytest.mark.parametrize("way", range(7))
def test_changed_ahead_is_as_planned_from_the_beginning(
    components: Components, request_of: Callable[..., VideoOptions], pictures: list[Path], tmp_path: Path, way: int
) -> None:
    asked, wished = ways(pictures)[way]
    checkpoint = interrupt(make_plan(request_of(**asked), components.entry), tmp_path / "b", components, SectionDone, 1)
    plan = plan_ahead(checkpoint.plan(components.entry), request_of(**asked | wished), checkpoint.settled)
    events = run(plan, tmp_path / "b", components, checkpoint)
    assert Adjusted("note.ahead.taken", {"number": 1}) in events
    assert sum(isinstance(event, SectionDone) and event.computed > 0 for event in events) == SECTIONS - 1
    run(make_plan(plan.options, components.entry), tmp_path / "a", components)
    assert digests(tmp_path / "b") == digests(tmp_path / "a")
    run(make_plan(request_of(**asked), components.entry), tmp_path / "old", components)
    assert digests(tmp_path / "b") != digests(tmp_path / "old")


def test_what_a_section_was_made_with_needs_no_original(
    components: Components, request_of: Callable[..., VideoOptions], pictures: list[Path], tmp_path: Path
) -> None:
    asked = request_of(sections={2: pictures[1]})
    checkpoint = interrupt(make_plan(asked, components.entry), tmp_path / "b", components, SectionDone, 1)
    plan = plan_ahead(checkpoint.plan(components.entry), request_of(sections={2: pictures[2]}), checkpoint.settled)
    assert plan.options.keyframes.sections == {0: pictures[1], 2: pictures[2]}
    kept = shutil.move(pictures[1], tmp_path / "kept.png")
    run(plan, tmp_path / "b", components, checkpoint)
    shutil.move(kept, pictures[1])
    run(make_plan(plan.options, components.entry), tmp_path / "a", components)
    assert digests(tmp_path / "b") == digests(tmp_path / "a")


def test_other_prompts_for_what_is_made_are_refused(
    components: Components, request_of: Callable[..., VideoOptions], tmp_path: Path
) -> None:
    checkpoint = interrupt(make_plan(request_of(), components.entry), tmp_path, components, SectionDone, 1)
    other = make_plan(request_of("other"), components.entry)
    with pytest.raises(InputError, match="prompt"):
        next(iter(generate(other, tmp_path, components, checkpoint=checkpoint)))


@pytest.mark.parametrize("moment", ["before the card", "after the card"])
def test_killed_while_the_plan_is_changed(
    components: Components,
    request_of: Callable[..., VideoOptions],
    pictures: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """Also where the originals are gone: the new copies lie beside the old ones until the card says what counts."""
    one, two = pictures[1:]
    asked = request_of(sections={1: one, 2: two})
    checkpoint = interrupt(make_plan(asked, components.entry), tmp_path / "b", components, SectionDone, 1)
    plan = plan_ahead(checkpoint.plan(components.entry), request_of(sections={1: two, 2: one}), checkpoint.settled)
    run(make_plan(plan.options, components.entry), tmp_path / "a", components)
    for picture in (one, two):
        picture.unlink()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "write_card" if moment == "before the card" else "settle", killed)
        with pytest.raises(KeyboardInterrupt):
            list(generate(plan, tmp_path / "b", components, checkpoint=checkpoint))
    assert same_ahead(checkpoint.plan(components.entry).options, plan.options) == (moment == "after the card")
    events = run(plan, tmp_path / "b", components, checkpoint)
    assert not [event for event in events if isinstance(event, Adjusted) and event.id == "note.resume.copy"]
    assert digests(tmp_path / "b") == digests(tmp_path / "a")


def test_the_sections_of_a_finished_job_stay_where_they_are_wanted(
    components: Components, request_of: Callable[..., VideoOptions], tmp_path: Path
) -> None:
    plan = make_plan(request_of(), components.entry)
    events = list(generate(plan, tmp_path, components, retire=True))
    drawn = {event.order: event.latents for event in events if isinstance(event, LatentsReady)}
    (folder,) = tmp_path.glob(".*")
    left = Leavings(folder)
    assert (left.made, left.settled, left.card()["seed"]) == (SECTIONS, SECTIONS, 3)
    assert not list(folder.glob("*.png")) + list(folder.glob("*.mp4"))
    joined = left.latents(left.plan(components.entry), 2)
    assert joined.first == 6
    assert np.array_equal(joined.values, np.concatenate([drawn[1], drawn[0]], axis=2))
    left.forget()
    assert not folder.exists()
