"""Wildcards of a request: drawn from the lists of a folder, recorded as drawn, with what was written beside it."""

from pathlib import Path
from typing import Any

import pytest

from eichi.errors import InputError
from eichi.library.wildcards import drawn_request, example, undrawn
from eichi.options import FillOptions, FrameOptions, VideoOptions

WRITTEN = "a {red|green} __animal__ [1s: {runs|sits}]"
ANIMALS = {"cat", "dog", "#1 hen"}


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    (tmp_path / "animal.txt").write_text("# a remark\n\ncat\n  dog \n\\#1 hen\n", encoding="utf-16")
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path.parent / "outside.txt").write_text("secret")
    return tmp_path


def request(prompt: str = WRITTEN, seed: int | None = 3, **values: Any) -> VideoOptions:
    return VideoOptions.parse({"image": "a.png", "prompt": prompt, "seed": seed, **values})


def test_prompts_are_drawn_and_what_was_written_is_kept(lists: Path) -> None:
    asked = request(negative="{x|y}", keyframes={"prompts": {0: "own {p|q}", 1: "plain"}})
    made = drawn_request(asked, lists)
    assert made.prompt.split()[2] in {word.split()[0] for word in ANIMALS}
    assert made.prompt.split()[1] in {"red", "green"}
    assert made.negative in {"x", "y"}
    assert made.keyframes.prompts[0] in {"own p", "own q"}
    assert made.keyframes.prompts[1] == "plain"
    assert made.written.prompt == WRITTEN
    assert made.written.negative == "{x|y}"
    assert made.written.sections == {0: "own {p|q}"}
    assert VideoOptions.parse(made.dump()) == made
    assert drawn_request(asked, lists) == made
    assert drawn_request(made, lists) == made  # as a job that is made again has it
    assert drawn_request(made, None).prompt == made.prompt  # or one on a machine without the lists


def test_a_request_comes_back_as_it_was_written(lists: Path) -> None:
    asked = request(negative="{x|y}", keyframes={"prompts": {0: "own {p|q}", 1: "plain"}})
    assert undrawn(drawn_request(asked, lists)) == asked
    assert undrawn(asked) == asked
    frame = FrameOptions.parse({"image": "a.png", "prompt": "{a|b}", "seed": 3})
    assert undrawn(drawn_request(frame, None)) == frame


def test_seeds_draw_differently_and_an_open_one_is_settled(lists: Path) -> None:
    assert len({drawn_request(request(seed=seed), lists).prompt for seed in range(40)}) == 12
    made = drawn_request(request(seed=None), lists)
    assert made.seed is not None
    assert drawn_request(request(seed=made.seed), lists) == made
    shown, left = example(request(seed=None), lists)
    assert (shown.seed, left) == (None, True)
    assert shown.prompt == drawn_request(request(seed=0), lists).prompt
    assert example(request(), lists)[1] is False


def test_what_has_none_stays_as_it_is() -> None:
    asked = request("a {plain} [1s: prompt]", None)
    assert drawn_request(asked, None) is asked
    assert example(asked, None) == (asked, False)


@pytest.mark.parametrize("change", [{"prompt": "another"}, {"seed": 4}, {"seed": None}])
def test_what_was_written_goes_when_it_is_not_that_any_more(lists: Path, change: dict[str, Any]) -> None:
    made = drawn_request(request(), lists)
    other = drawn_request(made.model_copy(update=change), lists)
    assert other.written.prompt is None
    assert other.prompt == change.get("prompt", made.prompt)


def test_other_requests_have_them_too(lists: Path) -> None:
    frame = FrameOptions.parse({"image": "a.png", "prompt": "{a|b}", "seed": 1})
    fill = FillOptions.parse({"before": "a", "after": "b", "prompt": "{a|b}", "seed": 1})
    for asked in (frame, fill):
        made = drawn_request(asked, lists)
        assert made.prompt in {"a", "b"}
        assert made.written.prompt == "{a|b}"


@pytest.mark.parametrize(
    ("prompt", "id"),
    [("__nobody__", "missing"), ("__outside__", "missing"), ("__empty__", "empty")],
)
def test_lists_that_are_not_there(lists: Path, prompt: str, id: str) -> None:
    asked = request("fine", keyframes={"prompts": {1: prompt}})
    with pytest.raises(InputError) as error:
        drawn_request(asked, lists)
    assert error.value.id == f"error.wildcard.{id}"
    assert error.value.values["key"] == "keyframes.prompts.1"
    with pytest.raises(InputError, match="no list"):
        drawn_request(asked, None)


def test_lists_that_a_prompt_cannot_name_are_not_offered(lists: Path) -> None:
    for name in ("a.b.txt", ".hidden.txt", "two words.txt"):
        (lists / name).write_text("x\n")
    (lists / "folder.txt").mkdir()
    with pytest.raises(InputError) as caught:
        drawn_request(request("__nobody__"), lists)
    assert caught.value.values["names"] == "animal, empty"
