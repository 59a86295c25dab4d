"""Sections that look wrong are named, and such as only might are left alone."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eichi.catalog import find
from eichi.events import Event, Flagged, FramesReady, SectionDone
from eichi.options import VideoOptions
from eichi.plan.plan import Plan, make_plan
from eichi.video.quality import BLACK_FRAMES, Quality, watch

Frames = NDArray[np.uint8]
SIDE = 64


def plan(model: str = "tiny", seconds: float = 3.6, **values: Any) -> Plan:
    request = {"model": model, "image": "start.png", "seconds": seconds, "seed": 1} | values
    return make_plan(VideoOptions.parse(request), find(model), (SIDE, SIDE))


def picture(seed: int = 0) -> Frames:
    """A picture with large and small shapes, of middling light and colour."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (4, 4, 3)).repeat(16, axis=0).repeat(16, axis=1)
    return (coarse + rng.integers(-20, 21, (SIDE, SIDE, 3))).astype(np.uint8)


def moving(start: Frames, count: int) -> Frames:
    """A pan by a quarter of the picture."""
    return np.stack([np.roll(start, index * SIDE // 4 // count, axis=1) for index in range(count)])


def still(start: Frames, count: int, grain: float) -> Frames:
    """A camera that stands, with its noise."""
    noise = np.random.default_rng(1).normal(0, grain, (count, *start.shape))
    made: Frames = np.clip(start + noise, 0, 255).round().astype(np.uint8)
    return made


def lit(frames: Frames, light: float) -> Frames:
    made: Frames = np.clip(frames * light, 0, 255).round().astype(np.uint8)
    return made


def clip(made: Plan, start: Frames, faults: dict[int, Callable[[Frames], Frames]]) -> Frames:
    """A good video but for the sections that a fault is done to."""
    frames = moving(start, made.frames)
    for section in made.sections:
        if section.number in faults:
            span = slice(section.start_frame, section.end_frame)
            frames[span] = faults[section.number](frames[span])
    return frames


def flags(made: Plan, pictures: list[Frames], frames: Frames, cuts: list[int]) -> list[Flagged]:
    """What is said of a video whose frames become final in runs, in the order of the model."""
    edges = sorted({0, *cuts, len(frames)})
    runs = [FramesReady(a, frames[a:b]) for a, b in pairwise(edges)]
    if made.entry.direction == "reverse":
        runs.reverse()
    quality = Quality(made, pictures)
    return [flag for run in runs for flag in quality.take(run)]


def black(frames: Frames) -> Frames:
    return np.zeros_like(frames)


def frozen(frames: Frames) -> Frames:
    return np.broadcast_to(frames[:1], frames.shape).copy()


def gaudy(frames: Frames) -> Frames:
    """Twice the saturation."""
    grey = frames.mean(axis=3, keepdims=True)
    made: Frames = np.clip(grey + 2 * (frames - grey), 0, 255).astype(np.uint8)
    return made


def brighter(frames: Frames) -> Frames:
    made: Frames = np.clip(frames.astype(int) + 60, 0, 255).astype(np.uint8)
    return made


FAULTS = {"flag.black": black, "flag.frozen": frozen, "flag.drift": brighter}


@pytest.mark.parametrize("model", ["tiny", "tiny-f1"])
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("id", FAULTS)
def test_a_fault_is_found_in_its_section(model: str, number: int, id: str) -> None:
    made, start = plan(model), picture()
    found = flags(made, [start], clip(made, start, {number: FAULTS[id]}), [13, 25, 49, 61, 85])
    assert [(flag.number, flag.id) for flag in found] == [(number, id)]


@given(
    cuts=st.lists(st.integers(1, 108), max_size=12),
    faults=st.dictionaries(st.integers(0, 2), st.sampled_from(sorted(FAULTS))),
    model=st.sampled_from(["tiny", "tiny-f1"]),
)
def test_runs_do_not_matter(cuts: list[int], faults: dict[int, str], model: str) -> None:
    made, start = plan(model), picture()
    frames = clip(made, start, {number: FAULTS[id] for number, id in faults.items()})
    assert {flag.number: flag.id for flag in flags(made, [start], frames, cuts)} == faults


@given(st.integers(0, 1000), st.sampled_from(["tiny", "tiny-f1"]))
def test_a_good_video_has_no_flag(seed: int, model: str) -> None:
    made, start = plan(model, seconds=2), picture(seed)
    assert flags(made, [start], clip(made, start, {}), [25, 49]) == []


@pytest.mark.parametrize(("grain", "ids"), [(0.0, ["flag.frozen"]), (0.25, ["flag.frozen"]), (0.5, []), (2.0, [])])
def test_a_still_scene_with_grain_is_not_frozen(grain: float, ids: list[str]) -> None:
    made, start = plan(seconds=1), picture()
    assert [flag.id for flag in flags(made, [start], still(start, made.frames, grain), [])] == ids


def test_one_small_thing_that_moves_is_enough() -> None:
    made, start = plan(seconds=1), picture()
    frames = still(start, made.frames, 0)
    for index in range(made.frames):
        frames[index, 30, index : index + 2] = 255
    assert flags(made, [start], frames, []) == []


@pytest.mark.parametrize(("light", "ids"), [(0.1, []), (0.05, []), (0.0, ["flag.black"])])
def test_a_dark_scene_is_not_black(light: float, ids: list[str]) -> None:
    made, start = plan(seconds=1), picture()
    frames = lit(clip(made, start, {}), light)
    night = lit(start, 0.1)
    assert [flag.id for flag in flags(made, [night], frames, [])] == ids


@pytest.mark.parametrize(("count", "ids"), [(BLACK_FRAMES - 1, []), (BLACK_FRAMES, ["flag.black"])])
def test_one_latent_of_black_is_enough(count: int, ids: list[str]) -> None:
    made, start = plan(seconds=1), picture()
    frames = clip(made, start, {})
    frames[10 : 10 + count] = 0
    found = flags(made, [start], frames, [12])
    assert [(flag.id, flag.values) for flag in found] == [(id, {"frames": count, "count": 37}) for id in ids]


def test_a_video_that_is_to_end_black_may() -> None:
    made, start = plan(), picture()
    frames = clip(made, start, {0: black})
    found = flags(made, [start, np.zeros_like(start)], frames, [])
    assert [flag.id for flag in found] == ["flag.frozen"]


def test_colours_between_those_of_two_pictures_are_no_drift() -> None:
    made, start = plan(seconds=1), picture()
    end = brighter(start)
    frames = np.stack([start + ((end.astype(int) - start) * share).astype(int) for share in np.linspace(0, 1, 37)])
    assert flags(made, [start, end], frames.astype(np.uint8), []) == []
    assert [flag.id for flag in flags(made, [start], frames.astype(np.uint8)[18:].repeat(2, axis=0)[:37], [])]


def test_the_figure_of_drift() -> None:
    made, start = plan(seconds=1), picture()
    (flag,) = flags(made, [start], np.clip(moving(start, 37).astype(int) + 51, 0, 255).astype(np.uint8), [])
    assert flag == Flagged(0, "flag.drift", {"percent": flag.values["percent"]})
    assert flag.values["percent"] == pytest.approx(20, abs=1)
    (flag,) = flags(made, [start], gaudy(moving(start, 37)), [])
    assert flag.id == "flag.drift"


def test_a_seamless_loop_has_its_connecting_section_watched() -> None:
    made, start = plan(keyframes={"loop": "seamless"}), picture()
    found = flags(made, [start], clip(made, start, {-1: black}), [])
    assert [(flag.number, flag.id) for flag in found] == [(-1, "flag.black")]


def test_other_events_pass_in_their_order() -> None:
    made, start = plan(seconds=1), picture()
    done = SectionDone(0, 0, 1, 1, 0)
    ready = FramesReady(0, black(clip(made, start, {})))

    def job() -> Iterator[Event]:
        yield done
        yield ready
        yield replace(done, order=1)

    seen = list(watch(made, [start], job()))
    assert [type(event).__name__ for event in seen] == ["SectionDone", "FramesReady", "Flagged", "SectionDone"]
