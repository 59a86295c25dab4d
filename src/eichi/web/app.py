"""The server: a page for every language, the HTTP interface, the worker beside them. Everything is put together here.

FastAPI carries the pages. Each language is a page of its own under its own path; `/` leads to the visitor's. Nothing is
loaded that a video is made with: jobs run in the worker's process, which this one starts and ends. Requests from other
sites and under other names than this machine's are refused.
"""

import asyncio
import logging
import os
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from html import escape
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.trustedhost import TrustedHostMiddleware

from eichi.errors import EichiError, ErrorView, InputError
from eichi.files import private
from eichi.jobs.executors.local import LocalExecutor
from eichi.jobs.store import Store
from eichi.logs import logging_to
from eichi.settings import Settings
from eichi.text import json_text
from eichi.web.access import Access
from eichi.web.api import routes
from eichi.web.api.errors import explain, explain_question, explain_refusal
from eichi.web.desk import MOST, Desk
from eichi.web.i18n import COOKIE, Words, choose
from eichi.web.pages import LanguagePage
from eichi.words import languages

log = logging.getLogger(__name__)

LOCAL = ("127.0.0.1", "localhost", "::1", "[::1]")
EVERYWHERE = ("0.0.0.0", "::")
UPLOAD = "200mb"
GONE = 499  # what servers note where a visitor has left
YEAR = 365 * 24 * 3600
SAFE = ("GET", "HEAD", "OPTIONS")


def make_app(
    desk: Desk, language: str | None = None, hosts: tuple[str, ...] = LOCAL, access: Access | None = None
) -> FastAPI:
    """The whole server as an ASGI application; `language` is fixed for who has not chosen one."""
    os.environ["GRADIO_TEMP_DIR"] = str(desk.uploads)  # the one way to tell Gradio where to keep what is given to it
    private(desk.uploads)
    assets = Path(str(files("eichi.web") / "assets"))
    running = AsyncExitStack()  # what pages start when they are built, and the server ends

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        desk.tidy()
        desk.wake()
        async with running:
            yield

    app = FastAPI(
        title="FramePack-eichi",
        version=version("framepack-eichi"),
        lifespan=life,
        docs_url="/api/docs",
        openapi_url="/api/openapi.json",
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.include_router(routes(desk))
    app.add_exception_handler(EichiError, explain)
    app.add_exception_handler(RequestValidationError, explain_question)
    app.add_exception_handler(HTTPException, explain_refusal)
    app.mount("/page", StaticFiles(directory=assets))
    _doors(app, language)
    _guard(app, desk, access)
    for code in languages():
        app.mount(f"/{code}", LanguagePage(desk, Words(code), assets / "style.css", UPLOAD, running))
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    return app


def _doors(app: FastAPI, fixed: str | None) -> None:
    """The way to a page, and what is done to everything that goes in or out."""

    @app.get("/", include_in_schema=False)
    def enter(request: Request) -> RedirectResponse:
        asked = request.headers.get("accept-language", "")
        return RedirectResponse(f"/{choose(asked, request.cookies.get(COOKIE), fixed)}/")

    @app.get("/language/{code}", include_in_schema=False)
    def switch(code: str) -> RedirectResponse:
        answer = RedirectResponse(f"/{choose('', code)}/")
        answer.set_cookie(COOKIE, choose("", code), max_age=YEAR, samesite="lax")
        return answer


def _guard(app: FastAPI, desk: Desk, access: Access | None) -> None:
    """What is refused before anything is done, in a sentence, and the language of what is answered."""

    @app.middleware("http")
    async def guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
        words = Words(choose(request.headers.get("accept-language", ""), request.cookies.get(COOKIE)))

        def refused(status: int, id: str, **values: object) -> Response:
            headers = {"www-authenticate": 'Basic realm="FramePack-eichi", charset="UTF-8"'} if status == 401 else {}
            said = ErrorView(id, words(id, **values))
            return Response(json_text(said), status, headers, media_type="application/json")

        origin = request.headers.get("origin")
        if origin is not None and request.method not in SAFE and urlsplit(origin).netloc != request.headers.get("host"):
            return refused(403, "error.api.origin", origin=origin)
        given = request.headers.get("authorization", "")
        if access is not None and not await asyncio.to_thread(access.allows, given):
            return refused(401, "error.api.access")
        if request.url.path.endswith("/upload") and desk.full:
            return refused(413, "error.upload.count", limit=MOST)
        try:
            answer = await call_next(request)
        except RuntimeError:  # what Starlette says where there is nobody any more to answer
            if not await request.is_disconnected():
                raise
            return Response(status_code=GONE)
        code = request.url.path.strip("/")
        return await _spoken(answer, code) if code in languages() else answer


async def _spoken(answer: Response, code: str) -> Response:
    """A page that tells its browser its language, before Gradio asks for it to choose its own words."""
    body = b"".join([part async for part in answer.body_iterator])  # type: ignore[attr-defined]
    script = (
        f"<head><script>for (const [name, value] of [['language', '{code}'], ['languages', ['{code}']]])"
        "Object.defineProperty(navigator, name, {get: () => value});</script>"
        f'<script defer src="/page/page.js" data-language="{code}"'
        f' data-more="{escape(Words(code)("page.more"))}"></script>'
        '<link rel="icon" type="image/svg+xml" href="/page/icon.svg">'
    )
    text = body.decode().replace('lang="en"', f'lang="{code}"', 1).replace("<head>", script, 1)
    headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
    page = Response(text, answer.status_code, headers)
    page.set_cookie(COOKIE, code, max_age=YEAR, samesite="lax")  # what the page asks for is answered in its language
    return page


def serve(
    settings: Settings,
    server: str,
    port: int,
    inbrowser: bool,
    language: str | None,
    ready: Callable[[], object],
    access: Access | None = None,
) -> None:
    """Serve until Ctrl-C, to everybody or to those whom `access` allows; `ready` is called once pages can be asked for.

    The job that runs at the end is left as it is and goes on at the next start. Raises InputError.
    """
    with _listening(server, port) as listener, logging_to(settings, "page"), Store(settings.store) as store:
        ready()
        log.info("eichi %s: %s:%d", version("framepack-eichi"), server, port)
        executor = LocalExecutor(store, settings)
        desk = Desk(settings, store, executor.submit, local=server in LOCAL)
        try:
            hosts = ("*",) if server in EVERYWHERE else (*LOCAL, server)
            app = make_app(desk, language, hosts, access)
            if inbrowser:
                threading.Timer(1.0, webbrowser.open, [f"http://{LOCAL[0]}:{port}/"]).start()
            # Open pages follow for as long as they are open, so their connections are not waited for.
            config = uvicorn.Config(app, log_config=None, log_level="warning", timeout_graceful_shutdown=1)
            uvicorn.Server(config).run([listener])
        finally:
            desk.bench.close()
            executor.close()


def _listening(server: str, port: int) -> socket.socket:
    """The place where pages are asked for, taken before anything else is begun. Raises InputError."""
    try:
        return socket.create_server((server, port), family=socket.AF_INET6 if ":" in server else socket.AF_INET)
    except OSError as error:
        raise InputError("error.ui.port", server=server, port=port, reason=error) from error
