"""One request becomes many, and all of them are known before anything starts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.errors import OptionError
from eichi.jobs.batch import MOST, Batch, BatchPicture, expand, parse_prompts
from eichi.options import MAX_SEED, FrameOptions, ReferenceOptions, VideoOptions

VIDEO = VideoOptions.parse({"image": "a.png", "prompt": "p", "seed": 7})
# Characters that end a line for Python are no part of a prompt in a list.
LINES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).map(str.strip).filter(bool)


@given(st.lists(LINES))
def test_every_prompt_comes_back(prompts: list[str]) -> None:
    lines = [f"\\{prompt}" if prompt.startswith(("#", "\\#")) else prompt for prompt in prompts]
    for mark in ("", "\ufeff"):
        if not (mark or (lines and lines[0].startswith("\ufeff"))):
            assert parse_prompts(mark + "\n".join(lines)) == prompts
        assert len(parse_prompts("\r\n \r\n".join(["# remark", *lines, "#"]))) == len(prompts)


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    for prompt in parse_prompts(text):
        assert prompt
        assert prompt == prompt.strip()


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("", []),
        ("\n \n# a\n", []),
        ("\ufeffa\nb", ["a", "b"]),
        ("a\r\n\r\n  b c \n#d\n\\#e", ["a", "b c", "#e"]),
        ("猫\n \u3000кот", ["猫", "кот"]),
    ],
)
def test_prompt_lists(text: str, prompts: list[str]) -> None:
    assert parse_prompts(text) == prompts


def test_an_empty_batch_is_the_request_itself() -> None:
    assert expand(VIDEO, Batch()) == [VIDEO]


def test_seeds_are_counted_from_the_request_s() -> None:
    assert [one.seed for one in expand(VIDEO, Batch(count=3))] == [7, 8, 9]


@pytest.mark.parametrize("first", [None, MAX_SEED - 2])
def test_drawn_seeds_are_consecutive_too(first: int | None) -> None:
    found = expand(VIDEO.model_copy(update={"seed": first}), Batch(count=3, prompts=("a", "b")))
    seeds = [one.seed for one in found]
    assert seeds[0] is not None
    assert seeds == [seeds[0], seeds[0] + 1, seeds[0] + 2] * 2


def test_seeds_beyond_the_last_are_refused() -> None:
    with pytest.raises(OptionError, match="beyond 4294967295"):
        expand(VIDEO.model_copy(update={"seed": MAX_SEED - 1}), Batch(count=3))


def test_everything_with_everything_a_picture_s_own_text_alone() -> None:
    pictures = (BatchPicture(Path("1.png")), BatchPicture(Path("2.png"), "own"))
    found = expand(VIDEO, Batch(count=2, prompts=("a", "b"), pictures=pictures))
    assert [(str(one.image), one.prompt, one.seed) for one in found] == [
        ("1.png", "a", 7),
        ("1.png", "a", 8),
        ("1.png", "b", 7),
        ("1.png", "b", 8),
        ("2.png", "own", 7),
        ("2.png", "own", 8),
    ]


def test_references_take_turns_before_those_of_the_request() -> None:
    frame = FrameOptions.parse({"image": "a.png", "references": ["z.png:3"], "seed": 1})
    turns = tuple(ReferenceOptions.model_validate(text) for text in ("r.png:5", "s.png::m.png"))
    found = expand(frame, Batch(references=turns))
    assert all(isinstance(one, FrameOptions) for one in found)
    references = [one.references for one in found if isinstance(one, FrameOptions)]
    assert references == [(turn, *frame.references) for turn in turns]


def test_windows_and_targets_are_swept() -> None:
    frame = FrameOptions.parse({"image": "a.png", "seed": 1})
    found = expand(frame, Batch(windows=(4, 9), targets=(1, 2)))
    made = [(one.window, one.target, one.seed) for one in found if isinstance(one, FrameOptions)]
    assert made == [(4, 1, 1), (4, 2, 1), (9, 1, 1), (9, 2, 1)]


def test_a_video_has_no_references() -> None:
    with pytest.raises(OptionError, match="single frames"):
        expand(VIDEO, Batch(targets=(1,)))


def test_a_list_of_too_many_entries_is_refused() -> None:
    assert len(parse_prompts("#\na\n\n" * MOST)) == MOST
    with pytest.raises(OptionError, match="more than 10000"):
        parse_prompts("a\n" * (MOST + 1))
