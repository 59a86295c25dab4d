"""Section archives: eichi's are read, ours come back, hostile ones are refused."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from eichi.declare import Plain
from eichi.errors import InputError, PictureError
from eichi.library.archive import read_archive, write_archive
from eichi.library.loras import lora
from eichi.options import MAX_SEED, VideoOptions
from tests.pictures import encoded, header

PNG = encoded("PNG", 16)


def pack(path: Path, card: Any = None, members: dict[str, bytes] | None = None) -> Path:
    """An archive as eichi writes it, or with any other members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if card is not None:
            text = card if isinstance(card, str) else yaml.safe_dump(card, allow_unicode=True)
            archive.writestr("sections/sections.yaml", text)
        for name, data in (members or {}).items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return path


EICHI = {
    "section_info": [{"section": number, "prompt": f"p{number}" if number else ""} for number in range(5)],
    "default_prompt": "猫が歩く\nslowly",
    "SEED": 123,
    "lora_settings": {
        "use_lora": True,
        "mode": "ディレクトリから選択",
        "selections": {"lora1": "なし", "lora2": "style.safetensors", "lora3": "old.pt"},
        "scales": "0.5,0.8,0.8",
    },
    "video_settings": {
        "video_length": "6秒",
        "frame_size": "1秒 (33フレーム)",
        "padding_mode": True,
        "padding_value": 1.5,
        "resolution": 640,
        "expected_sections": 5,
    },
}


def test_an_archive_of_eichi(tmp_path: Path) -> None:
    names = ["sections/000.png", "sections/003.PNG", "sections/end.png", "sections/start.png"]
    path = pack(tmp_path / "a.zip", EICHI, dict.fromkeys(names, PNG))
    archive = read_archive(path, tmp_path / "out")
    request, notes = archive.over(VideoOptions.parse({"keyframes": {"prompts": {0: "mine"}}, "sampling": {"steps": 9}}))
    assert (request.prompt, request.seed, request.seconds, request.section_size) == ("猫が歩く\nslowly", 123, 6.0, 1.0)
    assert (request.sampling.padding, request.sampling.steps, request.resolution) == (1.5, 9, 640)
    assert request.keyframes.prompts == {number: f"p{number}" for number in range(1, 5)}
    (out,) = (tmp_path / "out").iterdir()
    assert request.keyframes.sections == {0: out / "000.png", 3: out / "003.png"}
    assert (request.image, request.keyframes.final) == (out / "start.png", out / "end.png")
    assert [file.read_bytes() for file in out.iterdir()] == [PNG] * 4
    # eichi does not count the boxes that are left empty.
    assert archive.loras == (lora("style.safetensors", 0.5),)
    assert [note.id for note in notes] == ["note.lora.form"]


@pytest.mark.parametrize(
    ("length", "seconds"), [("6秒", 6), ("20 seconds", 20), ("1 сек", 1), ("0,5 с", 0.5), ("1 second", 1), (12.5, 12.5)]
)
@pytest.mark.parametrize(
    ("size", "section"),
    [("0.5秒 (17幀)", 0.5), ("0.5 seconds (17 frames)", 0.5), ("0,5 секунды (17 кадров)", 0.5), ("1秒 (33幀)", 1.0)],
)
def test_labels_of_every_language(tmp_path: Path, length: Any, seconds: float, size: str, section: float) -> None:
    path = pack(tmp_path / "a.zip", {"video_settings": {"video_length": length, "frame_size": size}})
    request, notes = read_archive(path, tmp_path / "out").over(VideoOptions())
    assert (request.seconds, request.section_size, notes) == (seconds, section, ())


def test_what_is_absent_stays(tmp_path: Path) -> None:
    before = VideoOptions.parse(
        {
            "prompt": "p",
            "seed": 3,
            "image": "a.png",
            "keyframes": {"final": "b.png", "prompts": {1: "old", 2: "stays"}, "sections": {3: "c.png"}},
            "sampling": {"padding": 0.4},
        }
    )
    path = pack(tmp_path / "a.zip", {"section_info": [{"section": 1, "prompt": "new"}]})
    archive = read_archive(path, tmp_path / "out")
    request, notes = archive.over(before)
    values = before.dump()
    values["keyframes"]["prompts"]["1"] = "new"
    assert (request.dump(), notes, archive.loras) == (values, (), None)
    assert not (tmp_path / "out").exists()


def test_what_is_empty_is_emptied(tmp_path: Path) -> None:
    card = "section_info:\n- {section: 1, prompt: ''}\ndefault_prompt:\nSEED: -1\nvideo_settings: {padding_mode: no}\n"
    before = VideoOptions.parse(
        {"prompt": "p", "seed": 3, "keyframes": {"prompts": {1: "a", 2: "b"}}, "sampling": {"padding": 1}}
    )
    request, notes = read_archive(pack(tmp_path / "a.zip", card), tmp_path / "out").over(before)
    assert (request.prompt, request.seed, request.sampling.padding, request.keyframes.prompts) == (
        "",
        None,
        None,
        {2: "b"},
    )
    assert notes == ()


def test_a_prompt_is_the_text_that_is_there(tmp_path: Path) -> None:
    card = "default_prompt: no\nsection_info:\n- {section: 0, prompt: 007}\n- {section: 1, prompt: 2024-01-02}\n"
    request, notes = read_archive(pack(tmp_path / "a.zip", card), tmp_path / "out").over(VideoOptions())
    assert (request.prompt, request.keyframes.prompts, notes) == ("no", {0: "007", 1: "2024-01-02"}, ())


def test_sections_that_the_video_does_not_have_are_said(tmp_path: Path) -> None:
    card = {
        "section_info": [{"section": 8, "prompt": "x"}, {"section": 9, "prompt": ""}],
        "video_settings": {"video_length": "10秒", "expected_sections": 9},
    }
    path = pack(tmp_path / "a.zip", card, {"sections/008.png": PNG, "sections/007.png": PNG})
    request, notes = read_archive(path, tmp_path / "out").over(VideoOptions())
    assert list(request.keyframes.sections) == [7]
    assert request.keyframes.prompts == {}
    assert [(note.id, note.values.get("number")) for note in notes] == [
        ("note.archive.sections", 8),
        ("note.archive.prompts", 8),
        ("note.archive.expected", None),
    ]


def test_what_is_not_understood_is_said(tmp_path: Path) -> None:
    card = {
        "nope": 1,
        "SEED": "many",
        "section_info": [{"section": "x", "prompt": "p"}, 3],
        "video_settings": {"speed": 2, "frame_size": "2秒"},
    }
    path = pack(tmp_path / "a.zip", card, {"sections/readme.txt": b"x", "__MACOSX/._000.png": b"x"})
    request, notes = read_archive(path, tmp_path / "out").over(VideoOptions())
    assert request == VideoOptions()
    told = sorted(str(note.values.get("key") or note.values.get("names")) for note in notes)
    assert told == [
        "__MACOSX/._000.png, sections/readme.txt",
        "nope",
        "section_info",
        "section_info",
        "section_size",
        "seed",
        "speed",
    ]


typed = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
visible = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1)


@given(
    prompt=typed | st.sampled_from(["a\nb", "\ta\r\n ", "yes", "~", "1"]),
    prompts=st.dictionaries(st.integers(0, 3), visible),
    seed=st.none() | st.integers(0, MAX_SEED),
    padding=st.none() | st.integers(0, 30).map(lambda tenths: tenths / 10),
    size=st.sampled_from([0.5, 1.0]),
    seconds=st.floats(5, 120),
    numbers=st.sets(st.integers(0, 3)),
    strengths=st.lists(st.floats(-2, 2), max_size=4),
)
def test_a_request_comes_back(
    tmp_path_factory: pytest.TempPathFactory, numbers: set[int], strengths: list[float], **values: Any
) -> None:
    folder = tmp_path_factory.mktemp("a")
    (folder / "picture.png").write_bytes(PNG)
    picture = str(folder / "picture.png")
    request = VideoOptions.parse(
        {
            "prompt": values["prompt"],
            "seed": values["seed"],
            "seconds": values["seconds"],
            "section_size": values["size"],
            "image": picture,
            "sampling": {"padding": values["padding"]},
            "keyframes": {"sections": dict.fromkeys(numbers, picture), "prompts": values["prompts"]},
        }
    )
    chosen = [lora(f"{place}.safetensors", strength) for place, strength in enumerate(strengths)]
    write_archive(folder / "a.zip", request, chosen)
    archive = read_archive(folder / "a.zip", folder / "out")
    again, notes = archive.over(VideoOptions(prompt="x", seed=9))
    assert notes == ()
    assert archive.loras == (tuple(chosen) or None)
    names = ["start.png", *(f"{number:03d}.png" for number in numbers)]
    assert sorted(path.name for path in (folder / "out").glob("*/*")) == sorted(names)
    keys = again.keyframes.model_copy(update={"sections": request.keyframes.sections})
    assert again.model_copy(update={"image": request.image, "keyframes": keys}) == request
    first = (folder / "a.zip").read_bytes()
    write_archive(folder / "a.zip", request, chosen)
    assert (folder / "a.zip").read_bytes() == first


def test_pictures_of_other_forms_become_png(tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(encoded("BMP", 16))
    write_archive(tmp_path / "a.zip", VideoOptions(image=tmp_path / "a.bmp"))
    image = Path(read_archive(tmp_path / "a.zip", tmp_path / "out").values["image"])
    assert (image.name, image.is_file()) == ("start.png", True)
    with pytest.raises(PictureError):
        write_archive(tmp_path / "b.zip", VideoOptions(image=Path("none.png")))
    assert not (tmp_path / "b.zip").exists()


def refused(path: Path, sentence: str, kind: type[InputError] = InputError) -> None:
    """Check that an archive is refused in one sentence and leaves nothing behind."""
    (path.parent / "out").mkdir()
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(kind, match=sentence) as caught:
        read_archive(path, path.parent / "out")
    assert "\n" not in str(caught.value)
    assert sorted(path.parent.rglob("*")) == before
    (path.parent / "out").rmdir()


@pytest.mark.parametrize(
    ("coding", "told"),
    [("utf-8-sig", None), ("utf-16", None), ("utf-16-le", "UTF-16"), ("cp932", "CP932"), ("cp950", "CP950")],
)
def test_codings_of_a_card(tmp_path: Path, coding: str, told: str | None) -> None:
    text = "default_prompt: 角色做動作\nvideo_settings: {video_length: 6秒}\n"
    path = pack(tmp_path / "a.zip", None, {"sections.yaml": text.encode(coding)})
    archive = read_archive(path, tmp_path / "out")
    assert archive.values == {"prompt": "角色做動作", "seconds": 6.0}
    assert [note.values["coding"] for note in archive.notes] == ([told] if told else [])


def test_a_russian_card(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", None, {"sections.yaml": "default_prompt: кот идёт".encode("cp1251")})
    assert read_archive(path, tmp_path / "out").values == {"prompt": "кот идёт"}


def test_a_coding_that_is_not_known(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", None, {"sections.yaml": b"default_prompt: Stra\xdfe \xfcber"})
    refused(path, "sections.yaml in the archive .* nor in another known encoding")


@pytest.mark.parametrize("coding", ["cp932", "utf-8"])
def test_names_in_another_coding_keep_their_pictures(tmp_path: Path, coding: str) -> None:
    """As Windows and macOS write them: not said to be UTF-8. In CP932, 表 and ソ end with the byte of a backslash."""
    name = "表ソ".encode(coding)
    room = "_" * len(name)
    members = {f"{room}/000.png": PNG, f"{room}/end_{room}.png": PNG, f"{room}/sections.yaml": b"{}"}
    path = pack(tmp_path / "a.zip", None, members)
    path.write_bytes(path.read_bytes().replace(room.encode(), name))
    values = read_archive(tmp_path / "a.zip", tmp_path / "out").values
    assert sorted(path.name for path in (tmp_path / "out").glob("*/*")) == ["000.png", "end.png"]
    assert list(values["keyframes"]["sections"]) == ["0"]


@pytest.mark.parametrize("card", ["a: &x 1\nb: *x", "a: &x [1]", "a: *x", "&x a: 1", "- &x {a: *x}"])
def test_aliases_are_refused(tmp_path: Path, card: str) -> None:
    refused(pack(tmp_path / "a.zip", card), "sections.yaml in the archive .* anchors or aliases")


def test_a_card_that_would_be_large(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]", *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))]
    refused(pack(tmp_path / "a.zip", "\n".join(lines)), "anchors or aliases")


def test_what_is_not_known_is_named_and_not_spelled_out(tmp_path: Path) -> None:
    card = {f"unknown{number}": list(range(99)) for number in range(30)} | {"x" * 100: "y" * 5000}
    path = pack(tmp_path / "a.zip", card)
    notes = read_archive(path, tmp_path / "out").notes
    assert (len(notes), notes[-1].id, notes[-1].values) == (21, "note.more", {"count": 11})
    assert notes[0].values["key"] == "unknown0"
    assert all(len(str(value)) < 80 for note in notes for value in note.values.values())


@pytest.mark.parametrize(
    "card",
    [
        {"section_info": [{"section": "9" * 5000, "prompt": "p"}]},
        {"lora_settings": {"selections": {"lora" + "9" * 5000: "a.safetensors"}}},
        {"video_settings": {"video_length": "9" * 5000, "expected_sections": ["x"] * 99, "resolution": {"a": "b"}}},
        {"default_prompt": ["x"], "SEED": {"a": "b"}, "section_info": {"section": "0", "prompt": ["x"]}},
        {"lora_settings": {"selections": ["x"], "scales": ["0.5"], "use_lora": []}},
        {"video_settings": [], "lora_settings": "x", "section_info": "y"},
    ],
    ids=range(6),
)
def test_odd_values_are_left_out(tmp_path: Path, card: Plain) -> None:
    request, notes = read_archive(pack(tmp_path / "a.zip", card), tmp_path / "out").over(VideoOptions())
    assert (request.seed, request.seconds, request.prompt) == (None, 5.0, "")
    assert all(len(str(value)) < 120 for note in notes for value in note.values.values())


@pytest.mark.parametrize(
    "card",
    [
        "!!python/object/apply:os.system [echo]",
        "a: [",
        "[]",
        "",
        "just text",
        "[" * 20_000,
        "a: *nothing",
        "\x00",
        "a: !!int x",
        "a: !!float ''",
        "a: !!timestamp x",
        "? [a]\n: b",
        "a: 1\n---\nb: 2",
        "a: !x b",
    ],
    ids=range(14),
)
def test_a_card_that_cannot_be_read(tmp_path: Path, card: str) -> None:
    refused(pack(tmp_path / "a.zip", card), r"sections.yaml in the archive .* cannot be read")


def test_one_card_and_one_picture_for_each_thing(tmp_path: Path) -> None:
    refused(pack(tmp_path / "a.zip", None, {"000.png": PNG}), "contains 0 files")
    refused(pack(tmp_path / "b.zip", {}, {"other/sections.yml": b"{}"}), "contains 2 files")
    refused(pack(tmp_path / "c.zip", {}, {"000.png": PNG, "000_b.jpg": PNG}), "same thing twice")
    with pytest.warns(UserWarning, match="Duplicate"):
        pack(tmp_path / "d.zip", {}, {"sections/sections.yaml": b"{}"})
    refused(tmp_path / "d.zip", "same thing twice")


@pytest.mark.parametrize("data", [b"", b"text", header(30_000, 30_000), header(0, 0)], ids=range(4))
def test_pictures_that_are_none(tmp_path: Path, data: bytes) -> None:
    refused(pack(tmp_path / "a.zip", {}, {"000.png": PNG, "001.png": data}), "png", PictureError)


def test_a_large_card(tmp_path: Path) -> None:
    refused(pack(tmp_path / "a.zip", "# " + "x" * 2**16), "larger than 64 KiB")


def test_deep_folders_are_fine(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.mkdir("a")
        archive.writestr("a/b/c/sections.yml", "default_prompt: p")
        archive.writestr("a/b/START_x.webp", encoded("WEBP", 16))
    (tmp_path / "a.zip").write_bytes(buffer.getvalue())
    found = read_archive(tmp_path / "a.zip", tmp_path / "out")
    (image,) = (tmp_path / "out").glob("*/*")
    assert found.values == {"prompt": "p", "image": str(image)}
    assert image.name == "start.webp"


def test_the_same_archive_finds_its_pictures(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {}, {"000.png": PNG})
    first = read_archive(path, tmp_path / "out")
    before = sorted((tmp_path / "out").rglob("*"))
    assert read_archive(path, tmp_path / "out") == first
    assert sorted((tmp_path / "out").rglob("*")) == before
    pack(tmp_path / "a.zip", {}, {"000.png": encoded("PNG", 8)})
    assert read_archive(path, tmp_path / "out").values != first.values


def test_a_bad_picture_is_named_by_its_archive(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"SEED": 1}, {"sections/000.png": b"no picture"})
    with pytest.raises(PictureError) as caught:
        read_archive(path, tmp_path / "out")
    assert caught.value.values["path"] == path / "sections/000.png"


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="default_prompt is there twice"):
        read_archive(pack(tmp_path / "a.zip", "default_prompt: a\ndefault_prompt: b\n"), tmp_path / "out")
