"""What a declaration says, whatever is declared by it."""

from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from eichi.declare import Optioned, OptionField, Shown, field_of, option, unless, walk


class Inner(Optioned):
    words: ClassVar[str] = "option.inner"

    many: tuple[str, ...] = option((), "--many", form="TEXT")
    table: dict[int, Path] = option({}, "--table")


class Wordless(Optioned):
    words: ClassVar[str] = ""

    hidden: int = option(1)


class Asked(Optioned):
    count: int = option(3, "--count", group="motion", only="forward", costs=("time",), unit="pixels", ge=1, le=9)
    share: float | None = option(None, step=0.5, ge=0.0)
    size: float = option(1.0, choices=(1.0, 0.5), suggestions=(1.0,))
    side: int = option(32, multiple_of=32, suggestions={"reverse": (1,), "forward": (1, 2)})
    way: Literal["a", "b"] = option("a", shown=unless("count", 3))
    maybe: Literal["c", "d"] | None = option(None)
    picture: Path | None = option(None)
    file: Path = option(..., kind="latents")
    tick: bool = option(False)
    inner: Inner = Inner()
    rest: Wordless = Wordless()


def one(key: str) -> OptionField:
    return field_of(Asked, key)


def test_options_are_walked_in_order_with_what_is_in_them_and_without_what_has_no_words() -> None:
    every = ["count", "share", "size", "side", "way", "maybe", "picture", "file", "tick"]
    assert [field.key for field in walk(Asked)] == [*every, "inner.many", "inner.table"]
    assert (one("inner.many").id, one("inner.many").label) == ("option.inner.many", "label.inner.many")


def test_facts_are_those_declared_and_none_else() -> None:
    count = one("count")
    assert (count.flag, count.group, count.only, count.costs, count.unit) == (
        "--count",
        "motion",
        "forward",
        ("time",),
        "pixels",
    )
    share = one("share")
    assert [share.flag, share.group, share.only, share.costs, share.shown, share.unit] == [None] * 3 + [(), None, None]
    assert one("way").shown == Shown("count", 3)


@pytest.mark.parametrize(
    ("key", "type", "optional", "number"),
    [
        ("count", int, False, True),
        ("share", float, True, True),
        ("size", float, False, False),
        ("maybe", Literal["c", "d"], True, False),
        ("picture", Path, True, False),
        ("tick", bool, False, False),
    ],
)
def test_types(key: str, type: Any, optional: bool, number: bool) -> None:
    field = one(key)
    assert (field.type, field.optional, field.number) == (type, optional, number)


def test_choices_come_from_the_type_or_stand_beside_it() -> None:
    assert [one(key).choices for key in ("way", "maybe", "size", "count")] == [("a", "b"), ("c", "d"), (1.0, 0.5), ()]
    forms = {"way": "a|b", "count": "VALUE", "inner.many": "TEXT", "inner.table": "N:VALUE"}
    assert {key: one(key).form for key in forms} == forms
    assert [one(key).kind for key in ("picture", "file", "count")] == ["picture", "latents", None]


def test_bounds_and_steps() -> None:
    assert [one(key).bounds for key in ("count", "share", "size")] == [(1, 9), (0.0, None), (None, None)]
    assert [one(key).step for key in ("count", "share", "size", "side")] == [1, 0.5, 0.01, 32]


def test_suggestions_are_for_all_or_for_a_direction() -> None:
    assert one("size").suggestions() == one("size").suggestions("forward") == (1.0,)
    assert (one("side").suggestions("reverse"), one("side").suggestions()) == ((1,), (1, 2))
    assert one("count").suggestions("reverse") == ()


def test_an_option_is_used_unless_another_one_makes_it_useless() -> None:
    asked = Asked(file=Path("a"))
    assert not one("way").used(asked)
    assert one("way").used(asked.model_copy(update={"count": 4}))
    assert one("count").used(asked)
    assert one("inner.table").of(asked) == {}


@pytest.mark.parametrize(
    ("key", "value", "english", "russian"),
    [
        ("share", None, "automatic", "автоматически"),
        ("tick", True, "on", "вкл."),
        ("count", 3, "3 px", "3 пикс."),
        ("size", 0.5, "0.5", "0.5"),
        ("file", Path("a b"), "a b", "a b"),
        ("file", None, "none", "нет"),
    ],
)
def test_values_for_people(key: str, value: object, english: str, russian: str) -> None:
    assert (one(key).tell(value), one(key).tell(value, "ru")) == (english, russian)
