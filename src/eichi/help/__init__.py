"""The documents for readers, as a site in every language: built by Sphinx, shown by the page, translated by people.

The sources are Markdown, a file a page, and gettext's catalogues beside them, a paragraph an entry. Only `extension`,
which Sphinx loads, and what builds know Sphinx; the page asks `shelf` for folders and never waits for a build.
`python -m eichi.help` has the commands of those who write and translate.
"""
