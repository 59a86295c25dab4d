"""The tree in the README names every module of the program, and none that is gone."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "eichi"
TREE = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Where things are")[2].partition("## Credits")[0]


def test_every_module_is_in_the_tree() -> None:
    modules = [
        path for path in SOURCE.rglob("*.py") if not path.name.startswith("__") and "migrations" not in path.parts
    ]
    assert [str(path) for path in modules if not re.search(rf"\b{path.stem}\b", TREE)] == []


def test_every_module_of_the_tree_is_there() -> None:
    there = {path.name for folder in ("src", "install") for path in (ROOT / folder).rglob("*.py")} | {"start.py"}
    assert set(re.findall(r"\b[a-z0-9_]+\.py\b", TREE)) - there == set()
