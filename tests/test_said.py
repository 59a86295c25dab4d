"""What a process of its own says last."""

import sys

import pytest
from pydantic import BaseModel

from eichi.errors import DiskError, EichiError, InputError, ModelError, RunError
from eichi.said import Refusal, last_line, read_said, say_last


class Size(BaseModel):
    pixels: int


def test_an_answer_comes_back_as_it_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    sys.stdout.write("a library says this\n")
    say_last(Size(pixels=7))
    assert read_said(last_line(capsys.readouterr().out), Size, RunError) == Size(pixels=7)


def test_an_error_comes_back_as_one_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    say_last(Refusal.of(ModelError("error.upscaler.read", path="a.pth", reason="reason.damaged")))
    with pytest.raises(ModelError) as caught:
        read_said(last_line(capsys.readouterr().out), Size, ModelError)
    assert caught.value.id == "error.upscaler.read"
    assert caught.value.plain == {"path": "a.pth", "reason": "reason.damaged"}


@pytest.mark.parametrize(("error", "kind"), [(ModelError, InputError), (DiskError, RunError)])
def test_what_was_asked_for_is_still_to_blame_or_not(
    error: type[EichiError], kind: type[EichiError], capsys: pytest.CaptureFixture[str]
) -> None:
    say_last(Refusal.of(error("error.upscaler.read", path="a.pth", reason="reason.damaged")))
    with pytest.raises(kind):
        read_said(last_line(capsys.readouterr().out), Size)


@pytest.mark.parametrize("text", ["", "{}", "Killed", '{"error": 1}', '{"pixels": "many"}'])
def test_what_is_neither_is_said_to_be_wrong(text: str) -> None:
    with pytest.raises(ValueError):
        read_said(last_line(text), Size, ModelError)
