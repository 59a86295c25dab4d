"""What every request passes on its way in and every answer on its way out: who may ask, and what a browser may do.

Requests under other names, from other sites and from those without the password are refused; every answer, a refusal
and a stream too, carries a policy under which no script runs but the page's own files. It stands before the application
as plain ASGI, so that nothing is held back on the way. Knows no address below it.
"""

from collections.abc import Collection, Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eichi.errors import InputError
from eichi.text import json_text
from eichi.web.access import Door, Verdict
from eichi.web.problems import told
from eichi.web.uploads import LARGEST
from eichi.web.visitor import spoken

SAFE = ("GET", "HEAD", "OPTIONS")
EVERY_NAME = "*"
QUESTION = 8 * 2**20  # bytes of a request that brings no file; what is read of it takes many times as much
BODY = LARGEST + QUESTION  # of one that brings the largest file, and what a form has around it
FORM = "multipart/form-data"  # what brings a file
# What programs between a visitor and this one add: who asks through them does not sit here.
BETWEEN = {"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"}
PREFIX = "x-forwarded-"
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
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
REFUSED: dict[Verdict, tuple[int, str]] = {
    Verdict.ASKED: (401, "error.api.access"),
    Verdict.THROTTLED: (429, "error.api.throttled"),
    Verdict.CROWDED: (503, "error.api.crowded"),
}


class Guard:
    """Stands before an application: `hosts` are the names that it answers to, `local` says that only this machine
    reaches it, `door` asks for the password where there is one, but at the addresses that are `open`.
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], local: bool, door: Door | None, open: Collection[str] = ()
    ) -> None:
        self.app, self.local, self.door, self.open = app, local, door, frozenset(open)
        self.hosts = {host.strip("[]") for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request, name = Request(scope), host_name(scope)
        request.state.local = sits_here(request, name, self.local)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                protect(MutableHeaders(scope=message))
            await send(message)

        refusal = await self._refusal(request, name)
        await (refusal or self.app)(scope, receive, guarded)

    async def _refusal(self, request: Request, name: str) -> Response | None:
        """What is answered to who may not ask."""
        headers, length = request.headers, request.headers.get("content-length", "")
        if EVERY_NAME not in self.hosts and name not in self.hosts:
            return refused(request, 400, "error.api.host", host=headers.get("host", ""))
        origin = headers.get("origin")
        if (origin is not None and request.method not in SAFE and not _same(origin, headers)) or _elsewhere(headers):
            return refused(request, 403, "error.api.origin", origin=origin or "?")
        if self.door is not None and request.scope["path"] not in self.open:
            entry = await self.door.ask(headers.get("authorization", ""), request.client.host if request.client else "")
            if entry.verdict is not Verdict.RIGHT:
                status, id = REFUSED[entry.verdict]
                return refused(request, status, id, seconds=entry.seconds)
            request.state.owner = entry.name
        most, limit = (BODY, LARGEST) if headers.get("content-type", "").startswith(FORM) else (QUESTION, QUESTION)
        if length.isdecimal() and int(length) > most:
            return refused(request, 413, "error.api.large", limit=limit // 2**20)
        return None


def protect(headers: MutableHeaders) -> None:
    """Put the policy into the headers of an answer."""
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


def refused(request: Request, status: int, id: str, **values: str | int) -> Response:
    """An error of ours as an answer, in the visitor's language."""
    headers = {}
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="FramePack-eichi", charset="UTF-8"'
    if status in (429, 503):
        headers["retry-after"] = str(values["seconds"])
    said = told(InputError(id, **values), spoken(request))
    return Response(json_text(said), status, headers, media_type="application/json")


def host_name(scope: Scope) -> str:
    """The name that a request calls this server by, nothing where it is none."""
    try:
        return urlsplit(f"//{Headers(scope=scope).get('host', '')}").hostname or ""
    except ValueError:
        return ""


def sits_here(request: Request, name: str, local: bool) -> bool:
    """Whether who asks sits at this machine: nothing stands between, and it is asked from here under a name of here."""
    if any(header in BETWEEN or header.startswith(PREFIX) for header in request.headers):
        return False
    return local or (request.client is not None and _here(request.client.host) and _here(name))


def _here(name: str) -> bool:
    """Whether a name or an address is this machine's own."""
    if name == "localhost":
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)


def _elsewhere(headers: Headers) -> bool:
    """Whether a browser says that a page of another site asks, be it only to look.

    Such a page reads no answer, but may keep the server busy, and learn from pictures and times what there is. A link
    that leads here is another thing. What is no browser says nothing of the kind.
    """
    if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return False
    return (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) != ("navigate", "document")


def _same(origin: str, headers: Headers) -> bool:
    """Whether a request comes from the page of the address that it is sent to."""
    try:
        return urlsplit(origin).netloc == headers.get("host")
    except ValueError:
        return False
