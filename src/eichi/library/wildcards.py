"""The wildcards of this machine: a folder of texts, each of them a list of which one line is taken.

`__colour__` is a line of `colour.txt` in the folder that a setting names. A prompt names no path, so that one from
elsewhere reads nothing else. Blank lines and lines that begin with # are left out, as in a list of prompts.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Protocol, Self, TypeVar

from eichi.errors import InputError, OptionError
from eichi.files import read_file
from eichi.options import VideoOptions, WrittenOptions
from eichi.plan.request import drawn
from eichi.plan.wildcards import NAME, draw, has_wildcards
from eichi.reading import decode, entries

ENDING = ".txt"
LIMIT = 16 * 2**20  # bytes of a list
SHOWN = 20  # names that a sentence tells

Lists = Callable[[str, str], Sequence[str]]  # the lines for an option's key, by their name


class Said(Protocol):
    """What every request with prompts has."""

    @property
    def prompt(self) -> str: ...

    @property
    def negative(self) -> str: ...

    @property
    def seed(self) -> int | None: ...

    @property
    def written(self) -> WrittenOptions: ...

    def model_copy(self, *, update: Mapping[str, object] | None = None) -> Self: ...


Asked = TypeVar("Asked", bound=Said)


def drawn_request(options: Asked, folder: Path | None) -> Asked:
    """A request whose prompts are drawn by its seed, which is drawn first where it was left open; as it was written is
    kept beside it.

    One without wildcards stays as it is; what it says it was written as goes if it does not become that any more.
    Raises InputError for a list that is not there.
    """
    texts, lines = _texts(options), cache(partial(_lines, folder))
    if not any(map(has_wildcards, texts.values())):
        kept = _still(options, texts, lines)
        return options if kept == options.written else options.model_copy(update={"written": kept})
    seed = drawn(options.seed)
    made = {key: draw(text, seed, key, partial(lines, key)) for key, text in texts.items()}
    written = _written({key: text for key, text in texts.items() if made[key] != text})
    return _retold(options, made, {"seed": seed, "written": written})


def undrawn(options: Asked) -> Asked:
    """A request whose prompts are as they were written before they were drawn, so that another seed draws its own."""
    return _retold(options, _texts(options) | _before(options.written), {"written": WrittenOptions()})


def example(options: Asked, folder: Path | None) -> tuple[Asked, bool]:
    """A request as it might be drawn, its seed as it was; whether another run may draw something else."""
    shown = drawn_request(options.model_copy(update={"seed": options.seed or 0}), folder)
    left = options.seed is None and any(map(has_wildcards, _texts(options).values()))
    return shown.model_copy(update={"seed": options.seed}), left


def _texts(options: Said) -> dict[str, str]:
    """The texts of a request in which something can be drawn, by their keys."""
    found = {"prompt": options.prompt, "negative": options.negative}
    if isinstance(options, VideoOptions):
        found |= {_key(n): text for n, text in options.keyframes.prompts.items()}
    return found


def _retold(options: Asked, texts: Mapping[str, str], more: Mapping[str, object]) -> Asked:
    """A request with these texts, by their keys, and with other options."""
    values = {"prompt": texts["prompt"], "negative": texts["negative"], **more}
    if isinstance(options, VideoOptions):
        own = {number: texts[_key(number)] for number in options.keyframes.prompts}
        values["keyframes"] = options.keyframes.model_copy(update={"prompts": own})
    return options.model_copy(update=values)


def _key(number: int) -> str:
    return f"keyframes.prompts.{number}"


def _written(texts: dict[str, str]) -> WrittenOptions:
    sections = {int(key.rpartition(".")[2]): text for key, text in texts.items() if "." in key}
    return WrittenOptions(prompt=texts.get("prompt"), negative=texts.get("negative"), sections=sections)


def _before(told: WrittenOptions) -> dict[str, str]:
    """The texts that were written otherwise, by their keys."""
    found = {"prompt": told.prompt, "negative": told.negative} | {_key(n): text for n, text in told.sections.items()}
    return {key: text for key, text in found.items() if text is not None}


def _still(options: Said, texts: dict[str, str], lines: Lists) -> WrittenOptions:
    """What of a request's texts was written otherwise, and is still drawn to what they are."""
    told = options.written
    if options.seed is None or told == WrittenOptions():
        return WrittenOptions()
    kept: dict[str, str] = {}
    for key, text in _before(told).items():
        try:
            if draw(text, options.seed, key, partial(lines, key)) == texts.get(key):
                kept[key] = text
        except InputError:  # its lists are not on this machine
            continue
    return _written(kept)


def _usable(path: Path) -> bool:
    """Whether a prompt can name a list: others' names are text in it."""
    return NAME.fullmatch(f"__{path.stem}__") is not None and path.is_file()


def _lines(folder: Path | None, key: str, name: str) -> Sequence[str]:
    """The lines that go by a name, for the option of a key. Raises InputError."""
    path = None if folder is None else folder / f"{name}{ENDING}"
    if path is None or not path.is_file():
        there = sorted(one.stem for one in folder.glob(f"*{ENDING}") if _usable(one)) if folder is not None else []
        names = ", ".join(there[:SHOWN]) or "–"
        raise OptionError("error.wildcard.missing", key=key, name=name, folder=folder or "–", names=names)
    try:
        text, _ = decode(read_file(path, LIMIT))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("error.library.read", file=path, reason=error) from error
    found = [*entries(text)]
    if not found:
        raise OptionError("error.wildcard.empty", key=key, name=name, file=path)
    return found
