"""What the command line says where it cannot be loaded."""

import json
import sys

import pytest

from eichi import begin
from eichi.words import say


def ends(monkeypatch: pytest.MonkeyPatch, *arguments: str, error: ImportError) -> None:
    """The program, where its command line fails to be loaded with an error."""

    class Broken:
        def __getattr__(self, name: str) -> None:
            raise error

    monkeypatch.setitem(sys.modules, "eichi.cli", Broken())
    monkeypatch.setattr("sys.argv", ["eichi", *arguments])
    begin.main()


def test_a_library_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(begin, "gaps", lambda: ("av", "numpy"))
    monkeypatch.setenv("EICHI_LANGUAGE", "ja")
    with pytest.raises(SystemExit) as ended:
        ends(monkeypatch, "doctor", "--fix", "--json", error=ModuleNotFoundError("No module named 'av'", name="av"))
    said = capsys.readouterr()
    sentence = say("error.gaps", "ja", names="av, numpy")
    assert ended.value.code == 1
    assert said.err == say("cli.error", "ja", sentence=sentence) + "\n"
    assert json.loads(said.out)["message"] == sentence


def test_a_library_that_is_there_and_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(begin, "gaps", lambda: ())
    with pytest.raises(SystemExit):
        ends(monkeypatch, error=ImportError("DLL load failed\n  more", name="av._core"))
    assert say("error.library", reason="DLL load failed") in capsys.readouterr().err


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModuleNotFoundError):
        ends(monkeypatch, error=ModuleNotFoundError("No module named 'eichi.nothing'", name="eichi.nothing"))
