"""Prompts are read once, and found again only for the same text and the same encoders."""

import shutil
from pathlib import Path

import pytest
import torch

from eichi.catalog import ModelFolders
from eichi.models.load import Components
from eichi.pipeline.promptcache import PromptCache
from eichi.settings import Runtime
from tests import small


@pytest.fixture
def components(tmp_path: Path) -> Components:
    folder = small.build(tmp_path / "small")
    return Components(small.entry(folder), Runtime(ModelFolders(folder), "cpu"))


def test_the_second_time_needs_no_encoder(components: Components, tmp_path: Path) -> None:
    first = PromptCache(components, tmp_path / "cache")
    words = first.read("a red star")
    fresh = Components(components.entry, Runtime(ModelFolders(tmp_path), "cpu"))
    again = PromptCache(fresh, tmp_path / "cache")
    found = again.read("a red star")
    assert (first.encoded, again.encoded) == (1, 0)
    assert all(torch.equal(one, other) for one, other in zip(vars(words).values(), vars(found).values(), strict=True))
    again.read("a red  star")
    assert again.encoded == 1


@pytest.mark.parametrize("text", ["", "star", "a red star moves right"])
def test_found_and_read_multiply_to_the_same_bytes(components: Components, tmp_path: Path, text: str) -> None:
    """Same numbers at another alignment or with other strides would not."""
    prompts = PromptCache(components, tmp_path / "cache")
    for one, other in zip(vars(prompts.read(text)).values(), vars(prompts.read(text)).values(), strict=True):
        assert one.stride() == other.stride()
        assert one.data_ptr() % 64 == other.data_ptr() % 64 == 0
    assert prompts.encoded == 1


def test_a_full_disk_costs_only_the_cache(
    components: Components, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    prompts = PromptCache(components, tmp_path / "file")
    prompts.read("star")
    assert "is not kept" in caplog.text


def test_other_encoders_read_again(components: Components, tmp_path: Path) -> None:
    PromptCache(components, tmp_path / "cache").read("star")
    weights = components.folders["text_encoder"] / "model.safetensors"
    shutil.copy(weights, weights.with_name("copy"))  # a file more is another encoder
    other = PromptCache(components, tmp_path / "cache")
    other.read("star")
    assert other.encoded == 1


@pytest.mark.parametrize("flipped", [None, -1, -400, 12])
def test_damage_counts_as_missing(components: Components, tmp_path: Path, flipped: int | None) -> None:
    """A number that is another one now, too."""
    PromptCache(components, tmp_path / "cache").read("star")
    (entry,) = (tmp_path / "cache").iterdir()
    content = bytearray(entry.read_bytes() if flipped is not None else b"<html>")
    content[flipped or 0] ^= 1
    entry.write_bytes(content)
    again = PromptCache(components, tmp_path / "cache")
    again.read("star")
    again.read("star")
    assert again.encoded == 1


def test_the_oldest_go(components: Components, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = PromptCache(components, tmp_path / "cache")
    prompts.read("one")
    (entry,) = (tmp_path / "cache").iterdir()
    monkeypatch.setattr("eichi.pipeline.promptcache.LIMIT", entry.stat().st_size * 2)
    prompts.read("two")
    prompts.read("three")
    assert len(list((tmp_path / "cache").iterdir())) == 2
    prompts.read("three")
    assert prompts.encoded == 3


def test_without_a_folder_nothing_is_kept(components: Components) -> None:
    prompts = PromptCache(components, None)
    prompts.read("star")
    prompts.read("star")
    assert prompts.encoded == 2
