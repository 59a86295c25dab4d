"""What Sphinx is taught for translations, on two small pages."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from eichi.help.catalogues import compile_to, fold, update
from tests.help.test_catalogues import template

# MyST asks in a way that Sphinx is about to give up.
pytestmark = pytest.mark.filterwarnings("ignore::sphinx.deprecation.RemovedInSphinx11Warning")
INDEX = """# Start

```{toctree}
:caption: Pages

page
```

Read [about the scale](page.md#cfg-scale), [and this](page.md#others).
"""
PAGE = "# Settings\n\n## CFG scale\n\n## Others\n"
RUSSIAN = {
    "index": {
        "Start": "Начало",
        "Pages": "Страницы",
        "Read [about the scale](page.md#cfg-scale), [and this](page.md#others).": (
            "Прочитайте [о шкале](page.md#cfg-scale), [и это](page.md#others)."
        ),
    },
    "page": {"Settings": "Настройки", "CFG scale": "CFG Scale", "Others": "Прочее"},
}


@dataclass(frozen=True)
class Made:
    """What came of a build."""

    app: Sphinx
    warnings: str

    def progress(self, page: str) -> tuple[int, int]:
        """The texts of a page, and those that are translated."""
        told = self.app.env.get_doctree(page)["translation_progress"]
        return told["total"], told["translated"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Two pages, read in Russian."""
    place = tmp_path_factory.mktemp("extension")
    source = place / "docs"
    source.mkdir()
    for name, text in (("index", INDEX), ("page", PAGE)):
        (source / f"{name}.md").write_text(text, encoding="utf-8")
        template(place / "pot" / f"{name}.pot", *RUSSIAN[name])
    update(place / "pot", place / "ru", "ru")
    assert fold(RUSSIAN, place / "ru").refused == []
    compile_to(place / "ru", place / "locales/ru/LC_MESSAGES")
    asked = {
        "extensions": ["myst_parser", "eichi.help.extension"],
        "myst_heading_anchors": 3,
        "language": "ru",
        "locale_dirs": [str(place / "locales")],
        "gettext_auto_build": False,
    }
    heard = StringIO()
    with patch_docutils(), docutils_namespace():
        app = Sphinx(source, None, place / "out", place / "trees", "dummy", asked, status=None, warning=heard)
        app.build()
        yield Made(app, heard.getvalue())


def test_links_lead_to_a_heading_that_changes_in_case_alone_and_to_its_neighbours(made: Made) -> None:
    assert made.warnings == ""
    assert made.app.env.titles["page"].astext() == "Настройки"


def test_captions_of_the_contents_count_as_translated(made: Made) -> None:
    assert made.progress("index") == (3, 3) and made.progress("page") == (3, 3)
