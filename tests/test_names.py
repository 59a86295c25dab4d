"""What a browser calls a file becomes a name that every system takes; what a person calls one is refused or kept."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eichi.errors import InputError
from eichi.names import DEVICES, LONGEST, check_name, fit_name


@pytest.mark.parametrize(
    ("given", "fitted"),
    [
        ("cat.png", "cat.png"),
        ("C:\\pictures\\cat.png", "cat.png"),
        ("/etc/../cat.png", "cat.png"),
        ("a\0b\ud800\n<c>.png", "a_b___c_.png"),
        ("CON", "_CON"),
        ("aux.txt", "_aux.txt"),
        ("com1 .png", "_com1 .png"),
        ("console.png", "console.png"),
        ("cat.png. .", "cat.png"),
        ("...", ""),
        ("", ""),
        ("猫" * 100 + ".png", "猫" * 38 + ".png"),
        ("a" * 119 + " b", "a" * 119),
        ("conin$", "_conin$"),
    ],
)
def test_names_from_a_browser(given: str, fitted: str) -> None:
    assert fit_name(given) == fitted


@given(st.text(max_size=400))
def test_any_text_becomes_a_name_that_a_file_can_have(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    name = fit_name(text)
    assert len(name.encode()) <= LONGEST
    assert not DEVICES.match(name)
    if name:
        check_name(tmp_path_factory.getbasetemp() / name)


@pytest.mark.parametrize("name", ["x" * 300, "x" * 252, "a\0b"])
def test_names_that_no_file_can_have_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be named"):
        check_name(tmp_path / name)
    check_name(tmp_path / "con.mp4") if os.name != "nt" else None
