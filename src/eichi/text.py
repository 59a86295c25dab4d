"""Text as it can be written and shown: in UTF-8, in the room that there is, numbers in either of two ways.

Some strings cannot: on some systems the names of files are any bytes, which Python reads into halves of characters,
and a browser may send such halves, too. What a person asks for is refused with them; what is kept has them escaped.
"""

import json
import re
import unicodedata
from collections.abc import Callable

from pydantic_core import to_jsonable_python
from rich.cells import cell_len

from eichi.reasons import Unfit

ELLIPSIS = "…"
JOINER = "\u200d"  # joins two signs into one
# The wide signs of numbers; a minus, a full stop and a space of Japanese text are typed by the same keys.
WIDE = {ord(sign) + 0xFEE0: sign for sign in "0123456789.,+-%"} | {0x2212: "-", 0x3002: ".", 0x3000: " "}


def encodable(value: object) -> bool:
    """Whether a string, or a path, can be kept and shown as it is."""
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def json_text(
    values: object, *, indent: int | None = None, sort: bool = False, fallback: Callable[[object], object] | None = None
) -> str:
    """Models, dataclasses or plain values as readable JSON; half characters become the escapes it reads them from."""
    plain = to_jsonable_python(values, fallback=fallback)
    text = json.dumps(plain, ensure_ascii=False, indent=indent, sort_keys=sort)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shorten(text: str, width: int) -> str:
    """A text on one line and no wider than that many columns, of which signs of East Asia take two.

    It is cut between two words where there are some near, and never within a sign that is made of several.
    """
    line = " ".join(text.split())
    if cell_len(line) <= width:
        return line
    end, left = 0, width - cell_len(ELLIPSIS)
    while (left := left - cell_len(line[end])) >= 0:
        end += 1
    while end and (_leans(line[end]) or line[end - 1] == JOINER):
        end -= 1
    space = line.rfind(" ", end * 2 // 3, end + 1)
    return line[: end if space < 0 else space].rstrip() + ELLIPSIS


def _leans(sign: str) -> bool:
    """Whether a character belongs to the one before it: an accent, a joiner, a tone of skin."""
    return unicodedata.category(sign) in ("Mn", "Mc", "Me", "Cf") or "\U0001f3fb" <= sign <= "\U0001f3ff"


def pad(text: str, width: int) -> str:
    """A text with spaces up to that many columns, two of them at least, so that what follows stands apart."""
    return text + " " * max(2, width - cell_len(text))


def figures(text: str) -> str:
    """A number in wide signs, as a Japanese keyboard types it, in ordinary ones; any other text as it is."""
    plain = text.translate(WIDE)
    return plain if re.fullmatch(r"\s*[-+]?[\d.,]+\s*%?\s*", plain, re.ASCII) else text


def decimal(text: str) -> str:
    """A number with a decimal comma, or in wide signs, as an ordinary one with a point; any other text as it is.

    Raises Unfit for what is a number with thousands just as well.
    """
    text = figures(text)
    found = re.fullmatch(r"\s*([-+]?)(\d*),(\d+)\s*", text)
    if found is None:
        return text
    sign, whole, part = found.groups()
    if len(part) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0"):
        raise Unfit("reason.comma", small=float(f"{sign}{whole}.{part}"), large=int(f"{sign}{whole}{part}"))
    return f"{sign}{whole}.{part}"
