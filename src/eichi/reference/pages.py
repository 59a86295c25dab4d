"""Which reference pages are made, by name, and how the English ones are written."""

from collections.abc import Callable, Mapping
from pathlib import Path

from eichi.reference.commands import commands_page
from eichi.reference.declared import options_page, settings_page
from eichi.reference.happenings import events_page
from eichi.reference.messages import messages_page
from eichi.reference.operations import operations_page
from eichi.words import ENGLISH, language_of

# What makes a page in a language, by the page's name in the folder of the reference.
PAGES: Mapping[str, Callable[[str], str]] = {
    "cli": commands_page,
    "events": events_page,
    "messages": messages_page,
    "operations": operations_page,
    "options": options_page,
    "settings": settings_page,
}


def page(name: str, language: str = ENGLISH) -> str:
    """A page in a language, in whatever way its code is written. Raises KeyError for one that is not made."""
    return PAGES[name](language_of(language) or ENGLISH)


def write(folder: Path) -> None:
    """Write the English pages into a folder."""
    for name in PAGES:
        (folder / f"{name}.md").write_text(page(name), encoding="utf-8")
