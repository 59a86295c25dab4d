"""Whatever a library says in English has a sentence of ours, in every language."""

import errno
import importlib
import json
import os
import re
import socket
import sqlite3
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import av
import httpx2
import pytest
import safetensors
import sqlalchemy as sa
import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core.core_schema import ErrorType

from eichi import reasons
from eichi.errors import FolderError
from eichi.events import Message
from eichi.options import FillOptions, FrameOptions, LoraOptions, ReferenceOptions, VideoOptions
from eichi.reasons import COMPLAINTS, FOREIGN, SQLITE, SYSTEM, Unfit, because, unfit
from eichi.settings import Settings
from eichi.words import languages, say, table

MODELS = (VideoOptions, FrameOptions, FillOptions, Settings, LoraOptions, ReferenceOptions)
# One value of each kind that JSON, YAML, a flag or Python can give, and some that nearly fit.
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**400, 1.5, float("nan"), 1e300, "", "x", "1.5", "1,000", "9" * 5000, "\ud83d", b"\xff", [],
    [1], {}, {"x": 1}, {1: 1}, "x" * 30_000, object(), (), {None: 1}, [{"file": 3}], {"0": 5},
)  # fmt: skip
DETAIL = "ValueError: could not convert string to float: 'x'"


def test_every_complaint_of_pydantic_has_a_reason() -> None:
    named = [name for names in COMPLAINTS.values() for name in names.split()]
    assert sorted(set(get_args(ErrorType)) - set(named)) == []
    assert len(set(named)) == len(named)


def complaints(model: type[BaseModel]) -> Iterator[Any]:
    """What is said of wrong values in every field of a model, those of its groups too, and of wrong keys."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        inner = isinstance(kind, type) and issubclass(kind, BaseModel)
        for value in (*VALUES, *({key: one} for key in (kind.model_fields if inner else ()) for one in VALUES)):  # type: ignore[union-attr]
            try:
                model(**{name: value})
            except ValidationError as error:
                yield from error.errors(include_url=False)


@pytest.mark.parametrize("model", MODELS)
def test_whatever_is_wrong_with_a_value_is_said(model: type[BaseModel]) -> None:
    found = [unfit(complaint) for complaint in complaints(model)]
    assert len({reason["reason"] for reason in found}) > 3
    for language in languages():
        assert all(say(str(reason["reason"]), language, **reason) for reason in found)


def test_messages_of_other_programs_are_said_too() -> None:
    """The events of a job, told apart by a tag."""
    for text in ("{", '{"kind": "x"}', "{}", '{"kind": "step", "order": "a"}', "[" * 500):
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(Message).validate_json(text)
        reason = because(caught.value)
        assert say(str(reason["reason"]), "ja", **reason)


@pytest.mark.parametrize("name", FOREIGN)
def test_the_classes_of_other_libraries_are_there(name: str) -> None:
    package, kind = name.split(".")
    importlib.import_module(package)
    places = [module for place, module in list(sys.modules.items()) if place.partition(".")[0] == package]
    found = [vars(module).get(kind) for module in places]
    classes = [one for one in found if isinstance(one, type) and issubclass(one, BaseException)]
    assert classes
    assert all(one.__module__.partition(".")[0] == package for one in classes)


@pytest.mark.parametrize("language", languages())
def test_every_reason_can_be_said(language: str) -> None:
    named = {*COMPLAINTS, *SYSTEM, *SQLITE.values(), *FOREIGN.values()}
    texts = table(language)
    assert named <= texts.keys()
    for id, text in texts.items():
        if id.startswith("reason."):
            assert not re.search(r"[.。]$", text), f"{id} is a part of a sentence"


def raised(act: Callable[[], object]) -> BaseException:
    with pytest.raises(Exception, match=r"(?s).*") as caught:  # whatever a library says
        act()
    return caught.value


def broken(path: Path) -> Path:
    path.write_bytes(b"\x10" * 40)
    return path


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (lambda path: json.loads("{\n  3"), {"reason": "reason.json_at", "line": 2, "column": 3}),
        (lambda path: yaml.safe_load("a: 1\nb: [\n"), {"reason": "reason.yaml_at", "line": 3, "column": 1}),
        (lambda path: b"\xff".decode(), {"reason": "reason.coding"}),
        (lambda path: zipfile.ZipFile(broken(path)), {"reason": "reason.damaged"}),
        (lambda path: safetensors.safe_open(broken(path), framework="numpy"), {"reason": "reason.damaged"}),
        (lambda path: av.open(str(broken(path))), {"reason": "reason.damaged"}),
        (lambda path: path.read_bytes(), {"reason": "reason.os.missing"}),
        (lambda path: path.parent.read_bytes(), {"reason": "reason.os.folder"}),
        (lambda path: (broken(path) / "x").read_bytes(), {"reason": "reason.os.no_folder"}),
        (lambda path: (path.parent / ("x" * 300)).read_bytes(), {"reason": "reason.os.long"}),
        (lambda path: sqlite3.connect(broken(path)).execute("SELECT 1 FROM a"), {"reason": "reason.damaged"}),
        (lambda path: sa.create_engine(f"sqlite:///{path / 'x'}").connect(), {"reason": "reason.unopened"}),
        (lambda path: sa.create_engine("no url"), {"reason": "reason.form"}),
        (lambda path: sa.create_engine("nothing://x"), {"reason": "reason.driver"}),
        (lambda path: socket.create_server(("203.0.113.1", 0)), {"reason": "reason.os.address"}),
        (lambda path: float("x"), {"reason": "reason.detail", "detail": DETAIL}),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_libraries_say(tmp_path: Path, act: Callable[[Path], object], reason: dict[str, Any]) -> None:
    assert because(raised(lambda: act(tmp_path / "file"))) == reason


def test_the_system_speaks_for_a_library() -> None:
    full = safetensors.SafetensorError("I/O error: File too large (os error 27)")
    assert because(full) == {"reason": "reason.os.large"}
    refused = httpx2.ConnectError("All connection attempts failed")
    assert because(refused) == {"reason": "reason.os.unreachable"}
    refused.__cause__ = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    assert because(refused) == {"reason": "reason.os.refused"}
    assert because(httpx2.ReadTimeout("")) == {"reason": "reason.os.late"}
    assert because(OSError(119, "odd")) == {"reason": "reason.os.other", "code": 119}


def test_an_error_keeps_its_reason_as_an_id() -> None:
    error = FolderError("error.folder.write", folder="x", reason=OSError(errno.ENOSPC, "No space left on device"))
    assert error.values == {"folder": "x", "reason": "reason.os.full"}
    assert "на диске нет места" in error.say("ru")
    assert "ディスクに空きがありません" in error.say("ja")
    odd = FolderError("error.folder.write", folder="x", reason=Unfit("reason.larger", limit="3 MiB"))
    assert "(it is larger than 3 MiB)" in odd.say()


def test_a_long_text_of_a_library_is_cut() -> None:
    assert len(str(because(ValueError("x" * 9999))["detail"])) == reasons.LONGEST
