"""`eichi lora inspect`: its report, for people and programs, and what it refuses."""

import json
from pathlib import Path

import pytest
import torch

from eichi.catalog import TRANSFORMERS, ModelFolders, find
from eichi.models.shapes import transformer_shapes
from eichi.words import languages
from tests import loras
from tests.program import Run, refused


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A LoRA of one block of the published model, with something in it that fits nothing."""
    made = [change for change in loras.changes(loras.PUBLISHED, rank=1) if change.number == "7"]
    pairs = loras.whole(made) | {"blocks.0.self_attn.q": (made[0].down, made[0].up)}
    return loras.musubi(tmp_path / "full.safetensors", pairs)


def test_the_report(eichi: Run, full: Path) -> None:
    result = eichi("lora", "inspect", full, "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out.splitlines()[-1])
    assert told.keys() == {"file", "fits", "misfits"}
    assert [report["model"] for report in told["fits"]] == [*TRANSFORMERS]
    report = told["fits"][0]
    assert (report["format"], report["names"], report["base"]) == ("musubi", "hunyuanvideo", "hunyuan_video")
    assert (report["layers"], report["matched"], len(report["weights"])) == (14, 13, 20)
    assert (report["rank"], report["alpha"]) == ([1], [3.0])
    assert report["unmatched"] == [f"lora_unet_blocks_0_self_attn_q.lora_{half}.weight" for half in ("down", "up")]
    assert set(told["misfits"]) == {"tiny", "tiny-f1"}


@pytest.mark.parametrize("language", languages())
def test_the_report_in_words(eichi: Run, full: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("EICHI_LANGUAGE", language)
    result = eichi("lora", "inspect", full)
    assert (result.code, result.err) == (0, "")
    assert len(result.out.splitlines()) == 1 + len(TRANSFORMERS) * (1 + 2) + 2
    assert "hunyuan_video" in result.out
    assert ("fits; layers matched 13" in result.out) == (language == "en")


def test_a_model_can_be_named(eichi: Run, full: Path, tmp_path: Path) -> None:
    path = loras.build(
        tmp_path / "tiny.safetensors", "diffusers", transformer_shapes(find("tiny"), ModelFolders(tmp_path))
    )
    told = json.loads(eichi("lora", "inspect", path, "--model", "tiny", "--json").out)
    assert [report["model"] for report in told["fits"]] == ["tiny"]
    assert told["misfits"] == {}
    refused(
        eichi, tmp_path, ["lora", "inspect", str(full), "--model", "tiny"], "full.safetensors changes nothing in tiny"
    )
    refused(eichi, tmp_path, ["lora", "inspect", str(full), "--model", "nope"], "nope")


@pytest.mark.parametrize("language", languages())
def test_one_file_of_several_is_told(eichi: Run, full: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("EICHI_LANGUAGE", language)
    whole = eichi("lora", "inspect", full).out
    piece = full.rename(full.with_name("style-00001-of-00012.safetensors"))
    lines = eichi("lora", "inspect", piece).out.splitlines()
    assert len(lines) == len(whole.splitlines()) + 1
    assert "1" in lines[1]
    assert "12" in lines[1]
    assert json.loads(eichi("lora", "inspect", piece, "--json").out)["fits"][0]["piece"] == [1, 12]


def test_nothing_is_said_of_a_base_that_nobody_told(eichi: Run, tmp_path: Path) -> None:
    path = loras.build(
        tmp_path / "tiny.safetensors", "diffusers", transformer_shapes(find("tiny"), ModelFolders(tmp_path))
    )
    assert "?" not in eichi("lora", "inspect", path).out


def test_a_bad_number_is_found_before_a_job(eichi: Run, tmp_path: Path) -> None:
    shapes = transformer_shapes(find("tiny"), ModelFolders(tmp_path))
    pairs = loras.split(loras.changes(shapes), shapes)
    next(iter(pairs.values()))[0][0, 0] = torch.nan
    path = loras.diffusers(tmp_path / "bad.safetensors", pairs)
    refused(eichi, tmp_path, ["lora", "inspect", str(path)], "invalid numbers (NaN or infinity) in transformer.")


def test_files_are_listed_and_found_by_name(
    eichi: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Path
) -> None:
    assert eichi("lora", "list").out == "No LoRA files yet.\n"
    monkeypatch.setenv("EICHI_LORA_FOLDERS", str(tmp_path / "more"))
    shapes = transformer_shapes(find("tiny"), ModelFolders(tmp_path))
    loras.build(home / "loras" / "anime" / "Style.SAFETENSORS", "diffusers", shapes)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "odd.safetensors").write_bytes((2**40).to_bytes(8, "little"))
    told = json.loads(eichi("lora", "list", "--json").out)["files"]
    assert [(one["name"], "tiny" in one["fits"]) for one in told] == [
        ("anime/Style.SAFETENSORS", True), ("odd.safetensors", False)
    ]  # fmt: skip
    assert "cannot be read" in told[1]["said"]
    assert len(eichi("lora", "list").out.splitlines()) == 2
    assert json.loads(eichi("lora", "inspect", "style", "--json").out)["file"] == told[0]["file"]
    planned = eichi("plan", "--image", picture, "--prompt", "p", "--lora", "style:0.5")
    assert (planned.code, "Style.SAFETENSORS" in planned.err) == (0, True)


def test_files_that_are_no_lora(eichi: Run, tmp_path: Path) -> None:
    (tmp_path / "page.safetensors").write_text("<html>")
    refused(eichi, tmp_path, ["lora", "inspect", "page.safetensors"], "web page")
    refused(eichi, tmp_path, ["lora", "inspect", "none.safetensors"], "no LoRA file none.safetensors")
    refused(eichi, tmp_path, ["lora", "inspect"], "FILE")


def test_a_request_with_a_bad_lora(eichi: Run, tmp_path: Path, picture: Path) -> None:
    (tmp_path / "page.safetensors").write_text("<html>")
    for command in ("plan", "generate", "frame"):
        words = [command, "--image", "picture.png", "--lora"]
        refused(eichi, tmp_path, [*words, "none.safetensors:0.5"], "no LoRA file none.safetensors")
        refused(eichi, tmp_path, [*words, "page.safetensors"], "web page")
        refused(eichi, tmp_path, [*words, "page.safetensors:3"], "--lora 1")
