"""What every request passes on its way in and every answer on its way out: who may ask, and what a browser may do.

Requests from other sites are refused; answers carry a policy under which no script runs but the page's own files.
Knows no address below it but the one of the interface's own documentation, which brings a library from elsewhere.
"""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import Response

from eichi.errors import InputError
from eichi.text import json_text
from eichi.web.access import Access
from eichi.web.problems import told
from eichi.web.visitor import spoken

SAFE = ("GET", "HEAD", "OPTIONS")
GONE = 499  # what servers note where a visitor has left
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types eichi",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def guard(app: FastAPI, local: bool, access: Access | None) -> None:
    """Put the guard before an application; `local` says that only this machine reaches the server."""

    @app.middleware("http")
    async def watch(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        request.state.local = local
        answer = await _answered(request, call_next, access)
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer


async def _answered(
    request: Request, call_next: Callable[[Request], Awaitable[Response]], access: Access | None
) -> Response:
    origin = request.headers.get("origin")
    if origin is not None and request.method not in SAFE and urlsplit(origin).netloc != request.headers.get("host"):
        return _refused(request, 403, "error.api.origin", origin=origin)
    if access is not None and not await asyncio.to_thread(access.allows, request.headers.get("authorization", "")):
        return _refused(request, 401, "error.api.access")
    try:
        return await call_next(request)
    except RuntimeError:  # what Starlette says where there is nobody any more to answer
        if not await request.is_disconnected():
            raise
        return Response(status_code=GONE)


def _refused(request: Request, status: int, id: str, **values: object) -> Response:
    headers = {"www-authenticate": 'Basic realm="FramePack-eichi", charset="UTF-8"'} if status == 401 else {}
    said = told(InputError(id, **values), spoken(request))
    return Response(json_text(said), status, headers, media_type="application/json")
