"""The `parameters` text that programs leave in a PNG, as values of a request.

Two forms are read. A1111 and its kin: the prompt, then `Negative prompt:`, then one line `Steps: 20, Sampler: …`.
eichi 1.9: the prompt, then lines `Seed:`, `Section Prompt:`, `Section Number:`. Both texts may have several lines, and
may contain what looks like a label; what counts as one stands at the end.

Knows nothing of files.
"""

import json
import re
from typing import Any

# Labels of the settings line, and the options they are.
SETTINGS = {
    "Steps": "sampling.steps",
    "CFG scale": "sampling.cfg",
    "Distilled CFG Scale": "sampling.guidance",
    "Seed": "seed",
}
NEGATIVE = "Negative prompt:"
# A line of settings holds at least these many pairs; a prompt may well hold one or two.
PAIRS = 3
LONGEST = 10_000

_PAIR = re.compile(r'\s*(\w[\w \-/]{0,60}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')
_EICHI = re.compile(
    r"(?P<prompt>.*?)"
    r"(?:(?:^|\n)Seed: (?P<seed>\d+))?"
    r"(?:(?:^|\n)Section Prompt: (?P<text>.*?))?"
    r"(?:(?:^|\n)Section Number: (?P<number>\d+))?\s*\Z",
    re.DOTALL,
)


def parse(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Values by the dotted keys of a video's options, and what was not understood, by its label."""
    *lines, last = text.strip("\n").split("\n")
    pairs = _PAIR.findall(last) if len(last) <= LONGEST else []
    if len(pairs) >= PAIRS and not _PAIR.sub("", last).strip():
        return _a1111(lines, {label: _bare(value) for label, value in pairs})
    return _eichi(text)


def _a1111(lines: list[str], settings: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    negative = next((place for place, line in enumerate(lines) if line.startswith(NEGATIVE)), len(lines))
    values: dict[str, Any] = {"prompt": "\n".join(lines[:negative])}
    if negative < len(lines):
        values["negative"] = "\n".join(lines[negative:])[len(NEGATIVE) :].strip(" ")
    values |= {key: settings[label] for label, key in SETTINGS.items() if label in settings}
    return values, {label: value for label, value in settings.items() if label not in SETTINGS}


def _eichi(text: str) -> tuple[dict[str, Any], dict[str, str]]:
    found = _EICHI.fullmatch(text)
    assert found is not None, "any text is a prompt"
    values: dict[str, Any] = {"prompt": found["prompt"]}
    left = {}
    if found["seed"] is not None:
        values["seed"] = found["seed"]
    if found["number"] is not None and found["text"] is not None:
        values["keyframes.prompts"] = {found["number"]: found["text"]}
    elif found["number"] is not None:
        left["Section Number"] = found["number"]
    elif found["text"] is not None:
        left["Section Prompt"] = found["text"]
    return values, left


def _bare(value: str) -> str:
    """A value without the quotes that it has where it holds commas."""
    if not value.startswith('"'):
        return value.strip()
    try:
        return str(json.loads(value))
    except ValueError:
        return value
