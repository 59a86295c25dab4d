"""What of a video that is begun can still be changed, and how the request says what its sections were made with."""

from pathlib import Path
from typing import Any

import pytest

from eichi.catalog import find
from eichi.errors import OptionError
from eichi.options import VideoOptions
from eichi.plan.ahead import check_made, check_settled, overtaken, plan_ahead, same_ahead, same_past
from eichi.plan.plan import Plan, make_plan

A, B, C = (Path(f"{name}.png") for name in "abc")
START = Path("start.png")


def request(prompt: str = "old", model: str = "tiny", **keyframes: Any) -> VideoOptions:
    values = {"image": START, "prompt": prompt, "seconds": 5, "seed": 1, "model": model, "keyframes": keyframes}
    return VideoOptions.parse(values)


def plan(options: VideoOptions) -> Plan:
    """Four sections, with a seamless loop three and one that connects."""
    made = make_plan(options, find(options.model), (80, 48))
    assert len(made.sections) == 4
    return made


def made_with(plan: Plan) -> list[tuple[str, str]]:
    pictures = plan.images | {"end": Path("end")}
    return [(section.prompt, pictures[section.anchor].stem) for section in plan.sections]


@pytest.mark.parametrize("made", [1, 2, 3])
@pytest.mark.parametrize("model", ["tiny", "tiny-f1"])
def test_sections_that_are_made_keep_the_common_prompt_that_they_had(model: str, made: int) -> None:
    before = plan(request(model=model, prompts={2: "own"}))
    after = plan_ahead(before, request("new", model, prompts={2: "other"} if made < 3 else {2: "own"}), made)
    had = [prompt for prompt, _ in made_with(before)]
    now = [prompt for prompt, _ in made_with(after)]
    assert now[:made] == had[:made]
    assert now[made:] == ["new", "new", "other", "new"][made:]
    assert after.options.prompt == "new"
    assert same_past(before, after, made)
    # It is a request like any other: planned from the beginning it is the same plan.
    assert plan(after.options) == after


def test_what_is_not_changed_needs_no_word() -> None:
    before = plan(request(prompts={0: "own"}, sections={1: A}))
    assert plan_ahead(before, before.options, 2) == before
    assert same_ahead(before.options, before.options)
    assert plan_ahead(before, request(sections={1: A}, prompts={2: "x"}), 2).options.keyframes.prompts == {
        0: "own",
        2: "x",
    }


@pytest.mark.parametrize(
    ("old", "new", "made", "has"),
    [
        ({}, {3: A}, 2, {1: START, 3: A}),
        ({3: A}, {3: B}, 1, {0: A, 3: B}),
        ({3: A}, {}, 2, {1: A}),
        ({0: B, 3: A}, {0: B, 2: C}, 2, {0: B, 1: A, 2: C}),
        ({0: B}, {0: B, 1: C}, 1, {0: B, 1: C}),
        ({1: A}, {3: C}, 3, {1: A, 2: START, 3: C}),
    ],
)
def test_sections_that_are_made_keep_the_picture_that_they_had(
    old: dict[int, Path], new: dict[int, Path], made: int, has: dict[int, Path]
) -> None:
    before = plan(request(sections=old))
    wished = request(sections=new)
    after = plan_ahead(before, wished, made)
    assert after.options.keyframes.sections == has
    assert made_with(after) == made_with(before)[:made] + made_with(plan(wished))[made:]


def test_a_section_that_is_made_is_refused_by_name() -> None:
    before = plan(request(prompts={0: "own"}, sections={1: A}))
    for keyframes, key in (({"prompts": {0: "other"}}, "keyframes.prompts.0"), ({"sections": {1: B}}, "…sections.1")):
        with pytest.raises(OptionError) as refused:
            check_made(before, request(**keyframes), 2)
        assert refused.value.id == "error.ahead.made"
        assert str(refused.value.values["key"]).endswith(key.strip("…"))
    check_made(before, request(prompts={0: "own", 1: " "}, sections={1: A, 0: A}), 2)
    assert list(overtaken(before, request(prompts={0: "a", 1: "b"}), 1)) == [(0, "keyframes.prompts")]


@pytest.mark.parametrize(
    "update", [{"seed": 2}, {"seconds": 6}, {"negative": "x"}, {"sampling": {"steps": 3}}, {"keyframes": {"final": A}}]
)
def test_everything_else_is_settled(update: dict[str, Any]) -> None:
    asked = request()
    wished = VideoOptions.parse(asked.dump() | update)
    with pytest.raises(OptionError) as refused:
        check_settled(asked, wished)
    (name,) = update
    assert refused.value.id == "error.ahead.settled"
    assert str(refused.value.values["key"]).startswith(name)


def test_a_seed_that_is_left_open_is_the_one_that_was_drawn() -> None:
    asked = request()
    check_settled(asked, asked.model_copy(update={"seed": None}))


def test_that_sections_have_no_prompt_is_said_by_giving_the_others_theirs() -> None:
    before = plan(request(""))
    after = plan_ahead(before, request("new"), 2)
    assert made_with(after) == [("", "start")] * 2 + [("new", "start")] * 2
    assert after.options.keyframes.prompts == {2: "new", 3: "new"}
    with pytest.raises(OptionError, match="connecting section"):
        plan_ahead(plan(request("", loop="seamless")), request("new", loop="seamless"), 2)


def test_the_connecting_section_has_the_common_prompt() -> None:
    before = plan(request(loop="seamless"))
    after = plan_ahead(before, request("new", loop="seamless"), 2)
    assert [prompt for prompt, _ in made_with(after)] == ["old", "old", "new", "new"]


def test_copies_go_on_and_are_refused_where_they_would_reach_too_far() -> None:
    copied: dict[str, Any] = {"sections": {0: A, 1: B}, "copies": True}
    before = plan(request(**copied))
    after = plan_ahead(before, request(sections={0: A, 1: B, 2: C}, copies=True), 2)
    assert [picture for _, picture in made_with(after)] == ["a", "b", "c", "b"]
    # What section 0 had, written down as its own, would be the red one of those to come.
    with pytest.raises(OptionError, match="section 1"):
        plan_ahead(plan(request(sections={1: B}, copies=True)), request(sections={3: C}, copies=True), 1)


@pytest.mark.parametrize("model", ["tiny", "tiny-f1"])
def test_pieces_in_time_are_written_down_for_what_is_made(model: str) -> None:
    before = plan(request("c [0s: a] [2s: b]", model))
    after = plan_ahead(before, request("c [0s: x]", model), 2)
    had, now = ([prompt for prompt, _ in made_with(one)] for one in (before, after))
    assert now[:2] == had[:2]
    assert now[2:] == ["c x"] * 2
    assert same_past(before, after, 2)
    assert plan(after.options) == after


def test_what_is_made_is_not_blended_otherwise() -> None:
    before = plan(request("[0s: a] [2s: b]", blend=2))
    assert [section.earlier for section in before.sections] == ["a", "a", None, None]
    with pytest.raises(OptionError, match="section 0"):
        plan_ahead(before, request("[0s: x] [2s: b]", blend=2), 2)
    forward = plan(request("[0s: a] [2s: b]", "tiny-f1", blend=2))
    assert plan_ahead(forward, request("[0s: a] [2s: x]", "tiny-f1", blend=2), 2).sections[2].prompt == "x"
