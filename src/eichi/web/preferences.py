"""What the machine is, as it is shown and changed over HTTP: written to `settings.json`, in force at once or later.

Fields, values and their bounds come from the declarations of the settings. A folder for results must be one for results
alone, since whatever is a result can be asked for. Knows no page and nobody who asks.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import JsonValue, ValidationError

from eichi.catalog import find
from eichi.declare import complaints as explained
from eichi.errors import FolderError, InputError, OptionError
from eichi.models.found import complaints
from eichi.modelview import LIKE
from eichi.prepare import check_folder
from eichi.reasons import Reason, because
from eichi.settings import CACHE, LORAS, UPLOADS, Settings, variable, write_settings
from eichi.web.desk import Desk
from eichi.web.fields import ChoiceView, FieldView, fields
from eichi.web.machine import other_maker

DEVICE = "device"
# What of the home is the program's own; results may lie beside it there.
OWN = (UPLOADS, CACHE, LORAS, "library", "logs", "models")
# Folders of the system: with all that is below them, and those that are only too large to be one for results.
SYSTEM = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/private/etc", "/proc", "/sbin", "/sys", "/usr",
    "/System", "/Library", "/Applications",
)  # fmt: skip
TOO_LARGE = ("/", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var", "/Users", "/Volumes")
WINDOWS = ("SystemRoot", "ProgramFiles", "ProgramFiles(x86)", "ProgramData")


def shown(desk: Desk) -> tuple[FieldView, ...]:
    """The settings that have a control, the device with what there is to choose from."""
    views = (view for view in fields(Settings).values() if view.group)
    return tuple(_device(view, desk) if view.key == DEVICE else view for view in views)


def values(settings: Settings) -> dict[str, JsonValue]:
    """The settings that have a control, as they are."""
    known: dict[str, JsonValue] = settings.model_dump(mode="json") | {"outputs": str(settings.outputs.absolute())}
    return {key: known[key] for key, view in fields(Settings).items() if view.group}


def locked() -> tuple[str, ...]:
    """The settings that the environment has, which wins over the file."""
    return tuple(key for key, view in fields(Settings).items() if view.group and os.environ.get(variable(key)))


def places(settings: Settings) -> dict[str, str]:
    """Where things lie on this machine, by what they are called in the words of the settings."""
    return {
        "home": str(settings.home.absolute()),
        "models": str(settings.models.absolute()),
        "lora_folders": str(settings.loras[0].absolute()),
        "store": settings.store.rsplit("@")[-1],
        "logs": str(settings.logs.absolute()),
    }


def save(desk: Desk, given: Mapping[str, JsonValue]) -> None:
    """Write down what was changed, and go on with it. Raises OptionError, FolderError."""
    with desk.changing:
        changed, settings, wrong = _changed(desk, given)
        if settings is None or wrong:
            raise wrong[0][0]
        write_settings(settings.home, changed)
        desk.adjust(settings)


def problems(desk: Desk, given: Mapping[str, JsonValue]) -> list[tuple[InputError, str]]:
    """All that keeps settings from being saved, each with the key that it is about."""
    return _changed(desk, given)[2]


def remarks(settings: Settings) -> list[tuple[str, Path, Reason]]:
    """What is saved as it was asked for and comes to nothing: the key, the folder, and why."""
    named = settings.model_folders
    odd = complaints(find(LIKE), replace(named, usual=False)) if named.comfy else []
    told: list[tuple[str, Path, Reason]] = [("comfy", place, reason) for place, reason in odd]
    for folder in settings.loras[1:]:
        try:
            os.scandir(folder).close()
        except OSError as error:
            told.append(("lora_folders", folder, because(error)))
    return told


def _changed(
    desk: Desk, given: Mapping[str, JsonValue]
) -> tuple[dict[str, Any], Settings | None, list[tuple[InputError, str]]]:
    """What of these is not as it was, the settings with it, and what is wrong, in the order that they are given in."""
    known, now = {view.key: view for view in shown(desk)}, values(desk.settings)
    wrong: dict[str, InputError] = {
        key: OptionError("error.option.unknown", key=key, known=", ".join(known)) for key in given if key not in known
    }
    asked = {key: _filled(known[key], value) for key, value in given.items() if key in known}
    changed = {key: value for key, value in asked.items() if value != now[key]}
    fixed = [key for key in changed if key in locked()]
    wrong |= {key: OptionError("error.settings.locked", key=key, names=", ".join(fixed)) for key in fixed}
    for key, value in changed.items():
        choices = [one.value for one in known[key].choices]
        if choices and value not in choices and key not in wrong:
            options = ", ".join(map(str, choices))
            wrong[key] = OptionError("error.option.choice", key=key, value=str(value), choices=options)
    if isinstance(folder := changed.get("outputs"), str):
        changed["outputs"] = os.path.expanduser(folder)
    settings = None
    try:
        settings = Settings(**desk.settings.model_dump() | changed)
    except ValidationError as error:
        for one in explained(error, Settings):
            wrong.setdefault(str(one.values["key"]), one)
    if "outputs" in changed and "outputs" not in wrong:
        try:
            check_results(desk.settings.model_copy(update={"outputs": Path(str(changed["outputs"]))}))
            check_folder(Path(str(changed["outputs"])))
        except FolderError as error:
            wrong["outputs"] = error
    order = [key for key in given if key in wrong]
    return changed, settings, [(wrong[key], key) for key in order]


def check_results(settings: Settings) -> None:
    """Refuse a folder for results that is there for something else. Raises FolderError."""
    folder, home = _real(settings.outputs), _real(settings.home)
    kept = [home, *_database(settings.store)]
    if _holds(folder, kept) or any(folder.is_relative_to(home / name) for name in OWN):
        raise FolderError("error.settings.home", folder=settings.outputs)
    system = [*SYSTEM, *(os.environ[name] for name in WINDOWS if name in os.environ)]
    large = [_real(Path(place)) for place in TOO_LARGE]
    within = any(folder.is_relative_to(_real(Path(place))) for place in system if os.path.isabs(place))
    if within or folder in large or folder == Path(folder.anchor) or _holds(folder, [_real(Path.home())]):
        raise FolderError("error.settings.system", folder=settings.outputs)


def _device(view: FieldView, desk: Desk) -> FieldView:
    """The device as a choice: what is there, and what it is set to, which may be anything by the command line."""
    cards = desk.probe.names()
    found = {"auto": "choice.setting.device.auto", "cpu": "choice.setting.device.cpu"}
    if cards:
        found["cuda"] = "choice.setting.device.cuda"
    elif (other := other_maker()) is not None:
        found[other.device] = f"choice.setting.device.{other.label}"
    found |= {f"cuda:{number}": f"cuda:{number} · {name}" for number, name in enumerate(cards)}
    found.setdefault(desk.settings.device, desk.settings.device)
    choices = tuple(ChoiceView(value=value, label=label) for value, label in found.items())
    return view.model_copy(update={"control": "choice", "choices": choices})


def _filled(view: FieldView, value: Any) -> Any:
    """What an empty control stands for."""
    return value if value not in (None, "") else None if view.optional else view.default


def _database(store: str) -> list[Path]:
    """The file that jobs are kept in, where they are in one."""
    try:
        url = sa.make_url(store)
    except sa.exc.ArgumentError:
        return []
    return [_real(Path(url.database))] if url.get_backend_name() == "sqlite" and url.database else []


def _holds(folder: Path, kept: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for path in kept)


def _real(path: Path) -> Path:
    """Where a path leads, through links and whatever is not there yet. Raises FolderError."""
    try:
        return path.expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise FolderError("error.folder.write", folder=path, reason=error) from error
