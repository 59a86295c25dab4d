"""What a LoRA's maker says of its strength outside of its tensors: alpha, for the whole file or by the names of layers.

It stands in the header, as a number or as JSON in one of its texts, or in an `adapter_config.json` beside the file.
Names of layers are regular expressions there, and are matched as PEFT does. They are other people's: only so much time
is theirs, since an expression of ten signs can take years.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import isfinite, sqrt
from pathlib import Path
from time import monotonic
from typing import Any

import regex

from eichi.errors import LoraError
from eichi.models.header import Header, short

# Texts of the header that hold a table: diffusers' own, and those of others.
TABLES = ("lora_adapter_metadata", "lora_config", "adapter_config", "peft_config")
# The names that alpha has in a table or in the header itself, the surest first.
ALPHAS = ("lora_alpha", "network_alpha", "ss_network_alpha", "alpha")
OWNER = "transformer."  # diffusers keeps the settings of several models in one table
CONFIG, BESIDE = "adapter_config.json", "adapter_model.safetensors"
LARGEST = 2**20  # bytes of a file of settings
LONGEST, MOST, SECONDS = 200, 2000, 1.0  # signs of an expression, their number in a table, and time for all of a file
# Libraries write out what is repeated: three counts within one another are gigabytes. Layers have numbers of two signs.
REPEATED = 100
PLAIN = regex.compile(r"\^?(?:\w|\\?\.)+")  # the names that diffusers and PEFT themselves write
COUNT = regex.compile(r"(\d*)(?:,(\d*))?")


@dataclass(frozen=True)
class Settings:
    """The tables of a file in the order in which they count, each with the place that it stands in."""

    path: Path
    tables: tuple[Mapping[str, Any], ...]

    def alphas(self, ranks: Mapping[str, int]) -> dict[str, float]:
        """Alpha by layer, for those of which anything is said. `ranks` are those of the layers. Raises LoraError."""
        found: dict[str, float] = {}
        clock = Clock()
        for table in self.tables:
            patterns = Patterns(self.path, table.get("alpha_pattern"), clock)
            common = next((value for key in ALPHAS if (value := self._number(table.get(key))) is not None), None)
            rooted = self._switch(table.get("use_rslora"))
            for layer, rank in ranks.items():
                own = patterns.find(layer) if patterns.table else None
                alpha = common if own is None else self._number(own)
                if alpha and layer not in found:
                    found[layer] = alpha * sqrt(rank) if rooted else alpha
        return found

    def _number(self, value: Any) -> float | None:
        """A number, also as a text; None where nothing is said. Raises LoraError."""
        if value is None or (isinstance(value, str) and value.strip().lower() in ("", "none", "null")):
            return None
        try:
            number = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if not isfinite(number):
            raise LoraError("error.lora.alpha", path=self.path, value=short(repr(value), 40))
        return number

    def _switch(self, value: Any) -> bool:
        """A truth value, also as a text. Raises LoraError."""
        words = {"true": True, "1": True, "false": False, "0": False, "none": False, "": False}
        known = words.get(str(value).strip().lower())
        if known is None:
            raise LoraError("error.lora.settings", path=self.path, reason=f"use_rslora: {short(repr(value), 40)}")
        return known


class Clock:
    """The time that is left for all expressions of a file, in whichever of its tables they stand."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._end = monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds, 0 where there are none."""
        return max(self._end - monotonic(), 0)


class Patterns:
    """Values by expressions that match names of layers; the first that matches counts.

    Most are names and no more, as many as there are layers. They are looked up, by where their dots stand for any sign.
    """

    def __init__(self, path: Path, table: Any, clock: Clock) -> None:
        """Raises LoraError for what is no table of expressions."""
        self.path, self.clock = path, clock
        if table is not None and not isinstance(table, dict):
            raise self._wrong(repr(table))
        self.table: dict[str, Any] = table or {}
        if len(self.table) > MOST:
            raise self._wrong(f"{len(self.table)} > {MOST}")
        null = [key for key, value in self.table.items() if value is None]
        if null:
            raise LoraError("error.lora.alpha", path=path, value=short(f"{null[0]}: null", 40))
        # Names by their length, by the lengths of what is between their dots, and by that itself.
        self._names: dict[int, dict[tuple[int, ...], dict[tuple[str, ...], list[int]]]] = {}
        self._keys = list(self.table)
        self._expressions: list[tuple[int, regex.Pattern[str]]] = []
        for place, key in enumerate(self._keys):
            if len(key) > LONGEST:
                raise self._wrong(key)
            if PLAIN.fullmatch(key):
                self._add(place, key)
            else:
                self._expressions.append((place, self._compiled(key)))

    def find(self, layer: str) -> Any:
        """The value for a layer, None where there is none. Raises LoraError."""
        best = min(self._named(layer), default=len(self._keys))
        for place, expression in self._expressions:
            if place > best:
                break
            if self._matches(expression, self._keys[place], layer):
                best = place
                break
        return self.table[self._keys[best]] if best < len(self._keys) else None

    def _add(self, place: int, key: str) -> None:
        parts = tuple(part.replace("\\.", ".") for part in regex.split(r"(?<!\\)\.", key.removeprefix("^")))
        lengths = tuple(map(len, parts))
        alike = self._names.setdefault(sum(lengths) + len(lengths) - 1, {}).setdefault(lengths, {})
        alike.setdefault(parts, []).append(place)

    def _named(self, layer: str) -> Iterator[int]:
        """The places of the names that a layer ends as, after a dot or whole. Raises LoraError."""
        starts = [0, *(place + 1 for place, sign in enumerate(layer) if sign == ".")]
        for start in starts:
            end = layer[start:]
            for lengths, names in self._names.get(len(end), {}).items():
                firsts = accumulate(lengths[:-1], lambda first, length: first + length + 1, initial=0)
                parts = tuple(end[first : first + length] for first, length in zip(firsts, lengths, strict=True))
                yield from (one for one in names.get(parts, ()) if start == 0 or self._keys[one][0] != "^")
        if self._names and not self.clock.left:
            raise self._wrong(f"{len(self._keys)}")

    def _compiled(self, key: str) -> "regex.Pattern[str]":
        times = 1
        for braces in regex.findall(r"\{([^{}]*)\}", regex.sub(r"\\.", "", key)):
            count = COUNT.fullmatch(braces)
            if count is None:  # what PEFT's library does not know
                raise self._wrong(key)
            times *= max((int(number) for number in count.groups() if number), default=1) or 1
        if times > REPEATED or not self.clock.left:
            raise self._wrong(key)
        try:
            return regex.compile(rf"(.*\.)?({key})$")
        except (regex.error, RecursionError, OverflowError) as error:
            raise self._wrong(key) from error

    def _matches(self, expression: "regex.Pattern[str]", key: str, layer: str) -> bool:
        left = self.clock.left
        if not left:  # short matches never look at their time
            raise self._wrong(key)
        try:
            return expression.match(layer, timeout=left) is not None
        except TimeoutError as error:
            raise self._wrong(key) from error

    def _wrong(self, key: str) -> LoraError:
        return LoraError("error.lora.settings", path=self.path, reason=f"alpha_pattern: {short(key, 60)}")


def read_settings(header: Header, ranks: set[int]) -> Settings:
    """What is said of a file whose factors have these ranks. Raises LoraError for what cannot be read."""
    tables = [_table(header.path, header.told[key]) for key in TABLES if header.told.get(key, "").strip()]
    tables.append(_owned(header.told))
    beside = config_beside(header.path)
    if beside is not None:
        tables += [table for table in _beside(beside) if header.path.name == BESIDE or _ours(table, ranks)]
    return Settings(header.path, tuple(tables))


def config_beside(path: Path) -> Path | None:
    """The file of settings that belongs to a LoRA by where it lies: PEFT's own name, or the only one in a folder."""
    config = path.parent / CONFIG
    if not config.is_file():
        return None
    if path.name == BESIDE:
        return config
    others = (other for other in path.parent.iterdir() if other.suffix.lower() == path.suffix.lower())
    return None if any(other.name != path.name for other in others) else config


def _beside(config: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with config.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise LoraError("error.lora.settings", path=config, reason=error) from error
    if len(content) > LARGEST:
        raise LoraError("error.lora.settings", path=config, reason=f"> {LARGEST // 2**20} MiB")
    yield _table(config, content)


def _ours(table: Mapping[str, Any], ranks: set[int]) -> bool:
    """Whether settings beside a file of another name agree with its ranks."""
    rank = table.get("r")
    return isinstance(rank, int) and (rank in ranks or bool(table.get("rank_pattern")))


def _table(path: Path, text: str | bytes) -> Mapping[str, Any]:
    """A table of JSON, in UTF-8 or UTF-16, with a byte-order mark or without. Raises LoraError."""
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise LoraError("error.lora.settings", path=path, reason="JSON […[…]…]") from error
    except ValueError as error:
        raise LoraError("error.lora.settings", path=path, reason=short(f"JSON, {error}")) from error
    if not isinstance(values, dict):
        raise LoraError("error.lora.settings", path=path, reason=short(f"JSON: {values!r} ≠ {{…}}"))
    return _owned(values)


def _owned(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of the transformer, without its name."""
    return {key.removeprefix(OWNER): value for key, value in values.items()}
