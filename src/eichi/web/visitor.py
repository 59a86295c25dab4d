"""Who asks: the language that is spoken with them, and whether they sit at this machine.

A tab says its language with every request, since two tabs may be in two of them; a program without one gets the
browser's way: a cookie, then Accept-Language. Knows no page.
"""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from eichi.errors import InputError
from eichi.web.i18n import COOKIE, choose

HEADER, QUERY = "eichi-language", "language"


@dataclass(frozen=True)
class Visitor:
    """Who asks; `local` says that machine settings and paths are theirs.

    `owner` is whose their jobs are: the name of the token that they were let in with, nothing for who sits at this
    machine. What they see does not depend on it.
    """

    language: str
    local: bool
    owner: str = field(default="", compare=False)


def spoken(request: Request) -> str:
    """The language that was chosen, else the browser's."""
    said = request.query_params.get(QUERY) or request.headers.get(HEADER)
    return choose(request.headers.get("accept-language", ""), said, request.cookies.get(COOKIE))


def visiting(request: Request) -> Visitor:
    """Who asks, as the guard has seen them."""
    local = bool(getattr(request.state, "local", False))
    return Visitor(spoken(request), local, "" if local else getattr(request.state, "owner", ""))


def at_machine(visitor: Visitor, otherwise: str) -> None:
    """Raise InputError, with this sentence, for who does not sit at the machine."""
    if not visitor.local:
        raise InputError(otherwise)


Language = Annotated[str, Depends(spoken)]
Visiting = Annotated[Visitor, Depends(visiting)]
