"""Every file and folder of the project that a document names in code is there."""

import re
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
OURS = re.compile(
    r"(?:src|tests|docs(?!/locales)|measured|install|benchmarks|training)/[\w./-]*|[\w/-]+\.(?:py|js|css|html)"
)
# Where a short name is looked for.
BELOW = (ROOT, ROOT / "src" / "eichi", ROOT / "src" / "eichi" / "web" / "static", ROOT / "tests")
FOLDERS = ("src", "tests", "benchmarks", "training", "install", "docs")
SHORT = {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")}
# What the guides for developers make, and what a translation will be.
MADE = {"thread.py", "presets.html", "presets.js", "de.json", "prompts.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_named_is_there(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = {name for name in CODE.findall(text) if OURS.fullmatch(name) and Path(name).name not in MADE}
    gone = [name for name in named if not any((folder / name).exists() for folder in BELOW)]
    assert [name for name in gone if "/" in name or name not in SHORT] == []
