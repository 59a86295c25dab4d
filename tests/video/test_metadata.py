"""A result carries its request, and gives it back."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from safetensors.numpy import save as save_tensors

from eichi.catalog import find
from eichi.errors import InputError
from eichi.options import VideoOptions
from eichi.plan.plan import Plan, make_plan
from eichi.video.clip import look
from eichi.video.latentfile import measure_latents
from eichi.video.metadata import (
    FOREIGN,
    KEY,
    LIBRARIES,
    Record,
    ancestry,
    dump,
    parameters,
    read_record,
    record,
    save_png,
    tags,
    without_folders,
)
from eichi.video.writer import Writer

PIXELS = np.zeros((1, 48, 64, 3), dtype=np.uint8)
PROMPTS = ["", "a cat", 'line one\nline two\r\n{braces} "quotes" \\ ; = #', "猫が歩く 🐈 Кошка", "x" * 20_000]
# What a container cannot hold: half characters and the sign that ends a text.
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


def plan(prompt: str, negative: str = "", **values: Any) -> Plan:
    request = {"image": "start.png", "prompt": prompt, "negative": negative, "seconds": 1.2, "seed": 7, **values}
    return make_plan(VideoOptions.parse(request), find("tiny"), (96, 64))


def save(path: Path, values: dict[str, Any]) -> None:
    if path.suffix == ".png":
        save_png(path, PIXELS[0], values)
        return
    with Writer(path, 64, 48, 16) as writer:
        writer.add(0, PIXELS)
        writer.publish(tags(values))


def chunk(path: Path, content: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEY, content)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)


def test_a_record_tells_the_whole_request() -> None:
    made = plan("p", sampling={"padding": 0.3})
    values = record(made)
    assert VideoOptions.parse(values["request"]) == made.options
    assert {name: values[name] for name in values.keys() - {"request", "versions", "files"}} == {
        "kind": "video",
        "model": "tiny",
        "seed": 7,
        "width": 80,
        "height": 48,
        "frames": 37,
        "seconds": 1.233,
        "sections": 1,
    }
    assert tuple(values["versions"]) == LIBRARIES


def named(image: str, model: str = "tiny") -> Plan:
    """A plan with files from folders that are nobody's business."""
    request = {
        "model": model,
        "image": image,
        "seconds": 3,
        "seed": 7,
        "prompt": "a/b",
        "keyframes": {"sections": {1: f"{image}.1"}, "final": f"{image}.2", "prompts": {0: "/c"}},
        "weights": {"loras": [f"{image}.safetensors:0.5"]},
        "kept": {"latents": f"{image}.latents"},
    }
    return make_plan(VideoOptions.parse(request), replace(find("tiny"), name=model), (96, 64))


def test_a_record_names_no_folder() -> None:
    values = record(named("/home/me/photos/cat.png", "/srv/models/mine"))
    assert not any(word in dump(values) for word in ("home", "photos", "srv"))
    assert values == record(named("cat.png", "mine"))
    request = values["request"]
    assert (values["model"], request["model"], request["image"]) == ("mine", "mine", "cat.png")
    assert (request["prompt"], request["keyframes"]["prompts"]) == ("a/b", {"0": "/c"})
    assert request["keyframes"]["sections"] == {"1": "cat.png.1"}
    assert request["weights"]["loras"] == [{"file": "cat.png.safetensors", "strength": 0.5}]
    assert request["kept"]["latents"] == "cat.png.latents"


def test_a_record_from_before_loses_its_folders() -> None:
    request = named("x").options.dump() | {"image": "C:\\Users\\me\\cat.png"}
    new = without_folders({"request": request, "sources": [{"model": "/a/b/"}, None]})
    assert (new["request"]["image"], new["sources"]) == ("cat.png", [{"model": "b"}, None])
    assert (new["request"]["prompt"], new["request"]["keyframes"]["prompts"]) == ("a/b", {"0": "/c"})


def made_from(path: Path, values: Record, times: int) -> Record:
    """What is read of a result that was made from a result of a record, and so on, so many times."""
    for number in range(times):
        save_png(path, PIXELS[0], {"kind": "finish", "request": {"n": number}, "sources": ancestry([values])})
        values = read_record(path)
    return values


def test_results_are_made_from_results_as_often_as_one_likes(tmp_path: Path) -> None:
    """The last steps and what all began with are told."""
    values, told = made_from(tmp_path / "a.png", record(plan("how it began")), 60), list[Any]()
    while values["kind"] == "finish":
        told.append(values["request"]["n"])
        (values,) = values["sources"]
    assert told == [*range(59, 49, -1)]
    assert values["request"]["prompt"] == "how it began"


def test_of_many_sources_no_more_is_told_than_can_be_read(tmp_path: Path) -> None:
    one = record(plan("x" * 20_000))
    for count, left in ((10, 10), (2000, 0)):
        save_png(tmp_path / "a.png", PIXELS[0], {"kind": "latents", "request": {}, "sources": ancestry([one] * count)})
        sources = read_record(tmp_path / "a.png")["sources"]
        assert (len(sources), sum(source is not None for source in sources)) == (count, left)


def test_a_result_of_another_program_s_is_read(tmp_path: Path) -> None:
    theirs = {"kind": FOREIGN, "request": {"prompt": "a cat"}}
    save_png(tmp_path / "a.png", PIXELS[0], {"kind": "finish", "request": {}, "sources": ancestry([theirs, None])})
    assert read_record(tmp_path / "a.png")["sources"] == [theirs, None]


@pytest.mark.parametrize("name", ["v.png", "v.mp4"])
@pytest.mark.parametrize("prompt", PROMPTS, ids=range(len(PROMPTS)))
def test_a_file_gives_its_request_back(tmp_path: Path, name: str, prompt: str) -> None:
    made = plan(prompt, negative=prompt, keyframes={"final": "é 日.png", "prompts": {0: prompt}})
    save(tmp_path / name, record(made))
    assert read_record(tmp_path / name) == record(made)
    assert VideoOptions.parse(read_record(tmp_path / name)["request"]) == made.options
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@given(text)
def test_any_prompt_survives_in_a_png(tmp_path_factory: pytest.TempPathFactory, prompt: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.png"
    values = record(plan(prompt, negative=prompt))
    save(path, values)
    assert read_record(path) == values
    with Image.open(path) as image:
        assert image.info["parameters"] == parameters(values)


def test_names_that_are_no_text_survive_in_a_record() -> None:
    values = {"request": {"files": ["caf\udce9.safetensors"]}}
    text = tags(values)[KEY].encode("utf-8")
    assert json.loads(text) == values


def test_equal_requests_make_equal_files(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save(tmp_path / name, record(plan("p")))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_equal_values_make_equal_texts() -> None:
    assert dump({"b": {"d": 1, "c": "é"}, "a": 2}) == dump({"a": 2, "b": {"c": "é", "d": 1}})


def test_players_show_the_prompt(tmp_path: Path) -> None:
    save(tmp_path / "v.mp4", record(plan("a cat\nwalks")))
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert container.metadata["comment"] == "a cat\nwalks"


@pytest.mark.parametrize(("negative", "lines"), [("", []), ("blur", ["Negative prompt: blur"])])
def test_other_tools_read_the_parameters(negative: str, lines: list[str]) -> None:
    settings = "Steps: 25, Sampler: UniPC, CFG scale: 1.0, Distilled CFG Scale: 10.0, Seed: 7, Size: 80x48, Model: tiny"
    assert parameters(record(plan("a cat", negative))).split("\n") == ["a cat", *lines, settings]


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.jpg")
    chunk(tmp_path / "broken.png", "{")
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "empty.mp4").touch()
    with Writer(tmp_path / "plain.mp4", 64, 48, 16) as writer:
        writer.add(0, PIXELS)
        writer.publish({"comment": "x"})
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(InputError, match="has no generation settings"):
            read_record(path)


@pytest.mark.parametrize("name", ["none.png", "."])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no file"):
        read_record(tmp_path / name)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    for name in ("v.png", "v.mp4"):
        save(tmp_path / name, record(plan("p")))
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:200])
        with pytest.raises(InputError, match="has no generation settings"):
            read_record(tmp_path / name)


DAMAGED: list[Any] = [
    [],
    3,
    None,
    {},
    {"request": 1},
    {"kind": 5, "request": {}},
    {"kind": "foreign", "request": {}},
    {"kind": "video", "request": []},
    {"kind": "video", "request": {}, "model": 5},
    {"kind": "video", "request": {}, "versions": []},
    {"kind": "latents", "request": {}, "sources": 5},
    {"kind": "latents", "request": {"a": 1}, "sources": [5]},
    {"kind": "latents", "request": {"a": 1}, "sources": [{"x": 1}]},
]
DEEP = ["[" * 100_000, '{"kind": "video", "request": ' + '{"a": ' * 200 + "1" + "}" * 201]


@pytest.mark.parametrize("content", [*map(json.dumps, DAMAGED), *DEEP, "{not json", "\ufeff"], ids=range(17))
def test_json_that_is_no_record_is_refused(tmp_path: Path, content: str) -> None:
    chunk(tmp_path / "v.png", content)
    latents = {"history_latents": np.zeros((1, 16, 2, 6, 8))}
    (tmp_path / "v.safetensors").write_bytes(save_tensors(latents, {KEY: content}))
    for name in ("v.png", "v.safetensors"):
        with pytest.raises(InputError, match="has no generation settings"):
            read_record(tmp_path / name)
    assert measure_latents(tmp_path / "v.safetensors").first == 0


def test_a_damaged_record_is_no_text_of_another_program(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEY, "{")
    info.add_text("parameters", "a cat\nSeed: 5")
    Image.new("RGB", (8, 8)).save(tmp_path / "v.png", pnginfo=info)
    with pytest.raises(InputError, match="has no generation settings"):
        read_record(tmp_path / "v.png")


def test_an_archive_of_frames_is_to_be_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("000000.png", b"x")
    for read in (read_record, look):
        with pytest.raises(InputError) as caught:
            read(path)
        assert caught.value.id == "error.file.packed"
