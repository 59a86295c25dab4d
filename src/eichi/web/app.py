"""The server: the page, the HTTP interface, the worker beside them. Everything is put together here.

FastAPI carries it. Nothing is loaded that a video is made with: jobs run in the worker's process, which this one starts
and ends. What requests and answers pass is the guard's; requests under other names than this machine's are refused.
"""

import logging
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.gzip import GZipMiddleware

from eichi.errors import EichiError
from eichi.files import private
from eichi.jobs.executors import open_executor
from eichi.jobs.homecoming import Homecoming
from eichi.jobs.store import Store
from eichi.logs import logging_to
from eichi.settings import Settings
from eichi.web import metrics
from eichi.web.access import Access, Door
from eichi.web.api import health, routes
from eichi.web.api.errors import explain, explain_mistake, explain_question, explain_refusal
from eichi.web.api.operations import named
from eichi.web.connections import Punctual
from eichi.web.desk import Desk
from eichi.web.guard import QUESTION, Guard
from eichi.web.listening import EVERYWHERE, reached
from eichi.web.pages import Pages

log = logging.getLogger(__name__)

LOCAL = ("127.0.0.1", "localhost", "::1", "[::1]")
SMALL = 1000  # bytes that are not worth packing
FIELDS = 4  # of a form, beside its file


def make_app(
    desk: Desk, language: str | None = None, hosts: tuple[str, ...] = LOCAL, access: Access | None = None
) -> FastAPI:
    """The whole server as an ASGI application; `language` is fixed for who has not chosen one."""
    private(desk.uploads)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        desk.empty_bin()
        desk.tidy()
        desk.wake()
        yield

    app = FastAPI(
        title="FramePack-eichi",
        version=version("framepack-eichi"),
        lifespan=life,
        docs_url=None,
        openapi_url="/api/openapi.json",
        redoc_url=None,
        generate_unique_id_function=named,
        form_limits={"max_files": 1, "max_fields": FIELDS, "max_part_size": QUESTION},
    )
    app.state.refs = desk.refs
    app.router.routes.extend([*routes(desk), *metrics.routes(desk.store).routes])
    app.add_exception_handler(EichiError, explain)
    app.add_exception_handler(RequestValidationError, explain_question)
    app.add_exception_handler(HTTPException, explain_refusal)
    Pages(desk, language).mount(app)
    app.add_exception_handler(Exception, explain_mistake)
    app.add_middleware(GZipMiddleware, minimum_size=SMALL)
    # Also of those that do not say their length; an address that takes a file allows more.
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=QUESTION)
    door = None if access is None else Door(access)
    app.add_middleware(Guard, hosts=hosts, local=desk.local, door=door, open=(health.OPEN,))
    return app


def serve(
    settings: Settings,
    listener: socket.socket,
    server: str,
    port: int,
    inbrowser: bool,
    language: str | None,
    ready: Callable[[], object],
    access: Access | None = None,
) -> None:
    """Serve until Ctrl-C, to everybody or to those whom `access` allows; `ready` is called once pages can be asked for.

    The job that runs at the end is left as it is and goes on at the next start. Raises EichiError.
    """
    with logging_to(settings, "page"), Store(settings.store) as store:
        ready()
        log.info("eichi %s: %s:%d", version("framepack-eichi"), server, port)
        executor = open_executor(store, settings)
        desk = Desk(settings, store, executor.submit, local=server in LOCAL)
        try:
            hosts = ("*",) if server in EVERYWHERE else (*LOCAL, server)
            app = make_app(desk, language, hosts, access)
            if inbrowser:
                threading.Timer(1.0, webbrowser.open, [f"http://{reached(server)}:{port}/"]).start()
            config = uvicorn.Config(
                app, http=Punctual, log_config=None, log_level="warning", timeout_graceful_shutdown=1
            )
            with Homecoming(store, desk.freight).watching(), desk.watching():
                Server(config, desk).run([listener])
        finally:
            desk.downloads.close()
            desk.bench.close()
            desk.manual.close()
            executor.close()


class Server(uvicorn.Server):
    """A server that lets go of the pages that follow before it waits for what is asked of it."""

    def __init__(self, config: uvicorn.Config, desk: Desk) -> None:
        super().__init__(config)
        self.desk = desk

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.desk.live.end()
        await super().shutdown(sockets)
