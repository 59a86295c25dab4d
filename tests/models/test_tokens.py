"""The token meter against the encoders' own tokenizers."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from eichi.catalog import HUNYUAN, ModelFolders, find
from eichi.errors import ModelError
from eichi.models.tokens import WHOLE, Meter, find_meter
from eichi.words import say

TINY = find("tiny")
assert TINY.root is not None
PARTS = {name: TINY.root / name for name in ("tokenizer", "tokenizer_2")}
LLAMA, CLIP = PARTS.values()


@pytest.fixture(scope="module")
def meter() -> Meter:
    return Meter(HUNYUAN, LLAMA, CLIP)


def test_a_short_prompt_is_seen_by_both(meter: Meter) -> None:
    reading = meter.read("a red star moves right")
    assert (reading.llama, reading.clip) == (5, 7)
    assert (reading.both, reading.llama_only, reading.cut) == ("a red star moves right", "", "")


def test_a_long_prompt_has_three_parts(meter: Meter) -> None:
    prompt = " ".join(["star"] * 300)
    reading = meter.read(prompt)
    seen = reading.both + reading.llama_only
    assert (len(reading.both.split()), len(seen.split())) == (75 - 1, 256 - 1)  # the first "star" is two tokens
    assert seen + reading.cut == reading.text == prompt


def test_an_empty_prompt(meter: Meter) -> None:
    reading = meter.read("")
    assert (reading.llama, reading.clip) == (0, 2)
    assert (reading.text, reading.both, reading.llama_only, reading.cut) == ("", "", "", "")


@given(st.text(max_size=400))
def test_parts_are_the_prompt(text: str) -> None:
    reading = Meter(HUNYUAN, LLAMA, CLIP).read(text)
    assert reading.both + reading.llama_only + reading.cut == reading.text == text
    assert not reading.cut or reading.llama > reading.llama_limit
    assert not reading.llama_only or reading.clip > reading.clip_limit


def test_clip_from_vocabulary_and_merges(tmp_path: Path) -> None:
    """The published CLIP tokenizer has no tokenizer.json; ours built from its two files must agree with the library."""
    pieces = ["s", "t", "a", "r", "st", "r</w>", "ar</w>", "star</w>", "a</w>", "!</w>", "'s</w>", "'", "s</w>"]
    vocabulary = {piece: i for i, piece in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "merges.txt").write_text("#version: 0.2\ns t\na r</w>\nst ar</w>\n' s</w>\n")
    theirs = CLIPTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    meter = Meter(HUNYUAN, LLAMA, tmp_path)
    for text in ("star", "A  STAR's star!", "", "star\nstar ! a"):
        assert meter.read(text).clip == len(theirs(text).input_ids)


def test_a_model_s_meter_is_kept_as_long_as_its_files_are_the_same(tmp_path: Path) -> None:
    for folder in (LLAMA, CLIP):
        shutil.copytree(folder, tmp_path / folder.name)
    entry = replace(TINY, root=tmp_path)
    meter = find_meter(entry, ModelFolders(tmp_path))
    assert meter is not None
    assert find_meter(replace(entry, name="another"), ModelFolders(tmp_path)) is meter
    assert find_meter(replace(entry, template=replace(HUNYUAN, limit=5)), ModelFolders(tmp_path)) is not meter
    path = tmp_path / "tokenizer" / WHOLE
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert find_meter(entry, ModelFolders(tmp_path)) is not meter
    path.unlink()
    assert find_meter(entry, ModelFolders(tmp_path)) is None


@pytest.mark.parametrize(
    ("part", "damage"),
    [*((part, damage) for part in PARTS for damage in ("{", '{"model": 1}', "end")), ("tokenizer", "nobody")],
)
def test_a_damaged_tokenizer_is_named(tmp_path: Path, part: str, damage: str) -> None:
    """Whatever the library makes of it: a bare exception when it reads, or a panic when it counts."""
    folders = {name: shutil.copytree(folder, tmp_path / name) for name, folder in PARTS.items()}
    file = folders[part] / WHOLE
    text = file.read_text(encoding="utf-8")
    if damage == "nobody":  # a mark at either end that nobody knows
        single = [{"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
        marks = {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": {}}
        damage = json.dumps(json.loads(text) | {"post_processor": marks})
    file.write_text(text[: len(text) // 2] if damage == "end" else damage, encoding="utf-8")
    with pytest.raises(ModelError, match=say(f"part.{part}")):
        Meter(HUNYUAN, folders["tokenizer"], folders["tokenizer_2"])
