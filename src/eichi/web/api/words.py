"""The texts of the page in a language, for as long as a browser likes to keep them.

An address with a mark (`?v=`) means one version of the texts, which never changes. What only the command line says is
not among them. Knows nothing of what the texts are about.
"""

from fastapi import APIRouter, Response
from pydantic import RootModel
from starlette.exceptions import HTTPException

from eichi.web.api.operations import operations
from eichi.words import languages, table

COMMANDS = "cli."  # what texts begin with that stand in a terminal
KEPT, ASKED = "public, max-age=31536000, immutable", "no-cache"


class Texts(RootModel[dict[str, str]]):
    """Texts by id, with their {placeholders}."""


def routes() -> APIRouter:
    router = operations("words")

    @router.get("/words/{language}")
    def list_words(language: str, response: Response, v: str = "") -> Texts:
        if language not in languages():
            raise HTTPException(404)
        response.headers["cache-control"] = KEPT if v else ASKED
        return Texts({id: text for id, text in table(language).items() if not id.startswith(COMMANDS)})

    return router
