"""The language of who asks, as a parameter of an operation of the HTTP interface."""

from typing import Annotated

from fastapi import Depends, Request

from eichi.web.i18n import COOKIE, choose


def spoken(request: Request) -> str:
    """The language that was chosen, else the browser's."""
    return choose(request.headers.get("accept-language", ""), request.cookies.get(COOKIE))


Language = Annotated[str, Depends(spoken)]
