"""The documents for readers, as a site in every language: built by Sphinx, shown by the page, translated by people.

The sources are Markdown, a file a page, and gettext's catalogues beside them, a paragraph an entry. Nothing of the
program may import this: it reads every surface of it. The page has sites built in a process of their own, by
`python -m eichi.help`, which also has the commands of those who write and translate.
"""
