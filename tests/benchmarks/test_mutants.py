"""Changes are made, drawn and tried: what a test notices counts as such, what none does is told."""

import sys
from pathlib import Path

import pytest

from benchmarks.mutants import Session, Source, draw
from benchmarks.trees import Index, Tree

SOURCE = '''"""Two functions."""

Kind = int
LIMIT = 3


def add(one: int, other: int) -> int:
    """The sum."""
    return one + other


def twice(one: int) -> int:
    return min(one * 2, LIMIT)
'''
TESTS = """from eichi.plan.numbers import add


def test_add() -> None:
    assert add(1, 2) == 3


def test_that_fails_anyway() -> None:
    assert add(1, 2) == 4
"""
USER = "from eichi.plan import numbers\n"
PATH, MIRROR = "src/eichi/plan/numbers.py", "tests/plan/test_numbers.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small project."""
    files = {PATH: SOURCE, MIRROR: TESTS, "src/eichi/pipeline/user.py": USER, "tests/pipeline/test_user.py": ""}
    for name in ("src/eichi/__init__.py", "src/eichi/plan/__init__.py", "tests/plan/test_more.py"):
        files[name] = ""
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "project"


def changes(source: Source) -> set[tuple[int, str]]:
    return {(mutant.line, mutant.after.strip()) for mutant, _ in map(source.changed, source.made)}


def test_changes_are_in_functions_and_in_values(root: Path) -> None:
    source = Source(root, PATH)
    assert {(9, "return one - other"), (4, "LIMIT = 4"), (13, "return min(one * 3, LIMIT)")} <= changes(source)
    assert {line for line, _ in changes(source)} == {4, 9, 13}


def test_a_sample_stays_while_the_source_goes_on(root: Path) -> None:
    before = {PATH: Source(root, PATH)}
    small, large = (draw(before, 1, count) for count in (4, 8))
    assert large[:4] == small
    assert draw(before, 2, 4) != small
    path = root / PATH
    path.write_text("LATER = 1\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    after = draw({PATH: Source(root, PATH)}, 1, 99)
    kept = {key for _, key in draw(before, 1, 99)}
    assert [one for one in after if one[1] in kept] == draw(before, 1, 99)


def test_the_mirror_comes_before_the_neighbours(root: Path) -> None:
    index = Index(root)
    assert index.mirror(PATH) == [MIRROR]
    assert index.neighbours(PATH) == ["tests/pipeline/test_user.py"]
    assert index.mirror("src/eichi/plan/__init__.py") == []
    assert index.neighbours("src/eichi/plan/none.py") == ["tests/plan/test_more.py", MIRROR]


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_what_a_test_notices_is_told_from_what_none_does(root: Path, tmp_path: Path) -> None:
    said: list[str] = []
    (root / "tests/pipeline/test_user.py").unlink()
    source, session, tree = Source(root, PATH), Session(root, tmp_path, said.append), Tree(root, tmp_path / "tree", ())
    made = {(mutant.line, mutant.after.strip()): (mutant, code) for mutant, code in map(source.changed, source.made)}
    sum_, limit = made[9, "return one - other"], made[4, "LIMIT = 4"]
    for mutant, code in (sum_, limit):
        session.judge(tree, mutant, code)
    assert said == [
        f"left out: {MIRROR}::test_that_fails_anyway fails without a change",
        f"killed   {sum_[0]}  [{MIRROR}::test_add]",
        f"survived {limit[0]}",
    ]
    assert Session(root, tmp_path, said.append).known() == {sum_[0].key: "killed", limit[0].key: "survived"}
    assert (tree.folder / PATH).read_text(encoding="utf-8") == SOURCE
