"""Where the documents' sources are, what languages they have, where of them something is said, and what tells one state
of them from another.

In a clone they are `docs/`; in an installed program they lie within the package. Knows nothing of how they are built.
"""

import re
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from eichi.words import ENGLISH, languages

INSIDE = "documents-source"  # what the folder is called in the package
CATALOGUES = "locales"
SETTING = "option.setting."
SAID_IN = {"option-": "options", "setting-": "settings", "command-": "cli", "event-": "events"}  # else in messages
# Of these files a site is made; what else is in the folder is not told apart.
KINDS = (".md", ".py", ".po", ".html", ".css", ".js", ".toml", ".webp", ".svg", ".png", ".json")


@cache
def folder() -> Path:
    """The documents as they are written. Raises FileNotFoundError where the program came without them."""
    package = Path(str(files("eichi")))
    for place in (package / INSIDE, package.parents[1] / "docs"):
        if (place / "conf.py").is_file():
            return place
    raise FileNotFoundError(package / INSIDE)


def translations() -> tuple[str, ...]:
    """The languages that the documents are translated into, by the codes of the page."""
    return tuple(code for code in languages() if code != ENGLISH)


def locale(code: str) -> str:
    """A language as gettext and Sphinx write it: `zh_TW`."""
    return code.replace("-", "_")


def catalogues(code: str, source: Path) -> Path:
    """The folder of a language's catalogues below the documents."""
    return source / CATALOGUES / locale(code) / "LC_MESSAGES"


def pages(source: Path) -> tuple[str, ...]:
    """The pages as others name them: paths below the documents without an ending."""
    found = (path.relative_to(source).with_suffix("").as_posix() for path in source.rglob("*.md"))
    return tuple(sorted(name for name in found if not name.startswith((CATALOGUES, "_"))))


def anchor(id: str) -> str:
    """Where the reference says more of a text: `option-sampling-cfg`, `setting-vae-tile`, `message-error-image`."""
    if id.startswith(SETTING):
        id = f"setting.{id.removeprefix(SETTING)}"
    kind = "" if id.startswith(("option.", "setting.", "command.", "event.")) else "message."
    return re.sub(r"[._]", "-", kind + id)


def address(id: str) -> str:
    """The page and place of the reference that says more of an option, a setting or a message, by its text's id."""
    found = anchor(id)
    page = next((page for begin, page in SAID_IN.items() if found.startswith(begin)), "messages")
    return f"reference/{page}.html#{found}"


def mark(source: Path) -> str:
    """What tells one state of the documents, of the program's words and of what is read from it from another."""
    digest = sha256()
    for root, path in _files(source):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _files(source: Path) -> Iterator[tuple[Path, Path]]:
    """What a site is made from: the sources, and the package, whose options and words are in it."""
    package = Path(str(files("eichi")))
    for path in sorted(source.rglob("*")):
        if path.suffix in KINDS and path.is_file():
            yield source, path
    for path in sorted([*package.rglob("*.py"), *package.glob("locales/*.json"), package / "web/static/tokens.css"]):
        yield package, path
