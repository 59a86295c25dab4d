"""The documents at `/help/`: the site of the visitor's language, made by this machine when it is first asked for.

Sites lie in the home folder under the mark of what they are made from, so that a new version of the program makes new
ones and two servers share theirs. Making one takes seconds, in a process of its own that gives way to others; until
then a small page says so, looks again and again, and becomes the page that was asked for. Knows no Sphinx.
"""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from enum import Enum
from functools import cached_property
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from eichi.documents import folder, mark
from eichi.errors import EichiError
from eichi.files import LIMIT, private, read_file
from eichi.web.i18n import COOKIE, choose
from eichi.words import languages

FOLDER = "help"  # in the home folder
ENTRANCE = "index.html"
NAMED = re.compile(r"[\w./-]+", re.ASCII)  # what every file of a site is called
SAID = 2000  # signs of what a failed build said, the last ones
MAKING, FAILED = 202, 503
# On Windows the library asks the registry, where other programs have made text of scripts, which no browser runs.
KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
Show = Callable[..., str]  # a template with its values: the page's


class State(Enum):
    """How the site of a language is."""

    THERE = "there"
    MAKING = "making"
    FAILED = "failed"


class Shelf:
    """The sites of this machine; each is made once, whoever asks for it how often."""

    def __init__(self, home: Path) -> None:
        self.home = home / FOLDER
        self._lock = threading.Lock()
        self._making: dict[str, subprocess.Popen[bytes]] = {}

    @cached_property
    def mark(self) -> str:
        """What the sites are made from, as it was when the server began. Raises FileNotFoundError."""
        return mark(folder())

    def site(self, code: str) -> Path:
        """The folder of a language's site, be it there or not. Raises FileNotFoundError."""
        return self.home / self.mark / code

    def log(self, code: str) -> Path:
        """What the making of a site said."""
        return self.home / f"{code}.log"

    def ask(self, code: str, again: bool = False) -> State:
        """How a site is; one that is not there is made from now on, one that failed only `again`. Raises OSError."""
        if (self.site(code) / ENTRANCE).is_file():
            return State.THERE
        with self._lock:
            before = self._making.get(code)
            if before is None or (again and before.poll() is not None):
                self._making[code] = before = self._start(code)
            if before.poll() is None:
                return State.MAKING
        return State.THERE if (self.site(code) / ENTRANCE).is_file() else State.FAILED

    def close(self) -> None:
        """Let no build go on without the server."""
        with self._lock:
            for process in self._making.values():
                if process.poll() is None:
                    process.kill()
                process.wait()

    def _start(self, code: str) -> "subprocess.Popen[bytes]":
        private(self.home)
        words = [sys.executable, "-m", "eichi.help", "keep", code, str(self.site(code))]
        with self.log(code).open("wb") as log:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


class Manual:
    """The addresses of the documents: `show` fills the template of the small page, `fixed` is the server's language."""

    def __init__(self, shelf: Shelf, show: Show, fixed: str | None) -> None:
        self.shelf, self.show, self.fixed = shelf, show, fixed

    def mount(self, app: FastAPI) -> None:
        """Put the documents into an application."""
        for path in ("/help", "/help/"):
            app.add_route(path, self.enter)
        for path in ("/help/{code}", "/help/{code}/{path:path}"):
            app.add_route(path, self.page)

    def enter(self, request: Request) -> Response:
        """The way to the visitor's language."""
        code = choose(request.headers.get("accept-language", ""), request.cookies.get(COOKIE), self.fixed)
        return RedirectResponse(f"/help/{code}/{ENTRANCE}")

    async def page(self, request: Request) -> Response:
        """A file of a language's site, or what is said instead."""
        code, path = request.path_params["code"], request.path_params.get("path", "")
        if code not in languages():
            raise HTTPException(404)
        if path in ("", "."):
            return RedirectResponse(f"/help/{code}/{ENTRANCE}")
        try:
            state = await run_in_threadpool(self.shelf.ask, code, "again" in request.query_params)
        except OSError as error:  # no sources, no place for the site
            return self._instead(code, State.FAILED, str(error), request.url.path)
        if state is State.THERE:
            return await self._file(code, path, request)
        said = self._log(code) if state is State.FAILED else ""
        return self._instead(code, state, said, request.url.path)

    async def _file(self, code: str, path: str, request: Request) -> Response:
        if not NAMED.fullmatch(path):  # what else a system may take for a disk, a device, another machine
            raise HTTPException(404)
        files = StaticFiles(directory=self.shelf.site(code), check_dir=False)  # which another server may just remove
        try:
            answer = await files.get_response(os.path.normpath(path), request.scope)  # 404 for what is outside, too
        except OSError:  # a link to itself
            raise HTTPException(404) from None
        answer.headers["cache-control"] = "no-cache"
        kind = KINDS.get(Path(path).suffix)
        if kind is not None:
            answer.headers["content-type"] = kind
        return answer

    def _instead(self, code: str, state: State, said: str, address: str) -> Response:
        making = state is State.MAKING
        text = self.show(code, making=making, said=said, address=address)
        answer = HTMLResponse(text, MAKING if making else FAILED)
        answer.headers["cache-control"] = "no-store"
        return answer

    def _log(self, code: str) -> str:
        try:
            return read_file(self.shelf.log(code), LIMIT).decode("utf-8", "replace")[-SAID:]
        except (OSError, EichiError):
            return ""
