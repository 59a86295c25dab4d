"""Whether the server is well, for programs that watch over it: a container's health check, a proxy.

The one address that is answered without the password, so that a watcher needs none. It says nothing but this, and
costs next to nothing. Knows nothing of models and devices: a server without them still answers people.
"""

from fastapi import APIRouter, Response

from eichi.errors import StoreError
from eichi.jobs.view import View
from eichi.web.api.operations import BASE, operations
from eichi.web.desk import Desk

ADDRESS = "/health"
OPEN = f"{BASE}{ADDRESS}"  # to everybody


class Health(View):
    """Whether jobs can be taken and looked at."""

    healthy: bool


def routes(desk: Desk) -> APIRouter:
    router = operations("machine")

    @router.get(ADDRESS, responses={503: {"model": Health, "description": "The store of jobs does not answer."}})
    def read_health(response: Response) -> Health:
        response.headers["cache-control"] = "no-store"
        try:
            _ = desk.store.held  # a row of the store
        except StoreError:
            response.status_code = 503
        return Health(healthy=response.status_code != 503)

    return router
