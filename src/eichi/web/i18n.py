"""The language of a visitor, and words bound to it.

A page is written in the language of its address; the browser asks for all words of another one. Which one a visitor
gets first: the one chosen before, else the machine's where it is fixed, else the first of the browser's that is known.
Knows nothing of pages.
"""

from dataclasses import dataclass

from eichi.words import ENGLISH, language_of, languages, say, table

COOKIE = "eichi_language"


@dataclass(frozen=True)
class Words:
    """The words of one language."""

    language: str

    def __call__(self, id: str, **values: object) -> str:
        """The text of `id`, filled. Raises KeyError for an unknown id."""
        return say(id, self.language, **values)

    def pick(self, id: str, otherwise: str) -> str:
        """The text of `id`; what stands for it where it has none, as the names of profiles and models do."""
        return table(self.language).get(id, otherwise)

    def span(self, seconds: float) -> str:
        """A time that something takes, as people say it."""
        minutes, rest = divmod(max(0, round(seconds)), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return self("page.hours", hours=hours, minutes=minutes)
        return self("page.minutes", minutes=minutes, seconds=rest) if minutes else self("page.seconds", seconds=rest)


def choose(accept: str, chosen: str | None = None, fixed: str | None = None) -> str:
    """The language for a visitor whose browser sends this Accept-Language header."""
    for code in (chosen, fixed):
        if code in languages():
            return str(code)
    return next(filter(None, map(language_of, _ranked(accept))), ENGLISH)


def _ranked(accept: str) -> list[str]:
    """The codes of an Accept-Language header, the most wanted first."""
    found: list[tuple[float, str]] = []
    for part in accept.split(","):
        code, _, weight = part.partition(";q=")
        try:
            found.append((-float(weight or 1), code.strip().lower()))
        except ValueError:
            continue
    return [code for _, code in sorted(found, key=lambda pair: pair[0])]
