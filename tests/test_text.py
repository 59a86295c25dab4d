"""What cannot be written in UTF-8 is escaped where it is kept; texts fit the room there is; numbers have a point."""

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from eichi.reasons import Unfit
from eichi.text import decimal, encodable, json_text, pad, shorten


@pytest.mark.parametrize("half", ["\ud83d", "caf\udce9"])
def test_half_characters_are_escaped_and_come_back(half: str) -> None:
    values = {"é": half, "path": Path(half)}
    text = json_text(values, fallback=str)
    assert text.encode("utf-8")
    assert "é" in text
    assert json.loads(text) == {"é": half, "path": half}
    assert [encodable(value) for value in (half, Path(half), "é", 3)] == [False, False, True, True]


def test_the_form() -> None:
    assert json_text({"b": 1, "a": [2]}, indent=1, sort=True) == '{\n "a": [\n  2\n ],\n "b": 1\n}'


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("a  short\ntext", 20, "a short text"),
        ("the camera zooms in slowly", 17, "the camera zooms…"),
        ("a" * 30, 10, "a" * 9 + "…"),
        ("カメラがゆっくりと猫に近づいていく", 15, "カメラがゆっく…"),
        ("鏡頭慢慢靠近", 12, "鏡頭慢慢靠近"),
        ("か\u3099" * 5, 5, "か\u3099か\u3099…"),
        ("👩\u200d👩\u200d👧 a family", 6, "…"),
        ("ab👍\U0001f3fdcd ef", 6, "ab👍\U0001f3fdc…"),
        ("ab👍\U0001f3fdcd ef", 4, "ab…"),
    ],
)
def test_a_text_is_cut_by_what_it_takes_on_a_screen(text: str, width: int, short: str) -> None:
    assert shorten(text, width) == short
    assert cell_len(shorten(text, width)) <= width


def test_columns_stand_apart() -> None:
    assert [pad(text, 6) + "|" for text in ("a", "猫猫", "abcdef")] == ["a     |", "猫猫  |", "abcdef  |"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2,5", "2.5"),
        ("-0,125", "-0.125"),
        (" ,5 ", ".5"),
        ("1234,567", "1234.567"),
        ("2.5", "2.5"),
        ("1,2,3", "1,2,3"),
        ("a,5", "a,5"),
        ("\uff12\uff0e\uff15", "2.5"),
        ("\u2212\uff12\u30025", "-2.5"),
        ("\uff12\uff0c\uff15", "2.5"),
        ("2\u00b2", "2\u00b2"),
        ("", ""),
    ],
)
def test_a_decimal_comma_is_read(text: str, number: str) -> None:
    assert decimal(text) == number


@pytest.mark.parametrize("text", ["1,000", "-12,345", "100,000"])
def test_what_may_be_thousands_is_refused(text: str) -> None:
    with pytest.raises(Unfit) as caught:
        decimal(text)
    assert caught.value.reason["reason"] == "reason.comma"
