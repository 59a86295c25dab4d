"""Lines with a line of settings: A1111, Forge, SD.Next, Fooocus, Civitai, Draw Things, FramePack-eichi 1.9.

A1111 and its kin write the prompt, a line `Negative prompt:`, and one line of settings, `Steps: 20, …, Seed: 7, …`; a
few begin that line with another setting, or write all in one line. Draw Things writes the negative prompt after a `-`.
eichi 1.9 writes the prompt and a line `Seed: 7`, in the stills of a section its number and prompt too; these stay
behind, because nothing tells how long that video was.
"""

import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder

from eichi.video.foreign.named import EITHER, plain, read_values

# What a few write before the prompt, as before the other one.
POSITIVE = re.compile(r"\s*(?:positive )?prompt:", re.IGNORECASE)
NEGATIVE = re.compile(r"negative prompt:", re.IGNORECASE)
NEGATIVE_LINE = re.compile(r"^negative prompt:", re.IGNORECASE | re.MULTILINE)
# Where a line of settings may begin, as a line or within one.
BEGIN = re.compile(
    r"^[ \t]*(?:Steps|Seed|Sampler|Size|CFG scale|Guidance scale|Model|Model hash|Schedule type|Scheduler|Version"
    r"|Clip skip|Width|Height|Denoising strength|Distilled CFG scale):",
    re.IGNORECASE | re.MULTILINE,
)
INNER = re.compile(r"\bSteps: ?\d+,")
# A line that begins so is one of settings where nothing in it or after it is in other words: it is all that eichi 1.9
# writes, and all that some keep.
ALONE = re.compile(r"(?:Steps|Seed): *-?\d+(?:\.0)? *(?:,|$)")
NAMED = re.compile(r"\s*(?:[\w .-]+:|\d* *$)")
# What shows that a line is one of settings: values that have the form of theirs.
FORMS = {
    "steps": re.compile(r"\d+"),
    "seed": re.compile(r"-?\d+(?:[.,]\d+)?"),
    "size": re.compile(r"\d+ ?x ?\d+"),
    "cfgscale": re.compile(r"\d+(?:[.,]\d+)?"),
    "guidancescale": re.compile(r"\d+(?:[.,]\d+)?"),
    "sampler": re.compile(r"[^.!?]+"),
}
ENOUGH, MANY = 2, 3
# What is a number in every line of settings; a line where it is a word is of a recipe.
NUMBERS = ("steps", "seed")
TAKEN = {"seed", "steps", "cfgscale", "guidancescale", "distilledcfgscale"}
# Settings that are looked at, and places where they may begin: programs write a few dozen in one place, fewer
# within a line.
MOST, PLACES, INLINE = 2000, 20, 500

# A number as it is written where a comma parts its fraction.
DECIMAL = re.compile(r" *-?\d+,\d+ *(?=,|$)")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
JSON = JSONDecoder()


def read_lines(text: str, bare: bool = True) -> dict[str, str]:
    """The options that such a text has, by dotted key; where it is `bare`, words without settings are a prompt."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    prompt, negative, settings = _parts(text)
    if not (bare or negative or settings):
        return {}
    if negative and settings:
        prompt = prompt[found.end() :] if (found := POSITIVE.match(prompt)) else prompt
    values = {"prompt": prompt.strip(), "negative": negative.strip()}
    values |= read_values({name: value for name, value in settings.items() if name in TAKEN})
    return {key: value for key, value in values.items() if value}


def _parts(text: str) -> tuple[str, str, dict[str, str]]:
    """The prompt, the negative prompt and the settings of a text; as far as it has them, all else is prompt."""
    for found in reversed([*BEGIN.finditer(text)][-PLACES:]):
        line, *more = text[found.start() :].split("\n")
        if _marks(_table([line])) >= ENOUGH or _is_alone(line, more):
            settings = _table([line, *more])
            return *_split(text[: found.start()], dashed=EITHER in settings), settings
    negative = NEGATIVE.search(text)
    for found in [*INNER.finditer(text, negative.end() if negative else 0)][:PLACES]:
        settings = _table([text[found.start() :]], INLINE)
        if _marks(settings) >= (ENOUGH if negative else MANY):
            words = text[: found.start()]
            if negative is None:
                return _ended(words), "", settings
            return _ended(words[: negative.start()]), _ended(words[negative.end() :]), settings
    return *_split(text), {}


def _is_alone(line: str, more: list[str]) -> bool:
    """Whether a line that shows little is one of settings: every part of it has a name, and so has what follows it."""
    parts = [*QUOTED.sub("", line).split(","), *more[:1]]
    return bool(ALONE.match(line.strip())) and all(map(NAMED.match, parts)) and _marks(_table([line])) > 0


def _marks(settings: dict[str, str]) -> int:
    """How many settings of a line have the form of theirs; none where the first has not, or a number is a word."""
    shown = [name for name, form in FORMS.items() if form.fullmatch(settings.get(name, ""))]
    certain = {next(iter(settings), ""), *NUMBERS} & settings.keys() & FORMS.keys()
    return len(shown) if certain <= {*shown} else 0


def _ended(words: str) -> str:
    """Words without the sign that parts them from what follows in the same line."""
    return words.removesuffix(".").rstrip(", ")


def _split(text: str, dashed: bool = False) -> tuple[str, str]:
    """The prompt and the negative prompt of the lines before the settings."""
    if found := NEGATIVE_LINE.search(text):
        return text[: found.start()], text[found.end() :]
    dash = text.rfind("\n-") if dashed else -1
    return (text, "") if dash < 0 else (text[:dash], text[dash + 2 :])


def _table(lines: list[str], left: int = MOST) -> dict[str, str]:
    """The settings of lines by their plain names; of two of a name the first, which a later one may quote."""
    table: dict[str, str] = {}
    for line in lines:
        for name, value in _settings(line):
            table.setdefault(plain(name), value)
            left -= 1
            if not left:
                return table
    return table


def _settings(line: str) -> Iterator[tuple[str, str]]:
    """Names and values, up to the next comma; in quotes or brackets a value may hold any.

    No sign is looked at again: where one quote or bracket is not closed, none is taken for one after it.
    """
    at, closed = 0, True
    while (colon := line.find(":", at)) >= 0:
        name = line[max(line.rfind(",", at, colon) + 1, at) : colon]
        begin = at = colon + 1
        while line[at : at + 1] == " ":
            at += 1
        if closed and line[at : at + 1] in ('"', "[", "{"):
            at, closed = _closed(line, at)
        decimal = DECIMAL.match(line, begin)
        comma = line.find(",", decimal.end() if decimal else at)
        end = len(line) if comma < 0 else comma
        yield name.strip(), line[begin:end].strip()
        at = end + 1


def _closed(line: str, at: int) -> tuple[int, bool]:
    """Where what is opened at a place ends, and whether it does."""
    if line[at] == '"':
        found = QUOTED.match(line, at)
        return (at, False) if found is None else (found.end(), True)
    try:
        return JSON.raw_decode(line, at)[1], True
    except (JSONDecodeError, RecursionError):
        return at, False
