"""A gap between two files: one window, both ends known."""

import pytest

from eichi.catalog import find
from eichi.errors import OptionError
from eichi.options import FillOptions
from eichi.plan.continued import Shape
from eichi.plan.fill import make_fill_plan
from eichi.plan.splice import frame_total

BEFORE, AFTER = Shape(16, 10, 8, 8), Shape(16, 19, 8, 8)


def options(**values: object) -> FillOptions:
    return FillOptions.parse({"before": "a.safetensors", "after": "b.safetensors", "prompt": "p"} | values)


@pytest.mark.parametrize("length", [1, 9, 12])
def test_the_window_lies_between_the_two_ends(length: int) -> None:
    plan = make_fill_plan(options(length=length, seed=3), find("tiny"), BEFORE, AFTER)
    layout = plan.layout
    assert layout.start == (0,)
    assert layout.window == tuple(range(1, length + 1))
    assert (*layout.clean, *layout.x2, *layout.x4) == tuple(range(length + 1, length + 20))
    assert (plan.shape.count, plan.shape.joints) == (29 + length, (10 + length,))
    assert frame_total(plan.shape) == frame_total(BEFORE) + 4 * length + frame_total(AFTER)
    assert (plan.seed, plan.options.seed) == (3, 3)


def test_a_second_file_without_its_start_goes_on_in_one_clip() -> None:
    plan = make_fill_plan(options(), find("tiny"), BEFORE, Shape(16, 19, 8, 8, first=1))
    assert (plan.shape.joints, frame_total(plan.shape)) == ((), 4 * 38 - 3)
    assert plan.options.seed == plan.seed


@pytest.mark.parametrize(
    ("model", "before", "after", "words"),
    [
        ("tiny-f1", BEFORE, AFTER, "tiny-f1 is an F1 model"),
        ("tiny", BEFORE, Shape(16, 19, 6, 10), "64x64x16 and 80x48x16"),
        ("tiny", Shape(16, 10, 7, 8), Shape(16, 10, 7, 8), "multiples of 16"),
    ],
)
def test_refusals(model: str, before: Shape, after: Shape, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        make_fill_plan(options(), find(model), before, after)


def test_notes() -> None:
    plan = make_fill_plan(options(prompt="", negative="n"), find("tiny"), BEFORE, AFTER)
    assert [note.id for note in plan.notes] == ["note.prompt.empty", "note.option.unused"]


def test_the_model_is_written_down() -> None:
    plan = make_fill_plan(options(model="tiny"), find("framepack"), BEFORE, AFTER)
    assert plan.options.model == "framepack"
    assert make_fill_plan(plan.options, plan.entry, BEFORE, AFTER) == plan
