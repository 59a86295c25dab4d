"""Wildcards: what is drawn, by which seed, and what stays text."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.errors import OptionError
from eichi.plan.wildcards import DEEP, draw, has_wildcards, plain

LISTS = {
    "colour": ["red", "green"],
    "hair-long_2": ["{dark|fair} hair"],
    "self": ["a __self__"],
    "flood": ["__flood2__" * 40],
    "flood2": ["__colour__" * 40],
    "long": ["x" * 15_000],
    "色": ["赤"],
}


def lines(name: str) -> Sequence[str]:
    return LISTS[name]


def drawn(text: str, seed: int = 1) -> str:
    return draw(text, seed, "prompt", lines)


def every(text: str) -> set[str]:
    return {drawn(text, seed) for seed in range(60)}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a {red|green} car", {"a red car", "a green car"}),
        ("{ red | green }", {"red", "green"}),
        ("{|very }big", {"big", "verybig"}),
        ("{a|{b|c}}", {"a", "b", "c"}),
        ("{ {a|b} }", {"{ a }", "{ b }"}),
        ("__colour__, __色__", {"red, 赤", "green, 赤"}),
        ("__hair-long_2__", {"dark hair", "fair hair"}),
        (r"{a\|b|c}", {"a|b", "c"}),
        (r"{\{a\|b\}|c}", {r"\{a|b\}", "c"}),
        ("[2s: {a|b}]", {"[2s: a]", "[2s: b]"}),
        ("__colour____colour__", {"redred", "redgreen", "greenred", "greengreen"}),
    ],
)
def test_one_is_taken_and_every_one_can_be(text: str, made: set[str]) -> None:
    assert every(text) == made
    assert has_wildcards(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a girl", None),
        ("{red} { } {}", None),
        ("a | b {c", None),
        ("{a|b", None),
        ("a|b}", None),
        (r"\o/ C:\new \(x\)", None),
        ("__ __a __ __a b__ ____ _a_ __../a__ __a/b__ __.__", None),
        (r"\{a|b\} \{ \}", "{a|b} { }"),
        (r"\__colour__", "__colour__"),
    ],
)
def test_the_rest_is_text(text: str, read: str | None) -> None:
    assert not has_wildcards(text)
    assert drawn(text) == text
    assert plain(text) == (text if read is None else read)


@given(st.text(r"ab{}|\_c ", max_size=40), st.integers(0, 2**32 - 1))
def test_what_is_drawn_is_drawn_once(text: str, seed: int) -> None:
    def single(name: str) -> Sequence[str]:
        return [name]

    made = draw(text, seed, "prompt", single)
    assert draw(text, seed, "prompt", single) == made
    if not has_wildcards(text):
        assert made == text
    if r"\|" not in text:
        assert not has_wildcards(made) or "_" in text


def test_seed_and_place_decide_evenly() -> None:
    found = Counter(drawn("{a|b|c|d}", seed) for seed in range(400))
    assert set(found) == set("abcd")
    assert min(found.values()) > 70
    assert {draw("{a|b}", 7, f"keyframes.prompts.{n}", lines) for n in range(20)} == {"a", "b"}
    # The same in every version, or a record's seed would mean something else.
    assert [drawn("{a|b|c} __colour__", seed) for seed in range(4)] == ["a green", "c green", "b red", "c red"]


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("__self__", "deep"),
        ("{a|" * (DEEP + 2) + "b" + "}" * (DEEP + 2), "deep"),
        ("__flood__", "many"),
        ("__long__ __long__", "long"),
    ],
)
def test_bounds(text: str, id: str) -> None:
    with pytest.raises(OptionError) as error:
        for seed in range(3000):
            drawn(text, seed)
    assert error.value.id == f"error.wildcard.{id}"


def test_many_braces_take_no_time() -> None:
    text = "{" * 20_000
    assert drawn(text) == text
