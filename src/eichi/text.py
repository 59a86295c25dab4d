"""Text that can be written in UTF-8.

Some strings cannot: on some systems the names of files are any bytes, which Python reads into halves of characters,
and a browser may send such halves, too. What a person asks for is refused with them; what is kept has them escaped.
"""

import json
from collections.abc import Callable


def encodable(value: object) -> bool:
    """Whether a string, or a path, can be kept and shown as it is."""
    try:
        str(value).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def as_json(
    values: object, *, indent: int | None = None, sort: bool = False, default: Callable[[object], object] | None = None
) -> str:
    """Values as readable JSON; half characters become the escapes that JSON reads them from."""
    text = json.dumps(values, ensure_ascii=False, indent=indent, sort_keys=sort, default=default)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
