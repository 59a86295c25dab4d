"""Which reference pages are made, by name, and how the English ones are written."""

from collections.abc import Callable, Mapping
from pathlib import Path

from eichi.reference.declared import options_page, settings_page
from eichi.words import ENGLISH

# What makes a page in a language, by the page's name in the folder of the reference.
PAGES: Mapping[str, Callable[[str], str]] = {"options": options_page, "settings": settings_page}


def page(name: str, language: str = ENGLISH) -> str:
    """A page in a language. Raises KeyError for one that is not made."""
    return PAGES[name](language)


def write(folder: Path) -> None:
    """Write the English pages into a folder."""
    for name in PAGES:
        (folder / f"{name}.md").write_text(page(name), encoding="utf-8")
