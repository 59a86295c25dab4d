"""LoRA files and the presets of them over HTTP, by the names of files."""

from typing import Annotated

from fastapi import APIRouter, UploadFile
from fastapi import Path as InPath

from eichi.events import Adjusted
from eichi.jobs.view import View
from eichi.library.loras import SLOTS
from eichi.web.desk import Desk
from eichi.web.lorafolder import Chosen, LoraView, Presets
from eichi.web.refs import RefView
from eichi.web.visitor import Language

Slot = Annotated[int, InPath(ge=min(SLOTS), le=max(SLOTS))]


class LoraFiles(View):
    """The LoRA files of the folder, and those that requests brought along."""

    files: tuple[LoraView, ...]


class LoraPreset(View):
    """What a preset holds."""

    loras: list[Chosen]


class LoraPresets(View):
    """The presets by number."""

    presets: dict[int, list[Chosen]]


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(tags=["loras"])

    @router.get("/loras")
    def list_loras(language: Language) -> LoraFiles:
        return LoraFiles(files=tuple(desk.loras.list(language)))

    @router.post("/loras", status_code=201)
    def give_lora(file: UploadFile) -> RefView:
        return desk.refs.of(desk.given.lora(file.filename or "", file.file))

    @router.get("/lora-presets")
    def list_lora_presets() -> LoraPresets:
        return LoraPresets(presets=Presets(desk.settings.home, desk.loras, quiet).list())

    @router.put("/lora-presets/{number}")
    def save_lora_preset(number: Slot, preset: LoraPreset) -> LoraPresets:
        kept = Presets(desk.settings.home, desk.loras, quiet)
        kept.save(number, preset.loras)
        return LoraPresets(presets=kept.list())

    return router


def quiet(note: Adjusted) -> None:
    """What the library has to say was said on the page."""
