"""Ids for files: what a request over HTTP names instead of paths, and what stands for paths in all that goes out.

`upload:…` is a picture or a sound that was given, `result:…` a file among the results, `lora:…` a file of the LoRA
folders, `job:NUMBER/NAME` a file that a job left. An id is looked for among what is there, and never becomes a part
of a path. Paths are for who sits at the machine: others may not say one, and are shown none. Which options are paths is
known from their declarations alone.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from tempfile import gettempdir
from typing import Any, TypeVar

from pydantic import BaseModel

from eichi.catalog import known
from eichi.errors import EichiError, ErrorView, InputError, ModelError, OptionError
from eichi.jobs.queue import results
from eichi.jobs.store import Store
from eichi.jobs.view import JobView, View
from eichi.library.lorafolders import ENDING, lora_files
from eichi.models.upscalers import FOLDER as UPSCALERS
from eichi.models.upscalers import list_upscalers
from eichi.options import Options, files_of, put
from eichi.settings import Settings
from eichi.video import images
from eichi.video.clip import look
from eichi.video.sectionfolder import joined_in
from eichi.web.problems import told
from eichi.web.results import KINDS, files_in, mark_of
from eichi.web.uploads import SOUNDS, Uploads
from eichi.web.visitor import Visitor

UPLOAD, RESULT, LORA = "upload:", "result:", "lora:"
FORM = re.compile(r"(?:(upload):([0-9a-f]{32})|(result|lora):([0-9a-f]{16})|(job):([1-9][0-9]{0,8})/([^/\\]+))")
# A path within a sentence of a library or the system, with the last part of it.
WITHIN = re.compile(r"(?<![\w.:/\\])(?:[A-Za-z]:)?[\\/](?:[^\s'\"<>|:*?\\/]+[\\/])+([^\s'\"<>|:*?\\/]*)")
# What people wrote, in which a stroke is no path.
TEXTS = {"prompt", "negative", "message"}

Asked = TypeVar("Asked", bound=Options)
Seen = TypeVar("Seen", bound=View)


class RefView(View):
    """A file by its id: its name, what lies in it, its bytes, the pixels of a picture, where it is had from.

    Of a video that is looked at alone also its pixels, its seconds and whether it has sound.
    """

    id: str
    name: str
    kind: str
    size: int
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    sound: bool | None = None
    url: str | None = None


class Refs:
    """The ids of a machine's files."""

    def __init__(self, settings: Settings, store: Store, given: Uploads) -> None:
        self.settings, self.store, self.given = settings, store, given

    def find(self, id: str) -> Path:
        """The file of an id. Raises InputError."""
        path = self._find(id)
        if path is None:
            raise InputError("error.ref.gone")
        return path

    def id(self, path: Path) -> str | None:
        """The id of a file; None for one that has none."""
        place = Path(os.path.normpath(path.absolute()))
        mark = self.given.mark(place)
        if mark is not None:
            return f"{UPLOAD}{mark}"
        found = place.parent == self._outputs and place.suffix.lower() in KINDS
        if found or (place.parent.parent == self._outputs and place in joined_in(self._outputs)):
            return f"{RESULT}{mark_of(place)}"
        if place.name.lower().endswith(ENDING) and any(place.is_relative_to(one) for one in self._loras):
            return f"{LORA}{mark_of(place)}"
        return None

    def view(self, id: str) -> RefView:
        """What a file is. Raises InputError."""
        path = self.find(id)
        kind = "lora" if id.startswith(LORA) else KINDS.get(path.suffix.lower(), "file")
        if id.startswith(UPLOAD):
            kind = "sound" if path.suffix.lower() in SOUNDS else "picture"
        width, height = images.measure(path) if kind == "picture" else (None, None)
        size = path.stat().st_size
        return RefView(id=id, name=path.name, kind=kind, size=size, width=width, height=height, url=self.url(id))

    def look(self, id: str) -> RefView:
        """What a file is, with what is in a video, which is read for it. Raises InputError."""
        view = self.view(id)
        if view.kind != "video":
            return view
        clip = look(self.find(id))
        told = {"width": clip.width, "height": clip.height, "seconds": float(clip.seconds), "sound": bool(clip.sound)}
        return view.model_copy(update=told)

    def of(self, path: Path) -> RefView:
        """What a file is that was just taken in. Raises InputError."""
        id = self.id(path)
        if id is None:
            raise InputError("error.ref.gone")
        return self.view(id)

    def url(self, id: str) -> str | None:
        """Where the content of an id is had; none of LoRA files, which nobody needs a copy of."""
        if id.startswith(UPLOAD):
            return f"/api/v1/pictures/{id.removeprefix(UPLOAD)}"
        return None if id.startswith(LORA) else f"/api/v1/refs/{id}/content"

    def resolve(self, options: Asked, visitor: Visitor) -> Asked:
        """A request with paths for its ids. Raises OptionError for an id of nothing and for a path from elsewhere."""
        values = options.dump()
        for key, given in files_of(options).items():
            put(values, key, str(self.path(key, given, visitor)))
        self.check_names(values.get("model"), values.get("finish", {}).get("upscale"), visitor)
        return type(options).parse(values)

    def check_names(self, model: str | None, upscaler: str | None, visitor: Visitor) -> None:
        """Refuse a model or an upscaler that who asks from elsewhere may not name: a path. Raises ModelError."""
        if visitor.local:
            return
        if upscaler is not None:
            there = [one.name for one in list_upscalers(self.settings.model_folders)]
            if upscaler not in there:
                named = {"folder": UPSCALERS, "known": ", ".join(there)}
                raise ModelError("error.upscaler.unknown", name=upscaler, **named)
        if model is not None and model not in known():
            raise ModelError("error.api.model", key="model", known=", ".join(known()))

    def path(self, key: str, given: Path, visitor: Visitor) -> Path:
        """The file of an id, or a path of who may say one. Raises OptionError, about this key, as `resolve` does."""
        path = self._find(given.as_posix())
        if path is None and FORM.fullmatch(given.as_posix()):
            raise OptionError("error.ref.gone", key=key)
        if path is None and not visitor.local:
            raise OptionError("error.api.path", key=key)
        return path or given

    def shown(self, options: Asked, visitor: Visitor) -> Asked:
        """A request with ids for its paths; what has no id is a path for who sits here and a name for others."""
        values = options.dump()
        for key, path in files_of(options).items():
            put(values, key, self._called(path, visitor))
        if "model" in values and values["model"] not in known() and not visitor.local:
            values["model"] = _last(str(values["model"]))
        return type(options).parse(values)

    def seen(self, view: Seen, visitor: Visitor) -> Seen:
        """A view as this visitor may see it, all that is in it."""
        found: Seen = self._seen(view, visitor)
        return found

    def error(self, error: EichiError, visitor: Visitor, key: str | None = None) -> ErrorView:
        """An error as this visitor may read it; `key` is what it is about, where it does not say so itself."""
        said = type(error)(error.id, **self.values(error.values, visitor))
        return told(said, visitor.language, key)

    def values(self, values: Mapping[str, Any], visitor: Visitor) -> dict[str, Any]:
        """What fills a sentence. Pictures that were given have names for everybody."""
        return {key: self._value(value, visitor) for key, value in values.items()}

    def text(self, text: str, visitor: Visitor) -> str:
        """A text of the program's or a library's with no path in it that is not for this visitor."""
        if not visitor.local and os.path.isabs(text) and "\n" not in text:
            return _last(text)
        for root in self._private(visitor):
            text = text.replace(f"{root}{os.sep}", "")
        return text if visitor.local else WITHIN.sub(r"\1", text)

    @property
    def _outputs(self) -> Path:
        return Path(os.path.normpath(self.settings.outputs.absolute()))

    @property
    def _loras(self) -> tuple[Path, ...]:
        return tuple(Path(os.path.normpath(folder.absolute())) for folder in self.settings.loras)

    def _private(self, visitor: Visitor) -> list[str]:
        """Folders whose names this visitor is not told, the deepest first."""
        folders: Iterable[Path] = ()
        if not visitor.local:
            settings = self.settings
            folders = (settings.home.absolute(), self._outputs, *self._loras, Path.home(), Path(gettempdir()))
        return sorted(map(str, (self.given.folder, *folders)), key=len, reverse=True)

    def _find(self, id: str) -> Path | None:
        """The file of an id, None where there is none or the id is none."""
        found = FORM.fullmatch(id)
        if found is None:
            return None
        upload, picture, place, mark, _, number, name = found.groups()
        if upload:
            return self.given.find(picture)
        if place:
            made = (*files_in(self._outputs), *joined_in(self._outputs))
            paths = made if place == "result" else lora_files(self._loras).values()
            return next((path for path in paths if mark_of(path) == mark), None)
        job = self.store.find(int(number))
        left = () if job is None else results(job)
        return next((path for path in left if path.name == name and path.is_file()), None)

    def _called(self, path: Path, visitor: Visitor) -> str:
        return self.id(path) or (str(path) if visitor.local else _last(str(path)))

    def _value(self, value: Any, visitor: Visitor) -> Any:
        if isinstance(value, PurePath):
            inside = Path(value).is_relative_to(self.given.folder)
            return str(value) if visitor.local and not inside else value.name
        return value if value is None or isinstance(value, int | float) else self._part(str(value), visitor)

    def _part(self, text: str, visitor: Visitor) -> str:
        """A value that may be a path of a picture that was given, which is called by its name at the machine, too."""
        inside = os.path.isabs(text) and Path(text).is_relative_to(self.given.folder)
        return _last(text) if inside else self.text(text, visitor)

    def _seen(self, value: Any, visitor: Visitor) -> Any:
        again = partial(self._seen, visitor=visitor)
        if isinstance(value, Options):
            return self.shown(value, visitor)
        if isinstance(value, BaseModel):
            parts = {name: again(one) for name, one in value if name not in TEXTS}
            made = value.model_copy(update=parts)
            if isinstance(made, JobView) and made.error is not None:
                made = made.model_copy(update={"message": made.error.say(visitor.language)})
            return made
        if is_dataclass(value) and not isinstance(value, type):
            parts = {one.name: again(getattr(value, one.name)) for one in fields(value) if one.name not in TEXTS}
            return replace(value, **parts)
        if isinstance(value, Path):
            return Path(self._called(value, visitor))
        if isinstance(value, Mapping):
            return {key: again(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(again(one) for one in value)
        return self._part(value, visitor) if isinstance(value, str) and type(value) is str else value


def _last(path: str) -> str:
    """The name of a file of any system."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]
