"""Why something is not as it should be: what libraries and the system say in English, as ids of our own texts.

A reason is a part of a sentence. It is kept as the id of a text and what fills it, beside the values of the error or
the note that it belongs to, whose text says it by `{reason:said}`: in the language of whoever reads it. Errors are
known by the names of their classes, so that no library is loaded for it. What stands in no table here keeps its own
words, marked as a detail: better than nothing for who looks for help.
"""

import errno
import re
import sys
from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

Reason = dict[str, str | int | float | None]

LONGEST = 200  # characters of a library's own words
FFMPEG = 10_000  # its own numbers are larger than the system's

# What pydantic complains of, by what is said of it.
COMPLAINTS = {
    "reason.number": (
        "float_type float_parsing decimal_type decimal_parsing fraction_type fraction_parsing complex_type "
        "complex_str_parsing"
    ),
    "reason.whole": "int_type int_parsing int_from_float",
    "reason.finite": "finite_number",
    "reason.digits": "int_parsing_size decimal_max_digits decimal_max_places decimal_whole_digits",
    "reason.above": "greater_than",
    "reason.least": "greater_than_equal",
    "reason.below": "less_than",
    "reason.most": "less_than_equal",
    "reason.multiple": "multiple_of step",
    "reason.text": "string_type bytes_type",
    "reason.short": "string_too_short bytes_too_short",
    "reason.long": "string_too_long bytes_too_long url_too_long",
    "reason.few": "too_short",
    "reason.many": "too_long",
    "reason.form": (
        "string_pattern_mismatch string_not_ascii url_type url_parsing url_syntax_violation url_scheme uuid_type "
        "uuid_parsing uuid_version value_error assertion_error"
    ),
    "reason.coding": "string_unicode bytes_invalid_encoding coding",
    "reason.switch": "bool_type bool_parsing",
    "reason.choice": "literal_error enum",
    "reason.kind": "union_tag_invalid union_tag_not_found",
    "reason.table": (
        "dict_type frozen_dict_type ordered_dict_type counter_type mapping_type model_type model_attributes_type "
        "dataclass_type dataclass_exact_type arguments_type"
    ),
    "reason.list": (
        "list_type tuple_type set_type frozen_set_type deque_type named_tuple_type iterable_type iteration_error "
        "set_item_not_hashable"
    ),
    "reason.path": "path_type",
    "reason.none": "none_required",
    "reason.missing": (
        "missing missing_argument missing_keyword_only_argument missing_positional_only_argument no_such_attribute "
        "default_factory_not_called missing_sentinel_error"
    ),
    "reason.extra": (
        "extra_forbidden unexpected_keyword_argument unexpected_positional_argument multiple_argument_values"
    ),
    "reason.json": "json_invalid json_type",
    "reason.depth": "recursion_loop recursion_depth_exceeded",
    "reason.date": (
        "date_type date_parsing date_from_datetime_parsing date_from_datetime_inexact date_past date_future "
        "datetime_type datetime_parsing datetime_object_invalid datetime_from_date_parsing datetime_past "
        "datetime_future timezone_naive timezone_aware timezone_offset"
    ),
    "reason.time": "time_type time_parsing time_delta_type time_delta_parsing",
    "reason.other": (
        "needs_python_object frozen_field frozen_instance invalid_key get_attribute_error ellipsis_error "
        "is_instance_of is_subclass_of callable_type"
    ),
}
_BY_TYPE = {type: id for id, types in COMPLAINTS.items() for type in types.split()}
# What fills a reason, by pydantic's names for it.
_LIMITS = ("gt", "ge", "lt", "le", "multiple_of", "step", "min_length", "max_length")

# What the system complains of, by its number.
SYSTEM = {
    "reason.os.missing": ("ENOENT",),
    "reason.os.denied": ("EACCES", "EPERM"),
    "reason.os.readonly": ("EROFS",),
    "reason.os.full": ("ENOSPC", "EDQUOT"),
    "reason.os.folder": ("EISDIR",),
    "reason.os.no_folder": ("ENOTDIR",),
    "reason.os.long": ("ENAMETOOLONG",),
    "reason.os.exists": ("EEXIST", "ENOTEMPTY"),
    "reason.os.open": ("EMFILE", "ENFILE"),
    "reason.os.fault": ("EIO", "ENXIO", "ENODEV"),
    "reason.os.busy": ("EBUSY", "ETXTBSY", "EAGAIN", "EDEADLK"),
    "reason.os.loop": ("ELOOP",),
    "reason.os.large": ("EFBIG", "EOVERFLOW"),
    "reason.os.memory": ("ENOMEM",),
    "reason.os.refused": ("ECONNREFUSED",),
    "reason.os.broken": ("ECONNRESET", "ECONNABORTED", "EPIPE", "ENOTCONN"),
    "reason.os.unreachable": ("ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "EHOSTDOWN"),
    "reason.os.late": ("ETIMEDOUT",),
    "reason.os.taken": ("EADDRINUSE",),
    "reason.os.address": ("EADDRNOTAVAIL", "EAFNOSUPPORT"),
    "reason.os.name": ("EILSEQ", "EINVAL"),
}
_BY_NUMBER = {getattr(errno, name): id for id, names in SYSTEM.items() for name in names if hasattr(errno, name)}
# What Windows complains of, by its own number: Python has one of the others for few of them, and EINVAL for the rest.
WINDOWS = {
    "reason.os.missing": (2, 3),
    "reason.os.open": (4,),
    "reason.os.denied": (5, 19, 65),
    "reason.os.memory": (8, 14),
    "reason.os.fault": (21, 23, 27, 29, 30, 31, 55, 433, 483, 1006, 1117, 1392, 1393),
    "reason.os.busy": (32, 33, 170, 303, 1224),
    "reason.os.full": (39, 112, 1295),
    "reason.os.unreachable": (51, 53, 59, 64, 67, 1222, 1231, 1232),
    "reason.os.exists": (80, 145, 183),
    "reason.os.name": (123, 161),
    "reason.os.long": (111, 206),
    "reason.os.large": (223,),
    "reason.os.no_folder": (267,),
    "reason.os.paging": (1455,),
}
_BY_WINDOWS = {number: id for id, numbers in WINDOWS.items() for number in numbers}
# What SQLite complains of, by the beginning of its own name for it.
SQLITE = {
    "SQLITE_FULL": "reason.os.full",
    "SQLITE_READONLY": "reason.os.readonly",
    "SQLITE_CANTOPEN": "reason.unopened",
    "SQLITE_BUSY": "reason.os.busy",
    "SQLITE_LOCKED": "reason.os.busy",
    "SQLITE_IOERR": "reason.os.fault",
    "SQLITE_PERM": "reason.os.denied",
    "SQLITE_NOMEM": "reason.os.memory",
    "SQLITE_CORRUPT": "reason.damaged",
    "SQLITE_NOTADB": "reason.damaged",
}
# What other libraries raise, by class and package; where in it a class is made changes with versions.
FOREIGN = {
    "builtins.UnicodeDecodeError": "reason.coding",
    "builtins.RecursionError": "reason.depth",
    "builtins.MemoryError": "reason.os.memory",
    "builtins.EOFError": "reason.damaged",
    "builtins.SyntaxError": "reason.damaged",  # Pillow's
    "builtins.FileNotFoundError": "reason.os.missing",
    "builtins.PermissionError": "reason.os.denied",
    "builtins.OSError": "reason.damaged",  # without a number it is a library's, about what it read
    "struct.error": "reason.damaged",
    "json.JSONDecodeError": "reason.json_at",
    "zipfile.BadZipFile": "reason.damaged",
    "zipfile.LargeZipFile": "reason.damaged",
    "zlib.error": "reason.damaged",
    "_lzma.LZMAError": "reason.damaged",
    "yaml.YAMLError": "reason.yaml",
    "safetensors.SafetensorError": "reason.damaged",
    "av.FFmpegError": "reason.damaged",
    "PIL.UnidentifiedImageError": "reason.damaged",
    "PIL.DecompressionBombError": "reason.damaged",
    "socket.gaierror": "reason.os.unknown",
    "ssl.SSLError": "reason.unsafe",
    "httpx2.TimeoutException": "reason.os.late",
    "httpx2.ProxyError": "reason.proxy",
    "httpx2.HTTPError": "reason.os.unreachable",
    "sqlalchemy.ArgumentError": "reason.form",
    "sqlalchemy.NoSuchModuleError": "reason.driver",
    "sqlalchemy.TimeoutError": "reason.os.late",
    "builtins.ModuleNotFoundError": "reason.driver",
}


class Unfit(ValueError):
    """What a reader or a validator of ours finds wrong with something, as a reason."""

    def __init__(self, id: str, **values: str | int | float) -> None:
        super().__init__(id)
        self.reason: Reason = {"reason": id, **values}


def unfit(complaint: ErrorDetails) -> Reason:
    """What pydantic says of one value."""
    type, context = complaint["type"], complaint.get("ctx", {})
    if isinstance(context.get("error"), Unfit):  # a validator of ours
        return dict(context["error"].reason)
    id = _BY_TYPE.get(type, "reason.other")
    if type in ("string_too_short", "too_short") and context.get("min_length") == 1:
        return {"reason": "reason.empty"}
    limit = next((context[name] for name in _LIMITS if name in context), None)
    known = context.get("expected", context.get("expected_tags"))
    values: Reason = {} if limit is None else {"limit": limit}
    if id == "reason.choice":  # 'a', 'b' or 'c'
        values["choices"] = ", ".join(re.findall(r"'([^']*)'", str(known))) or str(known)
    return {"reason": id, **values}


def because(error: BaseException) -> Reason:
    """Why something was not to be done, from what a library or the system raised."""
    if isinstance(error, Unfit):
        return dict(error.reason)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return {"reason": "reason.at", "where": where} if where else unfit(first)
    for cause in _causes(error):
        found = _known(cause)
        if found is not None:
            return found
    text = " ".join(f"{type(error).__name__}: {error}".rstrip(": ").split())
    return {"reason": "reason.detail", "detail": text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, which often says more: what was raised by the system, first."""
    chain: list[BaseException] = []
    here: BaseException | None = error
    while here is not None and here not in chain:
        chain.append(here)
        original = getattr(here, "orig", None)  # SQLAlchemy's for the driver's
        here = original if isinstance(original, BaseException) else here.__cause__
    yield from (one for one in chain if isinstance(one, OSError))
    yield from (one for one in chain if not isinstance(one, OSError))


def _known(error: BaseException) -> Reason | None:
    """What one error says, None where nothing of it is known."""
    told = getattr(error, "winerror", None)  # where the system is Windows
    number = re.search(r"\(os error (\d+)\)|error code: <(\d+)>", str(error))  # Rust's and torch's, in the text only
    if told is None and number is not None:
        told = int(number[1] or number[2]) if sys.platform == "win32" else None
    if told in _BY_WINDOWS:
        return {"reason": _BY_WINDOWS[told]}
    if isinstance(error, OSError) and error.errno and type(error).__module__ not in ("socket", "ssl"):  # theirs differ
        if error.errno in _BY_NUMBER:
            return {"reason": _BY_NUMBER[error.errno]}
        if error.errno < FFMPEG:
            return {"reason": "reason.os.other", "code": error.errno}
    if number is not None and int(number[1] or number[2]) in _BY_NUMBER:
        return {"reason": _BY_NUMBER[int(number[1] or number[2])]}
    name = str(getattr(error, "sqlite_errorname", ""))
    for beginning, id in SQLITE.items():
        if name.startswith(beginning):
            return {"reason": id}
    for kind in type(error).__mro__:
        id = FOREIGN.get(f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}", "")
        if id:
            return _placed(id, error)
    return None


def _placed(id: str, error: BaseException) -> Reason:
    """A reason with the place in a text, where the error knows it."""
    mark = getattr(error, "problem_mark", None)  # YAML's, counted from 0
    if mark is not None:
        return {"reason": "reason.yaml_at", "line": mark.line + 1, "column": mark.column + 1}
    if id == "reason.json_at":
        return {"reason": id, "line": getattr(error, "lineno", 0), "column": getattr(error, "colno", 0)}
    return {"reason": id}
