"""Flags and `--set` become a request."""

from pathlib import Path
from typing import Any

import pytest

from eichi.errors import OptionError
from eichi.flags import read_request, read_sweep
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import load_settings


def test_a_flag_beats_an_assignment() -> None:
    options = read_request(
        VideoOptions,
        ("sampling.steps=7", "sampling.rescale=0.5", "prompt=a=b"),
        {"sampling__steps": "9", "seed": None},
        load_settings(),
    )
    assert (options.sampling.steps, options.sampling.rescale, options.prompt, options.seed) == (9, 0.5, "a=b", None)


def test_numbered_values() -> None:
    flags = {"keyframes__sections": ("0:C:\\end.png", " 12 :x.png"), "keyframes__prompts": ("1:a: b",)}
    keys = read_request(VideoOptions, (), flags, load_settings()).keyframes
    assert keys.sections == {0: Path("C:\\end.png"), 12: Path("x.png")}
    assert keys.prompts == {1: "a: b"}


@pytest.mark.parametrize(
    ("assignments", "flags", "words"),
    [
        (("steps",), {}, ["--set steps", "KEY=VALUE"]),
        (("=3",), {}, ["no option"]),
        (("nope=3",), {}, ["no option", "nope"]),
        (("keyframes.prompts=x",), {}, ["--set", "--section-prompt N:VALUE"]),
        ((), {"keyframes__sections": ("end.png",)}, ["--section", "end.png", "N:VALUE"]),
        ((), {"keyframes__prompts": ("-1:x",)}, ["--section-prompt", "-1:x"]),
        ((), {"keyframes__prompts": ("1:x", "1:y")}, ["--section-prompt", "section 1", "twice"]),
        ((), {"keyframes__prompts": ("1:x", "01:y")}, ["twice"]),
        (("sampling=3", "sampling.steps=4"), {}, ["sampling"]),
        (("prompt=a", "prompt.b=c"), {}, ["prompt"]),
        (("sampling=3",), {"sampling__steps": "4"}, ["sampling"]),
    ],
)
def test_a_wrong_form_is_one_sentence(assignments: tuple[str, ...], flags: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(OptionError) as caught:
        read_request(VideoOptions, assignments, flags, load_settings())
    assert all(word in str(caught.value) for word in words), str(caught.value)


def swept(**flags: str) -> list[tuple[int, int | None, int | None]]:
    given = dict.fromkeys(["target", "window", "sweep_target", "sweep_window", "seeds"]) | flags
    requests = read_sweep(read_request(FrameOptions, ("seed=5",), given, load_settings()), given)
    return [(one.window, one.target, one.seed) for one in requests]


def test_without_the_flags_of_a_sweep_there_is_one_request() -> None:
    assert swept() == [(9, None, 5)]
    assert swept(target="3") == [(9, 3, 5)]


def test_sweeps() -> None:
    assert swept(sweep_target="1-3") == [(9, 1, 5), (9, 2, 5), (9, 3, 5)]
    assert swept(sweep_target="9, 0,3-4") == [(9, target, 5) for target in (9, 0, 3, 4)]
    assert swept(sweep_window="3,5", target="1") == [(3, 1, 5), (5, 1, 5)]
    assert swept(sweep_window="64", sweep_target="7", seeds="2") == [(64, 7, 5), (64, 7, 6)]


@pytest.mark.parametrize(
    "text", ["", "x", "1-", "-1", "9-1", "1,,2", "1-3,2", "5,5", "65", "1-99999999999", "1.5", "٣"]
)
def test_a_bad_range_is_one_sentence(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        swept(sweep_target=text)
    assert str(caught.value).startswith(f"--sweep-target: “{text}” is not a list of indices. Write")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"sweep_window": "0-3"}, ["window: 0", "1 to 64"]),
        ({"sweep_target": "1-3", "target": "2"}, ["--target", "--sweep-target"]),
        ({"sweep_window": "1-3", "window": "2"}, ["--window", "--sweep-window"]),
        *(({"seeds": text}, ["--seeds", text, "1 to 1000"]) for text in ("0", "1001", "-1", "many", "2.0", "99999")),
    ],
)
def test_a_bad_sweep_is_one_sentence(flags: dict[str, str], words: list[str]) -> None:
    with pytest.raises(OptionError) as caught:
        swept(**flags)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_key_below_an_option_is_not_lost_behind_it() -> None:
    with pytest.raises(OptionError, match=r"no option “sampling\.steps\.x”"):
        read_request(VideoOptions, ("sampling.steps.x=5",), {"sampling__steps": "7"}, load_settings())
