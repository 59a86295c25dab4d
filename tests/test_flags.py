"""Flags and `--set` become a request."""

from pathlib import Path
from typing import Any

import pytest

from eichi.errors import OptionError
from eichi.flags import read_request
from eichi.options import VideoOptions


def test_a_flag_beats_an_assignment() -> None:
    options = read_request(
        VideoOptions, ("sampling.steps=7", "sampling.rescale=0.5", "prompt=a=b"), {"sampling__steps": "9", "seed": None}
    )
    assert (options.sampling.steps, options.sampling.rescale, options.prompt, options.seed) == (9, 0.5, "a=b", None)


def test_numbered_values() -> None:
    flags = {"keyframes__sections": ("0:C:\\end.png", " 12 :x.png"), "keyframes__prompts": ("1:a: b",)}
    keys = read_request(VideoOptions, (), flags).keyframes
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
        read_request(VideoOptions, assignments, flags)
    assert all(word in str(caught.value) for word in words), str(caught.value)
