"""Requests that take the same time for a section have the same pace, and no others."""

from pathlib import Path
from typing import Any

import pytest

from eichi import make_frame_plan, make_plan
from eichi.jobs.draft import pace_key
from eichi.options import FrameOptions, VideoOptions


def video(picture: Path, **values: Any) -> str:
    return pace_key(make_plan(VideoOptions.parse({"image": picture, "seed": 1, **values})))


def frame(picture: Path, **values: Any) -> str:
    return pace_key(make_frame_plan(FrameOptions.parse({"image": picture, "seed": 1, **values})))


def test_a_pace_can_be_read(picture: Path) -> None:
    assert video(picture) == (
        "video 80x48 model=tiny resolution=64 weights.fp8=off section_size=1.0 sampling.steps=25 sampling.cfg=1.0"
        " sampling.teacache=True sampling.cache=tea sampling.threshold=None sampling.nag=1.0"
    )
    assert str(picture) not in frame(picture, references=[str(picture)])


@pytest.mark.parametrize(
    "values",
    [
        {"prompt": "x", "negative": "y", "seconds": 9, "seed": 2},
        {"keyframes": {"loop": "final", "prompts": {0: "x"}}},
        {"sampling": {"guidance": 2, "padding": 1}, "output": {"crf": 3, "stills": True}},
    ],
)
def test_what_costs_no_time_leaves_the_pace(picture: Path, values: dict[str, Any]) -> None:
    assert video(picture, **values) == video(picture)


def test_what_costs_time_changes_it(picture: Path) -> None:
    paces = [
        video(picture),
        video(picture, model="tiny-f1"),
        video(picture, section_size=0.5),
        video(picture, weights={"fp8": "row"}),
        *(video(picture, sampling=one) for one in ({"steps": 4}, {"cfg": 2}, {"cache": "mag"}, {"teacache": False})),
        frame(picture),
        frame(picture, zeros={"x4": False}),
        *(frame(picture, references=[str(picture)] * count) for count in (1, 2)),
    ]
    assert len({*paces}) == len(paces)


def test_what_another_option_makes_useless_leaves_it(picture: Path) -> None:
    off = {"teacache": False}
    assert video(picture, sampling=off | {"cache": "mag", "threshold": 0.3}) == video(picture, sampling=off)
    assert video(picture, weights={"fp8_math": True}) == video(picture)
