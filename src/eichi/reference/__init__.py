"""The reference pages that are read from the program itself, as MyST Markdown, in every language.

Options, settings, commands, events and messages are declared with their words in four languages, so their pages are
made in each of them. `python -m eichi.reference FOLDER` writes the English ones, which are committed; the site asks
`page` for the others while it is built. Nothing else may import this: it reads every surface of the program.
"""

from eichi.documents import anchor
from eichi.reference.pages import PAGES, page

__all__ = ["PAGES", "anchor", "page"]
