"""Programs and data in the documents: what is Python is Python and runs where it is a program, what is data is read."""

import ast
import json
import re
import textwrap
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.docs.blocks import Block, blocks
from tests.pictures import save_small

# Programs that people run. Those of the reference have tests of their own, in `tests.reference` and
# `tests.web.test_examples`; what guides for developers show is a part of something.
PROGRAMS = [
    block
    for block in blocks("python")
    if block.text.startswith(("import ", "from ")) and not {"reference", "develop"} & set(block.page.parts)
]


def is_python(text: str) -> bool:
    """Whether a text is Python: as it stands, or as lines of a table."""
    for form in ("{}", "{{\n{}\n}}", "class X:\n    {}"):
        try:
            ast.parse(form.format(textwrap.dedent(text)))
            return True
        except SyntaxError:
            continue
    return False


def test_what_is_python_is_python() -> None:
    wrong = [str(block) for block in blocks("python", "py") if not is_python(block.text)]
    assert wrong == []


@pytest.mark.parametrize("block", list(blocks("json")), ids=str)
def test_what_is_json_is_json(block: Block) -> None:
    text = block.text.strip().rstrip(",")
    lines = text.splitlines()
    if all(line.startswith("{") for line in lines):  # a value a line
        assert [json.loads(line) for line in lines]
    else:
        json.loads(text if text[0] in "{[" else f"{{{text}}}")


@pytest.mark.parametrize("block", list(blocks("toml", "yaml", "yml")), ids=str)
def test_what_is_a_setting_is_read(block: Block) -> None:
    assert tomllib.loads(block.text) if block.language == "toml" else yaml.safe_load(block.text)


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_a_program_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cat.jpg", "end.jpg"):
        save_small(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    shorter = re.sub(r"\bseconds=\d+", 'seconds=0.3, sampling={"steps": 1}', block.text)
    exec(compile(shorter, str(block), "exec"), {"__name__": "__main__"})
