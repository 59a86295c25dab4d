"""Values by their names, as programs that write JSON, or a text for each value, call them.

The names differ in case, spaces and signs between words, and in little else: one table has them all. A table without
a prompt is something else that happens to have a seed. Knows nothing of where a table was found.
"""

import re
from collections.abc import Mapping
from typing import Any

from eichi.declare import Plain
from eichi.reading import looks_like_json
from eichi.text import shorten

PROMPTS = ("prompt", "negative")
# Names without case and signs between words, and the options that they are.
NAMES = {
    "prompt": "prompt",
    "positiveprompt": "prompt",
    "c": "prompt",
    "negativeprompt": "negative",
    "negative": "negative",
    "uc": "negative",
    "seed": "seed",
    "noiseseed": "seed",
    "steps": "sampling.steps",
    "numinferencesteps": "sampling.steps",
    "infersteps": "sampling.steps",
    "cfg": "sampling.cfg",
    "cfgscale": "sampling.cfg",
    "guidancescale": "sampling.cfg",
    "scale": "sampling.cfg",
    "gs": "sampling.guidance",
    "guidance": "sampling.guidance",
    "distilledcfg": "sampling.guidance",
    "distilledcfgscale": "sampling.guidance",
    "embeddedguidancescale": "sampling.guidance",
    "fluxguidancescale": "sampling.guidance",
    "rs": "sampling.rescale",
    "totalsecondlength": "seconds",
}
# What is called so is real guidance, unless that has a name of its own beside it.
EITHER = "guidancescale"
REAL = ("cfg", "cfgscale")
# Draw Things' name of a prompt, which is one beside its name of the other.
SHORT = ("c", "uc")
LONGEST = 5000  # signs of a number: Python and pydantic count so far
SHOWN = 200  # signs of what is none
DECIMAL = re.compile(r"-?\d+,\d{1,2}")  # with three digits it may be a thousand


def read_named(values: Mapping[str, Any]) -> dict[str, str]:
    """The options of a table that has a prompt, by dotted key."""
    found = read_values(values)
    return found if any(key in found for key in PROMPTS) else {}


def read_values(values: Mapping[str, Any]) -> dict[str, str]:
    """The options of a table, by dotted key; of two names for one the first in `NAMES`.

    What is no number stays as it is where there is no other, so that it can be said that it is not used.
    """
    table: Plain = {}
    for name, value in values.items():
        table.setdefault(plain(name), value)
    if SHORT[1] not in table:
        table.pop(SHORT[0], None)
    distilled = EITHER in table and any(name in table for name in REAL)
    found: dict[str, str] = {}
    unfit: dict[str, str] = {}
    for name, key in NAMES.items():
        ours = "sampling.guidance" if name == EITHER and distilled else key
        text = _words(table.get(name)) if key in PROMPTS else number(table.get(name))
        if text and ours not in found:
            found[ours] = text
        elif key not in PROMPTS and isinstance(table.get(name), list | dict):
            unfit.setdefault(ours, shorten(str(table[name]), SHOWN))
    return unfit | found


def plain(name: str) -> str:
    """A name without case and the signs between its words."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def number(value: Any) -> str:
    """A number as it is written, with a point; nothing for what is none, or open. One that is too long is cut."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value).strip()
    return text.replace(",", ".") if DECIMAL.fullmatch(text) else shorten(text, LONGEST)


def _words(value: Any) -> str:
    """A prompt, also one in parts; nothing for a table, be it written as text."""
    if isinstance(value, list):
        parts = [part.get("prompt") if isinstance(part, dict) else part for part in value]
        value = ", ".join(part for part in parts if isinstance(part, str))
    if not isinstance(value, str) or looks_like_json(value):
        return ""
    return value.strip("\0 \t\r\n")
