"""Texts that others have written: in whatever coding, and JSON, where whatever is wrong is one kind of error.

Systems kept texts in codings of their languages, and some editors still do. What says its coding is read in it; of the
rest the coding is guessed, and said, so that whoever asks can tell. Knows nothing of what the texts are for.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from eichi.reasons import Unfit

# The codings in which systems of our languages kept texts before UTF-8, and what is odd in a text of that language:
# a text that is full of it is in another one.
CODINGS = {
    "cp1251": re.compile(r"[^\x00-\x7f\xa0«»„“”–—…№А-яЁё]|(?<=[A-Za-z])[А-яЁё]|[^\x00-\x7f](?=[@-~])"),
    "cp932": re.compile(r"[\x80-\xa0\uff61-\uff9f\ue000-\uf8ff]"),
    "cp950": re.compile(r"[\x80-\xa0\ue000-\uf8ff]"),
}
CONTROL = re.compile(r"[\x01-\x08\x0e-\x1f\x7f]")
# The marks of UTF-32, of which one begins as that of UTF-16 does.
WIDE = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
# What no text is full of, by its kind in Unicode; scripts that one text has together.
ODD = {"Cc", "Cn", "Co", "Cs", "Cf"}
TOGETHER = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "HALFWIDTH": "CJK", "FULLWIDTH": "CJK", "BOPOMOFO": "CJK"}
# How deep the values of others may lie in each other; what reads them goes down with them.
DEPTH = 64
# How many values there may be: each of them may be wrong, and is looked at then.
MOST = 50_000
# How a table or a list begins, and hardly anything else.
BEGIN = re.compile(r'\s*(\{\s*["}]|\[\s*(["\]]|\{\s*["}]))')

LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")  # as str.splitlines parts them, without the empty ones


def entries(text: str) -> Iterator[str]:
    """The entries of a list: one on each line, without the spaces around it.

    Blank lines and lines that begin with # are left out, so that a list can have paragraphs and remarks; an entry that
    shall begin with # is written \\#. A byte-order mark at the beginning is not part of the first one.
    """
    for found in LINE.finditer(text.removeprefix("\ufeff")):
        line = found.group().strip()
        if line and line[0] != "#":
            yield line.removeprefix("\\") if line.startswith("\\#") else line


def decode(data: bytes) -> tuple[str, str | None]:
    """A text, and the coding where that could only be guessed from it. Raises UnicodeDecodeError."""
    if data.startswith(WIDE):
        return _whole(data, data.decode("utf-32")), None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _whole(data, data.decode("utf-16")), None
    if b"\0" in data:
        orders = ("utf-16-le", "utf-16-be")
        for order in orders[::-1] if data[::2].count(0) > data[1::2].count(0) else orders:
            with suppress(UnicodeDecodeError):
                text = _whole(data, data.decode(order))
                if _is_likely(text, data):
                    return text, "UTF-16"
        raise _unknown(data)
    with suppress(UnicodeDecodeError):
        return data.decode("utf-8-sig"), None
    for coding, odd in CODINGS.items():
        with suppress(UnicodeDecodeError):
            text = data.decode(coding)
            if 3 * len(odd.findall(text)) <= sum(not sign.isascii() for sign in text):
                return text, coding.upper()
    raise _unknown(data)


def _unknown(data: bytes) -> UnicodeDecodeError:
    return UnicodeDecodeError("utf-8", data, 0, len(data), "a coding that is not known here")


def _whole(data: bytes, text: str) -> str:
    """A text, which holds no sign 0. Raises UnicodeDecodeError."""
    if "\0" in text:
        raise _unknown(data)
    return text


def _is_likely(text: str, data: bytes) -> bool:
    """Whether bytes with zeros among them are this text in UTF-16, and no other text with a zero somewhere.

    Signs of ASCII have a zero each. Where they are not half of all, letters of one script beside the Latin ones are
    left, and few signs that no text has.
    """
    if 4 * data.count(0) < len(data):  # what is left without them may be a text itself
        with suppress(UnicodeDecodeError):
            if not CONTROL.search(data.replace(b"\0", b"").decode("utf-8")):
                return False
    signs = Counter(text)
    odd = sum(count for sign, count in signs.items() if unicodedata.category(sign) in ODD and not sign.isspace())
    if 20 * odd > len(text):
        return False
    letters = Counter[str]()
    for sign, count in signs.items():
        if sign.isalpha() and not sign.isascii():
            script = unicodedata.name(sign, "").partition(" ")[0]
            letters[TOGETHER.get(script, script)] += count
    most = max(letters.values(), default=0)
    return 2 * data.count(0) >= len(text) or 20 * (letters.total() - most - letters["LATIN"]) <= letters.total()


def parse_json(text: str | bytes, most: int = MOST) -> Any:
    """The values of a JSON text of others. Raises ValueError, also for what lies too deep, for too many values, and for
    halves of characters in keys, which could not be written again.
    """
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise Unfit("reason.depth") from error
    level = [values]
    for _ in range(DEPTH):
        inner = [one for holder in level for one in _held(holder)]
        most -= len(inner)
        if most < 0:
            raise Unfit("reason.values")
        level = [one for one in inner if isinstance(one, dict | list)]
        if not level:
            return values
    raise Unfit("reason.depth")


def looks_like_json(text: str) -> bool:
    """Whether a text is a table or a list of JSON, be it cut off or too deep to be read."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except ValueError:
        return BEGIN.match(text) is not None
    except RecursionError:
        pass
    return True


def _held(holder: object) -> Iterable[Any]:
    """What is in a table or a list. Raises Unfit for keys that no file can be written with."""
    if isinstance(holder, dict):
        try:
            "".join(holder).encode("utf-8")
        except UnicodeEncodeError as error:
            raise Unfit("reason.coding") from error
        return holder.values()
    return holder if isinstance(holder, list) else ()
