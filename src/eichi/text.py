"""Text that can be written in UTF-8.

Some strings cannot: on some systems the names of files are any bytes, which Python reads into halves of characters,
and a browser may send such halves, too. What a person asks for is refused with them; what is kept has them escaped.
JSON of others is read here, too: whatever is wrong with it is one kind of error.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from pydantic_core import to_jsonable_python

# How deep the values of others may lie in each other; what reads them goes down with them.
DEPTH = 64
# How a table or a list begins, and hardly anything else.
BEGIN = re.compile(r'\s*(\{\s*["}]|\[\s*(["\]]|\{\s*["}]))')


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


def parse_json(text: str | bytes) -> Any:
    """The values of a JSON text of others. Raises ValueError, also for what lies too deep."""
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError("too deep") from error
    level = [values]
    for _ in range(DEPTH):
        level = [one for holder in level for one in _held(holder)]
        if not level:
            return values
    raise ValueError("too deep")


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


def _held(holder: object) -> list[Any]:
    """The tables and lists in a table or a list."""
    inner = holder.values() if isinstance(holder, dict) else holder if isinstance(holder, list) else ()
    return [one for one in inner if isinstance(one, dict | list)]
