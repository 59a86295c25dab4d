"""Files by their ids: every option that is a path, whoever asks; and no path for who does not sit at the machine."""

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from eichi.declare import Plain
from eichi.errors import InputError, ModelError, OptionError
from eichi.events import Adjusted
from eichi.options import FillOptions, FrameOptions, Options, VideoOptions, files_of, place
from eichi.video.images import measure
from eichi.web.desk import Desk
from eichi.web.refs import FORM
from eichi.web.visitor import Visitor

FAR, NEAR = Visitor("en", local=False), Visitor("en", local=True)
KINDS = (VideoOptions, FrameOptions, FillOptions)


def paths_of(kind: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Plain]]:
    """Every place of a request where a path may stand, as `files_of` names it, with what must stand around it.

    Found by the types of the fields alone, so that an option that comes later is covered.
    """
    for name, info in kind.model_fields.items():
        parts = [info.annotation, *get_args(info.annotation)]
        models = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
        if info.annotation in models:
            yield from paths_of(models[0], f"{prefix}{name}.")
        elif models:
            for key, _ in paths_of(models[0]):
                yield f"{prefix}{name}.0.{key}", {f"{prefix}{name}": key}
        elif dict in parts or (Path in get_args(info.annotation) and "dict" in str(info.annotation)):
            yield f"{prefix}{name}.0", {f"{prefix}{name}": None}
        elif Path in parts:
            yield f"{prefix}{name}", {}


def asked(kind: type[Options], key: str, value: str) -> Options | None:
    """A request with a value at a place; None where the place takes no path."""
    values: Plain = {}
    if kind is FillOptions:
        values = {"before": value, "after": value}
    parts = key.split(".")
    if "0" not in parts:
        place(values, key, value)
    elif parts[-1] == "0":
        place(values, ".".join(parts[:-1]), {"0": value})
    else:
        at = parts.index("0")
        entry = {name: value for name in {*parts[at + 1 :], "image" if parts[0] == "references" else "file"}}
        place(values, ".".join(parts[:at]), [entry])
    made = kind.parse(values)
    return made if key in files_of(made) else None


PLACES = [(kind, key) for kind in KINDS for key, _ in paths_of(kind)]


def test_all_places_of_paths_are_known() -> None:
    known = {key for kind, key in PLACES if asked(kind, key, "a.png") is not None}
    assert known >= {
        "image",
        "keyframes.final",
        "keyframes.sections.0",
        "references.0.image",
        "references.0.mask",
        "mask",
        "kept.latents",
        "weights.loras.0.file",
        "before",
    }


@pytest.fixture
def ids(desk: Desk, picture: Path) -> dict[str, Path]:
    """A file of every kind by its id."""
    refs = desk.refs
    given = desk.given.picture("my picture.png", io.BytesIO(picture.read_bytes()))
    result = desk.settings.outputs.absolute() / "made.mp4"
    lora = desk.settings.loras[0].absolute() / "deep" / "style.safetensors"
    for path in (result, lora):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    upload = desk.given.find(given.mark)
    assert upload is not None
    return {str(refs.id(path)): path for path in (upload, result, lora)}


@pytest.mark.parametrize(("kind", "key"), PLACES)
@pytest.mark.parametrize("given", ["/etc/hostname", "../x.png", "x.png", "C:\\x.png", "upload:../x", "job:1/../x"])
def test_nobody_from_elsewhere_names_a_path(desk: Desk, kind: type[Options], key: str, given: str) -> None:
    options = asked(kind, key, given)
    if options is None:
        pytest.skip("takes no path")
    with pytest.raises(OptionError) as refused:
        desk.refs.resolve(options, FAR)
    assert refused.value.id in ("error.api.path", "error.ref.gone")
    assert refused.value.values["key"] in files_of(options)
    assert files_of(desk.refs.resolve(options, NEAR))[key] == files_of(options)[key]


@pytest.mark.parametrize(("kind", "key"), PLACES)
def test_an_id_becomes_its_path_and_a_path_its_id(
    desk: Desk, ids: dict[str, Path], kind: type[Options], key: str
) -> None:
    for id, path in ids.items():
        assert FORM.fullmatch(id)
        options = asked(kind, key, id)
        if options is None:
            continue
        for visitor in (FAR, NEAR):
            found = desk.refs.resolve(options, visitor)
            assert files_of(found)[key] == path
            assert desk.refs.shown(found, visitor) == options
    gone = asked(kind, key, f"upload:{'0' * 32}")
    if gone is not None:
        for visitor in (FAR, NEAR):
            with pytest.raises(OptionError):
                desk.refs.resolve(gone, visitor)


@pytest.mark.parametrize(("kind", "key"), PLACES)
def test_what_has_no_id_is_a_name_for_others(desk: Desk, kind: type[Options], key: str) -> None:
    options = asked(kind, key, os.path.abspath("/secret/place/x.png"))
    if options is not None:
        assert "secret" not in desk.refs.shown(options, FAR).model_dump_json()
        assert files_of(desk.refs.shown(options, FAR))[key] == Path("x.png")
        assert desk.refs.shown(options, NEAR) == options


def test_a_model_from_elsewhere_has_a_name(desk: Desk, home: Path) -> None:
    for given in (str(home), "/etc"):
        with pytest.raises(ModelError) as refused:
            desk.refs.resolve(VideoOptions(model=given), FAR)
        assert str(home) not in str(refused.value)
    assert desk.refs.resolve(VideoOptions(model=str(home)), NEAR).model == str(home)
    assert desk.refs.shown(VideoOptions(model=str(home)), FAR).model == home.name


def test_ids_find_what_is_there_and_nothing_else(desk: Desk, ids: dict[str, Path]) -> None:
    secret = desk.settings.home / "access.json"
    secret.write_text("{}")
    (desk.settings.outputs.absolute() / ".hidden.mp4").write_bytes(b"x")
    (desk.settings.outputs.absolute() / "notes.txt").write_bytes(b"x")
    for path in (secret, *desk.settings.outputs.absolute().glob("*.txt"), *desk.settings.outputs.absolute().glob(".*")):
        id = desk.refs.id(path)
        if id is not None:
            with pytest.raises(InputError):
                desk.refs.find(id)
    for id in ("upload:" + "f" * 32, "job:1/x.mp4", "job:1/..", "", "x", "result:zz", "lora:" + "0" * 16):
        with pytest.raises(InputError):
            desk.refs.find(id)
    for id, path in ids.items():
        view = desk.refs.view(id)
        assert (view.id, view.name, view.size) == (id, path.name, path.stat().st_size)
    upload = desk.refs.view(next(iter(ids)))
    assert (upload.kind, (upload.width, upload.height)) == ("picture", measure(next(iter(ids.values()))))


def test_sentences_and_views_hold_no_path_for_others(desk: Desk, video: VideoOptions) -> None:
    job = desk.start([video])[0]
    view = desk.refs.seen(job.view("en"), FAR)
    assert isinstance(view.request, VideoOptions)
    assert view.request.prompt == video.prompt
    for folder in (desk.settings.home, desk.settings.outputs.absolute(), Path(str(video.image)).parent):
        assert str(folder) not in view.model_dump_json()
    assert str(video.image) in json.loads(desk.refs.seen(job.view("en"), NEAR).model_dump_json())["request"]["image"]
    wrong = InputError("error.file.missing", path=Path("/secret/place/x.png"), reason="[Errno 2] '/secret/a/b.c'")
    for value in (wrong, InputError("error.file.missing", path="/secret/place/x.png")):
        said = desk.refs.error(value, FAR)
        assert "secret" not in json.dumps([said.message, said.values])
        assert "x.png" in said.message
        assert "secret" in desk.refs.error(value, NEAR).message


def test_a_picture_that_was_given_has_a_name_for_everybody(desk: Desk, picture: Path) -> None:
    given = desk.given.picture("my picture.png", io.BytesIO(picture.read_bytes()))
    path = desk.given.find(given.mark)
    for visitor in (FAR, NEAR):
        said = desk.refs.error(InputError("error.file.missing", path=path), visitor)
        assert (given.mark in said.message, "my picture.png" in said.message) == (False, True)
        note: Any = desk.refs.values(Adjusted("note.mask.black", {"path": str(path)}).values, visitor)
        assert note == {"path": "my picture.png"}


def test_prompts_stay_as_they_were_written(desk: Desk, picture: Path) -> None:
    options = VideoOptions.parse({"image": picture, "prompt": "/a or /b/c", "keyframes": {"prompts": {0: "/x/y"}}})
    assert desk.refs.shown(options, FAR).prompt == options.prompt
    assert desk.refs.shown(options, FAR).keyframes.prompts == options.keyframes.prompts
