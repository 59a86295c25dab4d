"""Drafts over HTTP: what a request comes to while it is being written. What is wrong with it is part of the answer."""

from fastapi import APIRouter

from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.drafts import DraftAsked, DraftView, draft_frame, draft_video
from eichi.web.visitor import Visiting


def routes(desk: Desk) -> APIRouter:
    router = operations("plan")

    @router.post("/drafts/video")
    def try_video(asked: DraftAsked, visitor: Visiting) -> DraftView:
        return draft_video(desk, asked, visitor)

    @router.post("/drafts/frame")
    def try_frame(asked: DraftAsked, visitor: Visiting) -> DraftView:
        return draft_frame(desk, asked, visitor)

    return router
