"""Where operations are put: below `/api/v1`, under a tag, with our errors as their answers.

Each place's operations are made once and handed to the server as they are. Routers within routers would make every one
of them three times over, which a start would be a third longer for.
"""

from fastapi import APIRouter
from fastapi.routing import APIRoute

from eichi.web.api.errors import ANSWERS

BASE = "/api/v1"


def operations(tag: str) -> APIRouter:
    """A router for the operations of one place."""
    return APIRouter(prefix=BASE, tags=[tag], responses=ANSWERS, generate_unique_id_function=named)


def named(route: APIRoute) -> str:
    """What a generated client calls an operation: the name of its function."""
    return route.name
