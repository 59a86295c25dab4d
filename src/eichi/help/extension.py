"""What Sphinx is taught for the documents: our words, pictures of the reader's language, pages made of declarations, a
search of our own, and how far a translation is.

Sphinx loads it as `eichi.help.extension`, which `docs/conf.py` names. The search is a list of sections with their
texts: looked through by the browser, it finds a word in the middle of Japanese, works from the disk, needs no server.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms import SphinxTransform
from sphinx.util.nodes import extract_messages

from eichi.documents import translations
from eichi.reference.pages import PAGES, page
from eichi.words import ENGLISH, languages, say

SEARCH = "search"
INDEX = "search-index.js"
FEW = 3
SHOWN = re.compile(r"-en-(?=[^/]*$)")  # of a picture that shows the page, where its language stands


class Pictures(SphinxTransform):
    """A picture of the page in the reader's language, where there is one."""

    default_priority = 30

    def apply(self, **kwargs: Any) -> None:
        code = tongue(self.config)
        here = (Path(self.env.srcdir) / self.env.current_document.docname).parent
        for image in self.document.findall(nodes.image):
            other = SHOWN.sub(f"-{code}-", image["uri"])
            if (here / other).is_file():
                image["uri"] = other


class Spoken(SphinxTransform):
    """Marks as translated what is: the texts of pages that are made in every language, and those that Sphinx translates
    and takes for untranslated. Of a page without a catalogue it marks nothing; all of it is not.
    """

    default_priority = 21  # after the translation, before it is counted

    def apply(self, **kwargs: Any) -> None:
        made = self.env.current_document.docname in made_pages()
        if not made and tongue(self.config) != ENGLISH:
            for node, _ in extract_messages(self.document):
                node.setdefault("translated", False)
        for node in self.document.findall(nodes.Element):
            if "translated" in node and (made or _changed(node)):
                node["translated"] = True
                node.attributes.pop("was", None)


def _changed(node: nodes.Element) -> bool:
    """Whether what stands for a picture, or a caption of the table of contents, was translated."""
    if isinstance(node, nodes.image):
        return bool(node.get("alt") != node.get("was"))
    return isinstance(node, addnodes.toctree) and bool(node.get("caption") != node.get("rawcaption"))


class Anchors(SphinxTransform):
    """Keeps the anchors of a page as they were read. A heading that its translation changes in letter case alone is
    read once more, as if it were a page, and MyST then takes its anchor for the only one.
    """

    default_priority = 21

    def apply(self, **kwargs: Any) -> None:
        slugs = getattr(self.document, "myst_slugs", None)
        if slugs:
            self.env.metadata[self.env.current_document.docname]["myst_slugs"] = slugs


class Alternatives(SphinxTransform):
    """Keeps what stands for a picture as it was before it is translated."""

    default_priority = 19

    def apply(self, **kwargs: Any) -> None:
        for image in self.document.findall(nodes.image):
            image["was"] = image.get("alt")


class Scrolled(SphinxTransform):
    """Puts a table into a box of its own, which scrolls where the window is too narrow for it."""

    default_priority = 880

    def apply(self, **kwargs: Any) -> None:
        for table in list(self.document.findall(nodes.table)):
            box = nodes.container(classes=["scroll"])
            table.replace_self(box)
            box += table


def tongue(config: Config) -> str:
    """The language that is built, by the code of the page."""
    return str(config.language).replace("_", "-")


def made_pages() -> tuple[str, ...]:
    """The pages that are made of declarations in every language."""
    return tuple(f"reference/{name}" for name in PAGES)


def read(app: Sphinx, docname: str, content: list[str]) -> None:
    """Take a page that is made of declarations in the language that is built."""
    code = tongue(app.config)
    if code != ENGLISH and docname in made_pages():
        content[0] = page(docname.removeprefix("reference/"), code)


def context(app: Sphinx, pagename: str, template: str, told: dict[str, Any], tree: nodes.document | None) -> None:
    """What the theme's templates are filled with, and what of a page the search finds."""
    code = tongue(app.config)
    told["code"] = code
    told["w"] = lambda id, **values: say(id, code, **values)
    told["tongues"] = {one: say("page.language", one) for one in languages()}
    told["shelves"] = shelves(app)
    told["parts"] = [] if tree is None else parts(tree)
    progress = {} if tree is None else tree.get("translation_progress", {})
    told["behind"] = progress.get("total", 0) - progress.get("translated", 0) if code in translations() else 0
    if tree is not None:
        app.env.eichi_search = [*getattr(app.env, "eichi_search", ()), *sections(app, pagename, tree)]  # type: ignore[attr-defined]


def shelves(app: Sphinx) -> list[tuple[str, list[tuple[str, str]]]]:
    """The table of contents: captions, and below each the names and titles of its pages. The same on every page."""
    made: list[tuple[str, list[tuple[str, str]]]] | None = getattr(app.env, "eichi_shelves", None)
    if made is None:
        made = app.env.eichi_shelves = _shelves(app)  # type: ignore[attr-defined]
    return made


def _shelves(app: Sphinx) -> list[tuple[str, list[tuple[str, str]]]]:
    known = app.env.titles
    trees = app.env.get_doctree(app.config.root_doc).findall(addnodes.toctree)
    every = ((tree.get("caption") or "", [name for _, name in tree["entries"] if name in known]) for tree in trees)
    return [(caption, [(name, known[name].astext()) for name in names]) for caption, names in every if names]


def parts(tree: nodes.document) -> list[tuple[str, str]]:
    """The sections below the title of a page, by anchor and heading; none where they are too few to be listed."""
    found = [one for one in tree.findall(nodes.section) if one.parent.parent is tree]
    return [(one["ids"][0], one.next_node(nodes.title).astext()) for one in found] if len(found) >= FEW else []


def sections(app: Sphinx, pagename: str, tree: nodes.document) -> Iterator[list[str]]:
    """What the search looks through: address, title of the page, heading, text."""
    title = app.env.titles[pagename].astext()
    for section in tree.findall(nodes.section):
        heading = section.next_node(nodes.title)
        own = [child for child in section.children if not isinstance(child, (nodes.section, nodes.title))]
        text = " ".join(" ".join(child.astext().split()) for child in own)
        anchor = "" if section.parent is tree else f"#{section['ids'][0]}"
        yield [f"{pagename}.html{anchor}", title, "" if heading is None else heading.astext(), text]


def no_own_search(app: Sphinx) -> None:
    """Sphinx's own search reads words with spaces between them, and pages from a server."""
    if hasattr(app.builder, "search"):
        app.builder.search = False


def more_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The page of the search."""
    yield SEARCH, {"title": say("help.search", tongue(app.config))}, "search.html"


def write_index(app: Sphinx, error: Exception | None) -> None:
    """Write what the search looks through, as a script: a page from the disk may load no data."""
    if error is None and app.builder.format == "html":
        rows = json.dumps(getattr(app.env, "eichi_search", []), ensure_ascii=False, separators=(",", ":"))
        (Path(app.outdir) / "_static" / INDEX).write_text(f"globalThis.sections = {rows};\n", encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    for transform in (Alternatives, Spoken, Anchors, Pictures, Scrolled):
        app.add_transform(transform)
    app.connect("builder-inited", no_own_search)
    app.connect("source-read", read)
    app.connect("html-page-context", context)
    app.connect("html-collect-pages", more_pages)
    app.connect("build-finished", write_index)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
