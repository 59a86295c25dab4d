"""The places of the page, each a document under a real address: `/{language}/{place}`.

Templates are filled with words and with descriptions of fields; what a user has set or made is not in them, that the
page asks for. The files that a page loads lie under a mark of their contents, so that a browser keeps them for ever and
never mixes two versions. Knows no job.
"""

from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import get_args

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from pydantic import BaseModel
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from eichi.catalog import Direction
from eichi.declare import GROUPS, Group
from eichi.documents import address
from eichi.library.advice import at, shown
from eichi.options import FrameOptions, VideoOptions
from eichi.settings import Settings
from eichi.web.desk import Desk
from eichi.web.fields import FieldView, fields, grouped
from eichi.web.i18n import COOKIE, Words, choose
from eichi.web.manual import Manual
from eichi.web.visitor import visiting
from eichi.words import languages, say

GUIDES = {  # the places in their order, and the page of the guide about each
    "create": "first-video",
    "frame": "single-frame",
    "queue": "queue",
    "history": "results",
    "loras": "lora",
    "latents": "latents",
    "models": "models",
    "settings": "settings",
}
PLACES = tuple(GUIDES)
YEAR = 365 * 24 * 3600
# Of the page's own files. On Windows the library asks the registry, where other programs have made text of scripts,
# which no browser runs.
KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
WEB = Path(str(files("eichi.web")))
Answering = Callable[[Request], Response]


class Kept(StaticFiles):
    """Files that never change under their address."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = f"public, max-age={YEAR}, immutable"
        kind = KINDS.get(Path(path).suffix)
        if kind is not None:
            answer.headers["content-type"] = kind
        return answer


class Pages:
    """The templates and what fills them."""

    def __init__(self, desk: Desk, language: str | None) -> None:
        self.desk, self.language = desk, language
        self.templates = Environment(
            loader=FileSystemLoader(WEB / "templates"),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.globals |= {
            "languages": {code: say("page.language", code) for code in languages()},
            "places": PLACES,
            "directions": get_args(Direction),
            "groups": GROUPS,
            "advice": at,
            "shown": shown,
            "told_at": address,
        }

    @cached_property
    def fields(self) -> dict[str, dict[str, FieldView]]:
        """The options that places draw, by what they are of: the same for every visitor."""
        kinds: dict[str, type[BaseModel]] = {"video": VideoOptions, "frame": FrameOptions, "settings": Settings}
        return {name: fields(kind) for name, kind in kinds.items()}

    @cached_property
    def grouped(self) -> dict[str, dict[Group, tuple[FieldView, ...]]]:
        """The same, those that stand in a group by group."""
        return {name: grouped(found.values()) for name, found in self.fields.items()}

    @cached_property
    def mark(self) -> str:
        """What tells one version of the page's files and words from another."""
        digest = sha256()
        for path in sorted(path for folder in ("static", "../locales") for path in (WEB / folder).rglob("*.*")):
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()[:12]

    def mount(self, app: FastAPI) -> None:
        """Put the pages and their files into an application."""
        app.add_route("/", self.enter)
        app.add_route("/api/docs", self.document)
        for code in languages():
            app.add_route(f"/{code}", self.enter_in(code))
            app.add_route(f"/{code}/", self.enter_in(code))
            for place in PLACES:
                app.add_route(f"/{code}/{place}", self.show(code, place))
        Manual(self.desk.manual, self.instead, self.language).mount(app)
        app.mount(f"/static/{self.mark}", Kept(directory=WEB / "static"))

    def enter(self, request: Request) -> Response:
        """The way to the visitor's language."""
        code = choose(request.headers.get("accept-language", ""), request.cookies.get(COOKIE), self.language)
        return RedirectResponse(f"/{code}/{PLACES[0]}")

    def enter_in(self, code: str) -> Answering:
        """The way to a language's first place."""

        def enter(request: Request) -> Response:
            return RedirectResponse(f"/{code}/{PLACES[0]}")

        return enter

    def show(self, code: str, place: str) -> Answering:
        """What answers for a place in a language."""

        def show(request: Request) -> Response:
            answer = HTMLResponse(self.render(code, place, visiting(request).local))
            answer.set_cookie(COOKIE, code, max_age=YEAR, samesite="lax")
            answer.headers["cache-control"] = "no-cache"
            return answer

        return show

    def document(self, request: Request) -> Response:
        """The HTTP interface, described from its schema by our own script: nothing is fetched from elsewhere."""
        return HTMLResponse(self.templates.get_template("docs.html").render(static=f"/static/{self.mark}"))

    def instead(self, code: str, **values: object) -> str:
        """What stands in the place of the documents while there are none."""
        template = self.templates.get_template("manual.html")
        return template.render(lang=code, w=Words(code), static=f"/static/{self.mark}", **values)

    def render(self, code: str, place: str, local: bool = False) -> str:
        """A place in a language."""
        words = Words(code)
        return self.templates.get_template(f"{place}.html").render(
            lang=code,
            place=place,
            guide=f"guide/{GUIDES[place]}.html",
            w=words,
            pick=words.pick,
            mark=self.mark,
            static=f"/static/{self.mark}",
            fields=self.fields,
            grouped=self.grouped,
            local=local,
        )
