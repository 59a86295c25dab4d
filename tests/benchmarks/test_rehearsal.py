"""The rehearsal at the size of the embedded model: what is written is read by the library, what is run comes out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from benchmarks.rehearsal.checkpoint import Checkpoint
from benchmarks.rehearsal.numbers import Pool, size_of, write_numbers
from benchmarks.rehearsal.table import document
from benchmarks.rehearsal.watch import Seen
from benchmarks.rehearsal.ways import Result, Way, phases, run_way, silence, ways
from eichi.catalog import find


def test_numbers_are_a_file_of_the_format(tmp_path: Path) -> None:
    layout = {
        "a.weight": ("BF16", (300, 7)),
        "norm.weight": ("F16", (5,)),
        "b.weight": ("F8_E4M3", (3, 3)),
        "norm.bias": ("F32", (2,)),
    }
    path = tmp_path / "deep" / "a.safetensors"
    assert write_numbers(path, layout, Pool(64))
    assert path.stat().st_size == size_of(layout)
    with safe_open(path, framework="pt") as file:
        found = {name: file.get_tensor(name) for name in layout}
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {n: s for n, (_, s) in layout.items()}
    assert found["norm.weight"].tolist() == [1.0] * 5
    wide = {name: tensor.float() for name, tensor in found.items()}
    assert all(tensor.isfinite().all() for tensor in wide.values())
    assert 0.01 < wide["a.weight"].std() < 0.03
    assert not torch.equal(wide["a.weight"].flatten()[:2], wide["norm.bias"])
    assert not write_numbers(path, layout, Pool(64))  # it is there


def test_the_published_size_is_that_of_the_published_files(tmp_path: Path) -> None:
    """Kijai's file to the byte, but for a header that has its own way of being written."""
    full = Checkpoint(tmp_path, full=True)
    assert round(full.layouts["published"]().size / 1e9, 1) == 42.4
    assert abs(full.layouts["kijai"]().size - 16_331_849_976) < 10_000
    assert len(full.files("published")) == 3 + 1 + 4 + 1 + 1


def test_too_little_room_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.rehearsal.checkpoint.shutil.disk_usage", lambda _: type("", (), {"free": 1000}))
    with pytest.raises(OSError, match="--folder"):
        Checkpoint(tmp_path, full=False).write("published", print)
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.slow
def test_a_way_is_the_program_s_own_command(tmp_path: Path) -> None:
    """FP8 and a LoRA on every matrix: the most that is done to weights. In float32, since half precision takes most
    processors half a minute for the frames.
    """
    checkpoint, said = Checkpoint(tmp_path / "work", full=False), list[str]()
    for layout in ("published", "lora"):
        checkpoint.write(layout, said.append)
    assert len(said) == len(checkpoint.files("published")) + 1
    entry = find(checkpoint.model("published"))
    assert (entry.sizes, entry.resolution) == ({64: ((64, 64),)}, 64)
    way = next(way for way in ways(checkpoint) if "--fp8" in way.flags and "--lora" in way.flags)
    result = run_way(replace(way, precision="float32"), checkpoint, tmp_path / "out")
    assert result.good, result.error
    assert result.ratio is not None and result.ratio < 1.1
    assert result.phases["step"] >= 0
    checkpoint.drop("lora")
    assert not checkpoint.lora.exists()


def line(kind: str, **values: Any) -> dict[str, Any]:
    return {"kind": kind, **values}


def test_seconds_go_to_what_was_done_in_them() -> None:
    said = [
        (4.0, line("adjusted", id="note.memory.cpu", values={"ram": 2.0})),
        (5.0, line("preparing", what="text_encoder", done=0, total=10)),
        (9.0, line("preparing", what="text_encoder", done=10, total=10)),
        (9.0, line("preparing", what="prompts", done=0, total=0)),
        (20.0, line("started")),
        (20.0, line("preparing", what="drawing", done=0, total=0)),
        (30.0, line("step", step=1, steps=2)),
        (37.0, line("step", step=2, steps=2)),
        (40.0, line("finished")),
    ]
    assert phases(said) == {
        "program": 4.0, "reading": 1.0, "text_encoder": 4.0, "prompts": 11.0, "drawing": 10.0, "step": 7.0,
    }  # fmt: skip
    assert silence(said) == (11.0, "prompts")
    assert Seen(said).note("note.memory.cpu") == {"ram": 2.0}


def test_the_document_has_a_row_for_every_way() -> None:
    results = [
        Result("one", True, 10.0, 10.5, phases={"step": 7.0, "text_encoder": 2.0}, silence=12.0, during="prompts"),
        Result("two", False, error="no"),
    ]
    text = document(results, "Here.", "By hand.")
    small = document(results, "Here.", "By hand.", full=False)
    assert "42 GB" in text and "42 GB" not in small and "as large as" not in small
    assert "| one | 10.00 | 10.50 | 1.05 | 0.0 | 2.0 |  |  | 7.0 | 0 | 12 (prompts) |" in text
    assert "two: **failed**" in text
    assert json.loads(json.dumps(vars(results[0])))["way"] == "one"


def test_ways_have_names_of_their_own(tmp_path: Path) -> None:
    names = [way.name for way in ways(Checkpoint(tmp_path, full=False))]
    assert len(set(names)) == len(names)
    assert Way("a").precision == "half"
