"""The text that other programs leave in a PNG."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.library.parameters import parse

A1111 = (
    "a cat, <lora:style:0.8>\nsecond line\nNegative prompt: blur,\nugly\n"
    'Steps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 42, Size: 512x768, Model: x, Lora hashes: "a: b, c: d"'
)


def test_a1111() -> None:
    values, left = parse(A1111)
    assert values == {
        "prompt": "a cat, <lora:style:0.8>\nsecond line",
        "negative": "blur,\nugly",
        "sampling.steps": "20",
        "sampling.cfg": "7.5",
        "seed": "42",
    }
    assert left == {"Sampler": "Euler a", "Size": "512x768", "Model": "x", "Lora hashes": "a: b, c: d"}


@pytest.mark.parametrize(
    ("text", "values", "left"),
    [
        ("p\nSeed: 5", {"prompt": "p", "seed": "5"}, {}),
        ("Seed: 5", {"prompt": "", "seed": "5"}, {}),
        ("p\nq\nSeed: 5\nSection Number: 2", {"prompt": "p\nq", "seed": "5"}, {"Section Number": "2"}),
        (
            "p\nSeed: 5\nSection Prompt: turns\nand waves\nSection Number: 3",
            {"prompt": "p", "seed": "5", "keyframes.prompts": {"3": "turns\nand waves"}},
            {},
        ),
        ("p\nSection Prompt: x", {"prompt": "p"}, {"Section Prompt": "x"}),
        ("Seed: of doubt\nSeed: 7", {"prompt": "Seed: of doubt", "seed": "7"}, {}),
        ("Seed: 5 grows\nnow", {"prompt": "Seed: 5 grows\nnow"}, {}),
        ("42", {"prompt": "42"}, {}),
        ("Negative prompt: is a word", {"prompt": "Negative prompt: is a word"}, {}),
        ("a: b, c: d", {"prompt": "a: b, c: d"}, {}),
        ("a: b, c: d, and e: f is said\nby me", {"prompt": "a: b, c: d, and e: f is said\nby me"}, {}),
    ],
)
def test_eichi(text: str, values: dict[str, Any], left: dict[str, str]) -> None:
    assert parse(text) == (values, left)


prompts = st.text(st.characters(exclude_categories=["Cs"]), max_size=80).filter(lambda text: text == text.rstrip())


@given(
    prompt=prompts.filter(lambda text: "\nSeed: " not in text and not text.startswith("Seed: ")), seed=st.integers(0)
)
def test_any_prompt_of_eichi_comes_back(prompt: str, seed: int) -> None:
    values, left = parse(f"{prompt}\nSeed: {seed}")
    assert (values, left) == ({"prompt": prompt, "seed": str(seed)}, {})


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    values, _ = parse(text)
    assert "prompt" in values


def test_a_long_line_takes_no_time_to_speak_of() -> None:
    assert parse("a" * 200_000)[0] == {"prompt": "a" * 200_000}
    assert parse("a b " * 2_499)[0]["prompt"].startswith("a b")
