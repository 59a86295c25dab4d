"""Section archives: a ZIP with `sections.yaml` and pictures, as eichi 1.9 writes and reads them.

The pictures are `000.png` … for the sections, `start` and `end` with any ending; the YAML says the prompts, the seed,
the LoRA files and the video's length and padding. What an archive does not say stays as it is in the request that it is
laid over. Ours hold numbers where eichi's hold labels in the language of the page; both are read.
"""

import io
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import yaml

from eichi import yamltext
from eichi.declare import Plain
from eichi.errors import FolderError, InputError, PictureError
from eichi.events import Adjusted
from eichi.files import aside, private, settle
from eichi.library import card, labels
from eichi.library.loras import PresetLora
from eichi.library.outside import few, left_out, over, read_request_from
from eichi.library.unpack import Bundle, opened
from eichi.options import VideoOptions
from eichi.plan.plan import own_frames
from eichi.plan.timeline import WINDOWS, section_count
from eichi.text import shorten
from eichi.video.images import load, measure

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
# Archives of equal requests have equal bytes.
DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Archive:
    """What an archive says: nested values of a request, and LoRA files, None where it says nothing of them."""

    values: Plain
    loras: tuple[PresetLora, ...] | None
    notes: tuple[Adjusted, ...]
    expected: Any = None

    def over(self, request: VideoOptions) -> tuple[VideoOptions, tuple[Adjusted, ...]]:
        """The request with the archive laid over it, and a word on what could not be used."""
        asked, left = read_request_from(VideoOptions, over(request.dump(), self.values))
        count = section_count(asked.seconds, WINDOWS[asked.section_size], own_frames(asked))
        notes = [*self.notes, *left]
        values = asked.dump()
        for key in ("sections", "prompts"):
            table, said = values["keyframes"][key], self._said(key)
            beyond = [number for number in table if not 0 <= int(number) < count]
            blank = [number for number in table if not str(table[number]).strip()]
            # eichi counts sections in several ways and fills rows that it never makes.
            told = [int(number) for number in beyond if number in said and number not in blank]
            notes += [Adjusted(f"note.archive.{key}", {"number": number, "count": count}) for number in told]
            for number in {*beyond, *blank} & said:
                del table[number]
        if self.expected is not None and labels.number(self.expected) != count:
            asked_for = shorten(str(self.expected), 60)
            notes.append(Adjusted("note.archive.expected", {"asked": asked_for, "count": count}))
        return VideoOptions.parse(values), few(notes)

    def _said(self, key: str) -> set[str]:
        """The sections that the archive says something of."""
        return {str(number) for number in self.values.get("keyframes", {}).get(key, {})}


def read_archive(path: Path, folder: Path) -> Archive:
    """What an archive says. Raises InputError.

    Its pictures go to a folder in `folder` that is named after what the archive holds: the same archive again finds
    them there.
    """
    with opened(path) as bundle:
        cards = [name for name in bundle.files if name.name.lower() in card.NAMES]
        if len(cards) != 1:
            raise InputError("error.archive.cards", path=path, count=len(cards), name=card.NAMES[0])
        text, coding = bundle.text(cards[0], yamltext.LIMIT)
        said = card.read_card(path, text)
        pictures = _pictures(path, bundle.files)
        unused = [name for name in bundle.files if name not in {*cards, *pictures.values()}]
        values, loras, notes = _understood(said)
        if coding is not None:
            notes.append(Adjusted("note.text.coding", {"file": f"{path.name}/{cards[0]}", "coding": coding}))
        if unused:
            notes.append(Adjusted("note.archive.unused", {"names": ", ".join(map(str, sorted(unused)[:10]))}))
        places = _unpack(bundle, pictures, folder / bundle.digest)
    expected = _table(said.get("video_settings")).get("expected_sections")
    return Archive(over(values, places), loras, few(notes), expected)


def write_archive(path: Path, request: VideoOptions, loras: Sequence[PresetLora] = ()) -> None:
    """Write the sections of a request with their pictures, aside and renamed. Raises PictureError, FolderError."""
    keys = request.keyframes
    named = [("start", request.image), ("end", keys.final), *((f"{k:03d}", file) for k, file in keys.sections.items())]
    pictures = [(name, *_encoded(file)) for name, file in named if file is not None]
    text = yaml.safe_dump(_described(request, loras), allow_unicode=True, sort_keys=False)
    with _writing(path.parent), aside(path) as draft, ZipFile(draft, "w") as archive:
        _add(archive, card.NAMES[0], text.encode("utf-8"), ZIP_DEFLATED)
        for name, ending, data in pictures:
            _add(archive, f"{name}{ending}", data, ZIP_STORED)


def _understood(said: Plain) -> tuple[Plain, tuple[PresetLora, ...] | None, list[Adjusted]]:
    """What the YAML says: values of a request, LoRA files, remarks."""
    values: Plain = {}
    notes: list[Adjusted] = []
    loras: tuple[PresetLora, ...] | None = None
    for key, value in said.items():
        match key:
            case "default_prompt":
                values["prompt"] = value or ""
            case "SEED":
                values["seed"] = None if value in (None, "-1") else value
            case "section_info":
                prompts = dict(_prompts(value, notes))
                values = over(values, {"keyframes": {"prompts": prompts}})
            case "video_settings":
                values = over(values, _video(_table(value), notes))
            case "lora_settings":
                loras = _loras(_table(value), notes)
            case _:
                notes.append(left_out(key, value))
    return values, loras, notes


def _prompts(rows: Any, notes: list[Adjusted]) -> Iterator[tuple[str, str]]:
    """Prompts by section; an empty one takes the section's prompt away."""
    for row in rows if isinstance(rows, list) else [rows] if rows else []:
        number, prompt = _table(row).get("section"), _table(row).get("prompt")
        if isinstance(number, str) and re.fullmatch(r"\d{1,9}", number) and isinstance(prompt, str | None):
            yield str(int(number)), prompt or ""
        else:
            notes.append(left_out("section_info", row, reason="reason.form"))


def _video(settings: Plain, notes: list[Adjusted]) -> Plain:
    """Length, size of sections, padding and resolution, as far as they are there."""
    values: Plain = {}
    names = {"video_length": "seconds", "frame_size": "section_size"}
    values |= {ours: labels.number(settings[key]) for key, ours in names.items() if key in settings}
    if "resolution" in settings:
        values["resolution"] = settings["resolution"]
    if "padding_mode" in settings:
        on = labels.switch(settings["padding_mode"])
        values["sampling"] = {"padding": settings.get("padding_value", "1.0") if on is True else None}
    elif "padding_value" in settings:
        values["sampling"] = {"padding": settings["padding_value"]}
    known = {*names, "resolution", "padding_mode", "padding_value", "expected_sections"}
    for key in settings.keys() - known:
        notes.append(left_out(key, settings[key]))
    return values


def _loras(settings: Plain, notes: list[Adjusted]) -> tuple[PresetLora, ...]:
    """The LoRA files, by name: where they lie is for the machine to say. The way they were chosen is no value."""
    chosen = _table(settings.get("selections"))
    on = labels.switch(settings.get("use_lora", "true")) is True
    found, left = labels.loras([chosen[key] for key in sorted(chosen, key=_place)], settings.get("scales"), None, on)
    notes += left
    return tuple(found)


def _place(key: str) -> int:
    """`lora2` comes before `lora10`."""
    found = re.search(r"\d{1,9}", key)
    return int(found.group()) if found else 0


def _described(request: VideoOptions, loras: Sequence[PresetLora]) -> Plain:
    """A request as the YAML says it."""
    padding = request.sampling.padding
    count = section_count(request.seconds, WINDOWS[request.section_size], own_frames(request))
    prompts = request.keyframes.prompts
    values: Plain = {
        "section_info": [{"section": number, "prompt": prompts.get(number, "")} for number in range(count)],
        "default_prompt": request.prompt,
        "SEED": -1 if request.seed is None else request.seed,
        "video_settings": {
            "video_length": request.seconds,
            "frame_size": request.section_size,
            "padding_mode": padding is not None,
            "padding_value": 1.0 if padding is None else padding,
            "expected_sections": count,
        },
    }
    if request.resolution is not None:
        values["video_settings"]["resolution"] = request.resolution
    if loras:
        values["lora_settings"] = {
            "use_lora": any(lora.on for lora in loras),
            "selections": {f"lora{place}": lora.path.name for place, lora in enumerate(loras, start=1)},
            "scales": ",".join(str(lora.strength) for lora in loras),
        }
    return values


def _pictures(path: Path, names: Iterable[PurePosixPath]) -> dict[str, PurePosixPath]:
    """The pictures by what they are for: a section's three digits, `start`, `end`. Raises InputError."""
    found: dict[str, PurePosixPath] = {}
    for name in names:
        # Files beginning with a dot are what other systems keep about files.
        if name.suffix.lower() not in ENDINGS or any(part.startswith((".", "__MACOSX")) for part in name.parts):
            continue
        which = re.match(r"[0-9]{3}|start|end", name.name.lower())
        if which is None:
            continue
        if which.group() in found:
            raise InputError("error.archive.twice", path=path, name=f"{found[which.group()]}, {name}")
        found[which.group()] = name
    return found


def _unpack(bundle: Bundle, pictures: dict[str, PurePosixPath], folder: Path) -> Plain:
    """The pictures in their folder, which appears when all of them are fine, as values of a request."""
    places: dict[str, Path] = {which: folder / f"{which}{name.suffix.lower()}" for which, name in pictures.items()}
    if places and not folder.exists():
        with _writing(folder.parent):
            private(folder.parent)
            draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            for which, name in pictures.items():
                bundle.copy(name, draft / places[which].name)
                with _named(bundle.path / name):
                    measure(draft / places[which].name)
            with _writing(folder.parent):
                settle(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    sections = {str(int(which)): str(place) for which, place in places.items() if which.isdecimal()}
    values: Plain = {"keyframes": {"sections": sections}} if sections else {}
    if "end" in places:
        values = over(values, {"keyframes": {"final": str(places["end"])}})
    return values | ({"image": str(places["start"])} if "start" in places else {})


def _encoded(picture: Path) -> tuple[str, bytes]:
    """A picture's ending and bytes, as PNG where its own form has no place in an archive. Raises PictureError."""
    measure(picture)
    if picture.suffix.lower() in ENDINGS:
        return picture.suffix.lower(), picture.read_bytes()
    buffer = io.BytesIO()
    load(picture).save(buffer, "PNG")
    return ".png", buffer.getvalue()


def _add(archive: ZipFile, name: str, data: bytes, how: int) -> None:
    info = ZipInfo(f"sections/{name}", DATE)
    info.compress_type = how
    info.external_attr = 0o100644 << 16
    archive.writestr(info, data)


def _table(value: Any) -> Plain:
    return value if isinstance(value, dict) else {}


@contextmanager
def _named(place: Path) -> Iterator[None]:
    """What is wrong with a picture is said of the archive and the member: nobody knows the name that it gets here."""
    try:
        yield
    except PictureError as error:
        raise PictureError(error.id, **{**error.values, "path": place}) from error


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """The one place where the system's complaints about a folder become ours."""
    try:
        yield
    except OSError as error:
        raise FolderError("error.folder.write", folder=folder, reason=error) from error
