"""How Sphinx makes the site of these documents; `python -m eichi.help build en` calls it, with the language.

What it is taught for that is in src/eichi/help/extension.py, how it looks in _theme/, what it says in the program's
words. Translations are catalogues in locales/, one a page: develop/translate.md.
"""

from importlib.resources import files
from pathlib import Path

project = "FramePack-eichi"
root_doc = "index"
extensions = ["myst_parser", "eichi.help.extension"]
exclude_patterns = ["_theme", "locales", "screens"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

language = "en"
locale_dirs = ["locales"]
gettext_compact = False
gettext_location = False
gettext_uuid = False
translation_progress_classes = "untranslated"

html_theme = "eichi"
html_theme_path = ["_theme"]
html_title = project
html_static_path = [str(Path(str(files("eichi.web"))) / "static" / name) for name in ("tokens.css", "icon.svg")]
html_copy_source = False
html_use_index = False
html_domain_indices = False
html_show_sphinx = False
html_permalinks = False
smartquotes = False
highlight_language = "text"
