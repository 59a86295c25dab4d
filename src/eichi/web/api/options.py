"""The options over HTTP: the schemas of requests, and each option as a page draws it."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, JsonValue

from eichi.jobs.view import View
from eichi.options import QUEUED
from eichi.settings import Settings
from eichi.web.api.operations import operations
from eichi.web.fields import FieldView, fields

KINDS: dict[str, type[BaseModel]] = {**QUEUED, "settings": Settings}


class Schemas(View):
    """The JSON schemas of the requests for a video, for an image and for finishing a video, with all that is known of
    each option.
    """

    video: dict[str, JsonValue]
    frame: dict[str, JsonValue]
    finish: dict[str, JsonValue]


class Fields(View):
    """The options of a kind of request, or the settings, in the order of their declaration."""

    fields: tuple[FieldView, ...]


def routes() -> APIRouter:
    router = operations("options")

    @router.get("/options")
    def list_options() -> Schemas:
        return Schemas(**{kind: QUEUED[kind].model_json_schema() for kind in QUEUED})

    @router.get("/fields/{kind}")
    def list_fields(kind: Literal["video", "frame", "finish", "settings"]) -> Fields:
        return Fields(fields=tuple(fields(KINDS[kind]).values()))

    return router
