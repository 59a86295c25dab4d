"""What ruff does not know: budgets of files and functions, broad handlers, globals, the coding of every text."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for top in ("src", "training", "benchmarks", "tests") for path in (ROOT / top).rglob("*.py"))
PRODUCT = [path for path in FILES if ROOT / "tests" not in path.parents]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_budgets(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert text.count("\n") <= 500
    assert ast.get_docstring(tree) or not text.strip()
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Global)
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 80, node.name


def test_no_broad_handlers() -> None:
    """One in the worker loop, one around a library that raises nothing else, the others in what looks for faults."""
    broad = [
        path.name
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
    ]
    assert sorted(broad) == ["cases.py", "fuzz.py", "test_readers.py", "tokens.py", "worker.py"]


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_text_has_a_coding(path: Path) -> None:
    """The one that the system would choose is another one on Windows."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    assert [call.lineno for call in calls if _left_to_the_system(call)] == []


def _left_to_the_system(call: ast.Call) -> bool:
    """Whether a call opens a text, as a file or as the pipe of a process, and does not say its coding."""
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    owner, _, name = ast.unparse(call.func).rpartition(".")
    if "encoding" in given or owner in ("av", "super()"):  # of a class of ours that is no file
        return False
    if name in ("read_text", "write_text"):
        return len(call.args) < (1 if name == "read_text" else 2)
    if name in ("open", "fdopen"):
        modes = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        return len(call.args) < (1 if owner else 2) or any(re.fullmatch(r"[rwax+t]+", mode) for mode in modes)
    return "True" in (given.get("text"), given.get("universal_newlines"))
