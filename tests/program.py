"""What a command of the program came to, for tests that call it in their own process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Result(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def refused(eichi: Run, folder: Path, words: list[str], sentence: str, code: int = 2) -> None:
    """Check that a command ends in one sentence, leaves nothing behind, and says the same with --json."""
    before = tree(folder)
    plain, machine = eichi(*words), eichi(*words, "--json")
    assert (plain.code, machine.code) == (code, code), plain.err
    assert plain.out == ""
    assert plain.err.startswith("Error: ")
    assert plain.err.count("\n") == 1
    assert sentence in plain.err
    assert tree(folder) == before
    told = json.loads(machine.out.splitlines()[-1])
    assert told["error"].startswith("error.")
    assert f"Error: {told['message']}\n" == plain.err
