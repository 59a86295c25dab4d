"""What other programs write into their PNGs, read as the part of a request that it is.

A1111 and its kin write the prompt, a line `Negative prompt:`, and one line of settings, `Steps: 20, …, Seed: 7, …`.
FramePack-eichi 1.9 writes the prompt and a line `Seed: 7`, in the stills of a section its number and prompt too; these
stay behind, because nothing tells how long that video was. Steps and scales belong to the model that they were found
with: they are taken only beside a `Distilled CFG Scale`, which models guided like FramePack have and others have not.
"""

import re

NEGATIVE = "Negative prompt:"
# The line where the settings begin, and a setting in it; a value with a comma is quoted.
BEGIN = re.compile(r"(Steps|Seed): *\d+ *(,|$)")
SETTING = re.compile(r' *([A-Z][\w /-]*): *("(?:\\.|[^"\\])*"|[^,]*)(?:,|$)')
DISTILLED = {
    "sampling.guidance": "Distilled CFG Scale",
    "sampling.cfg": "CFG scale",
    "sampling.steps": "Steps",
}


def read_parameters(text: str) -> dict[str, str]:
    """The options that such a text has, by dotted key, as they are written there."""
    lines = text.splitlines()
    end = next((at for at in reversed(range(len(lines))) if BEGIN.match(lines[at])), len(lines))
    begin = next((at for at in range(end) if lines[at].startswith(NEGATIVE)), end)
    found = [setting for line in lines[end:] for setting in SETTING.findall(line)]
    settings: dict[str, str] = dict(reversed(found))  # a later text may quote an earlier setting
    values = {
        "prompt": "\n".join(lines[:begin]),
        "negative": "\n".join(lines[begin:end]).removeprefix(NEGATIVE),
        "seed": settings.get("Seed", ""),
    }
    if DISTILLED["sampling.guidance"] in settings:
        values |= {key: settings.get(name, "") for key, name in DISTILLED.items()}
    return {key: value.strip() for key, value in values.items() if value.strip()}
