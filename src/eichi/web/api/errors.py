"""Errors as answers: one model, in the visitor's language. What is wrong with a question is said by our sentences."""

import logging
from tempfile import gettempdir
from typing import Any, TypeAlias, get_type_hints

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY

from eichi.declare import shown
from eichi.errors import DiskError, EichiError, ErrorView, InputError, OptionError, RunError
from eichi.options import Options
from eichi.reasons import unfit
from eichi.text import json_text
from eichi.web.guard import QUESTION, protect
from eichi.web.problems import told
from eichi.web.refs import Refs
from eichi.web.uploads import LARGEST
from eichi.web.visitor import spoken, visiting

log = logging.getLogger(__name__)

SAID = {404: "There is no such thing.", 422: "It cannot be done as it stands."}
Answers: TypeAlias = dict[int | str, dict[str, Any]]  # as the library takes them, by their status
ANSWERS: Answers = {status: {"model": ErrorView, "description": text} for status, text in SAID.items()}
# Of what answers with something else than JSON, FastAPI would say that its errors are of that kind too.
PLAIN_ANSWERS: Answers = {
    status: {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorView"}}},
    }
    for status, text in SAID.items()
}
ABSENT = (
    "error.api.nothing",
    "error.download.unknown",
    "error.file.missing",
    "error.job.unknown",
    "error.ref.gone",
    "error.tool.unknown",
)


async def explain(request: Request, error: Exception) -> Response:
    """An error of ours as its sentence; one that whoever asks can do nothing about is in the log, too."""
    assert isinstance(error, EichiError)
    if not isinstance(error, InputError):
        log.error("%s %s: %s", request.method, request.url.path, error)
    status = 404 if error.id in ABSENT and "key" not in error.values else 422
    refs: Refs = request.app.state.refs
    body = json_text(refs.error(error, visiting(request)))
    return Response(body, status if isinstance(error, InputError) else 500, media_type="application/json")


async def explain_refusal(request: Request, error: Exception) -> Response:
    """What the server itself refuses: an address or a method that is not there, a body that is no JSON."""
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, OSError):  # what is sent lies on the disk before it is looked at
        return await explain(request, DiskError("error.upload.write", name=gettempdir(), reason=error.__cause__))
    id = {400: "error.api.body", 413: "error.api.large"}.get(error.status_code, "error.api.address")
    limit = min(request.scope.get(MAX_BODY_SIZE_SCOPE_KEY, QUESTION), LARGEST) // 2**20
    said = told(InputError(id, method=request.method, path=request.url.path, limit=limit), spoken(request))
    return Response(json_text(said), error.status_code, error.headers, media_type="application/json")


async def explain_mistake(request: Request, error: Exception) -> Response:
    """What went wrong by a mistake of the program; the log has it. It is said where no guard stands any more."""
    answer = Response(json_text(told(RunError("error.api.broken"), spoken(request))), 500)
    answer.headers["content-type"] = "application/json"
    protect(answer.headers)
    return answer


async def explain_question(request: Request, error: Exception) -> Response:
    """What does not fit the models of a question. A request for a video or an image complains as it does everywhere."""
    assert isinstance(error, RequestValidationError)
    kind = get_type_hints(request.scope["endpoint"]).get("options")
    if isinstance(kind, type) and issubclass(kind, Options) and isinstance(error.body, dict):
        try:
            kind.parse(error.body)
        except OptionError as ours:
            return await explain(request, ours)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return await explain(request, InputError("error.api.body"))
    key = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return await explain(
        request, OptionError("error.option.value", key=key, value=shown(first.get("input")), **unfit(first))
    )
