"""Wildcards: `{red|green|blue}` and `__colour__` in a prompt are drawn by the seed, once, before it becomes a job.

One of the alternatives between strokes is taken, or one of the lines that go by a name; what is taken may have
wildcards again. Braces without a stroke, and braces that are never closed, are text, so that prompts which know nothing
of this mean what they meant. So are `\\{`, `\\}` and `\\__colour__`: a text that is drawn keeps these backslashes, so
that drawn again it is the same, and `plain` takes them away where it is read. Within an alternative a stroke is written
`\\|`.

What is taken follows from the seed, the text's place in the request and how many were taken before it, by a hash: the
same on every machine and in every version of Python. Pure; where lines come from is for the caller to know.
"""

import re
from collections.abc import Callable, Sequence
from hashlib import sha256

from eichi.errors import OptionError

# A name is one word, its parts joined by a stroke; it leads into no folder.
NAME = re.compile(r"__([^\W_](?:[-_]?[^\W_])*)__")
ESCAPED = re.compile(rf"\\(?=[{{}}]|{NAME.pattern})")
DEEP, MANY, LONG = 8, 1000, 20_000  # wildcards within each other, drawn in one text, signs of what is drawn

Lines = Callable[[str], Sequence[str]]  # what goes by a name


def plain(text: str) -> str:
    """A text as it is read, without the backslashes that keep its braces and names from being drawn."""
    return ESCAPED.sub("", text)


def has_wildcards(text: str) -> bool:
    """Whether there is something to be drawn in a text."""
    cuts, at = _groups(text), 0
    while at < len(text):
        if at in cuts or NAME.match(text, at):
            return True
        at = _behind(text, at)
    return False


def draw(text: str, seed: int, key: str, lines: Lines) -> str:
    """A text with its wildcards drawn; `key` is the option that it is. Raises OptionError for too many or too deep."""
    return _Drawing(seed, key, lines).run(text, 0)


class _Drawing:
    """The drawing of one text: counts what is taken."""

    def __init__(self, seed: int, key: str, lines: Lines) -> None:
        self.seed, self.key, self.lines = seed, key, lines
        self.count = 0

    def run(self, text: str, depth: int) -> str:
        """A text, or what was taken for a part of it."""
        if depth > DEEP:
            raise OptionError("error.wildcard.deep", key=self.key, most=DEEP)
        cuts, made, at = _groups(text), list[str](), 0
        while at < len(text):
            if at in cuts:
                edges = cuts[at]
                place = self.take(len(edges) - 1)
                made.append(self.run(text[edges[place] + 1 : edges[place + 1]].strip(), depth + 1))
                at = edges[-1] + 1
            elif found := NAME.match(text, at):
                entries = self.lines(found[1])
                made.append(self.run(entries[self.take(len(entries))], depth + 1))
                at = found.end()
            elif depth and text.startswith("\\|", at):
                made.append("|")
                at += 2
            else:
                behind = _behind(text, at)
                made.append(text[at:behind])
                at = behind
        drawn = "".join(made)
        if len(drawn) > LONG:
            raise OptionError("error.wildcard.long", key=self.key, most=LONG)
        return drawn

    def take(self, count: int) -> int:
        """The place of one of so many."""
        self.count += 1
        if self.count > MANY:
            raise OptionError("error.wildcard.many", key=self.key, most=MANY)
        digest = sha256(f"{self.seed} {self.key} {self.count}".encode()).digest()
        return int.from_bytes(digest[:16], "big") % count


def _groups(text: str) -> dict[int, list[int]]:
    """The braces that have strokes between them: by where one opens, the places of it, its strokes and its end."""
    found, opened, at = dict[int, list[int]](), list[list[int]](), 0
    while at < len(text):
        sign = text[at]
        if sign == "{":
            opened.append([at])
        elif sign == "|" and opened:
            opened[-1].append(at)
        elif sign == "}" and opened:
            edges = opened.pop()
            if len(edges) > 1:
                found[edges[0]] = [*edges, at]
        at += 2 if sign == "\\" and text[at + 1 : at + 2] in ("{", "}", "|") else 1
    return found


def _behind(text: str, at: int) -> int:
    """Where what stands here as text is over: a sign, or what a backslash keeps from being drawn."""
    if not ESCAPED.match(text, at):
        return at + 1
    name = NAME.match(text, at + 1)
    return name.end() if name else at + 2
