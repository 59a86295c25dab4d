"""LoRA files and the presets of them over HTTP, by ids."""

from typing import Annotated

from fastapi import APIRouter, UploadFile
from fastapi import Path as InPath

from eichi.events import Adjusted
from eichi.jobs.view import View
from eichi.library.loras import SLOTS
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.drafted import told
from eichi.web.guard import BODY
from eichi.web.i18n import Words
from eichi.web.lorafolder import Chosen, LoraTold, LoraView, Presets, PresetView
from eichi.web.refs import RefView
from eichi.web.visitor import Language, Visiting, Visitor

Slot = Annotated[int, InPath(ge=min(SLOTS), le=max(SLOTS))]


class LoraFiles(View):
    """The LoRA files of the folders."""

    files: tuple[LoraView, ...]


class LoraPreset(View):
    """What a preset is to hold; its name stays where none is given."""

    loras: list[Chosen]
    name: str | None = None


class LoraPresets(View):
    """The presets by number, and what deserves a word. `before` is the one that was replaced, to put it back."""

    presets: dict[int, PresetView]
    notes: tuple[str, ...] = ()
    before: PresetView | None = None


def routes(desk: Desk) -> APIRouter:
    router = operations("loras")

    @router.get("/loras")
    def list_loras(language: Language) -> LoraFiles:
        return LoraFiles(files=tuple(desk.loras.list(language)))

    @router.get("/loras/{id}")
    def show_lora(id: str, visitor: Visiting) -> LoraTold:
        return desk.refs.seen(desk.loras.tell(id, visitor.language), visitor)

    @router.post("/loras", status_code=201, max_body_size=BODY)
    def give_lora(file: UploadFile) -> RefView:
        return desk.refs.of(desk.given.lora(file.filename or "", file.file))

    @router.get("/lora-presets")
    def list_lora_presets(visitor: Visiting) -> LoraPresets:
        return _presets(desk, visitor)

    @router.put("/lora-presets/{number}")
    def save_lora_preset(number: Slot, preset: LoraPreset, visitor: Visiting) -> LoraPresets:
        return _presets(desk, visitor, number, preset)

    return router


def _presets(desk: Desk, visitor: Visitor, number: int = 0, preset: LoraPreset | None = None) -> LoraPresets:
    """The presets, one of them replaced."""
    heard: list[Adjusted] = []
    kept, before = Presets(desk.settings.home, desk.loras, heard.append), None
    if preset is not None:
        before = kept.list()[number]
        kept.save(number, preset.loras, preset.name)
    notes = tuple(desk.refs.text(note, visitor) for note in told(heard, Words(visitor.language)))
    return LoraPresets(presets=kept.list(), notes=notes, before=before)
