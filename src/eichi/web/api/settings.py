"""The settings of the machine over HTTP. They are changed, and folders named, by who sits at it alone."""

from fastapi import APIRouter
from pydantic import Field, JsonValue

from eichi.declare import field_of
from eichi.errors import InputError, OptionError
from eichi.jobs.view import View
from eichi.modelview import SAID
from eichi.settings import Settings
from eichi.web import preferences
from eichi.web.api.operations import operations
from eichi.web.desk import Desk
from eichi.web.fields import FieldView
from eichi.web.i18n import Words
from eichi.web.visitor import Visiting, Visitor, at_machine
from eichi.words import say


class RemarkView(View):
    """What is to be said about one setting; `id` is what the documents know it by, nothing for several at once."""

    key: str
    message: str
    id: str = ""


class SettingsView(View):
    """The settings that have a control, and how they are.

    `locked` are keys that the environment sets, `local` says whether this visitor may change the others. `places` are
    told to who sits at the machine, and so are `remarks`: what is set and comes to nothing, with the key it is about.
    """

    fields: tuple[FieldView, ...]
    values: dict[str, JsonValue]
    locked: tuple[str, ...]
    local: bool
    places: dict[str, str]
    remarks: tuple[RemarkView, ...]


class SettingsCheck(View):
    """All that keeps settings from being saved."""

    problems: tuple[RemarkView, ...]


class SettingsChange(View):
    """Settings by their keys; those that are left out stay."""

    values: dict[str, JsonValue] = Field(max_length=100)


def routes(desk: Desk) -> APIRouter:
    router = operations("settings")

    @router.get("/settings")
    def show_settings(visitor: Visiting) -> SettingsView:
        return _view(desk, visitor)

    @router.put("/settings")
    def change_settings(change: SettingsChange, visitor: Visiting) -> SettingsView:
        at_machine(visitor, "error.api.settings")
        try:
            preferences.save(desk, change.values)
        except OptionError as error:
            raise _named(error, visitor) from error
        return _view(desk, visitor)

    @router.post("/settings/check")
    def check_settings(change: SettingsChange, visitor: Visiting) -> SettingsCheck:
        at_machine(visitor, "error.api.settings")
        views = [
            desk.refs.error(_named(error, visitor), visitor, key)
            for error, key in preferences.problems(desk, change.values)
        ]
        return SettingsCheck(
            problems=tuple(RemarkView(key=one.key or "", message=one.message, id=one.id) for one in views)
        )

    return router


def _view(desk: Desk, visitor: Visitor) -> SettingsView:
    settings = desk.settings
    return SettingsView(
        fields=preferences.shown(desk),
        values=desk.refs.values(preferences.values(settings), visitor),
        locked=preferences.locked(),
        local=visitor.local,
        places=preferences.places(settings) if visitor.local else {},
        remarks=_remarks(settings, visitor) if visitor.local else (),
    )


def _remarks(settings: Settings, visitor: Visitor) -> tuple[RemarkView, ...]:
    """One for a key, since a field has one place for what is said."""
    told: dict[str, list[str]] = {}
    for key, place, reason in preferences.remarks(settings):
        told.setdefault(key, []).append(f"{place}: {say(SAID, visitor.language, **reason)}")
    return tuple(RemarkView(key=key, message=" · ".join(said)) for key, said in told.items())


def _named(error: InputError, visitor: Visitor) -> InputError:
    """The same error with the names that the settings have for people."""
    keys = str(error.values.get("names", "")).split(", ")
    if keys == [""]:
        return error
    names = ", ".join(Words(visitor.language)(field_of(Settings, key).label) for key in keys)
    return OptionError(error.id, **error.values | {"names": names})
