"""The blocks of code in the documents, and the commands in them as words. Knows no program."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [path for path in (ROOT / "docs").rglob("*.md") if not {"_theme", "locales"} & set(path.parts)]
    + [path for path in (*ROOT.glob("*.md"), *(ROOT / ".github").rglob("*.md"))]
)
FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+|~~~+) *(?P<language>[\w+-]*)\n(?P<text>.*?)^ *(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
# How a line begins that a shell is given, where the block does not say what it is.
COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:\./start\.sh|\S*start\.bat|make|eichi|\.venv\S*)\b")
# What stands for the rest of a name; and how the reference draws a command.
OPEN, DRAWN = "…", re.compile(r"\[(OPTIONS|COMMAND|ARGS)\]|\[[A-Z]+\]")
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*=")


@dataclass(frozen=True)
class Block:
    """What stands between two fences: where, in which language, without its indentation."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Line:
    """A command: its words, and the variables before them."""

    block: Block
    text: str
    variables: dict[str, str]
    words: list[str]

    def __str__(self) -> str:
        return f"{self.block} {self.text}"


def blocks(*languages: str) -> Iterator[Block]:
    """All blocks of these languages."""
    for page in PAGES:
        whole = page.read_text(encoding="utf-8")
        for found in FENCE.finditer(whole):
            if found["language"] in languages:
                text = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.M)
                yield Block(page, whole.count("\n", 0, found.start()) + 1, found["language"], text)


def commands() -> Iterator[Line]:
    """The commands of all blocks for a shell, and those of blocks that hold nothing else; but for what a guide says of
    an example that is not there, which is marked as text.
    """
    for block in blocks("sh", "text", ""):
        if block.language == "text" and block.page.name.startswith("add-"):
            continue
        lines = [line for line in block.text.replace("\\\n", " ").splitlines() if line.strip()]
        if block.language == "sh" or all(COMMAND.match(line) and not DRAWN.search(line) for line in lines):
            yield from (line for line in map(lambda text: read(block, text), lines) if line.words)


def read(block: Block, text: str) -> Line:
    """A line as a shell takes it apart; its remark is none of it."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, "#"
    if "\\" in text and "'" not in text:  # a path of Windows
        lexer.escape = ""
    words = list(lexer)
    variables: dict[str, str] = {}
    while words and VARIABLE.match(words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    return Line(block, text.strip(), variables, words)
