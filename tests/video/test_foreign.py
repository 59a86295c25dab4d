"""What other programs' texts say, and what of it is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.catalog import find
from eichi.options import VideoOptions
from eichi.plan.plan import make_plan
from eichi.video.foreign import read_parameters
from eichi.video.metadata import parameters, record

A1111 = """a cat, (sitting:1.2),
on a mat
Negative prompt: blurry,
low quality
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 123, Size: 512x768, Lora hashes: "a: 1, Seed: 9", Version: v1.10"""
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=40).map(str.strip)


def test_a1111() -> None:
    assert read_parameters(A1111) == {
        "prompt": "a cat, (sitting:1.2),\non a mat",
        "negative": "blurry,\nlow quality",
        "seed": "123",
    }


def test_scales_of_a_model_that_is_guided_alike() -> None:
    text = "x\nSteps: 20, Sampler: Euler, CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 4"
    assert read_parameters(text) == {
        "prompt": "x",
        "seed": "4",
        "sampling.steps": "20",
        "sampling.cfg": "1",
        "sampling.guidance": "3.5",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat\nwalks\nSeed: 12", {"prompt": "a cat\nwalks", "seed": "12"}),
        ("a cat\nSeed: 12\nSection Prompt: runs, Seed: 3\nSection Number: 1", {"prompt": "a cat", "seed": "12"}),
        ("Seed: 3\nSeed: 12", {"prompt": "Seed: 3", "seed": "12"}),
        ("Seed: 12", {"seed": "12"}),
        ("only words, Seed: 3", {"prompt": "only words, Seed: 3"}),
        ("Steps: to heaven", {"prompt": "Steps: to heaven"}),
        ("", {}),
    ],
)
def test_eichi_and_less(text: str, expected: dict[str, str]) -> None:
    assert read_parameters(text) == expected


@given(words, words, st.integers(0, 2**32 - 1), st.integers(1, 100))
def test_our_own_text_is_read_too(prompt: str, negative: str, seed: int, steps: int) -> None:
    request = {"image": "a.png", "prompt": prompt, "negative": negative, "seed": seed, "sampling": {"steps": steps}}
    options = VideoOptions.parse(request)
    found = read_parameters(parameters(record(make_plan(options, find("tiny"), (96, 64)))))
    assert found.get("prompt", "") == prompt or prompt.startswith("Negative prompt:")
    assert (found["seed"], found["sampling.steps"]) == (str(seed), str(steps))
