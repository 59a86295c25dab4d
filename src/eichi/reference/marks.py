"""Pieces of a reference page: targets that links lead to, code, texts whose signs mean nothing to Markdown.

Knows nothing of what the pages are about.
"""

import re
from collections.abc import Iterable, Iterator

from eichi.words import ENGLISH, say

GUIDE = "../guide"
# The titles of the pages of the guide that a reference page leads to.
TITLES = {
    "batches": "Batches",
    "coming-from": "Coming from other programs",
    "continue": "Continue a video",
    "f1": "Standard or F1",
    "finish": "Finish a video",
    "influence": "Influence and padding",
    "install": "Install",
    "keyframes": "Keyframes",
    "latents": "Latents",
    "lora": "LoRA",
    "memory": "Memory and speed",
    "models": "Models",
    "parallel": "One video on several cards",
    "prompts": "Prompts",
    "queue": "The queue, overnight",
    "ray": "Workers in a Ray cluster",
    "results": "Results",
    "sampling": "Quality, speed and output",
    "scale": "How far it scales",
    "server": "Others on your network",
    "settings": "Settings",
    "single-frame": "Single frame",
    "time": "Prompts by time",
    "trouble": "When something goes wrong",
    "workers": "Several cards, several machines",
}
# What Markdown would read as more than a sign; what stands in backticks is left alone.
SIGNS = re.compile(r"`[^`]*`|([\\*_\[\]<>{}|#~$])")
FLAG = re.compile(r"(`[^`]*`)|((?<![\w-])--[a-z][a-z-]*(?: [a-z_0-9]+(?:\.[a-z_0-9]+)*=[\w.]*)?)")


def heading(level: int, text: str, target: str | None = None) -> str:
    """A heading, with a target that links lead to."""
    line = f"{'#' * level} {plain(text)}\n"
    return f"\n{line}" if target is None else f"\n({target})=\n{line}"


def plain(text: str) -> str:
    """A text in which nothing is read as Markdown but code in backticks."""
    return SIGNS.sub(lambda found: f"\\{found[1]}" if found[1] else found[0], text)


def typing(text: str) -> str:
    """A text of the command line's own as Markdown, its flags as code: two hyphens would become a dash."""
    return plain(FLAG.sub(lambda found: found[1] or f"`{found[2]}`", text))


def code(value: object) -> str:
    """A value as it is typed; within a sign of its own where it has backticks."""
    text = str(value)
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def facts(rows: Iterable[tuple[str, str]], language: str = ENGLISH) -> str:
    """A list of what something is: names in bold, the ids of texts, then Markdown; what is empty is left out."""
    lines = (
        f"* **{say(f'reference.{name}', language)}**{say('reference.is', language)}{text}\n"
        for name, text in rows
        if text
    )
    return "".join(["\n", *lines])


def paragraph(text: str) -> str:
    return f"\n{text}\n"


def more(pages: Iterable[str], language: str = ENGLISH) -> Iterator[str]:
    """A line that leads on to pages of the guide.

    They are called by their titles: Sphinx puts a translated page's own where a link has no text; a forge does not.
    """
    links = [f"[{TITLES[page] if language == ENGLISH else ''}]({GUIDE}/{page}.md)" for page in pages]
    if links:
        yield paragraph(say("reference.more", language, pages=say("list.comma", language).join(links)))
