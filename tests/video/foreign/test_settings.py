"""Lines with a line of settings: what A1111 and its kin, Draw Things and eichi 1.9 say, and what of it is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.catalog import find
from eichi.options import VideoOptions
from eichi.plan.plan import make_plan
from eichi.video.foreign.settings import read_lines
from eichi.video.metadata import parameters, record

A1111 = """a cat, (sitting:1.2),
on a mat
Negative prompt: blurry,
low quality
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 123, Size: 512x768, Lora hashes: "a: 1, Seed: 9", Version: v1.10"""
CAT = {"prompt": "a cat", "negative": "dog", "seed": "5", "sampling.steps": "20"}
HALF = {"sampling.steps": "3", "sampling.cfg": "7.5"}
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=40).map(str.strip)


def test_a1111() -> None:
    assert read_lines(A1111) == {
        "prompt": "a cat, (sitting:1.2),\non a mat",
        "negative": "blurry,\nlow quality",
        "seed": "123",
        "sampling.steps": "20",
        "sampling.cfg": "7",
    }


def test_scales_of_a_model_that_is_guided_alike() -> None:
    text = "x\nSteps: 20, Sampler: Euler, CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 4"
    assert read_lines(text) == {
        "prompt": "x",
        "seed": "4",
        "sampling.steps": "20",
        "sampling.cfg": "1",
        "sampling.guidance": "3.5",
    }


@pytest.mark.parametrize(
    "settings",
    [
        "Steps: 20, Seed: 5",
        " Steps: 20, Seed: 5",
        "Sampler: Euler, Steps: 20, Seed: 5",
        "Size: 832x1216, Seed: 5, Steps: 20, Created Date: 2025-01-01T01:02:03Z",
        "Model: x, Seed: 5, Steps: 20",
        "Version: x, Clip skip: 2, Seed: 5, Steps: 20",
        'Steps: 20, Seed: 5, TI hashes: "Seed: 99, Steps: 3", Version: v1.9',
        'Steps: 20, Seed: 5, Hashes: {"model": "12", "lora:x": "34"}, Version: 1',
        'Steps: 20, Civitai resources: [{"modelName": "X, Seed: 77"}], Seed: 5, Civitai metadata: {}',
        'Steps: 20, ADetailer prompt: "x \\" y, Seed: 9", ADetailer negative prompt: "y\\nNegative prompt: z", Seed: 5',
        "Steps: 20, Seed: 5, Version: v1.6\nTemplate: a {red|blue} cat, Seed: 99\nNegative Template: dog",
        "steps: 20, sampler: Euler, seed: 5",
    ],
)
def test_a_line_of_settings_may_begin_and_go_on_in_many_ways(settings: str) -> None:
    assert read_lines(f"a cat\nNegative prompt: dog\n{settings}") == CAT
    assert read_lines(f"a cat\r\nNegative prompt: dog\r\n{settings}") == CAT


@pytest.mark.parametrize(
    "text",
    [
        "a cat.Negative prompt: dog.Steps: 20, Sampler: k_euler, Seed: 5, Size: 1x1",
        "a cat Negative prompt: dog Steps: 20, Sampler: k_euler, Seed: 5",
        "a cat\nNegative prompt: dog Steps: 20, Seed: 5",
        "a cat, Negative prompt: dog, Steps: 20, Seed: 5",
        "Positive prompt: a cat\nNegative prompt: dog\nSteps: 20, Seed: 5",
        "Prompt: a cat\nNegative Prompt: dog\nSteps: 20, Seed: 5",
        "a cat\n-dog\nSteps: 20, Sampler: Euler A, Guidance Scale: 7.5, Seed: 5, Strength: 1.0",
    ],
)
def test_other_ways_to_part_the_prompts(text: str) -> None:
    assert {key: value for key, value in read_lines(text).items() if key != "sampling.cfg"} == CAT


def test_one_line_without_a_negative_prompt() -> None:
    assert read_lines("a cat. Steps: 20, Sampler: Euler, Seed: 5") == {
        "prompt": "a cat.",
        "seed": "5",
        "sampling.steps": "20",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat\nwalks\nSeed: 12", {"prompt": "a cat\nwalks", "seed": "12"}),
        ("a cat\nSeed: 12\nSection Prompt: runs, Seed: 3\nSection Number: 1", {"prompt": "a cat", "seed": "12"}),
        ("Seed: 3\nSeed: 12", {"prompt": "Seed: 3", "seed": "12"}),
        ("Seed: 12, 3 trees\nSeed: 5", {"prompt": "Seed: 12, 3 trees", "seed": "5"}),
        ("Seed: 12", {"seed": "12"}),
        ("only words, Seed: 3", {"prompt": "only words, Seed: 3"}),
        ("A recipe.\nSteps: 3, mix well", {"prompt": "A recipe.\nSteps: 3, mix well"}),
        ("x\nSteps: 3, Seed: pumpkin, Size: 8x8", {"prompt": "x\nSteps: 3, Seed: pumpkin, Size: 8x8"}),
        ("x\nSteps: 3\nand stir", {"prompt": "x\nSteps: 3\nand stir"}),
        ("x\nSteps: 3, CFG scale: 7,5, Seed: 5", {"prompt": "x", "seed": "5"} | HALF),
        ("x\nSteps: 3, CFG scale: 7,5", {"prompt": "x"} | HALF),
        ("x\nSteps: 3, Seed: 1,234", {"prompt": "x", "sampling.steps": "3", "seed": "1,234"}),
        ("x\nSteps: 3, Seed: " + "9" * 5000, {"prompt": "x", "sampling.steps": "3", "seed": "9" * 5000}),
        ("Steps: to heaven", {"prompt": "Steps: to heaven"}),
        ("Steps: 3 dancers, Size: huge", {"prompt": "Steps: 3 dancers, Size: huge"}),
        ("Size: huge, a model: x", {"prompt": "Size: huge, a model: x"}),
        ("a cat\u2028walks\x85on\x0bx\nSeed: 5", {"prompt": "a cat\u2028walks\x85on\x0bx", "seed": "5"}),
        (
            "- a list\n- of things\nSteps: 20, Seed: 5",
            {"prompt": "- a list\n- of things", **{k: CAT[k] for k in CAT if k[0] == "s"}},
        ),
        ("", {}),
    ],
)
def test_eichi_and_less(text: str, expected: dict[str, str]) -> None:
    assert read_lines(text) == expected


def test_words_alone_are_a_prompt_only_where_one_is_expected() -> None:
    assert read_lines("made with love", bare=False) == {}
    assert read_lines("a cat\nNegative prompt: dog", bare=False) == {"prompt": "a cat", "negative": "dog"}
    assert read_lines("a cat\nSeed: 5", bare=False) == {"prompt": "a cat", "seed": "5"}


@given(words, words, st.integers(0, 2**32 - 1), st.integers(1, 100))
def test_our_own_text_is_read_too(prompt: str, negative: str, seed: int, steps: int) -> None:
    request = {"image": "a.png", "prompt": prompt, "negative": negative, "seed": seed, "sampling": {"steps": steps}}
    options = VideoOptions.parse(request)
    found = read_lines(parameters(record(make_plan(options, find("tiny"), (96, 64)))))
    assert found.get("prompt", "") == prompt or prompt.lower().startswith("negative prompt:")
    assert (found["seed"], found["sampling.steps"]) == (str(seed), str(steps))
