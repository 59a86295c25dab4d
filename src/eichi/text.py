"""Text that can be written in UTF-8.

Some strings cannot: on some systems the names of files are any bytes, which Python reads into halves of characters,
and a browser may send such halves, too. What a person asks for is refused with them; what is kept has them escaped.
"""

import json
from collections.abc import Callable

from pydantic_core import to_jsonable_python


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
