"""The LoRA files of the folders: what is listed, what is taken in, which ids a browser may say, five presets."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from safetensors.numpy import save_file

from eichi.errors import EichiError, InputError
from eichi.web.app import make_app
from eichi.web.desk import Desk
from eichi.web.lorafolder import Chosen, PresetFile, Presets, PresetView

# The only layer of the smallest change: of the embedded model's first block, 64 channels wide.
LAYER = "transformer.transformer_blocks.0.attn.to_q"


@pytest.fixture
def file(desk: Desk) -> Path:
    from eichi.catalog import find
    from eichi.models.shapes import transformer_shapes

    out, into = transformer_shapes(find("tiny"), desk.settings.model_folders)["transformer_blocks.0.attn.to_q.weight"]
    path = desk.loras.folder / "style.safetensors"
    path.parent.mkdir(parents=True)
    pair = {f"{LAYER}.lora_A.weight": np.ones((1, into)), f"{LAYER}.lora_B.weight": np.ones((out, 1))}
    save_file({name: values.astype(np.float32) for name, values in pair.items()}, path)
    return path


def test_files_are_listed_with_the_models_that_they_fit(desk: Desk, file: Path) -> None:
    file.with_name("broken.safetensors").write_bytes(b"\x80\x04.")
    broken, style = desk.loras.list("ru")
    assert (style.name, style.folder, style.said, style.size) == (file.name, "", "", file.stat().st_size)
    assert "tiny" in style.fits
    assert style.report is not None
    assert (style.report.layers, style.report.matched, style.report.rank) == (1, 1, (1,))
    assert (broken.fits, broken.report) == ((), None)
    assert any("а" <= letter <= "я" for letter in broken.said)
    assert "broken.safetensors" in broken.said
    assert str(file.parent) not in broken.said
    assert str(file.parent) not in desk.loras.tell(broken.id, "ru").said


def test_files_below_and_in_other_folders_are_listed(desk: Desk, file: Path, tmp_path: Path) -> None:
    for path in (file.parent / "a" / file.name, tmp_path / "more" / file.name, tmp_path / "more" / "b.SAFETENSORS"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(file.read_bytes())
    deep = b'{"__metadata__": {"lora_config": "' + b"[" * 100_000 + b'"}}'
    (tmp_path / "more" / "odd.safetensors").write_bytes(len(deep).to_bytes(8, "little") + deep)
    desk.adjust(desk.settings.model_copy(update={"lora_folders": str(tmp_path / "more")}))
    listed = desk.loras.list("en")
    assert [(view.folder, view.name) for view in listed] == [
        ("a", "style.safetensors"),
        ("", "style.safetensors"),
        ("", "b.SAFETENSORS"),
        ("", "odd.safetensors"),
        ("more", "style.safetensors"),
    ]
    assert [view.name for view in listed if "tiny" not in view.fits] == ["odd.safetensors"]
    assert len({view.id for view in listed}) == 5
    places = [desk.refs.find(view.id) for view in listed]
    assert places[0] == file.parent / "a" / file.name
    assert places[4] == tmp_path / "more" / file.name


def test_what_is_given_is_looked_at_before_it_has_its_place(desk: Desk, file: Path) -> None:
    """Deep JSON, a number that is none: nobody ever sees the file, and the sentence has the name that was given."""
    deep = b"[" * 100_000
    bad = file.read_bytes()[:-4] + b"\xff\xff\xff\xff"
    for content in (len(deep).to_bytes(8, "little") + deep, bad):
        with pytest.raises(EichiError, match=r"new\.safetensors"):
            desk.given.lora("new.safetensors", io.BytesIO(content))
    header = json.dumps({"__metadata__": {"eichi": "[" * 100_000}}).encode()
    with pytest.raises(EichiError):
        desk.given.result("new.safetensors", io.BytesIO(len(header).to_bytes(8, "little") + header))
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert [view.name for view in desk.loras.list("en")] == [file.name]


def test_only_lora_files_are_taken_in(desk: Desk, file: Path) -> None:
    content = file.read_bytes()
    assert desk.given.lora("a/b/OTHER.SAFETENSORS", io.BytesIO(content)).parent == file.parent
    for name, given in (("style.safetensors", content), ("x.pt", content), ("x.safetensors", b"\x80\x04.")):
        with pytest.raises(EichiError):
            desk.given.lora(name, io.BytesIO(given))
    long = desk.given.lora("n" * 300 + ".safetensors", io.BytesIO(content))
    names = {"style.safetensors", "OTHER.SAFETENSORS", long.name}
    assert {path.name for path in file.parent.iterdir()} == names == {view.name for view in desk.loras.list("en")}


def test_a_file_is_reported_on_as_by_the_command_line(desk: Desk, file: Path) -> None:
    (view,) = desk.loras.list("en")
    with TestClient(make_app(desk), base_url="http://localhost") as client:
        told = client.get(f"/api/v1/loras/{view.id}").json()
        assert told["lines"][1].startswith("tiny: ")
        assert str(file.parent) not in json.dumps(told)
        bad = file.read_bytes()[:-4] + b"\xff\xff\xff\xff"
        file.write_bytes(bad)
        told = client.get(f"/api/v1/loras/{view.id}").json()
        assert (told["fits"], told["lines"]) == ([], [])
        assert "NaN" in told["said"]
        assert client.get("/api/v1/loras/lora:0123456789abcdef").status_code == 404


def test_presets(desk: Desk, file: Path) -> None:
    presets = Presets(desk.settings.home, desk.loras, lambda note: None)
    assert presets.list() == {number: PresetView(name="", loras=()) for number in range(1, 6)}
    (view,) = desk.loras.list("en")
    presets.save(2, [Chosen(id=view.id, strength=0.3)], "calm")
    kept = PresetView(name="calm", loras=(PresetFile(id=view.id, name=file.name, strength=0.3, on=True),))
    assert presets.list()[2] == kept
    for number, strength in ((6, 0.5), (1, 3.0)):
        with pytest.raises(EichiError):
            presets.save(number, [Chosen(id=view.id, strength=strength)])
    with pytest.raises(InputError):
        presets.save(1, [Chosen(id=str(file), strength=1.0)])
    file.unlink()  # it stays in its preset
    (gone,) = presets.list()[2].loras
    assert (gone.id, gone.name) == (None, file.name)


def test_what_a_preset_held_is_told_when_it_is_replaced(desk: Desk, file: Path) -> None:
    (view,) = desk.loras.list("en")
    with TestClient(make_app(desk), base_url="http://localhost") as client:
        client.put("/api/v1/lora-presets/1", json={"loras": [{"id": view.id, "strength": 0.3}]})
        told = client.put("/api/v1/lora-presets/1", json={"loras": []}).json()
        assert told["presets"]["1"]["loras"] == []
        before = told["before"]
        again = client.put("/api/v1/lora-presets/1", json=before).json()
        assert again["presets"]["1"] == before == client.get("/api/v1/lora-presets").json()["presets"]["1"]
