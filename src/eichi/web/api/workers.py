"""Who works for the store, over HTTP: machines, their cards, what each holds and does."""

from fastapi import APIRouter

from eichi.jobs.nodes import WorkersView
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.visitor import Visiting


def routes(desk: Desk) -> APIRouter:
    router = operations("machine")

    @router.get("/workers")
    def list_workers(visitor: Visiting) -> WorkersView:
        found = WorkersView(workers=tuple(one.told(visitor.language) for one in desk.store.workers()))
        return desk.refs.seen(found, visitor)

    return router
