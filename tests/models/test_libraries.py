"""The large libraries come in first, without garbage being collected meanwhile, and leave that as it was."""

import ast
import builtins
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import eichi.pipeline
from eichi.models import libraries, load


@pytest.fixture(params=[True, False], ids=["collecting", "not"])
def collecting(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether garbage is collected before they come in."""
    wanted: bool = request.param
    (gc.enable if wanted else gc.disable)()
    yield wanted
    gc.enable()
    gc.freeze()  # as the tests have it


def test_nothing_is_collected_while_they_come_in(collecting: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, bool] = {}
    bring = builtins.__import__

    def watched(name: str, *rest: Any) -> Any:
        seen[name] = gc.isenabled()
        return bring(name, *rest)

    monkeypatch.setattr(builtins, "__import__", watched)
    libraries._bring()
    monkeypatch.undo()
    assert seen["diffusers"] is False
    assert gc.isenabled() is collecting
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("door", [load, eichi.pipeline], ids=["load", "pipeline"])
def test_they_come_in_before_anything_else(door: Any) -> None:
    tree = ast.parse(Path(door.__file__).read_text(encoding="utf-8"))
    first = next(node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    assert ast.unparse(first) == "import eichi.models.libraries"


@pytest.mark.parametrize(
    ("set_by_hand", "found"),
    [({}, libraries.EXACT), ({libraries.ALLOCATOR: "a:1"}, "a:1"), ({libraries.OLDER: "a:1"}, None)],
)
def test_pinned_memory_is_as_large_as_it_is_asked_for(
    set_by_hand: dict[str, str], found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", dict(set_by_hand))
    libraries._say()
    assert os.environ.get(libraries.ALLOCATOR) == found
