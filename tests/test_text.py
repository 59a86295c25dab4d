"""What cannot be written in UTF-8 is escaped where it is kept."""

import json
from pathlib import Path

import pytest

from eichi.text import encodable, json_text


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
